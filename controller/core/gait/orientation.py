"""Pitch and roll of one segment from one inertial sensor in any mounting, without magnetometer and without
drift.

``None`` until gravity and walking have shown how the sensor sits on the limb; after a gap, and after an angle
that no limb has, until gravity has shown the attitude anew. A sample not later than the one before is left
out.
"""

from __future__ import annotations

from math import asin, atan2, degrees, hypot, radians

import numpy as np
from numpy.typing import NDArray
from vqf import VQF

from controller.core.gait.joint_range import SEGMENT_RANGE_DEG
from controller.core.gait.sagittal_frame import GRAVITY_MPS2, SagittalFrame, cross, dot, unit
from controller.core.signals import GaitEvent
from drivers.interface import Quat, Segment, Side, Vec3

START_SAMPLES = 12  # their median step fixes the filter's nominal rate
# A longer gap is not bridged: with the mean of the rates on both sides a foot of the marker data is 8 deg off
# after 0.067 s and 16 deg after 0.1 s (95th percentile; at most 21 and 35 deg). Three samples may be lost at
# 60 Hz.
GAP_S = 0.08
FRESH_S = 0.1  # an older sample shows no angle and steers nothing; the guard trips at 150 ms (F1)
CARRIED_S = 0.05  # an angle is carried on by its rate for no longer
ALIGN_CONTACTS = 2  # steps that show the axis; after standing one shows enough: the sign
FLAT_GAIN = 0.5  # of the pitch left in the stillest moment of stance is taken out at each
FLAT_LIMIT_RAD = radians(15.0)  # more than a ramp's slope is not a flat foot
LOOSE_SHARE = 0.04  # of a foot off the ground in its swing axis: unloaded it inverts, stimulated it everts
RISEN_SHARE = 0.5  # of the pitch at the last toe-off, found late: until there the ball is on the ground
MEAN_NS = (800_000_000, 3_000_000_000)  # about a stride: over it the limb's own acceleration comes to nothing
STILL_RATE_RPS = 0.15
STILL_S: dict[Segment, float] = {"shank": 0.5, "foot": 1.0}  # a foot in stance is still for less
STANDING_SHANK_RAD = radians(-4.0)  # in relaxed standing the shank leans forward by some 4 deg (unverified)
WALKING_MEAN_RAD = radians(-11.6)  # mean shank pitch over a stride (mean of the NONAN GaitPrint table)


class Attitude:
    """VQF at its own sample times: the up direction in sensor axes. Copies and pickles with its whole state.

    The filter has one nominal step; the rate of a sample after a gap is scaled so that the turn is right.
    Between two samples the limb turns at their mean rate: with the later one alone, pitch would lead by half
    a step, 2 deg in mid-swing at 60 Hz.
    """

    def __init__(self, step_s: float, gyr: Vec3) -> None:
        self._step_s = step_s
        self._vqf = VQF(step_s)
        self._last_gyr = gyr
        self._gyr = np.zeros(3)
        self._acc = np.zeros(3)

    def __getstate__(self) -> tuple[float, Vec3, dict[str, object]]:
        return self._step_s, self._last_gyr, self._vqf.state

    def __setstate__(self, state: tuple[float, Vec3, dict[str, object]]) -> None:
        Attitude.__init__(self, state[0], state[1])
        self._vqf.state = state[2]

    def update(self, dt_s: float, acc: Vec3, gyr: Vec3) -> None:
        k = 0.5 * dt_s / self._step_s
        g, a, (lx, ly, lz) = self._gyr, self._acc, self._last_gyr
        g[0], g[1], g[2] = k * (lx + gyr[0]), k * (ly + gyr[1]), k * (lz + gyr[2])
        self._last_gyr = gyr
        a[0], a[1], a[2] = acc
        self._vqf.update(g, a)

    def resume(self, gyr: Vec3) -> None:
        """Go on after a gap: nothing is known of the turn in it."""
        self._last_gyr = gyr

    def inertial(self, acc: Vec3) -> NDArray[np.float64]:
        """An acceleration (3,) in the frame that the rates alone keep."""
        return np.asarray(VQF.quatRotate(self._vqf.getQuat3D(), np.array(acc)), dtype=np.float64)

    def level(self, gravity: NDArray[np.float64]) -> None:
        """Take the direction of ``gravity`` (3,), specific force at rest in the inertial frame, for upright.

        Its length is nature's: a longer one rings through the filter of accelerations for ten seconds, and
        turns "up" over on its way.
        """
        state, coeffs = self._vqf.state, self._vqf.coeffs
        gravity = GRAVITY_MPS2 * gravity / np.linalg.norm(gravity)
        low_pass = np.array(coeffs["accLpB"]), np.array(coeffs["accLpA"])
        filtered = [VQF.filterInitialState(g, *low_pass) for g in gravity.tolist()]
        state["lastAccLp"], state["accLpState"] = gravity, np.concatenate(filtered)
        x, y, z = (gravity / GRAVITY_MPS2).tolist()
        turn = np.array([1.0 + z, y, -x, 0.0])  # the shortest one that brings gravity to the vertical
        state["accQuat"] = turn / np.linalg.norm(turn)
        self._vqf.state = state

    def up(self) -> Vec3:
        w, x, y, z = self._vqf.getQuat6D().tolist()
        return (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y))

    def quat(self) -> Quat:
        w, x, y, z = self._vqf.getQuat6D().tolist()
        return (w, x, y, z)


