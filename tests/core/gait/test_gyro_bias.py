"""The gyroscope's zero: found at rest, and not in the slow roll of a foot over the ground."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.core.gait.gyro_bias import GyroZero
from drivers.interface import Segment, Vec3

RATE_HZ = 100.0
UP: Vec3 = (0.0, 0.0, 1.0)
BIAS_DPS = np.array((1.0, -2.0, 3.0))


def shown_dps(zero: GyroZero, true_dps: np.ndarray, seconds: float) -> np.ndarray:
    """What is left of the bias after ``seconds`` of turning evenly."""
    left = np.zeros(3)
    for _ in range(round(seconds * RATE_HZ)):
        gyr = np.radians(true_dps + BIAS_DPS)
        rate = zero.update(1.0 / RATE_HZ, (float(gyr[0]), float(gyr[1]), float(gyr[2])), UP)
        left = np.degrees(rate) - true_dps
    return left


def walk(zero: GyroZero, roll_dps: float, strides: int) -> np.ndarray:
    """Strides with a mid-stance of 0.3 s in which the foot rolls on about its second axis."""
    left = np.zeros(3)
    for _ in range(strides):
        shown_dps(zero, np.array((0.0, 200.0, 0.0)), 0.4)
        left = shown_dps(zero, np.array((0.0, roll_dps, 0.0)), 0.3)
    return left


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_a_second_of_standing_shows_the_zero(segment: Segment) -> None:
    assert np.abs(shown_dps(GyroZero(segment), np.zeros(3), 1.1)).max() < 0.01


@pytest.mark.parametrize("segment", ["foot", "shank"])
@pytest.mark.parametrize("roll_dps", [-6.0, 6.0])
def test_a_short_slow_roll_before_the_first_step_weighs_little_and_is_forgotten(
    segment: Segment, roll_dps: float
) -> None:
    """Rolls of 0.06 to 0.18 s before the walk were taken for the zero: 4 to 6 deg/s, for good."""
    zero, roll = GyroZero(segment), np.array((0.0, roll_dps, 0.0)) - BIAS_DPS
    shown_dps(zero, roll, 0.18)
    swing = np.array((0.0, 200.0, 0.0)) - BIAS_DPS
    at_first = np.abs(BIAS_DPS - shown_dps(zero, swing, 0.1)).max()
    assert at_first < 0.25 * abs(roll_dps)
    assert np.abs(BIAS_DPS - shown_dps(zero, swing, 120.0)).max() <= 0.2 * at_first


@pytest.mark.parametrize("roll_dps", [-3.5, -2.0, 3.5])
def test_a_foot_that_rolls_on_through_stance_does_not_move_the_zero_of_its_standing(roll_dps: float) -> None:
    zero = GyroZero("foot")
    shown_dps(zero, np.zeros(3), 2.0)
    assert np.abs(walk(zero, roll_dps, 30)).max() < 0.01


def test_a_walk_that_nobody_stood_before_shows_the_zero_about_the_vertical_alone() -> None:
    left = walk(GyroZero("foot"), -3.0, 30)
    assert abs(left[2]) < 0.5
    assert left[:2] == pytest.approx(BIAS_DPS[:2])


def test_who_stands_again_after_the_walk_shows_all_of_it() -> None:
    zero = GyroZero("foot")
    walk(zero, -3.0, 10)
    assert np.abs(shown_dps(zero, np.zeros(3), 3.0)).max() < 0.01


def test_a_turn_is_no_rest_however_even() -> None:
    zero = GyroZero("foot")
    shown_dps(zero, np.array((0.0, 0.0, 20.0)), 3.0)
    assert not zero.seen
    assert math.isclose(shown_dps(zero, np.array((0.0, 0.0, 20.0)), 0.1)[2], BIAS_DPS[2])
