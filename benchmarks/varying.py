"""Control on patients who vary: stride times that scatter, a slow muscle, and a change of pace.

Usage: varying.py [patients] [strides]; ``SEED`` in the environment picks another population (default 1); by
default 6 patients walk 60 strides.
``even`` is a walk at one pace, ``pace`` one whose strides are a fifth shorter from stride 31 on: judged
against the curve of the pace then walked, which is the person's own, moved by what lies between the normal
curves of the two speeds. How much quicker a person walks with that cadence is drawn from what healthy adults
do.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from benchmarks.control import (
    GOOD_DEG,
    HALF,
    LATE,
    changed_pace,
    identified,
    judged,
    quicker,
    spread,
    strides_to_good,
)
from controller.core.params import CoreParams
from controller.simulation.closed_loop import Rehearsal, Stride, with_mode
from models.cohort import CohortPatient, cohort_patient
from models.patient import VirtualPatient

STRIDE_CV = (0.02, 0.08)  # of stride time, after stroke (assumed)
SHANK_SD_DEG = (1.0, 3.0)  # from stride to stride (assumed)
SLOWNESS = (1.0, 1.6)  # of the muscle: bandwidth down to 12 rad/s
SHORTER = 0.8  # of the stride time, at the change of pace
# Speed goes with cadence to this power: middle 80 % of pairs of strides of eight adults (Lencioni 2019)
POWER = (0.8, 2.4)
SPEED_MAX_MPS = 1.6
LARGE_DEG = 8.0
SETTLED = 5  # strides after which none should be large
WALKS = ("even", "pace")


@dataclass(frozen=True)
class Walk:
    """The strides of one walk, those after a change of pace against its curve, and swings without a pulse."""

    strides: list[Stride]
    unlifted: int


def varying_patient(number: int, seed: int) -> tuple[CohortPatient, float]:
    """Member ``number`` of the population ``seed``, and the speed in m/s that its shorter strides have."""
    member, source = cohort_patient(number, seed), np.random.default_rng([0x7A, seed, number])
    body = dataclasses.replace(
        member.params,
        cadence_cv=float(source.uniform(*STRIDE_CV)),
        shank_sd_deg=float(source.uniform(*SHANK_SD_DEG)),
        muscle_slowness=float(source.uniform(*SLOWNESS)),
    )
    speed_mps = member.speed_mps * SHORTER ** -float(source.uniform(*POWER))
    return dataclasses.replace(member, params=body), min(SPEED_MAX_MPS, speed_mps)


def walked(member: CohortPatient, core: CoreParams, strides: int, quicker_mps: float | None) -> Walk:
    """``strides`` strides in learning mode; with ``quicker_mps`` the pace changes after ``HALF`` of them."""
    schedule, later = member.schedule(1e4), None
    if quicker_mps is not None:
        schedule = quicker(member, quicker_mps, SHORTER)
        later = changed_pace(member, core.reference, quicker_mps)
    walk = Rehearsal(with_mode(core, "learning"), VirtualPatient(member.params, member.seed, schedule))
    while len(walk.patient.strides()) < strides:
        walk.walk(walk.ticks / 200 + 0.5)
    made = judged(walk, later)
    return Walk(made[:strides], sum(s.charge_uc <= 0.0 for s in made[2:strides]))


def walks_of(number: int, seed: int, strides: int) -> dict[str, Walk]:
    member, quicker_mps = varying_patient(number, seed)
    core = identified(member)
    return {
        "even": walked(member, core, strides, None),
        "pace": walked(member, core, strides, quicker_mps),
    }


def table(walks: list[dict[str, Walk]]) -> list[str]:
    """The lines to print: median / 90th percentile of patients, degrees; shares of all strides."""
    lines = []
    for name in WALKS:
        strides = [walk[name].strides for walk in walks]
        errors = [[s.error_rms_deg for s in one] for one in strides]
        first = HALF if name == "even" else LATE
        lines.append(f"{name:5} error, strides {first + 1} on: {spread([_mean(e[first:]) for e in errors])}")
        settled = [value for e in errors for value in (e[SETTLED:] if name == "even" else e[LATE:])]
        large = 100.0 * float(np.mean([value > LARGE_DEG for value in settled]))
        lines.append(f"{name:5} strides above {LARGE_DEG:g} deg: {large:.2f} % of {len(settled)}")
        if name == "even":
            good = [strides_to_good(e) for e in errors]
            lines.append(f"{name:5} strides to < {GOOD_DEG:g}: {spread(good)}")
            over = [s.overshoot_deg for one in strides for s in one[SETTLED:]]
            lines.append(f"{name:5} overshoot p95 {np.percentile(over, 95):.1f}, worst {max(over):.1f}")
        else:
            early = [_mean(e[HALF + 2 : LATE]) for e in errors]
            lines.append(f"{name:5} error, strides {HALF + 3} to {LATE}: {spread(early)}")
            back = [strides_to_good(e[HALF:]) for e in errors]
            lines.append(f"{name:5} strides back to < {GOOD_DEG:g}: {spread(back)}")
        unlifted = sum(walk[name].unlifted for walk in walks)
        lines.append(f"{name:5} swings without a pulse: {unlifted} of {sum(map(len, strides))}")
    return lines


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def main() -> None:
    """Print the table."""
    patients, strides = (int(sys.argv[n]) if len(sys.argv) > n else (6, 60)[n - 1] for n in (1, 2))
    seed, made = int(os.environ.get("SEED", "1")), {}
    with ProcessPoolExecutor() as pool:
        jobs = {pool.submit(walks_of, n, seed, strides): n for n in range(patients)}
        for done in as_completed(jobs):
            made[jobs[done]] = done.result()
            print(f"{len(made)} of {patients} patients have walked", file=sys.stderr, flush=True)
    print(f"{patients} patients x {strides} strides, population {seed}: median / 90th percentile of patients")
    print("\n".join(table([made[n] for n in range(patients)])))


if __name__ == "__main__":
    main()
