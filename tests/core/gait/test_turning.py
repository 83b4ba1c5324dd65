"""Turns: what a stride turned beyond the usual one, on made headings and on real walks to and fro."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.core.control.learning import TURN_RAD
from controller.core.gait.detector import GaitDetector
from controller.core.gait.orientation import SegmentOrientation
from controller.core.gait.turning import Turning
from tests.data import DATA, needs_data
from tests.recordings import HEMIPARETIC

REST_NS = 2_500_000_000


def turns_deg(headings_deg: list[float]) -> list[float]:
    turning, found = Turning(), []
    for heading in headings_deg:
        turning.contact(math.radians(heading))
        found.append(math.degrees(turning.turned_rad))
    return found


def test_a_walk_straight_ahead_has_no_turns_whatever_each_stride_shows() -> None:
    assert turns_deg([25.0 * stride for stride in range(12)]) == pytest.approx([0.0] * 12)


@pytest.mark.parametrize("usual", [0.0, 25.0])
@pytest.mark.parametrize("turn", [22.5, -22.5, 90.0])
def test_a_turn_over_four_strides_stands_out_and_is_over_with_it(usual: float, turn: float) -> None:
    steps = [usual] * 8 + [usual + turn] * 4 + [usual] * 5
    found = turns_deg([0.0, *np.cumsum(steps).tolist()])[1:]
    assert found == pytest.approx([0.0] * 8 + [turn] * 4 + [0.0] * 5)


def test_the_first_contact_ends_no_stride() -> None:
    assert turns_deg([170.0]) == [0.0]


@needs_data
@pytest.mark.parametrize("subject", HEMIPARETIC)
@pytest.mark.parametrize("side", ["left", "right"])
def test_on_a_walkway_the_turns_at_its_ends_stand_out_and_straight_strides_do_not(
    subject: str, side: str
) -> None:
    # walks to and fro on a walkway (Trojaniello et al., J NeuroEng Rehabil 2014, 11:152)
    with np.load(DATA / "hemiparetic_shank_gaitrite" / f"{subject}.npz") as recording:
        time_s = recording["t"].tolist()
        acc_mps2 = (9.80665 * recording[f"{side}_shank_acc_g"]).tolist()
        gyr_rps = np.radians(recording[f"{side}_shank_gyr_dps"]).tolist()
    orientation, detector = SegmentOrientation("shank", side), GaitDetector("shank", side)
    turning, found, last_ns = Turning(), [], 0
    for at_s, acc, gyr in zip(time_s, acc_mps2, gyr_rps, strict=True):
        t_ns = round(at_s * 1e9)
        orientation.update(t_ns, tuple(acc), tuple(gyr))
        for event in detector.update(t_ns, tuple(acc), tuple(gyr)):
            orientation.note(event)
            if event.kind == "initial_contact":
                turning.contact(orientation.heading_rad)
                if event.t_ns - last_ns < REST_NS:
                    found.append(abs(turning.turned_rad))
                last_ns = event.t_ns
    assert len(found) > 20
    assert float(np.median(found)) < TURN_RAD / 2
    assert float(np.quantile(found, 0.65)) < TURN_RAD
