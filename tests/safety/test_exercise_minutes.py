"""Exercise in the guard over minutes: duty cycles, the dose of a minute, an hour of comfort stimulation."""

from __future__ import annotations

import pytest

from drivers.interface import ChannelCommand
from tests.safety.test_exercise import exercise, off, on


@pytest.mark.parametrize(("on_s", "off_s"), [(10.0, 10.0), (5.0, 5.0), (30.0, 10.0), (6.0, 10.0), (2.0, 1.0)])
def test_duty_cycles_that_are_prescribed_run_for_minutes(on_s: float, off_s: float) -> None:
    bench = exercise({"dose_max_uc": 60_000.0})
    for _ in range(round(140.0 / (on_s + off_s))):
        assert on(bench, on_s) != "blocked"
        off(bench, off_s)
    assert (bench.stage, bench.fault) == ("active", None)


@pytest.mark.parametrize(("on_s", "off_s"), [(30.0, 9.0), (10.0, 3.0), (29.0, 2.0)])
def test_more_than_three_quarters_of_two_minutes_is_the_end(on_s: float, off_s: float) -> None:
    bench = exercise()
    spent_s = 0.0
    while bench.stage in ("armed", "active"):
        assert spent_s < 150.0
        on(bench, on_s)
        off(bench, off_s)
        spent_s += on_s + off_s
    assert bench.fault == "F9"
    blocked = next(r for _, r in bench.reactions if r.verdict and r.verdict.verdict == "blocked")
    assert blocked.limit == "on_share_max 0.75 (compiled)"


def test_a_dose_that_just_lasts_is_given_again_in_the_next_minute() -> None:
    """50 bursts a second for 10 s in 60, Kots' duty cycle, twice."""
    command = ChannelCommand(20.0, 200.0, 50.0, 8)
    bench = exercise({"dose_max_uc": 501 * 8 * 4.0})
    for _ in range(2):
        assert on(bench, 10.0, command) != "blocked"
        off(bench, 52.0)
    assert bench.fault is None


def test_comfort_goes_on_for_an_hour_below_the_motor_threshold() -> None:
    bench = exercise(caps="comfort")
    tens = ChannelCommand(20.0, 200.0, 50.0)
    assert on(bench, 120.0, tens) == "reduced"
    assert bench.fault is None
    assert on(bench, 0.005, ChannelCommand(60.0, 200.5, 50.0)) == "blocked"  # 12.03 uC
    assert on(bench, 0.005, ChannelCommand(20.0, 250.5, 50.0)) == "blocked"
    assert on(bench, 0.005, ChannelCommand(20.0, 100.0, 50.0, 2)) == "blocked"
    limits = bench.setup.rules.effective.limits
    assert (limits.train_max_s, limits.on_share_max) == (3600.0, 1.0)
