"""The gyroscope's own zero: what it shows while the limb rests.

A person who stands for a second shows it about every axis. A shorter rest may be a slow, even roll over the
ground: it weighs by its length, is forgotten where no other one confirms it, and shows the zero about the
vertical alone, but for a foot before it has first walked.
"""

from __future__ import annotations

from math import radians

from drivers.interface import Segment, Vec3

STILL_RPS = radians(4.0)  # a person who stands sways by less
STILL_S = 0.15  # a foot is as still in mid-stance, but for its roll
STAND_S = 1.0  # no stance of a walk is as still for so long
FORGET_TAU_S = 60.0  # without rest, of what short rests have shown
ZERO_MAX_RPS = radians(15.0)  # the worst of the recorded gyroscopes; a tipping shank turns faster
TAU_S = 1.0  # of rest
PRIOR_S = 0.3  # of rest at no zero at all, before the first one: a tenth of a second weighs a quarter
WALKED_RPS = 1.0  # before it has turned so fast the limb stood, however short
GAP_S = 0.1  # nothing is known of the time between


class GyroZero:
    """Follows the mean rate of each rest; ``seen`` once a person stood."""

    def __init__(self, segment: Segment) -> None:
        self._hold: Vec3 = (0.0, 0.0, 0.0)
        self._hold_s = 0.0
        self._rest_s, self._stand_s = PRIOR_S, 0.0
        self._stood: Vec3 = (0.0, 0.0, 0.0)  # what standing has shown, to which short rests are forgotten
        self._zero: Vec3 = (0.0, 0.0, 0.0)
        self._walked = segment == "shank"  # which leans and tips before a walk, slowly and evenly
        self.seen = False

    def update(self, dt_s: float, gyr_rps: Vec3, up: Vec3) -> Vec3:
        """Take one sample and where up is in sensor axes; the rate (rad/s) less the zero."""
        (gx, gy, gz), (hx, hy, hz), (zx, zy, zz) = gyr_rps, self._hold, self._zero
        ex, ey, ez = gx - hx, gy - hy, gz - hz
        squared = gx * gx + gy * gy + gz * gz
        if ex * ex + ey * ey + ez * ez > STILL_RPS * STILL_RPS or dt_s > GAP_S:
            self._walked = self._walked or squared > WALKED_RPS * WALKED_RPS
            self._hold, self._hold_s = gyr_rps, 0.0
        else:
            self._hold_s += dt_s
        if self._hold_s <= STILL_S or squared >= ZERO_MAX_RPS * ZERO_MAX_RPS:
            k, (sx, sy, sz) = min(dt_s, GAP_S) / FORGET_TAU_S, self._stood
            self._zero = (zx + k * (sx - zx), zy + k * (sy - zy), zz + k * (sz - zz))
            return (gx - zx, gy - zy, gz - zz)
        ex, ey, ez = gx - zx, gy - zy, gz - zz
        if self._hold_s > STAND_S:
            self.seen = True
            self._stand_s = min(TAU_S, self._stand_s + dt_s)
            k = dt_s / self._stand_s
            zx, zy, zz = self._zero = self._stood = (zx + k * ex, zy + k * ey, zz + k * ez)
        else:
            self._rest_s = min(TAU_S, self._rest_s + dt_s)
            k = dt_s / self._rest_s
            if self._walked:
                along = ex * up[0] + ey * up[1] + ez * up[2]
                ex, ey, ez = along * up[0], along * up[1], along * up[2]
            zx, zy, zz = self._zero = (zx + k * ex, zy + k * ey, zz + k * ez)
        return (gx - zx, gy - zy, gz - zz)
