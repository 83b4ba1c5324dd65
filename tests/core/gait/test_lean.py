"""A shank that leans otherwise than usual is answered before the foot has gone along with it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controller.core.control import learning
from controller.core.core import Core
from controller.simulation.closed_loop import Rehearsal
from models.limb.passive import riener_edrich_nm
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params


def ankle_stiffness_nm_per_rad(percent: int) -> float:
    """Slope of the published passive moment where the reference's ankle is, knee as there."""
    core = params("learning")
    reference, foot = core.reference, core.foot
    ankle_deg = reference.foot_pitch_deg[percent] - reference.shank_pitch_deg[percent] - foot.neutral_deg
    knee_deg = reference.knee_flexion_deg[percent]
    up, down = (riener_edrich_nm(ankle_deg + step, knee_deg) for step in (0.01, -0.01))
    return foot.passive_factor * abs(float(up - down)) / math.radians(0.02)


@pytest.mark.parametrize("percent", [80, 90])
@pytest.mark.parametrize("lean_deg", [-2.0, 2.0])
def test_the_torque_is_that_of_the_ankles_stiffness_for_what_of_the_lean_will_last(
    percent: int, lean_deg: float
) -> None:
    given_nm = Core(params("learning")).laws.strides.learner.for_lean_nm(percent, math.radians(lean_deg))
    whole_nm = -math.radians(lean_deg) * ankle_stiffness_nm_per_rad(percent)
    assert 0.6 < given_nm / whole_nm < 0.8


def test_a_lean_beyond_six_degrees_asks_for_no_more() -> None:
    told = Core(params("learning")).laws.strides.learner
    six, seven, five = (told.for_lean_nm(85.0, math.radians(lean)) for lean in (6.0, 7.0, 5.0))
    assert seven == six < five < 0.0


def test_on_a_body_whose_shank_leans_at_random_the_foot_scatters_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mean_error_deg() -> float:
        body = replace(PatientParams(), shank_sd_deg=3.0, cadence_cv=0.03)
        walk = Rehearsal(params("learning"), VirtualPatient(body, seed=4))
        walk.walk(60.0)
        return float(np.mean([one.error_rms_deg for one in walk.strides()[10:]]))

    answered = mean_error_deg()
    monkeypatch.setattr(learning, "LEAN_LASTS", 0.0)
    assert answered < 0.95 * mean_error_deg()
