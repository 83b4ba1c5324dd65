"""The consoles that are connected to the controller process: what they ask for, and what they are told.

Promises one message a turn of the loop at most, so that a console that talks without end delays no tick.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from controller.config.tunables import values
from controller.core.core import Core
from controller.ipc import bus
from controller.record.records import Audit
from controller.runtime.console_messages import Asked, Told
from controller.runtime.test_trains import ProbeTold, Probing
from controller.runtime.tuning import Tuning

TELL_NS = 500_000_000  # what changes by itself: sensors' findings
log = logging.getLogger("dorsi.controller")


class Consoles(ABC):
    """Accepts consoles on the bus; a therapy's own class says what they may ask and what they are told."""

    def __init__(self, rig: Path) -> None:
        self._server = bus.listen(rig, "controller")
        self._peers: dict[int, tuple[socket.socket, bus.Sender]] = {}
        self._told_ns = 0

    @abstractmethod
    def take(self, message: bytes) -> None:
        """One message. Raises msgspec.DecodeError where it cannot be read."""

    @abstractmethod
    def told(self, now_ns: int) -> bytes:
        """What every console is told now."""

    def open(self) -> None:
        asyncio.get_running_loop().add_reader(self._server, self._accept)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._server)
        self._server.close()
        for sock, _ in tuple(self._peers.values()):
            self._forget(sock)

    def after_tick(self, now_ns: int, *, urgent: bool = False) -> None:
        """Tell what is new: at once where it answers a person, else twice a second."""
        if self._peers and (urgent or now_ns - self._told_ns > TELL_NS):
            self._told_ns = now_ns
            message = self.told(now_ns)
            for _, sender in self._peers.values():
                sender.send(message)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._server.accept()
            sock.setblocking(False)
            self._peers[sock.fileno()] = (sock, bus.Sender(sock))
            asyncio.get_running_loop().add_reader(sock, self._hear, sock)
            self._told_ns = 0

    def _forget(self, sock: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(sock)
        del self._peers[sock.fileno()]
        sock.close()

    def _hear(self, sock: socket.socket) -> None:
        message = bus.receive(sock)
        if message is None:
            self._forget(sock)
        elif message:
            try:
                self.take(message)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                log.error("unreadable message of a console: %s", error)
                return
            self._told_ns = 0  # an answer is due


class GaitConsoles(Consoles):
    """Joins consoles to tuning and test trains."""

    def __init__(self, rig: Path, tuning: Tuning, probing: Probing, core: Core) -> None:
        super().__init__(rig)
        self._tuning = tuning
        self._probing = probing
        self._core = core
        self._probe_told: ProbeTold | None = None
        self._refused: list[Audit] = []

    def refused(self) -> list[Audit]:
        """The wishes refused since the last call, to be recorded."""
        found, self._refused = self._refused, []
        return found

    def after_tick(self, now_ns: int, *, urgent: bool = False) -> None:
        if self._peers:
            probe = self._probing.told(self._tuning.params, self._core.output.test_train)
            super().after_tick(now_ns, urgent=urgent or probe != self._probe_told)

    def take(self, message: bytes) -> None:
        asked = msgspec.json.decode(message, type=Asked)
        if asked.probe is not None:
            self._probing.ask(asked.probe, self._tuning.params, self._core.output.test_train)
        if asked.wish is not None:
            refused = self._tuning.ask(time.monotonic_ns(), asked.wish)
            if refused is not None:
                self._refused.append(refused)

    def told(self, now_ns: int) -> bytes:
        gait, tuning = self._core.gait, self._tuning
        self._probe_told = self._probing.told(tuning.params, self._core.output.test_train)
        return msgspec.json.encode(
            Told(
                version=tuning.version,
                waiting=tuning.waiting,
                values=values(tuning.params),
                allowed=tuning.allowed,
                params=tuning.params,
                trail=tuning.trail,
                probe=self._probe_told,
                walking=gait.detector.walking(now_ns),
                found=tuple(name for name, o in gait.orientations.items() if o.aligned),
                findings=tuple(finding.text for finding in gait.detector.findings()),
            )
        )
