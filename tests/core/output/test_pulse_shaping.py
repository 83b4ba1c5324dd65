"""Activation to current and back, and how fast a current may rise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.output.pulse_shaping import RISE_SAVED_NS, RISE_TICK_NS, RISE_WINDOW_NS, Intensity
from controller.safety.judgement import frame_check
from tests.core.control.numbers import params

BASE = params("feedback")
MS = 1_000_000


def intensity(**pulse: float) -> Intensity:
    return Intensity(BASE.muscle, replace(BASE.pulse, **pulse))


@pytest.mark.parametrize(
    ("fraction", "current_ma"),
    [
        (0.01, 15.652), (0.05, 18.560), (0.10, 20.324), (0.25, 23.655), (0.50, 28.000),
        (0.75, 33.143), (0.90, 38.575), (0.95, 42.242), (0.99, 50.089),
    ],
)  # fmt: skip
def test_the_current_for_an_activation_is_the_published_inverse(fraction: float, current_ma: float) -> None:
    # lognormal inverse: I50 28 mA at 300 us, sigma 0.25, chronaxie 200 us
    assert intensity().for_activation(fraction) == pytest.approx(current_ma, abs=6e-4)
    assert intensity().activation_of(current_ma) == pytest.approx(fraction, abs=1e-4)


def test_less_than_the_threshold_asks_for_the_threshold_and_more_than_all_for_nearly_all() -> None:
    it = intensity()
    assert (
        it.for_activation(-1.0)
        == it.for_activation(0.0)
        == it.threshold_ma
        == pytest.approx(15.652, abs=6e-4)
    )
    assert it.for_activation(7.0) == pytest.approx(50.089, abs=6e-4)


def test_no_current_recruits_nothing() -> None:
    assert [intensity().activation_of(ma) for ma in (0.0, -0.0, -3.0)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("silly", [math.nan, -math.inf, -1.0, -0.0])
def test_a_silly_wish_is_no_current(silly: float) -> None:
    assert intensity().move(0, silly) == 0.0


def test_an_endless_wish_rises_as_fast_as_allowed_and_stops_at_the_maximum() -> None:
    it = intensity(current_max_ma=20.0, rise_ma_per_250ms=100.0)
    assert [it.move(n * 5 * MS, math.inf) for n in range(25)] == [float(min(n + 1, 20)) for n in range(25)]


def test_currents_are_the_nearest_whole_steps_of_the_device() -> None:
    it = intensity(rise_ma_per_tick=50.0)
    assert [it.move(n, ma) for n, ma in enumerate((12.74, 12.76, 0.24))] == [12.5, 13.0, 0.0]


def test_a_fall_is_never_limited() -> None:
    it = intensity(rise_ma_per_tick=50.0)
    it.move(0, 30.0)
    assert it.move(5 * MS, 0.0) == 0.0


def test_the_rise_of_a_quarter_second_counts_however_often_the_core_is_stepped() -> None:
    it = intensity(rise_ma_per_250ms=10.0)
    at = [it.move(int(n * 0.1 * MS), 40.0) for n in range(2000)]
    assert max(at) == 10.0
    later = [it.move(200 * MS + ms * MS, 40.0) for ms in range(60)]
    assert max(later[:50]) == 10.0
    assert later[-1] > 10.0


@pytest.mark.parametrize("every_ms", [0.1, 1.0, 2.3, 4.9])
def test_however_often_the_core_is_stepped_the_current_rises_by_time(every_ms: float) -> None:
    it = intensity(width_min_us=150.0)
    for n in range(int(100 / every_ms) + 1):
        now_ns = round(n * every_ms * MS)
        it.move(now_ns, 40.0)
        sent_ma, width_us = it.shaped()
        most_ticks = now_ns / (5 * MS) + 1.2  # 1 mA in 5 ms; 6 ms of rise are kept while nothing rises
        assert sent_ma <= most_ticks
        assert sent_ma * width_us <= 300.0 * most_ticks
    assert it.current_ma >= 18.0  # 100 ms of rise, less the steps of the device


def test_ticks_that_come_a_little_late_and_early_rise_no_slower() -> None:
    it = intensity()
    for n in range(21):
        it.move(n * 5 * MS + (n % 3) * MS // 2, 40.0)
    assert it.current_ma >= 19.5


def test_the_guard_allows_what_is_planned_though_frames_reach_it_4_ms_nearer_to_each_other() -> None:
    assert RISE_TICK_NS == frame_check.TICK_NS
    assert RISE_WINDOW_NS == frame_check.RISE_WINDOW_NS
    assert RISE_SAVED_NS + 4 * MS == frame_check.RISE_SAVED_NS


def test_what_the_guard_took_away_is_where_the_next_rise_begins() -> None:
    it = intensity(rise_ma_per_tick=50.0)
    it.move(0, 30.0)
    it.correct(12.0, 300.0)
    assert it.current_ma == 12.0
    it.correct(20.0, 300.0)
    assert it.current_ma == 12.0


@given(st.lists(st.tuples(st.floats(0.1, 80.0), st.floats(-10.0, 200.0)), min_size=1, max_size=80))
def test_no_sequence_of_wishes_breaks_a_limit(wishes: list[tuple[float, float]]) -> None:
    it = intensity(current_max_ma=45.0)
    now_ns, given_ma = 0, [(-1000 * MS, 0.0)]
    for dt_ms, wanted_ma in wishes:
        now_ns += int(dt_ms * MS)
        current_ma = it.move(now_ns, wanted_ma)
        assert 0.0 <= current_ma <= 45.0
        assert current_ma - given_ma[-1][1] <= 1.0
        assert (2.0 * current_ma).is_integer()
        lowest = min((ma for at, ma in given_ma if now_ns - at <= 250 * MS), default=given_ma[-1][1])
        assert current_ma - lowest <= 40.0
        given_ma.append((now_ns, current_ma))


def effect_ma(current_ma: float, width_us: float) -> float:
    """Weiss: the current of the same effect at 300 us, chronaxie 200 us."""
    return current_ma * (1.0 + 200.0 / 300.0) / (1.0 + 200.0 / width_us)


@pytest.mark.parametrize("wanted_ma", [4.0, 16.0, 24.0, 27.5, 31.0, 38.0, 44.5, 45.0])
def test_a_weaker_pulse_is_shorter_and_stronger_with_the_same_effect_and_less_charge(
    wanted_ma: float,
) -> None:
    it = intensity(width_min_us=150.0, current_max_ma=45.0)
    for n in range(100):
        it.move(n * 5 * MS, wanted_ma)
        sent_ma, width_us = it.shaped()
    assert effect_ma(sent_ma, width_us) == pytest.approx(wanted_ma, rel=0.005)
    assert 150.0 <= width_us <= 300.0
    assert sent_ma <= max(wanted_ma, 0.75 * 45.0)
    if wanted_ma <= 24.0:  # 1.4 times as much is still comfortable: the shortest pulse, 0.7 of the charge
        assert sent_ma * width_us == pytest.approx(0.7 * 300.0 * wanted_ma, rel=0.03)
    else:
        assert sent_ma * width_us <= 300.0 * wanted_ma


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.integers(1, 12)), min_size=1, max_size=25))
def test_current_and_charge_of_shaped_pulses_rise_no_faster_than_the_guard_allows(
    wishes: list[tuple[float, int]],
) -> None:
    it = intensity(width_min_us=150.0, current_max_ma=45.0, rise_ma_per_250ms=20.0)
    sent = [(0.0, 0.0)]
    for wanted_ma, ticks in wishes:
        for _ in range(ticks):
            it.move(len(sent) * 5 * MS, wanted_ma)
            ma, us = it.shaped()
            assert effect_ma(ma, us) <= wanted_ma * 1.01 + 0.5
            sent.append((ma, ma * us))
    for n in range(1, len(sent)):
        window = sent[max(0, n - 50) : n]
        assert sent[n][0] <= min(sent[n - 1][0] + 1.0, min(w[0] for w in window) + 20.0, 45.0) + 1e-9
        assert sent[n][1] <= min(sent[n - 1][1] + 300.0, min(w[1] for w in window) + 6000.0) + 1e-9


def test_without_a_least_width_every_pulse_has_the_full_one() -> None:
    it = intensity()
    it.move(0, 1.0)
    assert it.shaped() == (1.0, 300.0)


def test_a_shorter_pulse_that_the_guard_let_through_counts_as_the_weaker_one_it_is() -> None:
    it = intensity(rise_ma_per_tick=50.0)
    it.move(0, 30.0)
    it.correct(21.0, 150.0)
    assert it.current_ma == pytest.approx(15.0)
