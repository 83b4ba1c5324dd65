"""From three short tests to this patient's numbers: recruitment, delay, bandwidth, passive stiffness.

Promises 95 % intervals that widen with the noise; refuses a fit below 60 % and says which test to repeat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import ndtr
from scipy.stats import t as student

from models.foot_plate import Marks, StimulationTest, SweepTest, TestSet
from models.intervals import (
    CONFIDENCE,
    Estimate,
    estimate,
    fit_percent_of,
    half_widths,
    noise_level,
    surprise,
)
from models.limb.passive import riener_edrich_curve_nm
from models.muscle.hammerstein import HammersteinParams
from models.plate_model import equivalent_second_order, stimulated_torque_nm
from models.recruitment import RecruitmentParams

Array = npt.NDArray[np.float64]

FIT_NEEDED_PERCENT = 60.0
# What the tests say little about, as (mean, standard deviation) of what is known beforehand (assumed).
PRIOR_LN_RECOVERY = (math.log(50.0), 0.35)
PRIOR_FLOOR = (0.2, 0.07)
PRIOR_DRIFT_PER_MINUTE = (0.004, 0.004)
PRIOR_OFFSET_NM = (0.0, 0.3)
# Pads wander and skin slides over the nerve: the half-point itself is only constant to this (assumed).
PADS_SD = 0.008
REPEAT = {
    "ramp": "repeat the intensity ramp: foot strapped to the plate, patient relaxed, pads checked",
    "train": "repeat the pseudo-random train: patient relaxed, same pads and current",
    "sweep": "repeat the slow sweep: muscle relaxed, below 10 deg/s",
}


class IdentificationRefused(ValueError):  # noqa: N818  the name is what the person reads
    """A recording does not fit its model; ``test`` says which to repeat."""

    def __init__(self, test: str, fit_percent: float) -> None:
        super().__init__(
            f"{test}: found a normalised fit of {fit_percent:.0f} %, "
            f"allowed: {FIT_NEEDED_PERCENT:.0f} % or more; {REPEAT[test]}"
        )
        self.test = test
        self.fit_percent = fit_percent


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One test beside its model: times, measured, modelled, and the normalised fit."""

    t_s: Array
    measured_nm: Array
    modelled_nm: Array
    fit_percent: float


@dataclass(frozen=True, slots=True)
class MuscleNumbers:
    """What the controller wants to know of a person. Angles in degrees, torque dorsiflexion +, currents at
    300 us.
    """

    i50_ma: Estimate
    sigma: Estimate
    torque_max_nm: Estimate  # all axons at 100 Hz, rested, at about a right angle
    delay_s: Estimate  # from pulse to first force
    slowness: Estimate  # of the force's time constants against Ding 2003
    bandwidth_rad_per_s: Estimate  # of the critically damped second order nearest to this muscle
    stiffness: Estimate  # of the relaxed ankle, Riener and Edrich = 1
    neutral_shift_deg: Estimate

    def recruitment(self) -> RecruitmentParams:
        """For the inverse recruitment of the controller."""
        return RecruitmentParams(i50_ma=self.i50_ma.value, sigma=self.sigma.value)

    def hammerstein(self) -> HammersteinParams:
        """For the feed-forward of the controller."""
        _, dead_s = equivalent_second_order(self.slowness.value)
        return HammersteinParams(self.bandwidth_rad_per_s.value, self.delay_s.value + dead_s)


@dataclass(frozen=True, slots=True)
class IdentificationResult(MuscleNumbers):
    """The same from the three tests on a plate, with the tests beside their fits."""

    marks: Marks
    fatigue_s: Estimate
    ramp: Fitted
    train: Fitted
    sweep: Fitted


