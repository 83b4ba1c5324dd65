"""Toe clearance: how high the sole passed over the ground in a swing, from the foot's sensor alone.

The sensor's height is its vertical acceleration, integrated twice between heel-off and contact: at heel-off
the ball stands on the ground, at contact the lower of heel and ball does, and the constant acceleration that
this asks for is taken out as error. Pitch and the foot's length tell where heel and ball are below it. On
twelve virtual persons it errs by -1 mm in the mean with a standard deviation of 6 mm, 4 mm from person to
person and 5 mm from swing to swing (``benchmarks/clearance.py``). Level ground is assumed. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from controller.core.gait.phase_alignment import SwingPhase

Curve = NDArray[np.float64]
ERROR_SD_MM = 6.0
# Of the foot's length: the instep, where a foot sensor is worn, lies that far before the ankle; heel and ball
# lie there by the drawing of a foot (assumed, as in the virtual body).
INSTEP, HEEL, BALL = 0.27, -0.2, 0.55
SOLE = 0.26  # the ankle's height over the sole (Winter: 0.039 of body height over 0.152)
INSTEP_UP_M = 0.01  # of the sensor over the ankle
FROM_SHARE, UNTIL_SHARE = 0.25, 0.86  # of swing: before it the toe still leaves, after it the heel lands
GAP_NS = 80_000_000  # a longer hole in the samples hides what the foot did
SAMPLES_NEEDED = 12


class FootPlace(Protocol):
    """One sample of the foot: time, pitch and its rate, vertical acceleration without gravity."""

    @property
    def t_ns(self) -> int: ...
    @property
    def foot_rad(self) -> float: ...
    @property
    def foot_rate_rps(self) -> float: ...
    @property
    def up_mps2(self) -> float: ...


class Sole(NamedTuple):
    """Heel and ball as seen from the sensor in the foot's own axes, m."""

    heel_m: float
    ball_m: float
    down_m: float

    @staticmethod
    def of(foot_m: float) -> Sole:
        """Of a foot so long (ankle's proportions by Winter)."""
        return Sole((HEEL - INSTEP) * foot_m, (BALL - INSTEP) * foot_m, SOLE * foot_m + INSTEP_UP_M)

    def below(self, along_m: float, pitch_rad: Curve) -> Curve:
        """Height of a point of the sole over the sensor, m."""
        height: Curve = along_m * np.sin(pitch_rad) - self.down_m * np.cos(pitch_rad)
        return height


def toe_clearance_mm(
    readings: Sequence[FootPlace], heel_off_ns: int, swing: SwingPhase, foot_m: float
) -> float | None:
    """Least height of the sole over the ground in mid-swing, mm; None where the swing was not seen whole."""
    inside = [r for r in readings if heel_off_ns <= r.t_ns <= swing.contact_ns]
    if len(inside) < SAMPLES_NEEDED or inside[0].t_ns - heel_off_ns > GAP_NS:
        return None
    if max(b.t_ns - a.t_ns for a, b in pairwise(inside)) > GAP_NS:
        return None
    sole = Sole.of(foot_m)
    t_s = np.array([(r.t_ns - inside[0].t_ns) / 1e9 for r in inside])
    pitch = np.array([r.foot_rad for r in inside])
    up = np.array([r.up_mps2 for r in inside])
    step = np.diff(t_s)
    speed = np.concatenate(([0.0], np.cumsum((up[1:] + up[:-1]) / 2.0 * step)))
    way = np.concatenate(([0.0], np.cumsum(speed[:-1] * step + (2.0 * up[:-1] + up[1:]) * step**2 / 6.0)))
    ball, heel = sole.below(sole.ball_m, pitch), sole.below(sole.heel_m, pitch)
    # the foot turns about the ball while that is on the ground: the sensor's height and speed there
    turns_m = sole.ball_m * np.cos(pitch[0]) + sole.down_m * np.sin(pitch[0])
    height = -ball[0] - turns_m * inside[0].foot_rate_rps * t_s + way
    lands_m = -min(ball[-1], heel[-1])
    height = height + (lands_m - height[-1]) * (t_s / t_s[-1]) ** 2
    lowest = height + np.minimum(ball, heel)
    swung = swing.contact_ns - swing.toe_off_ns
    share = (t_s * 1e9 + inside[0].t_ns - swing.toe_off_ns) / swung
    counts = (share > FROM_SHARE) & (share < UNTIL_SHARE)
    return 1e3 * float(lowest[counts].min()) if counts.any() else None
