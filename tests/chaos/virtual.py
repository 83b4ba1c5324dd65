"""Virtual-time chaos: guard, control core and virtual patient in one process, seeded faults and no clock.

``python -m tests.chaos.virtual [MINUTES]``: 20 cohort patients share the minutes, each walk a process of its
own: with faults, again (same bytes), and without. Ends with 1 where a pulse was wrong, a trip misnamed, or a
healthy walk tripped.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

from controller.commands.run import DEMO_SESSION
from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.signals import CLOSED_LOOP, Applied, Mode, TickInputs
from controller.ipc import process
from controller.safety.judgement.contraindications import QUESTIONS
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Happening,
    Known,
    Link,
    Peer,
    PulseLeft,
    RecorderTook,
    Request,
    Setup,
    Timer,
    Trouble,
    begin,
    prepare,
)
from controller.safety.judgement.limits import charge_uc
from controller.safety.judgement.states import Stage
from controller.safety.judgement.wire import BadFrame, Frame, SensorStamp, encode_verdict
from controller.safety.settings import parse
from controller.simulation.closed_loop import EPOCH_NS, LINK_S, SENSOR_HZ, Rehearsal
from controller.trial.course import Course
from controller.trial.schedule import ArmPlan, Turn
from drivers.interface import ChannelCommand, ImuSample, StimulatorNotice
from drivers.stimulators.p24 import P24
from models.cohort import CohortPatient, cohort_patient
from models.patient import VirtualPatient

SEED = 4
SESSION = 7
DEADLINE_NS = 10_000_000  # the controller steps here and at each arrival: 140 irregular steps a second
PERSON_S = 1.5  # a person reads, acknowledges and arms again after so long
FAULT_EVERY_S = 12.0
PATIENTS = 20
DRIVE = 1.3  # of the current that half of the fibres need
FAULT_NAMES = {
    "sensor silent": {"F1"},
    "controller killed": {"F3"},
    "controller hung": {"F4"},
    "frames replayed": {"F6"},
    "frames damaged": {"F6"},
    "no number": {"F7"},
    "operator gone": {"F10"},
    "STOP": {"F11"},
    "recorder gone": {"F12"},
    "recorder refuses": {"F12"},
    "computer slept": {"F15"},
    "cable pulled": {"F19"},
}
DEADLINE_S = 0.7  # the slowest line of these, F12 by refusal, and a tick


def comfort_layer(comfort_ma: float) -> list[dict[str, object]]:
    return [{"who": "patient", "limits": {"current_max_ma": comfort_ma, "width_max_us": 300.0}}]


def make_setup(layers: list[dict[str, object]], *, closed_loop: bool) -> Setup:
    raw: dict[str, object] = {
        "session": SESSION,
        "channels": [{"name": "dorsiflexion", "electrode_area_cm2": 20.0}],
        "limits": layers,
        "sensors": [{"name": "foot", "segment": "foot"}, {"name": "shank", "segment": "shank"}],
        "stimulator": {"device": "hasomed-p24", "port": "/dev/null"},
        "checklist": {question.key: "no" for question in QUESTIONS},
    }
    if closed_loop:
        raw["unlock"] = "strides"
    return prepare(parse(raw, "virtual"), P24("/dev/null").capability)


@dataclass(slots=True)
class GuardedWalk(Rehearsal):
    """A rehearsal whose pulses pass the guard; ``faults`` seeds what goes wrong, ``None``: a healthy walk."""

    setup: Setup = field(default_factory=lambda: make_setup(comfort_layer(50.0), closed_loop=False))
    faults: random.Random | None = None
    arms: tuple[ArmPlan, ...] = ()
    known: Known = field(init=False)
    course: Course = field(init=False)
    digest: str = ""
    trips: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    given: int = 0
    steps: int = 0
    unlocks: int = 0
    rest_until_s: float = 0.0  # the person does not arm before
    blocked: Counter[str] = field(default_factory=Counter)  # of frames that a healthy guard did not let out
    worst_s: dict[str, float] = field(default_factory=dict)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _applied: list[Applied] = field(default_factory=list)
    _answers: list[StimulatorNotice] = field(default_factory=list)  # of the stimulator, on their way
    _seq: int = 0
    _deadlines: int = 0
    _arrivals: int = 0
    _fault: str = ""
    _since_s: float = 0.0
    _next_s: float = FAULT_EVERY_S
    _tripped_s: float | None = None
    _old: Frame | None = None

    def __post_init__(self) -> None:
        super(GuardedWalk, self).__post_init__()
        self.known = begin(self.setup)
        self.course = Course(self.arms, self.params.mode)
        for role in ("recorder", "operator", "controller"):
            self.feed(0.0, Peer(role, True))

    def feed(self, now_s: float, happening: Happening) -> None:
        now_ns = EPOCH_NS + round(now_s * 1e9)
        before = self.known
        reaction, self.known = react(now_ns, happening, self.setup, before)
        for pulse in reaction.pulses:
            _, self.known = react(now_ns, PulseLeft(pulse.channel, pulse.current_ma), self.setup, self.known)
            self._given(now_s, pulse.current_ma, pulse.width_us)
            self._answers.append(StimulatorNotice(now_ns, False, pulse.channel, 0, "ok"))
        if self.known.unlock.full != before.unlock.full:
            self.unlocks += self.known.unlock.full
        if reaction.verdict is not None:
            verdict = reaction.verdict
            if verdict.verdict == "blocked" and before.state.may_pulse and not self._fault:
                self.blocked[verdict.reason] += 1
            self._hash.update(encode_verdict(verdict))
            self._applied.append(
                Applied(verdict.frame_seq, verdict.channels, verdict.verdict, verdict.reason)
            )
        for note in reaction.notes:
            if note.kind in ("trip", "stop") and note.fault:
                self._tripped(now_s, note.fault)
        if reaction.stop or reaction.pulses or reaction.notes:
            self._hash.update(repr((now_ns, reaction)).encode())

    def _given(self, now_s: float, current_ma: float, width_us: float) -> None:
        self.patient.advance(now_s)
        self.patient.pulse(now_s, 0, current_ma, width_us)
        limits = self.setup.rules.effective.limits
        stage = self.known.state.stage
        if self.known.contact is not None:
            if width_us > limits.width_min_us:
                self.wrong.append(f"{now_s:.3f} s: a test pulse of {width_us} us")
            return
        self.given += 1
        if stage not in (Stage.ACTIVE, Stage.RAMP):
            self.wrong.append(f"{now_s:.3f} s: a pulse in state {stage.value}")
        if current_ma > limits.current_max_ma or charge_uc(current_ma, width_us) > limits.charge_max_uc:
            self.wrong.append(f"{now_s:.3f} s: {current_ma} mA x {width_us} us")
        if self._fault:
            self.worst_s[self._fault] = max(self.worst_s.get(self._fault, 0.0), now_s - self._since_s)

    def _tripped(self, now_s: float, name: str) -> None:
        self.trips[name] += 1
        self._tripped_s = now_s
        if name not in FAULT_NAMES.get(self._fault, set()):
            self.wrong.append(f"{now_s:.3f} s: {self._fault or 'nothing'} was named {name}")

    def walk(self, until_s: float) -> None:
        """Step at every deadline and at once when samples arrive, as the controller process does."""
        while (now_s := self._instant_s()) < until_s:
            self._step(now_s, self.arrivals(now_s))
            self.steps += 1

    def _instant_s(self) -> float:
        deadline_ns = self._deadlines * DEADLINE_NS
        arrival_ns = round(self._arrivals / SENSOR_HZ * 1e9) + round(LINK_S * 1e9)
        self._deadlines += deadline_ns <= arrival_ns
        self._arrivals += arrival_ns <= deadline_ns
        return min(deadline_ns, arrival_ns) / 1e9

    def _step(self, now_s: float, arrived: tuple[ImuSample, ...]) -> None:
        now_ns = EPOCH_NS + round(now_s * 1e9)
        self._misfortune(now_s)
        self._person(now_s)
        samples = () if self._fault == "sensor silent" else arrived
        for sample in samples:
            self._stamp(now_s, sample)
        answers, self._answers = self._answers, []
        for answer in answers:
            self.feed(now_s, answer)
        applied, self._applied = tuple(self._applied), []
        stage, unlocked = self.known.state.stage.value, self.known.unlock.full
        measured = self.known.plausibility.measured
        self.course.hear(stage, self.known.scope, unlocked=unlocked, measured=measured)
        mode, fresh = self.course.ask()
        inputs = TickInputs(imu=samples, applied=applied, mode=mode, fresh=fresh, scope=self.course.scope())
        decision = self.core.step(now_ns, inputs)
        if self._fault not in ("controller killed", "controller hung"):
            self._seq += 1
            command = decision.command
            frame = Frame(SESSION, self._seq, now_ns, command.lifetime_ms, command.channels, decision.purpose)
            for received in self._frames(frame):
                self.feed(now_s, received)
        switching = self.core.switching
        self.turned(now_s, self.course.follow(now_ns, decision.view.strides, switching=switching))
        self.feed(now_s, Timer())

    def turned(self, now_s: float, turn: Turn) -> None:
        """What the schedule has brought at a tick; a walk without arms has none."""

    def _stamp(self, now_s: float, sample: ImuSample) -> None:
        motion = (sample.acc_mps2, sample.gyr_rps)
        digest = hash(motion) & 0xFFFFFFFF
        stamp = SensorStamp(SESSION, sample.sensor, sample.t_ns, sample.seq, True, digest, motion)
        self.feed(now_s, stamp)

    def _frames(self, frame: Frame) -> tuple[Frame | BadFrame, ...]:
        if self._fault == "frames replayed":
            return (self._old or frame,)
        self._old = frame
        if self._fault == "frames damaged":
            return (BadFrame("checksum does not match"),)
        if self._fault == "no number":
            return (replace(frame, channels=(ChannelCommand(float("nan"), 300.0, 40.0),)),)
        return (frame,)

    def _misfortune(self, now_s: float) -> None:
        """Begin the next seeded fault while current flows; it ends with the person's act after the trip."""
        if (
            self.faults is None
            or self._fault
            or now_s < self._next_s
            or self.known.state.stage is not Stage.ACTIVE
        ):
            return
        self._fault, self._since_s = self.faults.choice(sorted(FAULT_NAMES)), now_s
        happenings: dict[str, Happening] = {
            "controller killed": Peer("controller", False),
            "operator gone": Peer("operator", False),
            "STOP": Request("stop"),
            "recorder gone": Peer("recorder", False),
            "recorder refuses": RecorderTook(False),
            "computer slept": Trouble("F15", "2.0 s"),
            "cable pulled": Link(False, "end of file"),
        }
        if self._fault in happenings:
            self.feed(now_s, happenings[self._fault])

    def _person(self, now_s: float) -> None:
        """Repair, acknowledge and arm, some time after a trip; and arm at the start."""
        state = self.known.state
        if self._fault and self._tripped_s is None and now_s - self._since_s > DEADLINE_S:
            self.wrong.append(f"{now_s:.3f} s: {self._fault} tripped nothing")
            self._fault = ""
        if (
            state.stage is Stage.TRIPPED
            and self._tripped_s is not None
            and now_s - self._tripped_s > PERSON_S
        ):
            if self._fault == "controller killed":
                self.feed(now_s, Peer("controller", True))
            if self._fault == "operator gone":
                self.feed(now_s, Peer("operator", True))
            if self._fault in ("recorder gone", "recorder refuses"):
                self.feed(now_s, Peer("recorder", True))
                self.feed(now_s, RecorderTook(True))
            self._fault, self._tripped_s = "", None
            if self.faults is not None:
                self._next_s = now_s + self.faults.uniform(0.5, 1.0) * FAULT_EVERY_S
            self.feed(now_s, Request("acknowledge"))
        elif state.stage is Stage.OFF and not self._fault and now_s >= self.rest_until_s:
            if not self.known.link:
                self.feed(now_s, Link(True))
            self.feed(now_s, Request("arm"))

    def finished(self) -> str:
        return self._hash.hexdigest()


