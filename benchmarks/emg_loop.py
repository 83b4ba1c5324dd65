"""Proportional control in the whole loop: core, guard, emulated P24 and a person, in virtual time.

``python benchmarks/emg.py --only loop``: bodies of the cohort (``models.cohort``) as persons who exercise,
each from a cold start: three contractions of 6 s that follow their EMG, of which they try 2.5 s. Sizes of EMG
are drawn here (assumed, as in ``emg_stimulated.py``).
"""

from __future__ import annotations

import re
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.commands.exercise import virtual_session_text
from controller.config.exercise import load_exercise
from models.cohort import cohort_patient
from models.emg import EmgParams as MuscleParams
from models.exercise_patient import ExercisePatient
from tests.core.exercise.test_runaway import PROGRAMME
from tests.core.exercise.virtual import EPOCH_NS, TICK_NS, ProgrammeRun, programme_run

TRIES_S = 2.5
LIFTS_S = 1.2  # into the third contraction
AT_REST = 0.04  # of the person's most: it has let go
VOLITION_MIN = 0.05  # who has less has no signal that steers
TROUBLES = ("nothing wrong", "artefact x 5", "electrode half lifts", "artefact x 5 and it lifts")


@dataclass(frozen=True, slots=True)
class Run:
    """``late_s``: time from rest to the last current of each contraction, 0 where none was left."""

    late_s: tuple[float, ...]
    used: float  # share of the tries' time with current
    loop_gain: float
    trips: int


def person(number: int, trouble: str, folder: Path) -> ProgrammeRun:
    body, rng = cohort_patient(number).params, np.random.default_rng([0xE6, number])
    muscle = MuscleParams(
        m_wave_v=float(np.exp(rng.uniform(np.log(5e-4), np.log(4e-3)))),
        m_wave_scale_s=rng.uniform(0.003, 0.004), m_wave_centre_s=rng.uniform(0.006, 0.009),
        artefact_v_per_ma=4e-4 * rng.uniform(0.5, 1.5) * (5.0 if "x 5" in trouble else 1.0),
        artefact_tail_s=rng.uniform(0.001, 0.003), noise_v=rng.uniform(2e-6, 6e-6),
    )  # fmt: skip
    volition = max(VOLITION_MIN, body.volition)
    file, session_file = folder / "programme.toml", folder / "session.toml"
    file.write_text(PROGRAMME)
    most_uv = max(10.0, 1e6 * volition * muscle.volition_v)
    text = re.sub(r"emg_max_uv = .*", f"emg_max_uv = {most_uv:.1f}", virtual_session_text(file))
    session_file.write_text(text)
    run = programme_run(
        load_exercise(session_file), repetitions=6, emg=muscle, volition=volition, evocable=body.evocable,
        tone=0.02 if body.reflex_gain_nms else 0.0, reflex_gain=0.05 if body.reflex_gain_nms else 0.0,
        delay_s=body.delay_s, muscle_slowness=body.muscle_slowness, fatigue_s=body.fatigue_s,
        recovery_s=body.recovery_s, fatigue_min=body.fatigue_min, drift_per_minute=body.drift_per_minute,
    )  # fmt: skip
    run.patient = ExercisePatient(run.person, number + 1)
    run.lets_go_s = TRIES_S
    return run


def closed(asked: tuple[int, str]) -> Run:
    """One person in one trouble."""
    number, trouble = asked
    with TemporaryDirectory() as folder:
        run = person(number, trouble, Path(folder))
    late, quiet_s, tried, given, gain = [0.0], 0.0, 0, 0, 0.0
    phase, contractions, most = "", 0, run.person.volition
    while run.core.timeline.phase != "done" and run.t_s < 90.0:
        run.run(TICK_NS / 1e9)
        line = run.core.timeline
        on = line.control == "emg-proportional" and line.phase == "on"
        if on and phase != "on":
            contractions += 1
            late.append(0.0)
        phase = line.phase
        if not on:
            quiet_s = 0.0
            continue
        age_s = line.age_s(EPOCH_NS + run.now_ns)
        if "lifts" in trouble and contractions == 3 and age_s > LIFTS_S:
            run.patient.set_contact(run.patient.emg_channels.index("wrist-extensors"), 0.5)
        seen = run.core.seen()
        current_ma = seen.muscles[0].current_ma
        gain = max(gain, *(one.loop_gain or 0.0 for one in seen.emg))
        drive = run.patient.truth().muscles["wrist-extensors"].drive
        quiet_s = quiet_s + TICK_NS / 1e9 if drive < AT_REST * most and age_s > TRIES_S else 0.0
        if current_ma > 0.0 and quiet_s > 0.0:
            late[-1] = quiet_s
        if 0.5 < age_s < TRIES_S:
            tried += 1
            given += current_ma > 0.0
    run.close()
    return Run(tuple(late), given / max(1, tried), gain, len(run.trips))


def loop(patients: int) -> None:
    """Time from rest to no current, in each trouble."""
    print(
        f"proportional control in the loop, {patients} persons, cold start: rest to no current, worst (who is"
    )
    print("above 200 ms); share of the tries' time with current; largest loop gain; trips")
    with ProcessPoolExecutor(2) as pool:
        for trouble in TROUBLES:
            runs = list(pool.map(closed, ((number, trouble) for number in range(patients))))
            over = [number for number, one in enumerate(runs) if max(one.late_s) > 0.2]
            print(
                f"  {trouble:26s} {1e3 * max(max(one.late_s) for one in runs):4.0f} ms ({over}); "
                f"{100 * np.mean([one.used for one in runs]):3.0f} %; "
                f"{max(one.loop_gain for one in runs):.2f}; {sum(one.trips for one in runs)}", flush=True,
            )  # fmt: skip
