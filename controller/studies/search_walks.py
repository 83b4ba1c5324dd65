"""How a set of gains serves the persons of a search: each walks plain, and once more disturbed.

Promises the same figures for the same gains, on any worker.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from controller.config.tunables import with_values
from controller.core.params import CoreParams
from controller.simulation.identified_body import identified_body
from controller.studies.loop_margins import controller, margins, plant
from controller.studies.measures import NAMES
from controller.studies.person import identified
from controller.studies.protocol import FaultsSection
from controller.studies.run import Arm, Run, Task, perform_arm
from controller.studies.search_file import Search
from models.cohort import CohortPatient, cohort_patient
from models.patient_params import RANGES

# What the robust figure is of: a lossy radio, a muscle taken for twice as strong, a pad that shifts half way.
DISTURBED_LOSS, DISTURBED_TORQUE, DISTURBED_PAD = 0.05, 2.0, 1.15
PACE_STRIDE_S, PACE_CV = 1.4, 0.025  # of a patient whose pace no file tells: the default patient's
ERROR, CHARGE = NAMES.index("swing_pitch_rmse_deg"), NAMES.index("charge_uc")


@dataclass(frozen=True, slots=True)
class Person:
    """Who walks: the body, and what the core is told of it."""

    member: CohortPatient
    known: CoreParams


@dataclass(frozen=True, slots=True)
class Served:
    """How one person is served: means over the counted strides of every measure, and the disturbed walk's
    error. ``why`` says why there are none.
    """

    means: tuple[float | None, ...] = ()
    disturbed_deg: float = math.inf
    why: str = ""


def person(search: Search, number: int) -> Person:
    """The person of a number, identified as at the bedside, or drawn about the session's patient."""
    asked = search.file.persons
    if asked.of == "cohort":
        member = cohort_patient(asked.first + number, asked.seed)
        return Person(member, identified(member, search.base))
    source = np.random.default_rng([0x5E, asked.seed, asked.first + number])
    body = identified_body(search.base, PACE_CV)
    half, torque, stiffness, delay = source.standard_normal(4).tolist()
    recruitment = body.recruitment
    i50_ma = recruitment.i50_ma * math.exp(asked.half_point_sd * half)
    drawn = dataclasses.replace(
        body,
        recruitment=dataclasses.replace(recruitment, i50_ma=i50_ma),
        evocable=_within("evocable", body.evocable * math.exp(asked.torque_sd * torque)),
        stiffness=_within("stiffness", body.stiffness * math.exp(asked.stiffness_sd * stiffness)),
        delay_s=_within("delay_s", body.delay_s + asked.delay_sd_ms / 1e3 * delay),
    )
    seed = int(source.integers(0, 2**31))
    member = CohortPatient(asked.first + number, drawn, PACE_STRIDE_S, search.speed_mps, seed)
    return Person(member, search.base)


def _within(name: str, value: float) -> float:
    low, high = RANGES[name]
    return min(high, max(low, value))


def serve(search: Search, who: Person, gains: dict[str, float]) -> Served:
    """Walk one person with a set of gains, plain and disturbed."""
    asked = search.file.search
    params, strides = with_values(search.base, gains), asked.wash_out_strides + asked.strides
    if asked.mode == "feedback" and not margins(plant(who.known) * controller(params.gains)).enough:
        return Served(why="the loop's margins on the identified model are too small")
    disturbed = FaultsSection.model_validate(
        {
            "samples_lost_share": DISTURBED_LOSS,
            "believed_torque_factor": DISTURBED_TORQUE,
            "electrode_factor": DISTURBED_PAD,
            "after_strides": asked.wash_out_strides + asked.strides // 2,
        }
    )
    most_ma = gains.get("limits.current_max_ma")
    arms = tuple(
        Arm(name, params, titrated=False, current_max_ma=most_ma, faults=faults)
        for name, faults in (("plain", FaultsSection.model_validate({})), ("disturbed", disturbed))
    )
    number = who.member.number
    task = Task("search", asked.seed, number, search.base, arms, strides, asked.wash_out_strides)
    plain, worse = (perform_arm(task, who.member, who.known, arm) for arm in arms)
    for run in (plain, worse):
        if not run.done:
            return Served(why=run.why)
    means, disturbed_means = _means(plain), _means(worse)
    error_deg = disturbed_means[ERROR] if disturbed_means else None
    if not means or error_deg is None or means[ERROR] is None or means[CHARGE] is None:
        return Served(why="no stride that counts")
    return Served(means, error_deg)


def _means(run: Run) -> tuple[float | None, ...]:
    """Over the counted strides; empty without any."""
    rows = [told for _, state, told in run.strides if state == "counted"]
    if not rows:
        return ()
    columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
    return tuple(float(np.mean(column)) if column else None for column in columns)
