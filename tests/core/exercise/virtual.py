"""A programme in virtual time: exercise core, guard, the stimulator's driver and its peer, the person's limb.

The driver's real bytes go over a pseudo-terminal to the emulated device, whose pulse log is read; only clocks
and sockets are left out.
"""

from __future__ import annotations

import json
import select
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from controller.config.exercise import ExerciseSession, caps_of, exercise_params
from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import Applied, Decision, ExerciseRequest, PulseGiven, Scope, TickInputs
from controller.runtime.person_files import PersonFiles
from controller.runtime.plan import ExerciseBody
from controller.runtime.session_facts import exercise_body, guard_settings
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Happening,
    Known,
    Link,
    Peer,
    PulseLeft,
    Request,
    Setup,
    Timer,
    begin,
    prepare,
)
from controller.safety.judgement.states import Stage
from controller.safety.judgement.wire import Frame, SensorStamp
from controller.safety.settings import parse
from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.rehastim2 import EmulatedRehaStim2
from drivers.emulated.serial_peer import SerialPeer
from drivers.interface import EmgFrame
from drivers.stimulators.p24 import P24
from drivers.stimulators.pulse_line import PulseLine
from drivers.stimulators.rehastim2 import RehaStim2
from models.exercise_limbs import limb_of
from models.exercise_params import ExerciseParams as PersonParams
from models.exercise_patient import ExercisePatient

EPOCH_NS = 1_000_000_000
TICK_NS = 5_000_000
EMG_HZ, EMG_SAMPLES, EMG_LATE_NS = 1000.0, 16, 30_000_000
SESSION = 7
PEERS: dict[str, tuple[Callable[..., SerialPeer], Callable[..., PulseLine]]] = {
    "hasomed-p24": (EmulatedP24, P24),
    "hasomed-rehastim2": (EmulatedRehaStim2, RehaStim2),
}
OPENING_NS = 1_000_000  # of the device's time for each look while it is opened: a RehaStim2 calls for a host
LINE_S = 5.0  # of real time, at most, for bytes to cross the pseudo-terminal