def identify(tests: TestSet) -> IdentificationResult:
    """Fit all models to the three tests by least squares (scipy), with 95 % intervals.

    Raises :class:`IdentificationRefused` where a test's normalised fit is below 60 %.
    """
    ramp, train = tests.ramp, tests.train
    split, both = ramp.t_s.size, ramp.t_s.size + train.t_s.size
    noise = noise_level(train.torque_nm)

    def residuals(x: Array) -> Array:
        return np.concatenate(
            (
                stimulated_torque_nm(ramp, x) + x[9] - ramp.torque_nm,
                stimulated_torque_nm(train, x) + x[10] - train.torque_nm,
                surprise(x[6], PRIOR_LN_RECOVERY, noise),
                surprise(x[7], PRIOR_FLOOR, noise),
                surprise(x[8], PRIOR_DRIFT_PER_MINUTE, noise),
            )
        )

    marks = tests.marks
    middle = math.log(math.sqrt(max(1.0, marks.motor_ma) * max(1.0, marks.comfort_ma)))
    height = max(0.2, float(np.quantile(train.torque_nm, 0.98) - np.quantile(train.torque_nm, 0.02)))
    low = [
        math.log(1.0), math.log(0.05), math.log(0.05), 0.0, math.log(0.4), math.log(3.0),
        math.log(5.0), 0.0, -0.1, -20.0, -20.0,
    ]  # fmt: skip
    high = [
        math.log(200.0), math.log(1.0), math.log(150.0), 0.12, math.log(2.5), math.log(1000.0),
        math.log(500.0), 0.6, 0.1, 20.0, 20.0,
    ]  # fmt: skip
    start = [
        middle,
        math.log(0.25),
        math.log(1.3 * height),
        0.04,
        0.0,
        math.log(30.0),
        PRIOR_LN_RECOVERY[0],
        PRIOR_FLOOR[0],
        PRIOR_DRIFT_PER_MINUTE[0],
        float(np.median(ramp.torque_nm)),
        float(np.quantile(train.torque_nm, 0.05)),
    ]
    x0 = np.clip(start, np.array(low) + 1e-3, np.array(high) - 1e-3)
    scale = [0.2, 0.3, 0.3, 0.02, 0.2, 0.5, 0.3, 0.1, 0.01, 0.5, 0.5]
    found = least_squares(residuals, x0, bounds=(low, high), x_scale=scale, diff_step=1e-5, max_nfev=60)
    x, half = found.x, half_widths(found.jac, found.fun, both)
    half[0] = math.hypot(half[0], float(student.ppf(0.5 + CONFIDENCE / 2, 1e6)) * PADS_SD)
    fitted_ramp = _fitted(ramp, found.fun[:split])
    fitted_train = _fitted(train, found.fun[split:both])
    stiffness, shift, fitted_sweep = _fit_sweep(tests.sweep)
    _accept({"ramp": fitted_ramp, "train": fitted_train, "sweep": fitted_sweep})
    return IdentificationResult(
        marks=marks,
        i50_ma=estimate(x[0], half[0], math.exp),
        sigma=estimate(x[1], half[1], math.exp),
        torque_max_nm=estimate(x[2], half[2], math.exp),
        delay_s=estimate(x[3], half[3]),
        slowness=estimate(x[4], half[4], math.exp),
        bandwidth_rad_per_s=estimate(
            x[4], half[4], lambda s: equivalent_second_order(min(2.5, max(0.4, math.exp(s))))[0]
        ),
        fatigue_s=estimate(x[5], min(half[5], 10.0), math.exp),
        stiffness=stiffness,
        neutral_shift_deg=shift,
        ramp=fitted_ramp,
        train=fitted_train,
        sweep=fitted_sweep,
    )


def _fitted(test: StimulationTest | SweepTest, residuals: Array) -> Fitted:
    modelled = test.torque_nm + residuals
    return Fitted(test.t_s, test.torque_nm, modelled, fit_percent_of(test.torque_nm, modelled))


def _accept(fitted: dict[str, Fitted]) -> None:
    """Refuse the worst test: in a joint fit it also spoils the others."""
    worst = min(fitted, key=lambda name: fitted[name].fit_percent)
    if not fitted[worst].fit_percent >= FIT_NEEDED_PERCENT:
        raise IdentificationRefused(worst, fitted[worst].fit_percent)


