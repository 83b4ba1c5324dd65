"""Assistance moves what is asked for, from the next step on, and changes nothing at 100 %."""

from __future__ import annotations

import copy
import statistics

import numpy as np
import pytest

from controller.config.tunables import with_values
from controller.core.control.assistance import FLAT_PERCENT, LIFT_DEG, asked_reference, assisted
from controller.core.core import Core
from controller.core.params import Assistance
from controller.core.signals import Mode
from controller.record.strides import StrideMeter, tick_angles
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal
from models.patient import VirtualPatient
from tests.core.control.numbers import params

REFERENCE = params("feedback").reference
KEY = "gait.assist_percent"


def test_a_hundred_percent_is_the_reference_itself() -> None:
    assert assisted(REFERENCE, Assistance()) is REFERENCE
    assert asked_reference(params("learning")) == REFERENCE


@pytest.mark.parametrize("percent", [60.0, 90.0, 110.0, 140.0])
def test_it_lifts_the_swing_and_the_landing_and_leaves_the_stance(percent: float) -> None:
    asked = assisted(REFERENCE, Assistance(percent))
    more = np.asarray(asked.foot_pitch_deg) - np.asarray(REFERENCE.foot_pitch_deg)
    at = np.linspace(0.0, 100.0, len(more))
    whole = LIFT_DEG * (percent - 100.0) / 100.0
    assert (more[0], more[-1]) == (pytest.approx(whole), pytest.approx(whole))
    assert np.abs(more[(at >= FLAT_PERCENT) & (at <= REFERENCE.toe_off_percent)]).max() == 0.0
    assert np.abs(more).max() == pytest.approx(abs(whole))
    assert more[at >= REFERENCE.toe_off_percent + 0.41 * (100 - REFERENCE.toe_off_percent)] == pytest.approx(
        whole
    )
    assert asked.shank_pitch_deg == REFERENCE.shank_pitch_deg


def landings(walk: Rehearsal, since: int) -> list[float]:
    meter, found = StrideMeter(), []
    for point in walk.trace[since:]:
        now_ns = EPOCH_NS + round(point.time_s * 1e9)
        found += meter.take_tick(tick_angles(now_ns, point.decision.view), point.decision.events)
    return [s.landing_pitch_deg for s in found if s.landing_pitch_deg is not None]


@pytest.mark.parametrize("mode", ["feedback", "learning"])
def test_more_is_asked_for_and_given_from_the_next_step_on(mode: Mode) -> None:
    walk = Rehearsal(params(mode), VirtualPatient())
    walk.walk(16.0)
    walk.to_boundary()
    since, found = walk.ticks, {}
    for percent in (80.0, 120.0):
        twin = copy.deepcopy(walk)
        twin.reconfigure(with_values(params(mode), {KEY: percent}))
        twin.walk(24.0)
        found[percent] = landings(twin, since)
    assert found[80.0][0] < found[120.0][0] - 2.0  # the very next landing
    middle = {percent: statistics.median(landed) for percent, landed in found.items()}
    assert 3.0 < middle[120.0] - middle[80.0] < 9.0  # 6 deg are asked for


@pytest.mark.parametrize("mode", ["feedback", "learning"])
def test_a_core_moved_before_the_first_step_asks_for_what_one_begun_so_does(mode: Mode) -> None:
    moved, begun = Core(params(mode)), Core(with_values(params(mode), {KEY: 120.0}))
    moved.reconfigure(with_values(params(mode), {KEY: 120.0}))
    assert moved.laws.strides.reference == begun.laws.strides.reference
    assert moved.laws.strides.torque == begun.laws.strides.torque
    for core in (moved, begun):
        core.laws.strides.work(core.gait.at(0))
    assert moved.laws.strides.learner.command_nm == pytest.approx(
        begun.laws.strides.learner.command_nm, abs=1e-6
    )


def test_back_at_a_hundred_percent_it_is_the_reference_again() -> None:
    core = Core(params("feedback"))
    for percent in (120.0, 100.0):
        core.reconfigure(with_values(params("feedback"), {KEY: percent}))
    assert core.laws.strides.reference is core.laws.strides.pace.now
