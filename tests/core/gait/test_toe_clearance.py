"""Toe clearance from one sensor, against a foot whose every point is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.core.gait.estimator import Reading
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.gait.toe_clearance import FROM_SHARE, UNTIL_SHARE, Sole, toe_clearance_mm

FOOT_M = 0.26
HEEL_OFF_S, TOE_OFF_S, CONTACT_S = 0.0, 0.2, 0.65
SWING = SwingPhase(round(TOE_OFF_S * 1e9), round(CONTACT_S * 1e9), 62.0, 100.0)
FINE_S = np.linspace(HEEL_OFF_S, CONTACT_S, 6501)


def path(lifted_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Pitch (rad) and the sensor's height (m) at ``FINE_S``: the ball leaves the ground at heel-off with no
    speed and rises by ``lifted_m``, the heel is down at contact."""
    u = FINE_S / CONTACT_S
    pitch = np.radians(-35.0 * np.sin(np.pi * u) ** 2 + 15.0 * u**3)
    sole = Sole.of(FOOT_M)
    ball_m = lifted_m * np.sin(np.pi * u) ** 2 + u**2 * (3 - 2 * u) * (
        sole.below(sole.ball_m, pitch) - sole.below(sole.heel_m, pitch)
    )
    return pitch, ball_m - sole.below(sole.ball_m, pitch)


def seen(lifted_m: float, wrong_mps2: float = 0.0) -> list[Reading]:
    pitch, height = path(lifted_m)
    step_s = FINE_S[1]
    rate, up = np.gradient(pitch, step_s), np.gradient(np.gradient(height, step_s), step_s)
    at = np.arange(0, len(FINE_S), 100)  # 100 Hz
    return [
        Reading(round(FINE_S[i] * 1e9), float(pitch[i]), float(rate[i]), None, float(up[i]) + wrong_mps2)
        for i in at
    ]


def true_mm(lifted_m: float) -> float:
    """At the samples of mid-swing."""
    pitch, height = (curve[::100] for curve in path(lifted_m))
    sole = Sole.of(FOOT_M)
    lowest = height + np.minimum(sole.below(sole.ball_m, pitch), sole.below(sole.heel_m, pitch))
    share = (FINE_S[::100] - TOE_OFF_S) / (CONTACT_S - TOE_OFF_S)
    return 1e3 * float(lowest[(share > FROM_SHARE) & (share < UNTIL_SHARE)].min())


@pytest.mark.parametrize("lifted_m", [-0.02, 0.01, 0.05])
@pytest.mark.parametrize("wrong_mps2", [0.0, 0.5])
def test_the_soles_least_height_is_found_and_a_constant_error_of_acceleration_does_no_harm(
    lifted_m: float, wrong_mps2: float
) -> None:
    found = toe_clearance_mm(seen(lifted_m, wrong_mps2), 0, SWING, FOOT_M)
    assert found == pytest.approx(true_mm(lifted_m), abs=2.0)  # on a leg it errs by 6


def test_a_swing_with_a_hole_or_without_its_beginning_has_no_clearance() -> None:
    readings = seen(0.02)
    assert toe_clearance_mm(readings[:30] + readings[40:], 0, SWING, FOOT_M) is None
    assert toe_clearance_mm(readings[12:], 0, SWING, FOOT_M) is None
    assert toe_clearance_mm([], 0, SWING, FOOT_M) is None
    assert toe_clearance_mm([replace(r, t_ns=r.t_ns + 10**9) for r in readings], 0, SWING, FOOT_M) is None
