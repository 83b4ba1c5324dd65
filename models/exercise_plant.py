"""The compiled inner loop of the exercising patient: one limb, its muscles and its will, 1 kHz, fixed step.

Muscles are those of the walking patient: pulses to force, fatigue, Hill's curves. Joints move apart from one
another (assumed); all values are checked before they get here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.limb.passive import riener_edrich_nm
from models.limb.reflex import reflex_step
from models.muscle.ding import FORCE, Constants
from models.muscle.hill import VMAX_FIBRES_PER_S, active_force_length, force_velocity
from models.muscle.stimulated import FITNESS, Tiring, contract

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

DT_S = 0.001
SUBSTEPS = 4  # of the limb within a step: a finger is light
HISTORY = 1024
EVENTS = 8
STOP_RATE = 80.0  # 1/s: a stop is as stiff as the joint's inertia times its square (assumed)
ACTIVATE_S, DEACTIVATE_S = 0.010, 0.040  # Thelen 2003, voluntary activation
WILLED_LESS = 0.5  # willed force loses this share of what the stimulated force loses (assumed)

# Columns of the history: time; place, rate, acceleration and moment of two joints; then for each muscle the
# drive that its EMG shows, activation by stimulation, by the person and by both, fitness, and the drive of
# the other side's.
H_TIME, H_PLACE, H_RATE, H_ACC, H_MOMENT = 0, 1, 3, 5, 7
H_MUSCLES, H_PER_MUSCLE = 9, 6
H_DRIVE, H_STIMULATED, H_OWN, H_ACTIVE, H_FITNESS, H_OTHER = range(6)

# Columns of a joint.
(J_INERTIA, J_DAMPING, J_STIFFNESS, J_REST, J_LOW, J_HIGH, J_GRAVITY, J_GRAVITY_FROM, J_SHIFT, J_ANKLE) = (
    range(10)
)
J_COLUMNS = 10
# Columns of a muscle after its two arms and two optima.
M_ARM, M_OPTIMUM, M_F0, M_FIBRE, M_EVOCABLE, M_TONE, M_REFLEX = 0, 2, 4, 5, 6, 7, 8
MUSCLE_COLUMNS = 9


class Person(NamedTuple):
    """How the will becomes drive, and how a stretched flexor answers; seconds, rad/s."""

    rise_s: float
    fall_s: float
    unsteady: float
    reflex_delay_s: float
    reflex_threshold_rps: float
    reflex_wn: float


@compiled
def _joint_moment(j: Array, place: float) -> float:
    """Passive moment and gravity."""
    if j[J_ANKLE] > 0.0:
        # seated: the knee is bent by 80 deg
        passive = j[J_ANKLE] * riener_edrich_nm(math.degrees(place - j[J_REST]), 80.0)
    else:
        passive = -j[J_STIFFNESS] * (place - j[J_REST])
    weight = j[J_GRAVITY] if j[J_SHIFT] > 0.0 else j[J_GRAVITY] * math.cos(place - j[J_GRAVITY_FROM])
    return float(passive - weight)


@compiled
def _stop_moment(j: Array, place: float, rate: float) -> float:
    """What ligament, bone or seat push back with."""
    k = j[J_INERTIA] * STOP_RATE * STOP_RATE
    b = 2.0 * j[J_INERTIA] * STOP_RATE
    if place > j[J_HIGH]:
        return min(0.0, float(-k * (place - j[J_HIGH]) - b * rate))
    if place < j[J_LOW]:
        return max(0.0, float(-k * (place - j[J_LOW]) - b * rate))
    return 0.0


@compiled
def _pull_n(m: Array, activation: float, state: Array, joints: int) -> float:
    """Force of a muscle on a limb at ``state`` (joints, 2: place, rate), constant arms."""
    fibre, speed = 1.0, 0.0
    for j in range(joints):
        fibre -= m[M_ARM + j] * (state[j, 0] - m[M_OPTIMUM + j]) / m[M_FIBRE]
        speed -= m[M_ARM + j] * state[j, 1] / (VMAX_FIBRES_PER_S * m[M_FIBRE])
    speed = min(1.0, max(-1.0, speed))
    return float(m[M_F0] * activation * active_force_length(fibre) * force_velocity(speed))


@compiled
def _willed(will: Array, person: Person) -> float:
    """One step of a muscle's drive towards its target."""
    away = will[0] - will[1]
    will[1] += DT_S * away / (person.rise_s if away > 0.0 else person.fall_s)
    return float(will[1])


