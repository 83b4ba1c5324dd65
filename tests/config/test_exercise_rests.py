"""The least rest between two contractions keeps share of time and dose of any window."""

from __future__ import annotations

import dataclasses

import pytest

from controller.config.exercise_rests import LATE_S, PAUSE_S, Repeated, most_s
from controller.safety.judgement.limits import EXERCISE

TEN = Repeated(lasts_s=10.0, full_s=9.0, charge_rate_uc=1000.0)


@pytest.mark.parametrize(
    ("on_s", "period_s", "found_s"),
    [(10.0, 15.0, 80.0), (10.0, 50.0, 30.0), (10.0, 200.0, 10.0), (30.0, 30.0, 120.0)],
)
def test_what_a_window_holds_at_most(on_s: float, period_s: float, found_s: float) -> None:
    assert most_s(120.0, on_s, period_s) == found_s


def test_share_of_time_and_dose_each_bind() -> None:
    share = dataclasses.replace(EXERCISE, on_share_max=0.2)  # 24 s: two and 4 s of a third
    assert TEN.rest_least_s(share, 120.0) == pytest.approx(48.0 + LATE_S, abs=1e-6)
    dose = dataclasses.replace(EXERCISE, dose_max_uc=18_000.0)  # of a minute: two contractions, no third
    assert TEN.rest_least_s(dose, 120.0) == pytest.approx(20.0 + LATE_S, abs=1e-6)


def test_where_nothing_binds_a_pause_is_still_one_for_the_guard() -> None:
    free = dataclasses.replace(EXERCISE, on_share_max=1.0)
    assert dataclasses.replace(TEN, charge_rate_uc=1.0).rest_least_s(free, 10.0) >= PAUSE_S


def test_where_no_rest_is_enough_it_is_the_whole_window() -> None:
    strong = dataclasses.replace(TEN, charge_rate_uc=10_000.0)
    assert strong.rest_least_s(EXERCISE, 120.0) == pytest.approx(120.0 + LATE_S)
