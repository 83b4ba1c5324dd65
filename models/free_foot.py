"""Numbers of a person from the seated test trains themselves: the leg hangs, and the foot answers in the air.

No plate is needed: the foot's own weight is the scale. Promises 95 % intervals, and what the trains do not
tell stays at what is known beforehand; refuses a foot that did not move freely, and a fit below 60 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeResult, least_squares
from scipy.signal import savgol_filter
from scipy.special import ndtr

from models.identification import FIT_NEEDED_PERCENT, MuscleNumbers
from models.intervals import estimate, fit_percent_of, half_widths, surprise
from models.jit import compiled
from models.limb.foot import GRAVITY, FootBody, foot_acceleration
from models.limb.passive import riener_edrich_curve_nm, riener_edrich_nm, stop_moment_nm
from models.limb.reflex import reflex_moment_nm
from models.muscle.ding import DING2003
from models.muscle.hill import ta_arm_m, ta_force_n
from models.plate_model import FATIGUE, equivalent_second_order, torque_shape
from models.recruitment import RecruitmentParams, check, equivalent_ma

Array = npt.NDArray[np.float64]

MOVED_DEG = 3.0  # a train that turned the foot by less says nothing of the muscle's strength
CURRENTS_MIN = 3  # different ones that did
SUBSTEP_S = 0.003
FORCE_STEP_S = 0.005  # enough for an angle: 0.002 changes no estimate by a hundredth
MISFIT_DEG = 1.5  # of the model, before it is known (assumed)
TOGETHER_S = 0.3  # for so long residuals hang together: one word against what is known beforehand
# Known beforehand, as (mean, standard deviation). Delay and slowness: the cohort's; stiffness after stroke
# 0.6 to 2.5 times normal, shift and damping as the virtual patients' (Chung 2004; unverified).
PRIOR = {
    "ln_i50": (math.log(28.0), 0.5),
    "ln_sigma": (math.log(0.25), 0.35),
    "ln_evocable": (math.log(0.5), 0.5),  # of the tibialis anterior of an able adult
    "delay_s": (0.030, 0.010),
    "ln_slowness": (0.0, 0.25),
    "ln_stiffness": (0.0, 0.45),
    "shift_deg": (-2.0, 6.0),
    "ln_damping": (math.log(0.5), 0.4),
    "ln_fatigue": (math.log(30.0), 0.7),
    "slide_per_deg": (0.0, 0.002),  # of the current needed: the skin slides over the nerve
    "drift_per_minute": (0.004, 0.004),  # of the same: the gel dries
    "reflex_nms": (0.0, 4.0),  # of the calf, stretched as the foot comes up
}
LOW = (
    math.log(1.0),
    math.log(0.05),
    math.log(0.02),
    0.0,
    math.log(0.4),
    -2.5,
    -30.0,
    -4.0,
    math.log(3.0),
    -0.01,
    -0.1,
    0.0,
)
HIGH = (math.log(200.0), 0.0, 0.0, 0.12, math.log(2.5), 2.0, 20.0, 1.5, math.log(1000.0), 0.01, 0.1, 20.0)
STRETCH_RPS = math.radians(30.0)  # from which a calf answers (assumed)
# How far the model itself errs, as standard deviations in the order of PRIOR: found on virtual patients of
# cohort 3, whose muscle, reflex and pads are not quite the model's. A living person's may be further.
MODEL_SD = (0.03, 0.12, 0.25, 0.010, 0.08, 0.12, 3.0, 0.2, 0.5, 0.001, 0.002, 2.0)
RATE_S = 0.15  # over which the foot's speed is found
REST_NM = 0.2  # a hanging foot at rest is in balance to this (assumed)
RECOVERY_S, FLOOR = 50.0, 0.2  # of fatigue, as the plate's tests assume


class NotFree(ValueError):  # noqa: N818  the words are what the person reads
    """The trains cannot tell the numbers; the words say what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class FreeFootTest:
    """Pitch of a hanging foot (toe up +, deg) through a series of test trains.

    ``begins``: indices of ``t_s`` at which a stretch of its own begins, the foot at rest; ``shank_deg`` and
    ``knee_deg`` of the seated leg. Pulses have one width.
    """

    t_s: Array
    pitch_deg: Array
    begins: tuple[int, ...]
    pulse_times_s: Array
    current_ma: Array
    width_us: float
    shank_deg: float = 0.0
    knee_deg: float = 80.0  # seated (assumed)

    def __post_init__(self) -> None:
        for name, values, others in (
            ("pitch_deg", self.pitch_deg, self.t_s),
            ("current_ma", self.current_ma, self.pulse_times_s),
        ):
            if values.ndim != 1 or values.shape != others.shape or not np.isfinite(values).all():
                raise ValueError(f"{name}: found shape {values.shape}, allowed: finite, {others.shape}")
        for name, times in (("t_s", self.t_s), ("pulse_times_s", self.pulse_times_s)):
            if times.size < 2 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0.0):
                raise ValueError(f"{name}: found {times.size} values, allowed: two or more, increasing")
        if np.any(self.current_ma < 0.0):
            raise ValueError(f"current_ma: found {self.current_ma.min():g}, allowed: at least 0")
        check("width_us", self.width_us, 10.0, 2000.0)
        check("shank_deg", self.shank_deg, -60.0, 60.0)
        check("knee_deg", self.knee_deg, -10.0, 140.0)


