"""Stride timing: what is learned from events, and what is not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from controller.core.gait.stride_clock import StrideClock
from controller.core.signals import EventKind, GaitEvent

S = 1_000_000_000


def note(timing: StrideClock, kind: EventKind, at_s: float) -> None:
    timing.note(GaitEvent(kind, int(at_s * S), int(at_s * S)))


def walked(
    stride_s: float, strides: int, timing: StrideClock | None = None, start_s: float = 0.0
) -> StrideClock:
    timing = timing or StrideClock(60.0)
    for n in range(strides):
        at = start_s + n * stride_s
        note(timing, "initial_contact", at)
        note(timing, "heel_off", at + 0.45 * stride_s)
        note(timing, "toe_off", at + 0.6 * stride_s)
    note(timing, "initial_contact", start_s + strides * stride_s)
    return timing


def test_before_the_first_event_there_is_no_phase() -> None:
    assert StrideClock(60.0).phase().percent_at(5 * S) is None


def test_durations_are_learned_from_the_events() -> None:
    timing = walked(1.5, 3)
    assert (timing.stride_s, timing.swing_s, timing.pre_swing_s) == pytest.approx((1.5, 0.6, 0.225))
    assert timing.strides == 4


def test_the_heel_is_due_once_a_stance_was_seen_and_not_by_a_step_off_from_standing() -> None:
    timing = StrideClock(60.0)
    note(timing, "heel_off", 0.2)
    note(timing, "toe_off", 0.5)
    note(timing, "initial_contact", 1.0)
    assert timing.heel_off_due_ns is None
    note(timing, "heel_off", 1.6)
    note(timing, "toe_off", 1.9)
    note(timing, "initial_contact", 2.5)
    assert timing.heel_off_due_ns == 2.5 * S + 0.6 * S


def test_one_odd_stride_does_not_move_the_expectation() -> None:
    timing = walked(1.5, 4)
    note(timing, "toe_off", 6.9)
    note(timing, "initial_contact", 7.1)
    assert timing.swing_s == pytest.approx(0.6)


@pytest.mark.parametrize(("swing_s", "learned"), [(0.19, False), (0.2, True), (1.2, True), (1.21, False)])
def test_only_durations_of_steps_are_learned(swing_s: float, learned: bool) -> None:
    timing = StrideClock(60.0)
    note(timing, "toe_off", 1.0)
    note(timing, "initial_contact", 1.0 + swing_s)
    assert timing.swing_s == pytest.approx(swing_s if learned else 0.5)


def test_two_strides_of_another_speed_replace_the_memory() -> None:
    timing = walked(1.5, 5)
    walked(1.1, 2, timing, start_s=8.0)
    assert timing.swing_s == pytest.approx(0.44)


def test_phase_runs_from_toe_off_to_contact_and_is_held_there() -> None:
    timing = walked(1.5, 3)
    note(timing, "heel_off", 4.5 + 0.675)
    note(timing, "toe_off", 4.5 + 0.9)
    at = [timing.phase().command_percent_at(int((5.4 + s) * S)) for s in (0.0, 0.3, 0.6, 0.9)]
    assert at == pytest.approx([60.0, 80.0, 100.0, 100.0], abs=1e-6)


def test_after_heel_off_the_expected_toe_off_leads_the_phase() -> None:
    timing = walked(1.5, 3)
    note(timing, "heel_off", 4.5 + 0.675)
    due_s = 4.5 + 0.675 + 0.225
    assert timing.phase().command_percent_at(int(due_s * S)) == pytest.approx(60.0, abs=1e-6)
    before = timing.phase().command_percent_at(int((due_s - 0.1) * S))
    assert before is not None
    assert 50.0 < before < 60.0


def test_a_longer_stance_announces_a_longer_swing_for_this_stride_alone() -> None:
    timing = walked(1.5, 4)
    note(timing, "heel_off", 6.0 + 0.7)
    note(timing, "toe_off", 6.0 + 0.99)  # stance 10 % longer
    assert timing.swing_s == pytest.approx(0.6 * 1.07)
    note(timing, "initial_contact", 7.64)
    assert timing.swing_s == pytest.approx(0.6)


def test_phase_never_runs_backwards_within_a_swing() -> None:
    timing = walked(1.3, 3)
    note(timing, "toe_off", 4.7)
    values = [timing.phase().command_percent_at(int(4.7 * S) + ms * 1_000_000) for ms in range(1500)]
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(values))


def test_the_phase_waits_for_an_event_that_has_not_come() -> None:
    timing = walked(1.2, 6)
    for late_s in (0.6, 0.9, 1.5):  # the heel came off after 0.54 s in every stride
        assert timing.phase().percent_at(int((7.2 + late_s) * S)) == pytest.approx(45.0)
    note(timing, "toe_off", 8.8)
    assert timing.phase().percent_at(12 * S) == 100.0


def test_the_phase_is_0_at_contact_and_the_command_goes_on_through_loading() -> None:
    timing = walked(1.5, 3)
    for since_s in (0.0, 0.15, 0.3):
        at_ns = int((4.5 + since_s) * S)
        assert timing.phase().percent_at(at_ns) == pytest.approx(100.0 * since_s / 1.5)
        assert timing.phase().command_percent_at(at_ns) == 100.0


def test_the_phase_is_off_by_no_more_than_the_stride_has_changed_and_less_two_strides_later() -> None:
    for change in (0.75, 1.3):
        timing, start_s = walked(1.2, 6), 7.2
        for stride in range(4):
            worst = 0.0
            for percent in range(1, 100):
                t_s = start_s + 1.2 * change * percent / 100.0
                if percent in (45, 60):
                    note(timing, "heel_off" if percent == 45 else "toe_off", t_s)
                found = timing.phase().percent_at(int(t_s * S))
                assert found is not None
                worst = max(worst, abs(found - percent))
            start_s += 1.2 * change
            note(timing, "initial_contact", start_s)
            assert worst <= 100.0 * abs(1.0 - change) * (1.0, 1.0, 0.5, 0.35)[stride]
