"""The guard process: sole owner of the stimulator, it lets out what the judge lets through and nothing else.

It never waits while pulses may leave, reads STOP before anything else, and gives a pulse only as the
by-product of a frame that has just been judged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from controller.errors import InputError
from controller.ipc import process
from controller.safety.guard_journal import (
    TAKES_S,
    GuardJournal,
    Payload,
    event_record,
    setup_record,
    verdict_record,
)
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Happening,
    Note,
    Peer,
    PulseLeft,
    Reaction,
    RecorderTook,
    Request,
    Setup,
    Timer,
    Trouble,
    begin,
    prepare,
)
from controller.safety.judgement.leg_motion import MEASURED
from controller.safety.judgement.liveness import deadline_ns
from controller.safety.judgement.pulse_schedule import PulseOrder
from controller.safety.judgement.states import Stage
from controller.safety.judgement.wire import (
    KIND_STAMP,
    BadFrame,
    Frame,
    PulseTold,
    decode_frame,
    decode_stamp,
    encode_pulse,
    encode_verdict,
)
from controller.safety.kept_state import KeptState
from controller.safety.operator_link import OperatorLink, stage_of, words
from controller.safety.settings import GuardConfig, load
from controller.safety.stimulator_line import StimulatorLine
from controller.safety.stop_button import StopButton
from drivers.catalogue import STIMULATORS
from drivers.interface import Stimulator, StimulatorNotice

__all__ = ["Guard", "GuardConfig", "load", "main"]

IDLE_MS = 100.0  # nothing can leave: wake this often to reconnect
WATCH_MS = 20.0  # pulses may leave: look at the stimulator's answers at least this often
RETRY_NS = 500_000_000  # between two tries to reach the recorder or to open the stimulator
ORPHANED = signal.SIGHUP  # the parent or its terminal is gone: no STOP that a person pressed
SUSPEND_NS = 500_000_000  # F15


def _since_boot_ns() -> int:
    """Unlike CLOCK_MONOTONIC, goes on while the computer sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Guard:
    """Sockets, stimulator and clock around :func:`controller.safety.judgement.guard_step.react`."""

    def __init__(
        self,
        rig: Path,
        setup: Setup,
        stimulator: Stimulator,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        boot_clock: Callable[[], int] = _since_boot_ns,
    ) -> None:
        self.now_ns = clock
        self._boot_clock = boot_clock
        self._setup = setup
        self._kept = KeptState(setup.config, rig, clock(), boot_clock())
        self.known = begin(setup)._replace(clocks=self._kept.clocks)
        self._button: StopButton | None = None
        self._poller = select.poll()
        self._line = StimulatorLine(stimulator, self._poller, self)
        self._peers = OperatorLink(rig, self._poller, self)
        self._journal = GuardJournal(rig)
        self._retry_ns = 0
        self._ended = False
        self._parent = os.getppid()
        self._signals: list[int] = []
        self._asleep_ns = self._suspended_ns()

    @property
    def setup_now(self) -> Setup:
        """With the limits as a person has lowered them since the start."""
        return self.known.tightened or self._setup

    @property
    def measured(self) -> bool:
        """Whether a stride without current is known, that the others are held against."""
        return self.known.plausibility.measured

    # --- the loop ---

    def run(self) -> None:
        """Until SIGTERM, or until the process that started it is gone."""
        wake_r, wake_w = socket.socketpair()
        for end in (wake_r, wake_w):
            end.setblocking(False)
        self._poller.register(wake_r, select.POLLIN)
        signal.set_wakeup_fd(wake_w.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, ORPHANED):
            signal.signal(number, lambda caught, _frame: self._signals.append(caught))
        if crash := self._kept.crash([channel.name for channel in self._setup.config.channels]):
            self.feed(Trouble("F16", crash))
        try:
            while not self._ended:
                self._round(wake_r)
            self._kept.keep_in_flight(
                self.known.state, sync=True, ended=True
            )  # in order; after an exception it stays, for F16
        finally:
            self._end()
            signal.set_wakeup_fd(-1)
            for end in (wake_r, wake_w):
                end.close()

    def _round(self, wake: socket.socket) -> None:
        ready = {fd for fd, _ in self._poller.poll(self._wait_ms())}
        self.notice_sleep()  # before anything that came before it is judged
        if wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                wake.recv(64)
        if ORPHANED in self._signals or os.getppid() != self._parent:
            self._kept.leave_unseen(self.known.state, self.now_ns())
            self.feed(Trouble("F10", "the program that started the guard is gone"))
            self._ended = True
        self._obey_signals()
        self._obey_button()
        self._peers.hear(ready)
        if self._journal.sock is not None and self._journal.sock.fileno() in ready:
            self._hear_recorder(self._journal.sock)
        self._line.hear()
        self.feed(Timer())
        if self.known.state.may_pulse and self._kept.rest_due(self.now_ns()):
            self._keep_rest(self.now_ns())
        self._tell_disk()
        if not self.known.state.may_pulse:
            self._make_ready()

    def _wait_ms(self) -> float:
        due_ns = deadline_ns(self.setup_now, self.known)
        if due_ns is None:
            return IDLE_MS
        return min(WATCH_MS, max(0.0, (due_ns - self.now_ns()) / 1e6))

    def _suspended_ns(self) -> int:
        """Time this computer has slept since it started; too short where the guard is held up between."""
        return self._boot_clock() - self.now_ns()

    def notice_sleep(self) -> bool:
        """F15. Also between two looks at a frame: its age by CLOCK_MONOTONIC knows of no sleep."""
        slept_ns = self._suspended_ns() - self._asleep_ns
        self._asleep_ns += max(0, slept_ns)
        if slept_ns <= SUSPEND_NS or not self.known.state.may_pulse:
            return False
        self.feed(Trouble("F15", f"{slept_ns / 1e9:.1f} s"))
        return True

    def _obey_signals(self) -> None:
        while self._signals:
            caught = self._signals.pop()
            if caught == ORPHANED:
                continue
            self._ended = self._ended or caught == signal.SIGTERM
            if self.known.state.may_pulse or caught == signal.SIGINT:
                self.feed(Request("stop", signal.Signals(caught).name))

    def _obey_button(self) -> None:
        if self._button is None:
            return
        pressed = self._button.pressed()
        if pressed:
            self.feed(Request("stop", "STOP button"))
        elif pressed is None:
            self._poller.unregister(self._button)
            self._button.close()
            self._button = None
            self.feed(Peer("button", False))

    def _end(self) -> None:
        self._line.close()
        self._kept.close()
        self._tell_disk()
        self._peers.close()
        self._journal.close(TAKES_S)

    def _keep_rest(self, now_ns: int) -> None:
        self._kept.keep_rest(now_ns, self._boot_clock(), self.known.clocks)

    def _tell_disk(self) -> None:
        for trouble in self._kept.troubles():
            self.tell(Note("warning", trouble))

    # --- things that are only done while nothing may leave ---

    def _make_ready(self) -> None:
        """Reach recorder, STOP button and stimulator; this may take a moment, so never while armed."""
        now_ns = self.now_ns()
        if now_ns - self._retry_ns < RETRY_NS:
            return
        self._retry_ns = now_ns
        if (sock := self._journal.connect()) is not None:
            self._poller.register(sock, select.POLLIN)
            self.feed(Peer("recorder", True))
            self._record("guard/setup", now_ns, setup_record(now_ns, self.setup_now))
            for event in self._journal.untold():  # after what they were judged by
                self._record("guard/event", now_ns, event)
        path = self._setup.config.stop_button
        if path is not None and self._button is None:
            with contextlib.suppress(OSError):
                self._button = StopButton(Path(path))
                self._poller.register(self._button, select.POLLIN)
                self.feed(Peer("button", True))
        if not self.known.link and self.known.state.stage is Stage.OFF:
            self._line.open()

    # --- peers ---

    def hear_controller(self, data: bytes) -> bytes | None:
        """Its verdict's bytes, where ``data`` was a frame."""
        if data[0] == KIND_STAMP:
            stamp = decode_stamp(data)
            if not isinstance(stamp, BadFrame) and stamp.session == self._setup.config.session:
                self.feed(stamp)
            return None
        frame = decode_frame(data)
        verdict = self.feed(frame).verdict
        return encode_verdict(verdict) if verdict is not None and isinstance(frame, Frame) else None

    def _hear_recorder(self, sock: socket.socket) -> None:
        failed = self._journal.failed()
        if failed is None:
            self._poller.unregister(sock)
            self._journal.close()
        if failed is not False:
            self.feed(Peer("recorder", False))

    # --- what happened goes in, what is to be done comes out ---

    def feed(self, happening: Happening) -> Reaction:
        """What is done about it is done when this returns, and told to recorder and operators."""
        before, state_before, measured = stage_of(self), self.known.state, self.measured
        now_ns = self.now_ns()
        reaction, self.known = react(now_ns, happening, self._setup, self.known)
        if reaction.stop:
            self._line.silence()
        made_ns = reaction.verdict.t_ns if reaction.verdict else now_ns
        sent, left_out = self._line.send(reaction.pulses, made_ns)
        if reaction.verdict is not None:
            record = verdict_record(now_ns, reaction, reaction.verdict, self._setup, self.known)
            purpose = happening.purpose if isinstance(happening, Frame) else ""
            given = {"pulses": sent, "left_out": left_out, "purpose": purpose}
            self._record("guard/verdict", now_ns, record | given)
            self._kept.given(self.known.state, reaction.verdict.channels)
        for note in reaction.notes:
            self.tell(note)
        if stage_of(self) != before:
            self._peers.push_all(words(reaction), next((note.by for note in reaction.notes), ""))
            self._kept.moved(state_before, self.known.state, now_ns)
            self._keep_rest(now_ns)
        if self.measured != measured:
            self._peers.push_all(MEASURED)
        return reaction

    def left(self, written_ns: int, pulse: PulseOrder) -> None:
        """A pulse has been written; nothing is to be done about it but to tell the controller when."""
        happening = PulseLeft(pulse.channel, pulse.current_ma)
        _, self.known = react(written_ns, happening, self._setup, self.known)
        told = PulseTold(pulse.channel, written_ns, pulse.current_ma, pulse.width_us, pulse.cycles)
        self._peers.tell_controller(encode_pulse(told))

    def delivered(self, notice: StimulatorNotice) -> None:
        """What the device measured of a pulse is recorded beside what was asked of it."""
        outputs = [channel.output for channel in self._setup.config.channels]
        if notice.measured is not None and notice.channel in outputs:
            record = {"t_ns": notice.t_ns, "channel": outputs.index(notice.channel)}
            self._record("guard/delivered", notice.t_ns, record | asdict(notice.measured))

    def tell(self, note: Note) -> None:
        now_ns = self.now_ns()
        self._record("guard/event", now_ns, event_record(now_ns, note, self.known))

    def _record(self, topic: str, t_ns: int, payload: Payload) -> None:
        took = self._journal.write(topic, t_ns, payload)
        if took is not None and took != (self.known.refused_ns is None):
            _, self.known = react(t_ns, RecorderTook(took), self._setup, self.known)


