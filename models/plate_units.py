"""Are the foot plate's files in the units and signs their columns say? Looked at before anything is fitted.

A wrong unit otherwise shows as a bad fit, and sends patient and therapist into another stimulation. Raises
ValueError naming file, column, what was found and what is allowed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.foot_plate import Marks, StimulationTest, SweepTest

Array = npt.NDArray[np.float64]

STEP_S = (0.0005, 0.1)  # 10 to 2000 values a second
PULSE_STEP_S = (0.002, 1.5)  # 500 Hz, and single pulses more than a second apart
OUTSIDE_S = 2.0  # pulses may begin before, and end after, what the plate tells
CURRENT_MA = (1.0, 250.0)  # the strongest of a test: 1 is felt by nobody, surface stimulators end at 250
TORQUE_NM = 250.0  # a strong man's plantarflexion: no ankle gives more
RANGE_DEG = 5.0  # radians of a whole ankle's range span 1.2
LATENCY_S, EFFECT_S = 0.05, 0.3  # a muscle answers a pulse between these
TREND_S = 2.5  # slower changes are no answers to pulses
TURNED = 0.5  # correlation from which on the sign is beyond doubt; right signs give 0.8 the other way


def check_marks(path: Path, marks: Marks) -> None:
    """Felt, moving, accepted: in rising order."""
    values = (marks.sensory_ma, marks.motor_ma, marks.comfort_ma)
    if not 0.0 < values[0] <= values[1] <= values[2]:
        found = ", ".join(f"{value:g}" for value in values)
        _refuse(path, "sensory_ma, motor_ma, comfort_ma", found, "thresholds in rising order, above 0")
    _check_current(path, "comfort_ma", marks.comfort_ma)


def check_stimulation(path: Path, pulses_path: Path, test: StimulationTest) -> None:
    """A ramp or a train: seconds, milliamperes, newton metres with dorsiflexion +."""
    _check_step(path, test.t_s, STEP_S)
    _check_torque(path, test.torque_nm)
    _check_step(pulses_path, test.pulse_times_s, PULSE_STEP_S)
    begin_s, end_s = test.t_s[0] - OUTSIDE_S, test.t_s[-1] + OUTSIDE_S
    outside = test.pulse_times_s[(test.pulse_times_s < begin_s) | (test.pulse_times_s > end_s)]
    if outside.size:
        _refuse(
            pulses_path, "time_s", f"{outside[0]:g} s", f"{begin_s:g} to {end_s:g} s, as {path.name} lasts"
        )
    _check_current(pulses_path, "current_ma", float(test.current_ma.max()))
    if _correlation(*_without_trend(test)) < -TURNED:
        _refuse(
            path, "torque_nm", "a torque that falls when pulses come", "dorsiflexion +: is the sign turned?"
        )


def check_sweep(path: Path, sweep: SweepTest) -> None:
    """A slow sweep: seconds, degrees with dorsiflexion +, newton metres with dorsiflexion +."""
    _check_step(path, sweep.t_s, STEP_S)
    _check_torque(path, sweep.torque_nm)
    span = float(np.ptp(sweep.ankle_deg))
    if span < RANGE_DEG or float(np.abs(sweep.ankle_deg).max()) > 180.0:
        allowed = f"a sweep of {RANGE_DEG:g} deg and more, within -180 to 180 deg: is the column in degrees?"
        _refuse(path, "ankle_deg", f"a range of {span:.3g}", allowed)
    if _correlation(sweep.ankle_deg, sweep.torque_nm) > TURNED:
        allowed = (
            "a torque that falls: a relaxed ankle resists; is the sign of one column turned (dorsiflexion +)?"
        )
        _refuse(path, "torque_nm", "a torque that rises with ankle_deg", allowed)


def _check_step(path: Path, t_s: Array, allowed_s: tuple[float, float]) -> None:
    step_s = float(np.median(np.diff(t_s)))
    if not allowed_s[0] * (1.0 - 1e-6) <= step_s <= allowed_s[1] * (1.0 + 1e-6):
        allowed = f"{allowed_s[0]:g} to {allowed_s[1]:g} s from line to line: is the column in seconds?"
        _refuse(path, "time_s", f"a median step of {step_s:.4g} s", allowed)


def _check_torque(path: Path, torque_nm: Array) -> None:
    largest = float(np.abs(torque_nm).max())
    if largest > TORQUE_NM:
        allowed = f"-{TORQUE_NM:g} to {TORQUE_NM:g} Nm: is the column in newton metres?"
        _refuse(path, "torque_nm", f"{largest:.4g}", allowed)


def _check_current(path: Path, column: str, largest_ma: float) -> None:
    if not CURRENT_MA[0] <= largest_ma <= CURRENT_MA[1]:
        allowed = f"{CURRENT_MA[0]:g} to {CURRENT_MA[1]:g} mA at its highest: is the column in milliamperes?"
        _refuse(path, column, f"{largest_ma:.4g}", allowed)


def _without_trend(test: StimulationTest) -> tuple[Array, Array]:
    """Current that acts, and torque, at every time of the plate, each beside its own mean over seconds."""
    total_ma = np.concatenate([[0.0], np.cumsum(test.current_ma)])
    last = np.searchsorted(test.pulse_times_s, test.t_s - LATENCY_S)
    first = np.searchsorted(test.pulse_times_s, test.t_s - EFFECT_S)
    acting = total_ma[last] - total_ma[first]
    width = max(1, round(TREND_S / float(np.median(np.diff(test.t_s)))))
    return acting - _smooth(acting, width), test.torque_nm - _smooth(test.torque_nm, width)


def _smooth(values: Array, width: int) -> Array:
    kernel = np.ones(min(width, values.size))
    count = np.convolve(np.ones(values.size), kernel, mode="same")
    return np.asarray(np.convolve(values, kernel, mode="same") / count, dtype=np.float64)


def _correlation(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / size if size > 0.0 else 0.0


def _refuse(path: Path, column: str, found: str, allowed: str) -> None:
    raise ValueError(f"{path}: column {column}: found {found}, allowed: {allowed}")
