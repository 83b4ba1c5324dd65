"""Strength by taps, without a browser: what a tap asks of the controller, and what it answers at its ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from fastapi import FastAPI, Request

from controller.config.session import load_session
from controller.config.tunable_ranges import tunable
from controller.config.tunables import values
from controller.console.i18n import Texts, load_texts
from controller.console.live.routes import WalkRoutes, said
from controller.console.live.strength import ASSIST, CURRENT, EXTENSION, Answer, Strength
from controller.console.tuning.controller_link import TuningLink
from controller.core.signals import Mode
from controller.runtime.console_messages import Told, WalkTold
from controller.runtime.test_trains import ProbeTold
from controller.runtime.tuning import CEILING, Tuning, Wish
from tests.console.test_exercise_routes import Client
from tests.core.control.numbers import DEMO, params

ALLOWED = tunable(load_session(DEMO))


@dataclass
class Controller:
    """Settings as the controller process keeps them; the first ``busy`` looks find somebody else's change
    that waits, and the first ``stale`` wishes come after somebody else's.
    """

    mode: Mode = "trapezoid"
    busy: int = 0
    stale: int = 0
    wishes: list[Wish] = field(default_factory=list)
    tuning: Tuning = field(init=False)
    paused: bool = False
    pause_refused: str = ""

    def __post_init__(self) -> None:
        self.tuning = Tuning(params(self.mode), ALLOWED)

    @property
    def now(self) -> Told:
        tuning, waits = self.tuning, self.busy > 0
        self.busy -= waits
        probe, walk = ProbeTold(0, 0.0, False, "", 0.0), WalkTold(self.mode, self.paused)
        return Told(
            tuning.version, waits, values(tuning.params), tuning.allowed, tuning.params, tuning.trail, probe,
            walking=True, found=(), findings=(), walk=walk,
        )  # fmt: skip

    async def wish(self, wish: Wish) -> str:
        await asyncio.sleep(0.0)
        if self.stale:
            self.stale -= 1
            return "stale: made from version 0 of the settings, now is 1"
        self.wishes.append(wish)
        refused = self.tuning.ask(1, wish)
        self.tuning.take(2)
        return refused.text if refused else ""

    async def pause(self, *, paused: bool, by: str) -> str:
        if not self.pause_refused:
            self.paused = paused
        return self.pause_refused


def desk(
    controller: Controller, *, peak_ma: float | None = None, comfort_ma: float | None = None
) -> Strength:
    link = cast(TuningLink, controller)
    return Strength(link, peak_ma=lambda: peak_ma, comfort_ma=lambda: comfort_ma)


def settle(strength: Strength, *acts: Callable[[], Answer]) -> list[Answer]:
    """The acts one after the other without a pause, and then all that goes to the controller by itself."""

    async def run() -> list[Answer]:
        task = asyncio.create_task(strength.run())
        answers = [act() for act in acts]
        for _ in range(200):
            await asyncio.sleep(0.005)
            if not (strength._wanted or strength._undo):
                break
        task.cancel()
        return answers

    with ThreadPoolExecutor(1) as thread:  # the browser tests of this folder keep a loop in this one
        work: Callable[[Awaitable[list[Answer]]], list[Answer]] = asyncio.run  # type: ignore[assignment]
        return thread.submit(lambda: work(run())).result()


def test_one_tap_is_one_milliampere_signed_and_without_a_preview() -> None:
    controller = Controller()
    strength = desk(controller)
    assert settle(strength, lambda: strength.tap(CURRENT, 1, "AB")) == [Answer()]
    (wish,) = controller.wishes
    assert (wish.wanted, wish.by, wish.reason, wish.preview) == ({CURRENT: 33.0}, "AB", "tap", {})
    (entry,) = controller.tuning.trail
    assert [(c.key, c.old, c.new) for c in entry.changes] == [(CURRENT, 32.0, 33.0)]
    assert (entry.kind, entry.by) == ("change", "AB")


def test_quick_taps_go_together_where_a_change_waits_and_none_is_lost() -> None:
    controller = Controller(busy=6, stale=1)
    strength = desk(controller)
    settle(strength, *[lambda: strength.tap(CURRENT, 1, "AB")] * 3, lambda: strength.tap(EXTENSION, -1, "AB"))
    assert values(controller.tuning.params)[CURRENT] == 35.0
    assert values(controller.tuning.params)[EXTENSION] == 130.0


def test_a_change_of_two_screens_carries_both_names() -> None:
    controller = Controller(busy=3)
    strength = desk(controller)
    settle(strength, *[lambda by=by: strength.tap(CURRENT, 1, by) for by in ("AB", "CD", "AB")])
    settle(strength, lambda: strength.tap(CURRENT, 1, "CD"))
    assert [(wish.by, wish.wanted[CURRENT]) for wish in controller.wishes] == [
        ("AB + CD", 35.0),
        ("CD", 36.0),
    ]


def test_in_a_law_strength_is_assistance_and_one_tap_is_ten_percent() -> None:
    for mode in ("feedback", "learning"):
        controller = Controller(cast(Mode, mode))
        strength = desk(controller, peak_ma=30.0)
        told = strength.told()
        assert told is not None
        assert cast(dict[str, object], told["main"])["key"] == ASSIST
        settle(strength, lambda strength=strength: strength.tap(ASSIST, 1, "AB"))
        assert controller.tuning.params.assistance.percent == 110.0
    assert desk(Controller("off")).told() is None


@pytest.mark.parametrize(("now_ma", "wanted_ma"), [(49.5, 50.0), (49.0, 50.0), (48.9, 49.9)])
def test_the_last_tap_before_the_most_ends_there(now_ma: float, wanted_ma: float) -> None:
    controller = Controller()
    controller.tuning.params = replace(
        controller.tuning.params, envelope=replace(controller.tuning.params.envelope, current_ma=now_ma)
    )
    strength = desk(controller)
    settle(strength, lambda: strength.tap(CURRENT, 1, "AB"))
    assert controller.wishes[-1].wanted == {CURRENT: pytest.approx(wanted_ma)}


def test_at_the_most_a_tap_changes_nothing_and_names_what_binds() -> None:
    controller = Controller()
    controller.tuning.tighten(32.0, "AB", 7)
    controller.tuning.take(1)
    for comfort_ma, words in ((None, "largest current, set by the session file"), (32.0, "comfort maximum")):
        strength = desk(controller, comfort_ma=comfort_ma)
        (answer,) = settle(strength, lambda strength=strength: strength.tap(CURRENT, 1, "AB"))
        assert answer.code == "most"
        told = said(load_texts()["en"], answer)
        assert "most allowed: 32 mA." in told
        assert words in told
    assert controller.wishes == []


def test_a_ceiling_set_in_tuning_binds_too() -> None:
    controller = Controller()
    controller.tuning.ask(1, Wish(0, {CEILING: 32.0}, "AB", "less", 7))
    controller.tuning.take(2)
    strength = desk(controller)
    (answer,) = settle(strength, lambda: strength.tap(CURRENT, 1, "AB"))
    assert "largest current set in Tuning" in said(load_texts()["en"], answer)


@pytest.mark.parametrize(("peak_ma", "code"), [(50.0, "ceiling"), (49.5, ""), (None, "")])
def test_more_assistance_is_not_promised_where_the_current_is_at_its_most(
    peak_ma: float | None, code: str
) -> None:
    strength = desk(Controller("learning"), peak_ma=peak_ma)
    up, down = settle(strength, lambda: strength.tap(ASSIST, 1, "AB"), lambda: strength.tap(ASSIST, -1, "AB"))
    assert up.code == code
    assert down.code == ""  # less is always taken
    if code:
        assert "50" in said(load_texts()["de"], up)


def test_undo_takes_back_one_change_after_the_other_and_then_says_that_there_is_none() -> None:
    controller = Controller()
    strength = desk(controller)
    for _ in range(2):
        settle(strength, lambda: strength.tap(CURRENT, 1, "AB"))
    found = []
    for _ in range(2):
        settle(strength, lambda: strength.undo("AB"))
        found.append(values(controller.tuning.params)[CURRENT])
    assert found == [33.0, 32.0]
    assert [entry.kind for entry in controller.tuning.trail] == ["change", "change", "undo", "undo"]
    assert strength.undo("AB").code == "nothing"


@pytest.mark.parametrize("by", ["", "A" * 21])
def test_nobody_changes_anything_without_a_name(by: str) -> None:
    strength = desk(Controller())
    assert strength.tap(CURRENT, 1, by).code == strength.undo(by).code == "unsigned"


def test_a_setting_that_is_none_of_the_screens_is_refused() -> None:
    assert desk(Controller()).tap("feedback.kp_nm_per_rad", 1, "AB").code == "no_setting"


def test_the_page_keeps_the_initials_and_says_why_not_in_its_language() -> None:
    controller = Controller()
    texts = load_texts()["de"]

    def texts_of(_: Request) -> Texts:
        return texts

    app = FastAPI()
    link = cast(TuningLink, controller)
    WalkRoutes(desk(controller), link, texts_of=texts_of).routes(app)
    client = Client(app)
    tap = {"key": CURRENT, "taps": "1"}
    assert client.post("/walk/tap", data=tap).json()["said"] == texts.get("strength.unsigned")
    assert client.post("/walk/tap", data={**tap, "by": "AB"}).json() == {"said": "", "code": ""}
    assert client.post("/walk/tap", data=tap).json()["code"] == ""  # signed once
    assert client.post("/walk/tap", data={**tap, "taps": "50"}).status_code == 422
    assert client.post("/walk/pause").json() == {"said": "", "code": ""}
    assert controller.paused
    controller.pause_refused = "stale: another screen's change was refused meanwhile"
    assert client.post("/walk/pause").json()["said"] == texts.get("pause.why_unanswered")
    controller.pause_refused = ""
    assert client.post("/walk/go_on").json()["code"] == ""
    assert not controller.paused
