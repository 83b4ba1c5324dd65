"""Double taps, half a checklist, a change of mind in the set-up: nothing is given for them. No browser."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI

from controller.config.console_settings import ConsoleSettings
from controller.console.door import _why_deaf
from controller.console.i18n import load_texts
from controller.console.live.feed import Feed
from controller.console.setup import progress, threshold_search
from controller.console.setup.leg_drawing import place_on_leg
from controller.console.setup.progress import SetupState
from controller.console.setup.routes import SetupPages
from controller.console.setup.seated_test import SeatedTest, pad_hint
from controller.console.tuning.controller_link import TuningLink
from controller.runtime.console_messages import Told
from controller.runtime.test_trains import FootTurn, ProbeTold, ProbeWish
from controller.safety.judgement.contraindications import QUESTIONS
from tests.console.test_exercise_routes import GOOD, Client
from tests.console.test_strength import Controller


@dataclass
class Trains:
    """A controller that gives every train at once, to a leg that stands."""

    given: list[ProbeWish] = field(default_factory=list)
    walking: bool = False

    @property
    def now(self) -> Told:
        probe = ProbeTold(len(self.given), 0.0, False, "given", 0.0)
        return replace(Controller().now, walking=self.walking, probe=probe)

    def probe(self, wish: ProbeWish) -> bool:
        self.given.append(wish)
        return True


@dataclass
class Console:
    feed: Feed
    pages: SetupPages
    browser: Client
    trains: Trains

    def say(self, effect: str, train: str) -> None:
        self.browser.post("/setup/effect", {"effect": effect, "train": train})

    @property
    def currents_ma(self) -> list[float]:
        return [wish.current_ma for wish in self.trains.given]

    @property
    def seated(self) -> SeatedTest:
        return self.pages._seated


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Armed for tests; 37 mA were kept in an earlier set-up."""
    monkeypatch.setattr(threshold_search, "TRAIN_S", 0.0)
    monkeypatch.setattr(threshold_search, "PAUSE_S", 0.0)
    settings, texts, app = ConsoleSettings("127.0.0.1", 0, str(tmp_path)), load_texts()["en"], FastAPI()
    feed, trains = Feed(tmp_path, settings, lambda _: None), Trains()
    pages = SetupPages(tmp_path, settings, feed, cast(TuningLink, trains), texts_of=lambda _: texts)
    pages._state.comfort_ma, pages._state.comfort_by = 37.0, "AB"
    pages.routes(app)
    feed._state, feed.scope = "armed", "tests"
    return Console(feed, pages, Client(app), trains)


def test_a_second_tap_says_nothing_of_the_train_that_the_first_one_gave(console: Console) -> None:
    console.browser.post("/setup/train")
    assert 'name="train" value="1"' in console.browser.get("/setup?step=thresholds").text
    console.say("felt", "1")
    for effect, train in (("felt", "1"), ("too_strong", "1"), ("enough", "0"), ("felt", ""), ("felt", "3")):
        console.say(effect, train)
    assert console.currents_ma == [4.0, 5.0]
    console.say("felt", "2")
    assert console.currents_ma == [4.0, 5.0, 6.0]


def test_what_is_too_strong_today_is_given_nowhere_whatever_was_kept_before(console: Console) -> None:
    console.browser.post("/setup/train")
    console.say("felt", "1")
    assert (console.feed.comfort, console.seated.most_ma) == ((37.0, "AB"), 37.0)
    console.say("too_strong", "2")
    assert (console.feed.comfort, console.seated.most_ma) == ((4.0, "AB"), 4.0)
    assert console.currents_ma[-1] == 4.5  # the search itself looks between the two
    console.browser.post("/setup/search-again")
    assert console.seated.most_ma == 37.0


def test_a_first_train_that_is_too_strong_leaves_the_least_current(console: Console) -> None:
    console.browser.post("/setup/train")
    console.say("too_strong", "1")
    assert (console.feed.comfort, console.seated.most_ma) == ((0.5, "AB"), 0.5)


def test_the_seated_test_says_whose_most_it_is(console: Console) -> None:
    assert "37.0 mA, what this person has accepted" in console.browser.get("/test").text
    console.pages._state.comfort_ma = None
    assert "4.0 mA, a first train&#39;s current" in console.browser.get("/test").text


