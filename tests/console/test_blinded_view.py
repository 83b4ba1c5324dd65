"""A blinded trial at the screen: what the assessor is not told, and who opens the whole view."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts, load_texts
from controller.console.live.blinded_view import PAGES, WholeView, assessors
from controller.console.live.feed import Feed
from controller.console.live.walker_view import WORDS, walkers
from controller.record.live import Live, LiveStatus, TracePoint
from controller.record.strides import Stride
from controller.telemetry.streams import streams
from tests.console.test_exercise_routes import Client

TOKEN = "a-token-of-this-session"
MARK = 87.654  # mA, uC, uV: found nowhere in what the assessor is told


def status(*, given: bool, now_ns: int = 10**9) -> LiveStatus:
    """Of an arm with current, or of one without; all else is the same."""
    mark = MARK if given else None
    point = TracePoint(now_ns, 3.0, 4.0, 1.0, mark, mark, 50.0, True, MARK if given else 0.0, mark)
    stride = Stride(
        0, None, now_ns, 1.0, 2.0, 3.0, 4.0, MARK if given else 0.0, landing_pitch_deg=14.0,
        landing_reference_deg=14.0,
    )  # fmt: skip
    return replace(
        Live().status(now_ns, "ok"), arm="A", mode="A", blinded=True, commanded_ma=mark, applied_ma=mark,
        pulses=50 if given else 0, sensor_to_pulse_p99_ms=mark, trace=(point,), whole_strides=(stride,),
        charge_uc=mark or 0.0,
    )  # fmt: skip


def shown(*, given: bool) -> list[dict[str, object]]:
    """What the feed tells the browsers of such a status, and a browser that comes later."""
    told: list[dict[str, object]] = []
    settings = ConsoleSettings("127.0.0.1", 0, "runs", blinded=True)
    feed = Feed(Path("none"), settings, told.append)
    feed.beside = lambda: {"strength": {"main": {"now": MARK}} if given else None, "paused": None}
    feed._state = "active" if given else "armed"
    feed._take(status(given=given))
    return [*told, feed.snapshot()]


def test_an_arm_with_current_and_one_without_look_the_same_to_the_assessor() -> None:
    with_current, without = ([assessors(news) for news in shown(given=given)] for given in (True, False))
    for one, other in zip(with_current, without, strict=True):
        for news in (one, other):
            del news["data_age_ms"]
        assert json.dumps(one) == json.dumps(other)
        assert "87.65" not in json.dumps(one)
        assert '"verdict": "lifted"' in json.dumps(one)  # what the foot does is the assessor's to see
    assert any("87.65" in json.dumps(news) for news in shown(given=True))


def test_the_walkers_screen_is_told_the_same_in_every_arm_and_only_what_it_shows() -> None:
    with_current, without = ([walkers(news) for news in shown(given=given)] for given in (True, False))
    for one, other in zip(with_current, without, strict=True):
        for news in (one, other):
            news.pop("data_age_ms", None)
        assert one == other
        assert set(one) <= {*WORDS, "strides", "heel_off_ms"}
    assert with_current[-1]["strides"] == [
        {"verdict": "lifted", "landing_deg": 14.0, "target_deg": (9.0, 19.0)}
    ]


def test_the_walkers_screen_learns_when_the_heel_came_off_and_that_the_walk_is_over() -> None:
    now_s = time.monotonic()
    off_ms = walkers({"events": [[now_s - 9.0, "heel_off"], [now_s - 0.1, "heel_off"], [now_s, "toe_off"]]})
    assert 100 <= cast(int, off_ms["heel_off_ms"]) < 5000
    assert walkers({"events": [[now_s, "toe_off"]]}) == {"heel_off_ms": None}
    assert walkers({"onward": {"port": 1, "path": "/ended/x"}}) == {"over": True}


@pytest.mark.parametrize("state", ["off", "contact_test", "tripped", "unknown"])
def test_stops_and_states_without_current_are_told_as_they_are(state: str) -> None:
    alarm = {"fault": "F11"}
    assert assessors({"state": state, "alarms": [alarm]}) == {"state": state, "alarms": [alarm]}


def test_set_up_and_seated_test_tell_no_current_either() -> None:
    told = assessors({"assisted": 3, "seated": {"on": True, "level_ma": MARK}, "strides": []})
    assert told == {"assisted": None, "seated": None, "strides": []}


def test_before_the_first_arm_its_mode_is_not_told() -> None:
    assert assessors({"arm": "", "mode": "trapezoid"})["mode"] == "unknown"
    assert assessors({"arm": "B", "mode": "B"})["mode"] == "B"


def test_mqtt_tells_nothing_of_current_in_a_blinded_arm() -> None:
    told = [streams(status(given=given)) for given in (True, False)]
    assert told[0] == told[1]
    assert set(told[0]["stimulation"].values()) == {None}
    open_arm = streams(replace(status(given=True), blinded=False))
    assert open_arm["stimulation"]["pulses"] == 50.0


@pytest.fixture
def noted() -> list[tuple[str, str]]:
    return []


def console(noted: list[tuple[str, str]], *, blinded: bool) -> Client:
    app = FastAPI()
    texts = load_texts()["en"]

    def texts_of(_: Request) -> Texts:
        return texts

    whole = WholeView(TOKEN, blinded=blinded)
    whole.note = lambda text, by: noted.append((text, by))
    for path in (*PAGES, "/", "/sessions"):

        async def page() -> PlainTextResponse:
            return PlainTextResponse("the page itself")

        app.get(path)(page)
    whole.routes(app, texts_of)
    return Client(app)


@pytest.mark.parametrize("path", [*PAGES])
def test_a_page_that_could_tell_the_arm_opens_for_the_person_who_gives_the_token_and_signs(
    noted: list[tuple[str, str]], path: str
) -> None:
    client = console(noted, blinded=True)
    assert client.get("/").text == client.get("/sessions").text == "the page itself"
    kept_back = client.get(path)
    assert kept_back.status_code == 403
    assert "This trial is blinded" in kept_back.text
    assert 'id="stop"' in kept_back.text
    for token, by in (("guessed", "AB"), (TOKEN, ""), (TOKEN, "A" * 21)):
        assert client.post("/whole-view", {"token": token, "by": by}).status_code == 403
    assert client.get(path).status_code == 403
    assert noted == []
    assert client.post("/whole-view", {"token": TOKEN, "by": "AB"}).status_code == 303
    assert noted == [("whole view of a blinded trial opened", "AB")]
    assert client.get(path).text == "the page itself"
    assert client.post("/whole-view/close").status_code == 303
    assert client.get(path).status_code == 403


def test_another_browser_stays_blinded(noted: list[tuple[str, str]]) -> None:
    client = console(noted, blinded=True)
    client.post("/whole-view", {"token": TOKEN, "by": "AB"})
    client._cookies.clear()
    assert client.get("/tuning").status_code == 403


def test_where_nothing_is_blinded_all_see_all(noted: list[tuple[str, str]]) -> None:
    client = console(noted, blinded=False)
    assert client.get("/tuning").text == "the page itself"
    assert client.get("/whole-view").status_code == 404
