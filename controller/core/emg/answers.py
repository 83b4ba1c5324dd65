"""What earlier pulses were answered with, kept as references for the next ones."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from controller.core.emg.prediction import Array

RECENT = 8  # last answers kept as they are
BINS = 6  # of charge, a mean of each
MEAN_OF = 16  # answers a mean reaches back over
KNOWN_AFTER = 4  # answers of a kind
LATER_MAX = 2  # samples by which a reference may be seen later than a segment
PLACE_TOLERANCE = 0.1  # of a sample
LAG_ALIKE_NS, LAGS_ALIKE = 1_000_000, 8  # of the last ones
MOVED = 0.02  # of a sample; less is no shift
NOISE_MIN_V2 = 1e-18
TAPS = np.arange(-2, 4)


@dataclass(frozen=True, slots=True)
class Chosen:
    """References on a segment's grid, newest first: rows (n, frame), the noise power in each, which is the
    strongest, and the samples from ``first`` to before ``reach`` that all of them are seen in."""

    rows: Array
    noise_v2: Array
    strongest: int
    first: int
    reach: int


class Answers:
    """Answers to pulses of one kind: a ring of the last ones, then means by charge.

    A row lies ``offset`` samples after its pulse, is seen from sample ``first`` to ``length``, carries noise.
    """

    def __init__(self, frame: int) -> None:
        self.count = 0
        self.strongest_nc: tuple[float, ...] = ()  # the largest charges of which answers were learned
        self.lags_ns: deque[int | None] = deque(maxlen=RECENT)  # after another channel
        self.rows = np.zeros((RECENT + BINS, frame))
        self.noise_v2 = np.zeros(RECENT + BINS)
        self.offset = [0.0] * (RECENT + BINS)
        self._seen = [(0, 0)] * (RECENT + BINS)
        self._energy = [0.0] * (RECENT + BINS)
        self._weight = [0.0] * (RECENT + BINS)  # answers in a row

    def add(self, samples: Array, seen: tuple[int, int], offset: float, noise_v2: float) -> None:
        """Keep one answer in place of the oldest."""
        at = self.count % RECENT
        self.rows[at], self.noise_v2[at], self.offset[at], self._seen[at] = samples, noise_v2, offset, seen
        self._energy[at], self._weight[at] = float(samples @ samples), 1.0
        self.count += 1

    def mean(self, place: int, samples: Array, seen: tuple[int, int], noise_v2: float) -> None:
        """Take one answer, on the grid that begins at its pulse, into a mean."""
        at = RECENT + place
        before = self._weight[at]
        weight = self._weight[at] = min(before + 1.0, MEAN_OF)
        row = self.rows[at]
        row += (samples - row) / weight
        self._energy[at] = float(row @ row)
        noise_v2 = self.noise_v2[at] * before + (noise_v2 - self.noise_v2[at] * before) / weight
        self.noise_v2[at] = noise_v2 / weight
        kept = self._seen[at] if before else seen
        self._seen[at] = max(kept[0], seen[0]), min(kept[1], seen[1])

    def met(self, lag_ns: int | None) -> bool:
        """Whether the last answers all came so long after another channel's pulse, whose own they hold."""
        if lag_ns is None:
            return True
        alike = [one is not None and abs(one - lag_ns) < LAG_ALIKE_NS for one in self.lags_ns]
        return sum(alike) >= LAGS_ALIKE

    def of_use(self, first: int, offset: float) -> Chosen:
        """References of a segment seen from sample ``first`` on; those seen earliest where few are."""
        newest = self.count - 1
        at = [(newest - back) % RECENT for back in range(min(self.count, RECENT))]
        at += [place for place in range(RECENT, RECENT + BINS) if self._weight[place]]
        earlier = [self.offset[k] - offset for k in at]
        begins = [
            math.ceil(self._seen[k][0] + by - PLACE_TOLERANCE) for k, by in zip(at, earlier, strict=True)
        ]
        latest = max(first + LATER_MAX, sorted(begins)[KNOWN_AFTER - 1])
        if max(begins) > latest:
            kept = [i for i, begin in enumerate(begins) if begin <= latest]
            at, begins = [at[i] for i in kept], [begins[i] for i in kept]
            earlier = [earlier[i] for i in kept]
        rows = self.rows[at]
        if max(earlier) > MOVED or min(earlier) < -MOVED:
            rows = shifted(rows, -np.array(earlier))
        energy = [self._energy[k] for k in at]
        return Chosen(
            rows=rows,
            noise_v2=np.maximum(self.noise_v2[at], NOISE_MIN_V2),
            strongest=energy.index(max(energy)),
            first=max(first, *begins),
            reach=min([self._seen[k][1] for k in at]),
        )


def shifted(rows: Array, shift: Array) -> Array:
    """Each row (n, samples) at ``shift`` (n,) samples later; Lagrange interpolation through six samples."""
    if not np.any(np.abs(shift) > MOVED):
        return rows
    whole = np.floor(shift).astype(int)
    part = shift - whole
    weights = np.ones((len(shift), len(TAPS)))
    for i, tap in enumerate(TAPS):
        for other in TAPS:
            if other != tap:
                weights[:, i] *= (part - other) / (tap - other)
    last = rows.shape[1] - 1
    at = whole[:, None] + np.arange(last + 1)
    out = np.zeros_like(rows)
    for i, tap in enumerate(TAPS):
        out += weights[:, i, None] * np.take_along_axis(rows, np.clip(at + tap, 0, last), axis=1)
    return out
