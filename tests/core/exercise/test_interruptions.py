"""What people do to a programme in virtual time: nothing trips, nothing is blocked, no rest is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.commands.exercise import virtual_session_text
from controller.commands.exercise_check import exercise_objections
from controller.config.exercise import load_exercise
from controller.core.exercise.timeline import READY_S
from controller.core.signals import ExerciseRequest, Phase
from controller.safety.judgement.faults import FAULTS
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
        runs.append(programme_run(session, repetitions=session.programme.repetitions.count))
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
    elif phase == "on" and run.core.timeline.age_s(run.now_ns + run.epoch_ns) > 5.0:
        run.ask(ExerciseRequest("pause"))


def stops_and_arms(run: ProgrammeRun, phase: Phase) -> None:
    """Disarms at the end of every contraction, and arms again at once."""
    if phase == "on" and run.core.timeline.age_s(run.now_ns + run.epoch_ns) > 9.8:
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
    seen = run.core.seen()
    assert seen.given + seen.broken_off + (seen.phase == "on") >= 2
    assert seen.muscles[0].contractions == seen.given == (0 if seen.broken_off else seen.repetition)


PHASES = """
[programme]
title = "All phases"
kind = "{kind}"
aim = "Each phase there is."
source = "A test"

[[contractions]]
muscle = "wrist-extensors"
width_us = 300.0
rate_hz = 35.0
ramp_up_s = 0.5
hold_s = 1.0
ramp_down_s = 0.5

[repetitions]
count = 4
rest_s = 9.0
set_of = 2
set_rest_s = 10.0
"""
LISTENS = "\n[emg]\nthreshold_percent = 20.0\nrelease_percent = 10.0\n"


def in_the_hold(run: ProgrammeRun) -> float:
    """Live until the middle of a hold; when that is."""
    while run.core.timeline.phase != "on" or run.core.timeline.age_s(run.now_ns + run.epoch_ns) < 1.0:
        run.run(TICK_S)
        assert run.t_s < 60.0
    return run.t_s


def deadline_s(fault: str) -> float:
    deadline_ms = FAULTS[fault].deadline_ms
    assert deadline_ms is not None
    return deadline_ms / 1e3


@pytest.mark.parametrize("kind", ["emg-triggered", "emg-proportional"])
def test_an_emg_sensor_silent_in_a_contraction_ends_the_pulses(made: Made, kind: str) -> None:
    run = made(PHASES.format(kind=kind) + LISTENS)
    silent_s = in_the_hold(run)
    run.silent = True
    run.run(5.0)
    assert [text for text in run.trips if FAULTS["F1"].happened not in text] == []
    assert len(run.trips) == 1
    times_s = [given.t_s for given in run.given()]
    assert silent_s < max(times_s) <= silent_s + deadline_s("F1")
    assert (run.core.timeline.phase, run.core.timeline.broken_off) == ("waiting", 1)


def test_a_controller_killed_in_a_contraction_ends_the_pulses(made: Made) -> None:
    run = made(PHASES.format(kind="cyclic"))
    killed_s = in_the_hold(run)
    run.kill_controller()
    run.run(5.0)
    assert [FAULTS["F3"].happened in text for text in run.trips] == [True]
    assert max(given.t_s for given in run.given()) <= killed_s + deadline_s("F3")


@pytest.mark.parametrize("phase", ["ready", "on", "rest", "set_rest", "paused", "attempt"])
def test_stop_ends_the_pulses_in_every_phase_and_nothing_begins_by_itself(made: Made, phase: Phase) -> None:
    listens = phase == "attempt"
    run = made(PHASES.format(kind="emg-triggered" if listens else "cyclic") + (LISTENS if listens else ""))
    if phase == "paused":
        lived(run, READY_S + 1.5, lambda *_: None)
        run.ask(ExerciseRequest("pause"))
    while run.core.timeline.phase != phase or run.core.timeline.age_s(run.now_ns + run.epoch_ns) < 0.2:
        run.run(TICK_S)
        assert run.t_s < 60.0
    stopped_s, broken_off = run.t_s, run.core.timeline.broken_off
    run.request(Request("stop"))
    for request in ("go_on", "skip", "go_on"):
        run.ask(ExerciseRequest(request))  # type: ignore[arg-type]
        run.run(2.0)
    assert run.known.state.stage is Stage.TRIPPED
    assert [given for given in run.given() if given.t_s > stopped_s] == []
    ticks = round(6.0 / TICK_S) - 2  # the frame after the stop is on its way
    assert all(decision.command.channels == (None,) for decision in run.decisions[-ticks:])
    assert run.core.timeline.broken_off == broken_off + (phase == "on")
