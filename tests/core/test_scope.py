"""What may be asked for: nothing in mode off, trains alone where told, and more only with a new window."""

from __future__ import annotations

from typing import get_args

import pytest

from controller.core.signals import GaitMode, Mode, ProbeRequest, Purpose, Scope, TickInputs
from controller.simulation.closed_loop import TICK_S, Rehearsal
from models.gait import Activity
from models.patient import VirtualPatient
from tests.core.control.numbers import params

WALKED_S = 12.0


def lived(walk: Rehearsal, until_s: float, scope: Scope = "walk", mode: Mode | None = None) -> None:
    while walk.ticks * TICK_S < until_s:
        imu = walk.arrivals(walk.ticks * TICK_S)
        walk.tick(TickInputs(imu=imu, scope=scope, mode=mode))
        mode = None


def currents(walk: Rehearsal, since_s: float) -> list[float]:
    return [point.current_ma or 0.0 for point in walk.trace if point.time_s >= since_s]


def purposes(walk: Rehearsal) -> set[Purpose]:
    return {point.decision.purpose for point in walk.trace}


@pytest.mark.parametrize("mode", get_args(GaitMode))
def test_a_mode_has_its_purpose_and_off_sends_nothing(mode: Mode) -> None:
    walk = Rehearsal(params(mode), VirtualPatient())
    walk.walk(WALKED_S)
    purpose = {"off": "off", "trapezoid": "open_loop"}.get(mode, "feedback")
    assert purposes(walk) == {purpose}
    assert any(currents(walk, 0.0)) == (mode != "off")


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_off_sends_nothing_from_the_tick_it_begins(mode: Mode) -> None:
    walk = Rehearsal(params(mode), VirtualPatient())
    walk.walk(WALKED_S)
    lived(walk, 20.0, mode="off")
    off = [point for point in walk.trace if point.decision.purpose == "off"]
    assert off
    assert off == walk.trace[-len(off) :]
    assert all(channel is None for point in off for channel in point.decision.command.channels)


def test_no_test_train_in_mode_off_and_one_that_runs_ends() -> None:
    walk = Rehearsal(params("off"), VirtualPatient())
    walk.walk(2.0)  # stands for 4 s
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), probe=ProbeRequest(1, 12.0)))
    walk.walk(3.9)
    assert walk.core.output.test_train.ended == "the mode is off"
    assert not any(currents(walk, 0.0))
    walk = Rehearsal(params("feedback"), VirtualPatient())
    walk.walk(2.0)
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), probe=ProbeRequest(1, 12.0)))
    walk.walk(2.6)
    assert walk.trace[-1].decision.purpose == "test_train"
    assert currents(walk, 2.5)[-1] > 0.0
    lived(walk, 3.9, mode="off")
    assert walk.core.output.test_train.ended == "the mode is off"
    assert not any(currents(walk, 2.6))


def test_where_trains_alone_are_allowed_walking_gives_nothing_and_standing_gives_the_train() -> None:
    walk = Rehearsal(params("feedback"), VirtualPatient())
    lived(walk, 2.0, "tests")
    imu = walk.arrivals(walk.ticks * TICK_S)
    walk.tick(TickInputs(imu=imu, scope="tests", probe=ProbeRequest(1, 12.0)))
    lived(walk, 3.95, "tests")
    assert max(currents(walk, 0.0)) == 12.0
    assert walk.core.output.test_train.ended == "given"
    assert purposes(walk) == {"test_train", "feedback"}
    lived(walk, WALKED_S, "tests")
    assert walk.core.gait.clock.strides > 3  # the walk is followed
    assert not any(currents(walk, 3.95))


def test_where_nothing_is_allowed_no_train_is_given_either() -> None:
    walk = Rehearsal(params("trapezoid"), VirtualPatient())
    walk.walk(2.0)
    imu = walk.arrivals(walk.ticks * TICK_S)
    walk.tick(TickInputs(imu=imu, scope="nothing", probe=ProbeRequest(1, 12.0)))
    lived(walk, WALKED_S, "nothing")
    assert walk.core.output.test_train.ended == "nothing may be given now"
    assert not any(currents(walk, 0.0))


@pytest.mark.parametrize("part", ["pre_swing", "swing", "extension", "falling", "closed"])
def test_a_wider_scope_begins_with_the_next_window_and_a_narrower_one_at_once(part: str) -> None:
    walk = Rehearsal(params("trapezoid"), VirtualPatient())
    lived(walk, WALKED_S, "tests")
    while walk.core.output.window.state != part:
        lived(walk, walk.ticks * TICK_S + TICK_S / 2, "tests")
    widened_s, current_ma = walk.ticks * TICK_S, 0.0
    while current_ma == 0.0:
        was = walk.core.output.window.state
        lived(walk, walk.ticks * TICK_S + TICK_S / 2)
        current_ma = currents(walk, 0.0)[-1]
        assert current_ma == 0.0 or was != part or part in ("closed", "pre_swing")
        assert walk.ticks * TICK_S < widened_s + 3.0
    assert walk.trace[-1].decision.reason.startswith("pre-swing")  # where a window opens
    while not walk.core.gait.clock.swinging:
        lived(walk, walk.ticks * TICK_S + TICK_S / 2)
    begin_s = walk.ticks * TICK_S
    lived(walk, begin_s + 0.1, "nothing")
    assert not any(currents(walk, begin_s))


def test_a_stride_that_was_not_given_teaches_nothing() -> None:
    walk = Rehearsal(params("learning"), VirtualPatient())
    walk.walk(WALKED_S)
    learned = walk.core.laws.strides.learner.learned
    assert learned > 1
    lived(walk, WALKED_S + 5.0, "tests")
    assert walk.core.laws.strides.learner.learned - learned <= 1  # the swing that had ended before
    assert walk.trace[-1].decision.view.not_learned


def test_a_hanging_foot_that_answers_a_train_is_no_step_and_a_shank_that_turns_is_one() -> None:
    plan = (Activity("stand", 4.0), Activity("walk", 6.0), Activity("hang", 1e4))
    sits = Rehearsal(params("trapezoid"), VirtualPatient(schedule=plan))
    lived(sits, 10.0)
    lived(sits, 24.0, "tests")
    for number, current_ma in enumerate((24.0, 36.0), 1):
        imu = sits.arrivals(sits.ticks * TICK_S)
        before_deg = sits.patient.truth().foot_pitch_deg
        sits.tick(TickInputs(imu=imu, scope="tests", probe=ProbeRequest(number, current_ma)))
        lived(sits, sits.ticks * TICK_S + 1.4, "tests")
        assert sits.patient.truth().foot_pitch_deg - before_deg > 8.0  # by far a swing's turn
        lived(sits, sits.ticks * TICK_S + 1.6, "tests")
        assert sits.core.output.test_train.ended == "given"
        assert sits.core.output.window.state == "closed"
    sits.tick(TickInputs(imu=sits.arrivals(sits.ticks * TICK_S), scope="tests", probe=ProbeRequest(3, 24.0)))
    lived(sits, sits.ticks * TICK_S + 0.2, "tests")
    sits.patient.turn_to("walk")
    lived(sits, sits.ticks * TICK_S + 1.2, "tests")
    assert sits.core.output.test_train.ended == "the leg is not standing still"
    assert sits.trace[-1].decision.command.channels == (None,)
