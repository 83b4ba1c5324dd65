"""The compiled inner loop of the virtual patient: one leg, 1 kHz, fixed step.

Promises the same motion for the same inputs and continuous angles and rates through every contact; refuses
nothing: all values are checked before they get here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.limb.foot import foot_acceleration
from models.limb.ground import scuff_moment_nm, sole_heights
from models.limb.passive import riener_edrich_nm, stop_moment_nm
from models.limb.reflex import reflex_step
from models.limb.subtalar import (
    PERONEAL_ARM_PLANTARFLEXION_M,
    peroneal_force_n,
    subtalar_moment_nm,
    subtalar_rate,
)
from models.muscle.ding import FORCE, Constants
from models.muscle.hill import ta_arm_m, ta_force_n
from models.muscle.stimulated import FITNESS, Tiring, contract

Array = npt.NDArray[np.float64]

DT_S = 0.001
GRAVITY = 9.80665
HISTORY = 1024  # rows of 1 ms; a power of two
CHANNELS = 2
TAU = 2.0 * math.pi

# Columns of the history, one row a millisecond; SI units, angles in radians.
(
    H_TIME, H_FOOT, H_FOOT_RATE, H_FOOT_ACC, H_SHANK, H_SHANK_RATE, H_SHANK_ACC, H_ACC_X, H_ACC_Y,
    H_VELOCITY_X, H_YAW, H_YAW_RATE, H_YAW_ACC, H_ROLL, H_ROLL_RATE, H_ROLL_ACC, H_SHANK_ROLL,
    H_SHANK_ROLL_RATE, H_RINGING, H_PHASE, H_SWING, H_TORQUE, H_ACT0, H_ACT1, H_VOLITION, H_REFERENCE,
    H_ANKLE_Y, H_ANKLE_X, H_KNEE, H_CALF,
) = range(30)  # fmt: skip
WIDTH = 30

# Columns of the list of strides.
(
    S_CONTACT, S_TOE_OFF, S_NEXT_CONTACT, S_ANKLE_AT_CONTACT, S_FOOT_AT_CONTACT, S_PEAK_ANKLE,
    S_SWING_RMSE, S_FOREFOOT, S_CLEARANCE, S_INVERSION_AT_CONTACT,
) = range(10)  # fmt: skip
STRIDE_WIDTH = 10
PLAN_WEIGHTS = 8  # from this column on

Leg = Any  # one record of STATE: numba knows its fields, the type checker does not


class Body(NamedTuple):
    """Constants of one leg in SI units (radians, newton metres)."""

    thigh_m: float
    shank_m: float
    mass_kg: float
    com_x_m: float
    com_y_m: float
    inertia_kgm2: float
    heel_x_m: float
    ball_x_m: float
    sole_y_m: float
    stiffness: float
    neutral_deg: float
    damping: float
    reflex_gain: float
    reflex_threshold_rps: float
    reflex_delay_s: float
    reflex_wn: float
    evocable: float
    volition: float
    calf: float
    tiring: Tiring
    hike_m: float
    push_off: float
    roll_inertia: float
    roll_damping: float
    roll_stiffness: float
    roll_tone_nm: float
    ta_share0: float
    ta_share1: float
    per_share0: float
    per_share1: float
    cadence_cv: float
    shank_sd_rad: float


STATE = np.dtype(
    [
        (name, np.float64)
        for name in (
            "time", "phase", "rate", "rate_d", "swing", "contact_time", "load_s", "load_a0", "load_v0",
            "load_r0", "load_rv0", "blend_s", "climb", "foot", "foot_prev", "foot_v", "shank",
            "shank_prev", "thigh",
            "ankle_x", "ankle_y", "ankle_x1", "ankle_y1", "hip_x", "hip_y", "hip_x1", "hip_y1",
            "anchor_x", "ground", "err_x", "err_y", "err_vx", "err_vy", "to_time", "to_s", "q_x0",
            "q_vx0", "q_ax0", "q_y0", "q_vy0", "q_ay0", "q_x1", "q_vx1", "q_y1", "q_vy1", "yaw",
            "yaw_prev", "yaw_start", "yaw_turn", "roll", "roll_prev", "roll_v",
            "ring_amp", "ring_time", "off_shank", "off_shank_v", "off_thigh", "off_thigh_v", "tgt_shank",
            "tgt_thigh", "factor", "stride", "toe_phase", "started", "s_contact", "s_toe_off", "s_peak",
            "s_sum", "s_n", "s_ankle0", "s_foot0", "s_fore0", "s_clear", "s_roll0", "strides_done",
            "torque", "settled", "volition", "act0", "act1", "moving", "sway", "sway_v", "calf", "hangs",
        )
    ]
)  # fmt: skip


@compiled
def legs(coefficients: Array, phase: float) -> tuple[float, float, float, float, float, float]:
    """Thigh, shank and foot pitch in radians at a phase (cycles) by complex rotation; then the other leg's.

    Half a cycle apart, odd harmonics have the other sign.
    """
    angle = TAU * phase
    c1, s1 = math.cos(angle), math.sin(angle)
    c, s = c1, s1
    terms = (coefficients.shape[1] - 1) // 2
    a, b, d = coefficients[0, 0], coefficients[1, 0], coefficients[2, 0]
    other_a, other_b, other_d = a, b, d
    side = -1.0
    for k in range(1, terms + 1):
        thigh = coefficients[0, k] * c + coefficients[0, terms + k] * s
        shank = coefficients[1, k] * c + coefficients[1, terms + k] * s
        foot = coefficients[2, k] * c + coefficients[2, terms + k] * s
        a, b, d = a + thigh, b + shank, d + foot
        other_a, other_b, other_d = other_a + side * thigh, other_b + side * shank, other_d + side * foot
        side = -side
        c, s = c * c1 - s * s1, s * c1 + c * s1
    own = math.radians(a), math.radians(b), math.radians(d)
    return *own, math.radians(other_a), math.radians(other_b), math.radians(other_d)


@compiled
def _smooth(x: float) -> float:
    """Quintic step from 0 to 1 with zero first and second derivatives at both ends."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    return x * x * x * (10.0 + x * (-15.0 + 6.0 * x))


