"""A person's reference at other speeds: moved by what lies between the normal curves of two speeds.

What the person's own curve has beyond the normal one (``lift_deg``, a band) stays as it is. Linear between
the speeds given, held beyond the slowest and the quickest. Pure.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.core.params import Reference

Curve = NDArray[np.float64]
FOOT, SHANK, KNEE = range(3)
SLOPE_STEP = 0.05  # of the logarithm of speed, for a derivative


@dataclass(slots=True)
class Family:
    """``own`` at any speed; ``log_speed`` is the logarithm of a speed over the own one."""

    own: Reference
    _own: Curve = field(init=False)  # (3, n) deg
    _speeds_mps: Curve = field(init=False)
    _curves: Curve = field(init=False)  # (speeds, 3, n) deg
    _toe_off_percent: Curve = field(init=False)

    def __post_init__(self) -> None:
        own, speeds = self.own, self.own.speeds
        self._own = np.array((own.foot_pitch_deg, own.shank_pitch_deg, own.knee_flexion_deg))
        self._speeds_mps = np.array([one.speed_mps for one in speeds])
        self._curves = np.array([(s.foot_pitch_deg, s.shank_pitch_deg, s.knee_flexion_deg) for s in speeds])
        self._toe_off_percent = np.array([one.toe_off_percent for one in speeds])

    @property
    def known(self) -> bool:
        """Whether there are curves of other speeds."""
        return self.own.speed_mps is not None and len(self.own.speeds) > 1

    def at(self, log_speed: float) -> Reference:
        """The person's reference at another speed."""
        if log_speed == 0.0:
            return self.own
        foot, shank, knee = self._own + self.beyond_own_deg(log_speed)
        toe_off = self.own.toe_off_percent + self._toe_off(log_speed) - self._toe_off(0.0)
        return dataclasses.replace(
            self.own,
            foot_pitch_deg=tuple(foot.tolist()),
            shank_pitch_deg=tuple(shank.tolist()),
            knee_flexion_deg=tuple(knee.tolist()),
            toe_off_percent=toe_off,
        )

    def beyond_own_deg(self, log_speed: float) -> Curve:
        """What the normal curves of another speed have beyond the own speed's: foot, shank, knee (3, n)."""
        difference: Curve = self._normal(log_speed) - self._normal(0.0)
        return difference

    def excursion(self, log_speed: float) -> tuple[float, float]:
        """Logarithm of the shank's excursion at a speed over that at the own one, and its slope there."""
        own, low, high = (
            math.log(float(np.ptp(self._own[SHANK] + self.beyond_own_deg(place)[SHANK])))
            for place in (0.0, log_speed - SLOPE_STEP, log_speed + SLOPE_STEP)
        )
        return (low + high) / 2.0 - own, (high - low) / (2.0 * SLOPE_STEP)

    def _speed_mps(self, log_speed: float) -> float:
        assert self.own.speed_mps is not None
        return self.own.speed_mps * math.exp(log_speed)

    def _normal(self, log_speed: float) -> Curve:
        last = len(self._speeds_mps) - 1
        place = float(np.interp(self._speed_mps(log_speed), self._speeds_mps, np.arange(last + 1.0)))
        low = min(int(place), last - 1)
        share = place - low
        return np.asarray((1.0 - share) * self._curves[low] + share * self._curves[low + 1])

    def _toe_off(self, log_speed: float) -> float:
        return float(np.interp(self._speed_mps(log_speed), self._speeds_mps, self._toe_off_percent))
