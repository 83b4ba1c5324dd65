"""A contraction is a trapezoid in time, and a programme as long as its parts."""

from __future__ import annotations

import dataclasses

import pytest

from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme


@pytest.mark.parametrize(
    ("t_s", "share"),
    [(-0.001, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (3.0, 1.0), (3.25, 0.5), (3.5, 0.0), (3.501, 0.0)],
)
def test_a_contraction_rises_holds_and_falls(t_s: float, share: float) -> None:
    assert EXTENSORS.share(t_s) == pytest.approx(share)


def test_a_later_muscle_contracts_later() -> None:
    assert [FLEXORS.share(t_s) for t_s in (3.99, 5.0, 6.0, 6.51)] == [0.0, 1.0, 1.0, 0.0]
    assert FLEXORS.ends_s == 6.5


@pytest.mark.parametrize(
    ("t_s", "rate_hz"), [(0.5, 40.0), (1.0, 40.0), (2.0, 30.0), (3.0, 20.0), (3.4, 20.0)]
)
def test_the_rate_falls_evenly_over_the_hold(t_s: float, rate_hz: float) -> None:
    assert dataclasses.replace(EXTENSORS, rate_end_hz=20.0).rate_at_hz(t_s) == pytest.approx(rate_hz)


def test_a_programme_is_as_long_as_its_contractions_and_rests() -> None:
    assert programme(EXTENSORS, FLEXORS).repetition_s == 6.5
    assert programme(repetitions=4, rest_s=3.0).whole_s == 4 * 3.5 + 3 * 3.0
    sets = programme(repetitions=4, rest_s=3.0, warm_up_repetitions=1, set_repetitions=2, set_rest_s=60.0)
    assert sets.whole_s == 5 * 3.5 + 3 * 3.0 + 60.0
