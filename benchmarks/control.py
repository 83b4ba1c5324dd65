"""The control laws on a cohort of virtual patients: every row of the control table and its bounds.

Events, angles and phase come from the patients' inertial samples alone; the body's numbers from the three
identification tests, the reference from normal gait at the patient's speed and a short walk without pulses.
Some patients cannot be lifted to the reference by the highest current they allow, however well it is steered:
where the body changes, a second walk with that current throughout, of a muscle that never tires, shows which.
Under some conditions the same patients walk with a plain learning law, too.
Usage: control.py [patients] [strides] [condition ...]; ``SEED`` in the environment picks another population,
``PICTURE`` names a file for error by stride, a line a patient.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from controller.config.core_params import core_params, normal_reference
from controller.config.session import load_session
from controller.core.control.learning import Learner
from controller.core.output.pulse_shaping import Intensity
from controller.core.params import CoreParams, Reference
from controller.core.signals import Mode
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal, Stride, judge, with_mode
from controller.studies import person
from controller.studies.compared_laws import put
from drivers.interface import ImuSample
from models.cohort import CohortPatient, cohort_patient
from models.gait import Activity
from models.patient import STAND_FIRST_S, VirtualPatient
from models.patient_params import PatientParams
from models.recruitment import equivalent_ma

DEMO = Path(__file__).resolve().parents[1] / "configs" / "sessions" / "demo.toml"
GOOD_DEG = 3.0
NEVER = 1e9
HALF = 30  # the stride after which something changes
LATE = 40  # strides after these are judged where something changed
STANCE_PERCENT = (5.0, 40.0)  # of the true stride after the ramp down: here no pulse may move the foot

Change = Callable[["Trial"], None]
ARMS = ("off", "trapezoid", "feedback", "learning")
CONDITIONS = (
    "gain a third", "gain three times", "no identification", "electrode shift", "speed change",
    "stiffness twice", "fatigue", "delay + 30 ms", "5 % lost", "stride missed", "foot sensor alone",
)  # fmt: skip
WEAKER = ("electrode shift", "stiffness twice")  # the highest current may not do: a walk with it is shown too
BESIDE_PLAIN = ("learning", "gain a third", "gain three times", "no identification", "speed change")
PLAIN = "plain ILC"
MORE_THAN_ANY_NM = 1000.0
Walks = dict[str, "Outcome"]  # of one patient, by condition


@dataclass
class Trial:
    """One walk of one patient under one condition, before and while it runs."""

    member: CohortPatient
    params: CoreParams
    patient: VirtualPatient
    walk: Rehearsal
    at_half: Change | None = None
    later: tuple[float, Reference] | None = None  # from that time on, s, strides are judged against this one


@dataclass(frozen=True)
class Outcome:
    """What one walk showed."""

    strides: list[Stride]
    faulty: int  # pulses above the motor threshold in mid-stance
    saturated: float  # share of the swing's ticks at the highest current allowed

    @property
    def errors(self) -> list[float]:
        return [stride.error_rms_deg for stride in self.strides]

    def mean_error(self, first: int) -> float:
        return float(np.mean(self.errors[first:]))

    @property
    def short(self) -> list[float]:
        return [stride.short_rms_deg for stride in self.strides]

    def mean_short(self, first: int) -> float:
        return float(np.mean(self.short[first:]))


def identified(member: CohortPatient) -> CoreParams:
    """What a session file would hold after this patient's identification and a walk without pulses."""
    return person.identified(member, core_params(load_session(DEMO)))


def identified_body(member: CohortPatient) -> CoreParams:
    """The same with the normal reference."""
    return person.identified_body(member, core_params(load_session(DEMO)))


