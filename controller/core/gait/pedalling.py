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


class Pedalling:
    """Counts even revolutions, from one turn forward to the next; a blow ends them at once."""

    def __init__(self) -> None:
        self._count = 0
        self._was_rps = 0.0
        self._time_s = self._mean = self._square = 0.0

    @property
    def cycles(self) -> bool:
        return self._count >= REVOLUTIONS

    def update(self, dt_s: float, rate_rps: float, shake_mps2: float) -> None:
        """Take one sample's sagittal rate and shake."""
        self._time_s += dt_s
        self._mean += dt_s * abs(rate_rps)
        self._square += dt_s * rate_rps * rate_rps
        if shake_mps2 > BLOW_MPS2 or self._time_s > REVOLUTION_S[1]:
            self._count = -1  # the revolution at hand is none
            self._time_s = self._mean = self._square = 0.0
        elif rate_rps > 0.0 >= self._was_rps and self._time_s > REVOLUTION_S[0]:
            rms_rps = sqrt(self._square / self._time_s)
            even = rms_rps > RATE_MIN_RPS and self._mean / self._time_s > EVEN_SHARE * rms_rps
            self._count = self._count + 1 if even or self._count < 0 else 0
            self._time_s = self._mean = self._square = 0.0
        self._was_rps = rate_rps
