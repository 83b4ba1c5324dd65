"""One muscle's current from tick to tick: it follows what is wanted, rising no faster than the limits allow.

The guard's rise limits are kept here, so that it has nothing to reduce in a session without faults.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 0.25  # of the limit rise_max_ma_per_250ms
TICK_S = 0.005  # of the limit rise_max_ma_per_frame
SAVED_S = 0.005  # the rise of a late tick is not saved up


@dataclass(slots=True)
class SoftCurrent:
    """``current_ma`` is what was last commanded, in whole steps of the stimulator."""

    step_ma: float
    rise_ma_per_tick: float
    rise_ma_per_250ms: float
    current_ma: float = 0.0
    _exact_ma: float = 0.0  # before the steps

    def move(self, elapsed_s: float, wanted_ma: float) -> float:
        """The current to command now. A fall is never slowed."""
        a_step = self.step_ma  # that rounding may add within the window
        slope_ma_per_s = min(
            self.rise_ma_per_tick / TICK_S, max(a_step, self.rise_ma_per_250ms - a_step) / WINDOW_S
        )
        most_ma = self._exact_ma + slope_ma_per_s * max(0.0, min(elapsed_s, SAVED_S))
        self._exact_ma = max(0.0, min(wanted_ma, most_ma))
        self.current_ma = int(self._exact_ma / a_step + 1e-9) * a_step
        return self.current_ma

    def correct(self, applied_ma: float) -> None:
        """Take over what the guard let through, where it was less than asked."""
        if applied_ma < self.current_ma:
            self.current_ma = self._exact_ma = max(0.0, applied_ma)
