"""The consoles that are connected to the controller process: what they ask for, and what they are told.

Promises one message a turn of the loop at most, so that a console that talks without end delays no tick.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
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


class Consoles:
    """Accepts consoles on the bus, and joins them to tuning and test trains."""

    def __init__(self, rig: Path, tuning: Tuning, probing: Probing, core: Core) -> None:
        self._server = bus.listen(rig, "controller")
        self._peers: dict[int, tuple[socket.socket, bus.Sender]] = {}
        self._tuning = tuning
        self._probing = probing
        self._core = core
        self._told_ns = 0
        self._probe_told: ProbeTold | None = None
        self._refused: list[Audit] = []

    def open(self) -> None:
        asyncio.get_running_loop().add_reader(self._server, self._accept)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._server)
        self._server.close()
        for sock, _ in tuple(self._peers.values()):
            self._forget(sock)

    def refused(self) -> list[Audit]:
        """The wishes refused since the last call, to be recorded."""
        found, self._refused = self._refused, []
        return found

    def after_tick(self, now_ns: int, *, retuned: bool) -> None:
        """Tell what is new: at once where it answers a person, else twice a second."""
        if not self._peers:
            return
        probe = self._probing.told(self._tuning.params, self._core.output.test_train)
        if retuned or probe != self._probe_told or now_ns - self._told_ns > TELL_NS:
            self._tell(now_ns)

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
                asked = msgspec.json.decode(message, type=Asked)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                log.error("unreadable message of a console: %s", error)
                return
            self._take(asked)

    def _take(self, asked: Asked) -> None:
        self._told_ns = 0  # an answer is due
        if asked.probe is not None:
            self._probing.ask(asked.probe, self._tuning.params, self._core.output.test_train)
        if asked.wish is not None:
            refused = self._tuning.ask(time.monotonic_ns(), asked.wish)
            if refused is not None:
                self._refused.append(refused)

    def _tell(self, now_ns: int) -> None:
        self._told_ns = now_ns
        gait, tuning = self._core.gait, self._tuning
        self._probe_told = self._probing.told(tuning.params, self._core.output.test_train)
        told = Told(
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
        message = msgspec.json.encode(told)
        for _, sender in self._peers.values():
            sender.send(message)
