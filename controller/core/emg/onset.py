"""When a person's own effort begins: a threshold over rest with hysteresis and a refractory time.

Threshold in SD of the resting envelope above its mean (Hodges and Bui 1996), held for a moment, released at a
lower one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

HELD_S = 0.008  # above the threshold; a knock on the electrode is shorter
# The answer to a pulse unlike those before leaves 1.2 to 2.5 times the rest for a moment (docs/emg.md).
STIMULATED_SD_SHARE = 0.3
SD_SHARE_MIN = 0.08  # of the mean: a rest measured for a short time looks steadier than it is


@dataclass(slots=True)
class RestMeasure:
    """Mean and SD of the envelope while the person rests; the highest twentieth is left to the threshold."""

    count: int = 0
    mean_v: float = 0.0
    _m2: float = 0.0

    def take(self, envelope_v: float) -> None:
        self.count += 1
        delta = envelope_v - self.mean_v
        self.mean_v += delta / self.count
        self._m2 += delta * (envelope_v - self.mean_v)

    @property
    def sd_v(self) -> float:
        return math.sqrt(self._m2 / self.count) if self.count else 0.0


class Trigger:
    """One muscle's trigger. ``on`` while the effort lasts; ``fired`` counts onsets."""

    def __init__(self, on_sd: float, off_sd: float, refractory_s: float) -> None:
        self._on_sd, self._off_sd = on_sd, off_sd
        self._refractory_ns = round(refractory_s * 1e9)
        self._above_ns: int | None = None
        self._fired_ns: int | None = None
        self.on = False
        self.fired = 0

    def step(
        self, t_ns: int, envelope_v: float | None, mean_v: float, sd_v: float, *, stimulated: bool = False
    ) -> bool:
        """The trigger at this time; an envelope that is not known neither begins nor holds it.

        ``stimulated``: pulses have just been given, and what is left of their answers must not trigger.
        """
        sd_v = max(sd_v, (STIMULATED_SD_SHARE if stimulated else SD_SHARE_MIN) * mean_v)
        if envelope_v is None:
            self.on, self._above_ns = False, None
        elif self.on:
            self.on = envelope_v >= mean_v + self._off_sd * sd_v
            self._above_ns = None
        elif envelope_v < mean_v + self._on_sd * sd_v:
            self._above_ns = None
        else:
            if self._above_ns is None:
                self._above_ns = t_ns
            ready = self._fired_ns is None or t_ns - self._fired_ns >= self._refractory_ns
            if ready and t_ns - self._above_ns >= HELD_S * 1e9:
                self.on, self._fired_ns = True, t_ns
                self.fired += 1
        return self.on
