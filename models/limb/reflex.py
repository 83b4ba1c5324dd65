"""Stretch reflex of the spastic calf: answers fast dorsiflexion, late, with plantarflexion.

Promises zero below its threshold; gains and delay are scenario values, not facts (unverified).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.recruitment import check

Array = npt.NDArray[np.float64]
ROWS = 256  # of 1 ms: the longest delay


@compiled
def reflex_step(
    state: Array, lag: Array, slot: int, rate_rps: float, step_s: float,
    delay_s: float, threshold_rps: float, wn_rad_per_s: float,
) -> float:  # fmt: skip
    """Advance by one step and return the low-passed, delayed speed above threshold, rad/s.

    ``state`` holds the filter's value and slope, ``lag`` the ankle speeds of the last ROWS steps. The
    filter is a critically damped second order, integrated exactly for a constant drive.
    """
    lag[slot % ROWS] = rate_rps
    drive = max(0.0, lag[(slot - int(delay_s / step_s + 0.5)) % ROWS] - threshold_rps)
    x = wn_rad_per_s * step_s
    decay = math.exp(-x)
    gap = state[0] - drive
    slope = state[1]
    state[0] = drive + decay * (gap * (1.0 + x) + slope * step_s)
    state[1] = decay * (slope * (1.0 - x) - gap * wn_rad_per_s * x)
    return float(state[0])


def reflex_moment_nm(
    rates_rps: Array,
    *,
    step_s: float = 0.001,
    gain_nms: float,
    threshold_rps: float,
    delay_s: float = 0.040,
    wn_rad_per_s: float = 17.0,
) -> Array:
    """Reflex moment (dorsiflexion +, so never above 0) for evenly sampled ankle speeds."""
    check("gain_nms", gain_nms, 0.0, 50.0)
    check("threshold_rps", threshold_rps, 0.0, 50.0)
    check("delay_s", delay_s, 0.0, (ROWS - 1) * step_s)
    check("wn_rad_per_s", wn_rad_per_s, 1.0, 200.0)
    state, lag = np.zeros(2), np.zeros(ROWS)
    out = np.empty(len(rates_rps))
    for i, rate in enumerate(rates_rps):
        out[i] = -gain_nms * reflex_step(state, lag, i, rate, step_s, delay_s, threshold_rps, wn_rad_per_s)
    return out
