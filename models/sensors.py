"""What inertial sensors on the leg would read, from the plant's history.

Promises specific force, angular rate and orientation that belong to one rigid motion; refuses nothing inside.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.plant import (
    DT_S,
    GRAVITY,
    H_ACC_X,
    H_ACC_Y,
    H_FOOT,
    H_RINGING,
    H_ROLL,
    H_ROLL_RATE,
    H_SHANK,
    H_SHANK_ROLL,
    H_SHANK_ROLL_RATE,
    H_VELOCITY_X,
    H_YAW,
    H_YAW_RATE,
    HISTORY,
)

Array = npt.NDArray[np.float64]


@compiled
def _body_rate(h: Array, pitch: int, shank: bool, side: float) -> tuple[float, float, float]:
    """Angular rate in segment axes (x forward, y left, z up) at one row of the history."""
    a, rate, yaw_rate = h[pitch], h[pitch + 1], h[H_YAW_RATE]
    roll, roll_rate = (
        (h[H_SHANK_ROLL], h[H_SHANK_ROLL_RATE]) if shank else (side * (h[H_ROLL]), side * h[H_ROLL_RATE])
    )
    x, y, z = yaw_rate * math.sin(a), -rate, yaw_rate * math.cos(a)
    c, s = math.cos(roll), math.sin(roll)
    return x + roll_rate, c * y + s * z, -s * y + c * z


@compiled
def motion(
    history: Array, times: Array, shank: bool, place: Array, mount: Array, side: float, ring: float
) -> Array:
    """Rows of (quaternion wxyz, specific force m/s2, angular rate rad/s) in sensor axes, without errors.

    ``place`` is the sensor relative to the ankle in segment axes (m), ``mount`` turns sensor axes into
    segment axes, ``side`` is -1 left, +1 right, ``ring`` scales the contact transient.
    """
    out = np.empty((times.size, 10))
    pitch = H_SHANK if shank else H_FOOT
    for i in range(times.size):
        k = math.floor(times[i] / DT_S + 1e-6)
        u = times[i] / DT_S - k
        h0, h1 = history[k % HISTORY], history[(k + 1) % HISTORY]
        w0 = _body_rate(h0, pitch, shank, side)
        w1 = _body_rate(h1, pitch, shank, side)
        wx, wy, wz = w0[0] + u * (w1[0] - w0[0]), w0[1] + u * (w1[1] - w0[1]), w0[2] + u * (w1[2] - w0[2])
        dx, dy, dz = (w1[0] - w0[0]) / DT_S, (w1[1] - w0[1]) / DT_S, (w1[2] - w0[2]) / DT_S
        a = h0[pitch] + u * (h1[pitch] - h0[pitch])
        yaw = h0[H_YAW] + u * (h1[H_YAW] - h0[H_YAW])
        tilt = h0[H_SHANK_ROLL] + u * (h1[H_SHANK_ROLL] - h0[H_SHANK_ROLL])
        roll = tilt if shank else side * (h0[H_ROLL] + u * (h1[H_ROLL] - h0[H_ROLL]))
        kick = ring * (h0[H_RINGING] + u * (h1[H_RINGING] - h0[H_RINGING]))
        fx = h0[H_ACC_X] + u * (h1[H_ACC_X] - h0[H_ACC_X]) - 0.5 * kick
        fy = h0[H_VELOCITY_X] * h0[H_YAW_RATE] + u * (
            h1[H_VELOCITY_X] * h1[H_YAW_RATE] - h0[H_VELOCITY_X] * h0[H_YAW_RATE]
        )
        fz = h0[H_ACC_Y] + u * (h1[H_ACC_Y] - h0[H_ACC_Y]) + GRAVITY + kick
        # heading axes to segment axes: undo pitch (about -y), then roll (about x)
        c, s = math.cos(a), math.sin(a)
        bx, bz = c * fx + s * fz, -s * fx + c * fz
        cr, sr = math.cos(roll), math.sin(roll)
        by, bz = cr * fy + sr * bz, -sr * fy + cr * bz
        rx, ry, rz = place[0], place[1], place[2]
        vx, vy, vz = wy * rz - wz * ry, wz * rx - wx * rz, wx * ry - wy * rx
        bx += dy * rz - dz * ry + wy * vz - wz * vy
        by += dz * rx - dx * rz + wz * vx - wx * vz
        bz += dx * ry - dy * rx + wx * vy - wy * vx
        for j in range(3):
            out[i, 4 + j] = mount[0, j] * bx + mount[1, j] * by + mount[2, j] * bz
            out[i, 7 + j] = mount[0, j] * wx + mount[1, j] * wy + mount[2, j] * wz
        # orientation: Rz(yaw) Ry(-pitch) Rx(roll) mount
        cy, sy = math.cos(yaw), math.sin(yaw)
        r = np.empty((3, 3))
        r[0, 0], r[0, 1], r[0, 2] = cy * c, -sy * cr - cy * s * sr, sy * sr - cy * s * cr
        r[1, 0], r[1, 1], r[1, 2] = sy * c, cy * cr - sy * s * sr, -cy * sr - sy * s * cr
        r[2, 0], r[2, 1], r[2, 2] = s, c * sr, c * cr
        _quaternion(r, mount, out[i])
    return out


@compiled
def add_errors(rows: Array, noise: Array, noise_sd: Array, bias: Array, top: Array) -> None:
    """Add noise (standard normal draws) and bias to rows of :func:`motion`, within the sensor's range."""
    for i in range(noise.shape[0]):
        for j in range(noise.shape[1]):
            value = rows[i, 4 + j] + (noise[i, j] * noise_sd[j] + bias[j])
            rows[i, 4 + j] = max(-top[j], min(top[j], value))