def make_stimulator(config: GuardConfig, source: str) -> Stimulator:
    """The driver the file names. Raises InputError on a device this guard has no driver for."""
    device = STIMULATORS.get(config.stimulator_device)
    if device is None:
        raise InputError(source, "stimulator.device", config.stimulator_device, ", ".join(STIMULATORS))
    measure = config.stimulator_measure
    if measure is not None and measure not in device.capability.measures:
        allowed = " | ".join(map(repr, device.capability.measures)) or "nothing: it measures no pulse"
        raise InputError(source, "stimulator.measure", measure, allowed)
    return device.open(config.stimulator_port, measure)


def main() -> None:
    """``python -m controller.safety.guard --rig DIR --limits FILE``."""
    parser = argparse.ArgumentParser(description="The guard: judges every command, owns the stimulator.")
    parser.add_argument("--rig", type=Path, required=True, help="directory of the session's sockets")
    parser.add_argument(
        "--limits", type=Path, required=True, help="JSON file with session, limits, checklist"
    )
    arguments = parser.parse_args()
    process.begin("dorsi-guard", ORPHANED)
    source = str(arguments.limits)
    try:
        config = load(arguments.limits)
        stimulator = make_stimulator(config, source)
        setup = prepare(config, stimulator.capability, source)
        guard = Guard(arguments.rig, setup, stimulator)
    except InputError as error:
        raise SystemExit(f"dorsi-guard: {error}") from None
    process.go_real_time(process.GUARD_PRIORITY)
    process.quiet_garbage_collector()
    guard.run()


if __name__ == "__main__":
    main()
