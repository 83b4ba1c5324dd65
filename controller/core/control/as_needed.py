"""Assist as needed: how much of the lift a person still needs, from stride to stride.

Two supports, each a share of the lift: one for the toe's clearance in mid-swing, one for the landing. The
reference is lowered by what they leave out, never below what an unlifted foot lacks. Each follows the rule of
:mod:`controller.core.emg.assist`: a swing with room to spare gives some of it up, one that falls short of its
margin takes some back. A low step, or one in doubt, takes everything back, for the next step already.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass, field

import numpy as np

from controller.core.control.assistance import FLAT_PERCENT, LIFT_DEG
from controller.core.emg.assist import AssistAsNeeded, AssistParams
from controller.core.gait.phase_alignment import smooth
from controller.core.params import Reference

FIRST_STRIDES = 4  # learned with the whole lift, before any of it is given up
WHOLE_STRIDES = 3  # after a low step, before any of it is given up again
# Of swing: mid-swing's lift is whole from the first on, landing's from the last.
RISEN_SHARE, MIDDLE, LATE = 0.15, 0.35, 0.7
RULE = AssistParams(floor=0.0, ceiling=1.0, start=1.0, forget=0.92, learn=0.5)
SPREAD_LEARN = 0.15  # of the newest difference between two swings
USUAL_LEARN = 0.4  # of what the newest swing kept
DIFFERENCE = 0.886  # standard deviation over the mean distance of two draws of a normal distribution
CAUTION_KEPT = 0.99  # from stride to stride: of the margin that a low step has added


@dataclass(frozen=True, slots=True)
class Margin:
    """What a swing must keep: ``least`` and ``spreads`` times its spread; less than ``low`` is a low step.

    ``soft`` below that a swing counts as missed; ``deg`` is the most that is lowered, ``cautious`` what each
    low step adds to the margin for a while.
    """

    least: float
    spreads: float
    low: float
    soft: float
    deg: float
    cautious: float
    first_spread: float


CLEARANCE_MM = Margin(least=8.0, spreads=1.0, low=0.0, soft=12.0, deg=15.0, cautious=4.0, first_spread=6.0)
LANDING_DEG = Margin(least=5.0, spreads=1.5, low=1.0, soft=4.0, deg=LIFT_DEG, cautious=3.0, first_spread=3.0)


@dataclass(slots=True)
class Support:
    """One of the two; ``share`` of the lift is given."""

    margin: Margin
    caution: float = 0.0
    _spread: float = field(init=False)
    _last: float | None = None
    _usual: float | None = None
    _rule: AssistAsNeeded = field(default_factory=lambda: AssistAsNeeded(RULE))

    def __post_init__(self) -> None:
        self._spread = self.margin.first_spread

    @property
    def share(self) -> float:
        return self._rule.support

    @property
    def needs(self) -> float:
        """What a usual swing should keep."""
        return self.margin.least + self.margin.spreads * self._spread + self.caution

    def low(self, kept: float) -> bool:
        """Note what a swing kept: whether it was a low step."""
        if self._last is not None:
            self._spread += SPREAD_LEARN * (DIFFERENCE * abs(kept - self._last) - self._spread)
        self._last = kept
        self._usual = kept if self._usual is None else self._usual + USUAL_LEARN * (kept - self._usual)
        self.caution *= CAUTION_KEPT
        low = kept < self.margin.low
        if low:
            self.caution += self.margin.cautious
        return low

    def follow(self) -> None:
        """After a swing without doubt: give up or take back some."""
        if self._usual is not None:
            self._rule.movement(1.0 - (self.needs - self._usual) / self.margin.soft, 0.0)

    def restore(self) -> None:
        self._rule.support = RULE.ceiling


@dataclass(slots=True)
class AsNeeded:
    """Both supports. ``whole_strides`` are still to be lifted whole before anything is given up."""

    mid_swing: Support = field(default_factory=lambda: Support(CLEARANCE_MM))
    landing: Support = field(default_factory=lambda: Support(LANDING_DEG))
    whole_strides: int = FIRST_STRIDES
    clearance_mm: float | None = None  # of the last swing
    why: str = ""  # of the last swing: why the whole lift came back

    @property
    def whole(self) -> bool:
        """Nothing is left out."""
        return self.mid_swing.share == self.landing.share == RULE.ceiling

    @property
    def mark(self) -> bytes:
        """What the next strides depend on: for a checksum."""
        supports = (self.mid_swing, self.landing)
        return struct.pack("<4dq", *(v for s in supports for v in (s.share, s.needs)), self.whole_strides)

    def note(self, clearance_mm: float | None, landing_deg: float | None, doubt: str) -> None:
        """A swing has ended: what it kept, or why that is not known."""
        self.clearance_mm, self.why = clearance_mm, doubt
        if not doubt and (clearance_mm is None or landing_deg is None):
            self.why = "the swing was not seen whole"
        if clearance_mm is not None and self.mid_swing.low(clearance_mm):
            self.why = self.why or "the toe passed low"
        if landing_deg is not None and self.landing.low(landing_deg):
            self.why = self.why or "the foot landed low"
        if self.why:
            self.restore(max(self.whole_strides, WHOLE_STRIDES))
        elif self.whole_strides > 0:
            self.whole_strides -= 1
        else:
            self.mid_swing.follow()
            self.landing.follow()

    def restore(self, whole_strides: int) -> None:
        """The whole lift from the next step on."""
        self.whole_strides = whole_strides
        self.mid_swing.restore()
        self.landing.restore()

    def lowered(self, reference: Reference) -> Reference:
        """``reference`` less what is given up."""
        if self.whole:
            return reference
        at = np.linspace(0.0, 100.0, len(reference.foot_pitch_deg))
        toe_off = reference.toe_off_percent
        swung = np.clip((at - toe_off) / (100.0 - toe_off), 0.0, 1.0)
        late = smooth(np.clip((swung - MIDDLE) / (LATE - MIDDLE), 0.0, 1.0))
        early = smooth(np.clip(swung / RISEN_SHARE, 0.0, 1.0)) * (1.0 - late)
        landed = np.maximum(late, 1.0 - smooth(np.clip(at / FLAT_PERCENT, 0.0, 1.0)))
        less_deg = _less_deg(self.mid_swing) * early + _less_deg(self.landing) * landed
        lowered = np.asarray(reference.foot_pitch_deg) - less_deg
        return dataclasses.replace(reference, foot_pitch_deg=tuple(lowered.tolist()))


def _less_deg(support: Support) -> float:
    return support.margin.deg * (RULE.ceiling - support.share)
