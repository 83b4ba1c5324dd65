"""Whether the foot comes up as it should, and if it does not, what is in its way.

Promises to speak of a lasting error alone, with what to do about it. Refuses to judge the first strides, in
which learning is still at work.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

SETTLING_STRIDES = 10  # learned from: by then learning has done most of its work
RECENT_STRIDES = 5  # their medians are judged
SHORT_DEG = 5.0  # a swing nearer to the reference is a good one
STEADY_DEG = 0.5  # what has been said stays until the error is smaller by this
AT_LIMIT = 0.1  # of the swing at the highest current: more would be asked for
STRONG_REFLEX_NMS = 4.0  # the middle of spastic calves' strengths is 6 (unverified)


@dataclass(slots=True)
class Shortfall:
    """Error and share of the swing at the highest current, of the last strides learned from."""

    limit_share: float | None = None  # of the last swing
    short: bool = False
    _strides: int = 0
    _errors_deg: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STRIDES))
    _shares: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STRIDES))

    def note(self, error_deg: float, limit_share: float) -> None:
        """One swing: r.m.s. of its error (deg), and how much of it had the highest current allowed."""
        self.limit_share = limit_share
        self._strides += 1
        self._errors_deg.append(error_deg)
        self._shares.append(limit_share)
        least_deg = SHORT_DEG - (STEADY_DEG if self.short else 0.0)
        self.short = self._strides >= SETTLING_STRIDES and self._error_deg > least_deg

    @property
    def _error_deg(self) -> float:
        return statistics.median(self._errors_deg)

    def advice(self, reflex_nms: float) -> str:
        """What the person beside the walker should know, as the end of the core's reason; often empty.

        ``reflex_nms`` is the strength of the calf's reflex that is believed.
        """
        if not self.short:
            return ""
        said = f"; foot stays {self._error_deg:.0f} deg off"
        if statistics.median(self._shares) > AT_LIMIT:
            return said + " at the highest current: look at the electrodes, or ask for less lift"
        if reflex_nms >= STRONG_REFLEX_NMS:
            return said + ": a spastic calf answers the lift; walk slower, have its tone looked at"
        return said + ": identify the muscle anew"
