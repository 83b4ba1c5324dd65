"""EMG and the exercising patient against closed forms, recorded walking and published fatigue."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.signal import butter, filtfilt, welch

from models.emg import EmgParams, SurfaceEmg, spectrum
from models.exercise_limbs import LIMBS
from models.exercise_params import ExerciseParams
from models.exercise_patient import ExercisePatient
from models.plant import TA_ENVELOPE, calf_envelope
from models.recruitment import fraction
from models.validation.rows import Row, Section, png

Array = npt.NDArray[np.float64]
QUIET = EmgParams(noise_v=0.0, mains_v=0.0, drift_v=0.0, m_wave_scatter=0.0, artefact_v_per_ma=0.0)
M_WAVE_SPAN = 4.0 * math.exp(-0.5) / math.sqrt(2.0)  # from peak to peak of 2 z exp(-z^2)
WALKED_MPS = (0.5, 1.6)


def _mean_envelope(folder: Path, muscle: str) -> Array:
    """Mean over people of a muscle's envelope over the stride (101), each over its own peak."""
    band, low = butter(2, (20.0, 400.0), "bandpass", fs=1000.0), butter(2, 8.0, fs=1000.0)
    people = []
    for path in sorted(folder.glob("*.npz")):
        known = np.load(path)
        row = [str(name) for name in known["muscles"]].index(muscle)
        with path.with_suffix(".csv").open() as lines:
            trials = [
                t for t in csv.DictReader(lines) if WALKED_MPS[0] <= float(t["speed_mps"]) <= WALKED_MPS[1]
            ]
        curves = []
        for trial in trials:
            raw = known[f"emg_mV_{int(trial['trial']):02d}"][row]
            rectified = np.tile(np.abs(filtfilt(*band, raw)), 3)  # a stride follows a stride like it
            smooth = filtfilt(*low, rectified)[raw.size : 2 * raw.size]
            curves.append(np.interp(np.linspace(0.0, 1.0, 101), np.linspace(0.0, 1.0, raw.size), smooth))
        mean = np.mean(curves, axis=0)
        people.append(mean / mean.max())
    return np.asarray(np.mean(people, axis=0), dtype=np.float64)


def emg_section(data: Path) -> Section:
    """Spectrum and M-wave against their equations, the walking muscles against recorded ones."""
    one = SurfaceEmg(QUIET, np.ones((1, 1)), np.ones((1, 1)), 1)
    volts = one.read(0.0, 2000.0, np.ones((240_000, 1)))[:, 0]
    hertz, power = welch(volts, 2000.0, nperseg=500)
    within = (hertz >= 20.0) & (hertz <= 300.0)
    expected = spectrum(hertz) ** 2
    expected *= np.sum(power[within]) / np.sum(expected[within])
    ratio = power[within] / expected[within]

    errors: list[float] = []
    patient = ExercisePatient(ExerciseParams(emg=QUIET, intent="rest"))
    curve = LIMBS["wrist-and-fingers"].muscles[0].recruitment
    for i, current_ma in enumerate(np.linspace(10.0, 30.0, 9)):
        patient.pulse(0.1 * i, 0, float(current_ma), 300.0)
        wave = patient.emg(0.1 * i, 1000, 10_000.0)[:, 0]
        errors.append(
            float(np.ptp(wave)) / (M_WAVE_SPAN * QUIET.m_wave_v) / fraction(float(current_ma), 300.0, curve)
            - 1.0
        )

    percent = np.linspace(0.0, 100.0, 101)
    modelled = {
        "Tibialis Anterior": np.interp(percent, np.arange(21) * 5.0, TA_ENVELOPE),
        "Gastrocnemius Medialis": np.array([calf_envelope(p / 100.0) for p in percent]),
    }
    recorded = {name: _mean_envelope(data / "emg_gait_lencioni", name) for name in modelled}

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(hertz, power / expected.max(), label="modelled volition")
        left.plot(hertz, expected / expected.max(), label="H(f) squared")
        left.set(xlim=(0, 400), xlabel="frequency (Hz)", ylabel="power over its peak")
        left.legend()
        for name, model in modelled.items():
            (line,) = right.plot(percent, recorded[name], lw=4, alpha=0.4, label=f"{name}, Lencioni 2019")
            right.plot(percent, model, color=line.get_color())
        right.set(xlabel="stride (%)", ylabel="envelope over its peak")
        right.legend(fontsize=8)

    rows = [
        Row("volitional EMG, spectrum", "H(f), 20 to 300 Hz", 100.0 * float(np.std(ratio)), 12.0, "% rms"),
        Row(
            "volitional EMG, rms",
            "effort",
            100.0 * abs(float(np.std(volts)) / QUIET.volition_v - 1.0),
            2.0,
            "%",
        ),
        Row(
            "M-wave, peak to peak",
            "closed form x recruitment",
            100.0 * max(map(abs, errors)),
            1.0,
            "%",
        ),
    ]
    for name, model in modelled.items():
        agreement = float(np.corrcoef(model, recorded[name])[0, 1])
        rows.append(Row(f"{name}, walking", "Lencioni 2019, 8 people", agreement, 0.9, "correlation", True))
    return Section("EMG", tuple(rows), png(draw))


