"""The gyroscope's own zero: what it shows while the limb rests.

Promises the rate less that zero, from the first rest on; refuses to take a slow movement for rest. A foot
may roll on over the ground through all of stance, slowly and evenly: in a walk a short rest of it therefore
shows the zero about the vertical alone, and only a person who stands shows the other two axes.
"""

from __future__ import annotations

from math import radians

from drivers.interface import Segment, Vec3

STILL_RPS = radians(4.0)  # a person who stands sways by less
STILL_S = 0.15  # a foot is as still in mid-stance, but for its roll
STAND_S = 1.0  # no stance of a walk is as still for so long
WALKED_RPS = 1.0  # before a foot has turned so fast it stood, however short
ZERO_MAX_RPS = radians(15.0)  # the worst of the recorded gyroscopes; a tipping shank turns faster
TAU_S = 1.0  # of rest
GAP_S = 0.1  # nothing is known of the time between


class GyroZero:
    """Follows the mean rate of each rest; ``seen`` once there was one."""

    def __init__(self, segment: Segment) -> None:
        self._rolls = segment == "foot"
        self._hold: Vec3 = (0.0, 0.0, 0.0)
        self._hold_s = 0.0
        self._rest_s = self._stand_s = 0.0
        self._zero: Vec3 = (0.0, 0.0, 0.0)
        self._walked = False
        self.seen = False

    def update(self, dt_s: float, gyr_rps: Vec3, up: Vec3) -> Vec3:
        """Take one sample and where up is in sensor axes; the rate (rad/s) less the zero."""
        (gx, gy, gz), (hx, hy, hz), (zx, zy, zz) = gyr_rps, self._hold, self._zero
        ex, ey, ez = gx - hx, gy - hy, gz - hz
        if ex * ex + ey * ey + ez * ez > STILL_RPS * STILL_RPS or dt_s > GAP_S:
            self._walked = self._walked or gx * gx + gy * gy + gz * gz > WALKED_RPS * WALKED_RPS
            self._hold, self._hold_s = gyr_rps, 0.0
            return (gx - zx, gy - zy, gz - zz)
        self._hold_s += dt_s
        if self._hold_s > STILL_S and gx * gx + gy * gy + gz * gz < ZERO_MAX_RPS * ZERO_MAX_RPS:
            self.seen = True
            self._rest_s = min(TAU_S, self._rest_s + dt_s)
            k = dt_s / self._rest_s
            level = 0.0
            if self._hold_s > STAND_S or not (self._rolls and self._walked):
                self._stand_s = min(TAU_S, self._stand_s + dt_s)
                level = dt_s / self._stand_s
            ex, ey, ez = gx - zx, gy - zy, gz - zz
            ux, uy, uz = up
            about_up = (k - level) * (ex * ux + ey * uy + ez * uz)
            zx, zy, zz = self._zero = (
                zx + level * ex + about_up * ux,
                zy + level * ey + about_up * uy,
                zz + level * ez + about_up * uz,
            )
        return (gx - zx, gy - zy, gz - zz)
