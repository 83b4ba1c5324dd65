"""Turns samples in the sensor's own axes into motion in the sagittal plane of the limb, whatever the
mounting.

Promises causal, drift-free inclination and the sign "distal end forward is positive"; refuses to guess the
sign before the limb has swung: ``known`` is False until then.
"""

from __future__ import annotations

from math import atan2, exp, sqrt

from drivers.interface import Vec3

GRAVITY_MPS2 = 9.80665
UP_TAU_S = 4.0  # the body's own accelerations average out over a few strides
UP_TAU_NS = round(1e9 * UP_TAU_S)
LONG_AXIS_TAU_S = 3.0  # of nearly still time: a few stance phases
AXIS_TAU_S = 6.0  # about five strides of memory for the swing axis
AXIS_KEPT_RAD2PS = 50.0  # squared rate over time, ten brisk strides: so much motion moves the axis kept
QUIET_RATE_RPS = 0.5  # stance weighs more than swing in the mean direction of "up"
VELOCITY_TAU_S = 0.7  # less than a stride: integration error cannot build up
BLIND_S = 0.3  # over a longer gap the limb has turned nobody knows how: "up" is found anew
GAP_S = 0.25  # longer than the longest radio burst gap: velocity is forgotten
MEAN_TAU_S = 1.5  # the mean velocity, and with it what a small error of "up" adds up to, is taken out
SIGN_TAU_S = 20.0  # the mounting stays; a turn or a step back must not flip it
SIGN_TAU_OLD_S = 120.0  # nor minutes of stepping in place, once it has walked
SIGN_FIRST = (
    0.2  # share of forward in all swing motion that fixes the sign; recordings with known axes show 0.4-0.9
)
SIGN_AGE_NS = 500_000_000  # a recording that begins in mid-swing shows "up" wrongly at first
SIGN_FLIP = 0.4  # share of backward motion that overturns it while young
SIGN_FLIP_OLD = (
    0.65  # and later: stepping in place shows up to half, a sensor put on backwards three quarters
)
SIGN_YOUNG_NS = 15_000_000_000
SHOWN_S = 5.0  # of motion by the sign: before it, motion against it says that the sign was wrong
TURN_MOST_RPS2, AHEAD_MOST_MPS = 9.0, 0.5  # what is quicker shows the sign no better: a shake before the walk
SWING_TAU_S = 0.4  # about a swing
NEAR_TAU_S = 1.5  # about a stride: which way the limb moves now
BACKWARD_SHARE = 0.3  # of it against the sign begins it; 99.9 % of recorded swings forward show less
FORWARD_SHARE = 0.08  # of it, in one swing, ends it: a first swing forward is not to be missed
REST_S = 0.5  # the limb stands: it has no speed, and what it did before says nothing of the next step
REST_RPS2 = 0.0625  # 14 deg/s
REST_LEAST, REST_MOST = (GRAVITY_MPS2 - 1.0) ** 2, (GRAVITY_MPS2 + 1.0) ** 2
SIGN_OUTWEIGHED = (
    2.0  # net motion against the sign over the most that ever spoke for it: a shake before the walk
)
SIGN_FLOOR = 0.05  # rad^2/s^2 m: half a weak swing of a paretic leg (1 rad/s, 0.3 m/s, 0.3 s)


def cross(a: Vec3, b: Vec3) -> Vec3:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def dot(a: Vec3, b: Vec3) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vec3) -> Vec3:
    """The direction of ``a``; the zero vector stays itself."""
    n = sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    return (a[0] / n, a[1] / n, a[2] / n) if n > 0.0 else a


