"""Recruitment: table values, exact inverse, refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.recruitment import (
    DeadZoneParams,
    Ding2007Params,
    FreemanParams,
    GompertzParams,
    HmedParams,
    Params,
    RecruitmentParams,
    electrode_gain,
    fraction,
    inverse,
)

P = RecruitmentParams()


@pytest.mark.parametrize(
    ("width_us", "current_ma", "expected"),
    [
        (100, 30, 0.0190),
        (200, 40, 0.7572),
        (300, 20, 0.0892),
        (300, 28, 0.5),
        (300, 35, 0.8140),
        (400, 60, 0.9997),
    ],
)
def test_golden_table(width_us: float, current_ma: float, expected: float) -> None:
    """Values computed independently of this code."""
    assert fraction(current_ma, width_us, P) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("recruited", "current_ma"),
    [(0.01, 15.652), (0.05, 18.560), (0.25, 23.655), (0.5, 28.0), (0.9, 38.575), (0.99, 50.089)],
)
def test_golden_inverse(recruited: float, current_ma: float) -> None:
    assert inverse(recruited, 300.0, P) == pytest.approx(current_ma, abs=6e-4)


@given(st.floats(1e-9, 1 - 1e-9), st.floats(20, 1000), st.floats(0.05, 1.0), st.floats(5, 100))
def test_round_trip(recruited: float, width_us: float, sigma: float, i50_ma: float) -> None:
    p = RecruitmentParams(i50_ma, sigma, 200.0)
    current = inverse(recruited, width_us, p)
    if current <= 1000.0:
        assert fraction(current, width_us, p) == pytest.approx(recruited, abs=1e-12)


def test_nothing_in_nothing_out() -> None:
    assert fraction(0.0, 300.0, P) == 0.0
    assert fraction(-0.0, 300.0, P) == 0.0
    assert fraction(30.0, 0.0, P) == 0.0
    assert inverse(0.0, 300.0, P) == 0.0


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_bad_values_are_refused_by_name(bad: float) -> None:
    for call, name in (
        (lambda: fraction(bad, 300.0, P), "current_ma"),
        (lambda: fraction(30.0, bad, P), "width_us"),
        (lambda: inverse(bad, 300.0, P), "fraction"),
        (lambda: inverse(0.5, bad, P), "width_us"),
        (lambda: RecruitmentParams(i50_ma=bad), "i50_ma"),
        (lambda: RecruitmentParams(sigma=bad), "sigma"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: found"):
            call()


def test_everything_recruited_is_out_of_reach() -> None:
    with pytest.raises(ValueError, match="fraction"):
        inverse(1.0, 300.0, P)


@pytest.mark.parametrize(
    "params",
    [P, HmedParams(), FreemanParams(), DeadZoneParams(), GompertzParams()],
    ids=lambda p: type(p).__name__,
)
@given(recruited=st.floats(1e-6, 1 - 1e-6), width_us=st.floats(50, 600))
def test_every_form_comes_back_through_its_inverse(params: Params, recruited: float, width_us: float) -> None:
    current = inverse(recruited, width_us, params)
    if 0.0 < current < 1000.0:
        assert fraction(current, width_us, params) == pytest.approx(recruited, abs=1e-12)


@given(st.floats(1e-6, 1 - 1e-6))
def test_the_width_form_comes_back_as_a_width(recruited: float) -> None:
    width_us = inverse(recruited, 300.0, Ding2007Params())
    assert fraction(30.0, width_us, Ding2007Params()) == pytest.approx(recruited, abs=1e-12)


@pytest.mark.parametrize("params", [P, HmedParams(), FreemanParams(), DeadZoneParams(), GompertzParams()])
def test_every_form_grows_with_current(params: Params) -> None:
    curve = [fraction(float(ma), 300.0, params) for ma in range(0, 121)]
    assert curve == sorted(curve)
    assert 0.0 <= curve[0] <= 1e-12
    assert 0.9 < curve[-1] <= 1.0


def test_published_points_of_the_other_forms() -> None:
    saturation = 0.586 * (1 + 0.833)
    assert fraction(30.0, 300.0, HmedParams()) * saturation == pytest.approx(0.0799499, abs=1e-7)
    assert fraction(17.0, 300.0, HmedParams()) == 0.0  # threshold 17.03 mA
    assert 4920 * fraction(30.0, 200.0, Ding2007Params()) == pytest.approx(1464.4646488, abs=1e-6)
    assert fraction(40.0, 300.0, DeadZoneParams()) == pytest.approx(0.5)


def test_badly_placed_or_drying_pads_need_more_current() -> None:
    assert electrode_gain(1.2, 0.0, 600.0) == pytest.approx(1.2)
    assert electrode_gain(1.0, 0.01, 600.0) == pytest.approx(1.1)
    with pytest.raises(ValueError, match="drift_per_minute: found nan"):
        electrode_gain(1.0, math.nan, 1.0)