def guarded(member: CohortPatient, mode: Mode, seconds: float, faults: random.Random | None) -> GuardedWalk:
    """A cohort patient walks ``seconds`` under its own current limit."""
    walk = guarded_walk(member, mode, seconds, faults)
    walk.walk(seconds)
    return walk


def guarded_walk(
    member: CohortPatient, mode: Mode, seconds: float, faults: random.Random | None = None
) -> GuardedWalk:
    """A cohort patient who will walk ``seconds``, about to begin."""
    params = core_params(load_session(DEMO_SESSION), mode)
    threshold_ma = member.params.recruitment.i50_ma * member.params.electrode_gain
    comfort_ma = member.params.comfort_ma
    params = replace(
        params,
        placements=tuple(replace(place, side=member.params.side) for place in params.placements),
        muscle=replace(params.muscle, i50_ma=threshold_ma),
        envelope=replace(params.envelope, current_ma=min(DRIVE * threshold_ma, 0.95 * comfort_ma)),
        pulse=replace(params.pulse, current_max_ma=comfort_ma),
    )
    patient = VirtualPatient(member.params, member.seed, member.schedule(seconds))
    setup = make_setup(comfort_layer(comfort_ma), closed_loop=mode in CLOSED_LOOP)
    return GuardedWalk(params, patient, setup=setup, faults=faults)


