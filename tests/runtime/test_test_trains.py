"""Test trains: one small step at a time, only on a leg that stands, always with an end."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from controller.core.output.test_train import Probe, train_s
from controller.core.signals import ProbeRequest, TickInputs
from controller.runtime.test_trains import FIRST_MAX_MA, HOLD_MAX_S, FootTurn, ProbeWish, Probing
from controller.simulation.closed_loop import TICK_S, Rehearsal
from models.patient import VirtualPatient
from tests.core.control.numbers import params

PARAMS = params("feedback")
S = 1_000_000_000


def given(probing: Probing, probe: Probe, current_ma: float, *, guard_gave: bool = True) -> None:
    """A train from wish to end."""
    probing.ask(ProbeWish(current_ma), PARAMS, probe)
    request = probing.take()
    assert request is not None
    probe.ask(0, request)
    probe.wanted_ma(round(train_s(request.hold_s) * S) + 1, hindered="")
    probing.note(probe, None, guard_gave=guard_gave)


def test_a_train_rises_holds_falls_and_ends() -> None:
    probe = Probe()
    probe.ask(0, ProbeRequest(1, 10.0))
    shape = [probe.wanted_ma(round(t * S), hindered="") for t in (0.0, 0.25, 0.5, 1.5, 1.6, 1.7)]
    assert shape == pytest.approx([0.0, 5.0, 10.0, 10.0, 5.0, None])
    assert probe.ended == "given"
    assert probe.wanted_ma(2 * S, hindered="") is None


def test_a_leg_that_begins_to_walk_ends_the_train_for_good() -> None:
    probe = Probe()
    probe.ask(0, ProbeRequest(1, 10.0))
    assert probe.wanted_ma(S, hindered="the leg is not standing still") is None
    assert probe.wanted_ma(S, hindered="") is None
    assert probe.ended == "the leg is not standing still"


def test_what_follows_a_whole_train_may_be_its_answer_and_a_walking_legs_steps_count_at_once() -> None:
    for hindered, answers in (("", True), ("the leg is not standing still", False)):
        probe = Probe()
        probe.ask(0, ProbeRequest(1, 10.0))
        probe.watch(round(1.6 * S), None)
        assert probe.answers(round(1.6 * S))
        assert probe.wanted_ma(round(1.8 * S), hindered=hindered) is None
        assert probe.answers(round(1.9 * S)) == answers
        assert not probe.answers(round(3.2 * S))


def test_the_search_goes_up_by_one_step_above_what_was_given() -> None:
    probing, probe = Probing(), Probe()
    for wrong in (FIRST_MAX_MA + 0.5, -1.0, math.nan, math.inf):
        probing.ask(ProbeWish(wrong), PARAMS, probe)
        assert probing.take() is None
        assert "allowed: above 0, to 6" in probing.told(PARAMS, probe).refused
    given(probing, probe, 6.0)
    assert probing.told(PARAMS, probe).next_max_ma == 8.0
    given(probing, probe, 8.0, guard_gave=False)  # blocked by the guard: nobody felt it
    assert probing.told(PARAMS, probe).next_max_ma == 8.0
    probing.ask(ProbeWish(8.0, felt=True), PARAMS, probe)  # refused: what is felt rises by less
    assert "allowed: above 0, to 7" in probing.told(PARAMS, probe).refused
    probing.ask(ProbeWish(0.0), PARAMS, probe)
    assert probing.told(PARAMS, probe).next_max_ma == 7.0  # and stays so


def test_no_train_while_one_runs_and_zero_ends_it() -> None:
    probing, probe = Probing(), Probe()
    probing.ask(ProbeWish(4.0), PARAMS, probe)
    request = probing.take()
    assert request is not None
    probe.ask(0, request)
    probing.ask(ProbeWish(4.0), PARAMS, probe)
    assert probing.told(PARAMS, probe).refused == "a train is running"
    probing.ask(ProbeWish(0.0), PARAMS, probe)
    stop = probing.take()
    assert stop is not None
    probe.ask(S, stop)
    assert probe.wanted_ma(S, hindered="") is None
    assert probe.ended == "stopped"


def test_the_core_gives_the_train_to_a_standing_leg_within_its_rise_limits_and_none_to_a_walking_one() -> (
    None
):
    walk = Rehearsal(PARAMS, VirtualPatient())
    walk.walk(2.0)  # stands for 4 s
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), probe=ProbeRequest(1, 12.0)))
    walk.walk(3.95)
    currents = [point.current_ma or 0.0 for point in walk.trace]
    assert max(currents) == 12.0
    assert max(b - a for a, b in pairwise(currents)) <= PARAMS.pulse.rise_ma_per_tick
    assert walk.core.output.test_train.ended == "given"
    assert walk.trace[-1].decision.command.channels == (None,)
    walk.walk(7.0)
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), probe=ProbeRequest(2, 12.0)))
    assert walk.core.output.test_train.ended == "the leg is not standing still"


def test_up_to_what_a_person_has_accepted_no_search_is_needed_and_never_beyond_the_sessions_most() -> None:
    for accepted_ma, most_ma in ((20.0, 22.0), (math.inf, FIRST_MAX_MA), (math.nan, FIRST_MAX_MA)):
        probing, probe = Probing(), Probe()
        probing.ask(ProbeWish(0.0, accepted_ma=accepted_ma), PARAMS, probe)
        assert probing.told(PARAMS, probe).next_max_ma == most_ma
    probing.ask(ProbeWish(0.0, accepted_ma=1e6), PARAMS, probe)
    assert probing.told(PARAMS, probe).next_max_ma == PARAMS.pulse.current_max_ma


@pytest.mark.parametrize("hold_s", [0.0, -1.0, HOLD_MAX_S + 0.01, math.inf, math.nan])
def test_a_train_is_held_for_no_longer_than_the_guard_lets_it(hold_s: float) -> None:
    probing, probe = Probing(), Probe()
    probing.ask(ProbeWish(4.0, hold_s=hold_s), PARAMS, probe)
    assert probing.take() is None
    assert "hold_s" in probing.told(PARAMS, probe).refused
    probing.ask(ProbeWish(4.0, hold_s=HOLD_MAX_S), PARAMS, probe)
    request = probing.take()
    assert request is not None
    probe.ask(0, request)
    assert probe.wanted_ma(round(2.3 * S), hindered="") == 4.0
    assert probe.wanted_ma(round(2.5 * S), hindered="") is None


def test_how_the_foot_turned_is_that_of_its_highest_and_told_once_the_train_is_over() -> None:
    probing, probe = Probing(), Probe()
    probing.note(probe, (9.0, 9.0), guard_gave=True)
    probing.ask(ProbeWish(5.0), PARAMS, probe)
    request = probing.take()
    assert request is not None
    probe.ask(0, request)
    for up_deg, inward_deg in ((-40.0, 2.0), (-35.0, 4.0), (-28.0, -6.0), (-39.0, 2.0)):
        probing.note(probe, (math.radians(up_deg), math.radians(inward_deg)), guard_gave=True)
        assert probing.told(PARAMS, probe).turned is None
    probe.ask(1, ProbeRequest(2, 0.0))
    probing.note(probe, (0.0, 0.0), guard_gave=True)
    assert probing.told(PARAMS, probe).turned == FootTurn(12.0, -8.0)


def test_a_foot_that_no_sensor_sees_has_not_turned() -> None:
    probing, probe = Probing(), Probe()
    probing.ask(ProbeWish(5.0), PARAMS, probe)
    request = probing.take()
    assert request is not None
    probe.ask(0, request)
    probing.note(probe, None, guard_gave=True)
    probing.note(probe, (0.1, 0.1), guard_gave=True)
    probe.ask(1, ProbeRequest(2, 0.0))
    assert probing.told(PARAMS, probe).turned is None
