"""The gyroscope's own zero: what it shows while the limb rests.

Promises the rate less that zero, from the first rest on; refuses to take a slow movement for rest.
"""

from __future__ import annotations

from math import radians

from drivers.interface import Vec3

STILL_RPS = radians(4.0)  # a person who stands sways by less
STILL_S = 0.15  # a foot rests as long in mid-stance; no limb turns so evenly while it moves
ZERO_MAX_RPS = radians(15.0)  # the worst of the recorded gyroscopes; a tipping shank turns faster
TAU_S = 1.0  # of rest
GAP_S = 0.1  # nothing is known of the time between


class GyroZero:
    """Follows the mean rate of each rest; ``seen`` once there was one."""

    def __init__(self) -> None:
        self._hold: Vec3 = (0.0, 0.0, 0.0)
        self._hold_s = 0.0
        self._rest_s = 0.0
        self._zero: Vec3 = (0.0, 0.0, 0.0)
        self.seen = False

    def update(self, dt_s: float, gyr_rps: Vec3) -> Vec3:
        """Take one sample; the rate (rad/s) less the zero."""
        (gx, gy, gz), (hx, hy, hz), (zx, zy, zz) = gyr_rps, self._hold, self._zero
        ex, ey, ez = gx - hx, gy - hy, gz - hz
        if ex * ex + ey * ey + ez * ez > STILL_RPS * STILL_RPS or dt_s > GAP_S:
            self._hold, self._hold_s = gyr_rps, 0.0
            return (gx - zx, gy - zy, gz - zz)
        self._hold_s += dt_s
        if self._hold_s > STILL_S and gx * gx + gy * gy + gz * gz < ZERO_MAX_RPS * ZERO_MAX_RPS:
            self.seen = True
            self._rest_s = min(TAU_S, self._rest_s + dt_s)
            k = dt_s / self._rest_s
            zx, zy, zz = self._zero = (zx + k * (gx - zx), zy + k * (gy - zy), zz + k * (gz - zz))
        return (gx - zx, gy - zy, gz - zz)