@compiled
def sample(
    history: Array,
    time: float,
    shank: bool,
    place: Array,
    mount: Array,
    side: float,
    ring: float,
    noise: Array,
    noise_sd: Array,
    bias: Array,
    top: Array,
) -> tuple[float, float, float, float, float, float, float, float, float, float]:
    """One row of :func:`motion` with its errors, without an array of its own: most samples are single."""
    times = np.empty(1)
    times[0] = time
    rows = motion(history, times, shank, place, mount, side, ring)
    add_errors(rows, noise, noise_sd, bias, top)
    r = rows[0]
    return r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9]


@compiled
def _quaternion(r: Array, mount: Array, out: Array) -> None:
    """Quaternion of r @ mount into the first four places (Shepperd's method)."""
    m = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                m[i, j] += r[i, k] * mount[k, j]
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    best, at = trace, 0
    for i in range(3):
        if m[i, i] > best:
            best, at = m[i, i], i + 1
    if at == 0:
        w = 0.5 * math.sqrt(1.0 + trace)
        f = 0.25 / w
        x, y, z = f * (m[2, 1] - m[1, 2]), f * (m[0, 2] - m[2, 0]), f * (m[1, 0] - m[0, 1])
    elif at == 1:
        x = 0.5 * math.sqrt(1.0 + m[0, 0] - m[1, 1] - m[2, 2])
        f = 0.25 / x
        w, y, z = f * (m[2, 1] - m[1, 2]), f * (m[0, 1] + m[1, 0]), f * (m[0, 2] + m[2, 0])
    elif at == 2:
        y = 0.5 * math.sqrt(1.0 - m[0, 0] + m[1, 1] - m[2, 2])
        f = 0.25 / y
        w, x, z = f * (m[0, 2] - m[2, 0]), f * (m[0, 1] + m[1, 0]), f * (m[1, 2] + m[2, 1])
    else:
        z = 0.5 * math.sqrt(1.0 - m[0, 0] - m[1, 1] + m[2, 2])
        f = 0.25 / z
        w, x, y = f * (m[1, 0] - m[0, 1]), f * (m[0, 2] + m[2, 0]), f * (m[1, 2] + m[2, 1])
    out[0], out[1], out[2], out[3] = w, x, y, z
