"""The reference follows the pace: when it moves, how far, and what moves nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from controller.config.core_params import normal_reference
from controller.config.person_schema import LIFT_PERCENT
from controller.core.control.pace import MOVE_MAX_DEG, Pace
from controller.simulation.closed_loop import Rehearsal, judge
from models.gait import Activity, normal_foot_pitch_deg, normal_pitch_deg, toe_off_percent
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

OWN_MPS, OWN_STRIDE_S = 0.8, 1.4
PERCENT = np.arange(101.0)
REGULAR = (1.39, 1.41) * 6  # the own pace, 1.4 s


def shank_swing_rad(speed_mps: float) -> float:
    return math.radians(float(np.ptp(normal_pitch_deg("shank", PERCENT, speed_mps))))


def at_own_pace(strides_s: tuple[float, ...] = REGULAR) -> Pace:
    pace = Pace(normal_reference(OWN_MPS))
    for stride_s in strides_s:
        pace.note(stride_s, shank_swing_rad(OWN_MPS))
    return pace


def test_at_its_own_pace_the_reference_is_the_one_given() -> None:
    pace = at_own_pace(REGULAR * 3)
    assert pace.now is pace.own
    assert (pace.speed_mps, pace.stride_s) == (OWN_MPS, pytest.approx(OWN_STRIDE_S, abs=0.01))


def test_one_odd_stride_moves_nothing_and_the_second_of_its_kind_does() -> None:
    pace = at_own_pace()
    assert not pace.note(0.8 * OWN_STRIDE_S, shank_swing_rad(1.1))
    assert pace.now is pace.own
    assert pace.note(0.8 * OWN_STRIDE_S, shank_swing_rad(1.1))
    assert pace.now != pace.own


def test_an_odd_stride_between_ordinary_ones_is_forgotten() -> None:
    pace = at_own_pace()
    for _ in range(8):
        for stride_s in (0.8 * OWN_STRIDE_S, *REGULAR):
            assert not pace.note(stride_s, shank_swing_rad(OWN_MPS))


@pytest.mark.parametrize(("share", "moves"), [(0.96, False), (0.93, True), (1.04, False), (1.07, True)])
def test_within_five_percent_it_is_the_same_pace(share: float, moves: bool) -> None:
    pace = at_own_pace()
    for _ in range(12):
        pace.note(share * OWN_STRIDE_S, None)
    assert (pace.now != pace.own) is moves


def test_strides_that_scatter_by_eight_percent_move_the_reference_by_chance_alone_and_seldom() -> None:
    source, moved, strides = np.random.default_rng(5), 0, 3000
    pace = at_own_pace()
    for stride_s in OWN_STRIDE_S * (1.0 + 0.08 * source.standard_normal(strides)):
        pace.note(float(stride_s), shank_swing_rad(OWN_MPS))
        moved += pace.now is not pace.own
    assert moved < 0.02 * strides


@pytest.mark.parametrize("other_mps", [0.6, 0.7, 0.95, 1.1, 1.25])
def test_where_cadence_and_shank_agree_the_curve_is_that_of_the_speed_walked(other_mps: float) -> None:
    stride_s = OWN_STRIDE_S * (OWN_MPS / other_mps) ** (1 / 1.8)
    pace = at_own_pace()
    for _ in range(12):
        pace.note(stride_s, shank_swing_rad(other_mps))
    wanted = normal_foot_pitch_deg(PERCENT, other_mps)
    swing = toe_off_percent(other_mps) <= PERCENT
    miss = np.array(pace.now.foot_pitch_deg) - wanted
    assert float(np.sqrt(np.mean(miss[swing] ** 2))) < 0.7
    assert pace.now.toe_off_percent == pytest.approx(toe_off_percent(other_mps), abs=0.4)


def test_a_shank_that_swings_no_further_makes_the_speed_believed_smaller() -> None:
    believed = []
    for other_mps in (OWN_MPS, 1.15):
        pace = at_own_pace()
        for _ in range(6):
            pace.note(0.8 * OWN_STRIDE_S, shank_swing_rad(other_mps))
        assert pace.speed_mps is not None
        believed.append(pace.speed_mps)
    assert OWN_MPS < believed[0] < believed[1] - 0.05


def test_without_a_shank_stride_time_alone_says_the_speed() -> None:
    pace = Pace(normal_reference(OWN_MPS))
    for stride_s in (*REGULAR, *(0.85 * OWN_STRIDE_S,) * 6):
        pace.note(stride_s, None)
    assert pace.speed_mps == pytest.approx(OWN_MPS * 0.85**-1.8, rel=0.02)


def test_in_one_stride_no_phase_of_the_reference_moves_by_more_than_the_bound_and_it_arrives() -> None:
    pace, curves = at_own_pace(), []
    for stride_s in (0.65 * OWN_STRIDE_S,) * 6 + (OWN_STRIDE_S,) * 8 + (1.5 * OWN_STRIDE_S,) * 6:
        pace.note(stride_s, None)
        curves.append(np.array(pace.now.foot_pitch_deg))
    steps = [float(np.abs(b - a).max()) for a, b in pairwise(curves)]
    assert MOVE_MAX_DEG - 1.5 < max(steps) <= MOVE_MAX_DEG
    assert float(np.abs(curves[5] - curves[0]).max()) > MOVE_MAX_DEG
    assert np.allclose(curves[13], pace.own.foot_pitch_deg)


def test_a_pace_that_comes_back_brings_the_very_reference_back() -> None:
    pace = at_own_pace()
    for stride_s in (0.8 * OWN_STRIDE_S,) * 6 + REGULAR:
        pace.note(stride_s, None)
    assert pace.now is pace.own


def test_strides_on_both_sides_of_a_halt_tell_nothing_together() -> None:
    pace = at_own_pace()
    for _ in range(5):
        assert not pace.note(0.8 * OWN_STRIDE_S, None)
        pace.interrupt()
    assert not pace.note(2.5 * OWN_STRIDE_S, None)  # nor does a stride with a halt in it
    assert not pace.note(0.8 * OWN_STRIDE_S, None)


def test_what_the_person_has_beyond_the_normal_curve_goes_along() -> None:
    lift = tuple(4.0 if 60 <= place <= 70 else 0.0 for place in LIFT_PERCENT)
    plain, lifted = Pace(normal_reference(OWN_MPS)), Pace(normal_reference(OWN_MPS, 2.0, lift))
    for stride_s in (*REGULAR, *(0.8 * OWN_STRIDE_S,) * 4):
        plain.note(stride_s, None)
        lifted.note(stride_s, None)
    beyond = np.subtract(lifted.now.foot_pitch_deg, plain.now.foot_pitch_deg)
    assert np.allclose(beyond, np.interp(PERCENT, LIFT_PERCENT, lift))
    assert lifted.now.band_deg == lifted.own.band_deg


def test_a_reference_without_other_speeds_never_moves() -> None:
    pace = Pace(replace(normal_reference(OWN_MPS), speeds=()))
    for stride_s in (*REGULAR, *(0.7 * OWN_STRIDE_S,) * 8):
        assert not pace.note(stride_s, None)
    assert (pace.now, pace.speed_mps) == (pace.own, None)


def test_a_patient_who_walks_quicker_is_soon_led_along_the_quicker_curve() -> None:
    core, quicker_mps, change_s = params("learning"), 1.0, 4.0 + 20 * 1.4
    schedule = (
        Activity("stand", 4.0),
        Activity("walk", change_s - 4.0, 0.7, 1.4),
        Activity("walk", 1e3, quicker_mps, 0.8 * 1.4),
    )
    errors = []
    for reference in (core.reference, replace(core.reference, speeds=())):
        told = replace(core, reference=reference)
        walk = Rehearsal(told, VirtualPatient(PatientParams(), 1, schedule))
        walk.walk(change_s + 20 * 0.8 * 1.4)
        wanted = normal_foot_pitch_deg(PERCENT, quicker_mps)
        beyond = np.subtract(core.reference.foot_pitch_deg, normal_foot_pitch_deg(PERCENT, 0.7))
        curve = replace(reference, foot_pitch_deg=tuple((wanted + beyond).tolist()))
        late = [one.error_rms_deg for one in judge(walk, curve) if one.end_s > change_s + 5 * 0.8 * 1.4]
        errors.append(float(np.mean(late)))
    assert errors[0] < 3.0 < errors[1]
