"""What of an M-wave is left in a cleaned segment: its early part then holds more than its late one.

Promises the person's own activity by power, and the M-wave's by the excess that is no chance.
"""

from __future__ import annotations

import math

import numpy as np

from controller.core.emg.prediction import Array, Flags

EARLY_OVER_LATE = 1.5  # in power: the person's own activity does not know of the pulse
LATE_STEP = 0.3
LEAK_STEP = 0.15


class Leak:
    """Of one channel. ``late`` is the sample of a segment from which little of an M-wave is left;
    ``leak_v2`` the power that came with the last pulses and was not predicted, None before any is known.
    """

    def __init__(self, late: int, *, damps: bool) -> None:
        self._late = late
        self._damps = damps
        self._late_v2: float | None = None
        self.leak_v2: float | None = None
        self._excess_v2 = self._excess_var = 0.0

    def compare(self, left_v2: Array, good: Flags, otherwise_v2: float) -> tuple[float, float]:
        """The activity's power in a segment, and the factor by which its early samples are to be damped.

        ``otherwise_v2`` where no sample is good. M-wave taken for activity would hide the next one.
        """
        left_v2 = left_v2 * good
        part = self._late
        many = int(np.count_nonzero(good[:part])), int(np.count_nonzero(good[part:]))
        early_v2, here_v2 = (
            float(one_v2.sum()) / max(1, n)
            for one_v2, n in zip((left_v2[:part], left_v2[part:]), many, strict=True)
        )
        if many[1] == 0:
            return (early_v2 if many[0] else otherwise_v2), 1.0
        before_v2 = here_v2 if self._late_v2 is None else self._late_v2
        self._late_v2 = before_v2 + LATE_STEP * (here_v2 - before_v2)
        if many[0] == 0:
            return here_v2, 1.0
        self._note(early_v2 - here_v2)
        most_v2 = EARLY_OVER_LATE * max(self._late_v2, here_v2)
        too_much = early_v2 > most_v2 and self._damps
        activity_v2 = (many[0] * min(early_v2, most_v2) + many[1] * here_v2) / (many[0] + many[1])
        return activity_v2, math.sqrt(most_v2 / early_v2) if too_much else 1.0

    def _note(self, excess_v2: float) -> None:
        """Running mean of what the early part has more than the late one, as far as it is no chance."""
        change = excess_v2 - self._excess_v2
        self._excess_v2 += LEAK_STEP * change
        self._excess_var += LEAK_STEP * (change * change - self._excess_var)
        doubt_v2 = math.sqrt(self._excess_var * LEAK_STEP / (2.0 - LEAK_STEP))
        self.leak_v2 = max(0.0, self._excess_v2 - doubt_v2)
