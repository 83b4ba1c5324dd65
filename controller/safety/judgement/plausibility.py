"""Does the leg move as a stimulated one does? Judged from raw samples and given current, past the controller.

Promises a finding for stimulation without response and for sensors that are loose, swapped, late, of a wrong
scale, one under two names or without gravity; says nothing where it has seen too little. Standard library
only; after Klipper's verify_heater.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import mul
from statistics import median
from typing import Literal

from controller.safety.judgement.wire import SensorStamp
from drivers.interface import Quat, Segment, Vec3

GYR_RANGE_RPS = math.radians(2000.0)  # full scale of every sensor we drive
ACC_RANGE_MPS2 = 16 * 9.81
RAILED = 0.98  # of full scale: no leg turns so fast, a saturated or broken sensor does

QUIET_RPS = 0.6  # a foot flat on the ground turns slower, a shank over it seldom
QUIET_S = 0.08  # shorter than any loading response; two samples of a turning shank are no rest
GAP_S = 0.1  # after a longer silence the way of the foot is not known
PUSH_OFF_RAD = 0.35  # 20 deg: heel rise of the slowest walk is twice that
PAST_PUSH_OFF = 0.8  # the foot is on its way up again

STRONG_SHARE = 0.5  # of the current limit: weaker strides may rightly show nothing
PULSES_MIN = 5  # of a stride that counts as stimulated; a sixth of a swing's train at 40 Hz
RESPONSE_DEG = 3.0  # lift over strides without; 20 virtual patients gain 7 to 19 deg
BASELINE_STRIDES = 8  # the newest strides without current that make the baseline
WARN_STRIDES = 6  # in a row without response: said
TRIP_STRIDES = 10  # in a row: a walk of some 15 s

LOOSE_DEG = 25.0  # of the resting foot against its first rests; slopes people walk are below 10
LOOSE_STRIDES = 3  # in a row: one may be a stair
RESTS_FIRST = 3  # rests whose median is the foot's own
WINDOW_S = 5.0  # over which two sensors are compared: three strides or more
WALKING_RPS = 2.0  # a shank's swing reaches 4
SWAPPED_RATIO = 2.0  # rests of the shank against those of the foot
# R.m.s. rate of the foot against that of the shank over a window: 0.91 to 1.53 in 9 people after stroke, with
# Parkinson's disease and without; a gyroscope at half or double scale leaves these bounds in each of them.
TURN_RATIO = (0.84, 1.67)
TURN_WINDOWS = 3  # in a row
MOVING_RPS = 1.0  # of the slower sensor: a shank at half scale, too
BIN_NS = 20_000_000  # rates are compared in time in steps of this
LAG_BINS = 10  # as far as is looked
LAG_MS = (-50.0, 75.0)  # of the shank behind the foot, median; in the same people -10 to 31
LAG_WINDOWS = 5  # whose median is judged: one window alone errs by 90 ms
SAME_MIN = 20  # values that two sensors have in common, and half of all: noise never repeats six numbers
TURNED_DEG = 45.0  # of the shank's mean acceleration in walking; a gait that changes moves it by less than 20
TURNED_WINDOWS = 2  # in a row
GRAVITY_MPS2 = (7.0, 17.0)  # median over a window: up to 15.5 on the foot of a brisk walker after stroke


@dataclass(frozen=True, slots=True)
class Finding:
    """``fault`` is a line of the fault table; a ``warning`` is said and does nothing."""

    kind: Literal["warning", "trip"]
    fault: str
    text: str


@dataclass(slots=True)
class Foot:
    """One stride of the foot, from rest to rest, as far as it has come."""

    turn: Quat = (1.0, 0.0, 0.0, 0.0)  # since the last rest
    down: Vec3 = (0.0, 0.0, 0.0)  # rotation vector at the end of push-off: toe down, whatever the mounting
    lift_rad: float | None = None  # most toe-up after push-off
    pulses: int = 0
    peak_ma: float = 0.0


@dataclass(slots=True)
class Window:
    """What one sensor did in the present window."""

    samples: int = 0
    quiet: int = 0
    peak_rps: float = 0.0
    acc_mps2: list[float] = field(default_factory=list)
    square_sum: float = 0.0  # of rates
    acc_vector: Vec3 = (0.0, 0.0, 0.0)  # sum
    rates: dict[int, float] = field(default_factory=dict)  # by bin of the window
    motions: set[tuple[Vec3, Vec3]] = field(default_factory=set)

    def copy(self) -> Window:
        return replace(self, acc_mps2=[*self.acc_mps2], rates={**self.rates}, motions={*self.motions})


def railed(stamp: SensorStamp) -> bool:
    """Whether the measured values are at the end of any sensor's range, or no numbers."""
    if stamp.motion is None:
        return False
    acc, gyr = stamp.motion
    fine = all(abs(value) < RAILED * ACC_RANGE_MPS2 for value in acc) and all(
        abs(value) < RAILED * GYR_RANGE_RPS for value in gyr
    )
    return not fine  # NaN is not fine


