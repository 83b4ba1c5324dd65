"""The control laws on a cohort of virtual patients: error, convergence and robustness, arm by arm.

Events, angles and phase come from the patients' inertial samples alone; the body's numbers from the three
identification tests. Usage: control.py [patients] [strides] [condition ...]
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.config import core_params, load_session, normal_reference
from controller.core.params import CoreParams, Envelope
from controller.core.signals import Mode
from controller.rehearsal import EPOCH_NS, Rehearsal, Stride, with_mode
from drivers.interface import ImuSample
from models.cohort import CohortPatient, cohort
from models.foot_plate import perform_tests
from models.gait import Activity
from models.identification import identify
from models.patient import STAND_FIRST_S, VirtualPatient

DEMO = Path(__file__).resolve().parents[1] / "configs" / "sessions" / "demo.toml"
GOOD_DEG = 3.0
NEVER = 999
HALF = 30  # the stride after which something changes
TITRATION = (0.8, 1.0, 1.2)  # trapezoid currents tried, of the identified half-point

Change = Callable[["Trial"], None]


@dataclass
class Trial:
    """One walk of one patient under one condition, before and while it runs."""

    member: CohortPatient
    params: CoreParams
    patient: VirtualPatient
    walk: Rehearsal | None = None
    at_half: Change | None = None


def identified(member: CohortPatient) -> CoreParams:
    """What a session file would hold after this patient's identification."""
    found, base, body = (
        identify(perform_tests(member.params, member.seed)),
        core_params(load_session(DEMO)),
        member.params,
    )
    lag = found.hammerstein()
    foot_kg, length_m = (
        0.0145 * body.mass_kg,
        0.152 * body.height_m,
    )  # Winter, as in the session's own numbers
    forward_m = 0.44 * length_m
    return dataclasses.replace(
        base,
        placements=tuple(dataclasses.replace(p, side=body.side) for p in base.placements),
        muscle=dataclasses.replace(
            base.muscle,
            i50_ma=found.i50_ma.value,
            sigma=found.sigma.value,
            torque_max_nm=found.torque_max_nm.value,
            bandwidth_rps=found.bandwidth_rad_per_s.value,
            delay_s=lag.delay_s,
        ),
        foot=dataclasses.replace(
            base.foot,
            mass_kg=foot_kg,
            com_forward_m=forward_m,
            inertia_kgm2=foot_kg * ((0.25 * length_m) ** 2 + forward_m**2),
            passive_factor=found.stiffness.value,
            neutral_deg=found.neutral_shift_deg.value,
            thigh_m=0.245 * body.height_m,
            shank_m=0.246 * body.height_m,
        ),
        reference=normal_reference(member.speed_mps),
        pulse=dataclasses.replace(base.pulse, current_max_ma=found.marks.comfort_ma),
    )


def begin(member: CohortPatient, params: CoreParams, condition: str) -> Trial:
    """Prepare a walk; the condition changes the body, what is believed of it, the path or the radio."""
    body, schedule = member.params, member.schedule(1e4)
    muscle = params.muscle
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
        body = dataclasses.replace(body, stiffness=min(5.0, 2.0 * body.stiffness))
    elif condition == "delay + 30 ms":
        body = dataclasses.replace(body, delay_s=min(0.1, body.delay_s + 0.03))
    elif condition == "speed change":
        half_s = HALF * member.stride_s
        schedule = (
            Activity("stand", STAND_FIRST_S),
            Activity("walk", half_s, member.speed_mps, member.stride_s),
            Activity("walk", 1e4, min(1.3, 1.25 * member.speed_mps), 0.87 * member.stride_s),
        )
    trial = Trial(
        member, dataclasses.replace(params, muscle=muscle), VirtualPatient(body, member.seed, schedule)
    )
    if condition == "electrode shift":
        trial.at_half = _shift
    elif condition == "stride missed":
        trial.at_half = _miss
    trial.walk = Rehearsal(
        trial.params, trial.patient, _loss(member.seed) if condition == "5 % lost" else None
    )
    return trial


def walked(trial: Trial, strides: int) -> list[Stride]:
    walk, member = trial.walk, trial.member
    assert walk is not None
    while len(trial.patient.strides()) < strides and walk.ticks < 200 * (
        STAND_FIRST_S + 2.2 * strides * member.stride_s
    ):
        if trial.at_half is not None and len(trial.patient.strides()) == HALF:
            trial.at_half(trial)
            trial.at_half = None
        walk.walk(walk.ticks / 200 + 0.2)
    return walk.strides()


def _shift(trial: Trial) -> None:
    body = trial.patient.params
    trial.patient.params = dataclasses.replace(body, electrode_gain=min(3.0, 1.3 * body.electrode_gain))


