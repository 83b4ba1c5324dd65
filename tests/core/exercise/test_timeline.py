"""The programme goes from contraction to rest by the clock, and waits where a person or the guard decides."""

from __future__ import annotations

from itertools import groupby

import pytest

from controller.core.exercise.timeline import READY_S, Timeline
from controller.core.signals import Phase
from tests.core.exercise.numbers import programme

S = 1_000_000_000
TICK_NS = 5_000_000


def lived(line: Timeline, from_s: float, to_s: float, *, able: bool = True) -> list[Phase]:
    """The phases met in between, each once."""
    met: list[Phase] = []
    for now_ns in range(round(from_s * S), round(to_s * S), TICK_NS):
        line.tick(now_ns, able=able)
        met.append(line.phase)
    return [phase for phase, _ in groupby(met)]


def test_it_runs_by_the_clock_to_its_end() -> None:
    line = Timeline(programme())
    assert lived(line, 0.0, READY_S + 2 * 3.5 + 3.0 + 0.1) == ["ready", "on", "rest", "on", "done"]
    assert (line.repetition, line.broken_off, line.missed) == (2, 0, 0)


def test_it_waits_until_pulses_may_flow() -> None:
    line = Timeline(programme())
    assert lived(line, 0.0, 60.0, able=False) == ["waiting"]
    assert line.left_s(60 * S) is None
    line.tick(60 * S, able=True)
    assert (line.phase, line.left_s(61 * S)) == ("ready", READY_S - 1.0)


def test_a_contraction_broken_off_is_counted_and_the_next_has_a_countdown() -> None:
    line = Timeline(programme())
    lived(line, 0.0, READY_S + 1.0)
    assert line.phase == "on"
    lived(line, READY_S + 1.0, READY_S + 1.1, able=False)
    assert (line.phase, line.broken_off, line.repetition) == ("waiting", 1, 0)
    assert lived(line, 10.0, 10.0 + READY_S + 0.1) == ["ready", "on"]


def test_a_long_rest_comes_after_a_set_and_waits_where_asked() -> None:
    line = Timeline(programme(repetitions=3, set_repetitions=1, set_rest_s=7.0))
    assert lived(line, 0.0, READY_S + 3.5 + 7.0 + 1.0) == ["ready", "on", "set_rest", "on"]
    line = Timeline(programme(repetitions=3, set_repetitions=1, waits_after_set=True))
    assert lived(line, 0.0, 500.0) == ["ready", "on", "set_rest"]
    line.go_on(500 * S)
    assert line.phase == "ready"


def test_the_warm_up_comes_first_and_belongs_to_no_set() -> None:
    line = Timeline(programme(warm_up_repetitions=1, repetitions=2, set_repetitions=2))
    assert line.warming_up
    assert lived(line, 0.0, 60.0) == ["ready", "on", "rest", "on", "rest", "on", "done"]
    assert not line.warming_up


def test_a_pause_lasts_until_a_person_goes_on() -> None:
    line = Timeline(programme())
    lived(line, 0.0, READY_S + 1.0)
    line.pause(round((READY_S + 1.0) * S))
    assert lived(line, READY_S + 1.0, 100.0) == ["paused"]
    assert line.broken_off == 1
    lived(line, 100.0, 101.0, able=False)
    assert line.phase == "paused"
    line.go_on(101 * S)
    assert line.phase == "ready"


def test_a_try_begins_the_contraction_and_a_try_that_does_not_come_is_missed() -> None:
    line = Timeline(programme(control="emg-triggered"), "emg-triggered")
    assert lived(line, 0.0, 20.0) == ["ready", "attempt"]
    line.tick(20 * S, able=True, tried=True)
    assert line.phase == "on"
    lived(line, 20.0, 20.0 + 3.5 + 3.1)
    assert line.phase == "attempt"
    began_s = line.since_ns / S
    line.tick(round((began_s + 4.99) * S), able=True, try_s=5.0)
    assert line.phase == "attempt"
    line.tick(round((began_s + 5.0) * S), able=True, try_s=5.0)
    assert (line.phase, line.missed, line.repetition) == ("done", 1, 2)


@pytest.mark.parametrize("phase", ["waiting", "on", "paused", "done"])
def test_nothing_but_a_rest_or_a_try_is_skipped(phase: Phase) -> None:
    line = Timeline(programme(), phase=phase)
    line.skip(S)
    assert line.phase == phase
    line = Timeline(programme(), phase="rest")
    line.skip(S)
    assert line.phase == "ready"


def test_a_try_that_is_given_up_is_missed_and_the_programme_goes_on() -> None:
    line = Timeline(programme(control="emg-triggered"), "emg-triggered", phase="attempt")
    line.skip(S)
    assert (line.phase, line.missed, line.repetition) == ("rest", 1, 1)


def test_nothing_begins_before_the_least_rest_is_over() -> None:
    line = Timeline(programme(), phase="paused", earliest_ns=20 * S)
    line.go_on(10 * S)
    assert line.left_s(11 * S) == 9.0
    assert lived(line, 11.0, 20.0) == ["ready"]
    assert lived(line, 20.0, 20.1) == ["on"]


def test_a_try_missed_in_the_warm_up_is_counted_apart() -> None:
    line = Timeline(
        programme(control="emg-triggered", warm_up_repetitions=1), "emg-triggered", phase="attempt"
    )
    line.skip(S)
    assert (line.missed, line.missed_warm_up) == (1, 1)
    line.phase = "attempt"
    line.skip(2 * S)
    assert (line.repetition, line.given, line.missed, line.missed_warm_up) == (2, 0, 2, 1)


def test_a_repetition_is_given_missed_or_broken_off_and_the_broken_one_begins_anew() -> None:
    line = Timeline(programme(control="emg-triggered", repetitions=3), "emg-triggered", phase="attempt")
    line.skip(S)
    assert (line.repetition, line.given, line.missed, line.broken_off) == (1, 0, 1, 0)
    line.phase = "on"
    line.pause(2 * S)
    assert (line.repetition, line.given, line.missed, line.broken_off) == (1, 0, 1, 1)
    line.go_on(3 * S)
    assert lived(line, 3.0, 3.0 + READY_S + 0.1) == ["ready", "attempt"]
    line.tick(7 * S, able=True, tried=True)
    assert lived(line, 7.0, 7.0 + 3.6) == ["on", "rest"]
    assert (line.repetition, line.given, line.missed, line.broken_off) == (2, 1, 1, 1)


@pytest.mark.parametrize(("answered", "given"), [(True, 1), (False, 0)])
def test_a_proportional_repetition_without_a_pulse_is_missed(answered: bool, given: int) -> None:
    line = Timeline(programme(control="emg-proportional"), "emg-proportional", phase="rest")
    line.tick(3 * S, able=True)
    assert (line.phase, line.answered) == ("on", False)
    line.answered = answered
    assert lived(line, 3.0, 3.0 + 3.6) == ["on", "rest"]
    assert (line.repetition, line.given, line.missed) == (1, given, 1 - given)
    assert not line.answered