@compiled
def _quintic(t: float, T: float, x0: float, v0: float, a0: float, x1: float, v1: float) -> float:
    """Quintic from (x0, v0, a0) to (x1, v1, 0) in T seconds; straight on after T."""
    if t >= T:
        return x1 + v1 * (t - T)
    d = x1 - x0
    c3 = (20.0 * d - (8.0 * v1 + 12.0 * v0) * T - 3.0 * a0 * T * T) / (2.0 * T**3)
    c4 = (-30.0 * d + (14.0 * v1 + 16.0 * v0) * T + 3.0 * a0 * T * T) / (2.0 * T**4)
    c5 = (12.0 * d - 6.0 * (v1 + v0) * T - a0 * T * T) / (2.0 * T**5)
    return x0 + t * (v0 + t * (0.5 * a0 + t * (c3 + t * (c4 + t * c5))))


@compiled
def _hip_over_heel(b: Body, coefficients: Array, phase: float) -> tuple[float, float]:
    """Hip position of a normal leg standing on its heel at the origin."""
    thigh, shank, foot, _, _, _ = legs(coefficients, phase)
    c, s = math.cos(foot), math.sin(foot)
    x = -(c * b.heel_x_m - s * b.sole_y_m) - b.thigh_m * math.sin(thigh) - b.shank_m * math.sin(shank)
    y = -(s * b.heel_x_m + c * b.sole_y_m) + b.thigh_m * math.cos(thigh) + b.shank_m * math.cos(shank)
    return x, y


FLAT_START = 0.13  # of the cycle: the foot is flat at the latest here (Schwartz 2008: 15 %)
HEEL_OFF = 0.38
SETTLE_SHARE = 0.5  # of swing: by then the other leg alone says how high the hip is (assumed)
ROLL_SPAN = 0.18  # of the cycle after it until the foot follows its curve (assumed)
CONTACT_FROM = 0.94  # a touch before this phase is a scuff, not initial contact
CONTACT_LATEST = 1.08
PUT_DOWN_S = 0.4  # (assumed)
END_RAD, END_WIDTH_RAD = math.radians(28.0), math.radians(1.5)  # of stance dorsiflexion (assumed)
PASSIVE_MAX_NM = 60.0  # beyond it the shank, which is prescribed here, would give way (assumed)
BLEND_S, BLEND_S_PER_MPS = 0.05, 0.08  # heel pad and tissue take up the ankle's speed in this time (assumed)
TA_ENVELOPE = np.array(
    # normal tibialis anterior, every 5 % of the cycle, peak 1 (gaitutils)
    [0.97, 0.75, 0.16, 0.14, 0.14, 0.14, 0.16, 0.21, 0.25, 0.24, 0.15, 0.15, 0.43, 0.58, 0.65, 0.51,
     0.32, 0.25, 0.35, 0.60, 0.95]
)  # fmt: skip

