"""Samples that show the amplifier and not the muscle: on a rail, dead, or just after a pulse.

A rail looks like silence once it is filtered, so it is judged on the raw sample.
"""

from __future__ import annotations

NEAR_RAIL = 0.97  # of the rail; the amplifier of the arm recording wanders 1 % about its own
SAME_LEVEL = 0.02  # of the level: samples this alike, one after the other, stand at a rail or nearly
FLAT_SAMPLES = 3  # in a row
RAIL_SHARE = 0.5  # of the largest value seen: below it a flat top is no rail
RECOVERY_S = 0.003  # after the rail; the amplifier is not itself yet
DEAD_S = 0.02  # without any change at all: no electrode is so silent


class AmplifierCheck:
    """Tells of each raw sample of one channel whether the amplifier shows the muscle."""

    def __init__(self, rate_hz: float, range_v: float | None) -> None:
        self._rail_v = range_v
        self._recovery = max(1, round(RECOVERY_S * rate_hz))
        self._dead_samples = max(FLAT_SAMPLES, round(DEAD_S * rate_hz))
        self._last = 0.0
        self._flat = self._same = 0
        self._largest_v = 0.0
        self._candidate_v = 0.0
        self._wait = 0
        self.clipped = self.dead = False

    def step(self, x: float) -> str:
        """Why this sample does not show the muscle; '' where it does."""
        size = abs(x)
        self._same = self._same + 1 if x == self._last else 0
        alike = abs(x - self._last) < SAME_LEVEL * size
        self._flat = self._flat + 1 if alike else 0
        self._last = x
        if self._rail_v is None:
            self._look_for_rail(size)
        self._largest_v = max(self._largest_v, size)
        self.clipped = self._rail_v is not None and size >= NEAR_RAIL * self._rail_v
        self.dead = self._same >= self._dead_samples
        if self.clipped:
            self._wait = self._recovery
            return "amplifier saturated"
        if self.dead:
            return "no signal at all: amplifier dead or electrode not plugged in"
        if self._wait > 0:
            self._wait -= 1
            return "amplifier recovers"
        return ""

    def _look_for_rail(self, size: float) -> None:
        """A level reached twice, flat each time, and never passed is a rail."""
        if self._flat + 1 != FLAT_SAMPLES or size < RAIL_SHARE * self._largest_v:
            return
        if size < (1.0 - SAME_LEVEL) * self._largest_v:
            return
        if abs(size - self._candidate_v) < SAME_LEVEL * size:
            self._rail_v = max(size, self._candidate_v)
        self._candidate_v = size
