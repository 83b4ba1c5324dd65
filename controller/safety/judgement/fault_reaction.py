"""A fault or an event, and what follows: the state, silence, the ramp's start, the clocks of rest.

Promises the reaction that the fault's line of the table says; the first cause stays.
"""

from __future__ import annotations

import math
from typing import Literal

from controller.safety.judgement import on_time
from controller.safety.judgement.electrode_test import Contact
from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.frame_check import MS, SensorAge
from controller.safety.judgement.guard_types import NOTHING, Known, Note, Reaction, Setup
from controller.safety.judgement.staged_unlock import LOCKED
from controller.safety.judgement.states import Event, Stage, transition

RAMP_NS = 100 * MS  # soft stop: short against a swing of 400 ms, long against a start


def fault(now_ns: int, name: str, detail: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """React to fault ``name`` as its line of the table says."""
    line, config = FAULTS[name], setup.config
    text = line.text(detail)
    if not line.trips or (name == "F12" and config.recorder_loss == "alarm"):
        return Reaction(notes=(Note("fault", text, name),)), known
    if line.reaction == "safe action" and config.safe_action == "ramp":
        return move(now_ns, Event.RAMP_DOWN, known, Note("trip", text, name), name=name, detail=detail)
    kind: Literal["stop", "trip"] = "stop" if name == "F11" else "trip"
    return move(now_ns, Event.TRIP, known, Note(kind, text, name), name=name, detail=detail)


def while_armed(now_ns: int, name: str, detail: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A fault that matters only while pulses may leave."""
    return fault(now_ns, name, detail, setup, known) if known.state.may_pulse else (NOTHING, known)


def untouched(now_ns: int, detail: str, test: Contact, known: Known) -> tuple[Reaction, Known]:
    """The electrodes' contact is not shown by their ``test``: no arming (F22)."""
    return move(now_ns, Event.OPEN, known, Note("refused", FAULTS["F22"].text(detail), "F22", test.by))


def move(
    now_ns: int, event: Event, known: Known, note: Note, *, name: str | None = None, detail: str = ""
) -> tuple[Reaction, Known]:
    """Change the state, and do what the change demands: silence, the ramp's start, the session clock."""
    before, after = known.state, transition(known.state, event, name, detail)
    if after == before:
        return NOTHING, known
    known = known._replace(state=after)
    if after.stage is Stage.RAMP and before.stage is not Stage.RAMP:
        levels = tuple(track.levels[-1].current_ma for track in known.memory.tracks)
        return Reaction(notes=(note,)), known._replace(ramp_ns=now_ns, ramp_from_ma=levels)
    if after.may_pulse:
        return Reaction(notes=(note,)), known
    if before.may_pulse:
        known = known._replace(clocks=on_time.switched_off(now_ns, known.clocks))
    known = known._replace(link=False, contact=None, contraction=None)
    known = known._replace(unlock=LOCKED, untested_by=None, scope="walk")
    return Reaction(stop=True, notes=(note,)), known


def ages(now_ns: int, setup: Setup, known: Known) -> tuple[SensorAge, ...]:
    """Age of each required sensor's newest valid sample."""
    limit_ms = setup.rules.effective.limits.sensor_age_max_ms
    found = []
    for sensor in setup.config.sensors:
        track = known.sensors[sensor.name]
        age_ms = math.inf if track.valid_ns is None else (now_ns - track.valid_ns) / MS
        age_max_ms = min(limit_ms, sensor.age_max_ms or limit_ms)
        found.append(SensorAge(sensor.name, age_ms, age_max_ms, track.misfit))
    return tuple(found)