def begin(member: CohortPatient, params: CoreParams, condition: str) -> Trial:
    """Prepare a walk; the condition changes the body, what is believed of it, the path or the radio."""
    body, schedule = member.params, member.schedule(1e4)
    muscle, later = params.muscle, None
    if condition == "gain a third":
        muscle = dataclasses.replace(muscle, torque_max_nm=3.0 * muscle.torque_max_nm)
    elif condition == "gain three times":
        muscle = dataclasses.replace(muscle, torque_max_nm=muscle.torque_max_nm / 3.0)
    elif condition == "no identification":
        # the middle of the cohort's ranges
        muscle = dataclasses.replace(
            muscle, i50_ma=30.0, sigma=0.25, torque_max_nm=15.0, bandwidth_rps=18.0, delay_s=0.045
        )
        params = dataclasses.replace(
            params, foot=dataclasses.replace(params.foot, passive_factor=1.3, neutral_deg=-3.0)
        )
    elif condition == "stiffness twice":
        body = changed(body, condition)
    elif condition == "fatigue":
        body = dataclasses.replace(body, fatigue_s=0.5 * body.fatigue_s, fatigue_min=0.1)
    elif condition == "delay + 30 ms":
        body = dataclasses.replace(body, delay_s=min(0.1, body.delay_s + 0.03))
    elif condition == "foot sensor alone":
        params = dataclasses.replace(
            params, placements=tuple(p for p in params.placements if p.segment == "foot")
        )
    elif condition == "speed change":
        quicker_mps = min(1.3, 1.25 * member.speed_mps)
        schedule = quicker(member, quicker_mps, 0.87)
        later = changed_pace(member, params.reference, quicker_mps)
    patient = VirtualPatient(body, member.seed, schedule)
    params = dataclasses.replace(params, muscle=muscle)
    walk = Rehearsal(params, patient, _loss(member.seed) if condition == "5 % lost" else None)
    at_half = {"electrode shift": _shift, "stride missed": _miss}.get(condition)
    return Trial(member, params, patient, walk, at_half, later)


def quicker(member: CohortPatient, speed_mps: float, shorter: float) -> tuple[Activity, ...]:
    """``HALF`` strides at the person's own pace, then at another one."""
    return (
        Activity("stand", STAND_FIRST_S),
        Activity("walk", HALF * member.stride_s, member.speed_mps, member.stride_s),
        Activity("walk", 1e4, speed_mps, shorter * member.stride_s),
    )


def changed_pace(member: CohortPatient, reference: Reference, speed_mps: float) -> tuple[float, Reference]:
    """When the strides of the other pace have begun, and the person's reference at it: moved by what lies
    between the normal curves of the two speeds."""
    normal, other = normal_reference(member.speed_mps), normal_reference(speed_mps)
    pitch = np.array(reference.foot_pitch_deg) - normal.foot_pitch_deg + other.foot_pitch_deg
    moved = dataclasses.replace(
        reference, foot_pitch_deg=tuple(pitch.tolist()), shank_pitch_deg=other.shank_pitch_deg
    )
    return STAND_FIRST_S + (HALF + 1) * member.stride_s, moved


def judged(walk: Rehearsal, later: tuple[float, Reference] | None) -> list[Stride]:
    """Every stride against the reference of its pace."""
    strides = walk.strides()
    if later is None:
        return strides
    begin_s, reference = later
    return [b if b.end_s > begin_s else a for a, b in zip(strides, judge(walk, reference), strict=True)]


@dataclass(slots=True)
class HighestLearner(Learner):
    """The bound: all that the current can ever do, whenever the window is open."""

    def at(self, percent: float) -> float:
        """More than any muscle has, at every phase."""
        return MORE_THAN_ANY_NM


def plainly(trial: Trial) -> Trial:
    """The same with the plain law in the place of the learning one."""
    put(trial.walk.core, "plain")
    return trial


