"""Recruitment: table values, exact inverse, refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.recruitment import RecruitmentParams, fraction, inverse

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
