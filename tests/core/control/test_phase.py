"""One phase: what is recorded, shown and published is what the command was looked up by, and it is true."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from controller.core.params import sample
from controller.core.signals import Mode, TickInputs
from controller.simulation.closed_loop import TICK_S, Rehearsal, TracePoint
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

SECONDS, SETTLED_S = 30.0, 8.0


@cache
def walked(mode: Mode) -> list[tuple[TracePoint, float]]:
    """Every tick of a walk, and the torque that is commanded at the phase it published."""
    walk = Rehearsal(params(mode), VirtualPatient(PatientParams(), seed=1))
    found = []
    while walk.ticks * TICK_S < SECONDS:
        decision = walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S)))
        percent = decision.view.phase_percent
        found.append(
            (walk.trace[-1], math.nan if percent is None else walk.core.laws.strides.learner.at(percent))
        )
    return found


def test_the_learned_command_and_the_reference_are_those_at_the_phase_that_is_published() -> None:
    pitch_deg = params("learning").reference.foot_pitch_deg
    swings = [one for one in walked("learning") if one[0].decision.view.swing and one[0].time_s > SETTLED_S]
    lifted = [one for one in swings if one[0].decision.view.feedforward > 0.0]
    assert len(lifted) > 1000
    for point, commanded_nm in lifted:
        view = point.decision.view
        assert view.phase_percent is not None
        assert view.feedforward == commanded_nm
        assert view.reference_pitch_deg == sample(pitch_deg, min(view.phase_percent, 99.99))


@pytest.mark.parametrize("mode", ["off", "trapezoid", "feedback", "learning"])
def test_the_published_phase_is_near_the_true_one_in_swing_and_through_stance(mode: Mode) -> None:
    points = [point for point, _ in walked(mode) if point.time_s > SETTLED_S]
    percent = np.array([point.decision.view.phase_percent for point in points], dtype=np.float64)
    assert not np.isnan(percent).any()
    off = (percent - np.array([point.phase_percent for point in points]) + 50.0) % 100.0 - 50.0
    swing = np.array([point.in_swing for point in points])
    assert math.sqrt(np.mean(off[swing] ** 2)) < 1.0
    assert math.sqrt(np.mean(off[~swing] ** 2)) < 3.0


def test_one_who_stands_has_no_phase() -> None:
    standing = [point for point, _ in walked("learning") if point.time_s < 3.9]
    assert {point.decision.view.phase_percent for point in standing} == {None}
