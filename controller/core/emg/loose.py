"""Mains that appears at once: an electrode that lifts, told before its noise is taken for an effort.

Two looks. *Late*: samples behind the answers to pulses, before anything is taken off; the answers to a steady
train learn the mains of a lifted electrode and take it off with them. *Sudden*: a signal that jumps from rest
is held back until enough of it was seen to tell whether it is the mains.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LONG_S, LONG_SHARE, LONG_SAMPLES = 0.25, 0.75, 40  # samples: at 1 kHz and below, above it so many ms
LONG_STEP_S = 0.1  # between two looks
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
AFTER_MAX = 100  # samples after a pulse are told apart; later there is nothing of its answer
USUAL_STEP = 0.2
SUDDEN_MAX_S = 0.45  # a sudden signal that is half mains counts then: an effort is not held back for ever
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
        at = np.array(after)
        many = np.maximum(np.bincount(at), 1)
        y = y - (np.bincount(at, y) / many)[at]
        sines = sines - np.array([(np.bincount(at, one) / many)[at] for one in sines])
        columns += len(set(after))
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
        dense = max(1.0, rate_hz / 1000.0)  # more samples of the same time tell no more
        self._block_samples, self._long_samples = round(BLOCK_SAMPLES * dense), round(LONG_SAMPLES * dense)
        self._not, self._sure, self._half = (
            round(one * dense) for one in (NOT_SAMPLES, SURE_SAMPLES, HALF_SAMPLES)
        )
        self._omega_per_ns, self._orders = 2.0 * math.pi * mains_hz / 1e9, orders
        self._late: deque[tuple[int, float, int, float]] = deque()  # time, volts, after, volts less the usual
        self._usual_v = [0.0] * (AFTER_MAX + 1)  # of the samples of a number, while nothing is sudden
        self._look_ns = 0
        self._count, self._power = 0, 0.0  # of the present block
        self._before: deque[tuple[int, float]] = deque()
        self._first_ns = self._since_ns = 0  # of the block, of what is sudden
        self._clean: list[tuple[int, float]] = []
        self.sudden = False

    def late(self, t_ns: int, volts: float, rest_v: float, after: int) -> Line | None:
        """A sample behind the answers to pulses, before cleaning; ``after``: its number since a pulse."""
        less_v = volts - self._usual_v[after]
        self._late.append((t_ns, volts, after, less_v))
        if not self.sudden and after < AFTER_MAX:
            self._usual_v[after] += USUAL_STEP * less_v
        if t_ns < self._look_ns:
            return None
        self._look_ns = t_ns + round(LONG_STEP_S * 1e9)
        while self._late[0][0] < t_ns - LONG_S * 1e9:
            self._late.popleft()
        if len(self._late) < self._long_samples:
            return None
        if sum([one[3] ** 2 for one in self._late]) < len(self._late) * (JUMP_FROM * rest_v) ** 2:
            return None
        times, values, afters, _ = (list(one) for one in zip(*self._late, strict=True))
        found = line(times, values, self._omega_per_ns, self._orders, afters)
        if found is None:  # the mains' own rate or half of it: where the answer has quite ended
            ended = [k for k, one in enumerate(afters) if one >= self._ended]
            times, values = [times[k] for k in ended], [values[k] for k in ended]
            found = line(times, values, self._omega_per_ns, self._orders)
        return self._take(found) if found is not None and found.share > LONG_SHARE else None

    def cleaned(
        self, t_ns: Sequence[int], volts: Sequence[float], rest_v: float, behind: Callable[[int], bool]
    ) -> Line | None:
        """Clean samples; ``behind`` tells of a time whether it lies behind the answers to pulses."""
        found, count, power, needed = None, self._count, self._power, self._block_samples
        for now_ns, one in zip(t_ns, volts, strict=True):
            if count == 0:
                self._first_ns = now_ns
            count += 1
            power += one * one
            if self.sudden and behind(now_ns):
                self._clean.append((now_ns, one))
            if count == needed:
                found = self._block(now_ns, math.sqrt(power / count), rest_v) or found
                count, power = 0, 0.0
        self._count, self._power = count, power
        return found

    def _block(self, t_ns: int, size_v: float, rest_v: float) -> Line | None:
        """A block of clean samples, r.m.s. ``size_v``."""
        while self._before and self._before[0][0] < t_ns - BLOCKS_BEFORE_S * 1e9:
            self._before.popleft()
        quiet_v = min([v for _, v in self._before], default=size_v)
        self._before.append((t_ns, size_v))
        if not self.sudden and size_v >= JUMP_TO * rest_v and quiet_v <= JUMP_FROM * rest_v:
            self.sudden, self._since_ns = True, self._first_ns
            self._clean.clear()
        return self._judged(t_ns, size_v, rest_v) if self.sudden else None

    def _judged(self, t_ns: int, size_v: float, rest_v: float) -> Line | None:
        quiet = size_v <= JUMP_FROM * rest_v and len(self._clean) >= self._block_samples
        if quiet or t_ns - self._since_ns > SUDDEN_MAX_S * 1e9:
            self.sudden = False
            return None
        late = [(t_ns, less_v) for t_ns, _, _, less_v in self._late if t_ns >= self._since_ns]
        judged = False
        for samples in (late, self._clean):
            if len(samples) < self._not:
                return None
            times, values = [one[0] for one in samples], [one[1] for one in samples]
            found = line(times, values, self._omega_per_ns, self._orders)
            if found is None:
                return None
            needed = SURE_SHARE if len(samples) < self._half else HALF_SHARE
            if found.share > needed and len(samples) >= self._sure:
                return self._take(found)
            judged = judged or found.share >= NOT_SHARE
        self.sudden = judged
        return None

    def _take(self, found: Line) -> Line:
        self._late.clear()
        self._usual_v = [0.0] * (AFTER_MAX + 1)
        self._clean.clear()
        self._before.clear()
        self.sudden = False
        return found


class MainsGrew:
    """Whether the mains of an electrode is many times what it usually is there."""

    def __init__(self) -> None:
        self._usual_v: float | None = None
        self.loose = False

    def step(
        self, elapsed_s: float, mains_v: float, envelope_v: float | None, rest_v: float, *, sure: bool
    ) -> None:
        """``sure``: the mains was measured away from answers to pulses, which slow sensors take for it."""
        usual_v = mains_v if self._usual_v is None else min(self._usual_v, mains_v)
        if envelope_v is not None and envelope_v < JUMP_FROM * rest_v:
            usual_v += (mains_v - usual_v) * min(1.0, elapsed_s / USUAL_TAU_S)
        self._usual_v = usual_v
        limit_v = max(GREW * usual_v, OVER_REST * rest_v)
        self.loose = mains_v > ENDS_SHARE * limit_v if self.loose else sure and mains_v > limit_v
