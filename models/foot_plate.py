"""The three short tests of a seated patient with the foot on a plate that measures torque.

Promises each test in under 30 s, below the current the person accepts; refuses recordings that do not match.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.gait import CURVE_SETS, SIT, Activity
from models.limb.passive import riener_edrich_curve_nm
from models.limb.reflex import reflex_moment_nm
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from models.recruitment import check

Array = npt.NDArray[np.float64]

RATE_HZ = 40.0  # of the pulses, the usual one for foot drop
WIDTH_US = 300.0
SAMPLE_HZ = 100.0  # of the torque
LEVELS, LEVEL_S, BURST = 20, 1.2, 6  # ramp: short bursts and long pauses, so that little fatigue adds up
FIRST_MA = 6.0
TRAIN_S, HOLD_S = 14.0, 0.15
SWEEP_DEG, SWEEP_DPS = (-35.0, 20.0), 4.0
NOISE_NM = 0.10  # white, of a hand-held or plate dynamometer (assumed)
WANDER_NM, WANDER_S = 0.03, 0.3  # muscle tone and posture (assumed)
OFFSET_NM = 0.3  # of a plate zeroed before the test (assumed)
ANGLE_NOISE_DEG = 0.3
HOLD_TRAIN_S, HOLD_MEAN = 1.0, 12  # seconds, and pulses at its end that count
MEAN_NOISE_NM = 0.05  # of a mean over these (assumed)


@dataclass(frozen=True, slots=True)
class Marks:
    """Currents at 300 us: first felt, first movement, most accepted."""

    sensory_ma: float
    motor_ma: float
    comfort_ma: float


@dataclass(frozen=True, slots=True, eq=False)
class StimulationTest:
    """Torque of the held ankle (dorsiflexion +, Nm) under a list of pulses of one width."""

    t_s: Array
    torque_nm: Array
    pulse_times_s: Array
    current_ma: Array
    width_us: float

    def __post_init__(self) -> None:
        _same("torque_nm", self.torque_nm, "t_s", self.t_s)
        _same("current_ma", self.current_ma, "pulse_times_s", self.pulse_times_s)
        _rising("t_s", self.t_s)
        _rising("pulse_times_s", self.pulse_times_s)
        check("width_us", self.width_us, 10.0, 2000.0)
        if np.any(self.current_ma < 0.0):
            raise ValueError(f"current_ma: found {self.current_ma.min():g}, allowed: at least 0")


@dataclass(frozen=True, slots=True, eq=False)
class SweepTest:
    """Torque of the relaxed ankle while it is moved slowly through its range."""

    t_s: Array
    ankle_deg: Array
    knee_deg: float
    torque_nm: Array

    def __post_init__(self) -> None:
        _same("torque_nm", self.torque_nm, "t_s", self.t_s)
        _same("ankle_deg", self.ankle_deg, "t_s", self.t_s)
        _rising("t_s", self.t_s)
        check("knee_deg", self.knee_deg, -10.0, 120.0)


@dataclass(frozen=True, slots=True)
class TestSet:
    """What identification needs."""

    __test__ = False  # not a test case for pytest

    marks: Marks
    ramp: StimulationTest
    train: StimulationTest
    sweep: SweepTest


def _same(name: str, values: Array, other: str, others: Array) -> None:
    if values.ndim != 1 or values.shape != others.shape or values.size < 2:
        raise ValueError(f"{name}: found shape {values.shape}, allowed: as {other}, {others.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: found a value that is not finite at {int(np.argmin(np.isfinite(values)))}")


def _rising(name: str, values: Array) -> None:
    if not np.isfinite(values).all() or np.any(np.diff(values) <= 0.0):
        raise ValueError(f"{name}: found values that do not increase, allowed: increasing times")


def _noise(n: int, source: np.random.Generator) -> Array:
    """Sensor noise, wander and offset of the plate."""
    keep = math.exp(-1.0 / (SAMPLE_HZ * WANDER_S))
    wander = np.empty(n)
    value = 0.0
    for i, kick in enumerate(source.standard_normal(n)):
        value = keep * value + math.sqrt(1.0 - keep * keep) * WANDER_NM * kick
        wander[i] = value
    return wander + NOISE_NM * source.standard_normal(n) + source.uniform(-OFFSET_NM, OFFSET_NM)


def _stimulate(
    params: PatientParams, pulses: Array, currents: Array, seconds: float, source: np.random.Generator
) -> StimulationTest:
    patient = VirtualPatient(params, seed=1, schedule=(Activity("sit", 1e4),))
    times = np.arange(int(seconds * SAMPLE_HZ)) / SAMPLE_HZ
    torque = np.empty(times.size)
    due = 0
    for i, t in enumerate(times):
        while due < pulses.size and pulses[due] <= t + 0.02:
            patient.pulse(float(pulses[due]), 0, float(currents[due]), WIDTH_US)
            due += 1
        patient.advance(float(t))
        torque[i] = patient.truth().torque_nm
    return StimulationTest(times, torque + _noise(times.size, source), pulses, currents, WIDTH_US)


def perform_tests(params: PatientParams, seed: int = 1) -> TestSet:
    """Carry out the three tests on a virtual patient, sensor noise and all; same seed, same recording."""
    source = np.random.default_rng([0x7E57, seed])
    felt = params.sensory_ma * (1.0 + 0.05 * source.standard_normal())
    comfort = params.comfort_ma * (1.0 + 0.03 * source.standard_normal())
    levels: Array = np.linspace(min(FIRST_MA, 0.5 * comfort), comfort, LEVELS, dtype=np.float64)
    start: Array = 0.5 + LEVEL_S * np.arange(LEVELS, dtype=np.float64)
    pulses = (start[:, None] + np.arange(BURST) / RATE_HZ).ravel()
    ramp = _stimulate(params, pulses, np.repeat(levels, BURST), 0.5 + LEVELS * LEVEL_S, source)
    motor = _motor_threshold(ramp, levels, start)
    high = motor + 0.7 * (comfort - motor)
    slots = source.random(int((TRAIN_S - 1.0) / HOLD_S)) < 0.4  # a random telegraph, 40 % on
    every = 0.5 + np.arange(int(len(slots) * HOLD_S * RATE_HZ)) / RATE_HZ
    on = slots[np.minimum(len(slots) - 1, ((every - 0.5 + 1e-9) / HOLD_S).astype(int))]
    train = _stimulate(params, every[on], np.full(int(on.sum()), high), TRAIN_S, source)
    return TestSet(Marks(felt, motor, comfort), ramp, train, _sweep(params, source))


def _motor_threshold(ramp: StimulationTest, levels: Array, start: Array) -> float:
    """Lowest level whose burst clearly shows: a mean rise of four standard errors."""
    for level, begin in zip(levels, start, strict=True):
        before = ramp.torque_nm[(ramp.t_s > begin - 0.3) & (ramp.t_s <= begin)]
        after = ramp.torque_nm[(ramp.t_s > begin + 0.1) & (ramp.t_s <= begin + 0.4)]
        if after.mean() - before.mean() > 4.0 * NOISE_NM / math.sqrt(len(after)):
            return float(level)
    return float(levels[-1])


def _sweep(params: PatientParams, source: np.random.Generator) -> SweepTest:
    """Slowly up and down; the plate feels the passive moment, damping and a reflex that is not asked for."""
    low, high = SWEEP_DEG
    half = (high - low) / SWEEP_DPS
    times = np.arange(int(2 * half * SAMPLE_HZ)) / SAMPLE_HZ
    angle = low + SWEEP_DPS * np.where(times < half, times, 2 * half - times)
    rate = np.radians(np.where(times < half, SWEEP_DPS, -SWEEP_DPS))
    knee = float(CURVE_SETS[SIT, 0, 0] - CURVE_SETS[SIT, 1, 0])
    passive = params.stiffness * riener_edrich_curve_nm(angle - params.neutral_shift_deg, knee)
    reflex = reflex_moment_nm(
        rate,
        step_s=1.0 / SAMPLE_HZ,
        gain_nms=params.reflex_gain_nms,
        threshold_rps=math.radians(params.reflex_threshold_dps),
        delay_s=params.reflex_delay_s,
    )
    torque = passive - params.damping_nms * rate + reflex + _noise(times.size, source)
    measured = angle + ANGLE_NOISE_DEG * source.standard_normal(times.size)
    return SweepTest(times, measured, knee, torque)


@dataclass(frozen=True, slots=True)
class Hold:
    """The foot held on a plate that feels both axes, under one steady train of both channels."""

    current_ma: tuple[float, float]
    torque_nm: tuple[float, float]  # dorsiflexion and eversion +


def perform_holds(params: PatientParams, seed: int = 1) -> tuple[Hold, ...]:
    """Relaxed, and each channel alone at two currents: what a map of two channels is identified from."""
    source = np.random.default_rng([0x7E58, seed])
    high = 0.95 * params.comfort_ma
    trains = ((0.0, 0.0), (0.8 * high, 0.0), (high, 0.0), (0.0, 0.8 * high), (0.0, high))
    offset = source.uniform(-OFFSET_NM, OFFSET_NM, 2)
    return tuple(
        Hold(train, _held(params, train, offset + MEAN_NOISE_NM * source.standard_normal(2)))
        for train in trains
    )


def _held(params: PatientParams, train_ma: tuple[float, float], error_nm: Array) -> tuple[float, float]:
    """Mean torque over the last tenths of a second of a train on a rested patient."""
    patient = VirtualPatient(params, seed=1, schedule=(Activity("sit", 1e4),))
    felt = []
    for number in range(int(HOLD_TRAIN_S * RATE_HZ)):
        t_s = 0.1 + number / RATE_HZ
        for channel, current_ma in enumerate(train_ma):
            if current_ma > 0.0:
                patient.pulse(t_s, channel, current_ma, WIDTH_US)
        patient.advance(t_s)
        felt.append((patient.truth().torque_nm, patient.eversion_nm()))
    dorsiflexion_nm, eversion_nm = (np.mean(felt[-HOLD_MEAN:], axis=0) + error_nm).tolist()
    return dorsiflexion_nm, eversion_nm