class SagittalFrame:
    """Finds the up direction, the mediolateral axis and its sign from gravity and walking.

    Up is the acceleration averaged in a frame that turns with the gyroscope. The mediolateral axis is the
    principal axis of the angular rate across the mean up direction; ``axis_share`` weighs the samples in it
    once the sign is known, for a caller who knows when the limb turns about other axes. The sign comes from
    physics: the limb travels forward while it turns fast, so squared rate times forward velocity must be
    positive on average. A given ``swing_axis`` is taken as it is.
    """

    def __init__(self, swing_axis: Vec3 | None = None) -> None:
        self._last_t_ns: int | None = None
        self._start_ns = 0
        self._up_ns = 0  # since when "up" has been tracked
        self._known_ns = 0
        self._last_gyr: Vec3 = (0.0, 0.0, 0.0)
        self._up: Vec3 = (0.0, 0.0, 0.0)
        self._c = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        self._kept_axis: Vec3 = (
            0.0,
            0.0,
            0.0,
        )  # of the walk so far: a halt's fidgeting may turn the axis over
        self._velocity = 0.0
        self._mean_velocity = 0.0
        self._sign_sum = 0.0
        self._abs_sum = 0.0
        self._near_sum = self._near_abs = 0.0
        self._for_sign = 0.0  # the most net motion that has spoken for the sign
        self.up: Vec3 = (0.0, 0.0, 0.0)
        self.long_axis: Vec3 = (0.0, 0.0, 0.0)
        self.axis_share = 1.0
        self._given = swing_axis is not None
        self.axis: Vec3 = swing_axis if swing_axis is not None else (0.0, 0.0, 0.0)
        self.sign = 1.0
        self.known = self._given
        self.backward = False  # the limb swings the other way about a given axis
        self.rate_rps = 0.0
        self.inclination_rad = 0.0
        self.forward_mps2 = 0.0
        self.upward_mps2 = 0.0
        self._swing_sum = self._shown_s = self._rest_s = 0.0
        self.moves_backward = False  # against the sign that the walk so far has shown

    def update(self, t_ns: int, acc_mps2: Vec3, gyr_rps: Vec3) -> bool:
        """Take one sample; False where it is not later than the one before and was left out."""
        if self._last_t_ns is None:
            self._last_t_ns = self._start_ns = self._up_ns = t_ns
            self._last_gyr = gyr_rps
            self.up = self.long_axis = unit(acc_mps2)
            self._up = (acc_mps2[0] / GRAVITY_MPS2, acc_mps2[1] / GRAVITY_MPS2, acc_mps2[2] / GRAVITY_MPS2)
            return True
        if t_ns <= self._last_t_ns:
            return False
        dt = (t_ns - self._last_t_ns) * 1e-9
        self._last_t_ns = t_ns
        if dt > BLIND_S:
            self._up_ns, self._last_gyr, self.up = t_ns, gyr_rps, unit(acc_mps2)
            self._up = (acc_mps2[0] / GRAVITY_MPS2, acc_mps2[1] / GRAVITY_MPS2, acc_mps2[2] / GRAVITY_MPS2)
        else:
            self._track_up(dt, t_ns, acc_mps2, gyr_rps)
            if not self._given:
                self._turn_axis(dt, gyr_rps)
        self._project(t_ns, dt, acc_mps2, gyr_rps)
        return True

    # The three below run at every sample: their vector arithmetic is written out.

    def _track_up(self, dt: float, t_ns: int, acc: Vec3, gyr: Vec3) -> None:
        lx, ly, lz = self._last_gyr
        gx, gy, gz = self._last_gyr = gyr
        wx, wy, wz = 0.5 * (lx + gx), 0.5 * (ly + gy), 0.5 * (lz + gz)
        x, y, z = self._up
        # midpoint rule for du/dt = u x w; its error over a swing is far below the correction by gravity
        half = 0.5 * dt
        mx, my, mz = x + half * (y * wz - z * wy), y + half * (z * wx - x * wz), z + half * (x * wy - y * wx)
        x, y, z = x + dt * (my * wz - mz * wy), y + dt * (mz * wx - mx * wz), z + dt * (mx * wy - my * wx)
        up_tau_s, long_tau_s = UP_TAU_S, LONG_AXIS_TAU_S
        if t_ns - self._up_ns < UP_TAU_NS:
            up_tau_s = min(UP_TAU_S, max((t_ns - self._up_ns) * 1e-9, 0.05))
            long_tau_s = min(LONG_AXIS_TAU_S, max((t_ns - self._start_ns) * 1e-9, 0.05))
        k = dt / up_tau_s if dt < up_tau_s else 1.0
        ax, ay, az = acc
        x, y, z = (
            x + k * (ax / GRAVITY_MPS2 - x),
            y + k * (ay / GRAVITY_MPS2 - y),
            z + k * (az / GRAVITY_MPS2 - z),
        )
        self._up = (x, y, z)
        n = sqrt(x * x + y * y + z * z)
        self.up = x, y, z = (x / n, y / n, z / n) if n > 0.0 else (x, y, z)
        long_tau_s *= 1.0 + (wx * wx + wy * wy + wz * wz) / (QUIET_RATE_RPS * QUIET_RATE_RPS)
        k = dt / long_tau_s if dt < long_tau_s else 1.0
        bx, by, bz = self.long_axis
        x, y, z = bx + k * (x - bx), by + k * (y - by), bz + k * (z - bz)
        n = sqrt(x * x + y * y + z * z)
        self.long_axis = (x / n, y / n, z / n) if n > 0.0 else (x, y, z)

    def _turn_axis(self, dt: float, gyr: Vec3) -> None:
        keep = exp(-dt / AXIS_TAU_S)
        if self.known:
            dt *= self.axis_share
        (gx, gy, gz), (lx, ly, lz), (vx, vy, vz) = gyr, self.long_axis, self.axis
        g = gx * lx + gy * ly + gz * lz
        hx, hy, hz = gx - g * lx, gy - g * ly, gz - g * lz
        xx, xy, xz, yy, yz, zz = self._c
        self._c = xx, xy, xz, yy, yz, zz = (
            keep * xx + hx * hx * dt, keep * xy + hx * hy * dt, keep * xz + hx * hz * dt,
            keep * yy + hy * hy * dt, keep * yz + hy * hz * dt, keep * zz + hz * hz * dt,
        )  # fmt: skip
        if vx == 0.0 and vy == 0.0 and vz == 0.0:
            vx, vy, vz = hx, hy, hz
        # one step of the power iteration per sample follows the principal axis and never flips it
        px, py, pz = xx * vx + xy * vy + xz * vz, xy * vx + yy * vy + yz * vz, xz * vx + yz * vy + zz * vz
        g = px * lx + py * ly + pz * lz
        px, py, pz = px - g * lx, py - g * ly, pz - g * lz
        n = sqrt(px * px + py * py + pz * pz)
        if n > 0.0:
            px, py, pz = px / n, py / n, pz / n
        if self.known:
            kx, ky, kz = self._kept_axis
            if px * kx + py * ky + pz * kz < 0.0:
                px, py, pz = -px, -py, -pz
            k = min(1.0, (hx * hx + hy * hy + hz * hz) * dt / AXIS_KEPT_RAD2PS)
            self._kept_axis = (kx + k * (px - kx), ky + k * (py - ky), kz + k * (pz - kz))
        self.axis = (px, py, pz)

    def _project(self, t_ns: int, dt: float, acc: Vec3, gyr: Vec3) -> None:
        (lx, ly, lz), (mx, my, mz), (ux, uy, uz) = self.long_axis, self.axis, self.up
        (ax, ay, az), (gx, gy, gz) = acc, gyr
        fx, fy, fz = uy * mz - uz * my, uz * mx - ux * mz, ux * my - uy * mx
        n = sqrt(fx * fx + fy * fy + fz * fz)
        forward = (ax * fx + ay * fy + az * fz) / n if n > 0.0 else 0.0
        rate = gx * mx + gy * my + gz * mz
        velocity = 0.0 if dt > GAP_S else self._velocity * exp(-dt / VELOCITY_TAU_S) + forward * dt
        mean = self._mean_velocity
        mean += (dt / MEAN_TAU_S if dt < MEAN_TAU_S else 1.0) * (velocity - mean)
        felt, turning = ax * ax + ay * ay + az * az, gx * gx + gy * gy + gz * gz
        self._rest_s = self._rest_s + dt if turning < REST_RPS2 and REST_LEAST < felt < REST_MOST else 0.0
        if self._rest_s > REST_S and self._shown_s >= SHOWN_S:  # it may go the other way from here
            velocity = mean = self._near_sum = self._near_abs = 0.0
        self._velocity, self._mean_velocity = velocity, mean
        square, ahead = rate * rate, velocity - mean
        if self._shown_s < SHOWN_S or t_ns - self._up_ns < UP_TAU_NS:
            square = min(square, TURN_MOST_RPS2)
            ahead = max(-AHEAD_MOST_MPS, min(AHEAD_MOST_MPS, ahead))
        self._judge_sign(t_ns, dt, square * ahead * dt)
        sign = self.sign
        self.rate_rps = sign * rate
        self.forward_mps2 = sign * forward
        self.upward_mps2 = ax * ux + ay * uy + az * uz - GRAVITY_MPS2
        sin = ux * (ly * mz - lz * my) + uy * (lz * mx - lx * mz) + uz * (lx * my - ly * mx)
        self.inclination_rad = atan2(sign * sin, ux * lx + uy * ly + uz * lz)

    def _judge_sign(self, t_ns: int, dt: float, travel: float) -> None:
        young = not self.known or t_ns - self._known_ns < SIGN_YOUNG_NS
        keep = exp(-dt / (SIGN_TAU_S if young else SIGN_TAU_OLD_S))
        self._sign_sum = keep * self._sign_sum + travel
        self._abs_sum = keep * self._abs_sum + abs(travel)
        keep = max(0.0, 1.0 - dt / NEAR_TAU_S)
        near = self._near_sum = keep * self._near_sum + travel
        self._near_abs = keep * self._near_abs + abs(travel)
        if self.moves_backward or near * self.sign < 0.0:
            self._judge_backward(dt, travel)
        elif self._shown_s < SHOWN_S and self.known and near * self.sign > BACKWARD_SHARE * self._near_abs:
            self._shown_s += dt if self._near_abs > SIGN_FLOOR else 0.0
        if self._abs_sum < SIGN_FLOOR or t_ns - self._start_ns < SIGN_AGE_NS:
            return
        share = self._sign_sum / self._abs_sum
        if self._given:
            self.backward = share < -SIGN_FIRST
        elif not self.known:
            if abs(share) > SIGN_FIRST:
                self.sign = 1.0 if share > 0.0 else -1.0
                self.known = True
                self._known_ns = t_ns
                self._for_sign = abs(self._sign_sum)
        else:
            forward = self.sign * self._sign_sum
            if forward >= 0.0:
                self._for_sign = max(self._for_sign, forward)
                return
            outweighed = -forward > SIGN_OUTWEIGHED * self._for_sign and self.sign * share < -SIGN_FIRST
            if outweighed or self.sign * share < -(SIGN_FLIP if young else SIGN_FLIP_OLD):
                self.sign = -self.sign
                self._for_sign = -forward

    def _judge_backward(self, dt: float, travel: float) -> None:
        """A person who walks backward: the limb swings against the sign that the walk so far has shown."""
        forward = self.sign * self._near_sum
        if not self.moves_backward:
            self._swing_sum = 0.0
            much = self.known and self._near_abs > SIGN_FLOOR
            if not much or -forward <= BACKWARD_SHARE * self._near_abs:
                return
            if self._shown_s >= SHOWN_S or self._given:
                self.moves_backward = True
            elif self._up_ns == self._start_ns:  # too little has shown the sign: it was wrong
                self.sign, self._shown_s = -self.sign, 0.0
                self._sign_sum, self._abs_sum = self._near_sum, self._near_abs
                self._for_sign = -forward
            return
        self._swing_sum += self.sign * travel - dt / SWING_TAU_S * self._swing_sum
        swings = self._swing_sum > FORWARD_SHARE * self._near_abs
        self.moves_backward = forward < 0.0 and self._near_abs > SIGN_FLOOR and not swings
