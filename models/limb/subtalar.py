"""The second axis: the foot turns in and out, pulled by tibialis anterior and the peronei.

Promises that tibialis inverts, the peronei evert and both also act on the ankle; its arms are assumed.
"""

from __future__ import annotations

from models.jit import compiled

TA_ARM_INVERSION_M = 0.008  # assumed, order of published subtalar arms
PERONEAL_ARM_EVERSION_M = 0.022  # assumed
PERONEAL_ARM_PLANTARFLEXION_M = 0.0075  # longus and brevis at 0 deg, weighted by their force (gait2392)
PERONEAL_F0_N = 1378.0  # gait2392 peroneus longus and brevis
PERONEAL_FORCE_LENGTH = 0.9  # mid-range (assumed)


@compiled
def peroneal_force_n(activation: float) -> float:
    """Force of both peronei in newtons."""
    return PERONEAL_F0_N * PERONEAL_FORCE_LENGTH * min(1.0, activation)


@compiled
def subtalar_moment_nm(ta_n: float, peroneal_n: float, tone_nm: float) -> float:
    """Moment about the foot's long axis, inversion +."""
    return tone_nm + ta_n * TA_ARM_INVERSION_M - peroneal_n * PERONEAL_ARM_EVERSION_M


@compiled
def subtalar_rate(
    angle_rad: float, rate_rps: float, moment_nm: float, step_s: float,
    inertia_kgm2: float, damping_nms: float, stiffness_nm_per_rad: float,
) -> float:  # fmt: skip
    """Rate after one step of a damped, sprung foot (damping implicit, so any step is stable)."""
    free = rate_rps + step_s * (moment_nm - stiffness_nm_per_rad * angle_rad) / inertia_kgm2
    return free / (1.0 + step_s * damping_nms / inertia_kgm2)
