"""Phase from how the leg really moves: the shank's swing laid over the reference's; without a shank, when
the foot tips over its toes.

Promises where on the reference stride the detected events lie, and in swing how far the leg is ahead of its
timetable. Refuses swings it cannot lay over the reference; then the timetable stands.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.core.gait.swing_phase import SwingFilter

Curve = NDArray[np.float64]

KEPT = 256  # samples, two to four strides
EVENT_SD_PERCENT = 3.0  # how far toe-off may lie from where the reference has it (detectors differ)
CONTACT_SD_PERCENT = 6.0  # nor contact: a leg, a sensor, a landing have their own bias of up to 5 %
SHARE_SD_PERCENT = 1.0  # how far swing's share of the stride's time may be from its share of the phase
STRIDE_SD = 1 / 3  # of these, from stride to stride, once enough strides have shown them
INDEPENDENT = 8.0  # points that a swing of a smooth curve is worth, however fast it is sampled
OFFSET_SD_RAD = math.radians(6.0)  # how far a shank's zero may be off
SCALE_SD = 0.1  # and its excursion from the reference's: a quicker walk swings wider
FIT_SD_RAD = math.radians(3.0)  # paretic shanks swing differently from normal ones
FIT_LIMIT_RAD = math.radians(8.0)  # beyond this r.m.s. residue the swing was not a step like the reference
ROUNDS = 4
SAMPLES_NEEDED = 10
SHARE = 0.3  # of what the last stride said
SHIFT_LIMIT_PERCENT = 6.0
FADE_PERCENT = 25.0  # of the stride, from a swing that was seen to a stance of which nothing is learned
SILENT_NS = 250_000_000  # a shank not heard of for so long says nothing about this swing
TIPPED_RAD = math.radians(-20.0)  # on the ground and in the middle of its fall: no pulse has moved the foot
TIPPING_NS = 500_000_000  # from there to toe-off it never takes longer
TIPPING_GAP_NS = 60_000_000  # between two samples: a longer one hides when it was
BEFORE_NS = 150_000_000  # the shank is furthest back about toe-off, and that may be found late
SHANK_GAP_NS = 60_000_000  # between two samples of a swing whose excursion is to be believed
FITS_KEPT = 2  # what earlier swings showed of phase counts as much as so many, on another reference
ODD_PERCENT = 8.0  # an event that far from where it usually lies was no step like the others


@dataclass(frozen=True, slots=True)
class SwingPhase:
    """One swing in the reference's phase: percent at toe-off and at contact as detected."""

    toe_off_ns: int
    contact_ns: int
    toe_off_percent: float
    contact_percent: float

    def percent(self, t_ns: float) -> float:
        share = (t_ns - self.toe_off_ns) / (self.contact_ns - self.toe_off_ns)
        return self.toe_off_percent + share * (self.contact_percent - self.toe_off_percent)


class Seen(NamedTuple):
    """One sample of the shank: pitch and pitch rate."""

    t_ns: int
    shank_rad: float
    shank_rps: float


@dataclass(slots=True)
class Tipping:
    """When a foot's pitch falls through ``TIPPED_RAD`` on the way to toe-off. ``percent`` is where it does so
    in the reference, ``None`` for a foot that never tips so far."""

    percent: float | None
    _fell_ns: int | None = None
    _last: tuple[int, float] | None = None

    @staticmethod
    def of(foot_pitch_deg: tuple[float, ...]) -> Tipping:
        curve = np.radians(foot_pitch_deg)
        falls = np.flatnonzero((curve[:-1] > TIPPED_RAD) & (curve[1:] <= TIPPED_RAD))
        if len(falls) == 0:
            return Tipping(None)
        before = int(falls[0])
        share = (curve[before] - TIPPED_RAD) / (curve[before] - curve[before + 1])
        return Tipping(float((before + share) / (len(curve) - 1) * 100.0))

    def observe(self, t_ns: int, foot_rad: float) -> None:
        last, self._last = self._last, (t_ns, foot_rad)
        if last is None or not last[1] > TIPPED_RAD >= foot_rad or t_ns - last[0] > TIPPING_GAP_NS:
            return
        share = (last[1] - TIPPED_RAD) / (last[1] - foot_rad)
        self._fell_ns = last[0] + int(share * (t_ns - last[0]))

    def toe_off_percent(self, toe_off_ns: int, stride_s: float) -> float | None:
        """Phase of a toe-off, by the time since the foot tipped; ``None`` where that was not seen."""
        if self.percent is None or self._fell_ns is None:
            return None
        since_ns = toe_off_ns - self._fell_ns
        return self.percent + since_ns / 1e7 / stride_s if 0 < since_ns < TIPPING_NS else None


