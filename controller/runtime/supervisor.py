"""The supervisor: starts a session's processes, arms, watches, stops, and ends them in the safe order.

STOP (Ctrl-C, Ctrl-Z, SIGTERM, space) goes to the guard before anything else happens. Any process that ends
unasked ends the session, with its name and last words.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controller.config.exercise import ExerciseSession
from controller.config.session import Session
from controller.ipc import bus
from controller.record import records
from controller.record.live import LiveStatus
from controller.runtime.person_files import PersonFiles, held
from controller.runtime.process_group import ProcessFailedError, Rig
from controller.runtime.session_facts import (
    proportional,
    sensor_plans,
)
from controller.runtime.session_processes import Attended, SessionProcesses, Virtual
from controller.runtime.stop_keys import (
    ACKNOWLEDGE_KEYS,
    SIGNALS,
    STOP_KEYS,
    UNLOCK_KEYS,
    keyboard,
    stop_signals,
)
from controller.safety.judgement.faults import FAULTS
from controller.trial.schedule import ArmPlan
from controller.untrusted import read_object

ARMING_S = 20.0  # sensors connect, the guard sees them fresh
ARM_AGAIN_S = 0.5
DISARMING_S = 1.0  # the guard ramps down in 100 ms
RECOMPACTING_S = 120.0
LOOK_S = 0.05
BEAT_S = 0.05  # the guard waits a second for one (F23)
Show = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a screen shows: which arm, how far, and the latest live status."""

    arm: ArmPlan
    number: int
    arms: int
    elapsed_s: float
    status: LiveStatus | None
    note: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended."""

    recording: Path
    stopped_by: str | None  # in words, where a person stopped it
    trip: str | None  # the guard's words, where it tripped


class Supervisor:
    """Runs one session, all arms of its schedule in one walk, into one recording."""

    def __init__(
        self,
        session: Session | ExerciseSession,
        out: Path,
        virtual: Virtual | None,
        show: Show,
        attended: Attended | None = None,
        *,
        asked: bool = True,
    ) -> None:
        """``asked``: whether a person at the terminal has just seen the checklist and confirmed it."""
        self._session = session
        self._out = out
        self._virtual = virtual
        self._show = show
        self._attended = attended
        self._answered_by = "virtual patient" if virtual else "terminal" if asked else "patient file"
        self._processes = SessionProcesses(session, out, virtual, attended)
        self._stop: str | None = None
        self._guard: bus.Sender | None = None
        self._trip: str | None = None
        self._crash = ""  # F16 in words, until a person acknowledges
        self._ending = False
        self._armed = False
        self._beat_s = 0.0
        self._room: bus.Sender | None = None  # to the virtual world
        self._cued = b"rest"
        self._unlock_asked_s = 0.0

    def run(
        self, arms: Sequence[ArmPlan], mqtt: Mapping[str, object] | None, seconds: float | None = None
    ) -> Outcome:
        """``seconds`` ends the session whatever the arms say.

        Raises ProcessFailedError where a process did not do its part; the recording is kept.
        """
        self._out.mkdir(parents=True, exist_ok=True)
        recording = self._out / "session.mcap"
        pseudonym, virtual = self._session.patient.patient.pseudonym, self._virtual is not None
        with (
            held(self._out.parent, pseudonym, virtual=virtual) as files,
            Rig(self._out / "logs") as rig,
            stop_signals(self._halt, self._end),
            keyboard() as keys,
        ):
            if self._attended is not None:
                self._processes.start_console(rig, self._attended)
            self._processes.start_recorder(rig, recording, arms, mqtt)
            recorder = bus.Sender(bus.connect(rig.path, "recorder"))
            if any(arm.blinded for arm in arms):
                key = records.TrialKey(time.monotonic_ns(), {arm.title: arm.mode for arm in arms})
                recorder.send(bus.pack_record("trial/key", key.t_ns, records.encode(key)))
            self._walk(rig, tuple(arms), seconds, keys, files)
            recorder.send(bus.pack_record("finish", time.monotonic_ns(), b"{}"))
            recorder.close()
            rig.wait("recorder", RECOMPACTING_S)
        return Outcome(recording, self._stop, self._trip)

    def _walk(
        self,
        rig: Rig,
        arms: tuple[ArmPlan, ...],
        seconds: float | None,
        keys: int | None,
        files: PersonFiles,
    ) -> None:
        """Start everything, disarmed; arm; walk until the schedule has ended, or until stopped."""
        note = "starting" if self._virtual is None else "starting; the first start compiles the patient"
        self._show(Progress(arms[0], 0, len(arms), 0.0, None, note))
        needs_arming = any(arm.mode != "off" for arm in arms)
        session_id = secrets.randbits(62) + 1
        radio, port = self._processes.start_world(rig)
        self._processes.start_guard(rig, session_id, port, files, arms)
        guard_socket = bus.connect(rig.path, "guard")
        self._guard = bus.Sender(guard_socket)
        self._ask("operator", role="operator", pid=os.getpid())
        if self._attended is None:
            self._ask("checklist", answers=dict(self._session.patient.checklist), by=self._answered_by)
        self._processes.start_controller(rig, session_id, arms, radio)
        live = bus.connect(rig.path, "live")
        self._armed = False
        status: LiveStatus | None = None
        started_s = walking_s = time.monotonic()
        ask_at_s, until_s = 0.0, started_s + ARMING_S
        number, begun_s, ready = 0, started_s, False
        while not (self._stop or self._trip or self._ending):
            rig.check()
            self._look(guard_socket, live, keys)
            status = self._newest(live, status)
            self._cue(rig, status)
            self._unlock_virtual(status)
            now_s = time.monotonic()
            if not ready:
                seen = status is not None and bool(status.sensor_age_ms)
                ready = not self._crash and (self._armed if needs_arming else seen)
                if ready:
                    walking_s = begun_s = now_s
                elif self._attended is not None:
                    pass  # a person arms, when they are ready
                elif self._crash:
                    self._after_crash(keyboard=keys is not None)
                    until_s = now_s + ARMING_S
                elif now_s > until_s:
                    raise ProcessFailedError(
                        "guard", f"did not arm within {ARMING_S:g} s", self._why_not(status)
                    )
                elif needs_arming and now_s >= ask_at_s and self._sensors_seen(status):
                    self._ask("arm")
                    ask_at_s = now_s + ARM_AGAIN_S
            if status is not None and status.arm != arms[number].title:
                number, begun_s = _number(arms, status.arm, number), now_s
            elapsed_s = now_s - begun_s if ready else 0.0
            going = "exercising" if isinstance(self._session, ExerciseSession) else "walking"
            note = going if ready else f"{self._crash} A = acknowledge." if self._crash else "arming"
            self._show(Progress(arms[number], number, len(arms), elapsed_s, status, note))
            if ready and seconds is not None and now_s - walking_s >= seconds:
                break
            if rig.said("world", "recording") or rig.said("controller", "schedule"):
                break
        self._ask("disarm", by="supervisor")
        until_s = time.monotonic() + DISARMING_S
        while self._armed and not self._trip and time.monotonic() < until_s:
            self._look(guard_socket, live, keys)
        for name in ("controller", "guard", "world"):
            rig.end(name)
        for sock in (guard_socket, live):
            sock.close()
        self._guard = None
        if self._room is not None:
            self._room.close()

    def _cue(self, rig: Rig, status: LiveStatus | None) -> None:
        """The virtual person sees the exercise's cue, as a real one sees the screen."""
        if self._virtual is None or status is None or status.exercise is None:
            return
        word = b"try" if status.exercise.phase in ("attempt", "on") else b"rest"
        if word != self._cued:
            self._cued = word
            if self._room is None:
                self._room = bus.Sender(bus.connect(rig.path, "world"))
            self._room.send(word)

    def _unlock_virtual(self, status: LiveStatus | None) -> None:
        """Nobody watches a virtual person: who would, unlocks feedback when it is earned."""
        unlock = None if status is None else status.unlock
        if self._virtual is None or self._attended is not None or unlock is None or not unlock.answered:
            return
        due = time.monotonic() - self._unlock_asked_s >= ARM_AGAIN_S
        if due and proportional(self._session) and unlock.answered >= unlock.needed:
            self._unlock_asked_s = time.monotonic()
            self._ask("unlock", by="virtual therapist")

    def _after_crash(self, *, keyboard: bool) -> None:
        """A person acknowledges what the session before left; then this one ends, and the next is clean."""
        if self._virtual is not None and not keyboard:
            self._ask("acknowledge", by="virtual patient")
        elif not keyboard:
            self._trip = f"{self._crash} Start at a terminal and press A, or with --console."

    def _sensors_seen(self, status: LiveStatus | None) -> bool:
        """Whether every required inertial sensor has been heard: before that the guard would only refuse."""
        seen = status.sensor_age_ms if status is not None else {}
        needed = [sensor.name for sensor in sensor_plans(self._session) if sensor.required and sensor.segment]
        return all(name in seen for name in needed)

    def _why_not(self, status: LiveStatus | None) -> str:
        return status.guard_text if status is not None else "no word from the controller"

    def _look(self, guard_socket: socket.socket, live: socket.socket, keys: int | None) -> None:
        """Wait a moment for the guard's words, the live feed or a key, and take them."""
        if (now_s := time.monotonic()) - self._beat_s >= BEAT_S:
            self._ask("beat")
            self._beat_s = now_s
        sources: list[socket.socket | int] = [guard_socket, live, *([] if keys is None else [keys])]
        readable, _, _ = select.select(sources, [], [], LOOK_S)
        typed = b""
        if keys is not None and keys in readable:
            with contextlib.suppress(OSError):  # the terminal is gone
                typed = os.read(keys, 64)
            if not typed:
                self._halt(SIGNALS[signal.SIGHUP])
        if any(key in STOP_KEYS for key in typed):
            self._halt("stop key")
        elif any(key in UNLOCK_KEYS for key in typed):
            self._ask("unlock", by="key U")
        elif self._crash and any(key in ACKNOWLEDGE_KEYS for key in typed):
            self._ask("acknowledge", by="key A")
        if guard_socket in readable:
            self._hear(guard_socket)

    def _hear(self, guard_socket: socket.socket) -> None:
        while message := bus.receive(guard_socket):
            word = _word(message)
            if "state" not in word:
                continue
            self._armed = word["state"] in ("armed", "active", "ramp")
            if self._attended is not None:
                continue  # a person acknowledges there
            if word["state"] == "tripped" and word.get("fault") == "F16":
                self._crash = self._crash or FAULTS["F16"].text(str(word.get("text")))
            elif word["state"] == "off" and self._crash:
                self._trip = self._trip or f"{self._crash} It is acknowledged now: start again."
            elif word["state"] == "tripped":
                self._trip = self._trip or str(word.get("text") or word.get("fault"))

    def _newest(self, live: socket.socket, status: LiveStatus | None) -> LiveStatus | None:
        while message := bus.receive(live):
            status = msgspec.json.decode(message, type=LiveStatus)
        return status

    def _ask(self, op: str, **more: object) -> None:
        if self._guard is not None:
            self._guard.send(json.dumps({**more} if "role" in more else {"op": op, **more}).encode())

    def _end(self) -> None:
        self._ending = True

    def _halt(self, by: str) -> None:
        self._ask("stop", by=by)
        self._stop = self._stop or by


def _word(message: bytes) -> dict[str, object]:
    """What the guard says; nothing where it cannot be read."""
    try:
        return read_object(message)
    except ValueError:
        return {}


def _number(arms: Sequence[ArmPlan], title: str, otherwise: int) -> int:
    """Which arm of the schedule goes by this name."""
    return next((number for number, arm in enumerate(arms) if arm.title == title), otherwise)
