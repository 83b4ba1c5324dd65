"""The seated test: current while a button is held, 2.5 s on and 2.5 s off, and how far the toes came up.

Promises that the trains end when the button is let go, when its browser is not heard any more, and by
themselves; that no train is larger than what this person has accepted; and that what was armed for tests is
disarmed a while after the last press. Refuses a train to a leg that walks, and while walking is armed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.forms import fields
from controller.console.hold_button import HoldButton
from controller.console.i18n import Texts
from controller.console.live.browser_messages import Json
from controller.console.live.feed import ABLE, Feed
from controller.console.live.strength import CURRENT
from controller.console.render import render
from controller.console.setup.leg_drawing import pads_html
from controller.console.setup.progress import FIRST_MA, LEAST_MA, STEP_MA, SetupState
from controller.console.tuning.controller_link import TuningLink
from controller.runtime.test_trains import END, HOLD_MAX_S, FootTurn, ProbeWish

OFF_S = 2.5  # between two trains: current for half of the time
DEAF_S = 0.6  # a held button is heard ten times a second
DISARM_S = 20.0  # after the last press
TOLD_S = 0.4  # the controller has said by then whether a train runs
LOOK_S = 0.05
MOVED_DEG = 3.0  # less is no lift to be judged by
TURNED_DEG = 5.0  # what the angles of a foot without magnetometer are good for; proposal
INWARD_SHARE, OUTWARD_SHARE = 0.5, 1.0  # of the lift, that a turn may have; a little outward is wished
HINDRANCES = ("test.walk_armed", "test.no_controller", "test.walks")


class SeatedTest:
    """The test of one session; the browser that pressed last holds it."""

    def __init__(
        self,
        settings: ConsoleSettings,
        feed: Feed,
        link: TuningLink,
        state: Callable[[], SetupState],
        *,
        note: Callable[[str, str], None],
        texts_of: Callable[[Request], Texts],
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._link = link
        self._state = state
        self._note = note
        self._texts_of = texts_of
        self._button = HoldButton()
        self._heard_s = 0.0  # the button, held
        self._begun_s = self._ended_s = 0.0  # the last train
        self._running = False
        self._level_ma: float | None = None  # chosen here
        self._why = ""  # key of the words why nothing is given
        self._from_deg: float | None = None
        self._lifted_deg: float | None = None  # the most of the last train, toes up +
        self._turned: FootTurn | None = None  # in the last train
        self._watching: asyncio.Task[None] | None = None

    def routes(self, app: FastAPI) -> None:
        app.get("/test")(self.page)
        app.post("/test/hold")(self.hold)
        app.post("/test/level")(self.level)

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    # --- what is shown

    async def page(self, request: Request) -> Response:
        texts = self._texts_of(request)
        state = self._state()
        asked = (state.most_ma or state.accepted_ma) is not None
        picture = pads_html(texts, self._settings, state.pads)
        body = page_html(texts, self.level_ma, self.most_ma, asked=asked, picture=picture)
        title = texts.get("test.title")
        return HTMLResponse(layout.whole_page(texts, "/test", title, body, with_state=True))

    def now(self) -> Json:
        """What the page's script shows; what keeps a train back is told only while it does."""
        why = self._why
        if why in HINDRANCES and not (self._feed.state in ABLE and self._hindrance() == why):
            why = self._why = ""
        told: Json = {"on": self._running, "lifted_deg": self._lifted_deg, "why": why}
        if self._turned is not None and not self._running:
            told |= {"inward_deg": self._turned.inward_deg, "hint": pad_hint(self._turned)}
        return {**told, "level_ma": self.level_ma}

    # --- strength

    @property
    def most_ma(self) -> float:
        """The most that this person has accepted, below what was too strong in today's search; a first
        train's current where nobody has asked.
        """
        state = self._state()
        return state.most_ma or state.accepted_ma or FIRST_MA

    @property
    def level_ma(self) -> float:
        """The next train's: as chosen here, or that of walking, as far as it was accepted."""
        told = self._link.now
        walking_ma = told.values.get(CURRENT, FIRST_MA) if told is not None else FIRST_MA
        return min(self.most_ma, walking_ma if self._level_ma is None else self._level_ma)

    async def level(self, request: Request) -> Response:
        """One step more or less; the page again, which a reload does not raise once more."""
        by = (await fields(request)).get("by", "")
        if by in ("more", "less"):
            step_ma = STEP_MA if by == "more" else -STEP_MA
            self._level_ma = max(LEAST_MA, min(self.most_ma, self.level_ma + step_ma))
        return RedirectResponse("/test", status_code=303)

    # --- the button

    async def hold(self, request: Request) -> Response:
        """Down, held (again and again), up: the first second arms where nothing is armed yet."""
        form = await fields(request)
        what = form.get("what", "")
        held = self._button.held(what)
        if what not in ("down", "held"):
            self._let_go()
            return Response(status_code=204)
        self._heard_s = time.monotonic()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        if self._feed.state in ABLE:
            self._why = self._hindrance()
            if not self._why:
                self._give()
        elif held:
            self._feed.arm("tests", screen=form.get("screen", ""))
        return Response(status_code=204)

    def _hindrance(self) -> str:
        told = self._link.now
        if self._feed.scope != "tests":
            return "test.walk_armed"
        if told is None:
            return "test.no_controller"
        return "test.walks" if told.walking else ""

    def _give(self) -> None:
        """A train, where the pause after the last one is over."""
        if self._running or time.monotonic() - self._ended_s < OFF_S:
            return
        level_ma = self.level_ma
        wish = ProbeWish(level_ma, felt=True, accepted_ma=self.most_ma, hold_s=HOLD_MAX_S)
        if self._link.probe(wish):
            self._running, self._begun_s = True, time.monotonic()
            self._from_deg, self._lifted_deg = self._feed.newest("foot_pitch_deg"), None
            self._turned = None
            self._note(f"seated test: train of {level_ma:g} mA", self._state().by)

    def _let_go(self) -> None:
        self._heard_s = 0.0
        if self._running:
            self._link.probe(END)

    async def _watch(self) -> None:
        """While the button is held and a while after: measure, end what nobody holds, disarm at last."""
        pressed_s = time.monotonic()
        while (now_s := time.monotonic()) - pressed_s < DISARM_S:
            if self._heard_s:
                pressed_s = self._heard_s
            if self._heard_s and now_s - self._heard_s > DEAF_S:
                self._let_go()
            self._look(now_s)
            await asyncio.sleep(LOOK_S)
        if self._feed.scope == "tests" and self._feed.state in ABLE:
            self._feed.request("disarm")

    def _look(self, now_s: float) -> None:
        told, pitch_deg = self._link.now, self._feed.newest("foot_pitch_deg")
        if not self._running:
            return
        if pitch_deg is not None and self._from_deg is not None:
            self._lifted_deg = max(self._lifted_deg or 0.0, pitch_deg - self._from_deg)
        if told is None or (now_s - self._begun_s > TOLD_S and not told.probe.running):
            self._running, self._ended_s = False, now_s
            if told is not None and told.probe.refused:
                self._why = "test.refused"
            elif told is not None and told.probe.turned is not None:
                self._turned = turned = told.probe.turned
                up_deg, inward_deg = turned.up_deg, turned.inward_deg
                said = f"seated test: toes up {up_deg:g} deg, turned in {inward_deg:g} deg"
                self._note(said, self._state().by)


def pad_hint(turned: FootTurn) -> str:
    """Key of the words for what the pads want, wished is a foot that comes up and turns out a little."""
    if turned.up_deg < MOVED_DEG:
        return "test.hint_still"
    if turned.inward_deg > max(TURNED_DEG, INWARD_SHARE * turned.up_deg):
        return "test.hint_inward"
    if -turned.inward_deg > max(TURNED_DEG, OUTWARD_SHARE * turned.up_deg):
        return "test.hint_outward"
    return "test.hint_straight"


def page_html(texts: Texts, level_ma: float, most_ma: float, *, asked: bool, picture: Markup) -> Markup:
    """``asked``: whether ``most_ma`` is what this person has accepted; ``picture``: where the pads sit."""
    return render(
        "setup/seated",
        texts,
        level_ma=level_ma,
        most_ma=most_ma,
        asked=asked,
        picture=picture,
        static=layout.STATIC,
    )
