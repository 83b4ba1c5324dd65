"""A virtual person as a session would know them: identified by the three tests and a walk without pulses.

Promises that the core of a study is told what `dorsi identify` and `dorsi reference` would find, never the
body's own numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from controller.analysis.own_swings import OwnSwings, lifts_deg
from controller.config.core_params import normal_reference
from controller.core.control.reference import suited
from controller.core.params import CoreParams, Envelope, Reference
from controller.simulation.closed_loop import TrueMeasure, measured, with_mode
from controller.simulation.loop import TICK_S
from controller.simulation.walk import Walk
from models.cohort import CohortPatient
from models.foot_plate import perform_tests
from models.identification import identify
from models.patient import STAND_FIRST_S, VirtualPatient

OWN_STRIDES = 7  # walked without stimulation for the person's own part of the reference
TITRATION = (0.8, 0.9, 1.0, 1.1, 1.2)  # trapezoid currents tried, of the identified half-point
TITRATION_STRIDES, TITRATION_FROM = 8, 3  # walked with each, and judged from the fourth on
TRAPEZOID_S = (0.2, 0.15, 0.2)  # rise, extension and fall of the titrated train
UNEVEN = 2.2  # times the person's stride: who has not walked a stride in that time does not walk
WALK_S = 1e4  # longer than any arm


def identified(member: CohortPatient, base: CoreParams) -> CoreParams:
    """What a session file would hold after this person's identification and a walk without pulses."""
    core = identified_body(member, base)
    return dataclasses.replace(core, reference=own_reference(member, core))


def identified_body(member: CohortPatient, base: CoreParams) -> CoreParams:
    """``base`` with this person's muscle, ankle, comfort and size, the reference normal at their speed."""
    found, body = identify(perform_tests(member.params, member.seed)), member.params
    foot_kg, length_m = 0.0145 * body.mass_kg, 0.152 * body.height_m  # Winter, as in a session's numbers
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
            delay_s=found.hammerstein().delay_s,
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


def own_reference(member: CohortPatient, core: CoreParams) -> Reference:
    """The normal reference, lifted where this foot is higher without pulses, as `dorsi reference` does."""
    found = OwnSwings()
    walk = Walk(with_mode(core, "off"), patient_of(member), watch=found.watch)
    until_s = STAND_FIRST_S + 4 * OWN_STRIDES * member.stride_s
    while len(found.curves) < OWN_STRIDES and walk.ticks * TICK_S < until_s:
        walk.piece()
    normal = core.reference
    return normal_reference(member.speed_mps, lift_deg=lifts_deg(normal, suited(normal, found.settled)))


def titrated(member: CohortPatient, params: CoreParams) -> CoreParams:
    """The trapezoid at the current that serves this person's first strides best, as by hand."""

    def tried(share: float) -> tuple[float, CoreParams]:
        height_ma = min(params.pulse.current_max_ma, share * params.muscle.i50_ma)
        core = dataclasses.replace(with_mode(params, "trapezoid"), envelope=Envelope(height_ma, *TRAPEZOID_S))
        strides = walked(Walk(core, patient_of(member)), member, TITRATION_STRIDES)
        return float(np.mean([_error_deg(one) for one in strides[TITRATION_FROM:]])), core

    return min((tried(share) for share in TITRATION), key=lambda pair: pair[0])[1]


def _error_deg(one: TrueMeasure) -> float:
    assert one.stride.swing_pitch_rmse_deg is not None
    return one.stride.swing_pitch_rmse_deg


def patient_of(member: CohortPatient) -> VirtualPatient:
    return VirtualPatient(member.params, member.seed, member.schedule(WALK_S))


def last_s(member: CohortPatient, strides: int) -> float:
    """When so many strides are waited for no longer."""
    return STAND_FIRST_S + UNEVEN * strides * member.stride_s


def walked(
    walk: Walk, member: CohortPatient, strides: int, between: Callable[[int], None] = lambda _: None
) -> list[TrueMeasure]:
    """Walk until that many strides are complete, or the person walks no more; ``between`` the pieces the
    number of strides so far is told.
    """
    until_s = last_s(member, strides)
    while walk.patient.stride_count < strides and walk.ticks * TICK_S < until_s:
        between(walk.patient.stride_count)
        walk.piece()
    return measured(walk, walk.params.reference)[:strides]
