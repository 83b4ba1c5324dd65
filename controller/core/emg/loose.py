"""Mains that appears at once: an electrode that lifts, told before its noise is taken for an effort.

Two looks. *Late*: samples behind the answers to pulses, before anything is taken off; the answers to a steady
train learn the mains of a lifted electrode and take it off with them. *Sudden*: a signal that jumps from rest
is held back until enough of it was seen to tell whether it is the mains.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

LONG_S, LONG_SHARE, LONG_SAMPLES = 0.25, 0.6, 40
LONG_STEP_S = 0.05  # between two looks
SURE_SHARE, SURE_SAMPLES = 0.8, 24  # of a sudden signal: surely the mains
HALF_SHARE, HALF_SAMPLES = 0.6, 60
NOT_SHARE, NOT_SAMPLES = 0.3, 14  # below it: surely not
ENDED_S = 0.02  # after a pulse nothing of its answer is left
SPREAD_MIN = 0.15  # of samples over the mains' cycle (0.5: even); pulses at the mains' own rate leave none
BLOCK_SAMPLES = 8
JUMP_TO, JUMP_FROM = 5.0, 1.6  # times rest: the newest block, and the least of the ones before it
BLOCKS_BEFORE_S = 0.03
GREW, OVER_REST = 4.0, 5.0  # times what the mains usually is here, times rest
USUAL_TAU_S = 60.0
ENDS_SHARE = 0.5  # of what tells a loose electrode: hysteresis
AFTER_MAX = 100  # samples after a pulse: later there is nothing of its answer
USUAL_STEP = 0.2
SUDDEN = "not known yet: a sudden signal is compared with the mains"


@dataclass(frozen=True, slots=True)
class Line:
    """Mains in some samples: a complex amplitude for each order, and the share of the power it explains."""

    weights: tuple[complex, ...]
    share: float


def line(
    t_ns: list[int],
    volts: list[float],
    omega_per_ns: float,
    orders: list[int],
    after: list[int] | None = None,
) -> Line | None:
    """Least squares; None where the samples are not spread over the cycle, or too few.

    ``after``: number of each sample since the pulse before; what all samples of a number share is the end of
    the answer and is left out.
    """
    count, columns = len(t_ns), 2 * len(orders)
    if count <= 2 * columns:
        return None
    y = np.array(volts)
    phase = omega_per_ns * np.array(t_ns, dtype=np.float64)
    turns = np.outer(orders, phase)
    sines = np.concatenate((np.cos(turns), -np.sin(turns)))
    if after is not None:
        _, at, many = np.unique(after, return_inverse=True, return_counts=True)
        y = y - (np.bincount(at, y) / many)[at]
        sines = sines - np.array([(np.bincount(at, one) / many)[at] for one in sines])
        columns += len(many)
        if count <= 2 * columns:
            return None
    gram = sines @ sines.T
    if np.linalg.eigvalsh(gram)[0] < SPREAD_MIN * count:
        return None
    met = sines @ y
    found = np.linalg.solve(gram, met)
    left, power = float(y @ y - met @ found), float(y @ y)
    share = 1.0 - (left / (count - columns)) / (power / count) if power > 0.0 else 0.0
    half = len(orders)
    return Line(tuple(complex(found[k], found[half + k]) for k in range(half)), share)


class MainsAppears:
    """Feed :meth:`late` and :meth:`cleaned`; a :class:`Line` that comes back is mains that is there now."""

    def __init__(self, mains_hz: float, orders: list[int], rate_hz: float) -> None:
        self._ended = round(ENDED_S * rate_hz)
        self._omega_per_ns, self._orders = 2.0 * math.pi * mains_hz / 1e9, orders
        self._late: deque[tuple[int, float, int, float]] = deque()  # time, volts, after, volts less the usual
        self._usual_v: dict[int, float] = {}  # of the samples of a number, while nothing is sudden
        self._look_ns = 0
        self._block: list[float] = []
        self._before: deque[tuple[int, float]] = deque()
        self._first_ns = self._since_ns = 0  # of the block, of what is sudden
        self._clean: list[tuple[int, float]] = []
        self.sudden = False

    def late(self, t_ns: int, volts: float, rest_v: float, after: int) -> Line | None:
        """A sample behind the answers to pulses, before cleaning; ``after``: its number since a pulse."""
        usual_v = self._usual_v.get(after, 0.0)
        self._late.append((t_ns, volts, after, volts - usual_v))
        if not self.sudden and after < AFTER_MAX:
            self._usual_v[after] = usual_v + USUAL_STEP * (volts - usual_v)
        if t_ns < self._look_ns:
            return None
        self._look_ns = t_ns + round(LONG_STEP_S * 1e9)
        while self._late[0][0] < t_ns - LONG_S * 1e9:
            self._late.popleft()
        if len(self._late) < LONG_SAMPLES:
            return None
        times, values, afters, _ = (list(one) for one in zip(*self._late, strict=True))
        if sum(v * v for v in values) < len(values) * (JUMP_FROM * rest_v) ** 2:
            return None
        found = line(times, values, self._omega_per_ns, self._orders, afters)
        if found is None:  # the mains' own rate or half of it: where the answer has quite ended
            ended = [k for k, one in enumerate(afters) if one >= self._ended]
            times, values = [times[k] for k in ended], [values[k] for k in ended]
            found = line(times, values, self._omega_per_ns, self._orders)
        return self._take(found) if found is not None and found.share > LONG_SHARE else None

    def cleaned(self, t_ns: int, volts: float, rest_v: float, *, behind: bool) -> Line | None:
        """A clean sample; ``behind`` the answers to pulses."""
        if not self._block:
            self._first_ns = t_ns
        self._block.append(volts)
        if self.sudden and behind:
            self._clean.append((t_ns, volts))
        if len(self._block) < BLOCK_SAMPLES:
            return None
        size_v = math.sqrt(sum(v * v for v in self._block) / len(self._block))
        self._block.clear()
        while self._before and self._before[0][0] < t_ns - BLOCKS_BEFORE_S * 1e9:
            self._before.popleft()
        quiet_v = min((v for _, v in self._before), default=size_v)
        self._before.append((t_ns, size_v))
        if not self.sudden and size_v >= JUMP_TO * rest_v and quiet_v <= JUMP_FROM * rest_v:
            self.sudden, self._since_ns = True, self._first_ns
            self._clean.clear()
        return self._judged(size_v, rest_v) if self.sudden else None

    def _judged(self, size_v: float, rest_v: float) -> Line | None:
        if size_v <= JUMP_FROM * rest_v and len(self._clean) >= BLOCK_SAMPLES:
            self.sudden = False
            return None
        late = [(t_ns, less_v) for t_ns, _, _, less_v in self._late if t_ns >= self._since_ns]
        judged = False
        for samples in (late, self._clean):
            if len(samples) < NOT_SAMPLES:
                return None
            times, values = [one[0] for one in samples], [one[1] for one in samples]
            found = line(times, values, self._omega_per_ns, self._orders)
            if found is None:
                return None
            needed = SURE_SHARE if len(samples) < HALF_SAMPLES else HALF_SHARE
            if found.share > needed and len(samples) >= SURE_SAMPLES:
                return self._take(found)
            judged = judged or found.share >= NOT_SHARE
        self.sudden = judged
        return None

    def _take(self, found: Line) -> Line:
        self._late.clear()
        self._usual_v.clear()
        self._clean.clear()
        self._before.clear()
        self.sudden = False
        return found


class MainsGrew:
    """Whether the mains of an electrode is many times what it usually is there."""

    def __init__(self) -> None:
        self._usual_v: float | None = None
        self.loose = False

    def step(self, elapsed_s: float, mains_v: float, envelope_v: float | None, rest_v: float) -> None:
        usual_v = mains_v if self._usual_v is None else min(self._usual_v, mains_v)
        if envelope_v is not None and envelope_v < JUMP_FROM * rest_v:
            usual_v += (mains_v - usual_v) * min(1.0, elapsed_s / USUAL_TAU_S)
        self._usual_v = usual_v
        limit_v = max(GREW * usual_v, OVER_REST * rest_v)
        self.loose = mains_v > (ENDS_SHARE if self.loose else 1.0) * limit_v
