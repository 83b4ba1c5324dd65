"""The sensor's troubles are named in words, and a sound sensor is not accused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gait import Leg, damaged, detect, rotation
from controller.core.gait.detector import GaitDetector
from controller.core.gait.sensor_check import Finding
from drivers.interface import Segment, Side
from tests.core.gait.runs import FEET, TREADMILL, WALKWAY, run_of
from tests.data import DATA, needs_data


def findings(leg: Leg, segment: Segment | None = None, side: Side | None = None) -> tuple[Finding, ...]:
    detector = GaitDetector(segment or leg.segment, side or leg.side)
    for t_s, acc, gyr in zip(leg.time_s, leg.acc_mps2.tolist(), leg.gyr_rps.tolist(), strict=True):
        detector.update(round(t_s * 1e9), tuple(acc), tuple(gyr))
    return detector.findings()


def kinds(found: tuple[Finding, ...]) -> set[str]:
    return {finding.kind for finding in found}


@needs_data
def test_sound_sensors_are_not_accused() -> None:
    sound = [*WALKWAY, *FEET, *TREADMILL]
    assert {leg.name: kinds(found) for leg in sound if (found := run_of(leg.name).findings)} == {}


@needs_data
@pytest.mark.parametrize("name", ["E01 left", "S28 left"])
def test_a_loose_strap_is_named(name: str) -> None:
    leg = next(leg for leg in WALKWAY if leg.name == name)
    assert "loose" in kinds(findings(damaged(leg, "loose strap")))


@needs_data
def test_a_slipped_sensor_is_named_with_what_to_do() -> None:
    leg = WALKWAY[0]
    tilt = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # 90 deg, as when it slides round
    half = len(leg.time_s) // 2
    acc, gyr = leg.acc_mps2.copy(), leg.gyr_rps.copy()
    acc[half:], gyr[half:] = acc[half:] @ tilt, gyr[half:] @ tilt
    found = [f for f in findings(replace(leg, acc_mps2=acc, gyr_rps=gyr)) if f.kind == "slipped"]
    assert len(found) == 1
    assert "left shank" in found[0].text
    assert "fasten" in found[0].text


@needs_data
def test_a_sensor_on_the_other_leg_is_suspected() -> None:
    assert "other_leg" in kinds(findings(WALKWAY[0], side="right"))
    assert "other_leg" in kinds(findings(FEET[0], side="right"))


@needs_data
def test_a_sensor_on_the_other_segment_is_suspected() -> None:
    assert "other_segment" in kinds(findings(FEET[0], segment="shank"))
    assert "other_segment" in kinds(findings(WALKWAY[0], segment="foot"))


@needs_data
@pytest.mark.parametrize(
    "leg", [WALKWAY[0], WALKWAY[12], FEET[0]] if DATA.is_dir() else [], ids=lambda leg: leg.name
)
def test_upside_down_is_no_matter_where_the_axis_is_found_and_is_named_where_it_is_given(leg: Leg) -> None:
    """Half a turn about the sagittal axis: what was up is down, and swing turns the other way."""
    half_turn = rotation(np.cross(leg.swing_axis, leg.acc_mps2[0]), math.pi)
    turned = replace(leg, acc_mps2=leg.acc_mps2 @ half_turn, gyr_rps=leg.gyr_rps @ half_turn)
    assert [(e.kind, e.emitted_ns) for e in detect(turned)] == [
        (e.kind, e.emitted_ns) for e in run_of(leg.name).events
    ]
    for one, named in ((leg, False), (turned, True)):
        detector = GaitDetector(leg.segment, leg.side, tuple(leg.swing_axis.tolist()))
        walked = False
        for t_s, acc, gyr in zip(one.time_s, one.acc_mps2.tolist(), one.gyr_rps.tolist(), strict=True):
            detector.update(round(t_s * 1e9), tuple(acc), tuple(gyr))
            walked = walked or detector.walking(round(t_s * 1e9))
        found = [finding for finding in detector.findings() if finding.kind == "upside_down"]
        assert (len(found), walked) == (int(named), not named)
        assert not named or f"{leg.side} {leg.segment}" in found[0].text
        assert not named or "turn it round" in found[0].text


@needs_data
def test_a_clipped_gyroscope_is_named() -> None:
    leg = WALKWAY[0]
    limit = np.radians(250.0)
    assert "clipped" in kinds(findings(replace(leg, gyr_rps=np.clip(leg.gyr_rps, -limit, limit))))


def test_a_frozen_sensor_is_named_after_ten_repeats_and_forgiven_after_a_change() -> None:
    detector = GaitDetector("foot", "left")
    for i in range(11):
        assert detector.findings() == ()
        detector.update(i * 10_000_000, (0.0, 0.0, 9.8), (0.01, 0.0, 0.0))
    assert kinds(detector.findings()) == {"frozen"}
    detector.update(200_000_000, (0.0, 0.0, 9.8), (0.02, 0.0, 0.0))
    assert detector.findings() == ()
