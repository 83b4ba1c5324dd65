"""The controller's muscle: static recruitment, then a critically damped second order with dead time.

Promises the exact sampled response; refuses bandwidths, delays and steps that are not physical.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.recruitment import check

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HammersteinParams:
    """Natural frequency and dead time of stimulated ankle muscle (10 to 25 rad/s, 20 to 60 ms)."""

    wn_rad_per_s: float = 20.0
    delay_s: float = 0.045

    def __post_init__(self) -> None:
        check("wn_rad_per_s", self.wn_rad_per_s, 0.5, 200.0)
        check("delay_s", self.delay_s, 0.0, 0.5)


def zero_order_hold(wn_rad_per_s: float, step_s: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """(b1, b2), (a1, a2) of wn^2/(s + wn)^2 sampled with a zero-order hold."""
    check("wn_rad_per_s", wn_rad_per_s, 0.5, 200.0)
    check("step_s", step_s, 1e-5, 1.0)
    x = wn_rad_per_s * step_s
    e = math.exp(-x)
    return (1.0 - e - x * e, e * e - e + x * e), (-2.0 * e, e * e)


def step_response(t_s: npt.ArrayLike, params: HammersteinParams) -> Array:
    """Response to a unit step of recruitment at time 0 (any shape of times)."""
    x = params.wn_rad_per_s * np.maximum(0.0, np.asarray(t_s, dtype=np.float64) - params.delay_s)
    response: Array = 1.0 - (1.0 + x) * np.exp(-x)
    return response


class Hammerstein:
    """Sampled form: feed the recruitment of each step, read the activation at its end."""

    def __init__(self, params: HammersteinParams, step_s: float) -> None:
        (self._b1, self._b2), (self._a1, self._a2) = zero_order_hold(params.wn_rad_per_s, step_s)
        whole = round(params.delay_s / step_s)
        self._waiting = deque([0.0] * whole, maxlen=whole + 1)
        self._u1 = self._y0 = self._y1 = 0.0

    def step(self, recruited: float) -> float:
        """Activation after holding ``recruited`` (0 to 1) for one step; dead time in whole steps."""
        check("recruited", recruited, 0.0, 1.0)
        self._waiting.append(recruited)
        u = self._waiting.popleft()
        y = self._b1 * u + self._b2 * self._u1 - self._a1 * self._y0 - self._a2 * self._y1
        self._u1, self._y1, self._y0 = u, self._y0, y
        return y
