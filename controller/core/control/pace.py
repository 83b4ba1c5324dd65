"""The reference follows the pace: from stride time and shank swing to a walking speed, from there to a curve.

A foot swings along another curve at another speed: where strides are a fifth shorter, the normal ones differ
by 4 to 8 deg r.m.s. in swing. One odd stride moves nothing. Two that tell of another pace, beyond this
person's own spread, move the reference, by at most ``MOVE_MAX_DEG`` at any phase in a stride. Pure.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from controller.core.control.reference_at_speed import FOOT, Family
from controller.core.params import Reference

OWN_STRIDES = 5  # of a session show the person's own pace, at which the reference was given
OWN_STRIDES_MAX = 12  # and so many refine it
SOUGHT = 8  # strides, within which a change is looked for
KEPT = 20  # strides that a new pace is refined by
STRIDES_NEEDED = 2  # that tell of another pace
SHIFT_MIN = 0.05  # of the logarithm of stride time: within 5 % it is the same pace
SPREADS = 4.0  # standard deviations of the mean of those strides
SPREAD_START, SPREAD_MIN = 0.03, 0.01  # of a stride time's logarithm, before strides have shown their own
SPREAD_SHARE = 0.1  # of what a stride says about it
NORMAL_MEAN = 0.886  # mean difference of two values of a normal law, times this, is its standard deviation
STRIDE_MAX = 0.5  # of the logarithm: a stride further from the own pace is a halt or a missed event
# Speed goes with cadence to this power, and so much does the power differ between and within persons: eight
# healthy adults at 0.5 to 1.6 m/s, 133 pairs of strides whose cadences differ by 12 to 40 % (Lencioni et al.
# 2019, Sci Data 6:309): mean 1.74, standard deviation 0.58, median 1.78.
POWER, POWER_SD = 1.8, 0.55
# The shank's excursion beyond the normal one for a unit of the logarithm of speed (the same pairs: standard
# deviation 0.042 where the speeds differ by 0.4), and from stride to stride (assumed).
EXCURSION_SD, EXCURSION_STRIDE_SD = 0.1, 0.03
ROUNDS = 3
LOG_SPEED_MAX = 0.6  # no more than 1.8 times as quick or as slow as the own pace
LOG_SPEED_STEP = 0.03  # a reference that would move less stays
MOVE_MAX_DEG = 10.0  # of the foot's pitch at any phase, in one stride
SHORTER = 0.9  # a step that is still too large is tried again so much shorter


@dataclass(slots=True)
class Pace:
    """The pace of one limb and the reference at it.

    ``log_cadence`` and ``log_speed`` are logarithms of what is believed now over the person's own: 0 there.
    """

    own: Reference
    now: Reference = field(init=False)
    family: Family = field(init=False)
    log_cadence: float = 0.0
    log_speed: float = 0.0
    own_stride_s: float | None = None
    _own_excursion_rad: float | None = None
    _first_s: list[float] = field(default_factory=list)
    _first_rad: list[float] = field(default_factory=list)
    _strides: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))  # logarithms of cadence
    _swings: deque[float | None] = field(default_factory=lambda: deque(maxlen=KEPT))  # and of excursion
    _spread: float = SPREAD_START
    _told: bool = False
    _strides_at_it: int = 0  # that the pace was taken from; 0 at the own one

    def __post_init__(self) -> None:
        self.now, self.family = self.own, Family(self.own)

    @property
    def speed_mps(self) -> float | None:
        """The speed that the reference is for; ``None`` where there are no curves of others."""
        if self.own.speed_mps is None or not self.family.known:
            return None
        return self.own.speed_mps * math.exp(self.log_speed)

    @property
    def stride_s(self) -> float | None:
        """The stride time of the pace believed; ``None`` until the own one is known."""
        return None if self.own_stride_s is None else self.own_stride_s * math.exp(-self.log_cadence)

    @property
    def refining(self) -> bool:
        """Whether the last stride has told something new of the pace."""
        return self._told

    def interrupt(self) -> None:
        """A halt, a turn or a stair: the strides before it and after it tell nothing together."""
        self._strides.clear()
        self._swings.clear()

    def note(self, stride_s: float, excursion_rad: float | None) -> bool:
        """Take a stride straight ahead on the level and its shank's excursion in swing, where one was seen.

        True where the reference has moved.
        """
        self._told = False
        if not self.family.known:
            return False
        if self.own_stride_s is None:
            self._take_own(stride_s, excursion_rad)
            self._told = self.own_stride_s is not None
            return False
        log_cadence = math.log(self.own_stride_s / stride_s)
        if abs(log_cadence) > STRIDE_MAX:
            self.interrupt()
            return False
        self._take(log_cadence, excursion_rad)
        if self._settled(stride_s, excursion_rad):
            return False
        moved = self._move()
        self._told = moved or self._strides_at_it < SOUGHT
        return moved

    def _take(self, log_cadence: float, excursion_rad: float | None) -> None:
        if self._strides:
            difference = min(abs(log_cadence - self._strides[-1]), 4.0 * self._spread)
            self._spread += SPREAD_SHARE * (NORMAL_MEAN * difference - self._spread)
            self._spread = max(SPREAD_MIN, self._spread)
        self._strides.append(log_cadence)
        own_rad = self._own_excursion_rad
        seen = excursion_rad is not None and own_rad is not None and excursion_rad > 0.0
        self._swings.append(math.log(excursion_rad / own_rad) if seen else None)  # type: ignore[operator]

    def _take_own(self, stride_s: float, excursion_rad: float | None) -> None:
        self._first_s.append(stride_s)
        if excursion_rad is not None and excursion_rad > 0.0:
            self._first_rad.append(excursion_rad)
        if len(self._first_s) >= OWN_STRIDES:
            self.own_stride_s = statistics.median(self._first_s)
        if len(self._first_rad) >= OWN_STRIDES:
            self._own_excursion_rad = statistics.median(self._first_rad)

    def _settled(self, stride_s: float, excursion_rad: float | None) -> bool:
        """Look for another pace in the last strides, else refine this one; whether that moves nothing."""
        count = self._strides_of_change()
        if count:
            self._strides_at_it = count
        elif self._strides_at_it == 0:
            if len(self._first_s) < OWN_STRIDES_MAX:
                self._take_own(stride_s, excursion_rad)
            return self.log_speed == 0.0
        else:
            self._strides_at_it = min(KEPT, self._strides_at_it + 1)
        self.log_cadence = statistics.fmean(list(self._strides)[-self._strides_at_it :])
        if abs(self.log_cadence) < SHIFT_MIN:
            self.log_cadence, self._strides_at_it = 0.0, 0
        return False

    def _strides_of_change(self) -> int:
        """How many of the last strides tell of another pace together; 0 where none do."""
        off = [log_cadence - self.log_cadence for log_cadence in list(self._strides)[-SOUGHT:]]
        newest = off[-STRIDES_NEEDED:]
        if len(newest) < STRIDES_NEEDED or not (min(newest) > SHIFT_MIN or max(newest) < -SHIFT_MIN):
            return 0
        for count in range(STRIDES_NEEDED, len(off) + 1):
            least = max(SHIFT_MIN, SPREADS * self._spread / math.sqrt(count))
            if abs(statistics.fmean(off[-count:])) > least:
                return count
        return 0

    def _move(self) -> bool:
        """Bring the reference towards the speed believed."""
        step = self._likely_log_speed() - self.log_speed
        if step == 0.0 or (abs(step) < LOG_SPEED_STEP and self._strides_at_it > 0):
            return False
        here = self.family.beyond_own_deg(self.log_speed)[FOOT]
        while True:
            there = self.family.beyond_own_deg(self.log_speed + step)[FOOT]
            most_deg = float(np.abs(there - here).max())
            if most_deg <= MOVE_MAX_DEG:
                break
            step *= min(SHORTER, MOVE_MAX_DEG / most_deg)
        self.log_speed += step
        self.now = self.family.at(self.log_speed)
        return True

    def _likely_log_speed(self) -> float:
        """The likeliest speed, by stride time and by the shank's excursion."""
        prior, variance = POWER * self.log_cadence, (POWER_SD * self.log_cadence) ** 2
        swings = [swing for swing in list(self._swings)[-self._strides_at_it :] if swing is not None]
        log_speed = _bounded(prior)
        if self._strides_at_it == 0 or not swings:
            return log_speed
        seen = statistics.fmean(swings)
        noise = (EXCURSION_SD * prior) ** 2 + EXCURSION_STRIDE_SD**2 / len(swings)
        for _ in range(ROUNDS):
            expected, slope = self.family.excursion(log_speed)
            trust = variance * slope / (variance * slope**2 + noise)
            log_speed = _bounded(prior + trust * (seen - expected - slope * (prior - log_speed)))
        return log_speed


def _bounded(log_speed: float) -> float:
    return min(LOG_SPEED_MAX, max(-LOG_SPEED_MAX, log_speed))