def walked(trial: Trial, strides: int) -> Outcome:
    walk, member = trial.walk, trial.member
    limit = 200 * (STAND_FIRST_S + 2.2 * strides * member.stride_s)
    while len(trial.patient.strides()) < strides and walk.ticks < limit:
        if trial.at_half is not None and len(trial.patient.strides()) == HALF:
            trial.at_half(trial)
            trial.at_half = None
        walk.walk(walk.ticks / 200 + 0.2)
    muscle, envelope = trial.params.muscle, trial.params.envelope
    threshold_ma = walk.core.output.first.threshold_ma
    ramp_percent = 100.0 * (envelope.extension_s + envelope.fall_s) / member.stride_s
    times = [point.time_s for point in walk.trace]
    at = np.searchsorted(times, [time_s for time_s, _, _ in walk.pulses])
    faulty = sum(
        equivalent_ma(current_ma, width_us, muscle.chronaxie_us) > threshold_ma
        and ramp_percent + STANCE_PERCENT[0]
        < walk.trace[min(int(n), len(times) - 1)].phase_percent
        < STANCE_PERCENT[1]
        for n, (_, current_ma, width_us) in zip(at, walk.pulses, strict=True)
    )
    swing = [point.current_ma or 0.0 for point in walk.trace if point.in_swing]
    most_ma = trial.params.pulse.current_max_ma - trial.params.pulse.current_step_ma
    return Outcome(judged(walk, trial.later), faulty, float(np.mean(np.array(swing) >= most_ma)))


def changed(body: PatientParams, condition: str) -> PatientParams:
    """The body of one of the conditions ``WEAKER``."""
    if condition == "electrode shift":
        return dataclasses.replace(body, electrode_gain=min(3.0, 1.3 * body.electrode_gain))
    return dataclasses.replace(body, stiffness=min(5.0, 2.0 * body.stiffness))


def highest(member: CohortPatient, params: CoreParams, condition: str) -> Trial:
    """The bound: the highest current in every window since the change; a muscle known that never tires."""
    muscle = identified_body(dataclasses.replace(member, params=changed(member.params, condition))).muscle
    tireless = dataclasses.replace(member, params=dataclasses.replace(member.params, fatigue_min=1.0))
    trial = begin(tireless, params, condition)
    change = trial.at_half

    def switch(now: Trial) -> None:
        if change is not None:
            change(now)
        core = now.walk.core
        core.laws.strides.learner = HighestLearner(now.params, core.laws.strides.learner.ankle)
        core.output.first = Intensity(muscle, now.params.pulse)
        core.laws.first = core.output.first.recruitment

    if change is None:
        switch(trial)
    else:
        trial.at_half = switch
    return trial


def _shift(trial: Trial) -> None:
    trial.patient.params = changed(trial.patient.params, "electrode shift")


def _miss(trial: Trial) -> None:
    from_ns = EPOCH_NS + trial.walk.ticks * 5_000_000
    until_ns = from_ns + int(1e9 * trial.member.stride_s)
    trial.walk.spoil = lambda sample: None if from_ns <= sample.t_ns < until_ns else sample


def _loss(seed: int) -> Callable[[ImuSample], ImuSample | None]:
    source = np.random.default_rng([0x105, seed])
    return lambda sample: None if source.random() < 0.05 else sample


def strides_to_good(errors: list[float]) -> float:
    """The first stride below 3 deg from which the mean of three is below, too; NEVER where none is."""
    for first in range(len(errors) - 2):
        if errors[first] < GOOD_DEG and float(np.mean(errors[first : first + 3])) < GOOD_DEG:
            return first + 1.0
    return NEVER


def spread(values: list[float]) -> str:
    shown = [float(np.median(values)), float(np.percentile(values, 90))]
    between = NEVER / 100.0  # the percentile may lie between a patient who never came there and another
    return " / ".join("never" if value > between else f"{value:.1f}" for value in shown)


Row = tuple[str, list[float], tuple[float, float] | None]


