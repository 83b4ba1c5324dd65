"""The root mean square of what is left after cleaning, over the last moments that could be seen.

Squares over a window that ends: nothing of an effort is left in it once the window has passed. It falls
faster than it rises: where the newer half of the window is much quieter, the older half counts no more.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW_S = 0.125
NEWER_SHARE = 0.45  # of the window
FALLS_OVER = 1.4  # times the newer part's r.m.s.; chance alone seldom passes it
SEEN_SHARE_MIN = 0.25  # of the window; with less the envelope is not known
UNIT = 1e30  # of a whole number for 1 V2: a sum of them is exact, in whatever order


class _Window:
    """Sum of squares over a time that ends now."""

    def __init__(self, window_s: float, rate_hz: float) -> None:
        self._window_ns = round(window_s * 1e9)
        self._needed = max(2.0, SEEN_SHARE_MIN * window_s * rate_hz)
        self._squares: deque[tuple[int, int]] = deque()
        self._sum = 0

    def take(self, t_ns: int, square: int) -> None:
        self._squares.append((t_ns, square))
        self._sum += square

    def forget(self, now_ns: int) -> None:
        squares, before_ns = self._squares, now_ns - self._window_ns
        while squares and squares[0][0] <= before_ns:
            self._sum -= squares.popleft()[1]

    @property
    def value_v(self) -> float | None:
        count = len(self._squares)
        return math.sqrt(self._sum / UNIT / count) if count >= self._needed else None


class Envelope:
    """Takes clean samples in order of time; :meth:`value_v` is None where too little was seen."""

    def __init__(self, rate_hz: float, window_s: float = WINDOW_S) -> None:
        self._whole = _Window(window_s, rate_hz)
        self._newer = _Window(NEWER_SHARE * window_s, rate_hz)

    def take(self, t_ns: int, volts: float) -> None:
        square = round(volts * volts * UNIT)
        self._whole.take(t_ns, square)
        self._newer.take(t_ns, square)

    def value_v(self, now_ns: int) -> float | None:
        """The envelope now; times do not go back."""
        self._whole.forget(now_ns)
        self._newer.forget(now_ns)
        whole_v, newer_v = self._whole.value_v, self._newer.value_v
        return whole_v if whole_v is None or newer_v is None else min(whole_v, FALLS_OVER * newer_v)
