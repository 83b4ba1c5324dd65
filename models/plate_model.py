"""The torque that a strapped foot gives to trains of pulses, from the numbers of one muscle.

Promises what the identification fits: recruitment, delay, force after Ding 2003, fatigue.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import ndtr

from models.foot_plate import RATE_HZ, StimulationTest
from models.jit import compiled
from models.muscle.ding import (
    DING2003,
    FORCE,
    FORCE_100_HZ_N,
    STATES,
    Constants,
    advance_by,
    pulse,
    rest,
    simulate,
)
from models.muscle.fatigue import FatigueParams, fitness_after, frequency_factor
from models.recruitment import RecruitmentParams, equivalent_ma

Array = npt.NDArray[np.float64]
STEP_S = 0.002  # RK4 is converged to 1e-5 at this step for tc of 10 ms and more
FATIGUE = FatigueParams()


@compiled
def torque_shape(
    times: Array, pulses: Array, gains: Array, c: Constants, max_step: float,
    floor: float, fatigue_s: float, recovery_s: float, beta: float,
) -> Array:  # fmt: skip
    """Activation times fitness at every time, for gains between 0 and 1."""
    state = np.zeros(STATES)
    rest(state, c)
    out = np.empty(times.size)
    fitness, now, due, rate_hz, last = 1.0, 0.0, 0, 0.0, -1.0
    for i in range(times.size):
        begin, before = now, state[FORCE]
        while True:
            at_pulse = due < pulses.size and pulses[due] <= times[i]
            end = pulses[due] if at_pulse else times[i]
            if end > now:
                advance_by(state, end - now, max_step, c)
                now = end
            if not at_pulse:
                break
            rate_hz = 1.0 / max(pulses[due] - last, 0.005)
            last = pulses[due]
            pulse(state, pulses[due], 1.0, gains[due], c)
            due += 1
        active = state[FORCE] / FORCE_100_HZ_N
        mean = 0.5 * (before / FORCE_100_HZ_N + active)
        load = min(1.0, mean) * frequency_factor(rate_hz if now - last < 0.2 else 0.0, beta)
        fitness = fitness_after(fitness, load, now - begin, floor, fatigue_s, recovery_s)
        out[i] = active * fitness
    return out


def stimulated_torque_nm(test: StimulationTest, x: Array) -> Array:
    """Torque without offset.

    x: ln i50, ln sigma, ln torque, delay, ln slowness, ln fatigue, ln recovery, floor, drift per minute.
    """
    at_reference = equivalent_ma(1.0, test.width_us, RecruitmentParams().chronaxie_us)
    current = test.current_ma * at_reference / (1.0 + x[8] * test.pulse_times_s / 60.0)
    with np.errstate(divide="ignore"):
        z = (np.log(current) - x[0]) / math.exp(x[1])
    shape = torque_shape(
        test.t_s,
        test.pulse_times_s + x[3],
        ndtr(z),
        DING2003.stretched(math.exp(x[4])).constants(fatigue=False),
        STEP_S,
        x[7],
        math.exp(x[5]),
        math.exp(x[6]),
        FATIGUE.beta,
    )
    torque: Array = math.exp(x[2]) * shape
    return torque


def equivalent_second_order(slowness: float) -> tuple[float, float]:
    """(bandwidth rad/s, extra dead time s) of wn^2/(s+wn)^2 nearest to a 40 Hz step of this muscle."""
    params = DING2003.stretched(slowness)
    span = 2.0
    trace = simulate("ding2003", np.arange(int(span * RATE_HZ)) / RATE_HZ, t_s=span, params=params)
    shape = trace.force_n / trace.force_n[-200:].mean()

    def error(x: Array) -> Array:
        late = np.maximum(0.0, trace.t_s - x[1]) * x[0]
        return np.asarray(1.0 - (1.0 + late) * np.exp(-late) - shape, dtype=np.float64)

    found = least_squares(error, [18.0 / slowness, 0.002], bounds=([1.0, 0.0], [200.0, 0.05]))
    return float(found.x[0]), float(found.x[1])