def rows(condition: str, walks: list[Walks]) -> list[Row]:
    """The figures of one condition, one value a patient, and what median and 90th percentile must keep."""
    outcomes = [walk[condition] for walk in walks]
    base, hand = ([walk[arm] for walk in walks if arm in walk] for arm in ("learning", "trapezoid"))
    late = [o.mean_error(LATE) for o in outcomes]
    good = [strides_to_good(o.errors) for o in outcomes]
    above = [max(s.overshoot_deg for s in o.strides) for o in outcomes]
    if condition in ARMS:
        must = condition == "learning"
        half = [o.strides[HALF:] for o in outcomes]
        made: list[Row] = [
            ("error, strides 31 on", [o.mean_error(HALF) for o in outcomes], (2.5, 3.2) if must else None),
            ("strides to < 3", good, (3, 6) if must else None),
            (
                "ankle error at contact",
                [float(np.mean([s.ankle_error_deg for s in h])) for h in half],
                (1.3, 2.5) if must else None,
            ),
            (
                "forefoot contacts after stride 5, %",
                [100.0 * float(np.mean([s.forefoot for s in o.strides[5:]])) for o in outcomes],
                (0, 0) if must else None,
            ),
            (
                "overshoot in late swing, 95th percentile",
                [float(np.percentile([s.overshoot_deg for s in o.strides], 95)) for o in outcomes],
                (3.5, 9.0) if must else None,
            ),
            ("overshoot, worst", above, (9.0, 9.0) if must else None),
            ("share of swing at the highest current", [o.saturated for o in outcomes], None),
        ]
        if hand and condition != "trapezoid":
            share = [_charge(o) / _charge(h) for o, h in zip(outcomes, hand, strict=True)]
            made.append(("charge against the trapezoid", share, (0.95, 9.0) if must else None))
        return made
    if condition == "gain a third":
        return [("strides to < 3", good, (8, 14))]
    if condition == "gain three times":
        return [("error, strides 41 on", late, (2.8, 3.8)), ("overshoot, worst", above, (13, 13))]
    if condition == "no identification":
        return [("error, strides 41 on", late, (2.6, 4.0))]
    if condition in WEAKER:
        return _weaker(condition, outcomes, [walk[f"{condition}, highest"] for walk in walks])
    if condition == "speed change":
        return [("error, strides 41 on", late, (3.2, 4.4))]
    if condition == "stride missed":
        back = [strides_to_good(o.errors[HALF + 1 :]) for o in outcomes]
        faulty = [float(o.faulty) for o in outcomes]
        return [("strides back to < 3", back, (2, 5)), ("faulty pulses", faulty, (0, 0))]
    if condition == "foot sensor alone":
        return [("error, strides 31 on", [o.mean_error(HALF) for o in outcomes], None)]
    more = [a - o.mean_error(LATE) for a, o in zip(late, base, strict=True)]
    return [("error above the patient's base, strides 41 on", more, (0.2, 9.0))]


def _weaker(condition: str, outcomes: list[Outcome], highest: list[Outcome]) -> list[Row]:
    """A figure of all, of those whom the highest current can lift, and its bound: with that current
    throughout, only what is below the reference counted."""
    if condition == "electrode shift":
        figure, must = "strides to < 3 from stride 31", (5.0, 9.0)
        values = [strides_to_good(o.errors[HALF:]) for o in outcomes]
        least = [strides_to_good(o.short[HALF:]) for o in highest]
    else:
        figure, must = "error, strides 41 on", (2.7, 3.5)
        values = [o.mean_error(LATE) for o in outcomes]
        least = [o.mean_short(LATE) for o in highest]
    able = [o.mean_short(LATE) < GOOD_DEG for o in highest]
    lifted = [value for value, can in zip(values, able, strict=True) if can]
    return [
        (figure, values, must),
        (f"the same, the {len(lifted)} whom the current can lift", lifted, must),
        ("the same, what is below, highest current, tireless", least, None),
        ("share of swing at the highest current", [o.saturated for o in outcomes], None),
    ]


def _charge(outcome: Outcome) -> float:
    return float(np.mean([stride.charge_uc for stride in outcome.strides[HALF:]]))


def walks_of(number: int, seed: int, strides: int, wanted: tuple[str, ...]) -> Walks:
    """Every wanted walk of one patient."""
    member = cohort_patient(number, seed)
    params = identified(member)
    made: Walks = {}
    for condition in wanted:
        mode: Mode = condition if condition in ARMS else "learning"  # type: ignore[assignment]  # those in ARMS are
        core = person.titrated(member, params) if mode == "trapezoid" else with_mode(params, mode)
        change = "" if condition in ARMS else condition
        made[condition] = walked(begin(member, core, change), strides)
        if condition in BESIDE_PLAIN:
            made[f"{condition}, {PLAIN}"] = walked(plainly(begin(member, core, change)), strides)
        if condition in WEAKER:
            made[f"{condition}, highest"] = walked(highest(member, core, change), strides)
    return made


