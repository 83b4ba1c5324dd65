"""Strength, one tap at a time: a setting moves by one step from the walker's next step on, without a preview.

A tap is answered at once, and a background task takes it to the controller: taps while a change waits for the
end of the step go along with the next one. Nothing goes beyond the most allowed: what binds is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from controller.config.tunables import Allowed
from controller.console.live.browser_messages import Json
from controller.console.tuning.controller_link import TuningLink
from controller.core.signals import CLOSED_LOOP, Mode
from controller.runtime.console_messages import Told
from controller.runtime.tuning import BY_MAX, CEILING, Wish

CURRENT, ASSIST, EXTENSION = "trapezoid.current_ma", "gait.assist_percent", "trapezoid.extension_ms"
UNIT = {CURRENT: " mA", ASSIST: " %", EXTENSION: " ms"}
STEP: dict[str, float] = {CURRENT: 1.0, ASSIST: 10.0, EXTENSION: 20.0}  # of one tap, in the setting's unit
MAIN: dict[Mode, str] = {"trapezoid": CURRENT, **dict.fromkeys(CLOSED_LOOP, ASSIST)}  # what strength is
REASON_TAP, REASON_UNDO = "tap", "tap taken back"  # in the audit trail
AGAIN_S = 0.05  # while a change of somebody else waits
Code = Literal["", "most", "least", "ceiling", "unsigned", "no_controller", "nothing", "no_setting"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The most allowed of a setting, and what binds it: a limit and who set it, or one of this session."""

    most: float
    limit: str = ""
    who: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """To one tap: empty ``code`` where it was taken; else why not, and what binds."""

    code: Code = ""
    bound: Bound | None = None


def bound_of(key: str, told: Told, comfort_ma: float | None) -> Bound:
    """The most allowed now. For a current the session's own largest one too; ``comfort_ma``: found today."""
    allowed: Allowed = told.allowed[key]
    limit, _, who = allowed.set_by.partition(", ")
    bound = Bound(allowed.high, limit, who, UNIT[key])
    if key != CURRENT:
        return bound
    if told.values[CEILING] < allowed.high:
        bound = Bound(told.values[CEILING], "session_ceiling", unit=UNIT[key])
    if comfort_ma is not None and abs(comfort_ma - bound.most) < 1e-3:
        bound = replace(bound, limit="comfort", who="")
    return bound


class Strength:
    """The taps of all screens. ``peak_ma`` tells the largest current of the last whole stride, ``comfort_ma``
    the comfort maximum that was found today; None where they are not known.
    """

    def __init__(
        self,
        link: TuningLink,
        *,
        peak_ma: Callable[[], float | None],
        comfort_ma: Callable[[], float | None],
    ) -> None:
        self._link = link
        self._peak_ma = peak_ma
        self._comfort_ma = comfort_ma
        self._wanted: dict[str, float] = {}  # not in force yet
        self._by = ""
        self._undo = False
        self._done: list[dict[str, float]] = []  # what the taps taken have replaced, the newest last
        self._why = ""  # why the last tap came to nothing after all, in the controller's words
        self._news = asyncio.Event()

    # --- taps

    def tap(self, key: str, taps: int, by: str) -> Answer:
        """``taps`` steps more, or less; the last tap before the most or the least allowed ends there."""
        told = self._link.now
        if told is None:
            return Answer("no_controller")
        if key not in STEP:
            return Answer("no_setting")
        if not 0 < len(by) <= BY_MAX:
            return Answer("unsigned")
        present, bound = self._wanted.get(key, told.values[key]), bound_of(key, told, self._comfort_ma())
        wanted = present + taps * STEP[key]
        if taps > 0:
            if present >= bound.most:
                return Answer("most", bound)
            if key == ASSIST and (at := self._at_ceiling(told)) is not None:
                return Answer("ceiling", at)
            wanted = min(wanted, bound.most)
        else:
            least = told.allowed[key].low
            if present <= least:
                return Answer("least")
            wanted = max(wanted, least)
        self._by = self._signed(by)
        self._wanted[key], self._why = wanted, ""
        self._news.set()
        return Answer()

    def _signed(self, by: str) -> str:
        """Everybody whose taps go with the next change: two screens may tap at once."""
        together = " + ".join(dict.fromkeys([*self._by.split(" + "), by])) if self._wanted else by
        return together if len(together) <= BY_MAX else by

    def _at_ceiling(self, told: Told) -> Bound | None:
        """What binds, where the last stride has had the largest current already: more would ask in vain."""
        peak_ma, bound = self._peak_ma(), bound_of(CURRENT, told, self._comfort_ma())
        most_ma = min(bound.most, told.params.pulse.current_max_ma)
        at = peak_ma is not None and peak_ma > most_ma - told.params.pulse.current_step_ma
        return bound if at else None

    def undo(self, by: str) -> Answer:
        """Take the last tap back, and with the next press the one before it."""
        if not 0 < len(by) <= BY_MAX:
            return Answer("unsigned")
        if not self._done and not self._wanted:
            return Answer("nothing")
        self._undo, self._by, self._why = True, by, ""
        self._news.set()
        return Answer()

    # --- towards the controller

    async def run(self) -> None:
        """Until cancelled: what was tapped becomes a change, one at a time."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._wanted or self._undo:
                if not await self._send():
                    await asyncio.sleep(AGAIN_S)

    async def _send(self) -> bool:
        """One change, or one taken back; False where it has to be tried again."""
        told = self._link.now
        undo = self._undo and not self._wanted
        changes = dict(self._done[-1]) if undo and self._done else dict(self._wanted)
        if told is None or not changes:
            self._give_up("" if told is not None else "no controller")
            return True
        if told.waiting:
            return False
        before = {key: told.values[key] for key in changes}
        reason = REASON_UNDO if undo else REASON_TAP
        kind: Literal["change", "undo"] = "undo" if undo else "change"
        why = await self._link.wish(Wish(told.version, changes, self._by, reason, time.time_ns(), kind))
        if why.partition(":")[0] in ("stale", "busy"):
            return False  # somebody else's change came first: from the settings that hold then
        if why and why != "nothing changed":
            self._give_up(why)
            return True
        if undo:
            self._undo = False
            self._done.pop()
        else:
            self._done.append(before)
            self._wanted = {key: value for key, value in self._wanted.items() if changes.get(key) != value}
        return True

    def _give_up(self, why: str) -> None:
        self._wanted, self._undo, self._why = {}, False, why

    # --- what the page shows

    def told(self) -> Json | None:
        """Strength and hold after landing as they are, and as they will be; None where nothing is steered."""
        told = self._link.now
        if told is None or told.walk.mode not in MAIN:
            return None
        key = MAIN[told.walk.mode]
        return {
            "main": self._row(key, told),
            "hold": self._row(EXTENSION, told),
            "can_undo": bool(self._done or self._wanted),
            "why": self._why.partition(":")[0],
        }

    def _row(self, key: str, told: Told) -> Json:
        bound = bound_of(key, told, self._comfort_ma())
        return {
            "key": key,
            "now": told.values[key],
            "wanted": self._wanted.get(key),
            "most": bound.most,
            "limit": bound.limit,
            "who": bound.who,
        }
