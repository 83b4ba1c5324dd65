"""The calf's reflex: its answer is the model's, its strength is found where there is one and only there."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from controller.core.control.reflex_estimate import (
    BANDWIDTH_RPS,
    DELAY_S,
    STRENGTH_MAX,
    THRESHOLD_RPS,
    Reflex,
    answer_rps,
    feedback,
)
from controller.core.control.swing_model import lift
from controller.simulation.closed_loop import Rehearsal
from models.limb.reflex import reflex_moment_nm
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

CELLS, CELL_S = 70, 0.012
TIME_S = CELL_S * np.arange(CELLS)
SWING = 0.2 * (
    1.0 - np.cos(np.pi * np.clip((TIME_S - 0.25) / 0.25, 0.0, 1.0))
)  # 23 deg up in a quarter second


def test_the_answer_is_that_of_the_virtual_calf() -> None:
    fine_s = np.arange(0.0, TIME_S[-1], 0.001)
    moment_nm = reflex_moment_nm(
        np.gradient(np.interp(fine_s, TIME_S, SWING), fine_s),
        gain_nms=1.0,
        threshold_rps=THRESHOLD_RPS,
        delay_s=DELAY_S,
        wn_rad_per_s=BANDWIDTH_RPS,
    )
    answer = answer_rps(SWING, CELL_S)
    assert answer.max() == pytest.approx(-moment_nm.min(), rel=0.05)
    assert np.abs(np.interp(TIME_S[:-1], fine_s, -moment_nm) - answer[:-1]).max() < 0.1 * answer.max()


def test_a_slow_stretch_and_a_release_are_not_answered_and_a_fast_one_by_what_is_above_the_threshold() -> (
    None
):
    ramp = TIME_S.copy()
    assert not answer_rps(0.999 * THRESHOLD_RPS * ramp, CELL_S).any()
    assert not answer_rps(-5.0 * ramp, CELL_S).any()
    assert answer_rps((THRESHOLD_RPS + 2.0) * ramp, CELL_S)[-1] == pytest.approx(2.0, rel=0.02)
    assert not answer_rps(5.0 * ramp, CELL_S)[: int(DELAY_S / CELL_S) + 1].any()


def test_a_foot_with_a_reflex_moves_as_its_equation_says() -> None:
    foot, strength, stiffness = params("learning").foot, 1.5, 15.0
    ramp = 10.0 * TIME_S  # stretched fast all the time: the whole reflex is awake
    matrices = lift(
        params("learning").muscle,
        foot,
        np.full(CELLS, stiffness),
        free=0,
        cell_s=CELL_S,
        hold_s=0.0,
        reflex=strength * feedback(ramp, CELL_S),
    )

    def moves(t_s: float, x: np.ndarray, late: list[tuple[float, float]]) -> list[float]:
        angle, rate, first, second = x
        times, rates = zip(*late, strict=True)
        seen = float(np.interp(t_s - DELAY_S, times, rates, left=0.0))
        torque = 1.0 - foot.damping_nms_per_rad * rate - stiffness * angle - strength * second
        return [
            rate,
            torque / foot.inertia_kgm2,
            BANDWIDTH_RPS * (seen - first),
            BANDWIDTH_RPS * (first - second),
        ]

    late: list[tuple[float, float]] = [(-1.0, 0.0), (0.0, 0.0)]
    x, angles = np.zeros(4), []
    for begin_s in np.arange(0.0, CELLS * CELL_S - 1e-9, 0.002):
        x = solve_ivp(moves, (begin_s, begin_s + 0.002), x, args=(late,), max_step=0.001).y[:, -1]
        late.append((begin_s + 0.002, float(x[1])))
        angles.append(float(x[0]))
    solved = matrices.from_torque @ np.ones(CELLS)
    exact = np.interp(TIME_S + CELL_S, 0.002 * np.arange(1, len(angles) + 1), angles)
    without = lift(
        params("learning").muscle, foot, np.full(CELLS, stiffness), free=0, cell_s=CELL_S, hold_s=0.0
    )
    assert np.abs(solved - exact).max() < 0.1 * exact.max()
    assert np.abs(without.from_torque @ np.ones(CELLS) - exact).max() > 0.2 * exact.max()


def balance(strength: float, seed: int, noise_nm: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One swing's torque needed of a muscle of 0.8, torque of the assumed muscle, the reflex's answer."""
    source = np.random.default_rng(seed)
    made = 6.0 * np.sin(np.pi * np.linspace(0.1, 1.0, 26)) * source.uniform(0.9, 1.1)
    answer = np.interp(np.linspace(0.3, 0.75, 26), TIME_S, answer_rps(SWING, CELL_S))
    return 0.8 * made - strength * answer + source.normal(0.0, noise_nm, 26), made, answer


