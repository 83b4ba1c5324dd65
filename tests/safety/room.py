"""A guard in the test's own process: real sockets, a real pseudo-terminal, and a clock wound by hand."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from controller.ipc import bus
from controller.safety.guard import Guard
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import prepare
from controller.safety.judgement.wire import (
    BadFrame,
    Frame,
    SensorStamp,
    Verdict,
    decode_verdict,
    encode_frame,
    encode_stamp,
)
from controller.safety.settings import parse
from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.rehastim2 import EmulatedRehaStim2
from drivers.emulated.serial_peer import PulsePoints, SerialPeer
from drivers.interface import ChannelCommand
from drivers.stimulators.p24 import P24
from drivers.stimulators.pulse_line import PulseLine
from tests.safety.rig import SESSION, START_NS, raw_settings

Answer = dict[str, Any]  # Any: JSON
ANSWER_S = 10.0  # real time; what the test waits for has happened already, on another thread


class OnThread(SerialPeer):
    """An emulated stimulator, working on a thread of its own; its clock is ``clock``."""

    pulses: list[tuple[int, PulsePoints]]
    given: list[int]  # when each was, in ns of ``clock``

    def _begin(self) -> None:
        self.pulses, self.given = [], []
        self._on_pulse = self._given
        self._hung_up = False
        self._working = threading.Lock()
        self._stalled = False
        self._wake_r, self._wake_w = os.pipe()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _given(self, t_ns: int, channel: int, points: PulsePoints) -> None:
        self.pulses.append((channel, points))
        self.given.append(t_ns)

    @property
    def is_stalled(self) -> bool:
        """Whether it neither reads nor answers: within :meth:`stalled`."""
        return self._stalled

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        with self._working:
            self._stalled = True
            yield
            self._stalled = False

    def let_in_now(self) -> None:
        """From here on a second program may open the port."""
        self.let_in = True
        with self._working:
            self.service()

    def _work(self) -> None:
        poller = select.poll()
        for fd in (self.fileno(), self._wake_r):
            poller.register(fd, select.POLLIN)
        while not self._hung_up:
            poller.poll()
            with self._working:
                self.service()

    def hang_up(self) -> None:
        """The cable is pulled; idempotent."""
        if self._hung_up:
            return
        self._hung_up = True
        os.write(self._wake_w, b".")
        self._thread.join()
        self.vanish()
        for fd in (self._wake_r, self._wake_w):
            os.close(fd)


class Served(OnThread, EmulatedP24):
    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock=clock)
        self._begin()


class ServedRehaStim2(OnThread, EmulatedRehaStim2):
    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock=clock)
        self._begin()


class Room:
    """Everybody a guard deals with; :meth:`round` is one turn of its loop, after ``ms`` of its time."""

    def __init__(self, rig: Path, *, button: Path | None = None, **changes: Any) -> None:  # Any: JSON
        self.rig = rig
        self.now_ns = START_NS
        self.slept_ns = 0
        self.seq = 0
        self.rate_hz = 40.0
        self.device = self.make_device()
        changes = {"stimulator": {"device": "hasomed-p24", "port": self.device.port}} | changes
        if button is not None:
            changes["stop_button"] = str(button)
        self.stimulator = self.make_driver(changes["stimulator"]["port"])
        self.setup = prepare(parse(raw_settings(**changes), "test"), self.stimulator.capability)
        self.server = bus.listen(rig, "recorder")
        self.guard = Guard(
            rig,
            self.setup,
            self.stimulator,
            clock=lambda: self.now_ns,
            boot_clock=lambda: self.now_ns + self.slept_ns,
        )
        self._ended = False
        self._closed = False
        self.wake_r, self.wake_w = socket.socketpair()
        self.wake_r.setblocking(False)
        self.guard._poller.register(self.wake_r, select.POLLIN)
        self.peers: list[socket.socket] = []
        self.recorder: socket.socket | None = None
        self.recorder_reads = True
        self.records: list[tuple[str, Answer]] = []
        self.controller: socket.socket | None = None
        self.operator: socket.socket | None = None

    def make_device(self) -> Served | ServedRehaStim2:
        return Served(lambda: self.now_ns)

    def make_driver(self, port: str) -> PulseLine:
        return P24(port, clock=lambda: self.now_ns)

    @property
    def stage(self) -> str:
        return self.guard.known.state.stage.value

    @property
    def fault(self) -> str | None:
        return self.guard.known.state.fault

    def round(self, ms: float = 0.0) -> None:
        self.now_ns += round(ms * MS)
        self.wake_w.send(b".")  # so that it does not wait for what does not come
        self.guard._round(self.wake_r)
        if self.recorder_reads and self.recorder is not None:
            self.listen()

    def run(self, *, orphaned: bool = True) -> None:
        """The guard's whole loop as its process runs it, with a parent that is gone already or a SIGTERM."""
        handlers = {
            number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        wakeup_fd = signal.set_wakeup_fd(-1)
        if orphaned:
            self.guard._parent = 0
        else:
            self.guard._signals.append(signal.SIGTERM)
        self.guard._poller.unregister(self.wake_r)
        self._ended = True
        try:
            self.guard.run()
        finally:
            signal.set_wakeup_fd(wakeup_fd)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def join(self, hello: Answer | None) -> socket.socket:
        peer = bus.connect(self.rig, "guard")
        self.peers.append(peer)
        if hello is not None:
            peer.send(json.dumps(hello).encode())
        self.round()  # taken
        self.round()  # heard
        return peer

    def complete(self) -> Room:
        """Recorder, operator, controller and stimulator are there."""
        self.round()
        self.listen()
        self.operator = self.join({"role": "operator", "name": "tester"})
        self.controller = self.join({"role": "controller"})
        return self

    def tick(self, current_ma: float | None = None, *, ms: float = 5.0, sampled: bool = True) -> None:
        """Time passes, a sample and a frame arrive; the stimulator has answered what the frame gave."""
        assert self.controller is not None
        self.seq += 1
        now_ns = self.now_ns + round(ms * MS)
        if sampled:
            self.controller.send(encode_stamp(SensorStamp(SESSION, "foot", now_ns, self.seq, True)))
        channel = None if current_ma is None else ChannelCommand(current_ma, 300.0, self.rate_hz)
        self.controller.send(encode_frame(Frame(SESSION, self.seq, now_ns, 60.0, (channel,))))
        waiting = len(self.stimulator._asked)
        self.round(ms)
        if len(self.stimulator._asked) > waiting and not self.device.is_stalled:
            self.answered()

    def answered(self) -> None:
        """The guard has heard the stimulator's answers to all that it sent."""
        while self.stimulator._asked and select.select([self.stimulator.fileno()], [], [], ANSWER_S)[0]:
            self.guard._line.hear()

    def arm(self) -> Room:
        self.complete()
        self.tick()
        assert self.ask("arm")["ok"]
        for _ in range(200):  # the electrodes' contact is tested first, where the device can tell
            if self.stage == "armed":
                return self
            self.tick()
        raise AssertionError(self.events())

    def walk(self, current_ma: float = 20.0) -> Room:
        """Armed and stimulating."""
        self.arm()
        return self.walk_on(current_ma)

    def walk_on(self, current_ma: float = 20.0) -> Room:
        for _ in range(60):
            self.tick(current_ma)
        assert self.stage == "active", self.events()
        return self

    def ask(self, op: str, **more: object) -> Answer:
        assert self.operator is not None
        self.heard(self.operator)
        self.operator.send(json.dumps({"op": op, **more}).encode())
        self.round()
        return next(word for word in self.heard(self.operator) if word.get("reply") == op)

    def heard(self, peer: socket.socket) -> list[Answer]:
        """What the guard has said to ``peer``; ``{"closed": True}`` where it hung up."""
        words: list[Answer] = []
        while data := bus.receive(peer):
            words.append(json.loads(data))
        return [*words, {"closed": True}] if data is None else words

    def verdicts(self) -> list[Verdict]:
        assert self.controller is not None
        found = []
        while data := bus.receive(self.controller):
            verdict = decode_verdict(data)
            if not isinstance(verdict, BadFrame):
                found.append(verdict)
        return found

    def listen(self) -> None:
        """The recorder takes what has come."""
        if self.recorder is None:
            self.recorder, _ = self.server.accept()
            self.recorder.setblocking(False)
        while data := bus.receive(self.recorder):
            topic, _, payload = bus.unpack_record(data)
            self.records.append((topic, json.loads(payload)))

    def events(self, kind: str = "") -> list[Answer]:
        self.listen()
        return [
            data
            for topic, data in self.records
            if topic == "guard/event" and (not kind or data["kind"] == kind)
        ]

    def close(self) -> None:
        """Idempotent; what the guard has not handed over to the recorder yet is lost."""
        if self._closed:
            return
        self._closed = True
        self.device.hang_up()
        if self.recorder is not None:
            self.recorder.close()
        self.server.close()  # now the guard waits for no recorder
        if not self._ended:
            self.guard._end()
        for sock in (*self.peers, self.wake_r, self.wake_w):
            sock.close()


MakeRoom = Callable[..., Room]
