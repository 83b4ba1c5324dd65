"""Virtual-time chaos, short: the same bytes twice, every fault named, healthy walks with nothing blocked."""

from __future__ import annotations

import random

import pytest

from controller.core.signals import Mode
from models.cohort import cohort_patient
from tests.chaos.soak import state_bytes, state_grew
from tests.chaos.virtual import guarded, guarded_walk

SECONDS = 30.0


def test_the_same_seed_gives_the_same_bytes_and_every_trip_its_right_name() -> None:
    first, second = (guarded(cohort_patient(0), "trapezoid", SECONDS, random.Random(4)) for _ in range(2))
    assert first.finished() == second.finished()
    assert sum(first.trips.values()) >= 2
    assert first.wrong == []


@pytest.mark.parametrize(("number", "mode"), [(1, "feedback"), (2, "learning"), (3, "trapezoid")])
def test_a_healthy_walk_does_not_trip_and_no_frame_of_it_is_blocked(number: int, mode: Mode) -> None:
    walk = guarded(cohort_patient(number), mode, SECONDS / 2, None)
    assert walk.given > 100
    assert (dict(walk.trips), walk.wrong, dict(walk.blocked)) == ({}, [], {})


def test_what_core_and_guard_remember_does_not_grow_with_the_walk() -> None:
    walk = guarded_walk(cohort_patient(2), "learning", 3 * SECONDS)
    sizes = []
    for look in range(9, 28):  # from half a minute on: the first strides fill what has a bound
        walk.walk(3 * SECONDS * look / 27)
        sizes.append(state_bytes(walk))
    assert not state_grew(sizes)
    assert state_grew([size + 50_000 * look for look, size in enumerate(sizes)])  # it would be seen
    assert walk.blocked == {}
