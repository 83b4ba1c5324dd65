"""Assist as needed: what is given up, what brings the whole lift back, and that it is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.core.control.as_needed import (
    CLEARANCE_MM,
    FIRST_STRIDES,
    LANDING_DEG,
    WHOLE_STRIDES,
    AsNeeded,
)
from controller.core.signals import TickInputs
from controller.simulation.loop import EPOCH_NS, TICK_S, Loop
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

HIGH_MM, HIGH_DEG = 40.0, 18.0


def withdrawn(strides: int = 30) -> AsNeeded:
    needed = AsNeeded()
    for _ in range(FIRST_STRIDES + strides):
        needed.note(HIGH_MM, HIGH_DEG, "")
    return needed


def test_who_has_room_to_spare_is_given_less_after_the_first_strides_and_in_the_end_nothing() -> None:
    needed = AsNeeded()
    for _ in range(FIRST_STRIDES):
        needed.note(HIGH_MM, HIGH_DEG, "")
        assert needed.whole
    shares = []
    for _ in range(60):
        needed.note(HIGH_MM, HIGH_DEG, "")
        shares.append(needed.landing.share)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.01
    assert needed.mid_swing.share == shares[-1]


def test_who_keeps_just_the_margin_is_given_as_much_as_keeps_it() -> None:
    """A foot that lands as high as its lift: the share settles where the landing keeps its margin."""
    needed = AsNeeded()
    for _ in range(200):
        needed.note(HIGH_MM, 2.0 + LANDING_DEG.deg * needed.landing.share, "")
    margin_deg = LANDING_DEG.least  # without spread of its own
    landed_deg = 2.0 + LANDING_DEG.deg * needed.landing.share
    assert landed_deg == pytest.approx(margin_deg, abs=0.6)


@pytest.mark.parametrize(
    ("clearance_mm", "landing_deg", "doubt"),
    [
        (CLEARANCE_MM.low - 0.1, HIGH_DEG, ""),
        (HIGH_MM, LANDING_DEG.low - 0.1, ""),
        (None, HIGH_DEG, ""),
        (HIGH_MM, None, ""),
        (HIGH_MM, HIGH_DEG, "the person turned"),
    ],
)
def test_one_low_step_or_doubt_brings_the_whole_lift_back_at_once_and_for_some_strides(
    clearance_mm: float | None, landing_deg: float | None, doubt: str
) -> None:
    needed = withdrawn()
    assert not needed.whole
    needed.note(clearance_mm, landing_deg, doubt)
    assert needed.whole
    assert needed.why
    for _ in range(WHOLE_STRIDES):
        needed.note(HIGH_MM, HIGH_DEG, "")
        assert needed.whole
    needed.note(HIGH_MM, HIGH_DEG, "")
    assert not needed.whole


def test_after_a_low_step_more_margin_is_kept_for_a_while() -> None:
    needed = withdrawn()
    before = needed.landing.needs
    needed.note(HIGH_MM, LANDING_DEG.low - 1.0, "")
    for _ in range(30):
        needed.note(HIGH_MM, HIGH_DEG, "")
    assert needed.landing.needs > before + 1.0


def test_the_lowered_reference_is_never_above_and_leaves_stance_alone() -> None:
    reference = params("learning").reference
    needed = withdrawn(100)
    lowered = np.array(needed.lowered(reference).foot_pitch_deg)
    whole = np.array(reference.foot_pitch_deg)
    at = np.linspace(0.0, 100.0, len(whole))
    assert (lowered <= whole + 1e-9).all()
    stance = (at > 10.0) & (at <= reference.toe_off_percent)
    assert lowered[stance] == pytest.approx(whole[stance])
    assert whole[-1] - lowered[-1] == pytest.approx(LANDING_DEG.deg, abs=0.01)
    assert AsNeeded().lowered(reference) is reference


def test_a_walker_gets_less_keeps_clearing_and_is_lifted_whole_after_a_swing_without_pulses() -> None:
    core = params("as-needed")
    loop = Loop(core, VirtualPatient(replace(PatientParams(), volition=0.5), seed=1))
    patient, missed = loop.patient, 24
    shares: list[tuple[float, float]] = []  # at each toe-off, in mid-swing and at landing
    swinging = False
    while patient.stride_count < missed + 2:
        now_s = loop.ticks * TICK_S
        patient.advance(now_s)
        held = patient.stride_count == missed
        scope = "nothing" if held else "walk"
        choice = loop.core.decide(
            EPOCH_NS + round(now_s * 1e9), TickInputs(imu=loop.arrivals(now_s), scope=scope)
        )
        loop._stimulate(now_s, choice.command.channels)
        if choice.gait.phase.swinging and not swinging:
            needed = loop.core.laws.strides.needed
            shares.append((needed.mid_swing.share, needed.landing.share))
        swinging = choice.gait.phase.swinging
        loop.ticks += 1
    strides = patient.strides()
    charges = [
        sum(ma * us for t_s, ma, us in loop.pulses if s.initial_contact_s <= t_s < s.next_initial_contact_s)
        for s in strides
    ]
    assert np.mean(charges[missed - 4 : missed]) < 0.7 * np.mean(charges[2:6])
    assert all(s.toe_clearance_m > 0.0 and not s.forefoot_contact for s in strides[2:missed])
    assert shares[missed - 1] < (1.0, 1.0)
    assert charges[missed] < 0.05 * charges[3]
    assert shares[missed + 1] == (1.0, 1.0)
    assert charges[missed + 1] > 0.75 * np.mean(charges[2:6])
