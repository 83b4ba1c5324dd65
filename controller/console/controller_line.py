"""The console's line to the controller process: what it told last, kept up across its restarts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from controller.ipc import bus

RECONNECT_S = 0.2
Told = TypeVar("Told")


class ControllerLine(Generic[Told]):
    """``now`` is what the controller told last; None while there is no controller."""

    def __init__(self, rig: Path, told: type[Told]) -> None:
        self._rig = rig
        self.on_told: Callable[[], None] = lambda: None
        self._sock: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._decoder = msgspec.json.Decoder(told)
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
