"""Cycling told from walking: the limb turns to and fro evenly, and no ground ever strikes it.

A leg that walks turns quickly in swing, slowly or not at all in stance, and is struck at contact. On pedals
it turns like a sine, whose mean size is 0.90 of its r.m.s. value.
"""

from __future__ import annotations

from math import sqrt

EVEN_SHARE = (
    0.84  # mean size of the rate over its r.m.s. value; 19 of 20 walking shanks and all feet are below
)
BLOW_MPS2 = 4.0  # of acceleration unforeseen; the softest landings on record peak at 13
RATE_MIN_RPS = 0.4  # r.m.s.; on pedals at 35 a minute a foot turns at 0.5
REVOLUTION_S = (0.4, 2.5)
REVOLUTIONS = 2  # in a row

Sums = tuple[float, float, float]  # over one half: time, size of the rate, rate squared
NOTHING: Sums = (0.0, 0.0, 0.0)


class Pedalling:
    """Judges the last whole revolution at every turning point, forward and back; a blow ends them at once."""

    def __init__(self) -> None:
        self._even = 0  # judged so in a row; each shares a half with the one before
        self._was_rps = 0.0
        self._half = self._half_before = NOTHING
        self._begun = False  # the half at hand began at a turning point

    @property
    def cycles(self) -> bool:
        return self._even >= 2 * REVOLUTIONS - 1

    def update(self, dt_s: float, rate_rps: float, shake_mps2: float) -> None:
        """Take one sample's sagittal rate and shake."""
        half_s, size, square = self._half
        half_s += dt_s
        self._half = (half_s, size + dt_s * abs(rate_rps), square + dt_s * rate_rps * rate_rps)
        turns = (rate_rps > 0.0) != (self._was_rps > 0.0) and half_s > REVOLUTION_S[0] / 2.0
        self._was_rps = rate_rps
        if shake_mps2 > BLOW_MPS2 or half_s + self._half_before[0] > REVOLUTION_S[1]:
            self._even, self._begun = 0, False
            self._half = self._half_before = NOTHING
        elif turns:
            if self._half_before is not NOTHING:
                self._even = self._even + 1 if self._is_even() else 0
            self._half_before = self._half if self._begun else NOTHING
            self._half, self._begun = NOTHING, True

    def _is_even(self) -> bool:
        """Of the revolution that the last two halves make."""
        (half_s, size, square), (before_s, size_before, square_before) = self._half, self._half_before
        whole_s = half_s + before_s
        rms_rps = sqrt((square + square_before) / whole_s)
        return rms_rps > RATE_MIN_RPS and (size + size_before) / whole_s > EVEN_SHARE * rms_rps
