"""Samples that show the amplifier and not the muscle: on a rail, dead, or just after a pulse.

A rail looks like silence once it is filtered, so it is judged on the raw sample.
"""

from __future__ import annotations

import math

NEAR_RAIL = 0.97  # of the rail; the amplifier of the arm recording wanders 1 % about its own
SAME_LEVEL = 0.02  # of the level: three samples this alike, one after the other, stand at a rail or nearly
SAME_CODE = 0.001  # two this alike are the converter's last code
TIMES = 3  # that a level is met, before it is a rail
RAIL_SHARE = 0.98  # of the largest value seen: below it a flat top is no rail
# After the rail the amplifier is dead for a millisecond or so and then comes back; blank 3 ms and 7.4 time
# constants of it (field notes) would leave nothing between pulses.
RECOVERY_S = 0.005
DEAD_S = 0.02  # without any change at all: no electrode is so silent
SATURATED = "amplifier saturated"
RECOVERS = "amplifier recovers"
NOT_A_NUMBER = "not a number"
DEAD = "no signal at all: amplifier dead or electrode not plugged in"


class AmplifierCheck:
    """Tells of each raw sample of one channel whether the amplifier shows the muscle.

    ``range_v``: where its rail is, ``None``: it is found, as a level met several times, flat, never passed.
    """

    def __init__(self, rate_hz: float, range_v: float | None) -> None:
        self._known = range_v is not None
        self.rail_v = range_v
        self._recovery = max(1, round(RECOVERY_S * rate_hz))
        self._dead_samples = max(3, round(DEAD_S * rate_hz))
        self._last = 0.0
        self._flat = self._same = 0
        self._largest_v = 0.0
        self._times, self._inside = 0, False
        self._wait = 0

    def step(self, x: float) -> str:
        """Why this sample does not show the muscle; '' where it does."""
        size, change = abs(x), abs(x - self._last)
        if not size < math.inf:
            return NOT_A_NUMBER
        self._same = self._same + 1 if change == 0.0 else 0
        self._flat = self._flat + 1 if change < SAME_LEVEL * size else 0
        if self._known:
            pass
        elif size >= RAIL_SHARE * self._largest_v:
            self._look_for_rail(size, flat=self._flat >= 2 or change < SAME_CODE * size)
        else:
            self._inside = False
        self._last = x
        if self.rail_v is not None and size >= NEAR_RAIL * self.rail_v:
            self._wait = self._recovery
            return SATURATED
        if self._same >= self._dead_samples:
            return DEAD
        if self._wait > 0:
            self._wait -= 1
            return RECOVERS
        return ""

    def _look_for_rail(self, size: float, *, flat: bool) -> None:
        if size * RAIL_SHARE > self._largest_v:  # it was passed: no rail so far
            self._times, self._inside, self.rail_v = 0, False, None
        self._largest_v = max(self._largest_v, size)
        if size < RAIL_SHARE * self._largest_v:
            self._inside = False
        elif flat and not self._inside:
            self._inside = True
            self._times += 1
            if self._times >= TIMES:
                self.rail_v = self._largest_v