@dataclass(frozen=True, slots=True)
class Given:
    """A line of the pulse log: seconds of the run, and the points in us and mA."""

    t_s: float
    output: int
    points: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class ProgrammeRun:
    """One programme from arming on. ``person`` replaces parameters of the virtual person."""

    session: ExerciseSession
    params: ExerciseParams
    person: PersonParams
    core: ExerciseCore = field(init=False)
    setup: Setup = field(init=False)
    known: Known = field(init=False)
    patient: ExercisePatient = field(init=False)
    decisions: list[Decision] = field(default_factory=list)
    lets_go_s: float | None = None  # the person tries no longer than this in each contraction
    silent: bool = False  # the EMG sensor sends nothing more
    dead: bool = False  # the controller is killed
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    trips: list[str] = field(default_factory=list)
    now_ns: int = 0
    epoch_ns: int = EPOCH_NS  # the clock's time at the run's begin
    _seq: int = 0
    _emg_seq: int = 0
    _emg_ns: int = 0
    _air: list[EmgFrame] = field(default_factory=list)
    _applied: list[Applied] = field(default_factory=list)
    _pulses: list[PulseGiven] = field(default_factory=list)
    _requests: list[ExerciseRequest] = field(default_factory=list)
    _body: ExerciseBody = field(init=False)
    _log: Path = field(init=False)
    _device: SerialPeer = field(init=False)
    _driver: PulseLine = field(init=False)

    def __post_init__(self) -> None:
        self.core = ExerciseCore(self.params)
        self._body = exercise_body(self.session)
        self.patient = ExercisePatient(self.person, 3)
        self._log = Path(tempfile.mkdtemp()) / "pulses.jsonl"
        emulate, drive = PEERS[self.session.file.stimulator.device]
        self._device = emulate(self._log, self._on_pulse, clock=self._clock)
        self._driver = drive(self._device.port, clock=self._clock)
        told = guard_settings(
            self.session,
            SESSION,
            self._device.port,
            PersonFiles(None, self._log.with_name("flight")),
            attended=False,
            virtual=True,
            overseen=False,
            closed_loop=self.params.control == "emg-proportional",
        )
        del told["in_flight_file"]
        self.setup = prepare(parse(json.loads(json.dumps(told)), "test"), self._driver.capability)
        self.known = begin(self.setup)
        for role in ("recorder", "operator", "controller"):
            self._feed(Peer(role, True))

    def _clock(self) -> int:
        return self.epoch_ns + self.now_ns

    @property
    def t_s(self) -> float:
        return self.now_ns / 1e9

    def ask(self, request: ExerciseRequest) -> None:
        """A person's request, for the next tick."""
        self._requests.append(request)

    def request(self, request: Request) -> None:
        """What a person asks of the guard."""
        self._feed(request)

    def run(self, seconds: float) -> None:
        """Live for so long, or until the programme is done."""
        until_ns = self.now_ns + round(seconds * 1e9)
        while self.now_ns < until_ns and self.core.timeline.phase != "done":
            self._tick()
            self.now_ns += TICK_NS

    def given(self) -> list[Given]:
        """Every pulse of the device's own log."""
        return [
            Given((line["t_ns"] - self.epoch_ns) / 1e9, line["channel"], tuple(map(tuple, line["points"])))
            for line in map(json.loads, self._log.read_text().splitlines())
            if "points" in line
        ]

    def kill_controller(self) -> None:
        """Its process ends, and with it its connection to the guard."""
        self.dead = True
        self._feed(Peer("controller", False))

    def close(self) -> None:
        self._driver.close()
        self._device.close()

    # --- one tick

    def _tick(self) -> None:
        self._measure()
        self._person()
        emg = tuple(frame for frame in self._air if frame.arrival_ns <= self._clock())
        self._air = [frame for frame in self._air if frame.arrival_ns > self._clock()]
        for number, frame in enumerate(emg, self._emg_seq - len(emg) - len(self._air)):
            self._feed(SensorStamp(SESSION, frame.sensor, frame.t_ns, number, True))
        applied, self._applied = tuple(self._applied), []
        pulses, self._pulses = tuple(self._pulses), []
        requests, self._requests = tuple(self._requests), []
        inputs = TickInputs(emg=emg, applied=applied, pulses=pulses, scope=self._scope(), exercise=requests)
        if self.dead:
            self._feed(Timer())
            return
        decision = self.core.step(self._clock(), inputs)
        self.decisions.append(decision)
        self._cue(decision)
        self._seq += 1
        command = decision.command
        frame_out = Frame(
            SESSION, self._seq, self._clock(), command.lifetime_ms, command.channels, decision.purpose
        )
        self._feed(frame_out)
        self._feed(Timer())

    def _scope(self) -> Scope:
        if self.known.state.stage not in (Stage.ARMED, Stage.ACTIVE):
            return "nothing"
        unlocked = self.setup.config.unlock is None or self.known.unlock.full
        return "walk" if unlocked else "open_loop"

    def _person(self) -> None:
        """Somebody plugs the stimulator in, arms, and unlocks where that has been earned."""
        if not self.known.link:
            self._open()
            self._feed(Link(True))
        elif self.known.state.stage is Stage.OFF and self._seq > 20 and not self.trips:
            self._feed(Request("arm"))
        elif self._scope() == "open_loop" and self.core.timeline.phase == "rest":
            self._feed(Request("unlock"))

    def _open(self) -> None:
        import threading

        opening = threading.Thread(target=self._driver.open)
        opening.start()
        while opening.is_alive():
            self.epoch_ns += OPENING_NS
            self._device.tend()
            self._device.service()
            opening.join(0.001)

    def _cue(self, decision: Decision) -> None:
        seen = decision.view.exercise
        assert seen is not None
        line = self.core.timeline
        tired = (
            line.phase == "on" and self.lets_go_s is not None and line.age_s(self._clock()) > self.lets_go_s
        )
        self.patient.cue(seen.phase in ("attempt", "on") and not tired)

    def _measure(self) -> None:
        self.patient.advance(self.t_s)
        if self.params.effort is None:
            return
        frame_ns = round(EMG_SAMPLES / EMG_HZ * 1e9)
        while self._emg_ns + frame_ns <= self.now_ns:
            side = "other" if self._body.other_side else "affected"
            volts = self.patient.emg(self._emg_ns / 1e9, EMG_SAMPLES, EMG_HZ, side)  # type: ignore[arg-type]
            t_ns = self.epoch_ns + self._emg_ns
            rows = tuple(tuple(row) for row in volts.tolist())
            arrival_ns = t_ns + frame_ns + EMG_LATE_NS
            seq = self._emg_seq * EMG_SAMPLES
            if not self.silent:
                self._air.append(EmgFrame("emg", t_ns, arrival_ns, seq, EMG_HZ, rows))
                self._emg_seq += 1
            self._emg_ns += frame_ns

    def _feed(self, happening: Happening) -> None:
        reaction, self.known = react(self._clock(), happening, self.setup, self.known)
        for pulse in reaction.pulses:
            output = self.setup.config.channels[pulse.channel].output
            sent = self._driver.pulse(output, pulse.current_ma, pulse.width_us, pulse.cycles)
            assert sent is not None, "a pulse was left out"
            select.select([self._device.fileno()], [], [], LINE_S)  # a busy kernel hands bytes on late
            self._device.service()
            select.select([self._driver.fileno()], [], [], LINE_S)
            left = PulseLeft(pulse.channel, pulse.current_ma)
            _, self.known = react(self._clock(), left, self.setup, self.known)
            given = PulseGiven(pulse.channel, self._clock(), pulse.current_ma, pulse.width_us)
            self._pulses.append(given)
        if not reaction.pulses and self.known.link:
            self._device.service()  # a RehaStim2 that hears nothing forgets its host
        for notice in self._driver.poll():
            _, self.known = react(self._clock(), notice, self.setup, self.known)
        if reaction.verdict is not None:
            verdict = reaction.verdict
            self.verdicts[verdict.verdict] += 1
            if verdict.verdict != "ok":
                self.reasons[verdict.reason] += 1
            self._applied.append(
                Applied(verdict.frame_seq, verdict.channels, verdict.verdict, verdict.reason)
            )
        self.trips += [note.text for note in reaction.notes if note.kind == "trip"]

    def _on_pulse(self, t_ns: int, output: int, points: list[tuple[int, float]]) -> None:
        channel = sorted(self._body.muscles).index(output)
        width_us, current_ma = points[0]
        cycles = sum(1 for _, ma in points if ma > 0.0)
        t_s = (t_ns - self.epoch_ns) / 1e9
        self.patient.pulse(t_s, channel, abs(current_ma), float(width_us), max(1, cycles))


def programme_run(session: ExerciseSession, repetitions: int = 2, **person: object) -> ProgrammeRun:
    """A shortened run: so many repetitions, at most one of them warm-up, all else as written."""
    params = exercise_params(session)
    course = params.course
    warm_up = min(1, course.warm_up_repetitions)
    course = replace(course, repetitions=repetitions, warm_up_repetitions=warm_up)
    muscles = exercise_body(session).muscles
    outputs = tuple(muscles[output] for output in sorted(muscles))
    body = PersonParams(limb=limb_of(outputs), outputs=outputs, **person)  # type: ignore[arg-type]
    assert caps_of(session.programme)
    return ProgrammeRun(session, replace(params, course=course), body)
