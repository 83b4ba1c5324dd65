"""The root mean square of what is left after cleaning, over the last moments that could be seen.

Squares over a window that ends: nothing of an effort is left in it once the window has passed.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW_S = 0.125
UNIT = 1e30  # of a whole number for 1 V2: a sum of them is exact, in whatever order
SEEN_SHARE_MIN = 0.25  # of the window; with less the envelope is not known


class Envelope:
    """Takes clean samples in order of time; ``value_v`` is None where too little was seen."""

    def __init__(self, rate_hz: float, window_s: float = WINDOW_S) -> None:
        self._window_ns = round(window_s * 1e9)
        self._needed = max(2.0, SEEN_SHARE_MIN * window_s * rate_hz)
        self._squares: deque[tuple[int, int]] = deque()
        self._sum = 0

    def take(self, t_ns: int, volts: float) -> None:
        square = round(volts * volts * UNIT)
        self._squares.append((t_ns, square))
        self._sum += square
        self.forget(t_ns)

    def forget(self, now_ns: int) -> None:
        """Let go of what the window has passed."""
        squares = self._squares
        while squares and squares[0][0] <= now_ns - self._window_ns:
            self._sum -= squares.popleft()[1]

    @property
    def value_v(self) -> float | None:
        if len(self._squares) < self._needed:
            return None
        return math.sqrt(self._sum / UNIT / len(self._squares))