@compiled
def run(
    n: int, clock: Array, joints: Array, muscles: Array, person: Person, tiring: Tiring, c: Constants,
    rows: Array, queue: Array, row_muscle: Whole, state: Array, will: Array, events: Array, taken: Array,
    reflex: Array, lag: Array, wander: Array, history: Array,
) -> None:  # fmt: skip
    """Advance ``n`` milliseconds; arrays are changed in place.

    ``clock`` (1,) time; ``rows`` one for each group of motor units that an output reaches, ``row_muscle``
    their muscle; ``state`` (joints, 2); ``will`` (2 muscles, 3): target, drive, willed activation, for this
    side's muscles and then the other's; ``events`` (EVENTS, 1 + 2 muscles): when targets change; ``taken``
    (2,): events done, told.
    """
    count, n_joints = muscles.shape[0], joints.shape[0]
    whole, moment, first = np.empty(count), np.empty(n_joints), np.empty((n_joints, 2))
    stimulated, reached, fitness = np.empty(count), np.empty(count), np.empty(count)
    for _ in range(n):
        now = clock[0]
        t1 = now + DT_S
        slot = int(now / DT_S + 0.5)
        while taken[0] < taken[1] and events[int(taken[0]), 0] <= now:
            will[:, 0] = events[int(taken[0]), 1:]
            taken[0] += 1.0
        h = history[slot % HISTORY]
        h[H_TIME] = now
        stimulated[:], reached[:], fitness[:] = 0.0, 0.0, 1.0
        for row in range(rows.shape[0]):
            k = row_muscle[row]
            share = rows[row, FORCE] / tiring.force_ref_n
            stimulated[k] += share
            reached[k] += share * rows[row, FITNESS]
            fitness[k] = min(fitness[k], rows[row, FITNESS])
            contract(rows[row], queue[row], now, t1, tiring, c)
        for k in range(count):
            unsteady = 1.0 + person.unsteady * wander[(slot // 100 + 37 * k) % wander.size]
            stretch = 0.0
            for j in range(n_joints):
                stretch -= np.sign(muscles[k, M_ARM + j]) * state[j, 1]
            answer = 0.0
            if muscles[k, M_REFLEX] > 0.0:
                answer = muscles[k, M_REFLEX] * reflex_step(
                    reflex[k], lag[k], slot, stretch, DT_S,
                    person.reflex_delay_s, person.reflex_threshold_rps, person.reflex_wn,
                )  # fmt: skip
            drive = min(1.0, max(0.0, _willed(will[k], person) * unsteady) + muscles[k, M_TONE] + answer)
            will[k, 2] += DT_S * (drive - will[k, 2]) / (ACTIVATE_S if drive > will[k, 2] else DEACTIVATE_S)
            own = will[k, 2] * (1.0 - WILLED_LESS * (1.0 - fitness[k]))
            whole[k] = min(1.0, min(1.0, reached[k]) * muscles[k, M_EVOCABLE] + own)
            at = H_MUSCLES + H_PER_MUSCLE * k
            h[at + H_DRIVE], h[at + H_STIMULATED], h[at + H_OWN] = drive, min(1.0, stimulated[k]), own
            h[at + H_ACTIVE], h[at + H_FITNESS] = whole[k], fitness[k]
            h[at + H_OTHER] = _willed(will[count + k], person)
        first[:] = state
        for part in range(SUBSTEPS):
            moment[:] = 0.0
            for k in range(count):
                pull = _pull_n(muscles[k], whole[k], state, n_joints)
                for j in range(n_joints):
                    moment[j] += muscles[k, M_ARM + j] * pull
            if part == 0:
                h[H_MOMENT : H_MOMENT + n_joints] = moment
            step = DT_S / SUBSTEPS
            for j in range(n_joints):
                law = joints[j]
                whole_nm = moment[j] + _joint_moment(law, state[j, 0])
                whole_nm += _stop_moment(law, state[j, 0], state[j, 1])
                rate = state[j, 1] + step * whole_nm / law[J_INERTIA]
                state[j, 1] = rate / (1.0 + step * law[J_DAMPING] / law[J_INERTIA])
                state[j, 0] += step * state[j, 1]
        for j in range(n_joints):
            h[H_PLACE + j], h[H_RATE + j] = first[j, 0], first[j, 1]
            h[H_ACC + j] = (state[j, 1] - first[j, 1]) / DT_S
        clock[0] = t1
