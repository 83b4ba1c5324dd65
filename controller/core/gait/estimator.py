"""Where the leg is: every sensor's orientation, the leading one's events, the stride's phase, turns.

The foot's sensor leads where there is one: its events count. Angles in rad, foot pitch toe-up +, the shank's
distal end forward +; times in ns on the sample clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np

from controller.core.gait.detector import GaitDetector
from controller.core.gait.joint_range import possible_ankle_deg
from controller.core.gait.orientation import SegmentOrientation
from controller.core.gait.phase_alignment import Alignment, Curve, SwingPhase, Tipping, reversal_percent
from controller.core.gait.stride_clock import StrideClock, StridePhase
from controller.core.gait.turning import Turning
from controller.core.params import Placement, Reference, sample
from controller.core.signals import GaitEvent
from drivers.interface import ImuSample, Segment

SEGMENTS: tuple[Segment, ...] = get_args(Segment)
RUNG_FRESH_NS = 60_000_000  # a segment not seen for this long steers nothing; samples come every 17 ms


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample of the foot and the shank at its time; radians. ``up_mps2`` is the foot sensor's own
    acceleration, gravity taken out."""

    t_ns: int
    foot_rad: float
    foot_rate_rps: float
    shank_rad: float | None
    up_mps2: float = 0.0


class Seen(NamedTuple):
    """What one sample brought: the foot's reading, its roll (inversion +) and where in the stride it was, and
    of the leading sensor its events.
    """

    t_ns: int
    reading: Reading | None = None
    roll_rad: float | None = None
    swinging: bool = False
    since_contact: float | None = None  # of a standing foot, in strides
    events: tuple[GaitEvent, ...] = ()


class Swing(NamedTuple):
    """A swing that has ended."""

    phase: SwingPhase
    usual_s: float  # how long such a swing lasts
    turned_rad: float  # in its stride, left +
    level: bool  # the shank lay over the reference's
    first: bool  # it is the first that did, and has alone shown where the events lie
    shank_rad: Curve  # (101,) the person's own shank over the stride, this swing in it


class GaitEstimate(NamedTuple):  # made at every tick, in a quarter of a frozen dataclass's time
    """The leg as believed at one tick."""

    now_ns: int
    phase: StridePhase
    command_percent: float | None  # the phase to command for now
    strides: int
    heel_off_due_ns: int | None
    newest_ns: int | None  # of the leading sensor
    reading: Reading | None  # the newest of the foot
    run_rate: float | None  # %/s at which its shank shows this swing to run, and how far that shank leans
    lean_rad: float  # forward of its usual swing, rad
    foot_seen: bool  # within 60 ms
    shank_seen: bool
    foot_rad: float | None  # now
    foot_rate_rps: float | None
    shank_rad: float | None  # None too where no ankle joins the two


