"""What is known of one virtual walker: body, muscles, pads, gait and sensor errors, each within its range.

Refuses what no person has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from models.recruitment import RecruitmentParams, check

Quat = tuple[float, float, float, float]

RECRUITMENT = RecruitmentParams()
RECRUITMENT_EVERSION = RecruitmentParams(i50_ma=30.0)
# Smallest and largest value that makes sense for each parameter of a patient.
RANGES: dict[str, tuple[float, float]] = {
    "mass_kg": (30.0, 200.0),
    "height_m": (1.2, 2.2),
    "sensory_ma": (0.5, 100.0),
    "comfort_ma": (1.0, 150.0),
    "electrode_gain": (0.3, 3.0),
    "delay_s": (0.0, 0.1),
    "muscle_slowness": (0.4, 2.5),
    "stiffness": (0.1, 5.0),
    "neutral_shift_deg": (-25.0, 10.0),
    "damping_nms": (0.0, 3.0),
    "reflex_gain_nms": (0.0, 20.0),
    "reflex_threshold_dps": (0.0, 500.0),
    "reflex_delay_s": (0.01, 0.2),
    "evocable": (0.05, 1.0),
    "volition": (0.0, 1.0),
    "fatigue_s": (1.0, 2000.0),
    "recovery_s": (1.0, 5000.0),
    "fatigue_min": (0.01, 1.0),
    "hip_hike_m": (0.0, 0.1),
    "push_off": (0.4, 1.2),
    "inversion_tone_nm": (-2.0, 2.0),
    "cadence_cv": (0.0, 0.2),
    "shank_sd_deg": (0.0, 10.0),
    "gyr_bias_dps": (0.0, 10.0),
    "gyr_noise_dps": (0.0, 5.0),
    "acc_bias_mps2": (0.0, 1.0),
    "acc_noise_mps2": (0.0, 2.0),
    "contact_ringing": (0.0, 5.0),
    "drift_per_minute": (-0.2, 0.2),
    "electrode_wander": (0.0, 0.2),
    "skin_slide_per_deg": (-0.02, 0.02),
    "nerve_eversion_share": (0.0, 1.0),
    "second_dorsiflexion_share": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class PatientParams:
    """A person with a drop foot; the defaults are the default patient (moderate, slow gait).

    Sources: anthropometry Winter; passive stiffness factor and neutral shift after Chung 2004; delay
    25 to 35 ms; evocable share of the maximal torque 0.3 to 0.7 (unverified); damping 0.3 to 0.8 Nms/rad
    (unverified); everything about the electrodes and sensor errors is assumed.
    """

    side: Literal["left", "right"] = "left"
    mass_kg: float = 70.0
    height_m: float = 1.70
    recruitment: RecruitmentParams = RECRUITMENT
    recruitment_eversion: RecruitmentParams = RECRUITMENT_EVERSION
    sensory_ma: float = 10.0  # first felt, at 300 us
    comfort_ma: float = 45.0  # the most this person accepts, at 300 us
    electrode_gain: float = 1.0  # above 1: the pads sit badly and more current is needed
    drift_per_minute: float = 0.0  # relative change of that gain per minute
    electrode_wander: float = 0.0  # of that gain: a slow random walk, relative, per square root of a minute
    skin_slide_per_deg: float = 0.0  # of that gain: the skin slides over the nerve as the ankle moves
    nerve_eversion_share: float = 0.25  # how much of channel 0 reaches the peronei (assumed)
    second_dorsiflexion_share: float = 0.0  # how much of channel 1 reaches tibialis anterior (assumed)
    delay_s: float = 0.030
    muscle_slowness: float = 1.0  # stretches the time constants of force; below 1 is faster
    stiffness: float = 1.0
    neutral_shift_deg: float = 0.0
    damping_nms: float = 0.5
    reflex_gain_nms: float = 0.0
    reflex_threshold_dps: float = 30.0
    reflex_delay_s: float = 0.040
    evocable: float = 0.5
    volition: float = 0.03
    fatigue_model: Literal["riener", "ding"] = "riener"  # "ding" lets the force model itself fatigue
    fatigue_s: float = 30.0
    recovery_s: float = 50.0
    fatigue_min: float = 0.2
    hip_hike_m: float = 0.055
    push_off: float = 1.0
    inversion_tone_nm: float = 0.15
    cadence_cv: float = 0.025
    shank_sd_deg: float = 1.0
    foot_mount_wxyz: Quat | None = None  # sensor axes in foot axes; None: any, drawn from the seed
    shank_mount_wxyz: Quat | None = None
    gyr_bias_dps: float = 0.5
    gyr_noise_dps: float = 0.1
    acc_bias_mps2: float = 0.05
    acc_noise_mps2: float = 0.03
    contact_ringing: float = 1.0

    def __post_init__(self) -> None:
        if self.side not in ("left", "right"):
            raise ValueError(f"side: found {self.side!r}, allowed: 'left', 'right'")
        for name, (low, high) in RANGES.items():
            check(name, getattr(self, name), low, high)
        for name in ("foot_mount_wxyz", "shank_mount_wxyz"):
            value = getattr(self, name)
            if value is not None and not abs(math.hypot(*value) - 1.0) < 1e-3:
                raise ValueError(f"{name}: found {value!r}, allowed: a quaternion of length 1")


DEFAULT_PATIENT = PatientParams()
