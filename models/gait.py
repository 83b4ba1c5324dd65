"""How segments move over the gait cycle: normal reference curves, and the activities a patient can perform.

Promises smooth periodic curves within 1.5 deg of the published tables; refuses speeds out of range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from models.gait_coefficients import COEFFICIENTS, HARMONICS
from models.recruitment import check

Array = npt.NDArray[np.float64]
Segment = Literal["thigh", "shank", "foot"]

# Adult walking speed at which each of Schwartz's five groups is used. The groups are defined by speed over
# sqrt(g x leg length); these are rounded values for a 0.9 m leg (assumed).
SPEEDS_MPS = (0.55, 0.9, 1.2, 1.5, 1.8)
# Toe-off in percent of the cycle for the same groups (assumed; NONAN: 60 to 62 at free speed).
TOE_OFF_PERCENT = (65.0, 63.0, 60.5, 59.0, 58.0)

_INDEX = {"thigh": 0, "shank": 1, "foot": 2}
_WALKING = np.array(COEFFICIENTS, dtype=np.float64)
_TERMS = 2 * HARMONICS + 1


def _fit(samples: Array) -> Array:
    """Harmonic coefficients (mean, cosines, sines) of one cycle sampled evenly."""
    spectrum = np.fft.rfft(samples) / samples.size
    return np.concatenate(
        (
            [spectrum[0].real],
            2.0 * spectrum[1 : HARMONICS + 1].real,
            -2.0 * spectrum[1 : HARMONICS + 1].imag,
        )
    )


def _bump(phase: Array, start: float, end: float) -> Array:
    """Raised cosine between two phases (0 to 1), zero elsewhere."""
    inside = (phase > start) & (phase < end)
    return np.where(inside, 0.5 - 0.5 * np.cos(2 * np.pi * (phase - start) / (end - start)), 0.0)


def _constant(thigh_deg: float, shank_deg: float) -> Array:
    """A posture with the foot flat."""
    curves = np.zeros((3, _TERMS))
    curves[0, 0], curves[1, 0] = thigh_deg, shank_deg
    return curves


def _stepping_in_place() -> Array:
    """Marching on the spot: thigh and knee lift in swing, foot nearly level (assumed shape)."""
    phase = np.arange(256) / 256
    lift = _bump(phase, 0.55, 1.05) + _bump(phase + 1.0, 0.55, 1.05)
    return np.array([_fit(2.0 + 32.0 * lift), _fit(-4.0 - 28.0 * lift), _fit(-12.0 * lift)])


def _stairs() -> Array:
    """Ascending stairs: high knee lift, forefoot-level placement (shape assumed)."""
    phase = np.arange(256) / 256
    lift = _bump(phase, 0.6, 1.15) + _bump(phase + 1.0, 0.6, 1.15)
    push = _bump(phase, 0.45, 0.8)
    thigh = 18.0 + 38.0 * lift - 12.0 * _bump(phase, 0.3, 0.8)
    shank = -8.0 - 22.0 * push - 18.0 * _bump(phase, 0.6, 0.95)
    return np.array([_fit(thigh), _fit(shank), _fit(-32.0 * push + 4.0 * lift)])


# Curve sets the plant can blend, in this order; each is (thigh, shank, foot) x terms.
STAND, SIT, WALK, IN_PLACE, STAIRS = 0, 1, 2, 7, 8
CURVE_SETS: Array = np.concatenate(
    (
        _constant(3.0, -4.0)[None],  # quiet standing leans a few degrees forward (assumed)
        _constant(82.0, 2.0)[None],  # sitting (assumed)
        _WALKING,
        _stepping_in_place()[None],
        _stairs()[None],
    )
)


def speed_weights(speed_mps: float) -> Array:
    """Weights of the five speed groups for a walking speed; clamped to the groups' range."""
    check("speed_mps", speed_mps, 0.0, 5.0)
    place = float(np.interp(speed_mps, SPEEDS_MPS, np.arange(5)))
    weights = np.zeros(5)
    low = min(int(place), 3)
    weights[low], weights[low + 1] = 1.0 - (place - low), place - low
    return weights


