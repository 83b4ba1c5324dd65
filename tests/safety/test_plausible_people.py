"""The plausibility monitor on people who really walked, foot and shank of one leg, with faults put in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.safety.judgement.plausibility import Plausibility
from tests.data import DATA, needs_data
from tests.safety.test_plausibility import SEGMENTS, stamp

pytestmark = needs_data
HZ = 60
STROKE, PARKINSON = DATA / "stroke_treadmill_xsens", DATA / "pd_freezing_turn_course"
# of the Parkinson's set right legs alone: in several of its files left foot and left shank are one signal
LEGS = [
    (STROKE / f"{name}.npz", side, 100) for name in ("pp04_1Reg", "pp08_1Reg") for side in ("left", "right")
]
LEGS += [(STROKE / "pp01_2Reg.npz", "right", 100), (STROKE / "pp11_1Reg.npz", "left", 100)]
LEGS += [(path, "right", 128) for path in sorted(PARKINSON.glob("*.npz"))[:2]]
IDS = [f"{path.stem}-{side}" for path, side, _ in LEGS]
SECONDS = 60


def found(
    leg: tuple[Path, str, int],
    scale: Mapping[str, float] | None = None,
    late: Mapping[str, float] | None = None,
) -> set[str]:
    path, side, rate_hz = leg
    samples = []
    with np.load(path) as recording:
        for segment in ("foot", "shank"):
            acc: NDArray[np.float64] = recording[f"{side}_{segment}_acc_mps2"]
            gyr: NDArray[np.float64] = recording[f"{side}_{segment}_gyr_rps"] * (scale or {}).get(
                segment, 1.0
            )
            start = max(0, len(acc) // 2 - SECONDS * rate_hz // 2)  # they stand at first
            for number in range(SECONDS * HZ):
                index = start + number * rate_hz // HZ
                if index < min(len(acc), len(gyr)):
                    t_s = 100.0 + number / HZ + (late or {}).get(segment, 0.0)
                    samples.append((t_s, segment, acc[index].tolist(), gyr[index].tolist()))
    monitor = Plausibility(SEGMENTS, 40.0)
    texts = set()
    for t_s, segment, force, rates in sorted(samples):
        sample = stamp(segment, round(t_s * 1e9), tuple(force), tuple(rates))
        texts |= {finding.text for finding in monitor.sample(sample)}
    return texts


@pytest.mark.parametrize("leg", LEGS, ids=IDS)
def test_a_sound_leg_finds_nothing(leg: tuple[Path, str, int]) -> None:
    assert found(leg) == set()


@pytest.mark.parametrize("segment", ["foot", "shank"])
@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("leg", LEGS[1:], ids=IDS[1:])
def test_a_gyroscope_of_a_wrong_scale_is_found(
    leg: tuple[Path, str, int], factor: float, segment: str
) -> None:
    assert any("the scale of a gyroscope is wrong" in text for text in found(leg, scale={segment: factor}))


@pytest.mark.parametrize("segment", ["foot", "shank"])
@pytest.mark.parametrize("leg", LEGS[1:], ids=IDS[1:])
def test_samples_100_ms_late_are_found(leg: tuple[Path, str, int], segment: str) -> None:
    assert any(f"the samples of the {segment} come" in text for text in found(leg, late={segment: 0.1}))
