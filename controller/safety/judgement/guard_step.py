"""The guard's mind as one pure function: what happened, when, and what is known, to what is done about it.

No clock, no socket, no file: the process feeds it and does what it says; tests and replay feed it too.
"""

from __future__ import annotations

from dataclasses import replace

from controller.safety.judgement import electrode_test
from controller.safety.judgement.contractions import after_frame
from controller.safety.judgement.electrode_load import LoadTrack, heard
from controller.safety.judgement.fault_reaction import RAMP_NS, ages, fault, untouched, while_armed
from controller.safety.judgement.frame_check import MS, Judgement, Memory, dosed, judge
from controller.safety.judgement.guard_types import (
    NOTHING,
    Checklist,
    Happening,
    Known,
    Link,
    Note,
    Peer,
    PulseLeft,
    Reaction,
    RecorderTook,
    Request,
    Setup,
    Tighten,
    Timer,
    Trouble,
)
from controller.safety.judgement.leg_motion import armed_anew, on_motion, on_pulse_left
from controller.safety.judgement.limits import Ceiling, burst_uc
from controller.safety.judgement.liveness import (
    misfit,
    on_foreign_answer,
    on_left_out,
    on_link,
    on_peer,
    on_stamp,
    on_timer,
)
from controller.safety.judgement.plausibility import railed
from controller.safety.judgement.pulse_schedule import PulseOrder, orders
from controller.safety.judgement.requests import (
    begin_test,
    on_answer,
    on_checklist,
    on_request,
    on_tighten,
)
from controller.safety.judgement.staged_unlock import ceiling_ma
from controller.safety.judgement.states import Event, Stage, transition
from controller.safety.judgement.wire import BadFrame, Frame, SensorStamp, Verdict
from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, StimulatorNotice

LATE_FRAME_NS = 20 * MS  # F14: a tick this late delays a 40 Hz pulse by most of its period
LATE_FRAMES_TRIP = 4  # F14: more than 3 in 1 s
LATE_WINDOW_NS = 1000 * MS
CONTACT_WORDS = "electrode contact test"