def test_every_screen_is_told_the_next_trains_current_and_a_reload_raises_nothing(console: Console) -> None:
    assert console.seated.now()["level_ma"] == 32.0  # that of walking
    answer = console.browser.post("/test/level", {"by": "more"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/test")
    for odd in ("", "most", "more more"):
        console.browser.post("/test/level", {"by": odd})
    assert console.seated.now()["level_ma"] == 33.0
    for _ in range(9):
        console.browser.post("/test/level", {"by": "more"})
    assert console.seated.now()["level_ma"] == 37.0  # what was kept


def test_what_kept_the_seated_test_back_is_told_no_longer_than_it_does(console: Console) -> None:
    console.feed.scope = "walk"
    console.seated._why = "test.walk_armed"
    assert console.seated.now()["why"] == "test.walk_armed"
    console.feed._state = "off"
    assert console.seated.now()["why"] == ""


def test_a_missing_answer_is_named_and_marked_and_the_others_stay_ticked(console: Console) -> None:
    page = console.browser.post("/setup/checklist", {**GOOD, "skin": ""})
    assert page.status_code == 409
    assert len(re.findall(r'value="no" required checked', page.text)) == len(QUESTIONS) - 1
    assert re.findall(r"<fieldset class=missing><legend>(\w+)", page.text) == ["Broken"]
    assert page.text.count("Please answer this one.") == 1
    assert console.pages._state.answers == {}
    assert "class=missing" not in console.browser.get("/setup?step=checklist").text


@pytest.mark.parametrize(("sees", "status"), [(True, 409), (False, 303)])
def test_a_blinded_set_up_ends_without_telling_whether_current_flowed(
    console: Console, sees: bool, status: int
) -> None:
    console.pages._sees = lambda _: sees
    console.pages._state.finish("thresholds")
    console.browser.get("/setup?step=walk")
    assert console.browser.post("/setup/walk").status_code == status


def test_an_alarm_is_acknowledged_at_its_card_alone(console: Console) -> None:
    assert console.browser.post("/setup/guard/acknowledge").status_code == 404
    assert 'id="acknowledge"' not in console.browser.get("/setup?step=electrodes").text


@pytest.mark.parametrize(
    ("said", "german"),
    [
        (
            "no answer to a pulse on channel 0 (red, yellow connector) within 500 ms; check the cable",
            "keine Antwort auf Impuls an Kanal 0 (rot, gelber Stecker) innerhalb von 500 ms; "
            "das Kabel prüfen",
        ),
        (
            "6 strides lifted the toes 1 deg more than those without current",
            "6 Schritte hoben die Zehen um 1 Grad mehr als die ohne Strom",
        ),
        ("train of 12 mA: too_strong", "Folge mit 12 mA: zu stark"),
        ("thresholds: sensory 8 mA, comfort 32 mA", "Schwellen: erstes Spüren 8 mA, Komfortgrenze 32 mA"),
    ],
)
def test_details_of_alarms_and_trail_are_german(said: str, german: str) -> None:
    assert load_texts()["de"].own(said) == german


def test_a_port_in_use_is_told_in_words_and_another_trouble_as_it_is() -> None:
    assert "another Dorsi console" in _why_deaf(OSError(errno.EADDRINUSE, "Address already in use"))
    assert _why_deaf(OSError(errno.EACCES, "Permission denied")) == "Permission denied"


@pytest.mark.parametrize(
    ("up_deg", "inward_deg", "hint"),
    [
        (2.9, -30.0, "still"), (3.0, 5.0, "straight"), (3.0, 5.1, "inward"), (20.0, 10.0, "straight"),
        (20.0, 10.1, "inward"), (20.0, -20.0, "straight"), (20.0, -20.1, "outward"), (3.0, -5.1, "outward"),
    ],
)  # fmt: skip
def test_what_the_pads_want_follows_from_lift_and_turn(up_deg: float, inward_deg: float, hint: str) -> None:
    key = pad_hint(FootTurn(up_deg, inward_deg))
    assert key == f"test.hint_{hint}"
    assert all(key in texts.words for texts in load_texts().values())


def test_where_the_pads_sit_is_kept_for_the_next_session_and_no_nonsense_is(tmp_path: Path) -> None:
    file = tmp_path / "P1.json"
    progress.save(file, SetupState("today", pads={"nerve": (120, 170)}))
    assert progress.load(file, "tomorrow").pads == {"nerve": (120, 170)}
    assert place_on_leg("134.4", "1e9") == (134, 300)
    assert [place_on_leg(x, "150") for x in ("nan", "inf", "", "left")] == [None] * 4
