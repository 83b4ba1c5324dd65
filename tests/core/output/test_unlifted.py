"""Swings without a lift are counted, and told where they are too many."""

from __future__ import annotations

import pytest

from controller.core.output.unlifted import UnliftedSwings

MS = 1_000_000


def walked(*lifted: bool) -> UnliftedSwings:
    """Swings of 0.5 s, one a second; pulses since heel-off, or none at all."""
    swings = UnliftedSwings()
    for number, given in enumerate(lifted):
        begin_ns = number * 1000 * MS
        swings.close(begin_ns, begin_ns + 500 * MS, begin_ns - 200 * MS if given else None)
    return swings


@pytest.mark.parametrize(("since_ms", "count"), [(299, 0), (300, 0), (301, 1)])
def test_pulses_must_run_through_the_last_fifth_of_a_second(since_ms: int, count: int) -> None:
    swings = UnliftedSwings()
    swings.close(0, 500 * MS, since_ms * MS)
    assert swings.count == count


@pytest.mark.parametrize(("since_ms", "count"), [(60, 0), (61, 1)])
def test_of_a_short_swing_they_must_run_from_toe_off_on(since_ms: int, count: int) -> None:
    swings = UnliftedSwings()
    swings.close(0, 200 * MS, since_ms * MS)
    assert swings.count == count


def test_two_in_a_row_are_told_and_one_alone_is_not() -> None:
    assert walked(True, False).advice == ""
    assert walked(False, False).advice.startswith("2 swings in a row")
    assert walked(*[False] * 2, *[True] * 50).advice == ""


def test_more_than_two_percent_of_the_last_fifty_are_told() -> None:
    apart = (False, *[True] * 48, False)
    assert walked(*apart[:-1]).advice == ""
    assert walked(*apart).advice.startswith("2 of the last 50")
    assert walked(*apart, True).advice == ""
    assert walked(*apart).count == 2
