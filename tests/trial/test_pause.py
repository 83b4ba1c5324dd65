"""A pause is mode off until a person goes on, and the guard ends it; how far a schedule is."""

from __future__ import annotations

from controller.core.signals import Mode
from controller.simulation.closed_loop import Rehearsal, with_mode
from controller.trial.course import Course
from controller.trial.schedule import ArmPlan, Progress, Schedule
from models.patient import VirtualPatient
from tests.core.control.numbers import params

S = 1_000_000_000


def armed(arms: tuple[ArmPlan, ...] = (), mode: Mode = "trapezoid") -> Course:
    course = Course(arms, mode)
    course.hear("active", "walk", unlocked=True, measured=True)
    return course


def test_a_pause_asks_for_off_and_going_on_for_the_arms_mode_with_all_it_learned() -> None:
    course = armed(mode="learning")
    assert course.ask() == (None, False)
    assert course.pause(paused=True) == ""
    assert course.ask() == ("off", False)
    assert course.ask() == (None, False)
    assert course.pause(paused=False) == ""
    assert course.ask() == ("learning", False)


def test_what_is_not_armed_for_walking_cannot_be_paused() -> None:
    course = Course((), "trapezoid")
    assert course.pause(paused=True) == "not armed for walking"
    course.hear("armed", "tests", unlocked=True, measured=True)
    assert course.pause(paused=True) == "not armed for walking"
    assert not course.paused


def test_stop_ends_a_pause() -> None:
    course = armed()
    course.pause(paused=True)
    course.follow(S, 3, switching=False)
    assert course.paused
    course.guard_state = "tripped"
    course.follow(2 * S, 3, switching=False)
    assert not course.paused


def test_nothing_counts_towards_an_arms_length_while_it_is_paused() -> None:
    course = armed((ArmPlan("trapezoid", strides=3, wash_out_strides=1),))
    course.ask()
    for strides in range(4):
        course.follow(strides * S, strides, switching=False)
    assert course.schedule.progress(4 * S, 3) == Progress(1, 1, 0, 2, None)
    course.pause(paused=True)
    for strides in range(4, 20):
        assert not course.follow(strides * S, strides, switching=False).over
    assert course.schedule.progress(20 * S, 19) == Progress(1, 1, 1, 3, None)


def test_the_current_of_a_step_ends_as_it_would_and_the_next_one_gets_none() -> None:
    """The pulses of the step in which a person pauses are those of a walk without the pause."""
    walks = [Rehearsal(with_mode(params("trapezoid"), "trapezoid"), VirtualPatient()) for _ in range(2)]
    for walk in walks:
        walk.walk(8.0)
        while walk.core.output.window.state != "swing":
            walk.walk((walk.ticks + 1) * 0.005)
    plain, paused = walks
    begun = paused.ticks
    paused.core._wanted_mode = "off"  # as a tick's inputs ask for it
    for walk in walks:
        walk.walk(12.0)
    closed = next(i for i in range(begun, paused.ticks) if paused.trace[i].decision.view.mode == "off")
    for before, after in zip(plain.trace[begun:closed], paused.trace[begun:closed], strict=True):
        assert before.current_ma == after.current_ma
    assert all(point.current_ma is None for point in paused.trace[closed:])
    assert any(point.current_ma for point in plain.trace[closed:])


def test_progress_tells_the_arm_what_is_left_of_it_and_its_wash_out() -> None:
    arms = (ArmPlan("off", strides=4, wash_out_strides=2), ArmPlan("learning", seconds=10.0))
    schedule = Schedule(arms)
    assert schedule.progress(0, 0) is None
    schedule.follow(0, 0, able=True, switching=False)
    assert schedule.progress(0, 0) == Progress(1, 2, 2, 4, None)
    assert schedule.progress(2 * S, 2) == Progress(1, 2, 1, 4, None)
    assert schedule.progress(4 * S, 4) == Progress(1, 2, 0, 3, None)
    schedule.follow(7 * S, 7, able=True, switching=False)
    schedule.follow(7 * S, 7, able=True, switching=False)
    assert schedule.progress(7 * S, 7) == Progress(2, 2, 0, None, 10.0)
    schedule.follow(8 * S, 8, able=True, switching=False)
    assert schedule.progress(11 * S, 10) == Progress(2, 2, 0, None, 7.0)