def _miss(trial: Trial) -> None:
    walk = trial.walk
    assert walk is not None
    from_ns = EPOCH_NS + walk.ticks * 5_000_000
    until_ns = from_ns + int(1e9 * trial.member.stride_s)
    walk.spoil = lambda sample: None if from_ns <= sample.t_ns < until_ns else sample


def _loss(seed: int) -> Callable[[ImuSample], ImuSample | None]:
    source = np.random.default_rng([0x105, seed])
    return lambda sample: None if source.random() < 0.05 else sample


def strides_to_good(errors: list[float]) -> int:
    """The first stride below 3 deg from which the mean of three stays below; NEVER where none does."""
    for first in range(len(errors) - 2):
        means = [float(np.mean(errors[n : n + 3])) for n in range(first, len(errors) - 2)]
        if errors[first] < GOOD_DEG and max(means) < GOOD_DEG:
            return first + 1
    return NEVER


def spread(values: list[float]) -> str:
    shown = [float(np.median(values)), float(np.percentile(values, 90))]
    return " / ".join("never" if value > NEVER / 2 else f"{value:.1f}" for value in shown)


def titrated(member: CohortPatient, params: CoreParams) -> CoreParams:
    """The trapezoid at the current that serves this patient's first strides best, as by hand."""

    def tried(share: float) -> tuple[float, CoreParams]:
        height_ma = min(params.pulse.current_max_ma, share * params.muscle.i50_ma)
        core = dataclasses.replace(
            with_mode(params, "trapezoid"), envelope=Envelope(height_ma, 0.2, 0.15, 0.2)
        )
        return float(np.mean([s.error_rms_deg for s in walked(begin(member, core, ""), 8)[3:]])), core

    return min((tried(share) for share in TITRATION), key=lambda pair: pair[0])[1]


def main() -> None:
    patients, strides = (int(sys.argv[n]) if len(sys.argv) > n else (20, 60)[n - 1] for n in (1, 2))
    wanted = sys.argv[3:]
    bodies = [(member, identified(member)) for member in cohort(patients)]
    print(f"{patients} patients x {strides} strides; median / 90th percentile of patients; degrees")
    charge: dict[int, float] = {}
    for mode in ("off", "trapezoid", "feedback", "learning"):
        if not wanted or mode in wanted:
            _arm(mode, bodies, strides, charge)
    for condition in (
        "gain a third", "gain three times", "no identification", "electrode shift", "speed change",
        "stiffness twice", "delay + 30 ms", "5 % lost", "stride missed",
    ):  # fmt: skip
        if not wanted or condition in wanted:
            _condition(condition, bodies, strides)


def _arm(
    mode: Mode, bodies: list[tuple[CohortPatient, CoreParams]], strides: int, charge: dict[int, float]
) -> None:
    rows = []
    for member, params in bodies:
        core = titrated(member, params) if mode == "trapezoid" else with_mode(params, mode)
        done = walked(begin(member, core, ""), strides)
        late = done[len(done) // 2 :]
        given = float(np.mean([s.charge_uc for s in late]))
        if mode == "trapezoid":
            charge[member.number] = given
        rows.append(
            (
                float(np.mean([s.error_rms_deg for s in late])),
                strides_to_good([s.error_rms_deg for s in done[1:]]),
                float(np.median([s.ankle_error_deg for s in late])),
                100.0 * float(np.mean([s.forefoot for s in done[5:]])),
                given / charge[member.number] if member.number in charge else 0.0,
                max(s.overshoot_deg for s in done),
                float(np.percentile([s.overshoot_deg for s in late], 95)),
            )
        )
    error, to_good, ankle, forefoot, relative, worst, above = zip(*rows, strict=True)
    print(
        f"{mode:18} error {spread(list(error))} | to <3 {spread(list(to_good))}"
        f" | ankle at contact {spread(list(ankle))}"
        f" | forefoot {np.mean(forefoot):.0f} % | charge {np.median(relative):.2f}"
        f" | overshoot 95th {np.median(above):.1f}, worst {max(worst):.1f}",
        flush=True,
    )


def _condition(condition: str, bodies: list[tuple[CohortPatient, CoreParams]], strides: int) -> None:
    late_error, to_good, after, worst = [], [], [], []
    for member, params in bodies:
        done = walked(begin(member, with_mode(params, "learning"), condition), strides)
        trace = [s.error_rms_deg for s in done]
        late_error.append(float(np.mean(trace[2 * strides // 3 :])))
        to_good.append(float(strides_to_good(trace[1:])))
        after.append(float(strides_to_good(trace[HALF:])))
        worst.append(max(s.overshoot_deg for s in done))
    print(
        f"{condition:18} error, last third {spread(late_error)} | to <3 {spread(to_good)}"
        f" | from stride {HALF + 1} {spread(after)} | worst overshoot {max(worst):.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