@dataclass(frozen=True, slots=True, eq=False)
class FreeFootResult(MuscleNumbers):
    """The numbers, what the model says of the pitch at the test's times, and the normalised fit.

    ``currents``: how many different ones moved the foot.
    """

    pitch_deg: Array
    fit_percent: float
    currents: int


@compiled
def _pitch(
    times: Array, begins: Array, pitch0: Array, activation: Array, reflex: Array, shank: float,
    knee_deg: float, stiffness: float, shift_deg: float, damping: float, body: Array,
) -> Array:  # fmt: skip
    """Pitch (rad) of the hanging foot under activation and reflex (Nm); at rest at each of ``begins``."""
    out = np.empty(times.size)
    inertia = body[3] + body[0] * (body[1] * body[1] + body[2] * body[2])
    q, v, place = 0.0, 0.0, 0
    for i in range(times.size):
        if place < begins.size and i == begins[place]:
            q, v = pitch0[place], 0.0
            place += 1
        else:
            span = times[i] - times[i - 1]
            n = max(1, math.ceil(span / SUBSTEP_S - 1e-9))
            h = span / n
            for j in range(n):
                active = activation[i - 1] + (activation[i] - activation[i - 1]) * (j + 1) / n
                ankle = q - shank
                moment = ta_force_n(active, ankle, v) * ta_arm_m(ankle)
                moment += stiffness * riener_edrich_nm(math.degrees(ankle) - shift_deg, knee_deg)
                moment += stop_moment_nm(ankle, v) - reflex[i]
                a = foot_acceleration(q, moment, 0.0, 0.0, body[0], body[1], body[2], body[3], GRAVITY)
                v = (v + h * a) / (1.0 + h * damping / inertia)
                q += h * v
        out[i] = q
    return out


class _Series:
    """A test with all that does not depend on the parameters."""

    def __init__(self, test: FreeFootTest, foot: FootBody) -> None:
        self.test = test
        self.ends = (*test.begins[1:], test.t_s.size)
        self.rest_deg = np.array([float(np.median(test.pitch_deg[b : b + 5])) for b in test.begins])
        self.body = np.array([foot.mass_kg, foot.com_x_m, foot.com_y_m, foot.inertia_com_kgm2])
        at_reference = equivalent_ma(1.0, test.width_us, RecruitmentParams().chronaxie_us)
        self._current_ma = test.current_ma * at_reference
        self._ankle_deg = np.interp(test.pulse_times_s, test.t_s, test.pitch_deg) - test.shank_deg
        self._unit_reflex = np.concatenate(
            [self._stretch_nm(b, e) for b, e in zip(test.begins, self.ends, strict=True)]
        )

    def _stretch_nm(self, begin: int, end: int) -> Array:
        """What a calf's reflex of 1 Nms answers to the foot's own motion, as measured."""
        step_s = float(np.median(np.diff(self.test.t_s[begin:end])))
        width = max(5, round(RATE_S / step_s) | 1)
        pitch = np.radians(self.test.pitch_deg[begin:end])
        rate = savgol_filter(pitch, width, 2, deriv=1, delta=step_s)
        return -reflex_moment_nm(rate, step_s=step_s, gain_nms=1.0, threshold_rps=STRETCH_RPS)

    def modelled_deg(self, x: Array) -> Array:
        """x: in the order of PRIOR."""
        test = self.test
        wandered = 1.0 + x[9] * self._ankle_deg + x[10] * test.pulse_times_s / 60.0
        with np.errstate(divide="ignore"):
            z = (np.log(self._current_ma / np.maximum(0.3, wandered)) - x[0]) / math.exp(x[1])
        shape = torque_shape(
            test.t_s,
            test.pulse_times_s + x[3],
            ndtr(z),
            DING2003.stretched(math.exp(x[4])).constants(fatigue=False),
            FORCE_STEP_S,
            FLOOR,
            math.exp(x[8]),
            RECOVERY_S,
            FATIGUE.beta,
        )
        active = np.minimum(1.0, math.exp(x[2]) * shape)
        pitch = _pitch(
            test.t_s, np.array(test.begins), np.radians(self.rest_deg), active, x[11] * self._unit_reflex,
            math.radians(test.shank_deg), test.knee_deg, math.exp(x[5]), x[6], math.exp(x[7]), self.body,
        )  # fmt: skip
        return np.asarray(np.degrees(pitch), dtype=np.float64)

    def rest_moment_nm(self, x: Array) -> float:
        """What is left of weight and passive moment where the foot hung at rest, in the mean."""
        test, pitch = self.test, np.radians(self.rest_deg)
        weight = self.body[0] * GRAVITY * (np.cos(pitch) * self.body[1] - np.sin(pitch) * self.body[2])
        ankle_deg = self.rest_deg - test.shank_deg - x[6]
        passive = math.exp(x[5]) * riener_edrich_curve_nm(ankle_deg, test.knee_deg)
        return float(np.mean(passive - weight))

    def moving_currents(self) -> list[float]:
        """The largest current of each stretch in which the foot came up."""
        test = self.test
        found: set[float] = set()
        for begin, end, rest in zip(test.begins, self.ends, self.rest_deg, strict=True):
            inside = (test.pulse_times_s >= test.t_s[begin]) & (test.pulse_times_s <= test.t_s[end - 1])
            if inside.any() and test.pitch_deg[begin:end].max() - rest >= MOVED_DEG:
                found.add(float(test.current_ma[inside].max()))
        return sorted(found)


