"""A leg that is not the virtual patient: thigh, shank and stance follow the published mean curves, the foot
swings freely from them.

Nothing of the virtual patient is in it but those curves and the ankle's passive moment: the foot rolls slowly
through stance, where the patient's stands still, the muscle is a plain second-order lag, toe-off and contact
come by the clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BPoly
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from drivers.interface import Segment, Vec3
from models.gait import normal_knee_deg, normal_pitch_deg, toe_off_percent
from models.limb.passive import riener_edrich_nm

Array = NDArray[np.float64]

DT_S = 0.001
SMOOTH_TICKS = 6
SAMPLE_TICKS = 10
GRAVITY_MPS2 = 9.81
HEEL, BALL = np.array((-0.05, -0.08)), np.array((0.12, -0.08))  # from the ankle, m
FOOT_SENSOR, SHANK_SENSOR_M = np.array((0.07, 0.02)), 0.25
THIGH_M = SHANK_M = 0.43
START_PHASE = 0.15
STILL = np.zeros(1), np.zeros(1)  # place and speed
LANDING_MPS = np.array((0.25, -0.25))  # the heel still moves on and down when it meets the ground
LANDING_S = 0.12  # until the landed foot is back on its curve
TOES_DOWN_RAD = -0.03  # the toes of a landing foot do not sink deeper into the ground
CLEAR_M = 0.03
HELD_S = 0.045  # a pulse acts until the next one, no longer than this


@dataclass(frozen=True, slots=True)
class Build:
    """One person; SI units and degrees as named."""

    stride_s: float = 1.3
    speed_mps: float = 0.8
    cadence_cv: float = 0.02
    i50_ma: float = 30.0
    sigma: float = 0.25
    chronaxie_us: float = 200.0
    torque_nm: float = 14.0
    bandwidth_rps: float = 18.0
    delay_s: float = 0.045
    passive_factor: float = 1.0
    damping_nms: float = 0.5
    residual_nm: float = 1.0  # what the person's own dorsiflexors still do in swing
    mass_kg: float = 1.05
    com_m: float = 0.055
    inertia_kgm2: float = 0.010
    gyr_bias_dps: float = 0.4


class OtherBody:
    """Walks ``strides`` strides after ``stand_s`` of standing; lives until the time it is advanced to."""

    def __init__(self, build: Build, strides: int, *, stand_s: float = 4.0, seed: int = 1) -> None:
        self.build = build
        self._source = source = np.random.default_rng(seed)
        durations_s = build.stride_s * (1.0 + build.cadence_cv * source.standard_normal(strides + 3))
        self.contacts_s = (
            stand_s - START_PHASE * build.stride_s + np.concatenate(((0.0,), np.cumsum(durations_s)))
        )
        self.time_s = np.arange(0.0, self.contacts_s[-2], DT_S)
        self._stride = np.searchsorted(self.contacts_s, self.time_s, side="right") - 1
        stands = self.time_s < stand_s
        share = (self.time_s - self.contacts_s[self._stride]) / durations_s[np.maximum(self._stride, 0)]
        self.phase = np.where(stands, START_PHASE, share)
        self._swings = (self.phase >= toe_off_percent(build.speed_mps) / 100.0) & ~stands
        moves = _smooth_step((self.time_s - stand_s) / 0.5)
        self._knee_deg = moves * normal_knee_deg(100.0 * self.phase, build.speed_mps)
        self._shank = self._curve("shank", moves)
        self._stance_foot = self._curve("foot", moves)
        ankle = self._ankle_path(durations_s)
        along = np.stack((-np.sin(self._shank), np.cos(self._shank)), axis=1)
        self._ankle_acc = _second(ankle)
        self._shank_acc = _second(ankle + SHANK_SENSOR_M * along)
        self._shank_rate = np.gradient(self._shank, DT_S)
        self.foot, self._rate, self._acc = (np.zeros_like(self.time_s) for _ in range(3))
        self._bias = np.radians(source.uniform(-build.gyr_bias_dps, build.gyr_bias_dps, (2, 3)))
        self._pulses: deque[tuple[float, float]] = deque()
        self._now = 0
        self._drive = self._drive_s = self._first = self._second = 0.0
        self._landed_s = -LANDING_S
        self._rolls_on: BPoly | None = _way(LANDING_S, STILL, STILL)

    def _curve(self, segment: Segment, moves: Array) -> Array:
        pitch_deg = normal_pitch_deg(segment, 100.0 * self.phase, self.build.speed_mps)
        return np.asarray(gaussian_filter1d(moves * np.radians(pitch_deg), SMOOTH_TICKS))

    def _ankle_path(self, durations_s: Array) -> Array:
        """Where the ankle is (n, 2): over heel or ball in stance, from one to the next in swing."""
        path, foot = np.zeros((len(self.time_s), 2)), self._stance_foot
        ball = np.zeros(2)
        edges = [0, *(np.flatnonzero(np.diff(self._swings)) + 1), len(path)]
        for begin, end in pairwise(edges):
            if not self._swings[begin]:
                over_heel = ball + (HEEL - BALL) * (1.0, 0.0) - _turned(foot[begin:end], HEEL)
                over_ball = ball - _turned(foot[begin:end], BALL)
                path[begin:end] = np.where(foot[begin:end, None] > 0.0, over_heel, over_ball)
                continue
            ball = ball + np.array((self.build.speed_mps * durations_s[self._stride[begin]], 0.0))
            landing = (
                ball + (HEEL - BALL) * (1.0, 0.0) - _turned(foot[min(end, len(foot) - 1)][None], HEEL)[0]
            )
            speed = (path[begin - 1] - path[begin - 2]) / DT_S
            share = (np.arange(end - begin) + 1.0) / (end - begin + 1.0)
            swing_s = (end - begin + 1) * DT_S
            way = _way(swing_s, (path[begin - 1], speed), (landing, LANDING_MPS))
            path[begin:end] = way(share * swing_s)
            path[begin:end, 1] += CLEAR_M * 64.0 * (share * (1.0 - share)) ** 3
        return np.asarray(gaussian_filter1d(path, SMOOTH_TICKS, axis=0))

    def pulse(self, t_s: float, current_ma: float, width_us: float) -> None:
        """One pulse: the share of the fibres it reaches acts after the delay."""
        build = self.build
        weaker = (1.0 + build.chronaxie_us / 300.0) / (1.0 + build.chronaxie_us / width_us)
        reached = (
            float(ndtr(math.log(current_ma * weaker / build.i50_ma) / build.sigma)) if current_ma > 0 else 0.0
        )
        self._pulses.append((t_s + build.delay_s, reached))

    def advance(self, until_s: float) -> None:
        while self._now + 1 < len(self.time_s) and self.time_s[self._now + 1] <= until_s:
            torque_nm = self._contract()
            i, self._now = self._now, self._now + 1
            if self._swings[i + 1]:
                self._rolls_on = None
                rate = self._rate[i] + DT_S * self._swing_acceleration(i, torque_nm)
                angle = self.foot[i] + DT_S * rate
            else:
                angle = self._stance_angle(i)
                rate = (angle - self.foot[i]) / DT_S
            self._acc[i + 1] = (rate - self._rate[i]) / DT_S
            self._rate[i + 1], self.foot[i + 1] = rate, angle

    def _contract(self) -> float:
        build, now_s = self.build, self.time_s[self._now]
        while self._pulses and self._pulses[0][0] <= now_s:
            self._drive_s, self._drive = self._pulses.popleft()
        drive = self._drive if now_s - self._drive_s < HELD_S else 0.0
        self._first += DT_S * build.bandwidth_rps * (drive - self._first)
        self._second += DT_S * build.bandwidth_rps * (self._first - self._second)
        return build.residual_nm + build.torque_nm * self._second

    def _swing_acceleration(self, i: int, torque_nm: float) -> float:
        build, foot, shank = self.build, self.foot[i], self._shank[i]
        ahead, up = self._ankle_acc[i]
        carried = (GRAVITY_MPS2 + up) * math.cos(foot) - ahead * math.sin(foot)
        passive_nm = build.passive_factor * riener_edrich_nm(math.degrees(foot - shank), self._knee_deg[i])
        drag_nm = build.damping_nms * (self._rate[i] - self._shank_rate[i])
        return float(
            (torque_nm + passive_nm - drag_nm - build.mass_kg * build.com_m * carried) / build.inertia_kgm2
        )

    def _stance_angle(self, i: int) -> float:
        curve = self._stance_foot
        if self._rolls_on is None:
            off = self.foot[i : i + 1] - curve[i]
            speed = self._rate[i : i + 1] - (curve[i] - curve[i - 1]) / DT_S
            self._landed_s, self._rolls_on = self.time_s[i], _way(LANDING_S, (off, speed), STILL)
        since_s = self.time_s[i + 1] - self._landed_s
        if since_s >= LANDING_S:
            return float(curve[i + 1])
        angle = curve[i + 1] + float(self._rolls_on(since_s)[0])
        return float(max(angle, min(TOES_DOWN_RAD, self.foot[i])))

    def sample(self, segment: Segment, t_s: float) -> tuple[Vec3, Vec3]:
        """Specific force (m/s2) and angular rate (rad/s) in the mean of ``SAMPLE_TICKS``.

        x is to the front, y left, z up.
        """
        last = min(round(t_s / DT_S) + SAMPLE_TICKS // 2, self._now)
        seen = slice(max(0, last - SAMPLE_TICKS), last + 1)
        if segment == "shank":
            angle, rate, force = self._shank[seen], self._shank_rate[seen], self._shank_acc[seen]
        else:
            angle, rate = self.foot[seen], self._rate[seen]
            ahead, up = _turned(angle, FOOT_SENSOR).T
            spin = self._acc[seen]
            turning = np.stack((-spin * up - rate**2 * ahead, spin * ahead - rate**2 * up), axis=1)
            force = self._ankle_acc[seen] + turning
        ahead, up = force[:, 0], force[:, 1] + GRAVITY_MPS2
        co, sn = np.cos(angle), np.sin(angle)
        front, top = float(np.mean(co * ahead + sn * up)), float(np.mean(co * up - sn * ahead))
        noise = self._source.standard_normal((2, 3))
        acc = np.array((front, 0.0, top)) + 0.03 * noise[0]
        gyr = (
            np.array((0.0, -float(np.mean(rate)), 0.0))
            + self._bias[int(segment == "foot")]
            + 0.003 * noise[1]
        )
        return (acc[0], acc[1], acc[2]), (gyr[0], gyr[1], gyr[2])

    def errors_deg(self, foot_pitch_deg: tuple[float, ...]) -> list[float]:
        """R.m.s. of the foot against a reference over each swing lived through whole."""
        wanted = np.interp(100.0 * self.phase, np.arange(101), foot_pitch_deg)
        off = np.degrees(self.foot) - wanted
        lived = np.arange(len(off)) <= self._now
        swings = [
            self._swings & lived & (self._stride == number) for number in range(self._stride[self._now])
        ]
        return [float(np.sqrt(np.mean(off[swing] ** 2))) for swing in swings if swing.any()]


def _turned(angle: Array, vector: Array) -> Array:
    co, sn = np.cos(angle), np.sin(angle)
    return np.stack((co * vector[0] - sn * vector[1], sn * vector[0] + co * vector[1]), axis=1)


def _second(path: Array) -> Array:
    return np.asarray(np.gradient(np.gradient(path, DT_S, axis=0), DT_S, axis=0))


def _smooth_step(x: Array) -> Array:
    u = np.clip(x, 0.0, 1.0)
    return np.asarray(u**3 * (10.0 - 15.0 * u + 6.0 * u**2))


def _way(seconds: float, begin: tuple[Array, Array], end: tuple[Array, Array]) -> BPoly:
    """From place and speed to place and speed in ``seconds``, without acceleration at both ends."""
    still = np.zeros_like(begin[0])
    return BPoly.from_derivatives((0.0, seconds), ((*begin, still), (*end, still)))
