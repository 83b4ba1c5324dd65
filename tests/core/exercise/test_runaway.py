"""A current in proportion to the person's signal cannot feed on itself: at rest it is gone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from controller.commands.exercise import virtual_session_text
from controller.config.exercise import load_exercise
from controller.core.exercise.timeline import READY_S
from models.exercise_params import EMG
from models.exercise_patient import ExercisePatient
from tests.core.exercise.virtual import TICK_NS, ProgrammeRun, programme_run

PROGRAMME = """
[programme]
title = "Short"
kind = "emg-proportional"
aim = "A test."
source = "A test."

[[contractions]]
muscle = "wrist-extensors"
width_us = 250.0
rate_hz = 30.0
ramp_up_s = 0.25
hold_s = 6.0
ramp_down_s = 0.1

[repetitions]
count = 6
rest_s = 1.5

[emg]
"""
GONE_S = 0.2
AT_REST = 0.004  # of the muscle's drive, 4 % of this person's most: the person has let go


def run_of(folder: Path, most_uv: float | None = None, **person: object) -> ProgrammeRun:
    file = folder / "programme.toml"
    file.write_text(PROGRAMME)
    session_file = folder / "session.toml"
    text = virtual_session_text(file)
    if most_uv is not None:
        text = re.sub("emg_max_uv = .*", f"emg_max_uv = {most_uv}", text)
    session_file.write_text(text)
    return programme_run(load_exercise(session_file), repetitions=6, **person)


def rests(run: ProgrammeRun) -> list[tuple[float, float]]:
    """The person tries 2.5 s in each contraction, then lets go: current and own drive of each later tick."""
    seen = []
    while run.core.timeline.phase != "done" and run.t_s < 90.0:
        run.run(TICK_NS / 1e9)
        line = run.core.timeline
        if (
            line.control == "emg-proportional"
            and line.phase == "on"
            and line.age_s(run.epoch_ns + run.now_ns) > 2.5
        ):
            drive = run.patient.truth().muscles["wrist-extensors"].drive
            seen.append((run.core.seen().muscles[0].current_ma, drive))
    return seen


def ends_with_the_effort(run: ProgrammeRun, at_rest: float) -> None:
    run.patient = ExercisePatient(run.person, 1)
    run.lets_go_s = 2.5
    seen = rests(run)
    run.close()
    assert run.trips == []
    assert max(current_ma for current_ma, _ in seen) > 0.0, "no proportional current was given at all"
    quiet_s = 0.0
    for current_ma, drive in seen:
        quiet_s = quiet_s + TICK_NS / 1e9 if drive < at_rest else 0.0
        if quiet_s > GONE_S:
            assert current_ma == 0.0


@pytest.mark.parametrize("artefact", [1.0, 5.0])
def test_the_current_ends_with_the_effort(artefact: float, tmp_path: Path) -> None:
    """One person; benchmarks/emg.py asks more of them."""
    emg = replace(EMG, artefact_v_per_ma=artefact * EMG.artefact_v_per_ma)
    ends_with_the_effort(run_of(tmp_path, emg=emg), AT_REST)


def test_noise_at_rest_is_no_effort_of_a_person_whose_most_is_three_times_it(tmp_path: Path) -> None:
    """A fifth of this most, where proportional current begins, is a seventh over rest: chance goes as far."""
    weak = run_of(tmp_path, most_uv=15.0, volition=0.05, emg=replace(EMG, noise_v=5.7e-6, m_wave_v=5e-4))
    ends_with_the_effort(weak, 0.5 * AT_REST)


def test_a_half_lifted_electrode_is_told_and_begins_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    run.patient.set_contact(0, 0.5)
    run.run(20.0)
    given = [one.t_s for one in run.given() if one.t_s >= READY_S]  # before: the electrodes' test
    run.close()
    (seen,) = run.core.seen().emg
    assert "electrode" in seen.quality
    assert given == []
