"""From wanted activation to a current the stimulator can give: inverse recruitment, rise limits, steps.

The rise limits are the guard's own, kept here so that the guard has nothing to reduce and the integral knows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from controller.core.params import MuscleModel, Pulse
from models.recruitment import RecruitmentParams, fraction, inverse

RISE_WINDOW_NS = 250_000_000  # sending faster must not beat the rise limit (safety F8)
THRESHOLD_FRACTION = 0.01  # below this share of the fibres nothing moves: the motor threshold
FULL_FRACTION = 0.99  # beyond this the curve is flat and more current only hurts


@dataclass(slots=True)
class Intensity:
    """The current of one channel from tick to tick."""

    muscle: MuscleModel
    pulse: Pulse
    current_ma: float = 0.0
    _recent: deque[tuple[int, float]] = field(default_factory=deque)

    @property
    def recruitment(self) -> RecruitmentParams:
        muscle = self.muscle
        return RecruitmentParams(i50_ma=muscle.i50_ma, sigma=muscle.sigma, chronaxie_us=muscle.chronaxie_us)

    @property
    def threshold_ma(self) -> float:
        return inverse(THRESHOLD_FRACTION, self.pulse.width_us, self.recruitment)

    def for_activation(self, activation: float) -> float:
        """Current in mA for a share of fibres; the threshold current for less than the threshold's share."""
        bounded = min(FULL_FRACTION, max(THRESHOLD_FRACTION, activation))
        return inverse(bounded, self.pulse.width_us, self.recruitment)

    def activation_of(self, current_ma: float) -> float:
        return fraction(current_ma, self.pulse.width_us, self.recruitment) if current_ma > 0 else 0.0

    def move(self, now_ns: int, wanted_ma: float) -> float:
        """The current to command now: bounded, rising no faster than allowed, in the device's steps."""
        pulse = self.pulse
        if not self._recent:
            self._recent.append((now_ns, self.current_ma))
        while len(self._recent) > 1 and now_ns - self._recent[1][0] > RISE_WINDOW_NS:
            self._recent.popleft()  # the first that stays was in force when the window began
        lowest_ma = min(current for _, current in self._recent)
        ceiling_ma = min(
            pulse.current_max_ma,
            self.current_ma + pulse.rise_ma_per_tick,
            lowest_ma + pulse.rise_ma_per_250ms,
        )
        nearest_ma = wanted_ma + 0.5 * pulse.current_step_ma if wanted_ma > 0.0 else 0.0  # and not for NaN
        steps = int(min(nearest_ma, ceiling_ma) / pulse.current_step_ma)
        self.current_ma = steps * pulse.current_step_ma
        self._recent.append((now_ns, self.current_ma))
        return self.current_ma

    def correct(self, applied_ma: float) -> None:
        """Take over what the guard really let through, where it was less."""
        self.current_ma = min(self.current_ma, applied_ma)