@dataclass(frozen=True, slots=True)
class Told:
    """What one patient's walk told, small enough to come back from a process of its own."""

    number: int
    mode: Mode
    steps: int
    given: int
    unlocks: int
    took_s: float
    digest: str
    trips: dict[str, int]
    worst_s: dict[str, float]
    wrong: tuple[str, ...]


def tell(number: int, seconds: float, with_faults: bool) -> Told:
    """Walk one cohort patient, the mode by its number, and tell how it went."""
    process.quiet_garbage_collector()  # as the rig's processes do
    mode: Mode = ("trapezoid", "feedback", "learning")[number % 3]
    begin_s = time.process_time()
    faults = random.Random(f"{SEED} {number}") if with_faults else None
    walk = guarded(cohort_patient(number), mode, seconds, faults)
    took_s = time.process_time() - begin_s
    wrong = (*walk.wrong, *(() if walk.given else ("no pulse at all",)))
    return Told(
        number,
        mode,
        walk.steps,
        walk.given,
        walk.unlocks,
        took_s,
        walk.finished(),
        dict(walk.trips),
        walk.worst_s,
        wrong,
    )


def run(minutes: float, *, with_faults: bool) -> tuple[str, int]:
    """All patients on all processors, ``minutes`` together; prints, gives the digest and what was wrong."""
    begin_s = time.perf_counter()
    seconds = 60.0 * minutes / PATIENTS
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        told = list(pool.map(tell, range(PATIENTS), [seconds] * PATIENTS, [with_faults] * PATIENTS))
    wall_s = time.perf_counter() - begin_s
    trips: Counter[str] = Counter()
    worst_s: dict[str, float] = {}
    for one in told:
        trips.update(one.trips)
        for fault, late_s in one.worst_s.items():
            worst_s[fault] = max(worst_s.get(fault, 0.0), late_s)
        for text in one.wrong[:3]:
            print(f"  WRONG patient {one.number}, {one.mode}: {text}")
    took_s, steps = sum(one.took_s for one in told), sum(one.steps for one in told)
    print(
        f"{minutes:g} virtual minutes {'with' if with_faults else 'without'} faults, {PATIENTS} patients, "
        f"in {wall_s:.0f} s by the wall ({took_s:.0f} s of processor time, {1e6 * took_s / steps:.0f} us a "
        f"step): {sum(one.given for one in told)} pulses, {sum(one.unlocks for one in told)} unlocks, "
        f"{sum(trips.values())} {'trips' if with_faults else 'false trips'} {dict(sorted(trips.items()))}"
    )
    if worst_s:
        print("  last pulse after, ms:", {k: round(1e3 * s) for k, s in sorted(worst_s.items())})
    digest = hashlib.sha256("".join(one.digest for one in told).encode()).hexdigest()
    print(f"  {digest}", flush=True)
    return digest, sum(len(one.wrong) for one in told)


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    VirtualPatient.compile()  # once, into the cache of every process
    first, wrong_first = run(minutes, with_faults=True)
    second, wrong_second = run(minutes, with_faults=True)
    print("same bytes" if first == second else "NOT the same bytes", flush=True)
    _, wrong_healthy = run(minutes, with_faults=False)
    return 1 if first != second or wrong_first or wrong_second or wrong_healthy else 0


if __name__ == "__main__":
    sys.exit(main())
