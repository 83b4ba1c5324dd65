"""How far a swing is and how fast it runs, from the shank's angle and rate: a Kalman filter on phase, phase
rate and lean.

An angle alone cannot tell a leg that is ahead from one that leans forward in this stride; its rate can, as no
constant lean moves it. On eight virtual patients whose stride times vary by 2 to 8 % the phase in mid-swing
errs by 0.4 % of the stride (standard deviation), by the angle alone by 0.9 %; on 28 legs of recordings
(Trojaniello et al. 2014, Ensink et al. 2024) the contact foreseen there errs by 18 ms instead of 22. Pure,
plain numbers: it runs at every sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
LAST_PERCENT = 99.0  # the shank turns at the landing: later samples say nothing of phase
PHASE_SD_PERCENT = 1.0  # of toe-off, from stride to stride
RATE_SD = 0.08  # of the swing's rate, against the one expected
LEAN_SD_RAD = math.radians(1.0)  # of the whole shank in one swing, against the usual one
ANGLE_SD_RAD = math.radians(4.0)  # of one sample; large, as neighbours err alike
SHANK_RATE_SD_RPS = math.radians(40.0)
RATE_DRIFT_PERCENT = 10.0  # by how much the rate (%/s) changes within a second
PHASE_DRIFT_PERCENT = 0.5
AHEAD_MAX_PERCENT = 8.0  # from the timetable
RATE_BOUNDS = (0.6, 1.6)  # of the rate expected


class SwingRun(NamedTuple):
    """How far a swing is and how fast it runs, as believed after its last sample, at ``t_ns``."""

    begin_ns: int
    begin_percent: float
    expected: float
    t_ns: int
    phase: float
    rate: float

    def percent_at(self, t_ns: int) -> float:
        """Phase in percent at a time near the last sample's; never far from the timetable."""
        table = self.begin_percent + (t_ns - self.begin_ns) / 1e9 * self.expected
        place = self.phase + (t_ns - self.t_ns) / 1e9 * self.rate
        return min(table + AHEAD_MAX_PERCENT, max(table - AHEAD_MAX_PERCENT, place))


@dataclass(slots=True)
class SwingFilter:
    """One swing on a shank's curve (101,) in rad: ``phase`` in percent and ``rate`` in percent a second, at
    ``t_ns``; ``expected`` is the rate of the timetable."""

    begin_ns: int
    begin_percent: float
    expected: float
    curve: Curve
    slope: Curve
    bend: Curve
    t_ns: int = field(init=False)
    phase: float = field(init=False)
    rate: float = field(init=False)
    lean: float = 0.0
    _pp: float = PHASE_SD_PERCENT**2  # covariances of phase, rate, lean
    _pr: float = 0.0
    _pl: float = 0.0
    _rr: float = field(init=False)
    _rl: float = 0.0
    _ll: float = LEAN_SD_RAD**2

    def __post_init__(self) -> None:
        self.t_ns, self.phase, self.rate = self.begin_ns, self.begin_percent, self.expected
        self._rr = (RATE_SD * self.expected) ** 2

    @property
    def state(self) -> tuple[float, float, float]:
        """Phase, rate and lean: what a replay must find again."""
        return self.phase, self.rate, self.lean

    @property
    def run(self) -> SwingRun:
        return SwingRun(self.begin_ns, self.begin_percent, self.expected, self.t_ns, self.phase, self.rate)

    def beyond_rad(self, t_ns: int, shank_rad: float) -> float:
        """How far a shank leans forward of its usual swing at that phase."""
        return shank_rad - _at(self.curve, self.run.percent_at(t_ns))

    def observe(self, t_ns: int, shank_rad: float, shank_rps: float) -> None:
        """Take a sample of the shank; one from before the last is left out."""
        passed_s = (t_ns - self.t_ns) / 1e9
        if passed_s < 0.0:
            return
        self._advance(t_ns, passed_s)
        if self.phase > LAST_PERCENT:
            return
        _, slope, bend = self._curve()
        self._correct(shank_rps - slope * self.rate, (bend * self.rate, slope, 0.0), SHANK_RATE_SD_RPS**2)
        angle, slope, _ = self._curve()
        self._correct(shank_rad - angle - self.lean, (slope, 0.0, 1.0), ANGLE_SD_RAD**2)
        self.phase = max(self.phase, self.begin_percent)
        self.rate = min(RATE_BOUNDS[1] * self.expected, max(RATE_BOUNDS[0] * self.expected, self.rate))

    def _advance(self, t_ns: int, passed_s: float) -> None:
        self.t_ns = t_ns
        self.phase += passed_s * self.rate
        self._pp += passed_s * (2.0 * self._pr + passed_s * self._rr) + PHASE_DRIFT_PERCENT**2 * passed_s
        self._pr += passed_s * self._rr
        self._pl += passed_s * self._rl
        self._rr += RATE_DRIFT_PERCENT**2 * passed_s

    def _curve(self) -> tuple[float, float, float]:
        """Angle, slope per percent and bend of the curve at the phase."""
        angle, slope, bend = (_at(one, self.phase) for one in (self.curve, self.slope, self.bend))
        return angle, slope, bend

    def _correct(self, miss: float, by: tuple[float, float, float], variance: float) -> None:
        """One scalar measurement; ``by`` are its derivatives by phase, rate and lean."""
        a, b, c = by
        p = self._pp * a + self._pr * b + self._pl * c
        r = self._pr * a + self._rr * b + self._rl * c
        n = self._pl * a + self._rl * b + self._ll * c
        whole = a * p + b * r + c * n + variance
        self.phase += p / whole * miss
        self.rate += r / whole * miss
        self.lean += n / whole * miss
        self._pp -= p * p / whole
        self._pr -= p * r / whole
        self._pl -= p * n / whole
        self._rr -= r * r / whole
        self._rl -= r * n / whole
        self._ll -= n * n / whole


def _at(curve: Curve, percent: float) -> float:
    place = min(99.999, max(0.0, percent))
    low = int(place)
    share = place - low
    return float(curve[low]) * (1.0 - share) + float(curve[low + 1]) * share
