"""The detector on real recordings: every contact, nothing invented, whatever the mounting, and the same in
pieces.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gait import Leg, detect, hemiparetic, motion_capture, score
from controller.core.gait import GaitDetector
from controller.core.signals import GaitEvent
from tests.data import DATA, needs_data

WALKWAY = list(hemiparetic()) if DATA.is_dir() else []
FEET = list(motion_capture()) if DATA.is_dir() else []


def feed(detector: GaitDetector, leg: Leg, start: int, stop: int) -> list[GaitEvent]:
    events: list[GaitEvent] = []
    for i in range(start, stop):
        events += detector.update(
            round(leg.time_s[i] * 1e9), tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist())
        )
    return events


@needs_data
@pytest.mark.parametrize("leg", WALKWAY, ids=lambda leg: leg.name)
def test_walkway_contacts_are_all_found_and_none_invented(leg: Leg) -> None:
    found = score(leg, detect(leg))
    assert found.missed <= 0.01 * found.expected
    assert found.extra <= 0.01 * found.expected


@needs_data
def test_mounting_changes_nothing() -> None:
    leg = WALKWAY[10]
    turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = replace(leg, acc_mps2=leg.acc_mps2 @ turn, gyr_rps=leg.gyr_rps @ turn)
    assert [(e.kind, e.emitted_ns) for e in detect(turned)] == [(e.kind, e.emitted_ns) for e in detect(leg)]


@needs_data
@pytest.mark.parametrize("leg", [WALKWAY[12], FEET[0]] if DATA.is_dir() else [], ids=lambda leg: leg.name)
def test_a_run_in_two_pieces_equals_one_run(leg: Leg) -> None:
    half = len(leg.time_s) // 2
    whole = detect(leg)
    first = GaitDetector(leg.segment, leg.side)
    before = feed(first, leg, 0, half)
    assert before == [event for event in whole if event.emitted_ns <= round(leg.time_s[half - 1] * 1e9)]
    for second in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert before + feed(second, leg, half, len(leg.time_s)) == whole
        assert second.tick(10**12) == second.tick(10**12)
