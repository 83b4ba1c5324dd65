"""Movements that are no walk forward, known by construction: standing, sitting, rising; backward; cycling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from benchmarks.gait import NON_GAIT, NON_GAIT_SEEDS
from benchmarks.walks import STRIDE_S, Array, Walk, smoothed, treadmill, walkway
from drivers.interface import Segment
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import PatientParams

RATE_HZ = 100.0
NON_GAIT_S = 600.0
WALKED_S = 18.0
BACKWARD_S = 30.0
CYCLED_S = 60.0
ALONG = (1.0, 0.0, 0.0, 0.0)  # a sensor along the segment: x forward, y to the left, z up

# An adult's leg on pedals (assumed): hip from the crank's axle, lengths, where the sensor is
SEATS_M = {"upright": (-0.22, 0.72), "recumbent": (-0.62, 0.25)}
CRANK_M, THIGH_M, SHANK_M = 0.17, 0.42, 0.42
PEDAL_TO_ANKLE_M = (-0.13, 0.08)  # along the foot and across it
ON_SHANK_M, ON_FOOT_M = (0.03, 0.2), (0.07, 0.0)
CADENCES_RPM = (35.0, 50.0, 65.0, 80.0)
UNEVEN = 0.1  # of the speed, within a revolution
NOISE_MPS2, NOISE_RPS = 0.05, 0.005
FINE_HZ = 1000.0


def non_gait(segment: Segment) -> Iterator[Walk]:
    """Virtual patients who stand, shift weight, sit, rise, turn and step in place, after a walk or at once.

    Every step in place and every turning step is a swing, the first of each bout too.
    """
    for seed, walks in product(NON_GAIT_SEEDS, (True, False)):
        rng = np.random.default_rng(seed)
        plan = [Activity("stand", 3.0), *([Activity("walk", WALKED_S - 3.0)] if walks else [])]
        total_s = sum(activity.duration_s for activity in plan)
        while total_s < NON_GAIT_S:
            kind, length_s = NON_GAIT[int(rng.integers(len(NON_GAIT)))], float(rng.uniform(3.0, 8.0))
            if plan[-1].kind == "sit":
                kind, length_s = "stand_up", 2.5
            plan.append(Activity(kind, length_s, turn_deg=180.0 if kind == "turn" else 0.0))
            total_s += length_s
        patient = VirtualPatient(PatientParams(), seed=seed, schedule=tuple(plan))
        blocks, swings_s = [], set()
        for second in range(int(total_s)):
            blocks.append(patient.imu_block(segment, second, int(RATE_HZ), RATE_HZ))
            for stride in patient.strides():
                swings_s.add((stride.toe_off_s + stride.next_initial_contact_s) / 2.0)
                swings_s.add(stride.initial_contact_s - 0.25)  # the first of a bout ends before its stride
        rows = np.concatenate(blocks)
        yield Walk(
            f"virtual non-gait, {segment}", f"{seed}{' walked' if walks else ''}", str(seed), segment, "left",
            np.arange(len(rows)) / RATE_HZ, rows[:, 4:7], rows[:, 7:10], (), np.array(sorted(swings_s)),
        )  # fmt: skip


def backward(segment: Segment) -> Iterator[Walk]:
    """Half a minute forward up to a stance, a second of standing, the same in reversed time.

    Backward walking is nearly forward walking in reversed time (Winter et al., J Mot Behav 1989 21:291;
    citation from memory, unverified).
    """
    for walk in (*walkway(), *treadmill("shank")) if segment == "shank" else treadmill("foot"):
        step_s = float(np.median(np.diff(walk.time_s)))
        first = 0 if walk.folder == "walkway" else len(walk.time_s) // 4  # a treadmill starts slowly
        part = slice(first, first + round(BACKWARD_S / step_s))
        acc, gyr = walk.acc_mps2[part], walk.gyr_rps[part]
        last = round(STRIDE_S[1] / step_s)
        size = smoothed(np.abs(gyr[-last:]).sum(1), 5.0, 1.0 / step_s)
        stands = len(gyr) - last + int(np.argmin(size)) + 1  # the stillest moment of the last stride
        acc, gyr = acc[:stands], gyr[:stands]
        stood = np.tile(acc[-round(0.05 / step_s) :].mean(0), (round(1.0 / step_s), 1))
        time_s = np.arange(2 * len(acc) + len(stood)) * step_s
        yield replace(
            walk, folder=f"backward, {segment}", time_s=time_s,
            acc_mps2=np.concatenate([acc, stood, acc[::-1]]),
            gyr_rps=np.concatenate([gyr, np.zeros_like(stood), -gyr[::-1]]), swings=(),
            mid_swings_s=np.array([]), small_steps_s=np.array([]),
            silent_s=((float(time_s[len(acc) + len(stood)]), float(time_s[-1])),),
        )  # fmt: skip


def cycling(segment: Segment) -> Iterator[Walk]:
    """A leg on pedals, at four cadences, upright and recumbent, after a walk or without one."""
    for seat, rpm, walks in product(SEATS_M, CADENCES_RPM, (True, False)):
        acc, gyr = pedalled(segment, SEATS_M[seat], rpm)
        begin_s = 0.0
        if walks:
            begin_s = 20.0
            plan = (Activity("stand", 3.0), Activity("walk", 13.0), Activity("stand", 10.0))
            body = PatientParams(foot_mount_wxyz=ALONG, shank_mount_wxyz=ALONG)
            patient = VirtualPatient(body, seed=3, schedule=plan)
            rows = np.concatenate([
                patient.imu_block(segment, second, int(RATE_HZ), RATE_HZ) for second in range(int(begin_s))
            ])  # fmt: skip
            acc, gyr = np.concatenate([rows[:, 4:7], acc]), np.concatenate([rows[:, 7:10], gyr])
        time_s = np.arange(len(acc)) / RATE_HZ
        yield Walk(
            f"cycling, {segment}", f"{seat} {rpm:g}{' walked' if walks else ''}", seat, segment, "left",
            time_s, acc, gyr, (), np.array([]), ((begin_s, float(time_s[-1])),),
        )  # fmt: skip


def pedalled(segment: Segment, hip_m: tuple[float, float], rpm: float) -> tuple[Array, Array]:
    """Specific force and rate of shank or foot: hip, knee, ankle and pedal are a linkage in one plane."""
    rng, t = np.random.default_rng(round(rpm)), np.arange(0.0, CYCLED_S, 1.0 / FINE_HZ)
    speed_rps = rpm / 60.0 * math.tau * (1.0 + 0.05 * np.sin(0.4 * t)) * np.minimum(1.0, t / 2.0)
    crank = np.cumsum(speed_rps) / FINE_HZ
    crank = crank - UNEVEN * np.cos(crank + 1.0)
    foot = np.radians(12.0 * np.sin(crank - 1.2) - 15.0)
    back_m, up_m = PEDAL_TO_ANKLE_M
    ankle_x = CRANK_M * np.sin(crank) + back_m * np.cos(foot) - up_m * np.sin(foot)
    ankle_z = CRANK_M * np.cos(crank) + back_m * np.sin(foot) + up_m * np.cos(foot)
    reach_x, reach_z = ankle_x - hip_m[0], ankle_z - hip_m[1]
    reach = np.hypot(reach_x, reach_z)
    knee = np.arccos((THIGH_M**2 + reach**2 - SHANK_M**2) / (2.0 * THIGH_M * reach))
    thigh = np.arctan2(reach_x, -reach_z) + knee
    knee_x, knee_z = hip_m[0] + THIGH_M * np.sin(thigh), hip_m[1] - THIGH_M * np.cos(thigh)
    angle = np.arctan2(ankle_x - knee_x, knee_z - ankle_z) if segment == "shank" else foot
    along_m, across_m = ON_SHANK_M if segment == "shank" else ON_FOOT_M
    cos, sin = np.cos(angle), np.sin(angle)
    force_x, force_z = (
        np.gradient(np.gradient(place, 1.0 / FINE_HZ), 1.0 / FINE_HZ)
        for place in (ankle_x + along_m * cos - across_m * sin, ankle_z + along_m * sin + across_m * cos)
    )
    force_z = force_z + 9.80665
    still = np.zeros_like(t)
    acc = np.column_stack([cos * force_x + sin * force_z, still, cos * force_z - sin * force_x])
    gyr = np.column_stack([still, -np.gradient(angle, 1.0 / FINE_HZ), still])
    every = slice(None, None, round(FINE_HZ / RATE_HZ))
    noise = rng.standard_normal((2, len(acc[every]), 3))
    return acc[every] + NOISE_MPS2 * noise[0], gyr[every] + NOISE_RPS * noise[1]


MOVEMENTS: tuple[Callable[[], Iterator[Walk]], ...] = (
    partial(non_gait, "shank"), partial(non_gait, "foot"), partial(backward, "shank"),
    partial(backward, "foot"), partial(cycling, "shank"), partial(cycling, "foot"),
)  # fmt: skip
