"""Swings that got no lift: for the walker a hazard like any other, counted and told.

A swing is unlifted where pulses did not run without a break through the last fifth of a second before its
contact, as they were commanded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LIFTED_NS = 200_000_000  # before contact: four fifths of a quarter of a second
LATE_NS = 60_000_000  # from toe-off until the first pulse can follow it: events and radio are late
RECENT = 50  # swings
ROW_MOST = 1  # one unlifted swing after another is told of
RECENT_MOST = 1  # and so is more than 2 % of the recent ones


@dataclass(slots=True)
class UnliftedSwings:
    """``count`` since the start; ``advice`` is empty while nothing is to be told."""

    count: int = 0
    row: int = 0
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))

    def close(self, toe_off_ns: int, contact_ns: int, on_since_ns: int | None) -> None:
        """A swing has ended; pulses have run without a break since ``on_since_ns``, None: they do not run."""
        latest_ns = max(contact_ns - LIFTED_NS, toe_off_ns + LATE_NS)
        unlifted = on_since_ns is None or on_since_ns > latest_ns
        self._recent.append(unlifted)
        self.count += unlifted
        self.row = self.row + 1 if unlifted else 0

    @property
    def advice(self) -> str:
        lately = sum(self._recent)
        if self.row > ROW_MOST:
            return f"{self.row} swings in a row were not lifted: walk with care, check the sensor's strap"
        if lately > RECENT_MOST:
            return (
                f"{lately} of the last {len(self._recent)} swings were not lifted: check the sensor's strap"
            )
        return ""
