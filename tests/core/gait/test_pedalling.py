"""Cycling is told from walking."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.lifted import ENVELOPE, pulses
from benchmarks.movements import cycling
from benchmarks.walks import treadmill, walkway
from controller.core.gait.pedalling import BLOW_MPS2, EVEN_SHARE, REVOLUTIONS, Pedalling
from drivers.interface import Segment
from tests.data import needs_data

STEP_S = 0.01
ENDING_S = ENVELOPE.extension_s + ENVELOPE.fall_s  # of a train past its contact


def turned(pedalling: Pedalling, seconds: float, *, stance: float = 0.0, shake_mps2: float = 0.0) -> bool:
    """A limb that turns to and fro once a second, and stands for a share ``stance`` of it."""
    for k in range(round(seconds / STEP_S)):
        share = k * STEP_S % 1.0
        turns = 0.0 if share > 1.0 - stance else math.sin(math.tau * share / (1.0 - stance))
        pedalling.update(STEP_S, 2.0 * turns, shake_mps2)
    return pedalling.cycles


def test_a_limb_that_turns_like_a_sine_cycles_after_its_revolutions() -> None:
    assert 2.0 * math.sqrt(2.0) / math.pi > EVEN_SHARE  # mean size of a sine over its r.m.s. value
    assert not turned(Pedalling(), REVOLUTIONS + 0.4)  # the half before the first turning point is not seen
    assert turned(Pedalling(), REVOLUTIONS + 0.6)


def test_a_limb_that_stands_for_a_third_of_its_stride_does_not_cycle() -> None:
    assert not turned(Pedalling(), 10.0, stance=0.33)


def test_one_blow_ends_it_and_it_must_be_shown_anew() -> None:
    pedalling = Pedalling()
    assert turned(pedalling, 5.0, shake_mps2=BLOW_MPS2)
    pedalling.update(STEP_S, 1.0, BLOW_MPS2 + 0.1)
    assert not pedalling.cycles
    assert not turned(pedalling, REVOLUTIONS + 0.4)
    assert turned(pedalling, 1.0)


def test_a_limb_that_stops_does_not_cycle_for_long() -> None:
    pedalling = Pedalling()
    assert turned(pedalling, 5.0)
    for _ in range(260):
        pedalling.update(STEP_S, 0.0, 0.0)
    assert not pedalling.cycles


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_pedals_are_known_within_five_seconds_and_then_nothing_is_given(segment: Segment) -> None:
    for walk in cycling(segment):
        begin_s = walk.silent_s[0][0]
        first = slice(0, int(np.searchsorted(walk.time_s, begin_s + 10.0)))
        given = pulses(
            replace(
                walk, time_s=walk.time_s[first], acc_mps2=walk.acc_mps2[first], gyr_rps=walk.gyr_rps[first]
            )
        )
        late = given.time_s > begin_s + 5.0 + ENDING_S
        assert not given.on[late].any(), walk.name
        told = [why for why, now in zip(given.why, late, strict=True) if now]
        assert any("cycling" in why for why in told), walk.name


@needs_data
def test_no_recorded_walk_is_taken_for_cycling() -> None:
    for walk in (*walkway(), *list(treadmill("foot"))[::4]):
        assert not any("cycling" in why for why in pulses(walk).why), walk.name
