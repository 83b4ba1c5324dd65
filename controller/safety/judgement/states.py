"""The guard's states and the one function that moves between them.

Trips latch and keep their first cause; only a person's acknowledgement leaves TRIPPED, and only to OFF.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """OFF and ARMED let nothing out; ACTIVE lets judged pulses out; RAMP lets ever smaller ones out.

    CONTACT lets out the guard's own few pulses that test the electrodes, and nothing of the controller's.
    """

    OFF = "off"
    CONTACT = "contact test"
    ARMED = "armed"
    ACTIVE = "active"
    RAMP = "ramp"
    TRIPPED = "tripped"


class Event(Enum):
    """What can happen to the guard; whether it may happen is decided before it is raised."""

    TEST = "test"  # every condition of arming holds but the electrodes' contact
    OPEN = "open"  # an electrode has no contact, or could not be tested
    ARM = "arm"  # every condition of arming holds
    OUTPUT = "output"  # a frame asks for current and was let through
    RAMP_DOWN = "ramp down"  # a soft stop begins
    RAMP_DONE = "ramp done"
    TRIP = "trip"  # a fault that wants zero at once
    ACKNOWLEDGE = "acknowledge"  # a person has read the cause


@dataclass(frozen=True, slots=True)
class State:
    """``fault`` is the first cause: set in TRIPPED, and in a RAMP that ends there."""

    stage: Stage = Stage.OFF
    fault: str | None = None
    detail: str = ""

    @property
    def may_pulse(self) -> bool:
        return self.stage not in (Stage.OFF, Stage.TRIPPED)


def transition(state: State, event: Event, fault: str | None = None, detail: str = "") -> State:
    """The state after ``event``; an event that means nothing in a state leaves it as it is.

    ``fault`` names the cause of a TRIP or of a RAMP_DOWN that ends in a trip; a TRIP without one is a
    programming error and raises ValueError.
    """
    if event is Event.TRIP:
        if fault is None:
            raise ValueError("a trip needs a fault id")
        if state.fault is not None:  # a trip, or a ramp that ends in one, has its first cause already
            return State(Stage.TRIPPED, state.fault, state.detail)
        return State(Stage.TRIPPED, fault, detail)
    match state.stage, event:
        case Stage.OFF | Stage.ARMED, Event.TEST:
            return State(Stage.CONTACT)
        case Stage.CONTACT, Event.OPEN:
            return State()
        case Stage.OFF | Stage.CONTACT, Event.ARM:
            return State(Stage.ARMED)
        case Stage.ARMED, Event.OUTPUT:
            return State(Stage.ACTIVE)
        case Stage.CONTACT | Stage.ARMED, Event.RAMP_DOWN:  # nothing is flowing that could be ramped
            return State() if fault is None else State(Stage.TRIPPED, fault, detail)
        case Stage.ACTIVE, Event.RAMP_DOWN:
            return State(Stage.RAMP, fault, detail)
        case Stage.RAMP, Event.RAMP_DOWN if state.fault is None and fault is not None:
            return State(Stage.RAMP, fault, detail)
        case Stage.RAMP, Event.RAMP_DONE:
            return State() if state.fault is None else State(Stage.TRIPPED, state.fault, state.detail)
        case Stage.TRIPPED, Event.ACKNOWLEDGE:
            return State()
        case _:
            return state
