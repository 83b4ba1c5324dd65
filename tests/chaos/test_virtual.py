"""Virtual-time chaos, short: the same bytes twice, every fault named, and healthy walks that do not trip."""

from __future__ import annotations

import random

import pytest

from controller.core.signals import Mode
from models.cohort import cohort_patient
from tests.chaos.soak import STATE_GROWTH_MAX, state_bytes
from tests.chaos.virtual import guarded, guarded_walk

SECONDS = 30.0


def test_the_same_seed_gives_the_same_bytes_and_every_trip_its_right_name() -> None:
    first, second = (guarded(cohort_patient(0), "trapezoid", SECONDS, random.Random(4)) for _ in range(2))
    assert first.finished() == second.finished()
    assert sum(first.trips.values()) >= 2
    assert first.wrong == []


@pytest.mark.parametrize(("number", "mode"), [(1, "feedback"), (2, "learning"), (3, "trapezoid")])
def test_a_healthy_walk_does_not_trip(number: int, mode: Mode) -> None:
    walk = guarded(cohort_patient(number), mode, SECONDS / 2, None)
    assert walk.given > 100
    assert (dict(walk.trips), walk.wrong) == ({}, [])


def test_what_core_and_guard_remember_does_not_grow_with_the_walk() -> None:
    walk = guarded_walk(cohort_patient(2), "learning", 3 * SECONDS)
    walk.walk(1.5 * SECONDS)
    settled = state_bytes(walk)
    walk.walk(3 * SECONDS)
    assert state_bytes(walk) <= STATE_GROWTH_MAX * settled
    assert walk.blocked == {}
