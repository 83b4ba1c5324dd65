"""What a step did in space since the limb last stood: forward speed and way, height, turning.

Promises to tell level walking ahead from stepping in place, stairs and turns; refuses to count a step whose
stance it did not see.
"""

from __future__ import annotations

from collections import deque
from math import radians
from statistics import median

from controller.core.gait.sagittal_frame import SagittalFrame
from drivers.interface import Segment, Vec3

BLIND_S = 0.3  # a longer gap hides what the limb did: nothing is integrated over it
BLIND_STRIDES = 2  # nor is the height of its stride and of the next: "up" is being found anew
SETTLE_S = 0.1  # after contact the limb still shakes
SPEED_MIN_MPS = 0.25  # paretic limbs swing at 0.3 m/s and more over the walkway, in place at 0.2 and less
GAINS_SHARE = 0.93  # of the swing's top speed; every landing on record has lost a tenth, most four fifths
SWING_WAY_MIN_M = 0.02  # even of a leg that is dragged after; in place a shank swings 0.1 m back
WAY_MIN_M = 0.2  # of the foot in a whole step
RISE_MIN_M = 0.08  # of the foot from rest to rest: half a stair
RISE_SLOPE = 0.12  # steeper than a ramp may be built (1 in 12), and error of measurement
RISE_DOUBT = 0.15  # of the way that the vertical speed left over at rest would have made
STAIRS = 2.0  # a stride this many times as steep is stairs by itself; else two in a row are
FLIGHT_STRIDES = 20  # few stairs have more steps for one leg: what looks steep for longer is an error
TURN_MAX_RAD = radians(25.0)  # in one stride; on the straight, recordings show up to 15
TURN_END_RAD = radians(15.0)  # a stride within it ends a turn
DRIFT_STRIDES = 11  # their median: a turn is fewer
DRIFT_STRIDE_S = 0.5
DRIFT_MAX_RAD = radians(32.0)  # in a stride; two recorded gyroscopes are 15 deg/s off about the vertical
TIP_TURN_MAX_RAD = radians(10.0)  # of a stance's turning from the usual; a leg's own spread is 2 to 4 deg
TIP_TURN_LEARN = 0.2
STANCES_MIN = 3  # before the usual is known
CONING_LEARN = 0.2
FLAT_AXIS = 0.9  # of a swing axis that stands upright, heading says nothing


