"""What mode as-needed goes by, against the truth of virtual persons: toe clearance and the foot's pitch at
contact, as estimated from the sensors, and how the lift comes back after a swing without any pulse.

Usage: clearance.py [persons] [strides]; ``SEED`` in the environment picks another population.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.core import Core
from controller.core.signals import TickInputs
from controller.simulation.closed_loop import with_mode
from controller.simulation.loop import EPOCH_NS, TICK_S, Loop
from controller.studies.person import identified, patient_of
from models.cohort import cohort_patient
from models.patient import TrueStride

DEMO = Path(__file__).resolve().parents[1] / "configs" / "sessions" / "demo.toml"
PERSONS, STRIDES = 6, 40
FIRST = 5  # strides that are not judged
AFTER = 4  # strides walked after the one without pulses
NEAR_S = 0.3  # between a contact as it was and as it was seen

Errors = tuple[list[float], list[float], float]  # mm, deg; share of the lift after a swing without pulses


def walked(number: int, seed: int, strides: int) -> Errors:
    """Errors of every swing of one person, and the least share of the lift in the swing after the missed."""
    member = cohort_patient(number, seed)
    known = identified(member, core_params(load_session(DEMO)))
    loop = Loop(with_mode(known, "as-needed"), patient_of(member))
    seen: list[tuple[float, float | None, float | None]] = []  # contact s, mm, deg
    shares: list[tuple[float, float]] = []  # when a swing began, and the least share given in it
    swinging, landed_ns = False, None
    while loop.patient.stride_count < strides + AFTER:
        now_s = loop.ticks * TICK_S
        loop.patient.advance(now_s)
        scope = "nothing" if loop.patient.stride_count == strides else "walk"
        inputs = TickInputs(imu=loop.arrivals(now_s), scope=scope)
        choice = loop.core.decide(EPOCH_NS + round(now_s * 1e9), inputs)
        loop._stimulate(now_s, choice.command.channels)
        needed, contact_ns = loop.core.laws.strides.needed, loop.core.gait.clock.initial_contact_ns
        if choice.gait.phase.swinging and not swinging:
            shares.append((now_s, min(needed.mid_swing.share, needed.landing.share)))
        swinging = choice.gait.phase.swinging
        if contact_ns is not None and contact_ns != landed_ns and not swinging and _judged(loop.core):
            landed_ns = contact_ns
            pitch_deg = loop.core.laws.strides.learner.memory.pitch_deg_at(contact_ns)
            seen.append(((contact_ns - EPOCH_NS) / 1e9, needed.clearance_mm, pitch_deg))
        loop.ticks += 1
    true = loop.patient.strides()
    missed = true[strides]
    after = [share for begun_s, share in shares if begun_s > missed.next_initial_contact_s]
    return (*_errors(true[FIRST:strides], seen), after[0] if after else 0.0)


def _judged(core: Core) -> bool:
    """The swing that ended has been judged: the work between strides is past its first piece."""
    return not core.laws.strides.learning


def _errors(
    strides: list[TrueStride], seen: list[tuple[float, float | None, float | None]]
) -> tuple[list[float], list[float]]:
    clearance, pitch = [], []
    for one, following in pairwise(strides):
        near = [row for row in seen if abs(row[0] - one.next_initial_contact_s) < NEAR_S]
        if not near:
            continue
        _, clearance_mm, pitch_deg = near[0]
        if clearance_mm is not None:
            clearance.append(clearance_mm - 1e3 * one.toe_clearance_m)
        if pitch_deg is not None:
            pitch.append(pitch_deg - following.foot_pitch_at_initial_contact_deg)
    return clearance, pitch


def spread(name: str, unit: str, persons: list[list[float]]) -> None:
    """Mean and standard deviation, of all, between persons and from swing to swing."""
    every = np.concatenate([np.array(one) for one in persons])
    between = np.std([np.mean(one) for one in persons])
    within = np.mean([np.std(one) for one in persons])
    print(
        f"{name}: {len(every)} swings, error {every.mean():+.1f} {unit}, SD {every.std():.1f} "
        f"({between:.1f} between persons, {within:.1f} from swing to swing)"
    )


def main() -> None:
    persons = int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS
    strides = int(sys.argv[2]) if len(sys.argv) > 2 else STRIDES
    seed = int(os.environ.get("SEED", "2"))
    with ProcessPoolExecutor() as pool:
        told = list(pool.map(walked, range(persons), [seed] * persons, [strides] * persons))
    spread("toe clearance", "mm", [one for one, _, _ in told if one])
    spread("foot pitch at contact", "deg", [one for _, one, _ in told if one])
    whole = sum(share == 1.0 for _, _, share in told)
    print(f"lifted whole in the swing after one without pulses: {whole} of {persons} persons")


if __name__ == "__main__":
    main()