class SegmentOrientation:
    """Pitch (toe-up, distal end forward +) and roll (towards the little toe down +) of a foot or shank.

    The foot's zero is the stillest moment of stance on level ground; the shank's is vertical, known from
    standing, or the usual lean of walking where the person never stood still. ``update`` takes samples in
    sensor axes, ``note`` the detector's events. ``acceleration_mps2`` is the sensor's own, forward and up,
    gravity taken out; ``heading_rad`` is about the vertical, left +, from wherever it began.
    """

    def __init__(self, segment: Segment, side: Side, swing_axis: Vec3 | None = None) -> None:
        self.segment = segment
        self.side = side
        self.frame = SagittalFrame(swing_axis)
        self.pitch_rad: float | None = None
        self.roll_rad: float | None = None
        self.pitch_rate_rps: float | None = None
        self.heading_rad = 0.0  # drifts with the sensor's bias
        self.acceleration_mps2: tuple[float, float] = (0.0, 0.0)
        self.aligned = False
        self._attitude: Attitude | None = None
        self._start: list[tuple[int, Vec3, Vec3]] = []
        self._last_ns: int | None = None
        self._contacts = 0
        self._offset_rad = 0.0
        self.raw_rad = 0.0
        self._last_gyr: Vec3 = (0.0, 0.0, 0.0)
        self._flat: tuple[float, float] | None = None  # squared rate and pitch where this stance is stillest
        self._lost = False  # how the sensor is turned is not known since a gap
        self._gravity = np.zeros(3)  # while lost: of a foot's stillest moment, of a shank's stride in sum
        self._gravity_since_ns: int | None = None  # the contact that began the stride it is summed over
        self._rest_gravity = np.zeros(3)  # while lost: in sum over a rest
        self._risen_rad = 0.0  # below this pitch the toe, too, may be off the ground
        self._still_ns: int | None = None
        self._stood_ns: int | None = None  # since when it was still, before the first step
        self._standing: Vec3 | None = None  # where "up" was then, of a shank
        self._stride_sum = 0.0
        self._stride_time_s = 0.0

    def update(self, t_ns: int, acc_mps2: Vec3, gyr_rps: Vec3) -> None:
        """Take one sample (m/s^2, rad/s)."""
        if not self.frame.update(t_ns, acc_mps2, gyr_rps):
            return
        if self._attitude is None:
            self._start.append((t_ns, acc_mps2, gyr_rps))
            if len(self._start) < START_SAMPLES:
                return
            steps = sorted(b[0] - a[0] for a, b in zip(self._start, self._start[1:], strict=False))
            self._attitude = Attitude(steps[len(steps) // 2] * 1e-9, self._start[0][2])
            for a, b in zip(self._start, self._start[1:], strict=False):
                self._attitude.update((b[0] - a[0]) * 1e-9, b[1], b[2])
            self._start = []
            self._last_ns = t_ns
        assert self._last_ns is not None
        dt_s = (t_ns - self._last_ns) * 1e-9
        self._last_ns = t_ns
        if dt_s > GAP_S:
            self._lose()
            dt_s = 0.0
            self._attitude.resume(gyr_rps)
        if dt_s > 0.0:
            self._attitude.update(dt_s, acc_mps2, gyr_rps)
        if self._lost:
            self._seek_gravity(t_ns, acc_mps2, gyr_rps)
        self._measure(t_ns, dt_s, gyr_rps)

    def note(self, event: GaitEvent) -> None:
        """Take one event of the same leg: the stillest moment between foot-flat and heel-off zeroes the foot,
        the heel's rise over the ball shows its axis, contacts complete the alignment.
        """
        if self.segment == "foot":
            self.frame.axis_share = 1.0 if event.kind in ("foot_flat", "heel_off") else LOOSE_SHARE
            if event.kind == "toe_off":
                self._risen_rad = RISEN_SHARE * self.raw_rad
        if self.segment == "foot" and event.kind == "foot_flat":
            self._flat = (dot(self._last_gyr, self._last_gyr), self.raw_rad)
        elif event.kind in ("heel_off", "toe_off") and self._flat is not None:
            if self._lost and self.segment == "foot":
                self._find_attitude()
                return
            off = self._flat[1] - self._offset_rad
            if abs(off) < FLAT_LIMIT_RAD:
                self._offset_rad += FLAT_GAIN * off
            self._flat = None
        elif event.kind == "initial_contact":
            self._contacts += 1
            if self._lost and self.segment == "shank":
                self._close_stride(event.t_ns)
            elif self.segment == "shank" and self._standing is None and self._stride_time_s > 0.5:
                self._offset_rad = self._stride_sum / self._stride_time_s - WALKING_MEAN_RAD
            self._stride_sum = self._stride_time_s = 0.0

    def _lose(self) -> None:
        """How the sensor is turned is not known any more."""
        self._lost, self._flat, self._still_ns = True, None, None
        self._gravity, self._gravity_since_ns, self._rest_gravity = np.zeros(3), None, np.zeros(3)

    def _seek_gravity(self, t_ns: int, acc: Vec3, gyr: Vec3) -> None:
        """A limb at rest feels gravity alone; so does a shank in the mean over a stride."""
        assert self._attitude is not None
        felt = self._attitude.inertial(acc)
        if self.segment == "shank":
            self._gravity += felt
        elif self._flat is not None and dot(gyr, gyr) <= self._flat[0]:
            self._gravity = felt
        if dot(gyr, gyr) > STILL_RATE_RPS * STILL_RATE_RPS:
            self._rest_gravity = np.zeros(3)
            return
        self._rest_gravity += felt
        if self._still_ns is not None and (t_ns - self._still_ns) * 1e-9 >= STILL_S[self.segment]:
            self._gravity = self._rest_gravity
            self._find_attitude()

    def _close_stride(self, contact_ns: int) -> None:
        since_ns, self._gravity_since_ns = self._gravity_since_ns, contact_ns
        if since_ns is not None and MEAN_NS[0] <= contact_ns - since_ns <= MEAN_NS[1]:
            self._find_attitude()
        self._gravity = np.zeros(3)

    def _find_attitude(self) -> None:
        if self._attitude is not None and np.any(self._gravity):
            self._attitude.level(self._gravity)
            self._lost, self._flat, self._gravity = False, None, np.zeros(3)
            self._stride_sum = self._stride_time_s = 0.0

    def pitch_at(self, now_ns: int) -> float | None:
        """The pitch carried on by its rate to ``now_ns``; ``None`` until aligned, and where the newest sample
        is too old to tell.
        """
        if self.pitch_rad is None or self.pitch_rate_rps is None or self._last_ns is None:
            return None
        age_s = (now_ns - self._last_ns) * 1e-9
        if age_s > FRESH_S:
            return None
        return self.pitch_rad + self.pitch_rate_rps * min(max(age_s, 0.0), CARRIED_S)

    def _measure(self, t_ns: int, dt_s: float, gyr: Vec3) -> None:
        assert self._attitude is not None
        frame, self._last_gyr = self.frame, gyr
        up = self._attitude.up()
        self.heading_rad += dot(up, gyr) * dt_s
        self._watch_standing(t_ns, up, gyr)
        zero = self._standing if self._standing is not None else frame.long_axis
        sign = frame.sign
        right = unit(tuple_minus(frame.axis, dot(frame.axis, zero), zero))
        forward = cross(zero, right)
        standing_rad = STANDING_SHANK_RAD if self._standing is not None else 0.0
        upright = dot(up, zero)
        if self.segment == "foot":  # the rise of its long axis, however it is turned about that
            upright = hypot(upright, dot(up, right))
        self.raw_rad = atan2(sign * dot(up, forward), upright) + standing_rad
        if self.segment == "foot" and self.raw_rad < self._risen_rad:
            frame.axis_share = LOOSE_SHARE
        if self._flat is not None and dot(gyr, gyr) < self._flat[0]:
            self._flat = (dot(gyr, gyr), self.raw_rad)
        self._stride_sum += self.raw_rad * dt_s
        self._stride_time_s += dt_s
        contacts = ALIGN_CONTACTS if self._stood_ns is None else 1
        pitch_rad = self.raw_rad - self._offset_rad
        lowest_deg, highest_deg = SEGMENT_RANGE_DEG[self.segment]
        shown = frame.known and self._contacts >= contacts and not self._lost
        if shown and not lowest_deg <= degrees(pitch_rad) <= highest_deg:
            self._lose()
        self.aligned = shown and not self._lost
        if not self.aligned:
            self.pitch_rad = self.roll_rad = self.pitch_rate_rps = None
            return
        self.pitch_rad = pitch_rad
        self.pitch_rate_rps = frame.rate_rps
        # turning about the forward axis by +r lowers the right side of "up" in sensor axes
        lean = asin(max(-1.0, min(1.0, -sign * dot(up, right))))
        self.roll_rad = lean if self.side == "right" else -lean
        self.acceleration_mps2 = (frame.forward_mps2, frame.upward_mps2)

    def _watch_standing(self, t_ns: int, up: Vec3, gyr: Vec3) -> None:
        if dot(gyr, gyr) > STILL_RATE_RPS * STILL_RATE_RPS:
            self._still_ns = None
            return
        if self._still_ns is None:
            self._still_ns = t_ns
        if (t_ns - self._still_ns) * 1e-9 < STILL_S[self.segment]:
            return
        if self._contacts == 0 and not self._lost and self._stood_ns != self._still_ns:
            self._stood_ns = self._still_ns  # the last time counts: before, it may have lain on a table
            if self.segment == "shank":
                self._standing = up


def tuple_minus(a: Vec3, k: float, b: Vec3) -> Vec3:
    return (a[0] - k * b[0], a[1] - k * b[1], a[2] - k * b[2])
