"""What the electrodes meet now, as the stimulator measures it: for the live status."""

from __future__ import annotations

from collections import deque
from statistics import median

from controller.record.records import Delivered

LOAD_PULSES = 20  # about those of a swing


class Loads:
    """The last pulses that were measured, by channel: medians, of which the worst is shown."""

    def __init__(self) -> None:
        self._loads: dict[int, deque[float]] = {}
        self._shares: dict[int, deque[float]] = {}

    def take(self, told: Delivered) -> None:
        if told.load_ohm is not None:
            self._loads.setdefault(told.channel, deque(maxlen=LOAD_PULSES)).append(told.load_ohm)
        if told.charge_uc is not None and told.asked_uc > 0.0:
            share = told.charge_uc / told.asked_uc
            self._shares.setdefault(told.channel, deque(maxlen=LOAD_PULSES)).append(share)

    @property
    def load_ohm(self) -> float | None:
        return max(map(median, self._loads.values()), default=None)

    @property
    def share(self) -> float | None:
        return min(map(median, self._shares.values()), default=None)