@dataclass(slots=True)
class Alignment:
    """What shank and foot tell about phase. ``curve_rad`` (101,) is the reference's shank over the stride,
    ``own_rad`` the person's: as the last swings were, and in stance, of which nothing is learned, the
    reference's.
    """

    curve_rad: Curve
    toe_off_percent: float
    tipping: Tipping
    contact_percent: float = 100.0
    offset_rad: float = 0.0
    scale: float = 1.0  # of the shank's excursion against the curve's
    shift_percent: float = 0.0
    fits: int = 0
    own_rad: Curve = field(init=False)
    level: bool = False  # the last swing lay over the reference: neither stairs nor stepping in place
    _slope: Curve = field(init=False)
    _middle_rad: float = field(init=False)
    swing: SwingFilter | None = None  # the one that goes on, or the last; None where no shank follows it
    _samples: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT))

    def __post_init__(self) -> None:
        self._slope = np.gradient(self.curve_rad)
        self._middle_rad = float(np.mean(self.curve_rad))
        self.own_rad = self.curve_rad.copy()

    def refer(self, curve_rad: Curve, foot_pitch_deg: tuple[float, ...], later_percent: float) -> None:
        """Another pace, another reference: its shank's curve, its foot, and by how much later its toe-off
        lies. Where the events lie on it is to be found anew."""
        self.own_rad = self.own_rad + (curve_rad - self.curve_rad)
        self.curve_rad = curve_rad
        self._slope = np.gradient(curve_rad)
        self._middle_rad = float(np.mean(curve_rad))
        self.tipping.percent = Tipping.of(foot_pitch_deg).percent
        self.toe_off_percent += later_percent
        self.fits = min(self.fits, FITS_KEPT)

    def excursion_rad(self, toe_off_ns: int, contact_ns: int) -> float | None:
        """How far the shank swung, from before toe-off until contact; ``None`` where not seen whole."""
        first_ns = toe_off_ns - BEFORE_NS
        inside = [seen for seen in self._samples if first_ns <= seen.t_ns <= contact_ns]
        times = [first_ns, *(seen.t_ns for seen in inside), contact_ns]
        if max(b - a for a, b in pairwise(times)) > SHANK_GAP_NS:
            return None
        angles = [seen.shank_rad for seen in inside]
        return max(angles) - min(angles)

    def begin_swing(self, toe_off_ns: int, stride_s: float, percent_per_s: float) -> None:
        """The toe is off: the swing is followed by the shank from there, or where none will say it the foot
        has said how far the leg is ahead."""
        self.shift_percent, self.swing = 0.0, None
        silent = not self._samples or toe_off_ns - self._samples[-1].t_ns > SILENT_NS
        if not silent and self.fits > 0:
            curve_rad = self.offset_rad + self._middle_rad + self.scale * (self.curve_rad - self._middle_rad)
            slope = self.scale * self._slope
            curves = curve_rad, slope, np.gradient(slope)
            self.swing = SwingFilter(toe_off_ns, self.toe_off_percent, percent_per_s, *curves)
            for seen in self._samples:
                if seen.t_ns >= toe_off_ns:
                    self.swing.observe(*seen)
            return
        place = self.tipping.toe_off_percent(toe_off_ns, stride_s)
        if place is not None:
            self.shift_percent = _within(place - self.toe_off_percent, SHIFT_LIMIT_PERCENT)

    def observe(self, t_ns: int, shank_rad: float, shank_rps: float, *, swinging: bool) -> None:
        """Take a sample of the shank: pitch and its rate."""
        seen = Seen(t_ns, shank_rad, shank_rps)
        self._samples.append(seen)
        if swinging and self.swing is not None:
            self.swing.observe(*seen)

    def settle(self, toe_off_ns: int, contact_ns: int, stride_s: float | None = None) -> SwingPhase:
        """A swing has ended: where its events lay, and what that says about the events to come."""
        swing = SwingPhase(toe_off_ns, contact_ns, self.toe_off_percent, self.contact_percent)
        self.level = False
        inside = [(t, a) for t, a, _ in self._samples if toe_off_ns <= t <= contact_ns]
        if len(inside) < SAMPLES_NEEDED:
            return swing if stride_s is None else self._by_tipping(swing, stride_s)
        share = np.array([(t - toe_off_ns) / (contact_ns - toe_off_ns) for t, _ in inside])
        swing_share = None if stride_s is None else (contact_ns - toe_off_ns) / 1e9 / stride_s
        found = self._fit(share, np.array([angle for _, angle in inside]), swing_share)
        if found is None:
            return swing
        self.level = True
        start, end, offset, scale = found
        weight = max(SHARE, 1.0 / (self.fits + 1))
        self.toe_off_percent += weight * (start - self.toe_off_percent)
        self.contact_percent += weight * (end - self.contact_percent)
        self.offset_rad += weight * (offset - self.offset_rad)
        self.scale += weight * (scale - self.scale)
        self.fits += 1
        place = start + share * (end - start)
        self._take_own(place, np.array([angle for _, angle in inside]), weight)
        return SwingPhase(toe_off_ns, contact_ns, start, end)

    def _by_tipping(self, swing: SwingPhase, stride_s: float) -> SwingPhase:
        """Without a shank: from where the foot tipped, time passes as phase."""
        start = self.tipping.toe_off_percent(swing.toe_off_ns, stride_s)
        if start is None:
            return swing
        end = start + (swing.contact_ns - swing.toe_off_ns) / 1e7 / stride_s
        if max(abs(start - swing.toe_off_percent), abs(end - swing.contact_percent)) > ODD_PERCENT:
            return swing
        self.toe_off_percent += SHARE * (start - self.toe_off_percent)
        self.contact_percent += SHARE * (end - self.contact_percent)
        return dataclasses.replace(swing, toe_off_percent=start, contact_percent=end)

    def _take_own(self, place: Curve, angle_rad: Curve, weight: float) -> None:
        """The swing as it was, fading into the reference's stance on both sides."""
        off = np.interp(GRID, place, angle_rad - np.interp(place, GRID, self.curve_rad))
        before = np.clip(1.0 - (place[0] - GRID) / FADE_PERCENT, 0.0, 1.0)
        after = np.clip(1.0 - (GRID + 100.0 - place[-1]) / FADE_PERCENT, 0.0, 1.0)
        off = off * smooth(before) + off[-1] * smooth(after)
        self.own_rad += weight * (self.curve_rad + off - self.own_rad)

    def _fit(
        self, share: Curve, angle: Curve, swing_share: float | None
    ) -> tuple[float, float, float, float] | None:
        """Least squares over the phases of both events and the shank's zero, with what was known before."""
        known = np.array([self.toe_off_percent, self.contact_percent, self.offset_rad, self.scale])
        spread = np.array(
            [
                EVENT_SD_PERCENT,
                CONTACT_SD_PERCENT,
                OFFSET_SD_RAD,
                SCALE_SD,
            ]
        ) * max(STRIDE_SD, 1.0 / math.sqrt(self.fits + 1.0))
        x = known.copy()
        miss = angle
        for _ in range(ROUNDS):
            place = x[0] + share * (x[1] - x[0])
            slope = x[3] * np.interp(place, GRID, self._slope)
            curve = np.interp(place, GRID, self.curve_rad) - self._middle_rad
            miss = angle - x[2] - self._middle_rad - x[3] * curve
            rows = np.stack([slope * (1.0 - share), slope * share, np.ones_like(share), curve], axis=1)
            weight = INDEPENDENT / len(angle) / FIT_SD_RAD**2
            normal = rows.T @ rows * weight + np.diag(1.0 / spread**2)
            right = rows.T @ miss * weight + (known - x) / spread**2
            if swing_share is not None:
                row = np.array([-1.0, 1.0, 0.0, 0.0]) / SHARE_SD_PERCENT
                normal += np.outer(row, row)
                right += row * (100.0 * swing_share / SHARE_SD_PERCENT - float(row @ x))
            x = x + np.linalg.solve(normal, right)
        if math.sqrt(float(np.mean(miss**2))) > FIT_LIMIT_RAD or not x[1] - x[0] > 15.0:
            return None
        return float(x[0]), float(x[1]), float(x[2]), float(x[3])


GRID = np.arange(101.0)


def at(curve: Curve, percent: float) -> float:
    """Linear interpolation on whole percents, held at the ends."""
    place = min(99.999, max(0.0, percent))
    low = int(place)
    share = place - low
    return float(curve[low]) * (1.0 - share) + float(curve[low + 1]) * share


def smooth(share: Curve) -> Curve:
    """0 to 1 without a corner at either end."""
    return share * share * (3.0 - 2.0 * share)


def reversal_percent(foot_pitch_deg: tuple[float, ...]) -> float:
    """Where the reference's foot turns from tipping to rising: what the detector finds as toe-off."""
    curve = np.asarray(foot_pitch_deg)
    place = np.linspace(0.0, 100.0, len(curve))
    inside = (place >= 50.0) & (place <= 85.0)
    return float(place[inside][int(np.argmin(curve[inside]))])


def _within(value: float, bound: float) -> float:
    return min(bound, max(-bound, value))
