"""Where foot and ground meet: the rigid sole, and the push of a toe that scuffs in swing.

Promises contact at the lower of heel and ball, so a low foot lands on its forefoot; never pulls.
"""

from __future__ import annotations

import math

from models.jit import compiled

# Stiff and heavily damped ground for a scuffing toe (assumed: sole and shoe, a few millimetres).
STIFFNESS_N_PER_M = 8000.0
DAMPING_NS_PER_M = 60.0
SCUFF_MAX_N = 150.0  # beyond this the hip gives way upwards (assumed)


@compiled
def sole_heights(foot_rad: float, heel_x_m: float, ball_x_m: float, sole_y_m: float) -> tuple[float, float]:
    """Heights of heel and ball relative to the ankle."""
    c, s = math.cos(foot_rad), math.sin(foot_rad)
    return s * heel_x_m + c * sole_y_m, s * ball_x_m + c * sole_y_m


@compiled
def scuff_moment_nm(
    foot_rad: float, depth_m: float, sink_mps: float, ball_x_m: float, sole_y_m: float
) -> float:
    """Moment about the ankle of the ground under the ball, toes pushed up +; 0 in the air."""
    if depth_m <= 0.0:
        return 0.0
    arm = math.cos(foot_rad) * ball_x_m - math.sin(foot_rad) * sole_y_m
    return arm * min(SCUFF_MAX_N, max(0.0, STIFFNESS_N_PER_M * depth_m + DAMPING_NS_PER_M * sink_mps))
