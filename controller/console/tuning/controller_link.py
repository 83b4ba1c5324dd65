"""What the console asks of the controller process in gait assist: changes of settings, test trains.

Promises an answer to every wish: taken, refused, or not heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import msgspec

from controller.console.controller_line import ControllerLine
from controller.runtime.console_messages import Asked, PauseWish, Told
from controller.runtime.test_trains import ProbeWish
from controller.runtime.tuning import Wish

POLL_S = 0.2
ANSWER_S = 1.0  # the controller answers within a tick or two
APPLIED_S = 6.0  # a stride with its window takes less; where nobody walks it is at once


class TuningLink(ControllerLine[Told]):
    """The settings in force, and wishes to change them."""

    def __init__(self, rig: Path) -> None:
        super().__init__(rig, Told)

    async def wish(self, wish: Wish) -> str:
        """Ask for a change and wait until it holds. Empty where it does, else why not, in the log's words."""
        if self._sender is None or self.now is None:
            return "no controller"
        version, since_ns = self.now.version, self._newest_ns(self.now)
        self._sender.send(msgspec.json.encode(Asked(wish=wish)))
        loop = asyncio.get_running_loop()
        deadline, heard = loop.time() + ANSWER_S, False
        while loop.time() < deadline:
            self._news.clear()
            told = self.now
            if told is None:
                return "no controller"
            if told.version > version and not told.waiting:
                return ""
            if told.waiting and not heard:
                heard, deadline = True, loop.time() + APPLIED_S
            if told.trail and told.trail[-1].kind == "refused" and told.trail[-1].t_ns > since_ns:
                return told.trail[-1].text
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()
        return "waiting" if heard else "unanswered"

    async def pause(self, *, paused: bool, by: str) -> str:
        """Ask for a pause, or to go on, and wait until it is taken. Empty where it is, else why not."""
        if self._sender is None or self.now is None:
            return "no controller"
        since_ns = self._newest_ns(self.now)
        self._sender.send(msgspec.json.encode(Asked(pause=PauseWish(paused, by, time.time_ns()))))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ANSWER_S
        while loop.time() < deadline:
            self._news.clear()
            told = self.now
            if told is None:
                return "no controller"
            if told.walk.paused == paused:
                return ""
            if told.trail and told.trail[-1].kind == "refused" and told.trail[-1].t_ns > since_ns:
                return told.trail[-1].text
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()
        return "unanswered"

    def probe(self, wish: ProbeWish) -> bool:
        """Ask for one test train, or for its end; whether there was somebody to ask."""
        if self._sender is None:
            return False
        return self._sender.send(msgspec.json.encode(Asked(probe=wish)))

    @staticmethod
    def _newest_ns(told: Told) -> int:
        return told.trail[-1].t_ns if told.trail else 0
