"""Stimulation pulses found in the EMG itself, where no log of them is given: when, and of which source.

A pulse is seen by many electrodes at the same instant and rises faster than any muscle's activity. An
electrode votes where its curvature jumps over its own quiet level; votes of enough electrodes within a moment
are a pulse. Where earlier pulses came evenly fewer votes are enough for the next. Pulses that
spread alike over the electrodes are of one source.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
JUMP = 2.5  # over the largest curvature of the moment before
BEFORE_S = 0.003
OVER_QUIET = 5.0  # over the median curvature
QUIET_STEP = 0.003  # of the median a sample; it is known after a third of a second at 1 kHz
VOTES_WITHIN_S = 0.0015
VOTES_SHARE = 0.3  # of the electrodes
EXPECTED_S = 0.0015  # how far from even a pulse may come
PERIOD_S = (0.008, 0.125)  # 8 to 125 Hz
APART_S = 0.005
ALIKE = 0.85  # cosine between two spreads
SOURCES_MAX = 6
SPREAD_STEP = 0.1
LONE_OVER_QUIET = 20.0  # one electrode has no witness; a stimulated muscle's own artefact is as large


@dataclass(frozen=True, slots=True)
class FoundPulse:
    """A pulse by its first sign in the EMG; ``source`` counts the spreads over the electrodes from 0."""

    t_ns: int
    source: int


class PulseFinder:
    """Takes rows of one sensor in order of time. A pulse is known ``VOTES_WITHIN_S`` after it."""

    def __init__(self, rate_hz: float, electrodes: int) -> None:
        self.rate_hz, self.electrodes = rate_hz, electrodes
        self._before = max(1, round(BEFORE_S * rate_hz))
        self._within = max(1, round(VOTES_WITHIN_S * rate_hz))
        self._needed = max(1, math.ceil(VOTES_SHARE * electrodes))
        self._over = OVER_QUIET if electrodes > 1 else LONE_OVER_QUIET
        self._rows: deque[Array] = deque(maxlen=3)
        self._curvature: deque[Array] = deque(maxlen=self._before)
        self._quiet = np.zeros(electrodes)
        self._voted = np.full(electrodes, -self._within - 1)
        self._times_ns: deque[int] = deque(maxlen=self._within + 1)
        self._n = 0
        self._found: deque[int] = deque(maxlen=16)
        self._spreads: list[Array] = []

    def step(self, t_ns: int, row: Array) -> FoundPulse | None:
        """One row of finite volts; a pulse where one is found now."""
        self._rows.append(row)
        self._times_ns.append(t_ns)
        self._n += 1
        if len(self._rows) < 3:
            return None
        now = np.abs(self._rows[2] - 2.0 * self._rows[1] + self._rows[0])
        if len(self._curvature) < self._before:
            self._curvature.append(now)
            self._quiet = np.mean(self._curvature, axis=0)
            return None
        self._quiet *= np.where(now > self._quiet, 1.0 + QUIET_STEP, 1.0 - QUIET_STEP)
        self._quiet = np.maximum(self._quiet, 1e-12)
        floor = np.maximum(JUMP * np.max(self._curvature, axis=0), self._over * self._quiet)
        self._curvature.append(now)
        self._voted[now > floor] = self._n
        fresh = self._voted > self._n - self._within
        votes = int(np.count_nonzero(fresh))
        if votes == 0 or votes < (self._needed + 1) // 2:
            return None
        back = min(int(self._n - np.min(self._voted[fresh])), len(self._times_ns) - 1)
        pulse_ns = self._times_ns[-1 - back]
        if self._found and pulse_ns - self._found[-1] < APART_S * 1e9:
            return None
        if votes < self._needed and not self._expected(pulse_ns):
            return None
        self._found.append(pulse_ns)
        return FoundPulse(pulse_ns, self._source(np.log1p(now / self._quiet)))

    def _expected(self, pulse_ns: int) -> bool:
        """Whether an even train so far would give a pulse now."""
        for i, later in enumerate(self._found):
            period_ns = pulse_ns - later
            if PERIOD_S[0] * 1e9 <= period_ns <= PERIOD_S[1] * 1e9:
                for earlier in list(self._found)[:i]:
                    if abs(later - earlier - period_ns) <= EXPECTED_S * 1e9:
                        return True
        return False

    def _source(self, spread: Array) -> int:
        spread = spread / max(1e-12, float(np.linalg.norm(spread)))
        alike = [float(spread @ one) for one in self._spreads]
        best = int(np.argmax(alike)) if alike else -1
        if best < 0 or (alike[best] < ALIKE and len(self._spreads) < SOURCES_MAX):
            self._spreads.append(spread)
            return len(self._spreads) - 1
        moved = self._spreads[best] + SPREAD_STEP * (spread - self._spreads[best])
        self._spreads[best] = moved / float(np.linalg.norm(moved))
        return best
