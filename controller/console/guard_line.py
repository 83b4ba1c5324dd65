"""The door's connection to the guard: STOP, the beats of screens, and the heartbeat while the door is open.

Standard library alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from controller.ipc import bus
from controller.untrusted import read_object

ANSWER_S = 0.3  # the guard answers within milliseconds; beyond, the person is told that it did not
HEARTBEAT_S = 0.1  # the guard takes 500 ms without one as a lost console
RECONNECT_S = 0.05
OPEN_S = 1.5  # without a request that came through, the door counts as shut: then no heartbeat (F10)


class GuardLine:
    """The connection to the guard, kept up across the guard's restarts while the door itself is open."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig
        self._sock: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._asked: dict[str, deque[asyncio.Future[Mapping[str, object]]]] = {
            "stop": deque(),
            "screen": deque(),
        }
        self._heard_s = -OPEN_S
        self._proven_s = -OPEN_S

    async def keep(self) -> None:
        """Tell the guard that STOP can be pressed, while it can: the guard stops where that is lost (F10)."""
        beat_at_s = 0.0
        while True:
            now_s = time.monotonic()
            if now_s - self._proven_s > OPEN_S:
                if not any(self._asked.values()):
                    self._drop()
            elif self.reach() and self._sender is not None and now_s >= beat_at_s:
                beat_at_s = now_s + HEARTBEAT_S
                self._sender.send(b'{"op":"heartbeat"}')
            await asyncio.sleep(RECONNECT_S)

    def proven(self) -> None:
        """A request has come through the door just now."""
        self._proven_s = time.monotonic()

    @property
    def answers(self) -> bool:
        """Whether the guard has answered a moment ago."""
        return time.monotonic() - self._heard_s <= ANSWER_S + HEARTBEAT_S

    def reach(self) -> bool:
        """Connect where there is a guard and no connection."""
        if self._sock is not None:
            return True
        try:
            sock = bus.connect(self._rig, "guard", timeout_s=0.0)
        except (TimeoutError, OSError):
            return False
        self._sock, self._sender = sock, bus.Sender(sock)
        self._sender.send(json.dumps({"role": "operator", "name": "console STOP"}).encode())
        asyncio.get_running_loop().add_reader(sock.fileno(), self._hear)
        return True

    def _hear(self) -> None:
        assert self._sock is not None
        while message := bus.receive(self._sock):
            self._heard_s = time.monotonic()
            with contextlib.suppress(ValueError):
                word = read_object(message)
                if asked := self._asked.get(str(word.get("reply"))):
                    waiting = asked.popleft()  # answers come in the order of the questions
                    if not waiting.done():
                        waiting.set_result(word)
        if message is None:
            self._drop()

    def _drop(self) -> None:
        if self._sock is not None and self._sender is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sender.close()
        self._sock = self._sender = None
        self._heard_s = -OPEN_S
        for asked in self._asked.values():
            asked.clear()

    async def stop(self, by: str) -> str:
        """Tell the guard; returns ``stopped``, ``unanswered`` or ``no guard``."""
        return "stopped" if isinstance(answer := await self._ask("stop", by=by), Mapping) else answer

    async def screen(self, name: str) -> Mapping[str, object] | str:
        """A beat of this screen: the guard's answer, or why there is none."""
        return await self._ask("screen", screen=name)

    async def _ask(self, op: str, **more: str) -> Mapping[str, object] | str:
        message = json.dumps({"op": op, **more}).encode()
        for _ in range(2):  # the second time over a fresh connection: the guard may have been restarted
            if not self.reach() or self._sender is None:
                return "no guard"
            if self._sender.send(message):
                break
            self._drop()
        answer: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
        self._asked[op].append(answer)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            return "unanswered"
