"""What people do to a programme in virtual time: nothing trips, nothing is blocked, no rest is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.commands.exercise import virtual_session_text
from controller.commands.exercise_check import exercise_objections
from controller.config.exercise import load_exercise
from controller.core.signals import ExerciseRequest, Phase
from controller.safety.judgement.guard_types import Request
from controller.safety.judgement.states import Stage
from tests.core.exercise.virtual import ProgrammeRun, programme_run

TICK_S = 0.005
NEAR_THE_LIMIT = """
[programme]
title = "Near the limit"
kind = "cyclic"
aim = "Close to what two minutes may give."
source = "A test"

[[contractions]]
muscle = "wrist-extensors"
width_us = 200.0
rate_hz = 20.0
ramp_up_s = 0.5
hold_s = 9.0
ramp_down_s = 0.5

[[contractions]]
muscle = "finger-flexors"
width_us = 200.0
rate_hz = 20.0
ramp_up_s = 0.5
hold_s = 2.0
ramp_down_s = 0.5

[repetitions]
count = 20
rest_s = 60.0
"""
TIGHT = """
[limits]
on_share_max = 0.2 # of 120 s: the third contraction of 10 s would go beyond, were it given too early
"""
Made = Callable[[str], ProgrammeRun]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A run of a programme's text."""
    runs: list[ProgrammeRun] = []

    def make(text: str) -> ProgrammeRun:
        programme, file = tmp_path / "programme.toml", tmp_path / "session.toml"
        programme.write_text(text)
        file.write_text(virtual_session_text(programme) + TIGHT)
        session = load_exercise(file)
        assert exercise_objections(session) == []
        runs.append(programme_run(session, repetitions=50))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def lived(run: ProgrammeRun, seconds: float, then: Callable[[ProgrammeRun, Phase], None]) -> None:
    """Live for so long; ``then`` is called with the phase after every tick."""
    until_s = run.t_s + seconds
    while run.t_s < until_s:
        run.run(TICK_S)
        then(run, run.core.timeline.phase)


def impatient(run: ProgrammeRun, phase: Phase) -> None:
    """Cuts short every rest there is."""
    if phase in ("rest", "set_rest"):
        run.ask(ExerciseRequest("skip"))


def fidgety(run: ProgrammeRun, phase: Phase) -> None:
    """Pauses in the middle of every contraction, and goes on at once."""
    if phase == "paused":
        run.ask(ExerciseRequest("go_on"))
    elif phase == "on" and run.core.timeline.age_s(run.now_ns + 10**9) > 5.0:
        run.ask(ExerciseRequest("pause"))


def stops_and_arms(run: ProgrammeRun, phase: Phase) -> None:
    """Disarms at the end of every contraction, and arms again at once."""
    if phase == "on" and run.core.timeline.age_s(run.now_ns + 10**9) > 9.8:
        run.request(Request("disarm"))
    elif run.known.state.stage is Stage.OFF:
        run.request(Request("arm"))


@pytest.mark.parametrize(("person", "seconds"), [(impatient, 125.0), (fidgety, 70.0), (stops_and_arms, 70.0)])
def test_no_haste_of_a_person_takes_a_muscle_past_a_limit(
    made: Made, person: Callable[[ProgrammeRun, Phase], None], seconds: float
) -> None:
    run = made(NEAR_THE_LIMIT)
    lived(run, seconds, person)
    assert run.trips == []
    assert {*run.verdicts} <= {"ok", "blocked"}
    assert not [reason for reason in run.reasons if "beyond" in reason], run.reasons
    assert run.core.seen().muscles[0].contractions >= 2
