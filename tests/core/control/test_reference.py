"""The reference suited to a patient: never below the normal one, its own where the foot is higher unaided."""

from __future__ import annotations

import numpy as np
import pytest

from controller.core.control.reference import GRID, suited, swing_pitch_deg
from controller.core.gait.estimator import Reading
from controller.core.gait.phase_alignment import SwingPhase
from tests.core.control.numbers import params

NORMAL = params("learning").reference
MS = 1_000_000


def curve(above_deg: float) -> np.ndarray:
    normal = np.interp(GRID, np.linspace(0, 100, len(NORMAL.foot_pitch_deg)), NORMAL.foot_pitch_deg)
    return np.where(NORMAL.toe_off_percent <= GRID, normal + above_deg, np.nan)


def test_a_foot_that_drops_leaves_the_normal_reference() -> None:
    made = suited(NORMAL, [curve(-10.0), curve(-12.0)])
    assert made.foot_pitch_deg == pytest.approx(NORMAL.foot_pitch_deg)


def test_a_foot_that_is_higher_early_in_swing_is_its_own_reference_there_and_normal_at_contact() -> None:
    made = suited(NORMAL, [curve(8.0), curve(9.0), curve(-20.0)])
    above = np.array(made.foot_pitch_deg) - curve(0.0)
    early = int(NORMAL.toe_off_percent) + 5
    assert above[early] == pytest.approx(8.0, abs=0.1)
    assert above[95:] == pytest.approx(np.zeros(6), abs=1e-9)
    assert np.nanmin(above) >= -1e-9
    assert np.abs(np.diff(made.foot_pitch_deg)).max() < 1.5 * np.abs(np.diff(NORMAL.foot_pitch_deg)).max()


def test_a_weak_push_off_lifts_the_reference_at_toe_off_though_the_foot_drops_soon_after() -> None:
    toe_off = NORMAL.toe_off_percent
    normal = np.interp(GRID, np.linspace(0, 100, len(NORMAL.foot_pitch_deg)), NORMAL.foot_pitch_deg)
    own = normal + np.interp(GRID, [toe_off - 15.0, toe_off, toe_off + 10.0], [6.0, 12.0, -10.0])
    own[toe_off - 15.0 > GRID] = np.nan
    above = np.array(suited(NORMAL, [own]).foot_pitch_deg) - normal
    assert 8.0 < above[round(toe_off)] <= 12.0
    assert above[round(toe_off) + 12 :] == pytest.approx(np.zeros(101 - round(toe_off) - 12), abs=1e-9)


def test_without_a_swing_there_is_nothing_to_suit() -> None:
    with pytest.raises(ValueError, match="no swing"):
        suited(NORMAL, [])
    assert suited(NORMAL, [np.full(101, np.nan)]) == NORMAL


def test_a_swing_is_laid_over_the_reference_by_its_events() -> None:
    swing = SwingPhase(1000 * MS, 1400 * MS, 60.0, 100.0)
    readings = [Reading(t * MS, np.radians(t / 100), 0.0, None) for t in range(600, 1600, 10)]
    found = swing_pitch_deg(readings, swing)
    assert found[60] == pytest.approx(10.0)
    assert found[80] == pytest.approx(12.0)
    assert found[40] == pytest.approx(8.0)  # the push-off before the detected toe-off
    assert np.isnan(found[30])
    assert np.isnan(swing_pitch_deg([], swing)).all()
