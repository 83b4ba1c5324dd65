"""What a feedback loop on the identified model leaves: gain, phase and sensitivity margins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.core.control.feedforward import passive_moments_nm
from controller.core.params import CoreParams, Gains

Complex = NDArray[np.complex128]
Curve = NDArray[np.float64]

SENSOR_S = 0.030  # half a sample at 60 Hz and the radio link
PHASE_NEEDED_DEG = 50.0
GAIN_NEEDED = 2.0
SENSITIVITY_ALLOWED = 1.7  # Ms: the largest factor by which feedback makes a disturbance worse
OMEGA_RPS: Curve = np.geomspace(0.2, 200.0, 3000)


@dataclass(frozen=True, slots=True)
class Margins:
    """What a loop leaves. ``bandwidth_hz`` is where feedback stops to help (sensitivity first above 0.7)."""

    gain: float
    phase_deg: float
    sensitivity: float
    bandwidth_hz: float

    @property
    def enough(self) -> bool:
        return (
            self.gain >= GAIN_NEEDED
            and self.phase_deg >= PHASE_NEEDED_DEG
            and self.sensitivity <= SENSITIVITY_ALLOWED
        )


def stiffness_nm_per_rad(core: CoreParams) -> float:
    """Mean passive stiffness of the ankle over the reference's swing."""
    reference, foot = core.reference, core.foot
    place = np.linspace(0.0, 100.0, len(reference.foot_pitch_deg))
    ankle = np.subtract(reference.foot_pitch_deg, reference.shank_pitch_deg) - foot.neutral_deg
    knee = np.asarray(reference.knee_flexion_deg)
    slope = (passive_moments_nm(ankle + 0.5, knee) - passive_moments_nm(ankle - 0.5, knee)) / math.radians(
        1.0
    )
    return float(np.mean(-foot.passive_factor * slope[place >= reference.toe_off_percent]))


def plant(core: CoreParams, omega_rps: Curve = OMEGA_RPS) -> Complex:
    """Frequency response from torque asked to foot pitch seen, rad/Nm: muscle, delays, foot on its ankle."""
    s = 1j * omega_rps
    muscle, foot = core.muscle, core.foot
    late_s = muscle.delay_s + 0.5 / core.pulse.rate_hz + SENSOR_S
    lag = (muscle.bandwidth_rps / (s + muscle.bandwidth_rps)) ** 2 * np.exp(-s * late_s)
    limb = foot.inertia_kgm2 * s**2 + foot.damping_nms_per_rad * s + stiffness_nm_per_rad(core)
    return np.asarray(lag / limb, dtype=np.complex128)


def controller(gains: Gains, omega_rps: Curve = OMEGA_RPS) -> Complex:
    """Frequency response of the PID, Nm/rad."""
    s = 1j * omega_rps
    derivative = gains.td_s * s / (1.0 + gains.td_s / gains.derivative_filter * s)
    return np.asarray(gains.kp_nm_per_rad * (1.0 + 1.0 / (gains.ti_s * s) + derivative), dtype=np.complex128)


def margins(loop: Complex, omega_rps: Curve = OMEGA_RPS) -> Margins:
    """Gain, phase and sensitivity margins of an open loop given on ``omega_rps``."""
    size, angle = np.abs(loop), np.unwrap(np.angle(loop))
    angle -= 2.0 * math.pi * round((angle[0] + math.pi / 2.0) / (2.0 * math.pi))
    turned = np.flatnonzero((angle[:-1] > -math.pi) & (angle[1:] <= -math.pi))
    crossed = np.flatnonzero((size[:-1] > 1.0) & (size[1:] <= 1.0))
    sensitivity = np.abs(1.0 / (1.0 + loop))
    useful = np.flatnonzero(sensitivity > math.sqrt(0.5))
    return Margins(
        gain=float(min((1.0 / size[n] for n in turned), default=math.inf)),
        phase_deg=float(min((180.0 + math.degrees(angle[n]) for n in crossed), default=math.inf)),
        sensitivity=float(sensitivity.max()),
        bandwidth_hz=float(omega_rps[useful[0]] / (2.0 * math.pi)) if useful.size else math.inf,
    )