def all_walks(patients: int, strides: int, wanted: tuple[str, ...]) -> list[Walks]:
    """The walks of every patient, on all processors; says how far it is."""
    seed, made = int(os.environ.get("SEED", "1")), {}
    with ProcessPoolExecutor() as pool:
        jobs = {pool.submit(walks_of, n, seed, strides, wanted): n for n in range(patients)}
        for done in as_completed(jobs):
            made[jobs[done]] = done.result()
            print(f"{len(made)} of {patients} patients have walked", file=sys.stderr, flush=True)
    return [made[n] for n in range(patients)]


def picture(walks: list[Walks], path: Path) -> None:
    """Error by stride of every patient, a panel for each arm and condition walked."""
    names = list(walks[0])
    across = min(4, len(names))
    figure = Figure(figsize=(3.6 * across, 2.6 * math.ceil(len(names) / across)), layout="constrained")
    panels = figure.subplots(math.ceil(len(names) / across), across, sharex=True, sharey=True, squeeze=False)
    for panel, name in zip(panels.flat, names, strict=False):
        errors = [walk[name].errors for walk in walks if name in walk]
        for values in errors:
            panel.plot(range(1, len(values) + 1), values, color="tab:blue", alpha=0.25, linewidth=0.7)
        seen = min(len(values) for values in errors)
        median = np.median([values[:seen] for values in errors], axis=0)
        panel.plot(range(1, seen + 1), median, color="tab:blue", linewidth=1.8)
        panel.axhline(GOOD_DEG, color="0.5", linewidth=0.8, linestyle="--")
        panel.set_title(name, fontsize=9)
    for panel in list(panels.flat)[len(names) :]:
        panel.set_axis_off()
    figure.suptitle(
        "Swing foot-pitch error: a thin line a patient, thick their median, dashed 3 deg", fontsize=10
    )
    figure.supxlabel("stride")
    figure.supylabel("deg r.m.s.")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the table, and how many of its figures miss what they must keep."""
    patients, strides = (int(sys.argv[n]) if len(sys.argv) > n else (20, 60)[n - 1] for n in (1, 2))
    wanted = tuple(sys.argv[3:]) or (*ARMS, *CONDITIONS)
    above_base = {"fatigue", "delay + 30 ms", "5 % lost"}
    if above_base & set(wanted) and "learning" not in wanted:
        wanted = ("learning", *wanted)
    walks = all_walks(patients, strides, wanted)
    print(f"{patients} patients x {strides} strides: median / 90th percentile of patients, degrees")
    missed = 0
    for condition in wanted:
        for figure, values, must in rows(condition, walks):
            if not values:
                continue
            kept = must is None or (
                np.median(values) <= must[0] + 1e-9 and np.percentile(values, 90) <= must[1] + 1e-9
            )
            missed += not kept
            asked = "" if must is None else f"must {must[0]:g} / {must[1]:g}  {'ok' if kept else 'MISSED'}"
            print(f"{condition:18} {figure:54} {spread(values):14} {asked}", flush=True)
        if condition in BESIDE_PLAIN:
            beside = [{**walk, condition: walk[f"{condition}, {PLAIN}"]} for walk in walks]
            for figure, values, _ in rows(condition, beside):
                print(f"{PLAIN:18} {figure:54} {spread(values)}", flush=True)
        if condition == "learning":
            by_patient = " ".join(f"{walk[condition].mean_error(HALF):.1f}" for walk in walks)
            print("                   by patient:", by_patient, flush=True)
    print(f"{missed} figures missed" if missed else "every figure kept")
    if "PICTURE" in os.environ:
        picture(walks, Path(os.environ["PICTURE"]))


if __name__ == "__main__":
    main()
