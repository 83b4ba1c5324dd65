"""What a console may ask of a running programme: taken, or refused with a code and what is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.signals import ExerciseRequest
from controller.runtime.exercise_console import ExerciseAsked, ExerciseConsoles, ExerciseTold
from tests.core.exercise.numbers import EXTENSORS, programme

PAUSE = ExerciseRequest("pause")


@contextmanager
def listening(rig: Path, current_max_ma: float) -> Iterator[ExerciseConsoles]:
    """20 mA set."""
    core = ExerciseCore(programme(replace(EXTENSORS, current_ma=20.0, current_max_ma=current_max_ma)))
    consoles = ExerciseConsoles(rig, core)
    yield consoles

    async def close() -> None:
        consoles.close()

    asyncio.run(close())


@pytest.fixture
def consoles(tmp_path: Path) -> Iterator[ExerciseConsoles]:
    """20 mA set, 21.5 at most."""
    with listening(tmp_path, 21.5) as found:
        yield found


def ask(consoles: ExerciseConsoles, request: ExerciseRequest, by: str = "AB") -> ExerciseTold:
    consoles.take(msgspec.json.encode(ExerciseAsked(request, by, 7)))
    return msgspec.json.decode(consoles.told(1), type=ExerciseTold)


def wanted(current_ma: float, muscle: str = "wrist-extensors") -> ExerciseRequest:
    return ExerciseRequest("intensity", muscle, current_ma)


@pytest.mark.parametrize("request_", [PAUSE, wanted(21.0), wanted(21.5), wanted(0.0), wanted(3.0)])
def test_what_may_be_is_handed_on_once(consoles: ExerciseConsoles, request_: ExerciseRequest) -> None:
    told = ask(consoles, request_)
    assert (told.asked, told.refused) == (1, None)
    assert consoles.requests() == (request_,)
    assert consoles.requests() == ()


@pytest.mark.parametrize(
    ("request_", "by", "code", "most_ma"),
    [
        (PAUSE, " ", "by", None),
        (PAUSE, "A" * 21, "by", None),
        (wanted(21.0, "calf"), "AB", "muscle", None),
        (wanted(22.0), "AB", "most", 21.5),
        (wanted(-0.5), "AB", "number", 21.5),
    ],
)
def test_what_may_not_be_is_refused_with_its_code_and_what_would_be_allowed(
    consoles: ExerciseConsoles, request_: ExerciseRequest, by: str, code: str, most_ma: float | None
) -> None:
    told = ask(consoles, request_, by)
    assert told.refused is not None
    assert (told.refused.code, told.refused.most_ma) == (code, most_ma)
    assert consoles.requests() == ()
    assert ask(consoles, PAUSE).refused is None  # of the last request alone


def test_a_rise_at_once_is_refused_where_the_muscle_would_bear_it(tmp_path: Path) -> None:
    with listening(tmp_path, 30.0) as consoles:
        assert ask(consoles, wanted(22.0)).refused is None
        refused: Any = ask(consoles, wanted(22.5)).refused
    assert (refused.code, refused.most_ma) == ("step", 22.0)


def test_each_request_of_one_tick_is_held_against_the_one_before(tmp_path: Path) -> None:
    """Lowered to 5 mA, and then 20 mA by a screen that had not heard of it."""
    with listening(tmp_path, 30.0) as consoles:
        assert ask(consoles, wanted(5.0)).refused is None
        refused: Any = ask(consoles, wanted(20.0)).refused
        assert (refused.code, refused.most_ma) == ("step", 7.0)
        assert ask(consoles, wanted(7.0)).refused is None
        assert [(c.old, c.new) for entry in consoles.entries() for c in entry.changes] == [
            (20.0, 5.0),
            (5.0, 20.0),
            (5.0, 7.0),
        ]
        assert [one.current_ma for one in consoles.requests()] == [5.0, 7.0]
        assert ask(consoles, wanted(22.0)).refused is None  # the next tick: what the core has set, 20 mA


def test_everything_asked_for_is_recorded_taken_or_not(consoles: ExerciseConsoles) -> None:
    ask(consoles, PAUSE)
    ask(consoles, wanted(21.0))
    told = ask(consoles, wanted(22.0))
    paused, taken, refused = consoles.entries()
    assert consoles.entries() == []
    assert told.trail == (paused, taken, refused)
    assert (paused.kind, paused.by, paused.text, paused.changes) == ("setup", "AB", "exercise paused", ())
    assert (taken.kind, taken.by, taken.utc_ns, taken.version) == ("change", "AB", 7, 1)
    assert [(c.key, c.old, c.new) for c in taken.changes] == [("intensity.wrist-extensors_ma", 20.0, 21.0)]
    assert (refused.kind, refused.version) == ("refused", 1)
    assert "allowed: 0 to 21.5" in refused.text
