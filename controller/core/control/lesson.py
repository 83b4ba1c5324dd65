"""What is remembered of the last seconds, and what one swing of them teaches.

A swing with gaps, unseen parts or pulses that did not come teaches nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from controller.core.control.cells import PERCENT, Curve
from controller.core.gait.estimator import Reading
from controller.core.gait.phase_alignment import SwingPhase

Timed = TypeVar("Timed", "Moment", "Reading")
Timetable = Callable[[int], float | None]  # phase in percent at a time in ns

BEFORE_NS = (
    200_000_000  # the detector's toe-off may be late: look that far back for the foot leaving the ground
)
PRE_SWING_MAX_NS = 700_000_000  # no command of this swing is older than this at toe-off
BACKWARDS_PERCENT = 20.0  # a phase that falls back by more belongs to another stride
GAP_S = 0.08  # a swing with a longer hole in its samples teaches nothing
GAP_NS = round(GAP_S * 1e9)
HISTORY_S = 4.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One tick of the past: what was commanded and what the model's muscle should have made of it."""

    t_ns: int
    command_nm: float
    torque_nm: float
    beside_nm: float = 0.0  # how much of the command came from feedback
    percent: float | None = None  # the phase it was commanded for, where one was known
    charge_uc: float = 0.0  # sent in this tick, in the mean


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one swing teaches, over the cells: error (rad), its weight, the command given (Nm) and how much of
    it was feedback, the ankle (rad) and its stiffness (Nm/rad)."""

    error: Curve
    weight: Curve
    applied: Curve
    beside: Curve
    ankle: Curve
    stiffness: Curve


@dataclass(slots=True)
class Memory:
    """Moments and readings of the last strides, each in order of time."""

    moments: list[Moment] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def remember(self, moment: Moment) -> None:
        self.moments.append(moment)
        if moment.t_ns - self.moments[0].t_ns > 2 * HISTORY_S * 1e9:
            self.moments = [m for m in self.moments if moment.t_ns - m.t_ns < HISTORY_S * 1e9]

    def observe(self, reading: Reading) -> None:
        self.readings.append(reading)
        if reading.t_ns - self.readings[0].t_ns > 2 * HISTORY_S * 1e9:
            self.readings = [r for r in self.readings if reading.t_ns - r.t_ns < HISTORY_S * 1e9]

    def readings_of(self, swing: SwingPhase) -> list[Reading]:
        """From a little before its toe-off to its contact."""
        return _between(self.readings, swing.toe_off_ns - BEFORE_NS, swing.contact_ns)

    def moments_of(self, swing: SwingPhase, before_ns: int = 0) -> list[Moment]:
        return _between(self.moments, swing.toe_off_ns - before_ns, swing.contact_ns)

    def pitch_deg_at(self, t_ns: int) -> float | None:
        """The foot's pitch at a time between two readings; None where it was not seen then."""
        near = _between(self.readings, t_ns - GAP_NS, t_ns + GAP_NS)
        if not near or not near[0].t_ns <= t_ns <= near[-1].t_ns:
            return None
        pitch_rad = np.interp(t_ns, [r.t_ns for r in near], [r.foot_rad for r in near])
        return math.degrees(float(pitch_rad))

    def lacks(self, swing: SwingPhase) -> str:
        """What of a swing was not seen, in words; empty where it was seen whole."""
        inside = [r.t_ns for r in _between(self.readings, swing.toe_off_ns, swing.contact_ns)]
        times = [swing.toe_off_ns, *inside, swing.contact_ns]
        if max(b - a for a, b in pairwise(times)) / 1e9 > GAP_S:
            return "samples were missing"
        if not self.moments or self.moments[0].t_ns > swing.toe_off_ns:
            return "the swing was not seen whole"
        return ""

    def applied(self, swing: SwingPhase, timetable: Timetable | None = None) -> tuple[Curve, Curve]:
        """The command of the last swing as it was really given, and feedback's part in it, over the cells.

        Each stands in the cell it was commanded for, or by ``timetable`` would be now, even where the swing
        turned out shorter or longer: put in the cell it fell into, the command would creep along the phase
        by that much at every stride.
        """
        begin_ns = swing.toe_off_ns - PRE_SWING_MAX_NS
        recent = _between(self.moments, begin_ns, self.moments[-1].t_ns)
        placed = [(m.percent if timetable is None else timetable(m.t_ns), m) for m in recent]
        past = [m for percent, m in placed if percent is not None]
        place = np.array([percent for percent, _ in placed if percent is not None])
        last_stride = np.flatnonzero(np.diff(place) < -BACKWARDS_PERCENT)
        first = int(last_stride[-1]) + 1 if len(last_stride) else 0
        place = np.maximum.accumulate(place[first:])
        given = np.interp(PERCENT, place, [m.command_nm for m in past[first:]], left=0.0)
        beside = np.interp(PERCENT, place, [m.beside_nm for m in past[first:]], left=0.0)
        return np.asarray(given, dtype=np.float64), np.asarray(beside, dtype=np.float64)


def _between(past: list[Timed], first_ns: float, last_ns: float) -> list[Timed]:
    """What lies between two times, both included, of a list in order of time."""
    begin = bisect_left(past, first_ns, key=lambda one: one.t_ns)
    return past[begin : bisect_right(past, last_ns, lo=begin, key=lambda one: one.t_ns)]
