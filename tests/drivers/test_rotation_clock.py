"""Notifications numbered by nothing but their rotation: exact claims in virtual time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.rotation_clock import Counted, RotationClock

PERIOD_NS = 10_000_000
CYCLE = 4
MS = 1_000_000
START_NS = 10**9


def told(
    numbers: Iterable[int],
    late_ns: Callable[[int], int] = lambda _k: 0,
    *,
    period_ns: int = PERIOD_NS,
    cycle: int = CYCLE,
) -> dict[int, Counted]:
    """What the clock says of each notification that arrives, by true number; arrivals keep their order."""
    clock = RotationClock(period_ns=period_ns, cycle=cycle)
    arrival_ns = 0
    places = {}
    for k in numbers:
        arrival_ns = max(arrival_ns, START_NS + k * period_ns + late_ns(k))
        places[k] = clock.step(k % cycle, arrival_ns)
        assert places[k].t_ns <= arrival_ns
    for before, place in itertools.pairwise(places.values()):
        assert place.t_ns >= before.t_ns
        assert place.count > before.count or (place.repeated and place.count == before.count)
    return places


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_lost_notifications_show_at_once_in_the_rotation(lost: int) -> None:
    places = told(k for k in range(40) if not 10 <= k < 10 + lost)
    assert all(place.count == k and not place.doubtful for k, place in places.items())


@pytest.mark.parametrize("cycles", [1, 2])
def test_a_whole_lost_cycle_shows_within_two_seconds_by_lateness(cycles: int) -> None:
    gone = range(200, 200 + CYCLE * cycles)
    places = told((k for k in range(1600) if k not in gone), lambda k: 8 * MS * (k % 3 == 0))
    assert all(place.count == k for k, place in places.items() if k < 200 or k >= 400)


def test_from_a_loss_that_nothing_can_tell_from_a_stall_the_places_are_doubtful_until_it_is_sure() -> None:
    places = told(k for k in range(1600) if not 200 <= k < 204)
    assert not any(place.doubtful for k, place in places.items() if k < 200)
    assert all(places[k].doubtful for k in range(225, 1300))  # 200 ms after the last prompt one
    assert not any(places[k].doubtful for k in range(1500, 1600))  # ten seconds without one that is too early


def test_bursts_do_not_count_as_loss() -> None:
    fifteen_at_a_time = [-(-k // 15) * 15 - k for k in range(400)]
    places = told(range(400), lambda k: fifteen_at_a_time[k] * PERIOD_NS)
    assert all(place.count == k and not place.doubtful for k, place in places.items())


@pytest.mark.parametrize("late_ms", [21, 30, 45, 59, 61, 95])
def test_a_host_that_was_late_for_seconds_takes_the_loss_back_when_arrivals_are_prompt_again(
    late_ms: int,
) -> None:
    places = told(range(900), lambda k: late_ms * MS * (300 <= k < 560) + 3 * MS * (k % 5 == 0))
    assert all(place.count == k and not place.doubtful for k, place in places.items() if k < 300)
    assert all(places[k].doubtful for k in range(420, 560))
    after = [places[k] for k in range(575, 900)]
    assert [place.count for place in after] == list(range(575, 900))
    assert not any(place.doubtful or place.repeated for place in after)
    assert all(abs(place.t_ns - START_NS - place.count * PERIOD_NS) <= 5 * MS for place in after)


def test_what_was_told_of_a_loss_that_is_taken_back_is_caught_up_with() -> None:
    places = told(range(700), lambda k: 30 * MS * (300 <= k < 500))
    wrong = [k for k, place in places.items() if place.count != k]
    assert wrong  # a second of lateness was taken for a lost cycle
    repeated = [k for k, place in places.items() if place.repeated]
    assert repeated == list(range(repeated[0], repeated[0] + CYCLE))  # 40 ms without a valid sample, no more
    assert 500 <= repeated[0] <= 502
    assert max(wrong) < max(repeated) + 1


@pytest.mark.parametrize("drift_ppm", [-1500, -200, 200, 1500])
def test_a_crystal_that_is_off_loses_nothing(drift_ppm: int) -> None:
    places = told(range(6000), lambda k: k * PERIOD_NS * drift_ppm // 10**6 + 4 * MS * (k % 7 != 0))
    assert all(place.count == k and not place.doubtful for k, place in places.items())


def test_without_a_rotation_single_losses_show_by_lateness_and_are_taken_back_alike() -> None:
    period_ns = 20_000_000
    gone = told((k for k in range(900) if k != 100), period_ns=period_ns, cycle=1)
    assert all(place.count == k for k, place in gone.items() if k < 100 or k >= 200)
    late = told(range(900), lambda k: 15 * MS * (200 <= k < 330), period_ns=period_ns, cycle=1)
    assert all(place.count == k for k, place in late.items() if k < 200 or k >= 335)


@given(st.integers(0, 2**32), st.integers(0, 200))
def test_any_radio_that_is_prompt_in_the_end_is_counted_right_in_the_end(seed: int, stall_ms: int) -> None:
    chance = random.Random(seed)
    stall = range(chance.randrange(150, 500), 600)
    late_ns = [
        chance.randrange(4) * MS
        + (k < 600) * 120 * MS * (chance.random() < 0.01)
        + stall_ms * MS * (k in stall)
        for k in range(900)
    ]
    lost = [chance.random() < 0.05 and k < 600 for k in range(900)]
    kept = [k for k in range(900) if not lost[k] or not all(lost[max(k - 3, 0) : k])]
    places = told(kept, lambda k: late_ns[k])
    assert all(places[k].count == k for k in range(640, 900))


def test_count_goes_on_by_the_time_away_after_a_reconnect() -> None:
    clock = RotationClock(period_ns=PERIOD_NS, cycle=CYCLE)
    for k in range(10):
        clock.step(k % CYCLE, START_NS + k * PERIOD_NS)
    clock.restart()
    assert clock.step(0, START_NS + 509 * PERIOD_NS).count == 509
    assert clock.step(1, START_NS + 510 * PERIOD_NS).count == 510


def test_a_stream_that_begins_anew_after_a_late_arrival_is_timed_by_its_own_arrivals() -> None:
    period_ns = 30_000_000
    clock = RotationClock(period_ns=period_ns, cycle=1)
    for n in range(100):
        clock.step(0, n * period_ns)
    late_ns = 99 * period_ns + 400_000_000
    clock.step(0, late_ns)
    clock.restart()
    begin_ns = late_ns + 1_000_000_000
    for n in range(20):
        at_ns = begin_ns + n * period_ns
        assert abs(clock.step(0, at_ns).t_ns - at_ns) < 5_000_000
