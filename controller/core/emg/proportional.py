"""Current in proportion to the person's own effort, and why it cannot feed on itself.

Stimulation leaves a residual, the residual is taken for effort, effort asks for stimulation: a loop. Its gain
is the controller's gain times the effort that a full current alone would feign. What knows of the pulse is
not the person's (``m_wave``), so the feigned effort is measured while the loop is closed; the controller's
gain is lowered where the product would pass ``LOOP_GAIN_MAX`` (Yeom and Chang 2010 ask for less than 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LOOP_GAIN_MAX = 0.5  # a loop of gain g multiplies an effort by 1 / (1 - g) and forgets it in time
SLOPE_TAU_S = 2.0  # of stimulation, over which the residual is measured
SHARE_MIN = 0.03  # of the full current: less is not felt, and tells nothing of the slope
ENDS_S = 0.03
FEIGNS_S = 0.25  # after the last pulse nothing of it is left in the envelope, whose window is half as long
ELAPSED_MAX_S = 0.1


@dataclass(frozen=True, slots=True)
class ProportionalParams:
    """``gain``: share of the full current for a full effort. It begins at an activation of ``begins`` and
    ends where that has not been held for ``ENDS_S``, or at half of it. A share below ``SHARE_MIN`` is none.

    ``gain_rise_s``: time in which the gain comes in, from 0; ``rise_per_s``: how fast the share may rise.
    """

    gain: float = 1.5
    begins: float = 0.12
    least: float = 0.0  # share of the current where it begins
    most: float = 1.0
    gain_rise_s: float = 1.0
    rise_per_s: float = 2.0

    def __post_init__(self) -> None:
        """Raise ValueError where a number makes no sense."""
        if not 0.0 < self.begins < 1.0:
            raise ValueError(f"begins: {self.begins}, allowed: above 0 and below 1")
        if not 0.0 <= self.least <= self.most <= 1.0:
            raise ValueError("least and most must be in order, from 0 to 1")
        if not (0.0 < self.gain <= 20.0 and self.gain_rise_s > 0.0 and self.rise_per_s > 0.0):
            raise ValueError("gain (0 to 20), gain_rise_s and rise_per_s must be above 0")


@dataclass(frozen=True, slots=True)
class ProportionalOutput:
    """``share`` of the full current; ``gain`` in force; ``loop_gain`` None until it is known."""

    share: float
    gain: float
    loop_gain: float | None
    reason: str


class Proportional:
    """One muscle's proportional control. Feed it every tick."""

    def __init__(self, params: ProportionalParams) -> None:
        self.params = params
        self._slope: float | None = None  # activation that a full current alone would feign
        self._rise_s = 0.0
        self._share = self._asked = self._below_s = 0.0
        self._on = False
        self._idle_s = 0.0  # since current was last asked for

    def step(
        self, elapsed_s: float, activation: float, leak: float | None, quality: str, floor: float = 0.0
    ) -> ProportionalOutput:
        """``activation``, ``leak`` and ``floor`` as the estimator gives them; ``quality`` not '': no current.

        Below ``floor`` no effort begins: where the person's most is little over rest, rest comes so far.
        """
        p = self.params
        elapsed_s = min(max(elapsed_s, 0.0), ELAPSED_MAX_S)
        if leak is not None and self._share >= SHARE_MIN:
            slope = leak / self._share
            step = min(1.0, elapsed_s / SLOPE_TAU_S)
            self._slope = (
                slope
                if self._slope is None
                else max(slope * step, self._slope + step * (slope - self._slope))
            )
        if quality:
            self._share, self._asked, self._rise_s, self._on = 0.0, 0.0, 0.0, False
            return ProportionalOutput(0.0, 0.0, self.loop_gain(0.0), quality)
        self._rise_s = min(p.gain_rise_s, self._rise_s + elapsed_s)
        wanted = p.gain * self._rise_s / p.gain_rise_s
        gain = wanted if not self._slope else min(wanted, LOOP_GAIN_MAX / self._slope)
        self._idle_s = 0.0 if self._share > 0.0 else self._idle_s + elapsed_s
        feigned = leak if leak is not None and self._idle_s < FEIGNS_S else 0.0
        own = math.sqrt(max(0.0, activation**2 - feigned**2))
        begins = max(p.begins, floor)
        self._below_s = self._below_s + elapsed_s if own < begins else 0.0
        self._on = own >= begins or (self._on and own >= 0.5 * begins and self._below_s < ENDS_S)
        aim = min(p.most, p.least + gain * max(0.0, own - 0.5 * begins)) if self._on else 0.0
        self._asked = min(aim, self._asked + p.rise_per_s * elapsed_s)
        self._share = self._asked if self._asked >= SHARE_MIN else 0.0
        reason = "" if gain == wanted or wanted < p.gain else "gain lowered: stimulation is heard in the EMG"
        return ProportionalOutput(self._share, gain, self.loop_gain(gain), reason)

    def loop_gain(self, gain: float) -> float | None:
        """Of the loop stimulation, residual, envelope, stimulation; None before any was given."""
        return None if self._slope is None else gain * self._slope
