"""Inverse dynamics against statics, the passive moment's published table and the planar equation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controller.core.control.feedforward import (
    derivative,
    passive_moment_nm,
    passive_moments_nm,
    sample,
    torque_table,
)
from controller.core.params import Reference
from tests.core.control.numbers import params

FOOT = params("feedback").foot
PERCENT = np.arange(101.0)


def reference(foot_deg: float, shank_deg: float, knee_deg: float) -> Reference:
    return Reference((foot_deg,) * 101, (shank_deg,) * 101, (knee_deg,) * 101, 62.0)


@pytest.mark.parametrize(
    ("ankle_deg", "knee_deg", "moment_nm"),
    [
        (-40, 0, 2.3463), (-20, 20, 0.7435), (-10, 60, 0.5699), (0, 0, -6.3869), (0, 40, -2.2531),
        (5, 60, -2.5445), (10, 5, -15.6102), (20, 0, -42.3583),
    ],
)  # fmt: skip
def test_the_passive_moment_is_that_of_riener_and_edrich(
    ankle_deg: float, knee_deg: float, moment_nm: float
) -> None:
    # Riener and Edrich 1999, the same from two independent codes
    assert passive_moment_nm(ankle_deg, knee_deg) == pytest.approx(moment_nm, abs=5e-5)
    assert passive_moments_nm(np.array([float(ankle_deg)]), np.array([float(knee_deg)]))[0] == pytest.approx(
        moment_nm, abs=5e-5
    )


def test_a_foot_held_still_needs_its_weight_and_the_passive_moment() -> None:
    table = torque_table(reference(10.0, 5.0, 20.0), FOOT, thigh_m=0.42, shank_m=0.43)
    weight_nm = FOOT.mass_kg * 9.81 * FOOT.com_forward_m * math.cos(math.radians(10.0))
    still_nm = weight_nm + 6.9758  # Riener and Edrich 1999: 5 deg, knee 20
    for stride_s in (0.8, 1.4, 2.5):
        assert table.at(37.0, stride_s) == pytest.approx(still_nm, abs=1e-3)


def test_a_shifted_neutral_angle_shifts_the_passive_moment_alone() -> None:
    shifted = replace(FOOT, neutral_deg=-5.0)
    table = torque_table(reference(0.0, 0.0, 0.0), shifted, thigh_m=0.42, shank_m=0.43)
    plain = torque_table(reference(0.0, 0.0, 0.0), FOOT, thigh_m=0.42, shank_m=0.43)
    assert table.at(0.0, 1.0) - plain.at(0.0, 1.0) == pytest.approx(10.6751 - 6.3869, abs=1e-3)


def test_a_swinging_foot_on_a_resting_shank_obeys_the_planar_equation() -> None:
    # J a'' + B a' + weight - passive, a = 10 deg sin(2 pi t / T), knee and shank at rest
    amplitude, stride_s = math.radians(10.0), 1.25
    curve = tuple((10.0 * np.sin(2 * np.pi * PERCENT / 100.0)).tolist())
    table = torque_table(
        Reference(curve, (0.0,) * 101, (20.0,) * 101, 62.0), FOOT, thigh_m=0.42, shank_m=0.43
    )
    w = 2 * math.pi / stride_s
    for percent in (0.0, 10.0, 33.0, 75.0):
        angle = amplitude * math.sin(w * stride_s * percent / 100.0)
        expected = (
            -FOOT.inertia_kgm2 * w * w * angle
            + FOOT.damping_nms_per_rad * amplitude * w * math.cos(w * stride_s * percent / 100.0)
            + FOOT.mass_kg * 9.81 * FOOT.com_forward_m * math.cos(angle)
            - passive_moment_nm(math.degrees(angle), 20.0)
        )
        assert table.at(percent, stride_s) == pytest.approx(expected, rel=1e-3, abs=2e-3)


def test_an_ankle_thrown_upwards_weighs_more() -> None:
    # both segments nod about the hip with knee straight: the ankle moves on a circle of radius thigh + shank
    lean = 5.0 * np.sin(2 * np.pi * PERCENT / 100.0)
    nod = Reference((0.0,) * 101, tuple(lean.tolist()), (0.0,) * 101, 62.0)
    table = torque_table(nod, FOOT, thigh_m=0.42, shank_m=0.43)
    amplitude, w, percent = math.radians(5.0), 2 * math.pi, 12.5
    angle = amplitude * math.sin(w * percent / 100.0)
    rate, acceleration = amplitude * w * math.cos(w * percent / 100.0), -w * w * angle
    upward = 0.85 * (math.sin(angle) * acceleration + math.cos(angle) * rate**2)
    expected = FOOT.mass_kg * FOOT.com_forward_m * upward
    assert sample(table.carried_nm_s2, percent) == pytest.approx(expected, rel=1e-2)


def test_the_derivative_of_a_harmonic_is_exact() -> None:
    wave = np.cos(2 * np.pi * 3 * PERCENT / 100.0)
    slope = -6 * np.pi * np.sin(2 * np.pi * 3 * PERCENT / 100.0)
    assert derivative(wave) == pytest.approx(slope, abs=1e-9)


def test_sampling_interpolates_and_wraps() -> None:
    curve = (0.0, 1.0, 4.0, 9.0, 0.0)
    assert [sample(curve, p) for p in (0.0, 12.5, 25.0, 100.0, 125.0, -75.0)] == [
        0.0,
        0.5,
        1.0,
        0.0,
        1.0,
        1.0,
    ]
