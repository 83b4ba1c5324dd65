"""Share of motor axons that a pulse excites, and the pulse that excites a wanted share.

Promises a monotone curve with an exact closed-form inverse; refuses unphysical pulses and parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
_SQRT2 = math.sqrt(2.0)
REFERENCE_WIDTH_US = 300.0  # half-point currents are quoted at this width, the usual one for foot drop
FRACTION_MAX = 1.0 - 1e-12  # full recruitment is only reached at infinite current


def check(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` when it is finite and within [low, high]; else ValueError naming all three."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name}: found {value!r}, allowed: finite, {low:g} to {high:g}")
    return value


@dataclass(frozen=True, slots=True)
class RecruitmentParams:
    """Weiss strength-duration with log-normal thresholds, the form of the virtual patient.

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

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction of a pulse that is not empty."""
        z = math.log(equivalent_ma(current_ma, width_us, self.chronaxie_us) / self.i50_ma) / self.sigma
        return 0.5 * math.erfc(-z / _SQRT2)

    def pulse(self, recruited: float, width_us: float) -> float:
        """Current in mA for a fraction above 0."""
        at_reference = self.i50_ma * math.exp(self.sigma * _NORMAL.inv_cdf(recruited))
        return at_reference / equivalent_ma(1.0, width_us, self.chronaxie_us)


@dataclass(frozen=True, slots=True)
class HmedParams:
    """Amplitude curve of Hmed 2018 (tanh), over its saturation so that it ends at 1; any width."""

    slope_per_ma: float = 0.026
    centre_ma: float = 63.1
    offset: float = 0.833

    def __post_init__(self) -> None:
        check("slope_per_ma", self.slope_per_ma, 1e-4, 10.0)
        check("centre_ma", self.centre_ma, 0.1, 1000.0)
        check("offset", self.offset, 0.0, 0.999999)

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction; 0 below the threshold centre + atanh(-offset) / slope. Width has no say."""
        del width_us
        rise = math.tanh(self.slope_per_ma * (current_ma - self.centre_ma)) + self.offset
        return max(0.0, rise / (1.0 + self.offset))

    def pulse(self, recruited: float, width_us: float) -> float:
        """Current in mA for a fraction above 0."""
        del width_us
        return self.centre_ma + math.atanh(recruited * (1.0 + self.offset) - self.offset) / self.slope_per_ma


@dataclass(frozen=True, slots=True)
class Ding2007Params:
    """Pulse-width curve of Ding 2007 at a fixed current: its inverse gives a width, in microseconds."""

    offset_us: float = 131.405
    scale_us: float = 194.138

    def __post_init__(self) -> None:
        check("offset_us", self.offset_us, 0.0, 5000.0)
        check("scale_us", self.scale_us, 1.0, 50000.0)

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction of the given width; current has no say."""
        del current_ma
        return max(0.0, -math.expm1(-(width_us - self.offset_us) / self.scale_us))

    def pulse(self, recruited: float, width_us: float) -> float:
        """Width in microseconds for a fraction above 0."""
        del width_us
        return self.offset_us - self.scale_us * math.log1p(-recruited)


@dataclass(frozen=True, slots=True)
class FreemanParams:
    """Freeman's isometric recruitment curve (e^{au} - 1) / (e^{au} + b) over current at 300 us."""

    rate_per_ma: float = 0.2
    shape: float = 400.0
    chronaxie_us: float = 200.0

    def __post_init__(self) -> None:
        check("rate_per_ma", self.rate_per_ma, 1e-3, 10.0)
        check("shape", self.shape, 0.0, 1e7)
        check("chronaxie_us", self.chronaxie_us, 1.0, 20000.0)

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction."""
        x = self.rate_per_ma * equivalent_ma(current_ma, width_us, self.chronaxie_us)
        fall = math.exp(-x)
        return -math.expm1(-x) / (1.0 + self.shape * fall)

    def pulse(self, recruited: float, width_us: float) -> float:
        """Current in mA for a fraction above 0."""
        x = math.log1p(self.shape * recruited) - math.log1p(-recruited)
        return x / self.rate_per_ma / equivalent_ma(1.0, width_us, self.chronaxie_us)


@dataclass(frozen=True, slots=True)
class DeadZoneParams:
    """Dead zone, straight line, saturation (Veltink 1992) over current at 300 us."""

    threshold_ma: float = 20.0
    saturation_ma: float = 60.0
    chronaxie_us: float = 200.0

    def __post_init__(self) -> None:
        check("threshold_ma", self.threshold_ma, 0.0, 500.0)
        check("saturation_ma", self.saturation_ma, self.threshold_ma + 1e-3, 1000.0)
        check("chronaxie_us", self.chronaxie_us, 1.0, 20000.0)

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction."""
        x = equivalent_ma(current_ma, width_us, self.chronaxie_us)
        return min(1.0, max(0.0, (x - self.threshold_ma) / (self.saturation_ma - self.threshold_ma)))

    def pulse(self, recruited: float, width_us: float) -> float:
        """Current in mA for a fraction above 0."""
        x = self.threshold_ma + recruited * (self.saturation_ma - self.threshold_ma)
        return x / equivalent_ma(1.0, width_us, self.chronaxie_us)


