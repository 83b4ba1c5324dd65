"""Drift and mains taken out of one EMG channel, causally, sample by sample.

The high-pass is a Butterworth filter of second order by the bilinear transform. Mains is followed as a sine
whose two amplitudes adapt slowly (Widrow's noise canceller, 1975), so that the answer to a pulse does not
ring on as it does in a notch.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.core.emg.placement import MAINS_MAX_V, MAINS_SHARE_MAX, MainsShare

JITTER_NS = 1000.0  # of a sample's place; more is placed anew
LEARN_TOGETHER = 20  # samples; much less than the time in which it adapts
QUIET_GROWS = 1.02  # a batch: the least power of a second or so
LOUD_POWER = 3.0  # times the least: above it less is learned
MAINS_TAU_S = 0.4  # the canceller takes out about 0.4 Hz around the mains and its third harmonic


class HighPass:
    """Second-order Butterworth high-pass; begins at rest on the first sample. ``ring`` is its upper pole."""

    def __init__(self, cutoff_hz: float, rate_hz: float) -> None:
        k = math.tan(math.pi * cutoff_hz / rate_hz)
        norm = 1.0 / (1.0 + math.sqrt(2.0) * k + k * k)
        self._b0, self._a1, self._a2 = (
            norm,
            2.0 * (k * k - 1.0) * norm,
            (1.0 - math.sqrt(2.0) * k + k * k) * norm,
        )
        self.ring = complex(-self._a1 / 2.0, math.sqrt(self._a2 - self._a1**2 / 4.0))
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
    """Follows the mains and its third harmonic; ``amplitude_v`` is the size of the fundamental.

    ``careful``: what is loud is not learned from. Not so while pulses run, as a loose electrode's mains then
    looks like answers, and its size is what tells it.
    """

    def __init__(self, mains_hz: float, rate_hz: float) -> None:
        self._omega_per_ns = 2.0 * math.pi * mains_hz / 1e9
        self.orders = [order for order in (1, 3) if order * mains_hz < 0.45 * rate_hz]
        self._weights = [0j for _ in self.orders]
        self._turn = [cmath.exp(2j * math.pi * order * mains_hz / rate_hz) for order in self.orders]
        self._now = [0j for _ in self.orders]  # the mains at the last sample
        self._step_ns, self._last_ns = 1e9 / rate_hz, 0
        self._gain = 2.0 / (MAINS_TAU_S * rate_hz)
        self.left = MainsShare()
        self._quiet_v2 = 0.0
        self.careful = True
        self._taught_ns: list[int] = []
        self._taught_v: list[float] = []

    @property
    def amplitude_v(self) -> float:
        return abs(self._weights[0]) if self._weights else 0.0

    def rules(self, *, loud: bool) -> bool:
        """Whether the mains is most of what the electrode shows, as at a loose one."""
        return self.amplitude_v > MAINS_MAX_V or (loud and self.left.share > MAINS_SHARE_MAX)

    def estimate(self, t_ns: int) -> float:
        """The mains at this time; samples follow each other."""
        late_ns = t_ns - self._last_ns - self._step_ns
        self._last_ns = t_ns
        if late_ns > JITTER_NS or late_ns < -JITTER_NS:
            self._place(t_ns)
            return sum(now.real for now in self._now)
        self._now = now = [one * turn for one, turn in zip(self._now, self._turn, strict=True)]
        return now[0].real + now[1].real if len(now) == 2 else now[0].real

    def _place(self, t_ns: int) -> None:
        phase = self._omega_per_ns * t_ns
        self._now = [
            weight * cmath.exp(1j * order * phase)
            for weight, order in zip(self._weights, self.orders, strict=True)
        ]

    def jump(self, by: tuple[complex, ...]) -> None:
        """Take mains that has appeared at once, a complex amplitude for each order."""
        self._weights = [weight + one for weight, one in zip(self._weights, by, strict=True)]
        self._taught_ns.clear()
        self._taught_v.clear()
        self._place(self._last_ns)

    def learn(self, t_ns: Sequence[int], left: Sequence[float]) -> None:
        """Take what was left of samples that held no pulse's response."""
        self._taught_ns += t_ns
        self._taught_v += left
        while len(self._taught_v) >= LEARN_TOGETHER:
            self._learn(np.array(self._taught_ns[:LEARN_TOGETHER]), np.array(self._taught_v[:LEARN_TOGETHER]))
            del self._taught_ns[:LEARN_TOGETHER], self._taught_v[:LEARN_TOGETHER]

    def _learn(self, t: NDArray[np.int64], left: NDArray[np.float64]) -> None:
        power = float(left @ left) / len(left)
        self._quiet_v2 = min(power, QUIET_GROWS * self._quiet_v2) if self._quiet_v2 else power
        # an effort's noise would be learned as mains and stay for a while after it
        gain = self._gain
        if self.careful:
            gain *= min(1.0, LOUD_POWER * self._quiet_v2 / max(power, 1e-30))
        phase = self._omega_per_ns * t
        for i, order in enumerate(self.orders):
            turned = order * phase
            line = complex(left @ np.cos(turned), -(left @ np.sin(turned)))
            self._weights[i] += gain * line
            if i == 0:
                self.left.take(line, power * len(left), len(left))
        self._place(self._last_ns)
