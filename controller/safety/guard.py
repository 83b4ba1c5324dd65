"""The guard process: sole owner of the stimulator, it lets out what the judge lets through and nothing else.

It never waits while pulses may leave, reads STOP before anything else, and gives a pulse only as the
by-product of a frame that has just been judged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from controller.errors import InputError
from controller.ipc import bus, process
from controller.safety.judgement import electrode_test, in_force, on_time
from controller.safety.judgement.fault_reaction import ages
from controller.safety.judgement.frame_check import MS, RISE_SAVED_NS, TICK_NS
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Answer,
    Checklist,
    Happening,
    Link,
    Note,
    Peer,
    Reaction,
    RecorderTook,
    Request,
    Scope,
    Setup,
    Tighten,
    Timer,
    Trouble,
    begin,
    prepare,
)
from controller.safety.judgement.liveness import deadline_ns, misfit
from controller.safety.judgement.plausibility import Plausibility, railed
from controller.safety.judgement.pulse_schedule import PulseOrder, closest_ns, written
from controller.safety.judgement.requests import refusals, unlock_stage
from controller.safety.judgement.staged_unlock import STRIDES, Unlock, ceiling_ma
from controller.safety.judgement.states import Stage, State
from controller.safety.judgement.wire import (
    FRAME_GAP_MIN_NS,
    KIND_STAMP,
    BadFrame,
    Channels,
    Frame,
    SensorStamp,
    Verdict,
    decode_frame,
    decode_stamp,
    encode_verdict,
)
from controller.safety.kept_file import ONE_RIG, REST_UNREADABLE, InUseError, KeptFile
from controller.safety.settings import GuardConfig, load
from controller.safety.stop_button import StopButton
from controller.untrusted import read_json
from drivers.catalogue import STIMULATORS
from drivers.interface import DeviceError, Stimulator

__all__ = ["Guard", "GuardConfig", "load", "main"]

IDLE_MS = 100.0  # nothing can leave: wake this often to reconnect
WATCH_MS = 20.0  # pulses may leave: look at the stimulator's answers at least this often
BATCH = 64  # messages taken from one peer before STOP is looked for again: about 10 ms of work
RETRY_NS = 500_000_000  # between two tries to reach the recorder or to open the stimulator
RECORDER_BUFFER_BYTES = 8 * 1024  # some 50 ms of verdicts: a recorder that hangs shows soon (F12)
RECORDER_TAKES_S = 5.0  # at the end, with the stimulator closed, for what a slow recorder has not taken yet
ORPHANED = signal.SIGHUP  # the parent or its terminal is gone: no STOP that a person pressed
SUSPEND_NS = 500_000_000  # F15
OPS = ("arm", "unlock", "disarm", "stop", "acknowledge", "heartbeat", "watch")
KEPT_NOTES = 32  # for the recorder that is not there yet
NAME_MAX = 80  # characters of who asked for something
MEASURED = "A stride without current was measured: the others are held against it."
IN_FLIGHT = "guard.inflight"  # what is in force, where the session names no file that outlives its rig
DISK_TAKES_S = 5.0  # at the end, with the stimulator closed, for what is kept of this person
SEEN_NS = 1_000_000_000  # a trip this old has been told; a rig that dies loses its operator first
KEEP_REST_NS = 1_000_000_000  # a crash loses no more of the on-time
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # another one after each start of the computer

Role = Literal["", "controller", "operator"]


@dataclass(slots=True)
class _Connection:
    """A process at the other end; without a role until it has said hello."""

    sock: socket.socket
    sender: bus.Sender
    role: Role = ""
    name: str = ""


def _json(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _request(data: bytes) -> dict[str, object]:
    """The JSON object in ``data``; empty where it is none."""
    try:
        value = read_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _screen(message: dict[str, object]) -> str:
    """The name of the screen it comes from; empty only where it comes from none."""
    name = message.get("screen")
    return "" if name is None else str(name)[:NAME_MAX] or "without a name"  # no screen beats so: gone soon


def _utc() -> str:
    """For people to read; nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _since_boot_ns() -> int:
    """Unlike CLOCK_MONOTONIC, goes on while the computer sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _kept_file(path: Path) -> KeptFile:
    """Raises InputError where it cannot be kept, or another rig has it."""
    try:
        return KeptFile(path)
    except InUseError as error:
        raise InputError(str(path), "file of this person", error.strerror, ONE_RIG) from error
    except OSError as error:
        raise InputError(
            str(path), "file of this person", error.strerror, "a file that can be written"
        ) from error


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
        self._clock = clock
        self._boot_clock = boot_clock
        self._rig = rig
        self._setup = setup
        self._known = begin(setup)
        self._rest: KeptFile | None = None
        self._rest_ns = 0
        self._boot = BOOT_ID.read_text(encoding="ascii").strip()
        self._armed_utc = ""
        self._in_force: Channels = ()
        self._last_in_force: dict[str, object] = {}
        self._tripped_ns = -SEEN_NS
        self._orphaned = False
        self._disk_said: dict[Path, str] = {}
        self._in_flight = _kept_file(Path(setup.config.in_flight_file or rig / IN_FLIGHT))
        if setup.config.rest_file is not None:
            self._remember(Path(setup.config.rest_file))
        self._plausibility = Plausibility(
            {sensor.name: sensor.segment for sensor in setup.config.sensors if sensor.segment is not None},
            setup.rules.effective.limits.current_max_ma,
        )
        self._stimulator = stimulator
        self._button: StopButton | None = None
        self._server = bus.listen(rig, "guard")
        self._poller = select.poll()
        self._poller.register(self._server, select.POLLIN)
        self._connections: dict[int, _Connection] = {}
        self._recorder: _Connection | None = None
        self._untold: deque[dict[str, object]] = deque(maxlen=KEPT_NOTES)
        self._retry_ns = 0
        self._ended = False
        self._parent = os.getppid()
        self._signals: list[int] = []
        self._asleep_ns = self._suspended_ns()
        self._written_ns: dict[int, int] = {}  # by channel, when its last pulse had been written
        self._withheld = 0  # pulses that a guard held up before its writing would have given too close

    # --- what outlives the guard ---

    def _remember(self, path: Path) -> None:
        """Take up the on-times. Raises InputError where the file cannot be kept or read."""
        try:
            self._rest = _kept_file(path)
            if self._rest.damaged:
                raise InputError(str(path), "on-times", "nothing that can be read", REST_UNREADABLE)
            if self._rest.found is not None:
                clocks = on_time.restored(self._rest.found, self._clock(), self._boot_clock(), self._boot)
                self._known = self._known._replace(clocks=clocks)
        except ValueError as error:
            for file in self._kept():
                file.close(0.0)
            if isinstance(error, InputError):
                raise
            raise InputError(str(path), "on-times", str(error), REST_UNREADABLE) from error

    def _keep_rest(self, now_ns: int) -> None:
        if self._rest is not None:
            self._rest_ns = now_ns
            message = on_time.kept(now_ns, self._boot_clock(), self._boot, self._known.clocks)
            self._rest.write(message, sync=True)

    def _keep_in_flight(self, *, sync: bool, ended: bool = False) -> None:
        """An end in order empties it, and off; after a crash (F16) nothing but an acknowledgement does."""
        state = self._known.state
        if self._orphaned or state.fault == "F16":
            return
        if state.may_pulse and not ended:
            self._last_in_force = in_force.kept(self._armed_utc, state.stage.value, self._in_force)
            self._in_flight.write(self._last_in_force, sync=sync)
        else:
            self._in_flight.write(None, sync=sync)

    def _unseen(self) -> bool:
        """Whether nobody sees that this guard tripped, or now trips, amid pulses: the next one tells it."""
        state = self._known.state
        just = state.stage is Stage.TRIPPED and self._clock() - self._tripped_ns < SEEN_NS
        return state.may_pulse or just

    def _hear_disk(self) -> None:
        for file in self._kept():
            trouble = file.trouble
            if trouble and trouble != self._disk_said.get(file.path):
                text = (
                    f"{file.path} is not kept: {trouble}. Nothing was stopped for it. Free space on the disk."
                )
                self._tell(Note("warning", text))
            self._disk_said[file.path] = trouble

    def _kept(self) -> tuple[KeptFile, ...]:
        return (self._in_flight,) if self._rest is None else (self._in_flight, self._rest)

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
        if self._in_flight.damaged or self._in_flight.found is not None:
            names = [channel.name for channel in self._setup.config.channels]
            self._feed(Trouble("F16", in_force.words(self._in_flight.found, names)))
        try:
            while not self._ended:
                self._round(wake_r)
            self._keep_in_flight(sync=True, ended=True)  # in order; after an exception it stays, for F16
        finally:
            self._end()
            signal.set_wakeup_fd(-1)
            for end in (wake_r, wake_w):
                end.close()

    def _round(self, wake: socket.socket) -> None:
        ready = {fd for fd, _ in self._poller.poll(self._wait_ms())}
        self._notice_sleep()  # before anything that came before it is judged
        if wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                wake.recv(64)
        if ORPHANED in self._signals or os.getppid() != self._parent:
            self._orphaned = self._unseen()
            if self._orphaned:
                self._in_flight.write(self._last_in_force, sync=True)
            self._feed(Trouble("F10", "the program that started the guard is gone"))
            self._ended = True
        self._obey_signals()
        self._obey_button()
        if self._server.fileno() in ready:
            self._accept()
        for role in ("operator", "", "controller"):  # STOP before anything that may be queued
            for fd, connection in list(self._connections.items()):
                if fd in ready and connection.role == role:
                    self._drain(connection)
        if self._recorder is not None and self._recorder.sock.fileno() in ready:
            self._hear_recorder(self._recorder)
        self._hear_stimulator()
        self._feed(Timer())
        if self._known.state.may_pulse and self._clock() - self._rest_ns > KEEP_REST_NS:
            self._keep_rest(self._clock())
        self._hear_disk()
        if not self._known.state.may_pulse:
            self._make_ready()

    def _wait_ms(self) -> float:
        due_ns = deadline_ns(self._setup_now, self._known)
        if due_ns is None:
            return IDLE_MS
        return min(WATCH_MS, max(0.0, (due_ns - self._clock()) / 1e6))

    def _suspended_ns(self) -> int:
        """Time this computer has slept since it started; too short where the guard is held up between."""
        return self._boot_clock() - self._clock()

    def _notice_sleep(self) -> bool:
        """F15. Also between two looks at a frame: its age by CLOCK_MONOTONIC knows of no sleep."""
        slept_ns = self._suspended_ns() - self._asleep_ns
        self._asleep_ns += max(0, slept_ns)
        if slept_ns <= SUSPEND_NS or not self._known.state.may_pulse:
            return False
        self._feed(Trouble("F15", f"{slept_ns / 1e9:.1f} s"))
        return True

    def _obey_signals(self) -> None:
        while self._signals:
            caught = self._signals.pop()
            if caught == ORPHANED:
                continue
            self._ended = self._ended or caught == signal.SIGTERM
            if self._known.state.may_pulse or caught == signal.SIGINT:
                self._feed(Request("stop", signal.Signals(caught).name))

    def _obey_button(self) -> None:
        if self._button is None:
            return
        pressed = self._button.pressed()
        if pressed:
            self._feed(Request("stop", "STOP button"))
        elif pressed is None:
            self._poller.unregister(self._button)
            self._button.close()
            self._button = None
            self._feed(Peer("button", False))

    def _end(self) -> None:
        self._silence()
        self._stimulator.close()
        for file in self._kept():
            file.close(DISK_TAKES_S)
        self._hear_disk()
        self._server.close()
        for connection in self._connections.values():
            connection.sender.close()
        if self._recorder is not None:
            self._recorder.sender.close(wait_s=RECORDER_TAKES_S)

    # --- things that are only done while nothing may leave ---

    def _make_ready(self) -> None:
        """Reach recorder, STOP button and stimulator; this may take a moment, so never while armed."""
        now_ns = self._clock()
        if now_ns - self._retry_ns < RETRY_NS:
            return
        self._retry_ns = now_ns
        if self._recorder is None:
            with contextlib.suppress(TimeoutError):
                sock = bus.connect(self._rig, "recorder", timeout_s=0.0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECORDER_BUFFER_BYTES)
                self._recorder = _Connection(sock, bus.Sender(sock, keep_bytes=bus.KEEP_RECORDS_BYTES))
                self._poller.register(sock, select.POLLIN)
                self._feed(Peer("recorder", True))
                self._record_setup()
                while self._untold:  # after what they were judged by, with their own times in them
                    self._record("guard/event", now_ns, self._untold.popleft())
        path = self._setup.config.stop_button
        if path is not None and self._button is None:
            with contextlib.suppress(OSError):
                self._button = StopButton(Path(path))
                self._poller.register(self._button, select.POLLIN)
                self._feed(Peer("button", True))
        if not self._known.link and self._known.state.stage is Stage.OFF:
            try:
                self._stimulator.open()
            except DeviceError as error:
                self._tell(Note("warning", f"The stimulator does not open: {error}"))
            else:
                self._poller.register(self._stimulator.fileno(), select.POLLIN)
                self._feed(Link(up=True))

    # --- peers ---

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # gone again already, or no descriptor left: a later round tries
            sock, _ = self._server.accept()
            sock.setblocking(False)
            self._connections[sock.fileno()] = _Connection(sock, bus.Sender(sock))
            self._poller.register(sock, select.POLLIN)

    def _drain(self, connection: _Connection) -> None:
        for _ in range(BATCH):
            data = bus.receive(connection.sock)
            if data is None:
                self._forget(connection)
                return
            if not data:
                return
            if connection.role == "controller":
                self._hear_controller(connection, data)
            else:
                self._hear_operator(connection, data)
                if connection.sock.fileno() < 0:
                    return

    def _forget(self, connection: _Connection) -> None:
        self._poller.unregister(connection.sock)
        del self._connections[connection.sock.fileno()]
        connection.sender.close()
        if connection.role:
            self._feed(Peer(connection.role, False))

    def _hear_controller(self, connection: _Connection, data: bytes) -> None:
        if data[0] == KIND_STAMP:
            stamp = decode_stamp(data)
            if not isinstance(stamp, BadFrame) and stamp.session == self._setup.config.session:
                self._hear_sensor(stamp)
            return
        frame = decode_frame(data)
        verdict = self._feed(frame).verdict
        if verdict is not None and isinstance(frame, Frame):
            connection.sender.send(encode_verdict(verdict))

    def _hear_sensor(self, stamp: SensorStamp) -> None:
        stamp = replace(stamp, valid=stamp.valid and not railed(stamp))
        fits = not misfit(self._clock(), stamp, self._setup, self._known)
        self._feed(stamp)
        if not fits:
            return
        answers, measured = self._plausibility.answers, self._plausibility.measured
        findings = self._plausibility.sample(stamp)
        if self._plausibility.measured and not measured:
            self._tell(Note("measured", MEASURED))
            self._push_all(MEASURED)
        if self._plausibility.answers > answers:
            self._feed(Answer(f"The stride lifted the toes by {self._plausibility.gain_deg:.0f} deg."))
        for finding in findings:
            if finding.kind == "warning":
                self._tell(Note("warning", finding.text, finding.fault))
            elif self._known.state.may_pulse:
                self._feed(Trouble(finding.fault, finding.text))

    def _hear_operator(self, connection: _Connection, data: bytes) -> None:
        message = _request(data)
        op = message.get("op")
        by = str(message.get("by", connection.name or "operator"))[:NAME_MAX]
        if op == "stop":  # also from a process that has not said who it is
            self._feed(Request("stop", by))
            self._answer(connection, "stop", ok=True, text="")
        elif not connection.role:
            self._hello(connection, message)
        elif op == "beat":  # not answered: the supervisor only wants to be heard
            self._feed(Request("beat", by))
        elif op == "screen":
            self._feed(Request("screen", by, _screen(message)))
            self._answer(connection, op, ok=True, text="", screen=_screen(message))
        elif op == "checklist":
            reaction = self._feed(Checklist(message.get("answers"), by, _utc()))
            ok = all(note.kind != "refused" for note in reaction.notes)
            self._answer(connection, op, ok=ok, text=" ".join(note.text for note in reaction.notes))
        elif op == "tighten":
            reaction = self._feed(Tighten(message.get("current_max_ma"), by))
            ok = all(note.kind != "refused" for note in reaction.notes)
            self._answer(connection, op, ok=ok, text=" ".join(note.text for note in reaction.notes))
        elif op == "state":
            self._answer(connection, "state", ok=True, text="")
        elif isinstance(op, str) and op in OPS:
            before = self._stage()
            wish = cast(Literal["arm", "unlock", "disarm", "acknowledge", "heartbeat", "watch"], op)
            scope = message.get("scope", "walk")
            if scope not in get_args(Scope):
                text = f"scope: found {str(scope)[:NAME_MAX]!r}, allowed: {', '.join(get_args(Scope))}"
                self._answer(connection, op, ok=False, text=text)
                return
            reaction = self._feed(Request(wish, by, _screen(message), cast(Scope, scope)))
            ok = (
                op == "heartbeat"
                or self._stage() != before
                or any(note.kind == "watch" for note in reaction.notes)
            )
            self._answer(connection, op, ok=ok, text=" ".join(note.text for note in reaction.notes))
        else:
            self._answer(
                connection,
                str(op),
                ok=False,
                text=f"known requests: {', '.join(OPS)}, beat, checklist, tighten, state",
            )

    def _hello(self, connection: _Connection, message: dict[str, object]) -> None:
        role = message.get("role")
        taken = any(other.role == "controller" for other in self._connections.values())
        if role == "operator" or (role == "controller" and not taken):
            connection.role = "operator" if role == "operator" else "controller"
            connection.name = str(message.get("name", role))[:NAME_MAX]
            self._feed(Peer(connection.role, True))
            self._push(connection)
            return
        text = "there is a controller already" if role == "controller" else "say your role first"
        connection.sender.send(_json({"error": text}))
        self._forget(connection)

    def _answer(self, connection: _Connection, op: str, *, ok: bool, text: str, screen: str = "") -> None:
        state = self._known.state
        answer: dict[str, object] = {
            "reply": op,
            "ok": ok,
            "state": state.stage.value,
            "fault": state.fault,
            "unlocked": self._known.unlock.full,
            "unlock": self._unlock(),
            "scope": self._known.scope,
            "text": text or state.detail,
        }
        if op == "screen":
            answer.update(self._watched(screen))
        if op == "state":
            why = refusals(self._clock(), self._setup_now, self._known)
            answer["refusals"] = [{"code": one.code, "name": one.name, "left_s": one.left_s} for one in why]
            answer["limits"] = self._limits()
            answer["checklist"] = self._known.checklist
        connection.sender.send(_json(answer))

    def _unlock(self) -> dict[str, object] | None:
        stage = unlock_stage(self._setup_now, self._known)
        return None if stage is None else asdict(stage)

    def _watched(self, screen: str) -> dict[str, object]:
        """Which screen has to be heard, as the one called ``screen`` sees it, and how long it was not."""
        armed = self._known.screen
        if armed is None or not self._known.state.may_pulse:
            return {"watch": "nobody", "silent_ms": None}
        silent_ms = (self._clock() - armed.beat_ns) // MS
        return {"watch": "mine" if armed.name == screen else "other", "silent_ms": silent_ms}

    def _push_all(self, text: str, by: str = "") -> None:
        for connection in self._connections.values():
            if connection.role:
                self._push(connection, text, by)

    def _push(self, connection: _Connection, text: str = "", by: str = "") -> None:
        state = self._known.state
        message: dict[str, object] = {
            "state": state.stage.value,
            "fault": state.fault,
            "unlocked": self._known.unlock.full,
            "unlock": self._unlock(),
            "scope": self._known.scope,
            "measured": self._plausibility.measured,
            "current_max_ma": self._setup_now.rules.effective.limits.current_max_ma,
            "text": text or state.detail,
            "by": by,
        }
        connection.sender.send(_json(message))

    def _hear_recorder(self, recorder: _Connection) -> None:
        data = bus.receive(recorder.sock)
        if data is None:
            self._poller.unregister(recorder.sock)
            recorder.sender.close()
            self._recorder = None
            self._feed(Peer("recorder", False))
        elif data and _request(data).get("recorder") == "failed":
            self._feed(Peer("recorder", False))

    # --- the stimulator ---

    def _hear_stimulator(self) -> None:
        try:
            notices = self._stimulator.poll()
        except DeviceError as error:
            self._link_failed(error)
            return
        for notice in notices:
            self._feed(notice)

    def _link_failed(self, error: DeviceError) -> None:
        with contextlib.suppress(DeviceError, KeyError, ValueError):
            self._poller.unregister(self._stimulator.fileno())
        self._stimulator.close()
        self._feed(Link(up=False, text=str(error)))

    def _silence(self) -> None:
        """No command, no pulse: what can fail here is only the courtesy of switching the output stage off."""
        with contextlib.suppress(DeviceError, KeyError, ValueError):
            self._poller.unregister(self._stimulator.fileno())
        try:
            self._stimulator.stop()
        except DeviceError as error:
            self._tell(Note("warning", f"The stimulator did not take the stop command: {error}"))

    def _send_pulses(
        self, pulses: Sequence[PulseOrder], made_ns: int
    ) -> tuple[list[dict[str, object]], list[int]]:
        """What was sent, and the channels whose pulse was left out: too close to the last one, or unanswered.

        ``made_ns`` is their frame's tick: a guard that stood still since then lets nothing of it out.
        """
        sent: list[dict[str, object]] = []
        left_out: list[int] = []
        limits = self._setup_now.rules.effective.limits
        age_max_ns = round(limits.frame_age_max_ms * MS)
        for pulse in pulses:
            if self._notice_sleep():
                break
            now_ns = self._clock()
            age_ns = now_ns - made_ns
            if age_ns > age_max_ns:
                self._feed(Trouble("F4", f"the guard stood still, its frame is {age_ns // MS} ms old"))
                break
            since_ns = now_ns - self._written_ns.get(pulse.channel, now_ns - closest_ns(limits.rate_max_hz))
            if since_ns < closest_ns(limits.rate_max_hz):
                self._withhold(pulse.channel, since_ns)
                left_out.append(pulse.channel)
                continue
            output = self._setup.config.channels[pulse.channel].output
            try:
                packet = self._stimulator.pulse(output, pulse.current_ma, pulse.width_us)
            except DeviceError as error:
                self._link_failed(error)
                break
            if packet is None:
                left_out.append(pulse.channel)
                continue
            if self._known.contact is None:
                self._plausibility.pulse(pulse.current_ma)
            written_ns = self._written_ns[pulse.channel] = self._clock()
            self._known = self._known._replace(
                metronomes=written(self._known.metronomes, pulse.channel, written_ns)
            )
            sent.append({"t_ns": written_ns, **asdict(pulse), "packet": packet})
        return sent, left_out

    def _withhold(self, channel: int, since_ns: int) -> None:
        """The last look before the writing: too close to the pulse before it, so it is left out and told."""
        self._withheld += 1
        least_ms = closest_ns(self._setup_now.rules.effective.limits.rate_max_hz) / MS
        text = (
            f"A pulse of channel {channel} came {since_ns / MS:.1f} ms after the one before it, at least "
            f"{least_ms:g} ms are allowed. It was left out; {self._withheld} so far in this session. "
            "Close other programs on this computer if it happens again."
        )
        self._tell(Note("warning", text))

    # --- what happened goes in, what is to be done comes out ---

    @property
    def _setup_now(self) -> Setup:
        """With the limits as a person has lowered them since the start."""
        return self._known.tightened or self._setup

    def _stage(self) -> tuple[State, Unlock, Scope, Setup]:
        return self._known.state, self._known.unlock, self._known.scope, self._setup_now

    def _feed(self, happening: Happening) -> Reaction:
        before = self._stage()
        now_ns = self._clock()
        reaction, self._known = react(now_ns, happening, self._setup, self._known)
        if reaction.stop:
            self._silence()
        made_ns = reaction.verdict.t_ns if reaction.verdict else now_ns
        sent, left_out = self._send_pulses(reaction.pulses, made_ns)
        if reaction.verdict is not None:
            purpose = happening.purpose if isinstance(happening, Frame) else ""
            self._record_verdict(now_ns, reaction, reaction.verdict, sent, left_out, purpose=purpose)
        for note in reaction.notes:
            self._tell(note)
        if self._stage() != before:
            if before[0].stage is not Stage.ARMED and self._known.state.stage is Stage.ARMED:
                self._plausibility.armed()
            self._plausibility.current_max_ma = self._setup_now.rules.effective.limits.current_max_ma
            text = " ".join(note.text for note in reaction.notes)
            self._push_all(text, next((note.by for note in reaction.notes), ""))
            if not before[0].may_pulse:
                self._armed_utc, self._in_force = _utc(), ()
            elif self._known.state.stage is Stage.TRIPPED:
                self._tripped_ns = now_ns
            self._keep_in_flight(sync=True)
            self._keep_rest(now_ns)
        return reaction

    def _record_verdict(
        self,
        now_ns: int,
        reaction: Reaction,
        verdict: Verdict,
        sent: list[dict[str, object]],
        left_out: list[int],
        *,
        purpose: str,
    ) -> None:
        channels = [None if channel is None else asdict(channel) for channel in verdict.channels]
        payload: dict[str, object] = {
            "frame_seq": verdict.frame_seq,
            "t_ns": verdict.t_ns,
            "received_ns": now_ns,
            "state": verdict.state,
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "limit": reaction.limit,
            "channels": channels,
            "pulses": sent,
            "left_out": left_out,
            "purpose": purpose,
            "unlocked": self._setup.config.unlock is None or self._known.unlock.full,
            "scope": self._known.scope,
        }
        self._record("guard/verdict", now_ns, payload)
        if self._known.state.may_pulse:
            self._in_force = verdict.channels
            self._keep_in_flight(sync=False)

    def _tell(self, note: Note) -> None:
        now_ns = self._clock()
        payload: dict[str, object] = {
            "t_ns": now_ns,
            "kind": note.kind,
            "fault": note.fault,
            "text": note.text,
            "by": note.by,
            "answers": dict(note.answers),
            "state": self._known.state.stage.value,
            "current_max_ma": note.current_max_ma,
            "unlock": None if note.unlock is None else asdict(note.unlock),
        }
        if self._recorder is None:
            self._untold.append(payload)
        self._record("guard/event", now_ns, payload)

    def _record_setup(self) -> None:
        """What all verdicts after it in the recording were judged by, and the answers of the checklist."""
        now_ns = self._clock()
        config = self._setup.config
        silent = ages(now_ns, self._setup, begin(self._setup))
        check = self._setup.capability.contact
        limits = self._setup_now.rules.effective.limits
        tested = check is not None and electrode_test.testable(check, limits)
        payload: dict[str, object] = {
            "t_ns": now_ns,
            "session": config.session,
            "limits": self._limits(),
            "channels": [asdict(channel) for channel in config.channels],
            "sensors": [{"name": age.sensor, "age_max_ms": age.age_max_ms} for age in silent],
            "safe_action": config.safe_action,
            "recorder_loss": config.recorder_loss,
            "supervised": config.supervised,
            "overseen": config.overseen,
            "checklist": dict(config.checklist),
            "unlock": config.unlock
            and {
                "by": config.unlock,
                "strides": STRIDES,
                "ceiling_ma": ceiling_ma(self._setup_now.rules.effective),
            },
            "contact": asdict(electrode_test.command(check, limits))
            if check is not None and tested
            else None,
            "stimulator": asdict(self._setup.capability),
            "pace": {
                "tick_ms": TICK_NS / MS,
                "rise_kept_ms": RISE_SAVED_NS / MS,
                "frame_gap_min_ms": FRAME_GAP_MIN_NS / MS,
            },
        }
        self._record("guard/setup", now_ns, payload)

    def _limits(self) -> dict[str, object]:
        effective = self._setup_now.rules.effective
        return {
            name: {"value": value, "set_by": effective.set_by[name]}
            for name, value in asdict(effective.limits).items()
        }

    def _record(self, topic: str, t_ns: int, payload: dict[str, object]) -> None:
        if self._recorder is None:
            return
        sender = self._recorder.sender
        took = sender.send(bus.pack_record(topic, t_ns, _json(payload))) and not sender.behind
        if took != (self._known.refused_ns is None):
            _, self._known = react(t_ns, RecorderTook(took), self._setup, self._known)


def make_stimulator(config: GuardConfig, source: str) -> Stimulator:
    """The driver the file names. Raises InputError on a device this guard has no driver for."""
    device = STIMULATORS.get(config.stimulator_device)
    if device is None:
        raise InputError(source, "stimulator.device", config.stimulator_device, ", ".join(STIMULATORS))
    return device.open(config.stimulator_port)


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
