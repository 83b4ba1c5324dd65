"""Drift and mains taken out of one EMG channel, causally, sample by sample.

The high-pass is a Butterworth filter of second order by the bilinear transform. Mains is followed as a sine
whose two amplitudes adapt slowly (Widrow's noise canceller, 1975), so that the answer to a pulse does not
ring on as it does in a notch.
"""

from __future__ import annotations

import math

MAINS_TAU_S = 0.4  # the canceller takes out about 0.4 Hz around the mains and its third harmonic


class HighPass:
    """Second-order Butterworth high-pass; begins at rest on the first sample."""

    def __init__(self, cutoff_hz: float, rate_hz: float) -> None:
        k = math.tan(math.pi * cutoff_hz / rate_hz)
        norm = 1.0 / (1.0 + math.sqrt(2.0) * k + k * k)
        self._b0, self._a1, self._a2 = (
            norm,
            2.0 * (k * k - 1.0) * norm,
            (1.0 - math.sqrt(2.0) * k + k * k) * norm,
        )
        self._z1 = self._z2 = 0.0
        self._began = False

    def step(self, x: float) -> float:
        """One sample in, one out, in the same unit."""
        if not self._began:
            self._began = True
            self._z1, self._z2 = -self._b0 * x, self._b0 * x
        y = self._b0 * x + self._z1
        self._z1 = -2.0 * self._b0 * x - self._a1 * y + self._z2
        self._z2 = self._b0 * x - self._a2 * y
        return y


class MainsCanceller:
    """Follows the mains and its third harmonic; ``amplitude_v`` is the size of the fundamental."""

    def __init__(self, mains_hz: float, rate_hz: float) -> None:
        harmonics = [order * mains_hz for order in (1, 3) if order * mains_hz < 0.45 * rate_hz]
        self._omega_per_ns = [2.0 * math.pi * hz / 1e9 for hz in harmonics]
        self._weights = [[0.0, 0.0] for _ in harmonics]
        self._step = 2.0 / (MAINS_TAU_S * rate_hz)

    @property
    def amplitude_v(self) -> float:
        return math.hypot(*self._weights[0]) if self._weights else 0.0

    def estimate(self, t_ns: int) -> float:
        """The mains at this time."""
        return sum(
            a * math.cos(w * t_ns) + b * math.sin(w * t_ns)
            for w, (a, b) in zip(self._omega_per_ns, self._weights, strict=True)
        )

    def learn(self, t_ns: int, residual: float) -> None:
        """Take what was left of a sample that held no pulse's response."""
        for w, pair in zip(self._omega_per_ns, self._weights, strict=True):
            pair[0] += self._step * residual * math.cos(w * t_ns)
            pair[1] += self._step * residual * math.sin(w * t_ns)
