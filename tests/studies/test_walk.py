"""The walk of a study against the rehearsal that is its reference: the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.params import CoreParams
from controller.core.signals import Mode, TickInputs
from controller.record.stride_state import law
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal, measured, with_mode
from controller.simulation.walk import LOOK_TICKS, Walk, pulse_checksum
from controller.studies.person import patient_of
from drivers.interface import ImuSample
from models.cohort import cohort_patient

DEMO = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
MEMBER = cohort_patient(3, 2)


def params(mode: Mode) -> CoreParams:
    return with_mode(core_params(load_session(DEMO)), mode)


def losing() -> object:
    source = np.random.default_rng(7)

    def spoil(sample: ImuSample) -> ImuSample | None:
        return None if source.random() < 0.05 else sample

    return spoil


@pytest.mark.parametrize(
    ("mode", "lossy", "walked_s", "strides"), [("learning", True, 14.0, 5), ("feedback", False, 8.0, 1)]
)
def test_a_walk_is_the_rehearsal_to_the_bit(mode: Mode, lossy: bool, walked_s: float, strides: int) -> None:
    """Four seconds are stood; the learning law steers after four strides."""
    made = params(mode)
    spoils = (losing(), losing()) if lossy else (None, None)
    rehearsal = Rehearsal(made, patient_of(MEMBER), spoils[0])
    rehearsal.walk(walked_s)
    walk = Walk(made, patient_of(MEMBER), spoils[1])
    while walk.ticks < rehearsal.ticks:
        walk.piece()
    assert walk.ticks == rehearsal.ticks == walked_s / TICK_S
    assert len(walk.pulses) > 50
    assert pulse_checksum(walk.pulses) == pulse_checksum(rehearsal.pulses)
    assert walk.body() == rehearsal.body()
    ours, theirs = (measured(loop, made.reference) for loop in (walk, rehearsal))
    assert len(ours) >= strides
    assert [one.stride for one in ours] == [one.stride for one in theirs]
    swings = [
        (
            round(point.time_s * 1e9),
            law(
                point.decision.view.mode, point.decision.view.rung, asked=any(point.decision.command.channels)
            ),
        )
        for point in rehearsal.trace
        if point.decision.view.swing
    ]
    assert walk.swings == swings
    # the core's whole state is the same, too: the next tick shows the same checksum
    now_ns = EPOCH_NS + round(walk.ticks * TICK_S * 1e9)
    marks = [loop.core.step(now_ns, TickInputs()).view.fingerprint for loop in (walk, rehearsal)]
    assert marks[0] == marks[1]


def test_a_walk_goes_in_whole_pieces() -> None:
    walk = Walk(params("off"), patient_of(MEMBER))
    walk.piece()
    assert (walk.ticks, len(walk.body())) == (LOOK_TICKS, LOOK_TICKS)
