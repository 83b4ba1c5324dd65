"""What earlier pulses were answered with, kept as references for the next ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.core.emg.prediction import Array

RECENT = 8  # last answers kept as they are
BINS = 6  # of charge, a mean of each
MEAN_OF = 16  # answers a mean reaches back over
KNOWN_AFTER = 4  # answers of a kind
LATER_MAX = 2  # samples by which a reference may be seen later than a segment
PLACE_TOLERANCE = 0.1  # of a sample
TAPS = np.arange(-2, 4)
IntArray = NDArray[np.int64]


class Answers:
    """Answers to pulses of one kind: a ring of the last ones, then means by charge.

    A row lies ``offset`` samples after its pulse, is seen from sample ``first`` to ``length``, carries noise.
    """

    def __init__(self, frame: int) -> None:
        self.count = 0
        self.strongest_nc: tuple[float, ...] = ()  # the largest charges of which answers were learned
        self.rows = np.zeros((RECENT + BINS, frame))
        self.noise_v2 = np.zeros(RECENT + BINS)
        self.offset = np.zeros(RECENT + BINS)
        self.first = np.zeros(RECENT + BINS, dtype=int)
        self.length = np.zeros(RECENT + BINS, dtype=int)
        self._weight = np.zeros(RECENT + BINS)  # answers in a row

    def add(self, samples: Array, seen: tuple[int, int], offset: float, noise_v2: float) -> None:
        """Keep one answer in place of the oldest."""
        at = self.count % RECENT
        self.rows[at], self.noise_v2[at], self.offset[at] = samples, noise_v2, offset
        self.first[at], self.length[at] = seen
        self._weight[at] = 1.0
        self.count += 1

    def mean(self, place: int, samples: Array, seen: tuple[int, int], noise_v2: float) -> None:
        """Take one answer, on the grid that begins at its pulse, into a mean."""
        at = RECENT + place
        before = self._weight[at]
        weight = self._weight[at] = min(before + 1.0, MEAN_OF)
        self.rows[at] += (samples - self.rows[at]) / weight
        noise_v2 = self.noise_v2[at] * before + (noise_v2 - self.noise_v2[at] * before) / weight
        self.noise_v2[at] = noise_v2 / weight
        self.length[at] = min(seen[1], self.length[at]) if before else seen[1]
        self.first[at] = max(seen[0], self.first[at])

    def order(self) -> IntArray:
        """Rows in use, the newest answer first."""
        kept = min(self.count, RECENT)
        recent = (self.count - 1 - np.arange(kept)) % RECENT
        return np.concatenate((recent, RECENT + np.flatnonzero(self._weight[RECENT:])))

    def seen_from(self, first: int, offset: float) -> tuple[IntArray, int]:
        """Rows in use that are seen from about this sample of a segment on, and the sample that all are seen
        from; those seen earliest where they are too few."""
        at = self.order()
        begins = np.ceil(self.first[at] + self.offset[at] - offset - PLACE_TOLERANCE).astype(int)
        early = begins <= first + LATER_MAX
        if np.count_nonzero(early) < KNOWN_AFTER:
            early = begins <= np.sort(begins)[KNOWN_AFTER - 1]
        return at[early], max(first, int(np.max(begins[early])))


def shifted(rows: Array, shift: Array) -> Array:
    """Each row (n, samples) at ``shift`` (n,) samples later; Lagrange interpolation through six samples."""
    if not np.any(np.abs(shift) > 0.02):
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
