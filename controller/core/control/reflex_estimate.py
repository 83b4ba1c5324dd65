"""The stretch reflex of a spastic calf: what it does to a foot that is lifted fast, believed from walking.

The calf answers dorsiflexion above a threshold, late and low-passed, with plantarflexion: a feedback that
the ankle has of its own. What a swing needed beyond the muscle's torque is laid to it, as far as it has its
shape. Delay, lag and threshold are the middle of published ranges (from memory, unverified); only the
strength is believed. A calf that shows none is taken to have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
Matrix = NDArray[np.float64]

DELAY_S = 0.040
BANDWIDTH_RPS = 17.0  # of the critically damped second-order lag
THRESHOLD_RPS = math.radians(30.0)
THRESHOLD_WIDTH_RPS = 0.3  # thresholds are 10 to 50 deg/s: at the middle half of a small stretch is answered

STRENGTH_SD = 4.0  # Nm s/rad, before anything is seen; spastic calves have 2 to 10
STRENGTH_MAX = 10.0
MADE_MIN_NM = 1e-3  # r.m.s. of what the muscle made; below, there is nothing to tell the two apart by
UNSEEN_NM = 0.6  # the torque balance's own error
MEMORY = 0.9  # of what the strides before said, at each stride
EXPLAINS = 0.2  # of the square of what the muscle alone leaves unexplained, or nothing is believed
STILL_EXPLAINS = 0.05  # and once it is believed: on one edge, belief and law would come and go
DEAD_BAND = 1.0  # Nm s/rad: a belief that moves less is not acted on


def stretch_matrix(cells: int, cell_s: float) -> Matrix:
    """Speed (cells, cells) in rad/s in each cell from the ankle angle (rad) in each; none in the first."""
    rate = (np.eye(cells) - np.eye(cells, k=-1)) / cell_s
    rate[0] = 0.0
    return rate


def lag_matrix(cells: int, cell_s: float) -> Matrix:
    """What delay and lag make (cells, cells) in each cell of a unit in each."""
    since_s = cell_s * np.arange(cells) - DELAY_S
    response = np.where(since_s > 0.0, BANDWIDTH_RPS**2 * since_s * np.exp(-BANDWIDTH_RPS * since_s), 0.0)
    late = np.arange(cells)[:, None] - np.arange(cells)[None, :]
    return cell_s * np.where(late >= 0, response[np.abs(late)], 0.0)


def answer_rps(ankle_rad: Curve, cell_s: float) -> Curve:
    """Delayed, low-passed speed above the threshold (n,), rad/s, for an ankle angle (n,) in rad, dorsiflexion
    positive: times the strength it is the plantarflexing torque in Nm."""
    cells = len(ankle_rad)
    speed_rps = stretch_matrix(cells, cell_s) @ ankle_rad
    return np.asarray(lag_matrix(cells, cell_s) @ np.maximum(0.0, speed_rps - THRESHOLD_RPS))


def feedback(ankle_rad: Curve, cell_s: float) -> Matrix:
    """The reflex of unit strength as a feedback (n, n), Nm against rad, about a motion ``ankle_rad`` (n,)."""
    cells = len(ankle_rad)
    stretch = stretch_matrix(cells, cell_s)
    above = (stretch @ ankle_rad - THRESHOLD_RPS) / THRESHOLD_WIDTH_RPS
    awake = 0.5 * (1.0 + np.tanh(0.5 * above))
    return np.asarray(lag_matrix(cells, cell_s) @ (awake[:, None] * stretch))


@dataclass(slots=True)
class Reflex:
    """Strength of the reflex in Nm s/rad as it is believed: regression of the torque that swings needed on
    the muscle's and the reflex's, with fading memory."""

    strength: float = 0.0
    _normal: Matrix = field(default_factory=lambda: np.zeros((2, 2)))
    _wanted: Curve = field(default_factory=lambda: np.zeros(2))
    _square: float = 0.0

    def learn(self, needed_nm: Curve, made_nm: Curve, answered_rps: Curve) -> None:
        """Take one swing, three values (n,) for the same instants."""
        sides = np.stack((made_nm, -answered_rps), axis=1)
        self._normal = MEMORY * self._normal + sides.T @ sides / len(needed_nm)
        self._wanted = MEMORY * self._wanted + sides.T @ needed_nm / len(needed_nm)
        self._square = MEMORY * self._square + float(needed_nm @ needed_nm) / len(needed_nm)
        if self._normal[0, 0] < MADE_MIN_NM**2:
            return
        doubt = np.diag([0.0, (UNSEEN_NM / STRENGTH_SD) ** 2])
        both = np.linalg.solve(self._normal + doubt, self._wanted)
        muscle_alone = self._square - self._wanted[0] ** 2 / self._normal[0, 0]
        left = self._square - 2.0 * both @ self._wanted + both @ self._normal @ both
        explains = STILL_EXPLAINS if self.strength > 0.0 else EXPLAINS
        shows = left < (1.0 - explains) * muscle_alone
        strength = min(STRENGTH_MAX, max(0.0, float(both[1]))) if shows else 0.0
        if abs(strength - self.strength) > DEAD_BAND:
            self.strength = strength
