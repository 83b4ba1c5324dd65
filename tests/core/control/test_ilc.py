"""Learning on the plant it was made for, and on plants it was not: bounds that hold, errors that shrink."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from controller.core.control.ilc import Law, Weights, bound, closed, feedback_matrix, law, limited
from controller.core.control.learning import within_limits
from controller.core.control.swing_model import lift, muscle_response
from controller.core.params import Learning
from tests.core.control.numbers import params

BASE = params("learning")
CELLS, FREE, CELL_S, HOLD_S = 60, 18, 0.013, 0.0125
STIFF = np.full(CELLS, 18.0)
LEARNING = Learning()
WEIGHTS = Weights(LEARNING.change, LEARNING.bend, LEARNING.step)
FREE_CELLS = np.where(np.arange(CELLS) >= FREE, 1.0, 0.0)
GOAL = np.where(np.arange(CELLS) >= FREE, 0.2 * np.sin(np.linspace(0, np.pi, CELLS)) ** 2, 0.0)


def plant(gain: float = 1.0, late_s: float = 0.0) -> np.ndarray:
    muscle = replace(BASE.muscle, delay_s=BASE.muscle.delay_s + late_s)
    return gain * lift(muscle, BASE.foot, STIFF, free=FREE, cell_s=CELL_S, hold_s=HOLD_S).pitch


def update(assumed: np.ndarray) -> Law:
    return law(assumed, FREE_CELLS, np.zeros(CELLS), WEIGHTS)


def errors(true: np.ndarray, made: Law, strides: int, seen: list[int] | None = None) -> list[float]:
    """Error norm (deg r.m.s.) of each stride; ``seen`` is how many cells each stride lasted."""
    u, out = np.zeros(CELLS), []
    for n in range(strides):
        e = GOAL - true @ u
        out.append(math.degrees(float(np.sqrt(np.mean(e[FREE:] ** 2)))))
        known = e if seen is None else np.where(np.arange(CELLS) < seen[n], e, 0.0)
        u = u + made.learn @ known - made.smooth @ u
    return out


def test_the_muscle_response_is_the_step_response_of_the_published_lag() -> None:
    # 1 - (1 + wn t) exp(-wn t), critically damped: wn 20 rad/s, 50, 100 and 200 ms after the step
    muscle = replace(BASE.muscle, bandwidth_rps=20.0, delay_s=0.030)
    step = np.cumsum(muscle_response(muscle, 80, 0.005, 0.0))
    at = [float(np.interp(0.030 + s, (np.arange(80) + 0.5) * 0.005, step)) for s in (0.05, 0.1, 0.2)]
    assert at == pytest.approx([0.26424, 0.59399, 0.90842], abs=0.012)
    assert float(step[-1]) == pytest.approx(1.0, abs=1e-2)


def test_nothing_comes_before_the_delay_and_nothing_moves_a_standing_foot() -> None:
    matrices = lift(BASE.muscle, BASE.foot, STIFF, free=FREE, cell_s=CELL_S, hold_s=HOLD_S)
    late = int((BASE.muscle.delay_s + HOLD_S) / CELL_S)
    assert not np.triu(matrices.torque, 1 - late).any()
    assert not matrices.pitch[:FREE].any()


def test_a_lasting_torque_bends_the_ankle_by_its_stiffness() -> None:
    matrices = lift(BASE.muscle, BASE.foot, np.full(200, 18.0), free=0, cell_s=CELL_S, hold_s=HOLD_S)
    assert float(matrices.from_torque[-1].sum()) == pytest.approx(1.0 / 18.0, rel=1e-3)
    assert float(matrices.pitch[-1].sum()) == pytest.approx(1.0 / 18.0, rel=1e-3)


def test_on_the_identified_plant_the_error_never_grows() -> None:
    trace = errors(plant(), update(plant()), 20)
    assert all(after <= before + 1e-9 for before, after in pairwise(trace))
    assert trace[3] < 0.35 * trace[0]


@pytest.mark.parametrize(("gain", "late_s"), [(1.0, 0.0), (3.0, 0.0), (1 / 3, 0.0), (1.0, 0.03), (2.0, 0.03)])
def test_the_commands_distance_from_its_limit_stays_below_the_computed_bound(
    gain: float, late_s: float
) -> None:
    made, true = update(plant()), plant(gain, late_s)
    factor = bound(true, made)
    step = np.eye(CELLS) - made.learn @ true - made.smooth
    limit = np.linalg.solve(np.eye(CELLS) - step, made.learn @ GOAL)
    u = np.zeros(CELLS)
    for _ in range(15):
        before = (u - limit) @ made.norm @ (u - limit)
        u = step @ u + made.learn @ GOAL
        after = (u - limit) @ made.norm @ (u - limit)
        assert math.sqrt(after) <= factor * math.sqrt(before) + 1e-9
    if (gain, late_s) in ((1.0, 0.0), (3.0, 0.0), (1 / 3, 0.0)):
        assert factor <= 1.0


@pytest.mark.parametrize(("gain", "late_s"), [(3.0, 0.0), (3.0, 0.03), (1 / 3, 0.03)])
def test_three_times_the_gain_and_thirty_milliseconds_more_delay_stay_stable(
    gain: float, late_s: float
) -> None:
    made, true = update(plant()), plant(gain, late_s)
    step = np.eye(CELLS) - made.learn @ true - made.smooth
    assert float(np.max(np.abs(np.linalg.eigvals(step)))) < 1.0
    assert errors(true, made, 60)[-1] < 0.5 * errors(true, made, 1)[0]


def feedback(seen_late_s: float = 0.030) -> np.ndarray:
    """The proportional and rate feedback that runs beside the learning, on errors seen late: Nm from rad."""
    late = round(seen_late_s / CELL_S)
    rate = LEARNING.td_s / CELL_S
    beside = LEARNING.kp_nm_per_rad * (
        (1.0 + rate) * np.eye(CELLS, k=-late) - rate * np.eye(CELLS, k=-late - 1)
    )
    beside[:, :FREE] = 0.0  # no error is known of a standing foot
    return beside


@pytest.mark.parametrize("gain", [1 / 3, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("late_s", [0.0, 0.03])
def test_feedback_and_learning_together_stay_stable_and_never_make_it_worse(
    gain: float, late_s: float
) -> None:
    made = update(closed(plant(), feedback()))
    true, beside = plant(gain, late_s), feedback()
    left = np.linalg.inv(np.eye(CELLS) + true @ beside)  # of an error, by feedback within the swing
    step = np.eye(CELLS) - made.smooth - made.learn @ left @ true
    assert float(np.max(np.abs(np.linalg.eigvals(step)))) < 1.0
    u, trace = np.zeros(CELLS), []
    for _ in range(30):
        e = left @ (GOAL - true @ u)
        trace.append(float(np.linalg.norm(e)))
        u = u + made.learn @ e - made.smooth @ u
    assert max(trace) < 1.03 * trace[0]
    assert trace[-1] < 0.5 * trace[0]


def test_a_law_that_ignores_the_feedback_beside_it_makes_it_much_worse_at_three_times_the_gain() -> None:
    # why the plant is closed: errors of 5 deg grow to 47 before they fall, though every eigenvalue is below 1
    made, true, beside = (
        law(plant(), FREE_CELLS, np.zeros(CELLS), replace(WEIGHTS, step=0.6)),
        plant(3.0),
        feedback(),
    )
    left = np.linalg.inv(np.eye(CELLS) + true @ beside)
    u, trace = np.zeros(CELLS), []
    for _ in range(30):
        e = left @ (GOAL - true @ u)
        trace.append(float(np.linalg.norm(e)))
        u = u + made.learn @ e - made.smooth @ (u + beside @ e)
    assert max(trace) > 5.0 * trace[0]


def test_the_feedback_the_law_reckons_with_is_proportional_and_rate_feedback_seen_late() -> None:
    made = feedback_matrix(
        CELLS, CELL_S, free=FREE, kp_nm_per_rad=LEARNING.kp_nm_per_rad, td_s=LEARNING.td_s, late_s=0.030
    )
    assert np.allclose(made, feedback())
    ramp = 0.1 * np.arange(CELLS) * CELL_S  # rad, at 0.1 rad/s
    late_s = round(0.030 / CELL_S) * CELL_S
    wanted_nm = LEARNING.kp_nm_per_rad * 0.1 * (CELL_S * np.arange(CELLS) - late_s + LEARNING.td_s)
    assert np.allclose((made @ ramp)[FREE + 5 :], wanted_nm[FREE + 5 :])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(CELLS - 12, CELLS), min_size=12, max_size=12))
def test_strides_of_any_length_shrink_the_error_of_the_longest(lengths: list[int]) -> None:
    trace = errors(plant(), update(plant()), 12, lengths)
    assert all(after <= before + 1e-9 for before, after in pairwise(trace))


def test_a_change_is_scaled_down_as_a_whole() -> None:
    change = np.array([1.0, -4.0, 2.0])
    assert limited(change, 2.0).tolist() == [0.5, -2.0, 1.0]
    assert limited(change, 4.0) is change
    assert limited(np.zeros(0), 1.0).size == 0


def test_a_command_without_authority_is_left_alone() -> None:
    held = np.where(np.arange(CELLS) < 10, 10.0, 0.0)
    made = law(plant(), FREE_CELLS, held, WEIGHTS)
    assert float(np.abs((made.learn @ GOAL)[:9]).max()) < 0.01 * float(np.abs(made.learn @ GOAL).max())


def test_what_the_current_cannot_give_is_asked_for_before_and_after() -> None:
    # the bounded least squares of scipy are the reference
    pitch = plant()
    root = np.vstack((pitch, math.sqrt(LEARNING.change) * np.eye(CELLS)))
    normal, wanted = root.T @ root, pitch.T @ (3.0 * GOAL)
    free = np.linalg.solve(normal, wanted)
    most = 0.6 * float(free.max())
    found = within_limits(normal, wanted, free, most)
    best = lsq_linear(root, np.concatenate((3.0 * GOAL, np.zeros(CELLS))), bounds=(0.0, most)).x
    cost, least, clipped = (
        0.5 * u @ normal @ u - wanted @ u for u in (found, best, np.clip(free, 0.0, most))
    )
    assert found.min() >= 0.0
    assert found.max() <= most
    assert cost - least < 0.05 * (clipped - least)