# Gastrocnemius rises from here to its peak and falls to here, in cycles; it is never wholly silent. Straight
# lines over mean envelopes of 8 healthy people (Lencioni 2019); what standing takes is assumed.
CALF_FROM, CALF_PEAK, CALF_END, CALF_LEAST = 0.05, 0.40, 0.55, 0.08
CALF_NM = 120.0  # of a calf wholly active (assumed): what share of it a stretch reflex is


@compiled
def calf_envelope(phase: float) -> float:
    """Activity of the gastrocnemius in walking over its peak, at a phase in cycles."""
    if phase < CALF_PEAK:
        return max(CALF_LEAST, (phase - CALF_FROM) / (CALF_PEAK - CALF_FROM))
    return max(CALF_LEAST, (CALF_END - phase) / (CALF_END - CALF_PEAK))


@compiled
def _hip_over_other(b: Body, phase: float, thigh: float, shank: float, foot: float) -> float:
    """Hip height over the other leg, a normal one half a cycle apart: foot flat, then on its ball."""
    foot *= _smooth((phase - 0.5 - HEEL_OFF) / ROLL_SPAN)
    ankle_y = -(math.sin(foot) * b.ball_x_m + math.cos(foot) * b.sole_y_m)
    return ankle_y + b.thigh_m * math.cos(thigh) + b.shank_m * math.cos(shank)


@compiled
def _intend(s: Leg, weights: Array, sets: Array, eff: Array, plan: Array, row: int, dt: float) -> None:
    """Walk, stop or settle into a posture: the blend of the curve sets, stride rate, phase and sway."""
    n_sets = sets.shape[0]
    walk = plan[row, 1]
    rate_target = 0.0
    if walk > 0.0:
        rate_target = walk * s.factor
        s.moving = 1.0
    elif s.moving > 0.0:
        # a walk ends with the foot flat, in early single support
        if s.swing == 0.0 and 0.14 <= s.phase <= 0.24:
            s.moving = 0.0
            s.started = 0.0  # the next walk begins with a new first contact
        else:
            rate_target = max(s.rate, 0.3)
    if walk > 0.0 or s.moving == 0.0:
        moving_sets = 0.0
        for i in range(n_sets):
            w, v, target = weights[0, i], weights[1, i], plan[row, PLAN_WEIGHTS + i]
            wn = 8.0 if s.moving > 0.0 else 5.0
            acc = wn * wn * (target - w) - 2.0 * wn * v
            weights[1, i] = v + dt * acc
            weights[0, i] = w + dt * weights[1, i]
            moving_sets += abs(weights[1, i]) + abs(target - w)
        if moving_sets > 1e-9:
            s.settled = 0.0
    if s.settled == 0.0:
        eff[:] = 0.0
        total = 0.0
        for i in range(n_sets):
            total += abs(weights[1, i])
            for j in range(3):
                for k in range(eff.shape[1]):
                    eff[j, k] += weights[0, i] * sets[i, j, k]
        if total < 1e-10:
            s.settled = 1.0
    acc = 144.0 * (rate_target - s.rate) - 24.0 * s.rate_d
    s.rate_d += dt * acc
    s.rate += dt * s.rate_d
    s.phase += dt * max(0.0, s.rate)
    s.off_shank_v += dt * (36.0 * (s.tgt_shank * s.moving - s.off_shank) - 12.0 * s.off_shank_v)
    s.off_shank += dt * s.off_shank_v
    s.off_thigh_v += dt * (36.0 * (s.tgt_thigh * s.moving - s.off_thigh) - 12.0 * s.off_thigh_v)
    s.off_thigh += dt * s.off_thigh_v
    sway_target = plan[row, 6] * math.sin(TAU * 0.4 * (s.time + dt))
    s.sway_v += dt * (100.0 * (sway_target - s.sway) - 20.0 * s.sway_v)
    s.sway += dt * s.sway_v


