"""How far a person turned in a stride, from one sensor's heading at its contacts.

Promises the turn beyond the usual stride's: paretic shanks show up to 25 deg of heading a stride where
they walk straight ahead (recordings of Trojaniello et al. 2014), by their own roll and their sensor's bias,
but the same at every stride.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

KEPT = 9  # strides: more than a turn takes


@dataclass(slots=True)
class Turning:
    """``turned_rad`` is of the stride that the last contact ended, left +."""

    turned_rad: float = 0.0
    _last_rad: float | None = None
    _strides: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def contact(self, heading_rad: float) -> None:
        """A stride ends at ``heading_rad``."""
        last_rad, self._last_rad = self._last_rad, heading_rad
        if last_rad is None:
            return
        self._strides.append(heading_rad - last_rad)
        self.turned_rad = heading_rad - last_rad - statistics.median(self._strides)
