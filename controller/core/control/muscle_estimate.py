"""What is believed of the muscle beside what was identified: its strength, and how much later it answers.

Both are read from the torque balance of a swing, bounded, and acted on beyond a dead band. The balance errs
by more in the delay than the delay differs between people, but by the same at every stride of one person:
therefore only a change since the first strides is believed.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.core.params import Learning

Curve = NDArray[np.float64]

TORQUE_SHOWS_NM = 1.0  # below this the torque balance says nothing about the muscle
GAIN_SEEN_SD = 0.25  # of one swing's logarithmic gain: the balance knows neither hip nor muscle length
JUMP_SD = 1.5  # two swings in a row this far from what was believed are no accident
GAIN_STEP = math.log(2.0)  # the most a belief may move in one stride

LATE_MOST_S = 0.04  # a tired muscle answers 20 to 30 ms later (electromechanical delay, unverified)
LATE_DEAD_BAND_S = 0.012
LATE_SHARE = 0.2  # of what one swing says
LATE_STEP_S = 0.03  # a swing that says more is odd
SETTLING_STRIDES = 6  # the command still changes its shape, and with it what the balance errs by
FIRST_STRIDES = 10  # after these: what later ones are compared with
SHIFTS_S = np.arange(-0.09, 0.0901, 0.005)
ALIKE = 0.8  # correlation of the torque that was needed with the one that was made


@dataclass(slots=True)
class Gain:
    """The muscle's gain as a factor on the identified one, in logarithm with its variance.

    Fatigue, electrode shift and a wrong identification all show here. Recursive estimate, one value a swing.
    """

    gain: float
    variance: float
    log_gain: float = 0.0
    miss: float = 0.0  # of the last swing from what was expected, in standard deviations

    def learn(self, needed_nm: Curve, made_nm: Curve, learning: Learning) -> None:
        """One torque for another: the factor that explains the swing best, weighed by what is known."""
        if math.sqrt(float(np.mean(made_nm**2))) < TORQUE_SHOWS_NM:
            return
        seen = float(made_nm @ needed_nm) / float(made_nm @ made_nm)
        seen = math.log(min(learning.gain_max, max(learning.gain_min, seen)))
        variance = self.variance + learning.gain_drift**2
        spread = math.sqrt(variance + GAIN_SEEN_SD**2)
        off = seen - self.log_gain
        miss = off / spread
        if min(abs(miss), abs(self.miss)) > JUMP_SD and miss * self.miss > 0.0:
            variance = learning.gain_sd**2  # twice in a row: the electrode has moved
        else:
            off = _within(off, JUMP_SD * spread)  # once: this swing was odd
        self.miss = miss
        share = variance / (variance + GAIN_SEEN_SD**2)
        self.variance = (1.0 - share) * variance
        self.log_gain += _within(share * off, GAIN_STEP)
        if abs(self.log_gain - math.log(self.gain)) > learning.dead_band:
            self.gain = math.exp(self.log_gain)


@dataclass(slots=True)
class Lateness:
    """How much later than in the first strides the muscle answers; ``late_s`` is acted on."""

    late_s: float = 0.0
    strides: int = 0
    _first_s: list[float] = field(default_factory=list)
    _mean_s: float = 0.0

    def learn(self, seen_s: float) -> bool:
        """Take what one swing says; whether ``late_s`` has changed."""
        self.strides += 1
        if self.strides <= SETTLING_STRIDES:
            return False
        if len(self._first_s) < FIRST_STRIDES:
            self._first_s.append(seen_s)
            return False
        off_s = seen_s - statistics.median(self._first_s) - self._mean_s
        self._mean_s += LATE_SHARE * _within(off_s, LATE_STEP_S)
        dead_band_s = max(LATE_DEAD_BAND_S, statistics.pstdev(self._first_s))
        if abs(self._mean_s - self.late_s) <= dead_band_s:
            return False
        before_s, self.late_s = self.late_s, _within(self._mean_s, LATE_MOST_S)
        return self.late_s != before_s


def shift_s(t_s: Curve, needed_nm: Curve, made_t_s: Curve, made_nm: Curve) -> float | None:
    """By how much ``made_nm`` (m,) at ``made_t_s`` (m,) must come later to be most like ``needed_nm`` (n,) at
    ``t_s`` (n,); ``None`` where it is not alike anywhere within ``SHIFTS_S``.
    """
    made = np.interp(t_s[None, :] - SHIFTS_S[:, None], made_t_s, made_nm)
    made = made - made.mean(axis=1, keepdims=True)
    needed = needed_nm - needed_nm.mean()
    size = np.sqrt(np.sum(made**2, axis=1) * float(needed @ needed))
    alike = np.divide(made @ needed, size, out=np.zeros(len(SHIFTS_S)), where=size > 0.0)
    best = int(np.argmax(alike))
    if alike[best] < ALIKE or not 0 < best < len(SHIFTS_S) - 1:
        return None
    before, here, after = alike[best - 1 : best + 2].tolist()
    bend = before - 2.0 * here + after
    return float(
        SHIFTS_S[best] + (0.5 * (before - after) / bend * (SHIFTS_S[1] - SHIFTS_S[0]) if bend < 0.0 else 0.0)
    )


def _within(value: float, bound: float) -> float:
    return min(bound, max(-bound, value))
