"""A change of arm while the patient walks: between two windows, without a pulse, with or without a memory."""

from __future__ import annotations

from itertools import pairwise

import pytest

from controller.core.signals import TickInputs
from controller.simulation.closed_loop import TICK_S, Rehearsal
from models.patient import VirtualPatient
from tests.core.control.numbers import params


def walked(*, fresh: bool) -> tuple[Rehearsal, int]:
    """Learning until 12 s, then asked for learning again; and what had been learned at the switch."""
    walk = Rehearsal(params("learning"), VirtualPatient(seed=3))
    walk.walk(12.0)
    before = walk.core.laws.strides.learner.learned
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), mode="learning", fresh=fresh))
    while walk.core.switching:
        walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S)))
    return walk, before


@pytest.mark.parametrize("fresh", [True, False])
def test_an_arm_begins_between_two_windows_and_keeps_or_forgets_as_stated(*, fresh: bool) -> None:
    walk, before = walked(fresh=fresh)
    assert before > 1
    assert walk.core.output.window.state == "closed"
    assert walk.trace[-1].current_ma is None
    kept = walk.core.laws.strides.learner.learned
    assert kept == 0 if fresh else kept >= before
    walk.walk(walk.ticks * TICK_S + 3.0)
    assert walk.core.laws.strides.learner.learned > kept
    rise = walk.params.pulse.rise_ma_per_tick
    assert all((b.current_ma or 0.0) - (a.current_ma or 0.0) <= rise for a, b in pairwise(walk.trace))
