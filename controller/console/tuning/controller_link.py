"""The console's line to the controller process: the settings in force, and wishes to change them.

Promises to be connected again after each restart of the controller, and an answer to every wish: taken,
refused, or not heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from controller.ipc import bus
from controller.runtime.console_messages import Asked, Told
from controller.runtime.test_trains import ProbeWish
from controller.runtime.tuning import Wish

RECONNECT_S = 0.2
POLL_S = 0.2
ANSWER_S = 1.0  # the controller answers within a tick or two
APPLIED_S = 6.0  # a stride with its window takes less; where nobody walks it is at once


class TuningLink:
    """Holds what the controller told last; ``None`` while there is no controller."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig
        self.on_told: Callable[[], None] = lambda: None
        self._sock: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._decoder = msgspec.json.Decoder(Told)
        self._news = asyncio.Event()
        self.now: Told | None = None

    async def run(self) -> None:
        while True:
            if self._sock is None:
                with contextlib.suppress(TimeoutError, OSError):
                    self._sock = bus.connect(self._rig, "controller", timeout_s=0.0)
                    self._sender = bus.Sender(self._sock)
                    asyncio.get_running_loop().add_reader(self._sock.fileno(), self._hear)
            await asyncio.sleep(RECONNECT_S)

    def _hear(self) -> None:
        assert self._sock is not None
        while message := bus.receive(self._sock):
            with contextlib.suppress(msgspec.DecodeError):
                self.now = self._decoder.decode(message)
        if message is None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = self._sender = self.now = None
        self._news.set()
        self.on_told()

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

    def probe(self, current_ma: float) -> bool:
        """Ask for one test train, or with 0 for its end; whether there was somebody to ask."""
        if self._sender is None:
            return False
        return self._sender.send(msgspec.json.encode(Asked(probe=ProbeWish(current_ma))))

    @staticmethod
    def _newest_ns(told: Told) -> int:
        return told.trail[-1].t_ns if told.trail else 0
