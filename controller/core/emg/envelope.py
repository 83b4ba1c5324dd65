"""The root mean square of what is left after cleaning, over the last moments that could be seen.

Squares over a window that ends: nothing of an effort is left in it once the window has passed. It falls
faster than it rises: where the newer half of the window is much quieter, the older half counts no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

WINDOW_S = 0.125
NEWER_SHARE = 0.45  # of the window
FALLS_OVER = 1.4  # times the newer part's r.m.s.; chance alone seldom passes it
SEEN_SHARE_MIN = 0.25  # of the window; with less the envelope is not known
UNIT = 1e30  # of a whole number for 1 V2: a sum of them is exact, in whatever order


KEPT = 4096  # samples, before those that are over are let go


class Envelope:
    """Takes clean samples in order of time; :meth:`value_v` is None where too little was seen."""

    def __init__(self, rate_hz: float, window_s: float = WINDOW_S) -> None:
        self._whole_ns, self._newer_ns = round(window_s * 1e9), round(NEWER_SHARE * window_s * 1e9)
        self._whole_needed = max(2.0, SEEN_SHARE_MIN * window_s * rate_hz)
        self._newer_needed = max(2.0, SEEN_SHARE_MIN * NEWER_SHARE * window_s * rate_hz)
        self._t_ns: list[int] = []
        self._sums = [0]  # of all squares before a sample
        self._whole = self._newer = 0  # number of the first sample of each window

    def take(self, t_ns: Sequence[int], volts: Sequence[float]) -> None:
        """Clean samples, in order of time."""
        self._t_ns += t_ns
        sum_v2, sums = self._sums[-1], self._sums
        for one in volts:
            sum_v2 += round(one * one * UNIT)
            sums.append(sum_v2)

    def value_v(self, now_ns: int) -> float | None:
        """The envelope now; times do not go back."""
        times, sums = self._t_ns, self._sums
        count = len(times)
        begin, before_ns = self._whole, now_ns - self._whole_ns
        while begin < count and times[begin] <= before_ns:
            begin += 1
        newer, before_ns = self._newer, now_ns - self._newer_ns
        while newer < count and times[newer] <= before_ns:
            newer += 1
        self._whole, self._newer = begin, newer
        if count - begin < self._whole_needed:
            return None
        whole_v = math.sqrt((sums[-1] - sums[begin]) / UNIT / (count - begin))
        if begin > KEPT:
            del times[:begin], sums[:begin]
            self._whole, self._newer, newer, count = 0, newer - begin, newer - begin, count - begin
        if count - newer < self._newer_needed:
            return whole_v
        return min(whole_v, FALLS_OVER * math.sqrt((sums[-1] - sums[newer]) / UNIT / (count - newer)))