@compiled
def _standing_foot(s: Leg, b: Body, reference: float, shank: float, t1: float) -> tuple[float, float, float]:
    """Pitch of the foot on the ground and where that puts the ankle: heel, flat, then ball."""
    since = t1 - s.contact_time
    if since < s.load_s:
        foot = _quintic(since, s.load_s, s.load_a0, s.load_v0, 0.0, 0.0, 0.0)
    elif s.phase > HEEL_OFF:
        span = s.toe_phase - HEEL_OFF
        foot = b.push_off * reference * _smooth((s.phase - HEEL_OFF) / (0.7 * span))
        # an ankle at the end of its range lifts the heel, however weak the push-off
        foot -= END_WIDTH_RAD * math.log1p(math.exp((foot - shank - END_RAD) / END_WIDTH_RAD))
    else:
        foot = 0.0
    on_heel = since < s.load_s and s.load_a0 > 0.0
    point_x = b.heel_x_m if on_heel else b.ball_x_m
    anchor = s.anchor_x if on_heel else s.anchor_x + (b.ball_x_m - b.heel_x_m)
    co, sn = math.cos(foot), math.sin(foot)
    ankle_x = anchor - (co * point_x - sn * b.sole_y_m)
    ankle_y = s.ground - (sn * point_x + co * b.sole_y_m)
    if since < s.blend_s:
        ankle_x += _quintic(since, s.blend_s, s.err_x, s.err_vx, 0.0, 0.0, 0.0)
        ankle_y += _quintic(since, s.blend_s, s.err_y, s.err_vy, 0.0, 0.0, 0.0)
    return foot, ankle_x, ankle_y


@compiled
def _hip_over_other_at(b: Body, coefficients: Array, phase: float) -> float:
    _, _, _, thigh, shank, foot = legs(coefficients, phase)
    return _hip_over_other(b, phase, thigh, shank, foot)


@compiled
def _swinging_hip(s: Leg, b: Body, over_other: float, t1: float) -> tuple[float, float]:
    """Where the hip carries the swinging leg: ``over_other`` leg from toe-off to the contact planned, with a
    hike."""
    since = t1 - s.to_time
    hip_x = _quintic(since, s.to_s, s.q_x0, s.q_vx0, s.q_ax0, s.q_x1, s.q_vx1)
    if s.climb == 0.0:
        hip_y = over_other
        hip_y += _quintic(since, SETTLE_SHARE * s.to_s, s.q_y0 - s.q_y1, s.q_vy0, s.q_ay0, 0.0, 0.0)
        hip_y += _quintic(since, s.to_s, s.q_y1, 0.0, 0.0, s.q_y1, s.q_vy1)
    else:
        hip_y = _quintic(since, s.to_s, s.q_y0, s.q_vy0, s.q_ay0, s.q_y1, s.q_vy1)
    u = since / s.to_s
    if u < 1.0:
        hip_y += b.hike_m * u**3 * (1.0 - u) ** 2 / 0.03456  # highest at 60 % of swing
    return hip_x, hip_y


