"""Stride timing: what is learned from events, and what is not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from controller.core.gait.event_timing import StrideTiming
from controller.core.signals import EventKind, GaitEvent

S = 1_000_000_000


def note(timing: StrideTiming, kind: EventKind, at_s: float) -> None:
    timing.note(GaitEvent(kind, int(at_s * S), int(at_s * S)))


def walked(
    stride_s: float, strides: int, timing: StrideTiming | None = None, start_s: float = 0.0
) -> StrideTiming:
    timing = timing or StrideTiming(60.0)
    for n in range(strides):
        at = start_s + n * stride_s
        note(timing, "initial_contact", at)
        note(timing, "heel_off", at + 0.45 * stride_s)
        note(timing, "toe_off", at + 0.6 * stride_s)
    note(timing, "initial_contact", start_s + strides * stride_s)
    return timing


def test_before_the_first_event_there_is_no_phase() -> None:
    assert StrideTiming(60.0).percent_at(5 * S) is None


def test_durations_are_learned_from_the_events() -> None:
    timing = walked(1.5, 3)
    assert (timing.stride_s, timing.swing_s, timing.pre_swing_s) == pytest.approx((1.5, 0.6, 0.225))
    assert timing.strides == 4


def test_the_heel_is_due_once_a_stance_was_seen_and_not_by_a_step_off_from_standing() -> None:
    timing = StrideTiming(60.0)
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
    timing = StrideTiming(60.0)
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
    at = [timing.percent_at(int((5.4 + s) * S)) for s in (0.0, 0.3, 0.6, 0.9)]
    assert at == pytest.approx([60.0, 80.0, 100.0, 100.0], abs=1e-6)


def test_after_heel_off_the_expected_toe_off_leads_the_phase() -> None:
    timing = walked(1.5, 3)
    note(timing, "heel_off", 4.5 + 0.675)
    due_s = 4.5 + 0.675 + 0.225
    assert timing.percent_at(int(due_s * S)) == pytest.approx(60.0, abs=1e-6)
    before = timing.percent_at(int((due_s - 0.1) * S))
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
    values = [timing.percent_at(int(4.7 * S) + ms * 1_000_000) for ms in range(1500)]
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(values))
