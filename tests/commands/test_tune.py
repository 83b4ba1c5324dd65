"""Margins against loops whose margins are known, and gains that keep what they promise."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from controller.commands.tune import plot, propose
from controller.errors import InputError
from controller.studies.loop_margins import OMEGA_RPS, controller, margins, plant, stiffness_nm_per_rad
from tests.core.control.numbers import linear, params

CORE = params("feedback")
S = 1j * OMEGA_RPS


def test_an_integrator_with_delay_has_its_textbook_margins() -> None:
    # L = k e^(-s d) / s crosses 1 at k and -180 deg at pi / 2d
    k, d = 2.0, 0.1
    left = margins(k * np.exp(-S * d) / S)
    assert left.gain == pytest.approx(math.pi / (2 * d * k), rel=5e-3)
    assert left.phase_deg == pytest.approx(90.0 - math.degrees(k * d), abs=0.3)


def test_a_loop_that_never_turns_has_no_limit_of_gain() -> None:
    left = margins(1.0 / (1.0 + S))
    assert left.gain == math.inf
    assert left.sensitivity == pytest.approx(1.0, abs=1e-3)


def test_the_plant_is_the_ankles_compliance_at_rest() -> None:
    assert abs(plant(CORE)[0]) == pytest.approx(1.0 / stiffness_nm_per_rad(CORE), rel=1e-2)


def test_the_proposed_gains_leave_the_promised_margins_and_a_gain_of_two_stays_stable() -> None:
    gains, left = propose(CORE)
    assert left.enough
    assert (left.phase_deg >= 50.0, left.gain >= 2.0, left.sensitivity <= 1.7) == (True, True, True)
    again = margins(plant(CORE) * controller(gains))
    assert again == left
    assert 0.2 < left.bandwidth_hz < 1.5  # what feedback can do in a swing


def test_a_slower_muscle_is_given_smaller_gains() -> None:
    fast, _ = propose(CORE)
    slow, _ = propose(linear(CORE, bandwidth_rps=9.0, delay_s=0.08))
    assert slow.kp_nm_per_rad / slow.ti_s < fast.kp_nm_per_rad / fast.ti_s


def test_a_body_no_gain_can_serve_is_refused() -> None:
    limp = dataclasses.replace(CORE.foot, passive_factor=1e-6, damping_nms_per_rad=1e-6)
    with pytest.raises(InputError, match="some gain leaves"):
        propose(linear(dataclasses.replace(CORE, foot=limp), delay_s=1.0))


def test_the_picture_is_written(tmp_path: Path) -> None:
    plot(CORE, propose(CORE)[0], tmp_path / "tune.png")
    assert (tmp_path / "tune.png").stat().st_size > 10_000