@compiled
def _leave_ground(s: Leg, b: Body, eff: Array, intent: Array, hip: tuple[float, float, float, float]) -> None:
    """Toe-off: plan the hip's way to the next contact. ``hip``: speed and acceleration, x and y."""
    hip_vx, hip_vy, hip_ax, hip_ay = hip
    dt = DT_S
    s.swing = 1.0
    s.to_time = s.time
    rate = max(0.2, s.rate)
    T = (1.0 - s.phase) / rate
    s.to_s = T
    # speed and acceleration at the new instant from the last three
    s.q_x0, s.q_vx0, s.q_ax0 = s.hip_x, hip_vx + 0.5 * dt * hip_ax, hip_ax
    s.q_y0, s.q_vy0, s.q_ay0 = s.hip_y, hip_vy + 0.5 * dt * hip_ay, hip_ay
    d = 0.005
    x_a, y_a = _hip_over_heel(b, eff, -d)
    _, y_b = _hip_over_heel(b, eff, 0.0)
    x_c, y_c = _hip_over_heel(b, eff, d)
    forward = intent[4]
    s.q_vx1 = (x_c - x_a) / (2.0 * d) * rate + 0.25 * forward  # the heel still moves forward
    s.q_vy1 = (y_c - y_a) / (2.0 * d) * rate - 0.25  # and down when it meets the ground
    s.climb = intent[5]  # on stairs the edge is cleared by lifting the knee
    s.ground += s.climb
    s.q_y1 = s.ground + y_b
    if s.climb == 0.0:  # planned is what comes to the height over the other leg
        before, here, after = (
            _hip_over_other_at(b, eff, s.phase - d),
            _hip_over_other_at(b, eff, s.phase),
            _hip_over_other_at(b, eff, s.phase + d),
        )
        s.q_y0 -= here
        s.q_vy0 -= (after - before) / (2.0 * d) * rate
        s.q_ay0 -= (after - 2.0 * here + before) / (d * d) * rate**2
        s.q_y1 -= _hip_over_other_at(b, eff, 1.0)
        before, after = _hip_over_other_at(b, eff, 1.0 - d), _hip_over_other_at(b, eff, 1.0 + d)
        s.q_vy1 -= (after - before) / (2.0 * d) * rate
    s.q_x1 = s.q_x0 + 0.5 * (s.q_vx0 + s.q_vx1) * T + s.q_ax0 * T * T / 12.0
    s.yaw_start = s.yaw
    s.yaw_turn = intent[2]
    s.s_toe_off = s.time
    s.s_peak = -10.0
    s.s_clear = 1.0
    s.s_sum = 0.0
    s.s_n = 0.0


@compiled
def _touch_ground(s: Leg, b: Body, ankle_vx: float, ankle_vy: float, forefoot: bool) -> None:
    """Initial contact on heel or ball: fix the point, take up the remaining speed, roll on to flat."""
    foot, ankle_x, ankle_y, roll, t1 = s.foot, s.ankle_x, s.ankle_y, s.roll, s.time
    point_x = b.ball_x_m if forefoot else b.heel_x_m
    co, sn = math.cos(foot), math.sin(foot)
    s.swing = 0.0
    s.phase -= 1.0
    s.anchor_x = ankle_x + (co * point_x - sn * b.sole_y_m)
    if forefoot:
        s.anchor_x -= b.ball_x_m - b.heel_x_m
    s.err_x = 0.0
    s.err_y = ankle_y - (s.ground - (sn * point_x + co * b.sole_y_m))
    s.err_vx = ankle_vx + s.foot_v * (-sn * point_x - co * b.sole_y_m)
    s.err_vy = ankle_vy + s.foot_v * (co * point_x - sn * b.sole_y_m)
    speed = math.sqrt(s.err_vx**2 + s.err_vy**2)
    s.blend_s = min(0.15, max(BLEND_S, BLEND_S_PER_MPS * speed))
    s.contact_time = t1
    s.load_a0, s.load_v0 = foot, s.foot_v
    s.load_r0, s.load_rv0 = roll, s.roll_v
    span = max(0.06, (FLAT_START - s.phase) / max(0.3, s.rate))
    span *= min(1.0, max(0.3, abs(foot) / 0.2))
    if foot * s.foot_v < 0.0:  # do not slap through the floor
        span = min(span, max(0.03, 2.5 * abs(foot / s.foot_v)))
    s.load_s = span
    s.ring_time = t1
    s.ring_amp = 25.0 * min(2.0, speed)


@compiled
def _put_down(s: Leg, b: Body) -> None:
    """A foot that hung comes down flat on the ground, in PUT_DOWN_S."""
    s.contact_time, s.load_s, s.blend_s = s.time, PUT_DOWN_S, PUT_DOWN_S
    s.load_a0, s.load_v0, s.load_r0, s.load_rv0 = s.foot, s.foot_v, s.roll, s.roll_v
    point_x = b.heel_x_m if s.foot > 0.0 else b.ball_x_m
    anchor = s.anchor_x if s.foot > 0.0 else s.anchor_x + (b.ball_x_m - b.heel_x_m)
    co, sn = math.cos(s.foot), math.sin(s.foot)
    s.err_x = s.ankle_x - (anchor - (co * point_x - sn * b.sole_y_m))
    s.err_y = s.ankle_y - (s.ground - (sn * point_x + co * b.sole_y_m))
    s.err_vx = s.foot_v * (-sn * point_x - co * b.sole_y_m)
    s.err_vy = s.foot_v * (co * point_x - sn * b.sole_y_m)