class GaitEstimator:
    """The whole of it, fed sample by sample; copies and pickles."""

    def __init__(self, placements: tuple[Placement, ...], reference: Reference) -> None:
        self.leading = next((p for p in placements if p.segment == "foot"), placements[0])
        self.orientations = {p.sensor: SegmentOrientation(p.segment, p.side) for p in placements}
        self._by_segment = {
            segment: tuple((name, o) for name, o in self.orientations.items() if o.segment == segment)
            for segment in SEGMENTS
        }
        self.detector = GaitDetector(self.leading.segment, self.leading.side)
        toe_off_percent = reversal_percent(reference.foot_pitch_deg)
        self.clock = StrideClock(toe_off_percent)
        tipping = Tipping.of(reference.foot_pitch_deg)
        self.alignment = Alignment(_on_percents(reference.shank_pitch_deg), toe_off_percent, tipping)
        self.turning = Turning()
        self.reading: Reading | None = None
        self.newest_ns: int | None = None
        self.swing: SwingPhase | None = None  # the last one, over the reference
        self._seen_ns = dict.fromkeys((p.sensor for p in placements), 0)

    @property
    def level(self) -> bool:
        """The last swing lay over the reference: neither stairs nor stepping in place."""
        return self.alignment.level

    # --- samples and events

    def take(self, made: ImuSample) -> Seen:
        """One valid sample of a known sensor; its events are still to be told by :meth:`note`."""
        orientation = self.orientations[made.sensor]
        orientation.update(made.t_ns, made.acc_mps2, made.gyr_rps)
        self._seen_ns[made.sensor] = max(made.t_ns, self._seen_ns[made.sensor])
        seen = self._observe(made.t_ns, orientation)
        if made.sensor != self.leading.sensor:
            return seen
        self.newest_ns = made.t_ns
        events = self.detector.update(made.t_ns, made.acc_mps2, made.gyr_rps)
        return seen._replace(events=tuple(events)) if events else seen

    def _observe(self, t_ns: int, orientation: SegmentOrientation) -> Seen:
        pitch_rad, rate_rps = orientation.pitch_rad, orientation.pitch_rate_rps
        if not orientation.aligned or pitch_rad is None or rate_rps is None:
            return Seen(t_ns)
        clock = self.clock
        if orientation.segment == "shank":
            self.alignment.observe(t_ns, pitch_rad, rate_rps, swinging=clock.swinging)
            return Seen(t_ns)
        shank_rad, (_, up_mps2) = self._shank_rad(t_ns, pitch_rad), orientation.acceleration_mps2
        self.reading = Reading(t_ns, pitch_rad, rate_rps, shank_rad, up_mps2)
        self.alignment.tipping.observe(t_ns, pitch_rad)
        since = None
        if not clock.swinging and clock.initial_contact_ns is not None:
            since = (t_ns - clock.initial_contact_ns) / 1e9 / clock.stride_s
        return Seen(t_ns, self.reading, orientation.roll_rad, clock.swinging, since)

    def note(self, event: GaitEvent) -> None:
        for orientation in self.orientations.values():
            orientation.note(event)
        clock = self.clock
        clock.note(event)
        if event.kind == "toe_off":
            self.alignment.begin_swing(event.t_ns, clock.stride_s, clock.percent_per_s)
        elif event.kind == "initial_contact":
            self.turning.contact(self.orientations[self.leading.sensor].heading_rad)

    # --- from stride to stride

    def excursion_rad(self) -> float | None:
        """How far the shank moved in the swing that has ended."""
        swung_ns = self.clock.swung_ns
        return None if swung_ns is None else self.alignment.excursion_rad(*swung_ns)

    def refer(self, before: Reference, now: Reference) -> None:
        """Another pace, another reference to lie over."""
        later = reversal_percent(now.foot_pitch_deg) - reversal_percent(before.foot_pitch_deg)
        self.alignment.refer(_on_percents(now.shank_pitch_deg), now.foot_pitch_deg, later)

    def end_swing(self) -> Swing | None:
        """The foot has landed: where the events of its swing lay, and with that where the next ones will.

        ``None`` where no swing was seen.
        """
        clock, alignment = self.clock, self.alignment
        if clock.swung_ns is None:
            return None
        self.swing = phase = alignment.settle(*clock.swung_ns, clock.last_stride_s)
        clock.toe_off_percent = alignment.toe_off_percent
        clock.contact_percent = alignment.contact_percent
        first = alignment.level and alignment.fits == 1
        turned_rad, own_rad = self.turning.turned_rad, alignment.own_rad.copy()
        return Swing(phase, clock.swing_s, turned_rad, alignment.level, first, own_rad)

    # --- now

    def at(self, now_ns: int) -> GaitEstimate:
        """What is believed at a tick; changes nothing."""
        swing, reading = self.alignment.swing, self.reading
        run = swing.run if swing is not None and self.clock.swinging else None
        phase = self.clock.phase(run, self.alignment.shift_percent)
        run_rate, lean_rad = None, 0.0
        shank_rad = None if reading is None else reading.shank_rad
        if swing is not None and phase.run is not None and reading is not None and shank_rad is not None:
            run_rate = phase.run.rate
            lean_rad = swing.beyond_rad(reading.t_ns, shank_rad)
        foot_rad = self._segment_rad(now_ns, "foot")
        foot = self._by_segment["foot"][0][1] if foot_rad is not None else None
        return GaitEstimate(
            now_ns,
            phase,
            phase.command_percent_at(now_ns),
            self.clock.strides,
            self.clock.heel_off_due_ns,
            self.newest_ns,
            reading,
            run_rate,
            lean_rad,
            self._fresh(now_ns, "foot"),
            self._fresh(now_ns, "shank"),
            foot_rad,
            None if foot is None else foot.pitch_rate_rps,
            None if foot_rad is None else self._shank_rad(now_ns, foot_rad),
        )

    def _fresh(self, now_ns: int, segment: Segment) -> bool:
        for name, orientation in self._by_segment[segment]:
            if orientation.aligned and now_ns - self._seen_ns[name] < RUNG_FRESH_NS:
                return True
        return False

    def _shank_rad(self, t_ns: int, foot_rad: float) -> float | None:
        """The shank's pitch beneath a foot's; ``None`` where it is not known or no ankle joins the two."""
        shank_rad = self._segment_rad(t_ns, "shank")
        if shank_rad is None or possible_ankle_deg(math.degrees(foot_rad - shank_rad)) is None:
            return None
        return shank_rad

    def _segment_rad(self, t_ns: int, segment: Segment) -> float | None:
        for _, orientation in self._by_segment[segment]:
            if orientation.aligned:
                return orientation.pitch_at(t_ns)
        return None


def _on_percents(curve_deg: tuple[float, ...]) -> Curve:
    """A reference's curve in rad at every whole percent (101,)."""
    return np.array([math.radians(sample(curve_deg, float(percent))) for percent in range(101)])
