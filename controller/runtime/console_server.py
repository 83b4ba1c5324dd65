"""The consoles that are connected to the controller process: what they ask for, and what they are told.

Promises one message a turn of the loop at most, so that a console that talks without end delays no tick.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

import msgspec

from controller.config.tunables import values
from controller.core.core import Core
from controller.ipc import bus
from controller.record.records import Audit
from controller.runtime.console_messages import Asked, PauseWish, Told, WalkTold
from controller.runtime.test_trains import ProbeTold, Probing
from controller.runtime.tuning import BY_MAX, Tuning
from controller.trial.course import Course

TELL_NS = 500_000_000  # what changes by itself: sensors' findings
PAUSED, GOES_ON = "stimulation paused", "stimulation goes on"
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

    def __init__(self, rig: Path, tuning: Tuning, probing: Probing, core: Core, course: Course) -> None:
        super().__init__(rig)
        self._course = course
        self._tuning = tuning
        self._probing = probing
        self._core = core
        self._probe_told: ProbeTold | None = None
        self._entries: list[Audit] = []
        self._walk_told: WalkTold | None = None

    def entries(self) -> list[Audit]:
        """Wishes refused and pauses since the last call, to be recorded."""
        found, self._entries = self._entries, []
        return found

    def after_tick(self, now_ns: int, *, urgent: bool = False) -> None:
        if self._peers:
            probe = self._probing.told(self._tuning.params, self._core.output.test_train)
            walk = self._walk(now_ns)
            news = probe != self._probe_told or walk != self._walk_told
            super().after_tick(now_ns, urgent=urgent or news)

    def take(self, message: bytes) -> None:
        asked = msgspec.json.decode(message, type=Asked)
        if asked.probe is not None:
            self._probing.ask(asked.probe, self._tuning.params, self._core.output.test_train)
        if asked.wish is not None:
            refused = self._tuning.ask(time.monotonic_ns(), asked.wish)
            if refused is not None:
                self._entries.append(refused)
        if asked.pause is not None:
            self._entries.append(self._pause(asked.pause))

    def _pause(self, wish: PauseWish) -> Audit:
        why = self._course.pause(paused=wish.paused)
        entry = Audit(
            t_ns=time.monotonic_ns(),
            utc_ns=wish.utc_ns,
            kind="refused" if why else "setup",
            by=wish.by[:BY_MAX],
            reason="",
            version=self._tuning.version,
            text=why or (PAUSED if wish.paused else GOES_ON),
        )
        self._tuning.note(entry)
        return entry

    def _walk(self, now_ns: int) -> WalkTold:
        course, core = self._course, self._core
        progress = course.schedule.progress(now_ns, core.gait.clock.strides) if course.arms else None
        if progress is not None and progress.seconds is not None:  # told anew each second, not each tick
            progress = replace(progress, seconds=math.ceil(progress.seconds))
        resting = course.paused and core.mode == "off" and not core.switching
        return WalkTold(course.arm.mode, course.paused, resting, progress)

    def told(self, now_ns: int) -> bytes:
        gait, tuning = self._core.gait, self._tuning
        self._probe_told = self._probing.told(tuning.params, self._core.output.test_train)
        self._walk_told = self._walk(now_ns)
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
                walk=self._walk_told,
            )
        )