@compiled
def _count_stride(s: Leg, b: Body, strides: Array, draw: Array, toe_phase: float, forefoot: bool) -> None:
    """Write down the stride that ends here, and draw how the next one varies."""
    foot, shank, roll, t1 = s.foot, s.shank, s.roll, s.time
    if s.started > 0.0 and s.strides_done < strides.shape[0]:
        r = strides[int(s.strides_done)]
        r[S_CONTACT], r[S_TOE_OFF], r[S_NEXT_CONTACT] = s.s_contact, s.s_toe_off, t1
        r[S_ANKLE_AT_CONTACT], r[S_FOOT_AT_CONTACT], r[S_PEAK_ANKLE] = (
            s.s_ankle0,
            s.s_foot0,
            s.s_peak,
        )
        r[S_SWING_RMSE] = math.sqrt(s.s_sum / max(1.0, s.s_n))
        r[S_FOREFOOT], r[S_CLEARANCE], r[S_INVERSION_AT_CONTACT] = s.s_fore0, s.s_clear, s.s_roll0
        s.strides_done += 1.0
    s.started = 1.0
    s.s_contact = t1
    s.s_ankle0, s.s_foot0 = foot - shank, foot
    s.s_fore0 = 1.0 if forefoot else 0.0
    s.s_roll0 = roll
    s.factor = 1.0 + b.cadence_cv * draw[0]
    s.tgt_shank = b.shank_sd_rad * draw[1]
    s.tgt_thigh = s.tgt_shank + b.shank_sd_rad * draw[2]
    s.toe_phase = toe_phase + 0.006 * draw[3]


