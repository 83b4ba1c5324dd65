"""New settings for a running core: taken between two stimulation windows, so that they start from the ramp.

Promises that what was seen and learned of the walk survives. Refuses other sensors, another mode or body: for
those a core begins anew.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core.params import CoreParams
from controller.core.step import CoreState, second_intensity

FIXED = ("mode", "placements", "muscle", "foot", "reference", "tick_s")


def at_boundary(state: CoreState) -> bool:
    """Whether no window is open and no test train runs: what comes next rises from nothing."""
    return state.window.state == "closed" and state.probe.since_ns is None


def objection(old: CoreParams, new: CoreParams) -> str:
    """Why ``new`` cannot replace ``old`` in a running core; empty where it can."""
    if (old.pulse.channel, old.pulse.channels) != (new.pulse.channel, new.pulse.channels):
        return "pulse.channel: another one needs a new session"
    changed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    return f"{changed[0]}: another one needs a new session" if changed else ""


def retune(new: CoreParams, state: CoreState) -> CoreState:
    """``state`` with every part told of its new settings; the loop's integral stays, within its new bound."""
    state.window.envelope = new.envelope
    state.intensity.pulse = new.pulse
    state.pid.gains = new.gains
    bound_nm = new.gains.torque_max_nm
    state.pid.integral_nm = min(bound_nm, max(-bound_nm, state.pid.integral_nm))
    state.learner.params = replace(new, reference=state.pace.now)
    state.watch.hold_s = 0.5 / new.pulse.rate_hz
    made = second_intensity(new)
    if state.second is not None and made is not None:
        state.second.pulse = made.pulse
    if state.steering is not None and new.second is not None:
        state.steering.model = new.second
    return state
