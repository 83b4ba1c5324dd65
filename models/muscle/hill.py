"""Hill muscles of the ankle: length, moment arm, force-length, force-velocity, isometric force.

Promises gait2392 geometry within 0.05 mm and Thelen isometric force within 1 %; refuses angles off the joint.
"""

from __future__ import annotations

import math

from models.gait2392 import MUSCLES, TA_ARM, TA_LENGTH_M, Name
from models.jit import compiled
from models.recruitment import check

VMAX_FIBRES_PER_S = 10.0
GAMMA = 0.5  # Thelen 2003, width of the active force-length curve (KshapeActive of gait2392)
PASSIVE_SHAPE, PASSIVE_STRAIN = 4.0, 0.6
TENDON_STRAIN = 0.033  # at maximal isometric force
TOE_FORCE, TOE_SHAPE = 0.33, 3.0
TOE_STRAIN = 0.609 * TENDON_STRAIN
LINEAR_STIFFNESS = 1.712 / TENDON_STRAIN


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
    from scipy.optimize import brentq  # heavy, and no part of a walk

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