class Travel:
    """Integrates the sagittal acceleration from the stillest moment of stance, and heading from contact.

    Between two stillest moments the speed left over is error; taken out, it tells what the stride rose.
    Heading is that of the swing axis: swinging itself, about an axis that is not level, does not change it.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._stillest = 1e9
        self._steep_before = False
        self._on_stairs = False
        self._flight = 0  # steep strides in a row
        self._blind = 0
        self._turn_limit_rad = TURN_MAX_RAD
        self._drift_rps = 0.0
        self._drifts_rps: deque[float] = deque(maxlen=DRIFT_STRIDES)
        self._time_s = self._speed_mps = self._rising_mps = self._way_m = self._height_m = 0.0
        self._rest = (0.0, 0.0, 0.0, 0.0, 0.0)
        self.rest_seen = False  # the gyroscope's zero is known and taken out
        self._usual_turned_rad = 0.0
        self._stances = 0
        self._swinging = False
        self._since_s = 0.0
        self._heading_rad = 0.0
        self._coning_rad = 0.0
        self._swing_start_m = 0.0
        self.usual_coning_rad = 0.0
        self.top_speed_mps = 0.0

    def update(self, dt_s: float, gyr: Vec3, frame: SagittalFrame, *, swing: bool, since_s: float) -> None:
        """Follow one sample; ``since_s`` is the time since contact."""
        if dt_s > BLIND_S:
            self._blind, dt_s = BLIND_STRIDES, 0.0
        self._time_s += dt_s
        speed_mps = self._speed_mps = self._speed_mps + frame.forward_mps2 * dt_s
        rising_mps = self._rising_mps = self._rising_mps + frame.upward_mps2 * dt_s
        self._way_m += speed_mps * dt_s
        self._height_m += rising_mps * dt_s
        self.top_speed_mps = max(self.top_speed_mps, speed_mps - self._rest[1])
        self._turn(dt_s, gyr, frame)
        if swing:
            if not self._swinging:
                self._swinging = True
                self._begin_stride()
            return
        self._swinging = False
        if since_s < SETTLE_S:
            return
        turning = gyr[0] * gyr[0] + gyr[1] * gyr[1] + gyr[2] * gyr[2]
        if turning <= 1.02 * self._stillest + 0.05:  # as still as at any moment of this stance
            self._stillest = min(self._stillest, turning)
            self._rest = (self._time_s, self._speed_mps, self._rising_mps, self._way_m, self._height_m)
            self.top_speed_mps = 0.0
            if since_s > 2.0:
                self._heading_rad = self._coning_rad = self._since_s = 0.0

    def _turn(self, dt_s: float, gyr: Vec3, frame: SagittalFrame) -> None:
        (gx, gy, gz), (ux, uy, uz), (mx, my, mz) = gyr, frame.up, frame.axis
        about_up = gx * ux + gy * uy + gz * uz
        lean = mx * ux + my * uy + mz * uz
        turning = about_up
        if abs(lean) < FLAT_AXIS:
            turning = (about_up - (gx * mx + gy * my + gz * mz) * lean) / (1.0 - lean * lean)
        self._heading_rad += turning * dt_s
        self._coning_rad += (about_up - turning) * dt_s
        self._since_s += dt_s

    def _begin_stride(self) -> None:
        """The swing that begins counts from where the limb was stillest."""
        forward_m, up_m = self.forward_m, self.up_m
        time_s, speed_mps, rising_mps, _, _ = self._rest
        self._time_s -= time_s
        self._speed_mps -= speed_mps
        self._rising_mps -= rising_mps
        self._way_m, self._height_m = forward_m, up_m
        self._swing_start_m = forward_m
        self._rest = (0.0, 0.0, 0.0, 0.0, 0.0)

    def contact(self) -> None:
        """A new stance begins."""
        off_rad = self.turned_rad
        self._turn_limit_rad = TURN_END_RAD if abs(off_rad) > self._turn_limit_rad else TURN_MAX_RAD
        if self._since_s > DRIFT_STRIDE_S and abs(self._heading_rad) < DRIFT_MAX_RAD:
            if not self.rest_seen:
                self._drifts_rps.append(self._heading_rad / self._since_s)
                self._drift_rps = median(self._drifts_rps)
            self.usual_coning_rad += CONING_LEARN * (self._coning_rad - self.usual_coning_rad)
        self._stillest = 1e9
        self._heading_rad = self._coning_rad = self._since_s = 0.0

    def settle(self) -> bool:
        """The stance ends: whether it was without a turn, and the stride before it on the level.

        One level stride on stairs is a landing, two end them.
        """
        off_rad = self.turned_rad - self._usual_turned_rad
        straight = abs(off_rad) < TIP_TURN_MAX_RAD or self._stances < STANCES_MIN
        self._stances += 1
        learn = max(TIP_TURN_LEARN, 1.0 / self._stances)
        self._usual_turned_rad += learn * max(-TIP_TURN_MAX_RAD, min(TIP_TURN_MAX_RAD, off_rad))
        if self._segment == "shank":
            return straight
        if self._blind:
            self._blind -= 1
            return straight and not self._on_stairs
        steepness, before = self._steepness, self._steep_before
        self._flight = self._flight + 1 if steepness > 1.0 else 0
        steep = self._steep_before = 0 < self._flight <= FLIGHT_STRIDES
        if steep:
            self._on_stairs = self._on_stairs or before or steepness > STAIRS
        else:
            self._on_stairs = self._on_stairs and before and self._flight == 0
        return straight and not steep and not self._on_stairs

    @property
    def forward_m(self) -> float:
        """Way from the stillest moment of stance."""
        time_s, speed_mps, _, way_m, _ = self._rest
        return self._way_m - way_m - speed_mps * (self._time_s - time_s)

    @property
    def up_m(self) -> float:
        """Height over the stillest moment of stance."""
        time_s, _, rising_mps, _, height_m = self._rest
        return self._height_m - height_m - rising_mps * (self._time_s - time_s)

    @property
    def turned_rad(self) -> float:
        """Since contact, beyond the sensor's own drift."""
        return self._heading_rad - (0.0 if self.rest_seen else self._drift_rps * self._since_s)

    @property
    def ahead(self) -> bool:
        """In swing or at contact: the limb has moved forward, at walking speed, and has not turned."""
        way_m = self.forward_m - self._swing_start_m
        return self.top_speed_mps > SPEED_MIN_MPS and way_m > SWING_WAY_MIN_M and not self.turning

    @property
    def gains_speed(self) -> bool:
        """The limb is as fast as at any moment of this swing: a blow now is a jerk, no landing."""
        top_mps = self.top_speed_mps
        return top_mps > SPEED_MIN_MPS and self._speed_mps - self._rest[1] > GAINS_SHARE * top_mps

    @property
    def turning(self) -> bool:
        return abs(self.turned_rad) > self._turn_limit_rad

    @property
    def step_ahead(self) -> bool:
        """At contact: this was a step ahead. A shank shows speed, but not its way."""
        return self.ahead and (self._segment == "shank" or self.forward_m > WAY_MIN_M)

    @property
    def _steepness(self) -> float:
        """The last stride's rise from rest to rest, over what level walking shows."""
        time_s, speed_mps, rising_mps, way_m, height_m = self._rest
        rise_m, way_m = height_m - 0.5 * rising_mps * time_s, way_m - 0.5 * speed_mps * time_s
        return abs(rise_m) / (max(RISE_MIN_M, RISE_SLOPE * way_m) + RISE_DOUBT * abs(rising_mps) * time_s)
