"""Pulse-resolved muscle force: Ding 2003, with pulse width (Ding 2007), with amplitude (Hmed 2018).

Promises the converged solution of the published equations; refuses unphysical pulses and parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.recruitment import check

Array = npt.NDArray[np.float64]
Model = Literal["ding2003", "ding2007", "hmed2018"]
MODELS: tuple[Model, ...] = ("ding2003", "ding2007", "hmed2018")

# Places in the state of one muscle.
CA_SUM, CN, FORCE, A, TAU1, KM, GAIN, LAST = range(8)
STATES = 8
MAX_STEP_S = 0.0005  # RK4 at this step is converged to 1e-8 of the peak for the fastest set (tc 11 ms)
LONG_AGO_S = -1e6


class Constants(NamedTuple):
    """The constants of the equations in SI units, for compiled code."""

    tc_s: float
    a_rest_n_per_s: float
    km_rest: float
    tau1_rest_s: float
    tau2_s: float
    r0: float
    alpha_a: float
    alpha_tau1: float
    alpha_km: float
    tau_fatigue_s: float


@dataclass(frozen=True, slots=True)
class DingParams:
    """Parameters of the force and fatigue equations; defaults: Ding 2003, healthy quadriceps.

    Values as used by cocofest; ``tau2_s`` 0.060 is its choice, PMC9936668 prints 0.100 (not settled).
    ``r0`` is the doublet gain, Km at rest + 1.04, and stays at rest during fatigue.
    """

    tc_s: float = 0.020
    a_rest_n_per_s: float = 3009.0
    km_rest: float = 0.103
    tau1_rest_s: float = 0.050957
    tau2_s: float = 0.060
    r0_offset: float = 1.04
    alpha_a_per_s2: float = -0.4
    alpha_tau1_per_n: float = 2.1e-5
    alpha_km_per_s_n: float = 1.9e-5
    tau_fatigue_s: float = 127.0
    width_offset_us: float = 131.405  # Ding 2007: no force below this width
    width_scale_us: float = 194.138
    hmed_scale: float = 0.586  # Hmed 2018: recruitment tanh curve over current
    hmed_slope_per_ma: float = 0.026
    hmed_centre_ma: float = 63.1
    hmed_offset: float = 0.833

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tc_s", 1e-3, 1.0),
            ("a_rest_n_per_s", 0.0, 1e6),
            ("km_rest", 1e-4, 10.0),
            ("tau1_rest_s", 1e-3, 10.0),
            ("tau2_s", 0.0, 10.0),
            ("r0_offset", 0.0, 20.0),
            ("alpha_a_per_s2", -100.0, 0.0),
            ("alpha_tau1_per_n", 0.0, 0.1),
            ("alpha_km_per_s_n", 0.0, 0.1),
            ("tau_fatigue_s", 1.0, 1e5),
            ("width_offset_us", 0.0, 5000.0),
            ("width_scale_us", 1.0, 50000.0),
            ("hmed_scale", 0.0, 10.0),
            ("hmed_slope_per_ma", 1e-4, 10.0),
            ("hmed_centre_ma", 0.0, 1000.0),
            ("hmed_offset", 0.0, 1.0),
        ):
            check(name, getattr(self, name), low, high)

    def stretched(self, slowness: float) -> DingParams:
        """The same muscle with all time constants of force multiplied, at the same force."""
        check("slowness", slowness, 0.2, 5.0)
        return replace(
            self,
            tc_s=slowness * self.tc_s,
            tau1_rest_s=slowness * self.tau1_rest_s,
            tau2_s=slowness * self.tau2_s,
            a_rest_n_per_s=self.a_rest_n_per_s / slowness,
        )

    def constants(self, *, fatigue: bool) -> Constants:
        """The same numbers for compiled code; without fatigue its rates are zero."""
        on = 1.0 if fatigue else 0.0
        return Constants(
            tc_s=self.tc_s,
            a_rest_n_per_s=self.a_rest_n_per_s,
            km_rest=self.km_rest,
            tau1_rest_s=self.tau1_rest_s,
            tau2_s=self.tau2_s,
            r0=self.km_rest + self.r0_offset,
            alpha_a=on * self.alpha_a_per_s2,
            alpha_tau1=on * self.alpha_tau1_per_n,
            alpha_km=on * self.alpha_km_per_s_n,
            tau_fatigue_s=self.tau_fatigue_s,
        )


DING2003 = DingParams()
DING2007 = replace(
    DING2003, tc_s=0.011, a_rest_n_per_s=4920.0, km_rest=0.137, tau1_rest_s=0.060601, tau2_s=0.001
)
HMED2018 = DING2003
# Peak of the 2003 set at 100 Hz, a fused tetanus (DOP853); activation is force over this.
FORCE_100_HZ_N = 310.933
DEFAULTS: dict[Model, DingParams] = {"ding2003": DING2003, "ding2007": DING2007, "hmed2018": HMED2018}


@dataclass(frozen=True, slots=True)
class MuscleTrace:
    """A simulated train; every array has one value per time."""

    t_s: Array
    force_n: Array
    cn: Array  # Ca-troponin complex, normalised
    a_n_per_s: Array  # force scale; falls with fatigue
    tau1_s: Array  # relaxation without strongly bound bridges; grows with fatigue
    km: Array  # sensitivity of strongly bound bridges to Ca; grows with fatigue


@compiled
def rest(state: Array, c: Constants) -> None:
    """Put one muscle into its rested state."""
    state[:] = 0.0
    state[A], state[TAU1], state[KM] = c.a_rest_n_per_s, c.tau1_rest_s, c.km_rest
    state[GAIN], state[LAST] = 1.0, LONG_AGO_S


@compiled
def pulse(state: Array, t_s: float, strength: float, gain: float, c: Constants) -> None:
    """One stimulus: ``strength`` enters the Ca sum (amplitude), ``gain`` scales the force (width).

    The sum over all earlier pulses is one state that decays with tc: exact, and the same cost for ever.
    """
    ratio = 1.0 + (c.r0 - 1.0) * math.exp(-(t_s - state[LAST]) / c.tc_s)
    state[CA_SUM] += ratio * strength
    state[GAIN] = gain
    state[LAST] = t_s


@compiled
def _rates(
    force: float, a: float, tau1: float, km: float, cn: float, gain: float, c: Constants
) -> tuple[float, float, float, float]:
    bound = cn / (km + cn)
    return (
        gain * a * bound - force / (tau1 + c.tau2_s * bound),
        c.alpha_a * force - (a - c.a_rest_n_per_s) / c.tau_fatigue_s,
        c.alpha_tau1 * force - (tau1 - c.tau1_rest_s) / c.tau_fatigue_s,
        c.alpha_km * force - (km - c.km_rest) / c.tau_fatigue_s,
    )


@compiled
def advance(state: Array, h: float, c: Constants) -> None:
    """Advance one muscle by ``h`` seconds without a pulse: Ca exactly, force and fatigue by RK4."""
    half = math.exp(-0.5 * h / c.tc_s)
    cn0 = state[CN]
    cn1 = half * (cn0 + 0.5 * state[CA_SUM] * h / c.tc_s)
    cn2 = half * half * (cn0 + state[CA_SUM] * h / c.tc_s)
    f, a, u, k, gain = state[FORCE], state[A], state[TAU1], state[KM], state[GAIN]
    p = _rates(f, a, u, k, cn0, gain, c)
    g = 0.5 * h
    q = _rates(f + g * p[0], a + g * p[1], u + g * p[2], k + g * p[3], cn1, gain, c)
    r = _rates(f + g * q[0], a + g * q[1], u + g * q[2], k + g * q[3], cn1, gain, c)
    s = _rates(f + h * r[0], a + h * r[1], u + h * r[2], k + h * r[3], cn2, gain, c)
    w = h / 6.0
    state[FORCE] = f + w * (p[0] + 2.0 * (q[0] + r[0]) + s[0])
    state[A] = a + w * (p[1] + 2.0 * (q[1] + r[1]) + s[1])
    state[TAU1] = u + w * (p[2] + 2.0 * (q[2] + r[2]) + s[2])
    state[KM] = k + w * (p[3] + 2.0 * (q[3] + r[3]) + s[3])
    state[CN] = cn2
    state[CA_SUM] *= half * half


@compiled
def advance_by(state: Array, span_s: float, max_step_s: float, c: Constants) -> None:
    """Advance by ``span_s`` (above 0) in equal steps of at most ``max_step_s``."""
    steps = math.ceil(span_s / max_step_s - 1e-9)
    for _ in range(steps):
        advance(state, span_s / steps, c)


@compiled
def _train(pulses: Array, strength: Array, gain: Array, times: Array, max_step: float, c: Constants) -> Array:
    state = np.zeros(STATES)
    rest(state, c)
    out = np.empty((times.size, STATES))
    now = min(0.0, times[0]) if times.size else 0.0
    due = 0
    for i in range(times.size):
        while True:
            at_pulse = due < pulses.size and pulses[due] <= times[i]
            end = pulses[due] if at_pulse else times[i]
            if end > now:
                advance_by(state, end - now, max_step, c)
                now = end
            if not at_pulse:
                break
            pulse(state, pulses[due], strength[due], gain[due], c)
            due += 1
        out[i] = state
    return out


def _finite(name: str, values: npt.ArrayLike, low: float, high: float) -> Array:
    array = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if bad.any():
        found = float(array[bad].flat[0])
        raise ValueError(f"{name}: found {found!r}, allowed: finite, {low:g} to {high:g}")
    return array


def _per_pulse(name: str, values: npt.ArrayLike | None, n: int, high: float, model: str) -> Array:
    if values is None:
        raise ValueError(f"{name}: found None, allowed: one value or {n} values, {model} needs it")
    array = _finite(name, values, 0.0, high)
    if array.ndim > 1 or (array.ndim == 1 and array.size != n):
        raise ValueError(f"{name}: found shape {array.shape}, allowed: one value or {n}, one per pulse")
    return np.broadcast_to(array, (n,))


def simulate(
    model: Model,
    pulse_times_s: npt.ArrayLike,
    *,
    width_us: npt.ArrayLike | None = None,
    current_ma: npt.ArrayLike | None = None,
    t_s: npt.ArrayLike,
    fatigue: bool = False,
    params: DingParams | None = None,
) -> MuscleTrace:
    """Force of an isometric muscle under a train of pulses.

    ``pulse_times_s``: (n,) increasing, from 0 on. ``width_us`` (ding2007) and ``current_ma`` (hmed2018)
    are one value or one per pulse. ``t_s``: the times wanted, increasing, or one number: the duration,
    returned in steps of 1 ms. Raises ValueError naming the argument, the value and what is allowed.
    """
    if model not in MODELS:
        raise ValueError(f"model: found {model!r}, allowed: {', '.join(MODELS)}")
    pulses = _finite("pulse_times_s", pulse_times_s, 0.0, 1e7)
    if pulses.ndim != 1 or np.any(np.diff(pulses) <= 0.0):
        at = int(np.argmax(np.diff(pulses) <= 0.0)) + 1 if pulses.ndim == 1 else 0
        found = float(pulses.flat[at]) if pulses.size else pulses.shape
        raise ValueError(f"pulse_times_s: found {found!r} at place {at}, allowed: a list in increasing order")
    times = _finite("t_s", t_s, 0.0, 1e7)
    if times.ndim == 0:
        times = np.arange(round(float(times) * 1000.0) + 1) / 1000.0
    if times.ndim != 1 or times.size == 0 or np.any(np.diff(times) < 0.0):
        raise ValueError("t_s: found times that go back, allowed: a duration or times in increasing order")
    p = DEFAULTS[model] if params is None else params
    strength, gain = np.ones(pulses.size), np.ones(pulses.size)
    if model == "ding2007":
        width = _per_pulse("width_us", width_us, pulses.size, 100000.0, model)
        gain = np.maximum(0.0, -np.expm1(-(width - p.width_offset_us) / p.width_scale_us))
    elif width_us is not None:
        raise ValueError(f"width_us: found {width_us!r}, allowed: None, {model} does not know pulse width")
    if model == "hmed2018":
        current = _per_pulse("current_ma", current_ma, pulses.size, 1000.0, model)
        curve = np.tanh(p.hmed_slope_per_ma * (current - p.hmed_centre_ma)) + p.hmed_offset
        strength = np.maximum(0.0, p.hmed_scale * curve)
    elif current_ma is not None:
        raise ValueError(f"current_ma: found {current_ma!r}, allowed: None, {model} does not know current")
    out = _train(pulses, strength, gain, times, MAX_STEP_S, p.constants(fatigue=fatigue))
    return MuscleTrace(
        t_s=times,
        force_n=out[:, FORCE],
        cn=out[:, CN],
        a_n_per_s=out[:, A],
        tau1_s=out[:, TAU1],
        km=out[:, KM],
    )