@compiled
def run(
    n: int,
    b: Body,
    c: Constants,
    state: np.ndarray,
    weights: Array,
    sets: Array,
    eff: Array,
    plan: Array,
    draws: Array,
    muscles: Array,
    queue: Array,
    history: Array,
    reflex: Array,
    lag: Array,
    strides: Array,
) -> None:
    """Advance ``n`` milliseconds; every array is changed in place.

    ``plan`` rows: start s, stride rate Hz (0 = stand), heading change per stride rad, toe-off phase,
    forward 1 or 0, rise per stride m, sway rad, 1 where the foot hangs free, then the curve-set weights.
    """
    s = state[0]
    dt = DT_S
    for _ in range(n):
        t1 = s.time + dt
        row = 0
        for i in range(plan.shape[0]):
            if plan[i, 0] <= s.time:
                row = i
        _intend(s, weights, sets, eff, plan, row, dt)
        thigh, shank, reference, other_thigh, other_shank, other_foot = legs(eff, s.phase)
        thigh += s.off_thigh
        shank += s.off_shank
        chain_x = b.thigh_m * math.sin(thigh) + b.shank_m * math.sin(shank)
        chain_y = -b.thigh_m * math.cos(thigh) - b.shank_m * math.cos(shank)
        hangs = plan[row, 7] > 0.0 and s.swing == 0.0 and s.moving == 0.0
        if s.hangs > 0.0 and not hangs:
            _put_down(s, b)
        s.hangs = 1.0 if hangs else 0.0
        if hangs:  # the ankle stays where it is, in the air now
            foot, ankle_x, ankle_y = s.foot, s.ankle_x, s.ankle_y
            hip_x, hip_y = ankle_x - chain_x, ankle_y - chain_y
        elif s.swing == 0.0:
            foot, ankle_x, ankle_y = _standing_foot(s, b, reference, shank, t1)
            hip_x, hip_y = ankle_x - chain_x, ankle_y - chain_y
        else:
            foot = s.foot
            over_other = _hip_over_other(b, s.phase, other_thigh, other_shank, other_foot)
            hip_x, hip_y = _swinging_hip(s, b, over_other, t1)
            ankle_x, ankle_y = hip_x + chain_x, hip_y + chain_y
        acc_x = (ankle_x - 2.0 * s.ankle_x + s.ankle_x1) / (dt * dt)
        acc_y = (ankle_y - 2.0 * s.ankle_y + s.ankle_y1) / (dt * dt)
        # --- muscles at the present instant
        s.act0 = muscles[0, FORCE] / b.tiring.force_ref_n
        s.act1 = muscles[1, FORCE] / b.tiring.force_ref_n
        fes0 = s.act0 * muscles[0, FITNESS] * b.evocable
        fes1 = s.act1 * muscles[1, FITNESS] * b.evocable
        for channel in range(CHANNELS):
            contract(muscles[channel], queue[channel], s.time, t1, b.tiring, c)
        place = (s.phase % 1.0) * 20.0
        slot = min(19, int(place))
        envelope = TA_ENVELOPE[slot] + (place - slot) * (TA_ENVELOPE[slot + 1] - TA_ENVELOPE[slot])
        wanted = b.volition * envelope * (1.0 if s.moving > 0.0 else 0.0)
        s.volition += dt * (wanted - s.volition) / 0.025
        pushing = calf_envelope(s.phase % 1.0) if s.moving > 0.0 else CALF_LEAST
        s.calf += dt * (b.calf * pushing - s.calf) / 0.025
        ta = min(1.0, b.ta_share0 * fes0 + b.ta_share1 * fes1 + s.volition)
        peroneal = min(1.0, b.per_share0 * fes0 + b.per_share1 * fes1)
        ankle_angle = s.foot - s.shank
        shank_v = (shank - s.shank_prev) / (2.0 * dt)
        ankle_v = s.foot_v - shank_v
        ta_force = ta_force_n(ta, ankle_angle, ankle_v)
        per_force = peroneal_force_n(peroneal)
        knee_deg = math.degrees(thigh - shank)
        passive = b.stiffness * riener_edrich_nm(math.degrees(ankle_angle) - b.neutral_deg, knee_deg)
        passive = min(PASSIVE_MAX_NM, max(-PASSIVE_MAX_NM, passive))
        slot = int(s.time / dt + 0.5)
        spasm = b.reflex_gain * reflex_step(
            reflex, lag, slot, ankle_v, dt, b.reflex_delay_s, b.reflex_threshold_rps, b.reflex_wn
        )
        s.torque = ta_force * ta_arm_m(ankle_angle) - per_force * PERONEAL_ARM_PLANTARFLEXION_M
        # --- the free foot
        if s.swing == 1.0 or hangs:
            moment = s.torque + passive - spasm + b.damping * shank_v
            moment += stop_moment_nm(ankle_angle, ankle_v)
            if s.swing == 1.0 and s.phase < CONTACT_FROM and s.climb == 0.0:
                _, ball = sole_heights(s.foot, b.heel_x_m, b.ball_x_m, b.sole_y_m)
                arm = math.cos(s.foot) * b.ball_x_m - math.sin(s.foot) * b.sole_y_m
                sink = -(arm * s.foot_v + (s.ankle_y - s.ankle_y1) / dt)
                depth = s.ground - (s.ankle_y + ball)
                moment += scuff_moment_nm(s.foot, depth, sink, b.ball_x_m, b.sole_y_m)
            acceleration = foot_acceleration(
                s.foot, moment, acc_x, acc_y, b.mass_kg, b.com_x_m, b.com_y_m, b.inertia_kgm2, GRAVITY
            )
            inertia = b.inertia_kgm2 + b.mass_kg * (b.com_x_m**2 + b.com_y_m**2)
            s.foot_v = (s.foot_v + dt * acceleration) / (1.0 + dt * b.damping / inertia)
            foot = s.foot + dt * s.foot_v
            twist = subtalar_moment_nm(ta_force, per_force, b.roll_tone_nm)
            s.roll_v = subtalar_rate(
                s.roll, s.roll_v, twist, dt, b.roll_inertia, b.roll_damping, b.roll_stiffness
            )
        else:
            s.foot_v = (foot - s.foot) / dt
            since = t1 - s.contact_time
            s.roll_v = (_quintic(since, s.load_s, s.load_r0, s.load_rv0, 0.0, 0.0, 0.0) - s.roll) / dt
        roll = s.roll + dt * s.roll_v
        yaw = s.yaw
        if s.swing == 1.0:
            yaw = s.yaw_start + s.yaw_turn * _smooth((t1 - s.to_time) / s.to_s)
        # --- write down the present instant, now that the next is known
        h = history[int(s.time / dt + 0.5) % HISTORY]
        h[H_TIME] = s.time
        h[H_FOOT] = s.foot
        h[H_FOOT_RATE] = (foot - s.foot_prev) / (2.0 * dt)
        h[H_FOOT_ACC] = (foot - 2.0 * s.foot + s.foot_prev) / (dt * dt)
        h[H_SHANK] = s.shank
        h[H_SHANK_RATE] = shank_v
        h[H_SHANK_ACC] = (shank - 2.0 * s.shank + s.shank_prev) / (dt * dt)
        h[H_ACC_X] = acc_x
        h[H_ACC_Y] = acc_y
        h[H_VELOCITY_X] = (ankle_x - s.ankle_x1) / (2.0 * dt)
        h[H_YAW] = s.yaw
        h[H_YAW_RATE] = (yaw - s.yaw_prev) / (2.0 * dt)
        h[H_YAW_ACC] = (yaw - 2.0 * s.yaw + s.yaw_prev) / (dt * dt)
        h[H_ROLL] = s.roll
        h[H_ROLL_RATE] = (roll - s.roll_prev) / (2.0 * dt)
        h[H_ROLL_ACC] = (roll - 2.0 * s.roll + s.roll_prev) / (dt * dt)
        h[H_SHANK_ROLL] = s.sway
        h[H_SHANK_ROLL_RATE] = s.sway_v
        ring = s.time - s.ring_time
        h[H_RINGING] = 0.0
        if 0.0 <= ring < 0.1:
            h[H_RINGING] = s.ring_amp * math.exp(-ring / 0.012) * math.sin(TAU * 45.0 * ring)
        h[H_PHASE] = s.phase % 1.0
        h[H_SWING] = s.swing
        h[H_TORQUE] = s.torque
        h[H_ACT0] = s.act0
        h[H_ACT1] = s.act1
        h[H_VOLITION] = s.volition
        h[H_REFERENCE] = reference
        h[H_ANKLE_Y] = s.ankle_y
        h[H_ANKLE_X] = s.ankle_x
        h[H_KNEE] = thigh - shank
        h[H_CALF] = min(1.0, s.calf + spasm / CALF_NM)
        # --- step
        if s.swing == 1.0:
            s.s_sum += (foot - reference) ** 2
            s.s_n += 1.0
            if s.phase - s.toe_phase > 0.25 * (1.0 - s.toe_phase):
                s.s_peak = max(s.s_peak, foot - shank)
            heel, ball = sole_heights(foot, b.heel_x_m, b.ball_x_m, b.sole_y_m)
            if s.toe_phase + 0.25 * (1.0 - s.toe_phase) < s.phase < CONTACT_FROM:
                s.s_clear = min(s.s_clear, ankle_y + min(heel, ball) - s.ground + s.climb)
        ankle_vx, ankle_vy = (ankle_x - s.ankle_x) / dt, (ankle_y - s.ankle_y) / dt
        hip_vx, hip_vy = (hip_x - s.hip_x) / dt, (hip_y - s.hip_y) / dt
        hip_ax = (hip_x - 2.0 * s.hip_x + s.hip_x1) / (dt * dt)
        hip_ay = (hip_y - 2.0 * s.hip_y + s.hip_y1) / (dt * dt)
        s.ankle_x1, s.ankle_y1, s.ankle_x, s.ankle_y = s.ankle_x, s.ankle_y, ankle_x, ankle_y
        s.hip_x1, s.hip_y1, s.hip_x, s.hip_y = s.hip_x, s.hip_y, hip_x, hip_y
        s.foot_prev, s.foot = s.foot, foot
        s.shank_prev, s.shank = s.shank, shank
        s.thigh = thigh
        s.yaw_prev, s.yaw = s.yaw, yaw
        s.roll_prev, s.roll = s.roll, roll
        s.time = t1
        # --- toe-off and initial contact
        if s.swing == 0.0 and s.phase >= s.toe_phase:
            _leave_ground(s, b, eff, plan[row], (hip_vx, hip_vy, hip_ax, hip_ay))
        elif s.swing == 1.0 and s.phase > CONTACT_FROM:
            heel, ball = sole_heights(foot, b.heel_x_m, b.ball_x_m, b.sole_y_m)
            if ankle_y + min(heel, ball) <= s.ground or s.phase > CONTACT_LATEST:
                _touch_ground(s, b, ankle_vx, ankle_vy, ball < heel)
                s.stride += 1.0
                _count_stride(s, b, strides, draws[int(s.stride) % draws.shape[0]], plan[row, 3], ball < heel)
