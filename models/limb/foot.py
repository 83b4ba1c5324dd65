"""The foot as a rigid body on a moving ankle, in the sagittal plane.

Promises the motion of Simbody's planar thigh, shank and foot within 1e-5 deg; refuses bodies without mass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.recruitment import check

Array = npt.NDArray[np.float64]
GRAVITY = 9.80665


@dataclass(frozen=True, slots=True)
class FootBody:
    """Mass properties; centre of mass relative to the ankle (x towards the toes, y up) at zero pitch."""

    mass_kg: float = 1.0275
    com_x_m: float = 0.1145
    com_y_m: float = -0.04
    inertia_com_kgm2: float = 0.0045

    def __post_init__(self) -> None:
        check("mass_kg", self.mass_kg, 0.1, 10.0)
        check("com_x_m", self.com_x_m, -0.5, 0.5)
        check("com_y_m", self.com_y_m, -0.5, 0.5)
        check("inertia_com_kgm2", self.inertia_com_kgm2, 1e-5, 1.0)


@compiled
def foot_acceleration(
    foot_rad: float, moment_nm: float, acc_x: float, acc_y: float,
    mass_kg: float, com_x_m: float, com_y_m: float, inertia_com_kgm2: float, gravity: float,
) -> float:  # fmt: skip
    """Angular acceleration of the foot under a moment at the ankle and the ankle's own acceleration."""
    c, s = math.cos(foot_rad), math.sin(foot_rad)
    rx, ry = c * com_x_m - s * com_y_m, s * com_x_m + c * com_y_m
    inertia = inertia_com_kgm2 + mass_kg * (com_x_m * com_x_m + com_y_m * com_y_m)
    return (moment_nm - mass_kg * (rx * (acc_y + gravity) - ry * acc_x)) / inertia


def ankle_acceleration(
    angles: Array, rates: Array, accelerations: Array, lengths_m: tuple[float, float]
) -> Array:
    """Acceleration (x, y) of the ankle under a fixed hip; (2, ...) thigh and shank pitch in rad."""
    x = sum(
        length * (np.cos(q) * a - np.sin(q) * v * v)
        for q, v, a, length in zip(angles, rates, accelerations, lengths_m, strict=True)
    )
    y = sum(
        length * (np.sin(q) * a + np.cos(q) * v * v)
        for q, v, a, length in zip(angles, rates, accelerations, lengths_m, strict=True)
    )
    return np.array([x, y])


@compiled
def _integrate(
    start: float, rate: float, step_s: float, ankle_acc: Array, moment: Array, body: Array
) -> Array:
    """RK4 with the ankle's acceleration given at every half step."""
    n = (ankle_acc.shape[1] - 1) // 2
    out = np.empty((2, n + 1))
    out[0, 0], out[1, 0] = start, rate
    m, cx, cy, ic, g = body[0], body[1], body[2], body[3], body[4]
    q, v, h = start, rate, step_s
    for i in range(n):
        j = 2 * i
        a1 = foot_acceleration(q, moment[j], ankle_acc[0, j], ankle_acc[1, j], m, cx, cy, ic, g)
        x, y = ankle_acc[0, j + 1], ankle_acc[1, j + 1]
        a2 = foot_acceleration(q + 0.5 * h * v, moment[j + 1], x, y, m, cx, cy, ic, g)
        a3 = foot_acceleration(q + 0.5 * h * v + 0.25 * h * h * a1, moment[j + 1], x, y, m, cx, cy, ic, g)
        x, y = ankle_acc[0, j + 2], ankle_acc[1, j + 2]
        a4 = foot_acceleration(q + h * v + 0.5 * h * h * a2, moment[j + 2], x, y, m, cx, cy, ic, g)
        q += h * v + h * h / 6.0 * (a1 + a2 + a3)
        v += h / 6.0 * (a1 + 2.0 * (a2 + a3) + a4)
        out[0, i + 1], out[1, i + 1] = q, v
    return out


def swing_foot(
    step_s: float,
    ankle_acc_mps2: Array,
    *,
    foot_rad: float,
    foot_rps: float,
    moment_nm: float | Array = 0.0,
    body: FootBody | None = None,
    gravity_mps2: float = GRAVITY,
) -> tuple[Array, Array]:
    """Pitch (rad) and rate (rad/s) of a free foot, one value per whole step.

    ``ankle_acc_mps2`` is (2, 2n + 1): x and y of the ankle's acceleration at every half step;
    ``moment_nm`` a constant or one value per half step. RK4.
    """
    check("step_s", step_s, 1e-6, 0.1)
    check("gravity_mps2", gravity_mps2, 0.0, 30.0)
    acc = np.ascontiguousarray(ankle_acc_mps2, dtype=np.float64)
    if acc.ndim != 2 or acc.shape[0] != 2 or acc.shape[1] % 2 == 0 or not np.isfinite(acc).all():
        raise ValueError(f"ankle_acc_mps2: found shape {acc.shape}, allowed: finite, (2, 2n + 1)")
    b = FootBody() if body is None else body
    moment = np.ascontiguousarray(np.broadcast_to(np.asarray(moment_nm, dtype=np.float64), (acc.shape[1],)))
    mass = np.array([b.mass_kg, b.com_x_m, b.com_y_m, b.inertia_com_kgm2, gravity_mps2])
    out = _integrate(foot_rad, foot_rps, step_s, acc, moment, mass)
    return out[0], out[1]
