"""The PID loop against its closed form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.control.pid import Pid
from controller.core.params import Gains

GAINS = Gains(kp_nm_per_rad=8.0, ti_s=0.3, td_s=0.05, derivative_filter=8.0, torque_max_nm=6.0)
TRACKING_S = (0.3 * 0.05) ** 0.5
small = st.floats(-0.3, 0.3)


def test_the_first_update_is_proportional_alone() -> None:
    assert Pid(GAINS).update(0.1, 0.5, 0.005) == pytest.approx(0.8)


def test_the_derivative_acts_on_the_measurement_and_not_on_the_target() -> None:
    pid = Pid(GAINS)
    pid.update(0.0, 0.2, 0.005)
    assert pid.update(0.3, 0.2, 0.005) == pytest.approx(2.4)
    assert pid.derivative_nm == 0.0


def test_the_derivative_is_the_filtered_difference() -> None:
    pid = Pid(GAINS)
    pid.update(0.0, 0.0, 0.005)
    pid.update(0.0, 0.01, 0.005)
    # D = K Td N / (Td + N h) (y - y_before) = 8 * .05 * 8 / .09 * .01, against the motion
    assert pid.derivative_nm == pytest.approx(-0.35555555555)
    pid.update(0.0, 0.01, 0.005)
    assert pid.derivative_nm == pytest.approx(-0.35555555555 * 0.05 / 0.09)


def test_the_integral_is_the_area_of_the_error_whatever_the_time_steps() -> None:
    even, uneven = Pid(GAINS), Pid(GAINS)
    for _ in range(40):
        even.settle(0.02, 1.0, 1.0, 0.005)
    for step_s in (0.001, 0.0001, 0.0989, 0.1):
        uneven.settle(0.02, 1.0, 1.0, step_s)
    assert even.integral_nm == pytest.approx(8.0 * 0.02 / 0.3 * 0.2)
    assert uneven.integral_nm == pytest.approx(even.integral_nm)


def test_what_was_not_applied_is_taken_back_from_the_integral() -> None:
    pid = Pid(GAINS)
    pid.settle(0.0, 3.0, 1.0, 0.005)
    assert pid.integral_nm == pytest.approx(-2.0 / TRACKING_S * 0.005)


def test_a_saturated_loop_does_not_wind_up() -> None:
    pid = Pid(GAINS)
    for _ in range(2000):
        pid.settle(0.3, 8.0 * 0.3 + pid.integral_nm, 1.0, 0.005)
    # where the two rates balance: K e / Ti = (P + I - applied) / Tt
    assert pid.integral_nm == pytest.approx(1.0 - 2.4 + 8.0 * 0.3 / 0.3 * TRACKING_S, rel=1e-6)


def test_the_output_and_the_integral_stay_within_their_bound() -> None:
    pid = Pid(GAINS)
    assert pid.update(5.0, 0.0, 0.005) == 6.0
    assert pid.update(-5.0, 0.0, 0.005) == -6.0
    pid.settle(100.0, 0.0, 0.0, 10.0)
    assert pid.integral_nm == 6.0


def test_a_new_swing_forgets_the_measurement_and_keeps_the_integral() -> None:
    pid = Pid(GAINS)
    pid.settle(0.1, 0.0, 0.0, 0.1)
    pid.update(0.0, 0.0, 0.005)
    pid.reset_measurement()
    before = pid.integral_nm
    pid.update(0.0, 1.0, 0.005)
    assert (pid.derivative_nm, pid.integral_nm) == (0.0, before)


def test_without_derivative_time_and_without_elapsed_time_nothing_divides_by_zero() -> None:
    pid = Pid(Gains(8.0, 0.3, 0.0, 8.0, 6.0))
    pid.update(0.0, 0.0, 0.005)
    assert pid.update(0.1, 0.3, 0.005) == pytest.approx(0.8)
    pid.settle(0.0, 2.0, 1.0, 0.03)
    assert pid.integral_nm == pytest.approx(-0.1)
    still = Pid(GAINS)
    still.update(0.0, 0.0, 0.0)
    assert still.update(0.1, 0.5, 0.0) == pytest.approx(0.8)


@given(st.lists(st.tuples(small, small, st.floats(0.0, 0.02), st.floats(0.0, 10.0)), max_size=60))
def test_no_input_takes_the_loop_out_of_its_bounds(turns: list[tuple[float, float, float, float]]) -> None:
    pid = Pid(GAINS)
    for error, measured, dt_s, applied_nm in turns:
        wanted_nm = pid.update(error, measured, dt_s)
        assert abs(wanted_nm) <= 6.0
        pid.settle(error, wanted_nm, applied_nm, dt_s)
        assert abs(pid.integral_nm) <= 6.0
