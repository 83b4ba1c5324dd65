"""Whether a step's foot was lifted: each bound of the rule, one step each side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.signals import GaitEvent
from controller.record.step_verdict import target_deg, verdict
from controller.record.strides import SETTLED_NS, Stride, StrideMeter, TickAngles, measure

NAN = float("nan")
LIFTED = Stride(
    0, 50, 100, None, None, None, None,
    landing_pitch_deg=14.0, landing_reference_deg=14.0, swing_shortfall_deg=0.0,
)  # fmt: skip


def test_the_target_is_the_band_about_the_reference_at_landing() -> None:
    assert target_deg(LIFTED) == (9.0, 19.0)
    assert target_deg(replace(LIFTED, landing_reference_deg=None)) is None


@pytest.mark.parametrize(
    ("landing_deg", "reference_deg", "shortfall_deg", "wanted"),
    [
        (14.0, 14.0, 0.0, "lifted"),
        (9.0, 14.0, 0.0, "lifted"),  # the band's lower end
        (8.9, 14.0, 0.0, "low"),
        (0.1, 14.0, 0.0, "low"),  # the heel just lands first
        (0.0, 14.0, 0.0, "not_lifted"),  # flat
        (-10.0, 14.0, 0.0, "not_lifted"),
        (30.0, 14.0, -10.0, "lifted"),  # higher than wanted is no hazard of this kind
        (14.0, 14.0, 5.0, "lifted"),
        (14.0, 14.0, 5.1, "low"),  # low in swing, and up at its end
        (14.0, 14.0, 10.0, "low"),
        (14.0, 14.0, 10.1, "not_lifted"),  # it hung
        (3.0, 14.0, 10.1, "not_lifted"),
        (14.0, 14.0, None, "lifted"),
        (-1.0, 4.0, 0.0, "lifted"),  # within a target that reaches below flat
        (-1.1, 4.0, 0.0, "not_lifted"),
        (None, 14.0, 0.0, None),  # no sensor showed it
        (14.0, None, 0.0, None),  # nothing to hold it against
    ],
)
def test_each_bound_of_the_rule(
    landing_deg: float | None, reference_deg: float | None, shortfall_deg: float | None, wanted: str | None
) -> None:
    step = replace(
        LIFTED,
        landing_pitch_deg=landing_deg,
        landing_reference_deg=reference_deg,
        swing_shortfall_deg=shortfall_deg,
    )
    assert verdict(step) == wanted


def test_current_has_no_part_in_it() -> None:
    assert verdict(replace(LIFTED, charge_uc=0.0, pulses=0)) == "lifted"


def ticks(*pitch_deg: float) -> list[TickAngles]:
    """One a nanosecond; the second half is swing, towards a reference of 14 deg, landing at the last."""
    half = len(pitch_deg) // 2
    return [
        TickAngles(t_ns, deg, NAN, 14.0 if t_ns >= half else NAN, t_ns >= half)
        for t_ns, deg in enumerate(pitch_deg)
    ]


def test_the_landing_is_measured_at_the_contact_that_ends_the_stride() -> None:
    stride = measure(0, 5, ticks(20.0, 0.0, 0.0, 10.0, 12.0, 13.0, -30.0), [3], [])
    assert stride.foot_pitch_at_initial_contact_deg == 20.0
    assert stride.landing_pitch_deg == 13.0
    assert stride.landing_reference_deg == 14.0
    assert stride.swing_shortfall_deg == pytest.approx(3.0)  # of 10 and 12 deg below 14
    assert verdict(stride) == "lifted"


def test_an_angle_that_was_not_known_gives_no_verdict() -> None:
    stride = measure(0, 5, ticks(20.0, 0.0, 0.0, NAN, NAN, NAN, NAN), [3], [])
    assert (stride.landing_pitch_deg, stride.swing_shortfall_deg) == (None, None)
    assert verdict(stride) is None


def test_a_step_is_judged_as_soon_as_its_stride_is_complete() -> None:
    meter = StrideMeter()
    meter.take_tick(TickAngles(0, 10.0, NAN, NAN, False), [GaitEvent("initial_contact", 0, 0)])
    end_ns = 1_000_000_000
    meter.take_tick(TickAngles(end_ns - 1, 12.0, NAN, 14.0, True), [])
    contact = GaitEvent("initial_contact", end_ns, end_ns)
    assert meter.take_tick(TickAngles(end_ns, 13.0, NAN, NAN, False), [contact]) == []
    (stride,) = meter.take_tick(TickAngles(end_ns + SETTLED_NS, 0.0, NAN, NAN, False), [])
    assert verdict(stride) == "lifted"
