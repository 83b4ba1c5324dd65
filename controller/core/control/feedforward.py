"""The torque that carries the foot along its reference, by inverse dynamics on a moving ankle.

Depends on the body's numbers and the stride time alone; nothing measured enters, so it can run ahead of the
muscle's delay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.core.params import FootModel, Reference, sample

GRAVITY_MPS2 = 9.81
Curve = NDArray[np.float64]


def passive_moment_nm(ankle_deg: float, knee_flexion_deg: float) -> float:
    """Passive ankle moment, dorsiflexion positive (Riener and Edrich 1999)."""
    return -(
        math.exp(2.1016 + 0.0843 * ankle_deg - 0.0176 * knee_flexion_deg)
        - math.exp(-7.9763 - 0.1949 * ankle_deg + 0.0008 * knee_flexion_deg)
        - 1.792
    )


def passive_moments_nm(ankle_deg: Curve, knee_flexion_deg: Curve) -> Curve:
    """The same for arrays."""
    moments: Curve = -(
        np.exp(2.1016 + 0.0843 * ankle_deg - 0.0176 * knee_flexion_deg)
        - np.exp(-7.9763 - 0.1949 * ankle_deg + 0.0008 * knee_flexion_deg)
        - 1.792
    )
    return moments


@dataclass(frozen=True, slots=True)
class TorqueTable:
    """Demanded ankle torque over the stride: ``still + slow / T + fast / T**2`` for a stride of T seconds.

    The planar foot on a moving ankle; the equation is in docs/control.md, feed-forward.
    """

    still_nm: tuple[float, ...]
    slow_nm_s: tuple[float, ...]
    fast_nm_s2: tuple[float, ...]
    carried_nm_s2: tuple[float, ...]  # the part of ``fast`` that the moving ankle makes

    def at(self, percent: float, stride_s: float) -> float:
        """Torque in Nm at a phase in percent (wraps) of a stride of ``stride_s`` seconds."""
        still, slow, fast = (
            sample(curve, percent) for curve in (self.still_nm, self.slow_nm_s, self.fast_nm_s2)
        )
        return still + slow / stride_s + fast / stride_s**2


def torque_table(
    reference: Reference, foot: FootModel, *, thigh_m: float, shank_m: float, shank_rad: Curve | None = None
) -> TorqueTable:
    """Tables of the torque demand along the reference; the hip is taken as unaccelerated.

    ``shank_rad`` (as many values as the reference) is the shank that carries the foot; the reference's
    without it.
    """
    foot_rad = np.radians(reference.foot_pitch_deg)
    shank_rad = np.radians(reference.shank_pitch_deg) if shank_rad is None else shank_rad
    knee_deg = np.asarray(reference.knee_flexion_deg)
    thigh_rad = shank_rad + np.radians(knee_deg)
    ankle_deg = np.degrees(foot_rad - shank_rad)
    passive_nm = foot.passive_factor * passive_moments_nm(ankle_deg - foot.neutral_deg, knee_deg)
    ahead_x = ahead_y = np.zeros_like(foot_rad)
    for angle, length_m in ((thigh_rad, thigh_m), (shank_rad, shank_m)):
        rate, acceleration = derivative(angle), derivative(derivative(angle))
        ahead_x = ahead_x + length_m * (np.cos(angle) * acceleration - np.sin(angle) * rate**2)
        ahead_y = ahead_y + length_m * (np.sin(angle) * acceleration + np.cos(angle) * rate**2)
    lever_x, lever_y = foot.com_forward_m * np.cos(foot_rad), foot.com_forward_m * np.sin(foot_rad)
    still = foot.mass_kg * GRAVITY_MPS2 * lever_x - passive_nm
    slow = foot.damping_nms_per_rad * (derivative(foot_rad) - derivative(shank_rad))
    carried = foot.mass_kg * (lever_x * ahead_y - lever_y * ahead_x)
    fast = foot.inertia_kgm2 * derivative(derivative(foot_rad)) + carried
    return TorqueTable(*(tuple(curve.tolist()) for curve in (still, slow, fast, carried)))


def derivative(curve: Curve) -> Curve:
    """Derivative of a periodic curve (first and last point are the same) by the whole stride."""
    body = curve[:-1]
    harmonics = np.fft.rfft(body)
    slopes = np.fft.irfft(harmonics * 2j * math.pi * np.arange(len(harmonics)), n=len(body))
    return np.append(slopes, slopes[0])
