"""What the leg's motion shows, as part of the guard's step: sensors and response (F17, F21), and the strides
that count towards the unlock.
"""

from __future__ import annotations

from controller.safety.judgement.contractions import after_pulse
from controller.safety.judgement.fault_reaction import while_armed
from controller.safety.judgement.guard_types import NOTHING, Known, Note, PulseLeft, Reaction, Setup
from controller.safety.judgement.pulse_schedule import written
from controller.safety.judgement.requests import on_response
from controller.safety.judgement.wire import SensorStamp

MEASURED = "A stride without current was measured: the others are held against it."


def on_motion(now_ns: int, stamp: SensorStamp, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A sample that its sensor's track has taken."""
    before = known.plausibility
    findings, after = before.after_sample(stamp, setup.rules.effective.limits.current_max_ma)
    if after is before:
        return NOTHING, known
    known = known._replace(plausibility=after)
    reaction = NOTHING
    if after.measured and not before.measured:
        reaction = Reaction(notes=(Note("measured", MEASURED),))
    if after.answers > before.answers:
        answered, known = on_response(
            f"The stride lifted the toes by {after.gain_deg:.0f} deg.", setup, known
        )
        reaction = reaction.then(answered)
    for finding in findings:
        found = Reaction(notes=(Note("warning", finding.text, finding.fault),))
        if finding.kind == "trip":
            found, known = while_armed(now_ns, finding.fault, finding.text, setup, known)
        reaction = reaction.then(found)
    return reaction, known


def on_pulse_left(now_ns: int, pulse: PulseLeft, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A pulse has been written: the next one keeps its distance from here, and the leg is to answer it; in an
    exercise it is part of a contraction.

    The electrodes' test moves nothing and asks for no answer.
    """
    known = known._replace(metronomes=written(known.metronomes, pulse.channel, now_ns))
    if known.contact is None:
        known = known._replace(plausibility=known.plausibility.after_pulse(pulse.current_ma))
    return NOTHING, after_pulse(now_ns, setup, known)


def armed_anew(known: Known) -> Known:
    """A person has looked at the leg and armed."""
    return known._replace(plausibility=known.plausibility.after_arming())
