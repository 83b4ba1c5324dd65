"""The virtual patient that a session's identified numbers describe: what a preview and a search walk."""

from __future__ import annotations

import dataclasses

import numpy as np

from controller.core.params import CoreParams
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import RANGES, PatientParams
from models.plate_model import equivalent_second_order
from models.recruitment import RecruitmentParams

SLOWNESS_GRID = (0.5, 0.7, 1.0, 1.4, 2.0)


def identified_body(params: CoreParams, stride_cv: float) -> PatientParams:
    """The virtual patient that the identified numbers describe; the rest is the default patient's."""
    muscle, foot = params.muscle, params.foot
    grid = [equivalent_second_order(slowness)[0] for slowness in SLOWNESS_GRID]
    slowness = float(np.interp(-muscle.bandwidth_rps, [-b for b in grid], SLOWNESS_GRID))
    body = PatientParams(
        side=params.placements[0].side,
        mass_kg=foot.mass_kg / 0.0145,  # Winter, as in the session's own numbers
        height_m=foot.thigh_m / 0.245,
        recruitment=RecruitmentParams(muscle.i50_ma, muscle.sigma, muscle.chronaxie_us),
        comfort_ma=_within("comfort_ma", params.pulse.current_max_ma),
        delay_s=_within("delay_s", muscle.delay_s),
        muscle_slowness=_within("muscle_slowness", slowness),
        stiffness=_within("stiffness", foot.passive_factor),
        neutral_shift_deg=_within("neutral_shift_deg", foot.neutral_deg),
        damping_nms=_within("damping_nms", foot.damping_nms_per_rad),
        cadence_cv=_within("cadence_cv", stride_cv),
    )
    evocable = body.evocable * muscle.torque_max_nm / full_torque_nm(body)
    return dataclasses.replace(body, evocable=_within("evocable", evocable))


def _within(name: str, value: float) -> float:
    """The nearest value the model is made for."""
    low, high = RANGES[name]
    return min(high, max(low, value))


def full_torque_nm(body: PatientParams) -> float:
    """Torque of the rested muscle at full recruitment, as the identification measures it: seated, 100 Hz."""
    seated = VirtualPatient(dataclasses.replace(body, volition=0.0), 1, (Activity("sit", 1e4),))
    seated.advance(0.5)
    before_nm = seated.truth().torque_nm
    for number in range(50):
        seated.pulse(0.5 + number / 100.0, 0, 200.0, 300.0)
    seated.advance(1.0)
    return seated.truth().torque_nm - before_nm
