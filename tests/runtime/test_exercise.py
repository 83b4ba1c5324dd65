"""The exercise in the controller process plans within what the guard lets out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.core.signals import TickInputs
from controller.runtime.exercise import Exercise
from controller.runtime.plan import ControllerPlan
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme

ARMED: dict[str, object] = {"state": "armed", "scope": "walk"}


@pytest.fixture
def exercise(tmp_path: Path) -> Iterator[Exercise]:
    params = programme(EXTENSORS, FLEXORS)  # 20 and 15 mA
    exercise = Exercise(tmp_path, ControllerPlan(1, None, (), None, exercise=params), params)
    yield exercise

    async def close() -> None:
        exercise.close()

    asyncio.run(close())


def set_ma(exercise: Exercise) -> list[float]:
    seen = exercise.step(1_000_000_000, exercise.wishes(TickInputs())).view.exercise
    assert seen is not None
    return [muscle.set_ma for muscle in seen.muscles]


def test_where_a_person_lowers_the_guards_ceiling_no_more_is_planned(exercise: Exercise) -> None:
    exercise.hear_guard(ARMED | {"current_max_ma": 100.0})
    assert set_ma(exercise) == [20.0, 15.0]
    exercise.hear_guard(ARMED | {"current_max_ma": 16.0})
    assert set_ma(exercise) == [16.0, 15.0]
    assert exercise.wishes(TickInputs()).exercise == ()


def test_it_waits_unless_the_guard_lets_pulses_of_a_programme_flow(exercise: Exercise) -> None:
    for state, scope, flows in (
        ("off", "walk", "nothing"),
        ("armed", "tests", "nothing"),
        ("tripped", "walk", "nothing"),
        ("armed", "walk", "walk"),
    ):
        exercise.hear_guard({"state": state, "scope": scope})
        assert exercise.wishes(TickInputs()).scope == flows
