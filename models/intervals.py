"""What a least-squares fit says of its parameters: estimates with 95 % intervals, and how well it fits.

Promises intervals that allow for residuals which wander for seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Array = npt.NDArray[np.float64]
CONFIDENCE = 0.95
WINDOW = 150  # samples over which residuals may hang together: 1.5 s at the plate's rate
# Few independent blocks make the covariance too small; found on cohorts 7 and 11, not on those tested.
INTERVAL_MARGIN = 1.3


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def covers(self, truth: float) -> bool:
        """Whether the interval holds ``truth``."""
        return self.low <= truth <= self.high


def estimate(x: float, half: float, to: Callable[[float], float] = float) -> Estimate:
    ends = sorted((to(x - half), to(x + half)))
    return Estimate(to(x), ends[0], ends[1])


def half_widths(jacobian: Array, fun: Array, measured: int) -> Array:
    """Half of the 95 % interval of each parameter, from a covariance that allows for wandering residuals.

    The first ``measured`` residuals are data (Newey and West 1987, Bartlett window), the others what was
    known beforehand. Noise that wanders for seconds counts as the few independent values that it is.
    """
    rows = jacobian[:measured] * fun[:measured, None]
    window = max(1, min(WINDOW, measured // 20))
    padded = np.concatenate((np.zeros((window, rows.shape[1])), np.cumsum(rows, axis=0)))
    padded = np.concatenate((padded, np.repeat(padded[-1:], window, axis=0)))
    sums = padded[window:] - padded[:-window]
    white = float(fun[:measured] @ fun[:measured]) / max(1, measured - jacobian.shape[1])
    known = jacobian[measured:]
    middle = sums.T @ sums / window + white * known.T @ known
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    blocks = max(5, measured // window - jacobian.shape[1])
    variance = np.diag(bread @ middle @ bread) * (blocks + jacobian.shape[1]) / blocks
    half: Array = (
        INTERVAL_MARGIN * student.ppf(0.5 + CONFIDENCE / 2, blocks) * np.sqrt(np.maximum(variance, 0.0))
    )
    return half


def fit_percent_of(measured: Array, modelled: Array) -> float:
    """Normalised root-mean-square fit: 100 is perfect, 0 no better than the mean."""
    spread = float(np.linalg.norm(measured - measured.mean()))
    return 100.0 * (1.0 - float(np.linalg.norm(measured - modelled)) / max(spread, 1e-12))


def noise_level(values: Array) -> float:
    """Standard deviation of the white part, from second differences (robust to the signal itself)."""
    second = np.diff(values, 2)
    return max(1e-6, 1.4826 * float(np.median(np.abs(second))) / math.sqrt(6.0))


def surprise(value: float, prior: tuple[float, float], noise: float) -> Array:
    """Distance from what is known beforehand, in the units of the torque residuals."""
    return np.array([(value - prior[0]) / prior[1] * noise])
