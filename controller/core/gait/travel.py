"""What a step did in space since the limb last stood: forward speed and way, height, turning.

Promises to tell level walking ahead from stepping in place, stairs and turns; refuses to count a step whose
stance it did not see.
"""

from __future__ import annotations

from math import radians

from controller.core.gait.frame import SagittalFrame
from drivers.interface import Segment, Vec3

SETTLE_S = 0.1  # after contact the limb still shakes
SPEED_MIN_MPS = 0.25  # paretic limbs swing at 0.3 m/s and more over the walkway, in place at 0.2 and less
SWING_WAY_MIN_M = 0.02  # even of a leg that is dragged after; in place a shank swings 0.1 m back
WAY_MIN_M = 0.2  # of the foot in a whole step
RISE_MIN_M = 0.12  # of the foot; a stair is 15 to 20 cm
RISE_SLOPE = 0.3  # steeper than any ramp
STAIR_RISE_M = 0.2  # two stairs a stride are more; on the level, strides this short err by half of it
TURN_MAX_RAD = radians(25.0)  # in one stride, from what gyroscope and strap usually show on the straight
TURN_END_RAD = radians(15.0)  # a stride within it ends a turn
TURN_LEARN = 0.2
STRAP_YAW_RAD = radians(30.0)  # recorded straps show up to 29 deg a stride on the straight; more is a turn


class Travel:
    """Integrates the sagittal acceleration from the stillest moment of stance, and yaw from contact."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._stillest = 1e9
        self._steep_before = False
        self._on_stairs = False
        self._turn_limit_rad = TURN_MAX_RAD
        self.usual_yaw_rad = 0.0
        self._rising_mps = 0.0
        self._speed_mps = 0.0
        self._swing_start_m = 0.0
        self.top_speed_mps = 0.0
        self.forward_m = 0.0
        self.up_m = 0.0
        self.yaw_rad = 0.0

    def update(self, dt_s: float, gyr: Vec3, frame: SagittalFrame, *, swing: bool, since_s: float) -> None:
        """Follow one sample; ``since_s`` is the time since contact."""
        self._speed_mps += frame.forward_mps2 * dt_s
        self._rising_mps += frame.upward_mps2 * dt_s
        self.forward_m += self._speed_mps * dt_s
        self.up_m += self._rising_mps * dt_s
        self.top_speed_mps = max(self.top_speed_mps, self._speed_mps)
        (gx, gy, gz), (ux, uy, uz) = gyr, frame.up
        self.yaw_rad += (gx * ux + gy * uy + gz * uz) * dt_s
        if not swing:
            self._swing_start_m = self.forward_m
        if swing or since_s < SETTLE_S:
            return
        turning = gx * gx + gy * gy + gz * gz
        if turning <= 1.02 * self._stillest + 0.05:  # as still as at any moment of this stance
            self._stillest = min(self._stillest, turning)
            self._speed_mps = self._rising_mps = self.top_speed_mps = self.forward_m = self.up_m = 0.0
            if since_s > 2.0:
                self.yaw_rad = 0.0

    def contact(self) -> None:
        """A new stance begins."""
        self._on_stairs = self._stairs
        self._steep_before = self._steep
        self._turn_limit_rad = TURN_END_RAD if self.turning else TURN_MAX_RAD
        if abs(self.yaw_rad) < STRAP_YAW_RAD:
            self.usual_yaw_rad += TURN_LEARN * (self.yaw_rad - self.usual_yaw_rad)
        self._stillest = 1e9
        self.yaw_rad = 0.0

    @property
    def ahead(self) -> bool:
        """In swing or at contact: the limb has moved forward, at walking speed, and has not turned."""
        way_m = self.forward_m - self._swing_start_m
        return self.top_speed_mps > SPEED_MIN_MPS and way_m > SWING_WAY_MIN_M and not self.turning

    @property
    def turning(self) -> bool:
        return abs(self.yaw_rad - self.usual_yaw_rad) > self._turn_limit_rad

    @property
    def level_step(self) -> bool:
        """At contact: this was a step ahead on the level. A shank shows speed, but neither way nor height."""
        if self._segment == "shank":
            return self.ahead
        return self.ahead and self.forward_m > WAY_MIN_M and not self._stairs

    @property
    def _stairs(self) -> bool:
        """One small steep step may be an error of measurement, two in a row or a high one are stairs.

        One level step among them is a landing, two end them.
        """
        if self._steep:
            return self._steep_before or self._on_stairs or abs(self.up_m) > STAIR_RISE_M
        return self._on_stairs and self._steep_before

    @property
    def _steep(self) -> bool:
        return abs(self.up_m) > max(RISE_MIN_M, RISE_SLOPE * self.forward_m)
