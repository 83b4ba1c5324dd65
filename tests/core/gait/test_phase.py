"""The stride clock: bounded phase, predictions, and no walking after a stop or in silence."""

from __future__ import annotations

import pytest

from benchmarks.gait import Leg, hemiparetic
from controller.core.gait import GaitDetector
from controller.core.gait.phase import StrideClock
from controller.core.signals import EventKind, GaitEvent
from tests.data import DATA, needs_data

LEG = next(hemiparetic()) if DATA.is_dir() else None


def event(kind: EventKind, t_s: float) -> GaitEvent:
    return GaitEvent(kind, round(t_s * 1e9), round(t_s * 1e9))


def clock_after(strides: int, stride_s: float = 1.2) -> StrideClock:
    clock = StrideClock()
    for i in range(strides + 1):
        clock.event(event("initial_contact", i * stride_s), ahead=True)
        if i < strides:
            clock.event(event("toe_off", (i + 0.65) * stride_s), ahead=True)
    clock.sample_ns = round(strides * stride_s * 1e9)
    return clock


def test_nothing_is_claimed_before_the_first_stride() -> None:
    phase = GaitDetector("shank", "left").tick(10**9)
    assert not phase.walking
    assert not phase.in_swing
    assert phase.phase_percent is None
    assert phase.next_initial_contact_ns is None
    assert phase.confidence == 0.0


def test_the_next_events_are_predicted_from_the_last_strides() -> None:
    phase = clock_after(6).at(round(7.2e9) + 1)
    assert phase.stride_s == pytest.approx(1.2)
    assert phase.next_initial_contact_ns == pytest.approx(8.4e9)
    assert phase.next_toe_off_ns == pytest.approx(7.2e9 + 0.65 * 1.2e9, abs=0.01e9)
    assert phase.uncertainty_ns is not None
    assert 0 < phase.uncertainty_ns < 0.1e9


def test_phase_waits_for_an_event_that_has_not_come() -> None:
    clock = clock_after(6)
    for late_s in (0.9, 1.2, 1.5):
        now_ns = round((7.2 + late_s) * 1e9)
        clock.sample_ns = now_ns
        percent = clock.at(now_ns).phase_percent
        assert percent is not None
        assert percent <= 65.5
    clock.event(event("toe_off", 8.8), ahead=True)
    clock.sample_ns = round(12.0e9)
    assert clock.at(round(12.0e9)).phase_percent == 100.0


def test_two_contacts_far_apart_are_no_stride() -> None:
    clock = clock_after(3)
    clock.event(event("initial_contact", 60.0), ahead=True)
    assert clock.stride_s == pytest.approx(1.2)


def test_a_changed_pace_is_known_after_two_strides() -> None:
    clock = clock_after(6)
    for i in range(1, 4):
        clock.event(event("initial_contact", 7.2 + 0.9 * i), ahead=True)
    assert clock.stride_s == pytest.approx(0.9, abs=0.1)


def walk_until_mid_swing(leg: Leg, after_s: float) -> tuple[GaitDetector, int]:
    detector = GaitDetector(leg.segment, leg.side)
    swing_ns = 0
    for i, t_s in enumerate(leg.time_s):
        t_ns = round(t_s * 1e9)
        events = detector.update(t_ns, tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist()))
        if t_s > after_s and any(event.kind == "toe_off" for event in events):
            swing_ns = t_ns
        if swing_ns and t_ns - swing_ns > 120_000_000 and detector.tick(t_ns).in_swing:
            return detector, t_ns
    raise AssertionError("no swing in the recording")


@needs_data
@pytest.mark.parametrize("after_s", [4.0, 5.5, 7.0, 14.0, 24.0])
def test_swing_ends_within_300_ms_of_a_stop_in_mid_swing_and_walking_soon_after(after_s: float) -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, after_s)
    assert detector.tick(t_ns).walking
    gravity = tuple(LEG.acc_mps2[0].tolist())  # standing
    for i in range(1, 300):
        now_ns = t_ns + i * 7_812_500  # 128 Hz
        detector.update(now_ns, gravity, (0.0, 0.0, 0.0))
        if now_ns - t_ns > 300_000_000:
            assert not detector.tick(now_ns).in_swing
    assert not detector.tick(now_ns).walking


@needs_data
def test_silence_ends_walking() -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, 5.0)
    assert detector.tick(t_ns + 299_000_000).walking
    assert not detector.tick(t_ns + 301_000_000).walking


@needs_data
def test_samples_out_of_order_change_nothing() -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, 5.0)
    before = detector.tick(t_ns)
    assert detector.update(t_ns, (0.0, 0.0, 0.0), (50.0, 0.0, 0.0)) == []
    assert detector.update(t_ns - 10**9, (0.0, 0.0, 0.0), (50.0, 0.0, 0.0)) == []
    assert detector.tick(t_ns) == before
