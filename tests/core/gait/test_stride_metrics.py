"""Stride figures from events and angles: closed-form values, and nothing from a stride with a missing
event.
"""

from __future__ import annotations

import pytest

from controller.core.signals import EventKind, GaitEvent
from controller.core.stride_metrics import StrideMeter, spread, symmetry_index_percent


def event(kind: EventKind, t_s: float) -> GaitEvent:
    return GaitEvent(kind, round(t_s * 1e9), round(t_s * 1e9))


def test_a_stride_has_its_times_and_angles() -> None:
    meter = StrideMeter()
    assert meter.note(event("initial_contact", 1.0)) is None
    meter.angles(30.0, 20.0)
    meter.note(event("toe_off", 1.75))
    for pitch, ankle in ((-50.0, -12.0), (12.0, 3.0), (8.0, -2.0)):
        meter.angles(pitch, ankle)
    stride = meter.note(event("initial_contact", 2.2))
    assert stride is not None
    assert (stride.stride_s, stride.stance_s, stride.swing_s) == pytest.approx((1.2, 0.75, 0.45))
    assert stride.cadence_spm == pytest.approx(100.0)
    assert (stride.contact_pitch_deg, stride.contact_ankle_deg) == (8.0, -2.0)
    assert (stride.peak_swing_pitch_deg, stride.peak_swing_ankle_deg) == (12.0, 3.0)


def test_angles_nobody_measured_stay_absent() -> None:
    meter = StrideMeter()
    meter.note(event("initial_contact", 1.0))
    meter.note(event("toe_off", 1.7))
    meter.angles(5.0, None)
    stride = meter.note(event("initial_contact", 2.1))
    assert stride is not None
    assert stride.contact_ankle_deg is None
    assert stride.peak_swing_ankle_deg is None
    assert stride.peak_swing_pitch_deg == 5.0


@pytest.mark.parametrize("end_s", [1.49, 5.01])
def test_contacts_too_close_or_too_far_apart_are_no_stride(end_s: float) -> None:
    meter = StrideMeter()
    meter.note(event("initial_contact", 1.0))
    meter.note(event("toe_off", 1.3))
    assert meter.note(event("initial_contact", end_s)) is None


def test_a_stride_without_toe_off_is_left_out_and_the_next_one_counts() -> None:
    meter = StrideMeter()
    meter.note(event("initial_contact", 1.0))
    assert meter.note(event("initial_contact", 2.0)) is None
    meter.note(event("toe_off", 2.6))
    assert meter.note(event("initial_contact", 3.0)) is not None


def test_variability_is_the_sample_deviation_over_the_mean() -> None:
    found = spread([1.0, 1.2])
    assert found is not None
    assert found.mean == pytest.approx(1.1)
    assert found.cv == pytest.approx(0.141421356 / 1.1)
    assert spread([1.0]) is None
    assert spread([1.0, -1.0]) is None


def test_symmetry_is_zero_for_equal_legs_and_signed() -> None:
    assert symmetry_index_percent(0.4, 0.4) == 0.0
    assert symmetry_index_percent(0.3, 0.5) == pytest.approx(-50.0)
    assert symmetry_index_percent(0.0, 0.0) is None