@dataclass(frozen=True, slots=True)
class GompertzParams:
    """Gompertz curve exp(-b e^{-kx}) over current at 300 us: sharper at threshold than at saturation."""

    b: float = 60.0
    rate_per_ma: float = 0.16
    chronaxie_us: float = 200.0

    def __post_init__(self) -> None:
        check("b", self.b, 30.0, 1e9)  # below 30 even no current would recruit
        check("rate_per_ma", self.rate_per_ma, 1e-3, 10.0)
        check("chronaxie_us", self.chronaxie_us, 1.0, 20000.0)

    def of(self, current_ma: float, width_us: float) -> float:
        """Recruited fraction."""
        x = equivalent_ma(current_ma, width_us, self.chronaxie_us)
        return math.exp(-self.b * math.exp(-self.rate_per_ma * x))

    def pulse(self, recruited: float, width_us: float) -> float:
        """Current in mA for a fraction above 0."""
        x = -math.log(-math.log(recruited) / self.b) / self.rate_per_ma
        return max(0.0, x / equivalent_ma(1.0, width_us, self.chronaxie_us))


Params = RecruitmentParams | HmedParams | Ding2007Params | FreemanParams | DeadZoneParams | GompertzParams


def equivalent_ma(current_ma: float, width_us: float, chronaxie_us: float) -> float:
    """Current of the same effect at the reference width (Weiss: threshold falls as 1 + c/width)."""
    return current_ma * (1.0 + chronaxie_us / REFERENCE_WIDTH_US) / (1.0 + chronaxie_us / width_us)


def fraction(current_ma: float, width_us: float, params: Params) -> float:
    """Recruited fraction, 0 to 1, of one pulse. No current or no width recruits nothing."""
    check("current_ma", current_ma, 0.0, 1000.0)
    check("width_us", width_us, 0.0, 100000.0)
    if current_ma == 0.0 or width_us == 0.0:
        return 0.0
    return params.of(current_ma, width_us)


def inverse(recruited: float, width_us: float, params: Params) -> float:
    """Current in mA that recruits the given fraction at this width; 0 for 0. 1 is out of reach.

    For :class:`Ding2007Params`, which know no current, the width in microseconds instead.
    """
    check("fraction", recruited, 0.0, FRACTION_MAX)
    check("width_us", width_us, 1.0, 100000.0)
    return 0.0 if recruited == 0.0 else params.pulse(recruited, width_us)


def electrode_gain(gain: float, drift_per_minute: float, t_s: float) -> float:
    """How much more current the pads need after ``t_s`` seconds: a fixed shift and a steady drift."""
    check("gain", gain, 0.1, 10.0)
    check("drift_per_minute", drift_per_minute, -0.5, 0.5)
    return max(0.1, gain * (1.0 + drift_per_minute * t_s / 60.0))