def react(now_ns: int, happening: Happening, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """One step of the guard. ``now_ns`` is CLOCK_MONOTONIC and never runs backwards."""
    reaction, after = _react(now_ns, happening, known.tightened or setup, known)
    if after.state.stage is Stage.ARMED and known.state.stage is not Stage.ARMED:
        after = armed_anew(after)._replace(loads=(LoadTrack(),) * len(after.loads))
    return reaction, after


def _react(now_ns: int, happening: Happening, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    match happening:
        case Frame() | BadFrame():
            return _on_frame(now_ns, happening, setup, known)
        case SensorStamp():
            return _on_stamp(now_ns, happening, setup, known)
        case Timer():
            return on_timer(now_ns, setup, known)
        case Request():
            return on_request(now_ns, happening, setup, known)
        case Peer():
            return on_peer(now_ns, happening, setup, known)
        case RecorderTook():
            since = None if happening.took else (known.refused_ns or now_ns)
            return NOTHING, known._replace(refused_ns=since)
        case Link():
            return on_link(now_ns, happening, setup, known)
        case Trouble():
            return fault(now_ns, happening.fault, happening.detail, setup, known)
        case PulseLeft():
            return on_pulse_left(now_ns, happening, setup, known)
        case Checklist():
            return on_checklist(now_ns, happening, setup, known)
        case Tighten():
            return on_tighten(happening, setup, known)
    if happening.code == LEFT_OUT:
        return on_left_out(now_ns, happening, setup, known)
    if not happening.fault:
        told, known = _on_measured(now_ns, happening, setup, known)
        reaction, known = on_answer(happening, setup, known)
        return reaction.then(told), known
    if happening.code == FOREIGN_ANSWER:
        return on_foreign_answer(now_ns, happening.text, setup, known)
    check = setup.capability.contact
    if known.contact is not None and check is not None and happening.code == check.error_code:
        return untouched(now_ns, happening.text, known.contact, known)
    # a negative code is the driver's own: no answer, or none that can be understood
    return while_armed(now_ns, "F19" if happening.code < 0 else "F20", happening.text, setup, known)


def _on_measured(now_ns: int, notice: StimulatorNotice, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """What a pulse met; the contact test's are too weak to tell."""
    outputs = [channel.output for channel in setup.config.channels]
    if notice.measured is None or notice.channel not in outputs or known.contact is not None:
        return NOTHING, known
    channel = outputs.index(notice.channel)
    words, track = heard(now_ns, notice.measured, known.loads[channel])
    known = known._replace(loads=(*known.loads[:channel], track, *known.loads[channel + 1 :]))
    if not words:
        return NOTHING, known
    return fault(now_ns, "F28", f"{setup.config.channels[channel].name}: {words}", setup, known)


def _on_stamp(now_ns: int, stamp: SensorStamp, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A sample: its sensor's freshness, and where it is the sensor's next one what the leg's motion shows."""
    if railed(stamp):
        stamp = replace(stamp, valid=False)
    fits = not misfit(now_ns, stamp, setup, known)
    reaction, known = on_stamp(now_ns, stamp, setup, known)
    if not fits:
        return reaction, known
    moved, known = on_motion(now_ns, stamp, setup, known)
    return reaction.then(moved), known


def _on_frame(now_ns: int, frame: Frame | BadFrame, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    state = known.state
    open_to_frames = state.stage in (Stage.ARMED, Stage.ACTIVE, Stage.RAMP)
    closed = "" if open_to_frames else f"guard is {state.stage.value}: {state.fault or 'not armed'}"
    if not closed and isinstance(frame, Frame):
        closed = _closed_to(frame, known)
    ramping = state.stage is Stage.RAMP
    test = _contact_frame(frame, setup, known)
    judgement, memory = judge(
        now_ns,
        test or frame,
        () if ramping else ages(now_ns, setup, known),
        setup.rules,
        known.memory,
        closed="" if test else closed,
        ceiling=_ceiling(now_ns, setup, known),
    )
    if isinstance(frame, Frame) and judgement.fresh:
        judgement, known = _pace(frame, judgement, memory, setup, known)
    else:
        known = known._replace(memory=memory)
    reaction = NOTHING
    if judgement.fault is not None:
        reaction, known = fault(now_ns, judgement.fault, judgement.reason, setup, known)
    pulses: tuple[PulseOrder, ...] = ()
    if judgement.fresh:
        pulses, known = _fire(now_ns, judgement, setup, known)
    if isinstance(frame, Frame) and judgement.fresh:
        begun, known = _late_test(now_ns, frame, known)
        counted, known = after_frame(now_ns, judgement.channels, setup, known)
        reaction = reaction._replace(notes=(*reaction.notes, *begun, *counted.notes))
    if test and judgement.verdict != "blocked":  # nothing of it is the controller's
        judgement = Judgement("ok", CONTACT_WORDS, (None,) * len(judgement.channels))
    verdict = Verdict(
        frame.seq if isinstance(frame, Frame) else 0,
        frame.t_ns if isinstance(frame, Frame) else 0,
        known.state.stage.value,
        judgement.verdict,
        judgement.reason,
        judgement.channels,
    )
    return Reaction(reaction.stop, pulses, verdict, judgement.limit, reaction.notes), known


def _closed_to(frame: Frame, known: Known) -> str:
    """Why an open guard lets nothing of this frame out; empty where it may."""
    if known.untested_by is not None:
        return "the electrodes are not tested yet"
    if known.scope == "tests" and frame.purpose != "test_train":
        return "armed for test trains alone"
    if frame.purpose == "feedback" and not known.unlock.full:
        return "feedback before the staged unlock"
    return ""


def _late_test(now_ns: int, frame: Frame, known: Known) -> tuple[tuple[Note, ...], Known]:
    """Armed while nothing was to be given, the electrodes are tested when something is (F22)."""
    if known.untested_by is None or frame.purpose == "off" or known.state.stage is not Stage.ARMED:
        return (), known
    return begin_test(now_ns, known.untested_by, known)


def _contact_frame(frame: Frame | BadFrame, setup: Setup, known: Known) -> Frame | None:
    """While the electrodes are tested and the controller wants nothing, its frame carries the test pulse."""
    check = setup.capability.contact
    if known.contact is None or check is None or isinstance(frame, BadFrame):
        return None
    if frame.channels != (None,) * len(known.contact.probes):
        return None
    wanted = electrode_test.command(check, setup.rules.effective.limits)
    return replace(frame, channels=electrode_test.wish(known.contact, wanted))


def _pace(
    frame: Frame, judgement: Judgement, memory: Memory, setup: Setup, known: Known
) -> tuple[Judgement, Known]:
    """F4 and F14 from the tick times of successive fresh frames."""
    zero = all(channel is None or channel.current_ma == 0.0 for channel in frame.channels)
    gap_ns = 0 if known.frame_ns is None else frame.t_ns - known.frame_ns
    known = known._replace(
        memory=memory,
        frame_ns=frame.t_ns,
        frame_zero=zero,
        frame_off=frame.purpose == "off",
        frame_open_loop=frame.purpose == "open_loop",
    )
    if not known.state.may_pulse or judgement.fault is not None:
        return judgement, known
    name, reason = "", f"{gap_ns / MS:.0f} ms between two frames"
    if gap_ns > setup.rules.effective.limits.frame_age_max_ms * MS:
        name = "F4"
    elif gap_ns > LATE_FRAME_NS:
        late_ns = (*(t for t in known.late_ns if frame.t_ns - t < LATE_WINDOW_NS), frame.t_ns)
        known = known._replace(late_ns=late_ns)
        name = "F14" if len(late_ns) >= LATE_FRAMES_TRIP else ""
    if not name:
        return judgement, known
    return Judgement("blocked", reason, (None,) * len(judgement.channels), fault=name), known


def _fire(
    now_ns: int, judgement: Judgement, setup: Setup, known: Known
) -> tuple[tuple[PulseOrder, ...], Known]:
    """The pulses due with this frame, their dose booked whether or not the link takes them."""
    asked = any(channel is not None and channel.current_ma > 0.0 for channel in judgement.channels)
    if asked and known.state.stage is Stage.ARMED:
        known = known._replace(state=transition(known.state, Event.OUTPUT))
    rate_max_hz = setup.rules.effective.limits.rate_max_hz
    pulses, metronomes = orders(now_ns, judgement.channels, known.metronomes, rate_max_hz, setup.capability)
    if not pulses:
        return pulses, known if metronomes == known.metronomes else known._replace(metronomes=metronomes)
    tracks = list(known.memory.tracks)
    for pulse in pulses:
        tracks[pulse.channel] = dosed(
            tracks[pulse.channel], now_ns, burst_uc(pulse.current_ma, pulse.width_us, pulse.cycles)
        )
    check = setup.capability.contact
    if known.contact is not None and check is not None:
        known = known._replace(contact=electrode_test.sent(known.contact, pulses, check))
    memory = known.memory._replace(tracks=tuple(tracks))
    return pulses, known._replace(memory=memory, metronomes=metronomes)


def _ceiling(now_ns: int, setup: Setup, known: Known) -> Ceiling | None:
    """What lowers the current of each channel now."""
    if known.state.stage is Stage.RAMP:
        left = max(0.0, 1.0 - (now_ns - known.ramp_ns) / RAMP_NS)
        return Ceiling("ramp down", tuple(left * current_ma for current_ma in known.ramp_from_ma))
    if known.scope == "tests":  # a search from little to more, step by step, has its own way up
        return None
    if setup.config.unlock is not None and not known.unlock.full:
        return Ceiling("staged unlock", (ceiling_ma(setup.rules.effective),) * len(setup.config.channels))
    return None
