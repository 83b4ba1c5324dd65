"""What the console asks of the controller process in a programme: pause, go on, skip, intensity.

One request at a time, so that each is held against what the one before has left: two quick taps are 2 mA.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Literal

import msgspec

from controller.console.controller_line import ControllerLine
from controller.core.signals import ExerciseRequest
from controller.runtime.exercise_console import ExerciseAsked, ExerciseTold, Refused

ANSWER_S = 1.0  # the controller answers within a tick or two
POLL_S = 0.2
TAP_MA = 1.0  # of the buttons beside the intensity
Unheard = Literal["no controller", "unanswered"]


class ExerciseLink(ControllerLine[ExerciseTold]):
    """Requests of all screens, each answered."""

    def __init__(self, rig: Path) -> None:
        super().__init__(rig, ExerciseTold)
        self._turn = asyncio.Lock()

    async def ask(self, request: ExerciseRequest, by: str) -> Refused | Unheard | None:
        """None where it was taken."""
        async with self._turn:
            return await self._ask(request, by)

    async def tap(self, muscle: str, taps: int, by: str) -> Refused | Unheard | None:
        """A muscle's intensity up or down by so many taps, from what is set now; the last tap before the
        most that is allowed, or zero, ends there.
        """
        async with self._turn:
            told = self.now
            if told is None:
                return "no controller"
            set_ma = next((m.set_ma for m in told.view.muscles if m.muscle == muscle), 0.0)
            most_ma = next((m.current_max_ma for m in told.params.muscles if m.muscle == muscle), set_ma)
            wanted_ma = max(0.0, set_ma + taps * TAP_MA)
            if set_ma < most_ma < wanted_ma:
                wanted_ma = most_ma
            return await self._ask(ExerciseRequest("intensity", muscle, wanted_ma), by)

    async def _ask(self, request: ExerciseRequest, by: str) -> Refused | Unheard | None:
        if self._sender is None or self.now is None:
            return "no controller"
        before = self.now.asked
        self._sender.send(msgspec.json.encode(ExerciseAsked(request, by, time.time_ns())))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ANSWER_S
        while loop.time() < deadline:
            self._news.clear()
            told = self.now
            if told is None:
                return "no controller"
            if told.asked > before:
                return told.refused
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()
        return "unanswered"