def _fit_sweep(test: SweepTest) -> tuple[Estimate, Estimate, Fitted]:
    """Stiffness factor, neutral shift, offset and damping of the slow sweep.

    The angle is smoothed over 0.25 s first: noise in a regressor would pull the stiffness down.
    """
    width = max(1, round(0.25 / float(np.median(np.diff(test.t_s)))) | 1)
    kernel = np.ones(width) / width
    padded = np.pad(test.ankle_deg, width // 2, mode="reflect", reflect_type="odd")
    angle = np.convolve(padded, kernel, mode="valid")
    rate = np.sign(np.gradient(angle))
    noise = noise_level(test.torque_nm)

    def residuals(x: Array) -> Array:
        passive = math.exp(x[0]) * riener_edrich_curve_nm(angle - x[1], test.knee_deg)
        data = passive + x[2] - x[3] * rate - test.torque_nm
        return np.concatenate((data, surprise(x[2], PRIOR_OFFSET_NM, noise)))

    bounds = ([math.log(0.05), -30.0, -20.0, -5.0], [math.log(10.0), 20.0, 20.0, 5.0])
    found = least_squares(residuals, [0.0, 0.0, 0.0, 0.0], bounds=bounds, x_scale=[0.3, 3.0, 1.0, 0.1])
    half = half_widths(found.jac, found.fun, test.t_s.size)
    return (
        estimate(found.x[0], half[0], math.exp),
        estimate(found.x[1], half[1]),
        _fitted(test, found.fun[:-1]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class RecruitmentFit:
    """A measured recruitment curve and its log-normal fit, in the curve's own units."""

    i50: Estimate
    sigma: Estimate
    top: Estimate
    floor: Estimate
    fit_percent: float
    intensity: Array
    response: Array

    def at(self, intensity: npt.ArrayLike) -> Array:
        """Fitted response."""
        z = np.log(np.asarray(intensity, dtype=np.float64) / self.i50.value) / self.sigma.value
        response: Array = self.floor.value + self.top.value * ndtr(z)
        return response


def fit_recruitment(intensity: npt.ArrayLike, response: npt.ArrayLike) -> RecruitmentFit:
    """Fit a measured curve (M-wave, twitch) over stimulation intensity; refuses below 60 % fit."""
    x = np.asarray(intensity, dtype=np.float64)
    y = np.asarray(response, dtype=np.float64)
    _same_length(x, y)
    if np.any(x <= 0.0):
        raise ValueError(f"intensity: found {float(x.min())!r}, allowed: above 0")
    span = float(y.max() - y.min())

    def residuals(p: Array) -> Array:
        modelled = p[3] + p[2] * ndtr((np.log(x) - p[0]) / math.exp(p[1]))
        return np.asarray(modelled - y, dtype=np.float64)

    crossing = float(np.log(x[np.argmin(np.abs(y - y.min() - 0.5 * span))]))
    best = min(
        (
            least_squares(residuals, [crossing, math.log(s), span, float(y.min())], x_scale="jac")
            for s in (0.05, 0.15, 0.4)
        ),
        key=lambda result: float(result.cost),
    )
    half = half_widths(best.jac, best.fun, y.size)
    fit = fit_percent_of(y, y + best.fun)
    if not fit >= FIT_NEEDED_PERCENT:
        raise IdentificationRefused("ramp", fit)
    return RecruitmentFit(
        i50=estimate(best.x[0], half[0], math.exp),
        sigma=estimate(best.x[1], half[1], math.exp),
        top=estimate(best.x[2], half[2]),
        floor=estimate(best.x[3], half[3]),
        fit_percent=fit,
        intensity=x,
        response=y,
    )


def _same_length(x: Array, y: Array) -> None:
    if x.ndim != 1 or x.shape != y.shape or x.size < 6:
        raise ValueError(f"response: found shape {y.shape}, allowed: as intensity, at least 6 values")
    for name, values in (("intensity", x), ("response", y)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: found {float(values[~np.isfinite(values)][0])!r}, allowed: finite")
