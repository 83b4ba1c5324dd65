"""What is believed of the muscle: a changed delay is found, an odd swing moves nothing far, all is bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.control.muscle_estimate import (
    FIRST_STRIDES,
    LATE_MOST_S,
    SETTLING_STRIDES,
    Gain,
    Lateness,
    shift_s,
)
from controller.core.params import Learning

BEFORE = SETTLING_STRIDES + FIRST_STRIDES
TIMES_S = np.arange(0.0, 0.4, 1 / 60)
MADE_S = np.arange(-0.2, 0.4, 0.005)


def torque(t_s: np.ndarray) -> np.ndarray:
    """A burst as of one swing, its peak of 5 Nm at 0.2 s."""
    return 5.0 * np.exp(-(((t_s - 0.2) / 0.08) ** 2))


@pytest.mark.parametrize("late_s", [-0.06, -0.03, 0.0, 0.012, 0.03, 0.06])
@pytest.mark.parametrize(("factor", "offset_nm"), [(1.0, 0.0), (0.4, 2.0), (3.0, -1.0)])
def test_a_shift_is_found_whatever_strength_and_offset(
    late_s: float, factor: float, offset_nm: float
) -> None:
    needed = factor * torque(TIMES_S - late_s) + offset_nm
    assert shift_s(TIMES_S, needed, MADE_S, torque(MADE_S)) == pytest.approx(late_s, abs=0.003)


@pytest.mark.parametrize("needed", [torque(TIMES_S - 0.2), -torque(TIMES_S), 0.0 * TIMES_S, TIMES_S])
def test_a_shift_beyond_all_or_of_something_else_is_not_told(needed: np.ndarray) -> None:
    assert shift_s(TIMES_S, needed, MADE_S, torque(MADE_S)) is None
    assert shift_s(TIMES_S, torque(TIMES_S), MADE_S, 0.0 * MADE_S) is None


def late_after(first_s: float, later_s: float, strides: int = 20) -> float:
    belief = Lateness()
    for _ in range(BEFORE):
        assert not belief.learn(first_s)
    for _ in range(strides):
        belief.learn(later_s)
    return belief.late_s


@pytest.mark.parametrize("first_s", [-0.045, 0.0, 0.033])
def test_only_a_change_since_the_first_strides_is_believed(first_s: float) -> None:
    assert late_after(first_s, first_s) == 0.0
    assert late_after(first_s, first_s + 0.011) == 0.0  # within the dead band of 12 ms
    assert late_after(first_s, first_s + 0.03) == pytest.approx(0.03, abs=0.012)
    assert late_after(first_s, first_s - 0.03) == pytest.approx(-0.03, abs=0.012)


def test_one_odd_swing_changes_no_delay() -> None:
    belief = Lateness()
    for _ in range(BEFORE):
        belief.learn(0.0)
    assert not belief.learn(0.09)
    assert belief.late_s == 0.0


@given(st.lists(st.floats(-10.0, 10.0), max_size=60))
def test_whatever_is_seen_the_delay_stays_within_its_bound(seen_s: list[float]) -> None:
    belief = Lateness()
    for one in seen_s:
        belief.learn(one)
        assert abs(belief.late_s) <= LATE_MOST_S


def gain_after(*factors: float) -> float:
    belief = Gain(1.0, Learning().gain_sd ** 2)
    for factor in factors:
        belief.learn(factor * torque(TIMES_S), torque(TIMES_S), Learning())
    return belief.gain


@pytest.mark.parametrize("factor", [0.33, 0.7, 1.0, 1.6, 3.0])
def test_the_gain_is_learned_within_five_strides(factor: float) -> None:
    assert gain_after(*[factor] * 5) == pytest.approx(factor, rel=0.2)


def test_one_odd_swing_moves_the_gain_little_and_two_reopen_it() -> None:
    settled = [1.0] * 20
    assert abs(math.log(gain_after(*settled, 0.2))) < 0.12
    assert gain_after(*settled, 0.4, 0.4, 0.4) == pytest.approx(0.4, rel=0.25)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1e-9, 1e9])
def test_a_gain_beyond_all_is_bounded(factor: float) -> None:
    learning = Learning()
    assert learning.gain_min <= gain_after(*[factor] * 30) <= learning.gain_max


def test_a_torque_that_does_not_show_says_nothing() -> None:
    belief = Gain(1.0, 0.16)
    belief.learn(3.0 * torque(TIMES_S), 0.2 * torque(TIMES_S), Learning())
    assert (belief.gain, belief.variance) == (1.0, 0.16)