def identify_free_foot(test: FreeFootTest, foot: FootBody) -> FreeFootResult:
    """Fit recruitment, muscle and ankle to the foot's answers by least squares (scipy).

    Raises :class:`NotFree` where the foot did not move freely, too few currents moved it, or the model does
    not fit.
    """
    series = _Series(test, foot)
    currents = series.moving_currents()
    if len(currents) < CURRENTS_MIN:
        raise NotFree(
            f"found {len(currents)} currents that turned the foot by {MOVED_DEG:g} deg or more, allowed: "
            f"{CURRENTS_MIN} or more; seat the person so that the leg hangs and the foot touches nothing, "
            "and give trains up to what is comfortable"
        )
    means = np.array([mean for mean, _ in PRIOR.values()])
    spreads = np.array([spread for _, spread in PRIOR.values()])

    together = math.sqrt(TOGETHER_S / float(np.median(np.diff(test.t_s))))

    def fit(start: Array, misfit_deg: float) -> OptimizeResult:
        scale = misfit_deg * together

        def residuals(x: Array) -> Array:
            data = series.modelled_deg(x) - test.pitch_deg
            known = [surprise(v, (m, s), scale) for v, m, s in zip(x, means, spreads, strict=True)]
            at_rest = series.rest_moment_nm(x) / REST_NM * scale
            return np.concatenate((data, *known, [at_rest]))

        return least_squares(
            residuals, start, bounds=(LOW, HIGH), x_scale=spreads / 2.0, diff_step=1e-4, max_nfev=40
        )

    start = means.copy()
    start[0] = math.log(float(np.median(currents)))
    found = fit(start, MISFIT_DEG)
    found = fit(found.x, float(np.sqrt(np.mean(found.fun[: test.t_s.size] ** 2))))
    x, half = found.x, half_widths(found.jac, found.fun, test.t_s.size)
    half = np.minimum(np.hypot(half, 1.96 * np.array(MODEL_SD)), 1.96 * spreads)
    modelled = test.pitch_deg + found.fun[: test.t_s.size]
    percent = fit_percent_of(test.pitch_deg, modelled)
    if not percent >= FIT_NEEDED_PERCENT:
        raise NotFree(
            f"found a normalised fit of {percent:.0f} %, allowed: {FIT_NEEDED_PERCENT:g} % or more; repeat "
            "the trains with the leg relaxed and the foot touching nothing"
        )
    return FreeFootResult(
        i50_ma=estimate(x[0], half[0], math.exp),
        sigma=estimate(x[1], half[1], math.exp),
        torque_max_nm=estimate(x[2], half[2], _torque_nm),
        delay_s=estimate(x[3], half[3]),
        slowness=estimate(x[4], half[4], math.exp),
        bandwidth_rad_per_s=estimate(
            x[4], half[4], lambda s: equivalent_second_order(min(2.5, max(0.4, math.exp(s))))[0]
        ),
        stiffness=estimate(x[5], half[5], math.exp),
        neutral_shift_deg=estimate(x[6], half[6]),
        pitch_deg=modelled,
        fit_percent=percent,
        currents=len(currents),
    )


def _torque_nm(ln_evocable: float) -> float:
    """Of tibialis anterior at a right angle, held."""
    return float(ta_force_n(min(1.0, math.exp(ln_evocable)), 0.0, 0.0) * ta_arm_m(0.0))
