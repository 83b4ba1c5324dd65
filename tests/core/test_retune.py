"""New settings in a running core: the same as a core begun with them, and always from the ramp."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise

import pytest

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.config.tunables import with_values
from controller.core.core import Core
from controller.core.params import CoreParams, objection
from controller.core.signals import Mode, TickInputs
from controller.simulation.closed_loop import TICK_S, Rehearsal, with_mode
from models.patient import VirtualPatient
from tests.core.control.numbers import DEMO, params

PARAMS = params("feedback")

EVERYTHING = {
    "feedback.kp_nm_per_rad": 12.0,
    "feedback.ti_s": 0.6,
    "feedback.td_s": 0.02,
    "feedback.torque_max_nm": 3.0,
    "trapezoid.current_ma": 24.0,
    "trapezoid.extension_ms": 60.0,
    "trapezoid.fall_ms": 90.0,
    "trapezoid.rise_ms": 350.0,
    "limits.current_max_ma": 30.0,
    "limits.rise_max_ma_per_frame": 0.5,
    "learning.step": 0.3,
    "learning.kp_nm_per_rad": 2.0,
}


@pytest.mark.parametrize("mode", ["trapezoid", "feedback"])
def test_a_core_retuned_before_the_first_step_is_one_begun_with_the_new_settings(mode: Mode) -> None:
    old = params(mode)
    new = with_values(old, EVERYTHING)
    begun, retuned = Rehearsal(new, VirtualPatient()), Rehearsal(old, VirtualPatient())
    retuned.reconfigure(new)
    for walk in (begun, retuned):
        walk.walk(9.0)
    assert begun.pulses
    assert [p.decision for p in begun.trace] == [p.decision for p in retuned.trace]


def test_a_larger_amplitude_starts_from_nothing_and_rises_within_its_limit() -> None:
    old = with_values(with_mode(PARAMS, "trapezoid"), {"trapezoid.current_ma": 10.0})
    new = with_values(old, {"trapezoid.current_ma": 40.0})
    walk = Rehearsal(old, VirtualPatient())
    walk.walk(8.0)
    walk.to_boundary()
    assert walk.trace[-1].current_ma in (None, 0.0)
    walk.reconfigure(new)
    begun = walk.ticks
    walk.walk(11.0)
    currents = [point.current_ma or 0.0 for point in walk.trace[begun - 1 :]]
    assert max(currents) == 40.0
    assert max(b - a for a, b in pairwise(currents)) <= PARAMS.pulse.rise_ma_per_tick


@pytest.mark.parametrize(
    ("before_nm", "key", "value", "after_nm"),
    [
        (5.0, "feedback.ti_s", 0.5, 5.0),
        (5.0, "feedback.torque_max_nm", 2.0, 2.0),
        (-5.0, "feedback.torque_max_nm", 2.0, -2.0),
    ],
)
def test_the_integral_is_kept_but_not_beyond_its_new_bound(
    before_nm: float, key: str, value: float, after_nm: float
) -> None:
    core = Core(PARAMS)
    core.laws.feedback.pid.integral_nm = before_nm
    core.reconfigure(with_values(PARAMS, {key: value}))
    assert core.laws.feedback.pid.integral_nm == after_nm


def test_limits_of_both_channels_reach_the_second_one_and_its_own_maximum_stays() -> None:
    two = core_params(load_session(DEMO.with_name("two_channels.toml")), "feedback")
    core = Core(two)
    core.reconfigure(with_values(two, EVERYTHING))
    assert core.output.second is not None
    assert two.second is not None
    assert core.output.second.pulse.rise_ma_per_tick == 0.5
    assert core.output.second.pulse.current_max_ma == two.second.current_max_ma


def test_settings_amid_a_window_are_refused_and_change_nothing() -> None:
    walk = Rehearsal(PARAMS, VirtualPatient())
    while walk.core.at_boundary:
        walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S)))
    twin, new = copy.deepcopy(walk), with_values(PARAMS, EVERYTHING)
    with pytest.raises(ValueError, match="window is open"):
        walk.reconfigure(new)
    for one in (walk, twin):
        one.walk(14.0)
    assert [p.decision for p in walk.trace] == [p.decision for p in twin.trace]


@pytest.mark.parametrize(
    "changed",
    [
        replace(PARAMS, mode="off"),
        replace(PARAMS, placements=PARAMS.placements[:1]),
        replace(PARAMS, muscle=replace(PARAMS.muscle, i50_ma=20.0)),
        replace(PARAMS, pulse=replace(PARAMS.pulse, channels=2)),
        replace(PARAMS, tick_s=0.01),
    ],
)
def test_what_needs_a_new_session_is_refused(changed: CoreParams) -> None:
    assert "needs a new session" in objection(PARAMS, changed)
    with pytest.raises(ValueError, match="needs a new session"):
        Core(PARAMS).reconfigure(changed)


def test_the_settings_themselves_are_taken() -> None:
    assert objection(PARAMS, with_values(PARAMS, EVERYTHING)) == ""
