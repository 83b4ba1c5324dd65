"""Whether the muscle tires: the torque a swing gets for its charge, against the first strides.

Promises never to take a stimulus that climbs for nothing: a slow fall is said from the start and ends in the
advice to rest; a fall from one stride to the next is no fatigue, but an electrode that has moved. What makes
up for the fall is bounded elsewhere: by the belief's least gain and the highest comfortable pulse.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

SETTLING_STRIDES = 3  # the command still changes its shape
RESTED_STRIDES = 6  # their median is what the rested muscle gives
RECENT_STRIDES = 7  # one swing's response is off by 14 % (standard deviation on virtual patients)
TIRING = 0.85  # of the rested response: said
TIRED = 0.7  # a rest is advised (assumed: no paper at hand says where dorsiflexors should stop)
STEADY = 0.04  # what has been said stays until the response is better by this
MOVED = 0.8  # of the strides before, in two of three swings that are all below `TIRING`: no accident
MOVED_STRIDES = 3
MOVED_SAID = 10  # strides


@dataclass(slots=True)
class Fatigue:
    """The muscle's response per charge, stride by stride; what is to be said about it is in ``advice``."""

    share: float | None = None  # of the rested response; None until that is known
    moved_to: float | None = None  # of the response before, where it fell at once
    tiring: bool = False
    tired: bool = False
    _rested: float = 0.0  # Nm s per uC
    _strides: int = 0
    _since_moved: int = 0  # strides, while ``moved_to`` is said
    _recent: list[float] = field(default_factory=list)

    def note(self, lift_nms: float, charge_uc: float) -> None:
        """One swing: the torque it needed of the muscle, integrated, and the charge of its pulses."""
        if charge_uc <= 0.0:
            return
        self._strides += 1
        if self._strides <= SETTLING_STRIDES:
            return
        self._recent.append(max(0.0, lift_nms) / charge_uc)
        if self._strides <= SETTLING_STRIDES + RESTED_STRIDES:
            self._rested = statistics.median(self._recent)
        elif self.moved_to is not None:
            self._settle_anew()
        elif not self._has_moved():
            self._judge()

    def _judge(self) -> None:
        self._recent = self._recent[-RECENT_STRIDES - MOVED_STRIDES :]
        if self._rested <= 0.0:
            return
        self.share = share = statistics.median(self._recent[-RECENT_STRIDES:]) / self._rested
        self.tiring = share < TIRING + (STEADY if self.tiring else 0.0)
        self.tired = share < TIRED + (STEADY if self.tired else 0.0)

    def _has_moved(self) -> bool:
        """Three swings running below those before, two of them far: the next ones are the comparison."""
        last, before = self._recent[-MOVED_STRIDES:], self._recent[:-MOVED_STRIDES]
        if self._rested <= 0.0 or len(before) < RESTED_STRIDES:
            return False
        usual = statistics.median(before)
        if statistics.median(last) >= MOVED * usual or max(last) >= TIRING * usual:
            return False
        self.moved_to = statistics.median(last) / statistics.median(before)
        self.share = min(1.0, statistics.median(before) / self._rested)
        self._recent, self._since_moved = [], 0
        return True

    def _settle_anew(self) -> None:
        """The command grows used to the new place; how tired the muscle was before stands until it has."""
        self._since_moved += 1
        if self._since_moved < MOVED_SAID:
            return
        self._recent = self._recent[-RECENT_STRIDES:]
        self._rested = statistics.median(self._recent) / (self.share or 1.0)
        self.moved_to = None
        self._judge()

    @property
    def advice(self) -> str:
        """What the person beside the walker should know, as the end of the core's reason; often empty."""
        if self.moved_to is not None:
            return f"; response per charge fell at once to {self.moved_to:.0%}: look at the electrodes"
        if self.tired:
            return f"; muscle tired to {self.share:.0%} of its rested response per charge: rest advised"
        if self.tiring:
            return f"; muscle tires: {self.share:.0%} of its rested response per charge"
        return ""
