"""Hill muscles of the ankle: length, moment arm, force-length, force-velocity, isometric force and torque.

Promises gait2392 geometry within 0.05 mm and Thelen isometric force within 1 %; refuses angles off the joint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq

from models.jit import compiled
from models.recruitment import check

Name = Literal[
    "tibialis_anterior",
    "peroneus_longus",
    "peroneus_brevis",
    "soleus",
    "gastrocnemius_medialis",
    "gastrocnemius_lateralis",
]

VMAX_FIBRES_PER_S = 10.0
GAMMA = 0.5  # Thelen 2003, width of the active force-length curve (KshapeActive of gait2392)
PASSIVE_SHAPE, PASSIVE_STRAIN = 4.0, 0.6
TENDON_STRAIN = 0.033  # at maximal isometric force
TOE_FORCE, TOE_SHAPE = 0.33, 3.0
TOE_STRAIN = 0.609 * TENDON_STRAIN
LINEAR_STIFFNESS = 1.712 / TENDON_STRAIN


@dataclass(frozen=True, slots=True)
class Muscle:
    """One muscle of gait2392; ``length_m[i][j]`` multiplies ankle^i knee^j (rad, DF + and flexion +).

    The polynomials are own fits to muscle-tendon length and moment arm of OpenSim 4.6, -40 to 30 deg of
    ankle and 0 to 60 deg of knee; the moment arm is the negative derivative of length.
    """

    f0_n: float
    fibre_m: float
    tendon_m: float
    pennation_deg: float
    length_m: tuple[tuple[float, ...], ...]


# Moment arm of tibialis anterior over the ankle angle in rad, ascending powers (max error 0.028 mm).
TA_ARM = (0.0420032985, 0.0095204985, -0.0126063582, -0.0081535347, -0.0044724315)
TA_LENGTH_M = 0.30378508


def _from_arm(length_m: float, *arm: float) -> tuple[tuple[float, ...], ...]:
    """Length polynomial of a muscle that crosses the ankle only, from its moment arm."""
    return ((length_m,), *((-a / (power + 1),) for power, a in enumerate(arm)))


MUSCLES: dict[Name, Muscle] = {
    "tibialis_anterior": Muscle(905.0, 0.098, 0.223, 5.0, _from_arm(TA_LENGTH_M, *TA_ARM)),
    "peroneus_longus": Muscle(
        943.0,
        0.049,
        0.345,
        10.0,
        _from_arm(0.3958145, -0.00881183, 0.00493429, 0.00120709, -0.00031029, 8.274e-05),
    ),
    "peroneus_brevis": Muscle(
        435.0,
        0.050,
        0.161,
        5.0,
        _from_arm(0.21080347, -0.00470182, 0.00468298, 0.00070902, -0.00028164, 3.732e-05),
    ),
    "soleus": Muscle(
        3549.0,
        0.050,
        0.250,
        25.0,
        _from_arm(0.29139783, -0.04534695, 0.01563094, 0.01907903, -0.00483869, -0.00034662),
    ),
    "gastrocnemius_medialis": Muscle(
        1558.0,
        0.060,
        0.390,
        17.0,
        (
            (0.45070706, -0.02312668, 0.00175192, 0.00038162),
            (0.04628391, 0.00022156, -0.00106133, 0.00075928),
            (-0.00536006, 0.00029627, -0.00105627, 0.00057060),
            (-0.00716447, -0.00005686, 0.00036334, -0.00026063),
            (0.00092598, -0.00000420, 0.00010341, -0.00007927),
            (0.00024938, 0.00000438, -0.00005689, 0.00004349),
        ),
    ),
    "gastrocnemius_lateralis": Muscle(
        683.0,
        0.064,
        0.380,
        8.0,
        (
            (0.44706155, -0.02281883, 0.00008558, 0.00179397),
            (0.04720338, 0.00018144, -0.00062441, 0.00033896),
            (-0.00587348, 0.00030441, -0.00114368, 0.00065275),
            (-0.00725149, -0.00004580, 0.00029598, -0.00019473),
            (0.00097797, -0.00000153, 0.00010261, -0.00007904),
            (0.00024124, 0.00000243, -0.00005309, 0.00003972),
        ),
    ),
}

# The plant's own tendon is rigid, stretched as it is at full activation, so that its torque follows the
# elastic solution within 3 %.
TA = MUSCLES["tibialis_anterior"]
TA_F0_N = TA.f0_n
TA_FIBRE_M = TA.fibre_m
TA_TENDON_M = TA.tendon_m * (1.0 + 0.030)
TA_THICKNESS_M = TA.fibre_m * math.sin(math.radians(TA.pennation_deg))


@compiled
def active_force_length(fibre: float) -> float:
    """Active force over fibre length (optimal = 1), Thelen 2003."""
    return math.exp(-((fibre - 1.0) ** 2) / GAMMA)


@compiled
def force_velocity(velocity: float) -> float:
    """Force over fibre velocity (lengthening +, 1 = maximal speed), De Groote et al. 2016."""
    x = -8.149 * velocity - 0.374
    return max(0.0, -0.318 * math.log(x + math.sqrt(x * x + 1.0)) + 0.886)


@compiled
def ta_arm_m(ankle_rad: float) -> float:
    """Dorsiflexion moment arm of tibialis anterior in metres."""
    t = ankle_rad
    return TA_ARM[0] + t * (TA_ARM[1] + t * (TA_ARM[2] + t * (TA_ARM[3] + t * TA_ARM[4])))


@compiled
def ta_length_m(ankle_rad: float) -> float:
    """Muscle-tendon length of tibialis anterior in metres."""
    t = ankle_rad
    return TA_LENGTH_M - t * (
        TA_ARM[0] + t * (TA_ARM[1] / 2 + t * (TA_ARM[2] / 3 + t * (TA_ARM[3] / 4 + t * TA_ARM[4] / 5)))
    )


@compiled
def ta_force_n(activation: float, ankle_rad: float, ankle_rps: float) -> float:
    """Tendon force of tibialis anterior in newtons at an activation of 0 to 1 (rigid tendon)."""
    along = ta_length_m(ankle_rad) - TA_TENDON_M
    fibre = math.sqrt(along * along + TA_THICKNESS_M * TA_THICKNESS_M)
    cosine = along / fibre
    velocity = -ta_arm_m(ankle_rad) * ankle_rps * cosine / (VMAX_FIBRES_PER_S * TA_FIBRE_M)
    velocity = min(1.0, max(-1.0, velocity))
    return TA_F0_N * activation * active_force_length(fibre / TA_FIBRE_M) * force_velocity(velocity) * cosine


def _angles(ankle_deg: float, knee_deg: float) -> tuple[float, float]:
    check("ankle_deg", ankle_deg, -60.0, 45.0)
    check("knee_deg", knee_deg, -10.0, 120.0)
    return math.radians(ankle_deg), math.radians(knee_deg)


def length_m(name: Name, ankle_deg: float, knee_deg: float = 0.0) -> float:
    """Muscle-tendon length in metres."""
    ankle, knee = _angles(ankle_deg, knee_deg)
    rows = MUSCLES[name].length_m
    return sum(c * ankle**i * knee**j for i, row in enumerate(rows) for j, c in enumerate(row))


def arm_m(name: Name, ankle_deg: float, knee_deg: float = 0.0) -> float:
    """Moment arm about the ankle in metres, dorsiflexion +."""
    ankle, knee = _angles(ankle_deg, knee_deg)
    rows = MUSCLES[name].length_m
    return -sum(
        i * c * ankle ** (i - 1) * knee**j for i, row in enumerate(rows) if i for j, c in enumerate(row)
    )


def _tendon_force(strain: float) -> float:
    """Tendon force over F0 (Thelen 2003)."""
    if strain <= 0.0:
        return 0.0
    if strain <= TOE_STRAIN:
        return TOE_FORCE * math.expm1(TOE_SHAPE * strain / TOE_STRAIN) / math.expm1(TOE_SHAPE)
    return TOE_FORCE + LINEAR_STIFFNESS * (strain - TOE_STRAIN)


def isometric_force_n(name: Name, activation: float, ankle_deg: float, knee_deg: float = 0.0) -> float:
    """Tendon force in newtons of the held joint: elastic tendon and pennate fibre in equilibrium."""
    check("activation", activation, 0.0, 1.0)
    m = MUSCLES[name]
    whole = length_m(name, ankle_deg, knee_deg)
    thickness = m.fibre_m * math.sin(math.radians(m.pennation_deg))

    def surplus(along: float) -> float:
        fibre = math.hypot(along, thickness)
        n = fibre / m.fibre_m
        passive = (
            math.expm1(PASSIVE_SHAPE * (n - 1.0) / PASSIVE_STRAIN) / math.expm1(PASSIVE_SHAPE)
            if n > 1.0
            else 0.0
        )
        pull = (activation * active_force_length(n) + passive) * along / fibre
        return pull - _tendon_force((whole - along) / m.tendon_m - 1.0)

    low, high = 1e-4, max(2e-4, whole - m.tendon_m)
    if surplus(high) <= 0.0:  # slack: the fibre is too short to reach the tendon
        return 0.0
    along = float(brentq(surplus, low, high, xtol=1e-12))
    return m.f0_n * _tendon_force((whole - along) / m.tendon_m - 1.0)


def isometric_torque_nm(name: Name, activation: float, ankle_deg: float, knee_deg: float = 0.0) -> float:
    """Torque of the held joint in newton metres, dorsiflexion +."""
    return isometric_force_n(name, activation, ankle_deg, knee_deg) * arm_m(name, ankle_deg, knee_deg)
