"""A slow picture of the EMG, for the live trace alone: what the person and the therapist see of it."""

from __future__ import annotations

EMG_MEAN, EMG_SMOOTH = 0.02, 0.05  # of a sample at 200 Hz: 0.25 s for the mean, 0.1 s for the envelope


class Envelope:
    """A slow picture of the EMG: what is left of each channel beside its mean, rectified and smoothed."""

    def __init__(self) -> None:
        self._mean: list[float] = []
        self._smooth: list[float] = []
        self.value_uv: float | None = None

    def take(self, volts: tuple[tuple[float, ...], ...]) -> None:
        for row in volts:
            if len(row) != len(self._mean):
                self._mean, self._smooth = list(row), [0.0] * len(row)
            for channel, value in enumerate(row):
                self._mean[channel] += EMG_MEAN * (value - self._mean[channel])
                beside = abs(value - self._mean[channel])
                self._smooth[channel] += EMG_SMOOTH * (beside - self._smooth[channel])
        if self._smooth:
            self.value_uv = max(self._smooth) * 1e6
