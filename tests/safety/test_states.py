"""All states times all events."""

from __future__ import annotations

import pytest

from controller.safety.judgement.states import Event, Stage, State, transition

OFF, ARMED, ACTIVE = State(), State(Stage.ARMED), State(Stage.ACTIVE)
SOFT = State(Stage.RAMP)  # ends in OFF
HURT = State(Stage.RAMP, "F1", "silent")  # ends in TRIPPED
TRIPPED = State(Stage.TRIPPED, "F1", "silent")
LATER = State(Stage.TRIPPED, "F4", "hung")

CONTACT = State(Stage.CONTACT)

TABLE: dict[State, dict[Event, State]] = {
    OFF: {Event.TEST: CONTACT, Event.ARM: ARMED, Event.TRIP: LATER},
    CONTACT: {Event.ARM: ARMED, Event.OPEN: OFF, Event.RAMP_DOWN: LATER, Event.TRIP: LATER},
    ARMED: {Event.TEST: CONTACT, Event.OUTPUT: ACTIVE, Event.RAMP_DOWN: LATER, Event.TRIP: LATER},
    ACTIVE: {Event.RAMP_DOWN: State(Stage.RAMP, "F4", "hung"), Event.TRIP: LATER},
    SOFT: {Event.RAMP_DOWN: State(Stage.RAMP, "F4", "hung"), Event.RAMP_DONE: OFF, Event.TRIP: LATER},
    HURT: {Event.RAMP_DONE: TRIPPED, Event.TRIP: TRIPPED},
    TRIPPED: {Event.ACKNOWLEDGE: OFF},
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", TABLE)
def test_every_state_answers_every_event_as_the_table_says(state: State, event: Event) -> None:
    assert transition(state, event, "F4", "hung") == TABLE[state].get(event, state)


@pytest.mark.parametrize("event", set(Event) - {Event.TRIP})
@pytest.mark.parametrize("state", TABLE)
def test_without_a_fault_only_a_trip_is_an_error(state: State, event: Event) -> None:
    expected = {
        (CONTACT, Event.RAMP_DOWN): OFF,
        (ARMED, Event.RAMP_DOWN): OFF,
        (ACTIVE, Event.RAMP_DOWN): SOFT,
        (SOFT, Event.RAMP_DOWN): SOFT,
    }
    assert transition(state, event) == expected.get((state, event), TABLE[state].get(event, state))


@pytest.mark.parametrize("state", TABLE)
def test_a_trip_without_a_cause_is_refused(state: State) -> None:
    with pytest.raises(ValueError, match="fault id"):
        transition(state, Event.TRIP)


@pytest.mark.parametrize("first", TABLE)
@pytest.mark.parametrize("event", set(Event) - {Event.ACKNOWLEDGE})
def test_only_an_acknowledgement_leaves_a_trip(first: State, event: Event) -> None:
    tripped = transition(first, Event.TRIP, "F9", "first")
    assert transition(tripped, event, "F4", "later") == tripped


def test_pulses_may_leave_only_in_the_contact_test_armed_active_and_in_the_ramp() -> None:
    expected = [Stage.CONTACT, Stage.ARMED, Stage.ACTIVE, Stage.RAMP]
    assert [stage for stage in Stage if State(stage).may_pulse] == expected


def test_the_guard_begins_off() -> None:
    assert State() == State(Stage.OFF, None, "")