@dataclass(slots=True)
class Plausibility:
    """Fed with every pulse and every sample; ``segments`` says where each sensor sits.

    The guard keeps it as a value: ``after_sample``, ``after_pulse`` and ``after_arming`` leave it as it was.
    """

    segments: Mapping[str, Segment]
    current_max_ma: float
    foot: Foot = field(default_factory=Foot)
    windows: dict[str, Window] = field(default_factory=dict)
    window_ns: int | None = None
    foot_ns: int | None = None
    quiet_ns: int | None = None  # since when the foot rests
    rests: list[Vec3] = field(default_factory=list)
    tilted: int = 0
    without_rad: list[float] = field(default_factory=list)
    scaled: int = 0  # windows in a row
    lags_ms: list[float] = field(default_factory=list)
    uprights: list[Vec3] = field(default_factory=list)  # of the shank, in the first walking windows
    turned: int = 0
    silent: int = 0
    answers: int = 0  # stimulated strides that lifted the toes, and by how much the newest did
    gain_deg: float = 0.0

    @property
    def measured(self) -> bool:
        """Whether a stride without current is known to hold the others against, or none can be (no foot)."""
        return bool(self.without_rad) or "foot" not in self.segments.values()

    def after_sample(
        self, stamp: SensorStamp, current_max_ma: float
    ) -> tuple[tuple[Finding, ...], Plausibility]:
        """What a sample brings to light, strong strides being judged by the limit now in force."""
        if stamp.sensor not in self.segments or stamp.motion is None or not stamp.valid:
            return (), self
        windows = {name: one.copy() if name == stamp.sensor else one for name, one in self.windows.items()}
        after = replace(self, current_max_ma=current_max_ma, foot=replace(self.foot), windows=windows)
        return after.sample(stamp), after

    def after_pulse(self, current_ma: float) -> Plausibility:
        after = replace(self, foot=replace(self.foot))
        after.pulse(current_ma)
        return after

    def after_arming(self) -> Plausibility:
        after = replace(self)
        after.armed()
        return after

    def pulse(self, current_ma: float) -> None:
        """A pulse has left."""
        self.foot.pulses += 1
        self.foot.peak_ma = max(self.foot.peak_ma, current_ma)

    def sample(self, stamp: SensorStamp) -> tuple[Finding, ...]:
        """A valid sample has arrived; what it brings to light."""
        segment = self.segments.get(stamp.sensor)
        if segment is None or stamp.motion is None or not stamp.valid:
            return ()
        acc, gyr = stamp.motion
        found = self._compare(stamp.t_ns, stamp.sensor, acc, gyr)
        if segment == "foot":
            found += self._follow(stamp.t_ns, acc, gyr)
        return found

    def _compare(self, t_ns: int, sensor: str, acc: Vec3, gyr: Vec3) -> tuple[Finding, ...]:
        found: tuple[Finding, ...] = ()
        if self.window_ns is None or t_ns - self.window_ns >= WINDOW_S * 1e9:
            found = self._windowed()
            self.windows, self.window_ns = {}, t_ns
        window = self.windows.setdefault(sensor, Window())
        rate_rps = math.hypot(*gyr)
        window.samples += 1
        window.quiet += rate_rps < QUIET_RPS
        window.peak_rps = max(window.peak_rps, rate_rps)
        window.acc_mps2.append(math.hypot(*acc))
        window.square_sum += rate_rps**2
        x, y, z = window.acc_vector
        window.acc_vector = x + acc[0], y + acc[1], z + acc[2]
        window.rates[(t_ns - (self.window_ns or 0)) // BIN_NS] = rate_rps
        window.motions.add((acc, gyr))
        return found

    def _windowed(self) -> tuple[Finding, ...]:
        found = []
        low, high = GRAVITY_MPS2
        for sensor, window in self.windows.items():
            middle = median(window.acc_mps2)
            if not low <= middle <= high:
                text = f"{sensor}: {middle:.1f} m/s2 on average is not gravity"
                found.append(Finding("trip", "F21", text))
        found += self._same()
        by_segment = {self.segments[sensor]: window for sensor, window in self.windows.items()}
        foot, shank = by_segment.get("foot"), by_segment.get("shank")
        if foot is None or shank is None:
            return tuple(found)
        slower_rps, faster_rps = sorted((foot.peak_rps, shank.peak_rps))
        if slower_rps > WALKING_RPS:
            foot_share, shank_share = foot.quiet / foot.samples, shank.quiet / shank.samples
            if shank_share > SWAPPED_RATIO * foot_share:
                text = "the sensor on the shank rests longer than the one on the foot: swapped?"
                found.append(Finding("trip", "F21", text))
            found += self._upright(shank.acc_vector)
        if slower_rps > MOVING_RPS and faster_rps > WALKING_RPS:
            found += self._scale(foot, shank) + self._lag(foot, shank)
        return tuple(found)

    def _same(self) -> list[Finding]:
        """Two sensors that say the same are one."""
        found = []
        names = sorted(self.windows)
        for index, one in enumerate(names):
            for other in names[index + 1 :]:
                first, second = self.windows[one], self.windows[other]
                common = len(first.motions & second.motions)
                if common >= SAME_MIN and 2 * common >= min(len(first.motions), len(second.motions)):
                    text = f"{one} and {other} deliver the same values: one device under two names"
                    found.append(Finding("trip", "F21", text))
        return found

    def _scale(self, foot: Window, shank: Window) -> list[Finding]:
        """Foot and shank turn about as much in walking; a wrong scale shows in their ratio."""
        low, high = TURN_RATIO
        ratio = math.sqrt(foot.square_sum / foot.samples / (shank.square_sum / shank.samples))
        self.scaled = 0 if low <= ratio <= high else self.scaled + 1
        if self.scaled < TURN_WINDOWS:
            return []
        text = (
            f"the foot turns {ratio:.2f} times as fast as the shank, {low:g} to {high:g} is possible: "
            "the scale of a gyroscope is wrong"
        )
        return [Finding("trip", "F21", text)]

    def _lag(self, foot: Window, shank: Window) -> list[Finding]:
        """Foot and shank swing together; where one lags, its samples come late."""
        self.lags_ms = [*self.lags_ms, _lag_ms(foot.rates, shank.rates)][-LAG_WINDOWS:]
        lag_ms = median(self.lags_ms)
        low_ms, high_ms = LAG_MS
        if len(self.lags_ms) < LAG_WINDOWS or low_ms <= lag_ms <= high_ms:
            return []
        late, other = ("shank", "foot") if lag_ms > high_ms else ("foot", "shank")
        text = f"the samples of the {late} come {abs(lag_ms):.0f} ms after those of the {other}: a late link?"
        return [Finding("trip", "F21", text)]

    def _upright(self, acc: Vec3) -> list[Finding]:
        """Where the shank's mean acceleration points, against the first walking windows."""
        if len(self.uprights) < RESTS_FIRST:
            self.uprights = [*self.uprights, acc]
            return []
        angle_deg = _angle_deg(_median(self.uprights), acc)
        self.turned = self.turned + 1 if angle_deg > TURNED_DEG else 0
        if self.turned < TURNED_WINDOWS:
            return []
        text = f"the shank's sensor has turned by {angle_deg:.0f} deg since the first steps: loose?"
        return [Finding("trip", "F21", text)]

    def _follow(self, t_ns: int, acc: Vec3, gyr: Vec3) -> tuple[Finding, ...]:
        """Integrate the foot's turn from rest to rest; at each rest judge the stride behind it."""
        passed_s = GAP_S if self.foot_ns is None else (t_ns - self.foot_ns) / 1e9
        if passed_s <= 0.0:  # a sample that came twice, or late
            return ()
        self.foot_ns = t_ns
        if passed_s >= GAP_S:
            self.foot, self.quiet_ns = Foot(), None
            return ()
        self.foot.turn = _turned(self.foot.turn, gyr, passed_s)
        if math.hypot(*gyr) >= QUIET_RPS:
            self.quiet_ns = None
            self._swing()
            return ()
        if self.quiet_ns is None:
            self.quiet_ns = t_ns
        if t_ns - self.quiet_ns < QUIET_S * 1e9:
            return ()
        stride, self.foot = self.foot, Foot()
        if stride.lift_rad is None:  # no stride lies between this rest and the one before
            self.foot.pulses, self.foot.peak_ma = stride.pulses, stride.peak_ma
            return ()
        return self._tilt(acc) + self._response(stride, stride.lift_rad)

    def _swing(self) -> None:
        foot = self.foot
        vector = _rotation(foot.turn)
        size, down = math.hypot(*vector), math.hypot(*foot.down)
        if foot.lift_rad is None and size > down:
            foot.down = vector
        elif down > PUSH_OFF_RAD:
            along = math.fsum(a * b for a, b in zip(vector, foot.down, strict=True)) / down
            if along < PAST_PUSH_OFF * down:
                foot.lift_rad = -along if foot.lift_rad is None else max(foot.lift_rad, -along)

    def _tilt(self, acc: Vec3) -> tuple[Finding, ...]:
        if len(self.rests) < RESTS_FIRST:
            self.rests = [*self.rests, acc]
            return ()
        angle_deg = _angle_deg(_median(self.rests), acc)
        self.tilted = self.tilted + 1 if angle_deg > LOOSE_DEG else 0
        if self.tilted < LOOSE_STRIDES:
            return ()
        text = f"the foot's sensor lies {angle_deg:.0f} deg from where it lay at first: loose?"
        return (Finding("trip", "F21", text),)

    def _response(self, stride: Foot, lift_rad: float) -> tuple[Finding, ...]:
        if stride.pulses == 0:
            self.without_rad = [*self.without_rad, lift_rad][-BASELINE_STRIDES:]
            return ()
        strong = stride.pulses >= PULSES_MIN and stride.peak_ma >= STRONG_SHARE * self.current_max_ma
        if not strong or not self.without_rad:
            return ()
        gain_deg = math.degrees(lift_rad - median(self.without_rad))
        if gain_deg >= RESPONSE_DEG:
            self.silent, self.answers, self.gain_deg = 0, self.answers + 1, gain_deg
            return ()
        self.silent += 1
        text = f"{self.silent} strides lifted the toes {gain_deg:.0f} deg more than those without current"
        if self.silent == WARN_STRIDES:
            return (Finding("warning", "F17", text),)
        return (Finding("trip", "F17", text),) if self.silent >= TRIP_STRIDES else ()

    def armed(self) -> None:
        """A person has looked at the fault and armed again: strides without response count anew."""
        self.silent = 0
        self.tilted = self.scaled = self.turned = 0
        self.rests, self.uprights, self.lags_ms = [], [], []


def _median(vectors: list[Vec3]) -> Vec3:
    """Median of each axis."""
    x, y, z = (median(vector[axis] for vector in vectors) for axis in range(3))
    return x, y, z


def _angle_deg(one: Vec3, other: Vec3) -> float:
    """Between two vectors; a right angle where one is nothing."""
    size = math.hypot(*one) * math.hypot(*other)
    cosine = math.fsum(a * b for a, b in zip(one, other, strict=True)) / size if size else 0.0
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _lag_ms(foot: Mapping[int, float], shank: Mapping[int, float]) -> float:
    """How long the shank's rates follow the foot's, by the largest correlation."""
    first, second = _filled(foot), _filled(shank)
    middle = first[LAG_BINS:-LAG_BINS]
    best = max(
        sorted(range(-LAG_BINS, LAG_BINS + 1), key=abs),
        key=lambda lag: math.fsum(map(mul, middle, second[LAG_BINS + lag :])),
    )
    return best * BIN_NS / 1e6


def _filled(rates: Mapping[int, float]) -> list[float]:
    """One value a bin, less the mean; an empty bin has that of the one before."""
    mean = math.fsum(rates.values()) / len(rates)
    last, values = mean, []
    for index in range(round(WINDOW_S * 1e9) // BIN_NS):
        last = rates.get(index, last)
        values.append(last - mean)
    return values


def _turned(turn: Quat, gyr: Vec3, passed_s: float) -> Quat:
    """``turn`` after ``passed_s`` at ``gyr`` (rad/s, sensor axes); first order, kept at unit length."""
    w, x, y, z = turn
    a, b, c = (rate * passed_s / 2 for rate in gyr)
    w, x, y, z = (
        w - x * a - y * b - z * c,
        x + w * a + y * c - z * b,
        y + w * b + z * a - x * c,
        z + w * c + x * b - y * a,
    )
    size = math.hypot(w, x, y, z)
    return w / size, x / size, y / size, z / size


def _rotation(turn: Quat) -> Vec3:
    """Rotation vector (rad) of a unit quaternion."""
    w, *axis = turn
    size = math.hypot(*axis)
    if size == 0.0:
        return 0.0, 0.0, 0.0
    angle = 2.0 * math.atan2(size, abs(w)) * math.copysign(1.0, w)
    x, y, z = (value * angle / size for value in axis)
    return x, y, z
