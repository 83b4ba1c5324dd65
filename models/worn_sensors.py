"""The inertial sensors that a virtual person wears: where they sit, how they lie, and what each does wrong.

Promises the same noise one sample at a time or many at once; full scale is a Movella DOT's.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from models import sensors
from models.patient_params import PatientParams, Quat

Array = npt.NDArray[np.float64]
Segment = Literal["foot", "shank"]
SEGMENTS: tuple[Segment, ...] = get_args(Segment)

NOISE_ROWS = 256  # drawn at a time
# Full scale of a Movella DOT: 16 g and 2000 deg/s.
ACC_RANGE_MPS2, GYR_RANGE_RPS = 16 * 9.80665, math.radians(2000.0)
MOTION_TOP = np.repeat([ACC_RANGE_MPS2, GYR_RANGE_RPS], 3)


class WornSensor:
    """One sensor on the foot or the shank; ``mount`` turns its axes into the segment's."""

    def __init__(self, segment: Segment, params: PatientParams, mount: Array, bias: Array, seed: int) -> None:
        self._shank = segment == "shank"
        self._side = -1.0 if params.side == "left" else 1.0
        # On the instep, and on the side of the shank in its middle; metres from the ankle.
        self._place = (
            np.array([0.03, -0.03 * self._side, 0.20]) if self._shank else np.array([0.07, 0.0, 0.01])
        )
        self._mount = mount
        self._bias = bias
        self._ring = params.contact_ringing * (0.5 if self._shank else 1.0)
        self._noise_sd = np.repeat([params.acc_noise_mps2, math.radians(params.gyr_noise_dps)], 3)
        self._noise = np.random.default_rng([seed, SEGMENTS.index(segment)])
        self._draw = np.empty((0, 6))
        self._used = 0

    def sample(self, history: Array, t_s: float) -> tuple[float, ...]:
        """Quaternion wxyz (sensor to world, z up), specific force m/s2, angular rate rad/s."""
        return sensors.sample(
            history, t_s, self._shank, self._place, self._mount, self._side, self._ring,
            self._drawn(1), self._noise_sd, self._bias, MOTION_TOP,
        )  # fmt: skip

    def block(self, history: Array, times_s: Array) -> Array:
        """The same at each of ``times_s``, (n, 10)."""
        rows = sensors.motion(history, times_s, self._shank, self._place, self._mount, self._side, self._ring)
        sensors.add_errors(rows, self._drawn(len(times_s)), self._noise_sd, self._bias, MOTION_TOP)
        return rows

    def _drawn(self, n: int) -> Array:
        """The next ``n`` rows of noise, drawn many at a time: the same as one by one."""
        first = self._used
        if first + n > len(self._draw):
            fresh = self._noise.standard_normal((max(n, NOISE_ROWS), 6))
            self._draw, first = np.concatenate((self._draw[first:], fresh)), 0
        self._used = first + n
        return self._draw[first : first + n]


def worn(params: PatientParams, source: np.random.Generator, seed: int) -> dict[Segment, WornSensor]:
    """A sensor on each segment; what the parameters leave open is drawn from ``source``."""
    asked = (params.foot_mount_wxyz, params.shank_mount_wxyz)
    mounts = [_matrix(given or _random_rotation(source)) for given in asked]
    biases = [
        np.concatenate(
            (
                source.uniform(-1, 1, 3) * params.acc_bias_mps2,
                source.uniform(-1, 1, 3) * math.radians(params.gyr_bias_dps),
            )
        )
        for _ in SEGMENTS
    ]
    return {
        segment: WornSensor(segment, params, mount, bias, seed)
        for segment, mount, bias in zip(SEGMENTS, mounts, biases, strict=True)
    }


def _matrix(q: Quat) -> Array:
    w, x, y, z = (v / math.hypot(*q) for v in q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _random_rotation(source: np.random.Generator) -> Quat:
    q = source.standard_normal(4)
    w, x, y, z = (float(v) for v in q / np.linalg.norm(q))
    return w, x, y, z