def toe_off_percent(speed_mps: float) -> float:
    """Phase of toe-off in percent of the cycle."""
    check("speed_mps", speed_mps, 0.0, 5.0)
    return float(np.interp(speed_mps, SPEEDS_MPS, TOE_OFF_PERCENT))


def evaluate(coefficients: Array, phase_percent: npt.ArrayLike) -> Array:
    """Value of a harmonic curve at phases in percent of the cycle (any shape, periodic)."""
    angle = np.asarray(phase_percent, dtype=np.float64)[..., None] * (2 * np.pi / 100.0)
    order = np.arange(1, HARMONICS + 1)
    cosine, sine = coefficients[1 : HARMONICS + 1], coefficients[HARMONICS + 1 :]
    value: Array = coefficients[0] + np.cos(angle * order) @ cosine + np.sin(angle * order) @ sine
    return value


def normal_pitch_deg(segment: Segment, phase_percent: npt.ArrayLike, speed_mps: float) -> Array:
    """Normal pitch of thigh, shank or foot in degrees (distal end forward / toe up +)."""
    curve = np.tensordot(speed_weights(speed_mps), _WALKING[:, _INDEX[segment]], axes=1)
    return evaluate(curve, phase_percent)


def normal_foot_pitch_deg(phase_percent: npt.ArrayLike, speed_mps: float) -> Array:
    """Normal foot pitch in degrees, toe up +, 0 to 100 % from initial contact to the next."""
    return normal_pitch_deg("foot", phase_percent, speed_mps)


def normal_ankle_deg(phase_percent: npt.ArrayLike, speed_mps: float) -> Array:
    """Normal ankle angle in degrees, dorsiflexion +."""
    ankle: Array = normal_pitch_deg("foot", phase_percent, speed_mps) - normal_pitch_deg(
        "shank", phase_percent, speed_mps
    )
    return ankle


def normal_knee_deg(phase_percent: npt.ArrayLike, speed_mps: float) -> Array:
    """Normal knee angle in degrees, flexion +."""
    knee: Array = normal_pitch_deg("thigh", phase_percent, speed_mps) - normal_pitch_deg(
        "shank", phase_percent, speed_mps
    )
    return knee


# hang: seated, the lower leg hanging and the foot free
ActivityKind = Literal[
    "stand", "walk", "turn", "step_in_place", "stairs", "sit", "hang", "stand_up", "weight_shift"
]


@dataclass(frozen=True, slots=True)
class Activity:
    """What the patient does for ``duration_s`` seconds.

    ``speed_mps`` picks the movement pattern, ``stride_s`` the stride time, ``turn_deg`` is the total
    change of heading while walking (turn: about the vertical, left +).
    """

    kind: ActivityKind
    duration_s: float
    speed_mps: float = 0.7
    stride_s: float = 1.4
    turn_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(ActivityKind):
            raise ValueError(f"kind: found {self.kind!r}, allowed: {', '.join(get_args(ActivityKind))}")
        check("duration_s", self.duration_s, 0.1, 1e6)
        check("speed_mps", self.speed_mps, 0.1, 3.0)
        check("stride_s", self.stride_s, 0.6, 4.0)
        check("turn_deg", self.turn_deg, -3600.0, 3600.0)

    @property
    def cyclic(self) -> bool:
        """Whether the feet leave the ground."""
        return self.kind in ("walk", "turn", "step_in_place", "stairs")

    def set_weights(self) -> Array:
        """Weights of the curve sets this activity is made of; they sum to 1."""
        weights = np.zeros(len(CURVE_SETS))
        if self.kind in ("walk", "turn"):
            weights[WALK : WALK + 5] = speed_weights(self.speed_mps)
        elif self.kind == "step_in_place":
            weights[IN_PLACE] = 1.0
        elif self.kind == "stairs":
            weights[STAIRS] = 1.0
        elif self.kind in ("sit", "hang"):
            weights[SIT] = 1.0
        else:
            weights[STAND] = 1.0
        return weights