def _session(rate_hz: float, pause_s: float, contractions: int = 20) -> tuple[Array, Array]:
    """Ten seconds on, ``pause_s`` off: time of each second and the quadriceps' fitness."""
    patient = ExercisePatient(ExerciseParams(limb="knee", outputs=("quadriceps",), intent="rest"))
    times, fitness = [], []
    for k in range(contractions):
        start_s = k * (10.0 + pause_s)
        for i in range(round(10.0 * rate_hz)):
            patient.pulse(start_s + i / rate_hz, 0, 63.0, 300.0)
            patient.advance(start_s + (i + 1) / rate_hz)
        times.append(patient.time_s)
        fitness.append(patient.truth().fitness)
        patient.advance(start_s + 10.0 + pause_s)
    return np.array(times), np.array(fitness)


def exercise_section() -> Section:
    """Limbs at rest against their balance of moments, a session's fatigue against published ones."""
    unbalanced = []
    for name in ("wrist-and-fingers", "knee"):
        patient = ExercisePatient(ExerciseParams(limb=name, outputs=(LIMBS[name].muscles[0].name,)))
        joint, angle_deg = LIMBS[name].joints[0], patient.truth().angle_deg or 0.0
        passive = -joint.stiffness * math.radians(angle_deg - joint.rest)
        weight = joint.gravity_nm * math.cos(math.radians(angle_deg - joint.gravity_from_deg))
        unbalanced.append(abs(passive - weight) / joint.gravity_nm)
    shoulder = ExercisePatient(ExerciseParams(limb="shoulder", outputs=("supraspinatus",))).truth()
    head = LIMBS["shoulder"].joints[0]
    low_mm = -1e3 * head.gravity_nm / head.stiffness
    sessions = {
        f"{rate_hz:g} Hz, {pause_s:g} s off": _session(rate_hz, pause_s)
        for rate_hz, pause_s in ((25.0, 10.0), (40.0, 10.0), (40.0, 50.0))
    }
    losses = [100.0 * (1.0 - left[-1] / left[0]) for _, left in sessions.values()]

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        for label, (times, left) in sessions.items():
            axis.plot(times / 60.0, left, ".-", label=f"10 s on, {label}")
        axis.set(xlabel="time (min)", ylabel="fitness of the quadriceps", ylim=(0, 1))
        axis.legend()

    rows = (
        Row("relaxed limb, moment left", "balance of moments", 100.0 * max(unbalanced), 0.2, "% of weight"),
        Row(
            "head of the humerus",
            "weight over stiffness",
            abs((shoulder.shift_mm or 0.0) - low_mm),
            0.01,
            "mm",
        ),
        Row(
            "20 contractions of 10 s at 25 Hz, force lost",
            "Bickel 2012, low rate: 25 % sd 14 %",
            abs(losses[0] - 25.0),
            14.0,
            "% away",
        ),
        Row(
            "more is lost at 40 Hz than at 25 Hz", "Bickel 2012, order", losses[1] - losses[0], 0.0, "%", True
        ),
        Row("longer pauses lose less", "Packman-Braun 1988, order", losses[1] - losses[2], 0.0, "%", True),
    )
    return Section("The exercising patient", rows, png(draw))