@pytest.mark.parametrize("strength", [0.0, 2.5, 6.0, 9.0])
def test_the_strength_is_found_within_ten_swings(strength: float) -> None:
    reflex = Reflex()
    for swing in range(10):
        reflex.learn(*balance(strength, swing))
    assert reflex.strength == pytest.approx(strength, abs=1.2)


@pytest.mark.parametrize("strength", [-5.0, 40.0])
def test_what_is_believed_stays_within_what_calves_have(strength: float) -> None:
    reflex = Reflex()
    for swing in range(10):
        reflex.learn(*balance(strength, swing))
    assert reflex.strength == (0.0 if strength < 0.0 else STRENGTH_MAX)


@pytest.mark.parametrize("share", [0.0, 1e-160, 1e-5])
def test_next_to_no_torque_of_the_muscle_is_no_torque(share: float) -> None:
    reflex = Reflex()
    needed, made, answer = balance(6.0, 1)
    reflex.learn(needed, share * made, answer)
    assert reflex.strength == 0.0


def test_a_swing_without_pulses_or_without_a_stretch_says_nothing() -> None:
    reflex = Reflex()
    needed, made, answer = balance(6.0, 1)
    reflex.learn(needed, np.zeros_like(made), answer)
    assert reflex.strength == 0.0
    reflex = Reflex()
    reflex.learn(needed, made, np.zeros_like(answer))
    assert reflex.strength == 0.0


def test_the_belief_ends_with_the_reflex() -> None:
    reflex = Reflex()
    for swing in range(8):
        reflex.learn(*balance(6.0, swing))
    assert reflex.strength > 4.0
    for swing in range(40):
        reflex.learn(*balance(0.0, 100 + swing))
    assert reflex.strength == 0.0


@pytest.mark.parametrize(("strength", "noise_nm"), [(1.5, 1.0), (2.0, 1.0), (2.5, 1.5), (3.0, 1.5)])
def test_a_weak_reflex_is_believed_or_not_but_does_not_come_and_go(strength: float, noise_nm: float) -> None:
    reflex, shown = Reflex(), []
    for swing in range(120):
        reflex.learn(*balance(strength, swing, noise_nm))
        shown.append(reflex.strength > 0.0)
    assert sum(a != b for a, b in pairwise(shown)) <= 1


@cache
def walk(strength: float) -> Rehearsal:
    body = replace(PatientParams(), reflex_gain_nms=strength)
    rehearsal = Rehearsal(params("learning"), VirtualPatient(body, seed=1))
    rehearsal.walk(45.0)
    return rehearsal


def test_a_spastic_calf_is_found_in_walking_and_a_calm_one_is_not() -> None:
    calm, spastic = (walk(strength).trace[-1].decision.view for strength in (0.0, 8.0))
    assert calm.believed_reflex_nms == 0.0
    assert 3.0 < spastic.believed_reflex_nms < 10.0  # what is doubted is believed smaller


def test_the_muscle_is_not_believed_weak_for_a_reflex_and_the_foot_is_lifted_as_a_calm_one() -> None:
    calm, spastic = walk(0.0), walk(8.0)
    gain = spastic.core.laws.strides.learner.belief.gain / calm.core.laws.strides.learner.belief.gain
    assert abs(math.log(gain)) < math.log(1.3)
    calm_deg, spastic_deg = (
        float(np.mean([s.error_rms_deg for s in w.strides()[8:]])) for w in (calm, spastic)
    )
    assert spastic_deg < calm_deg + 0.5
