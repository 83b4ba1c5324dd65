"""Normal curves against the published tables, and activities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.gait import SPEEDS_MPS, Activity, normal_ankle_deg, normal_knee_deg, normal_pitch_deg
from tests.data import REFERENCE, needs_reference


@needs_reference
@pytest.mark.parametrize(
    ("name", "speed_mps"),
    list(zip(("VerySlow", "Slow", "Free", "Fast", "VeryFast"), SPEEDS_MPS, strict=True)),
)
def test_normal_curves_within_1p5_degrees_of_the_tables(name: str, speed_mps: float) -> None:
    table = np.genfromtxt(REFERENCE / "gait" / f"schwartz2008_{name}.csv", delimiter=",", names=True)
    percent = table["pct"]
    for segment in ("thigh", "shank", "foot"):
        curve = normal_pitch_deg(segment, percent, speed_mps)
        assert np.abs(curve - table[f"{segment}_pitch"]).max() < 1.0
    assert np.abs(normal_ankle_deg(percent, speed_mps) - table["ankle_df"]).max() < 1.0
    assert np.abs(normal_knee_deg(percent, speed_mps) - table["knee_flex"]).max() < 1.0


def test_a_normal_ankle_meets_the_ground_at_about_minus_two() -> None:
    for speed in SPEEDS_MPS:
        assert float(normal_ankle_deg(0.0, speed)) == pytest.approx(-2.5, abs=1.5)


def test_curves_are_periodic_and_between_speeds_in_between() -> None:
    assert float(normal_ankle_deg(0.0, 0.7)) == pytest.approx(float(normal_ankle_deg(100.0, 0.7)), abs=1e-9)
    percent = np.linspace(0, 100, 51)
    low, high = normal_ankle_deg(percent, 0.55), normal_ankle_deg(percent, 0.9)
    middle = normal_ankle_deg(percent, 0.725)
    assert np.all(middle <= np.maximum(low, high) + 1e-9)
    assert np.all(middle >= np.minimum(low, high) - 1e-9)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("duration_s", 0.0), ("speed_mps", math.nan), ("stride_s", -1.0), ("turn_deg", math.inf)],
)
def test_an_impossible_activity_is_refused(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: found"):
        Activity(**{"kind": "walk", "duration_s": 5.0, name: bad})  # type: ignore[arg-type]  # names vary in type


def test_an_unknown_activity_is_refused() -> None:
    with pytest.raises(ValueError, match="kind: found 'fly', allowed: stand, walk"):
        Activity("fly", 5.0)  # type: ignore[arg-type]  # no activity
