"""The reference's band: no error inside, the way to its edge outside, and narrow where the foot lands."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.config.core_params import normal_reference
from controller.core.control.reference_band import beyond, half_width_rad
from controller.simulation.closed_loop import Rehearsal
from models.patient import VirtualPatient
from tests.core.control.numbers import params


@pytest.mark.parametrize(
    ("error", "half", "outside"),
    [
        (0.0, 0.1, 0.0),
        (0.1, 0.1, 0.0),
        (-0.1, 0.1, 0.0),
        (0.15, 0.1, 0.05),
        (-0.15, 0.1, -0.05),
        (0.2, 0.0, 0.2),
    ],
)
def test_an_error_counts_from_the_bands_edge(error: float, half: float, outside: float) -> None:
    assert beyond(error, half) == pytest.approx(outside)


def test_a_line_has_no_band_and_a_band_narrows_to_nothing_at_the_contact() -> None:
    line, wide = normal_reference(0.7), normal_reference(0.7, 4.0)
    assert half_width_rad(line, 80.0) == 0.0
    assert half_width_rad(wide, 80.0) == pytest.approx(math.radians(4.0))
    assert half_width_rad(wide, 95.0) == pytest.approx(math.radians(2.0))
    assert half_width_rad(wide, 100.0) == 0.0
    assert wide.foot_pitch_deg == line.foot_pitch_deg


def test_inside_a_wide_band_feedback_answers_no_error() -> None:
    core = params("feedback")
    wide = replace(core.reference, band_deg=(90.0,) * 101)
    walk = Rehearsal(replace(core, reference=wide), VirtualPatient(seed=4))
    walk.walk(11.0)
    steered = [p.decision.view for p in walk.trace if "feedback" in p.decision.reason]
    assert steered
    assert all(view.proportional == 0.0 for view in steered)
