"""The guard's mind as one pure function: what happened, when, and what is known, to what is done about it.

No clock, no socket, no file: the process feeds it and does what it says; tests and replay feed it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from controller.errors import InputError
from controller.safety import contact, rest
from controller.safety.arming import answers_in, objections
from controller.safety.contact import Contact
from controller.safety.envelope import (
    MS,
    Judgement,
    Memory,
    Rules,
    SensorAge,
    dosed,
    fresh_memory,
    judge,
)
from controller.safety.faults import FAULTS
from controller.safety.frames import BadFrame, Frame, SensorStamp, Verdict
from controller.safety.limits import charge_uc, device_layer, merge
from controller.safety.pulses import Metronome, PulseOrder, orders
from controller.safety.settings import GuardConfig
from controller.safety.states import Event, Stage, State, transition
from controller.safety.unlock import LOCKED, STRIDES, Unlock, ceiling_ma, refusal, stage_words
from drivers.interface import StimulatorCapability, StimulatorNotice

RAMP_NS = 100 * MS  # soft stop: short against a swing of 400 ms, long against a start
LATE_FRAME_NS = 20 * MS  # F14: a tick this late delays a 40 Hz pulse by most of its period
LATE_FRAMES_TRIP = 4  # F14: more than 3 in 1 s
LATE_WINDOW_NS = 1000 * MS
HEARTBEAT_NS = 500 * MS  # F10
RECORDER_REFUSES_NS = 500 * MS  # F12: a recorder that takes nothing for so long has lost the session
GAP_WINDOW_NS = 100 * MS  # F2
GAPS_INVALID = 4  # F2: more than 3
FROZEN_SAMPLES = 10  # F2
CONTACT_WORDS = "electrode contact test"


# What can happen, beside a frame, a stamp and a notice of the stimulator


@dataclass(frozen=True, slots=True)
class Timer:
    """Time has passed and everything that had arrived has been dealt with."""


@dataclass(frozen=True, slots=True)
class Request:
    """A person's wish; ``by`` is who, for the record."""

    op: Literal["arm", "unlock", "disarm", "stop", "acknowledge", "heartbeat"]
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class Peer:
    """A process came or went, or the STOP button on USB."""

    role: Literal["controller", "operator", "recorder", "button"]
    present: bool


@dataclass(frozen=True, slots=True)
class RecorderTook:
    """Whether the recorder took the last message."""

    took: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The stimulator became ready for pulses, or its link failed."""

    up: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault seen outside this function: restart while armed, suspend, plausibility."""

    fault: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A stimulated stride moved the leg as it should, seen outside this function."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """The checklist answered for this session: whatever was sent, by whom, and the wall clock's time."""

    answers: object
    by: str
    utc: str


Happening = (
    Frame
    | BadFrame
    | SensorStamp
    | StimulatorNotice
    | Timer
    | Request
    | Peer
    | RecorderTook
    | Link
    | Trouble
    | Answer
    | Checklist
)


# What the guard does about it


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be recorded and shown; ``text`` is in words for a person."""

    kind: Literal[
        "checklist",
        "contact",
        "arm",
        "answer",
        "unlock",
        "disarm",
        "refused",
        "stop",
        "trip",
        "acknowledge",
        "fault",
        "warning",
    ]
    text: str
    fault: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Reaction:
    """``stop`` silences the stimulator now; it then has to be opened anew before the guard arms."""

    stop: bool = False
    pulses: tuple[PulseOrder, ...] = ()
    verdict: Verdict | None = None
    limit: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds for the whole session."""

    config: GuardConfig
    capability: StimulatorCapability
    rules: Rules


@dataclass(frozen=True, slots=True)
class SensorTrack:
    """What is known of one required sensor, from its own stamps."""

    valid_ns: int | None = None  # time of the newest valid sample, never later than its arrival
    t_ns: int = -(2**63)
    seq: int = -1
    digest: int = 0
    same: int = 0
    gaps_ns: tuple[int, ...] = ()
    ill: str = ""  # F2 in words while it lasts


@dataclass(frozen=True, slots=True)
class Known:
    """All the guard knows."""

    state: State
    memory: Memory
    metronomes: tuple[Metronome, ...]
    sensors: Mapping[str, SensorTrack] = field(default_factory=dict)
    controller: bool = False
    operators: int = 0
    recorder: bool = False
    button: bool = False  # only missed where the session asks for one
    link: bool = False
    frame_ns: int | None = None  # tick time of the newest fresh frame
    frame_zero: bool = False  # it asked for no current
    late_ns: tuple[int, ...] = ()
    heartbeat_ns: int | None = None
    refused_ns: int | None = None  # since when the recorder takes nothing
    checklist: Mapping[str, str] | None = None  # answered today; None: as in the patient file
    contact: Contact | None = None  # the electrodes are being tested
    unlock: Unlock = LOCKED
    clocks: rest.Clocks = rest.FRESH  # on-time of bout and session
    ramp_ns: int = 0
    ramp_from_ma: tuple[float, ...] = ()


def prepare(config: GuardConfig, capability: StimulatorCapability, source: str = "limits") -> Setup:
    """Merge the limits and fix the rules. Raises InputError where a layer loosens or a channel is missing."""
    for index, channel in enumerate(config.channels):
        if channel.output >= capability.channels:
            where = f"channels[{index}].output"
            raise InputError(source, where, channel.output, f"0 to {capability.channels - 1}")
    effective = merge((device_layer(capability), *config.layers), source)
    areas = tuple(channel.electrode_area_cm2 for channel in config.channels)
    return Setup(config, capability, Rules(config.session, areas, effective))


def begin(setup: Setup) -> Known:
    """What is known at the start: nothing, and off."""
    count = len(setup.config.channels)
    return Known(
        state=State(),
        memory=fresh_memory(count),
        metronomes=(Metronome(),) * count,
        sensors={sensor.name: SensorTrack() for sensor in setup.config.sensors},
    )


def react(now_ns: int, happening: Happening, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """One step of the guard. ``now_ns`` is CLOCK_MONOTONIC and never runs backwards."""
    match happening:
        case Frame() | BadFrame():
            return _on_frame(now_ns, happening, setup, known)
        case SensorStamp():
            return _on_stamp(now_ns, happening, setup, known)
        case Timer():
            return _on_timer(now_ns, setup, known)
        case Request():
            return _on_request(now_ns, happening, setup, known)
        case Peer():
            return _on_peer(now_ns, happening, setup, known)
        case RecorderTook():
            since = None if happening.took else (known.refused_ns or now_ns)
            return Reaction(), replace(known, refused_ns=since)
        case Link():
            return _on_link(now_ns, happening, setup, known)
        case Trouble():
            return fault(now_ns, happening.fault, happening.detail, setup, known)
        case Answer():
            return _on_leg_answer(happening, setup, known)
        case Checklist():
            return _on_checklist(now_ns, happening, known)
    if not happening.fault:
        return _on_answer(happening, setup, known)
    check = setup.capability.contact
    if known.contact is not None and check is not None and happening.code == check.error_code:
        return _untouched(now_ns, happening.text, known)
    # a negative code is the driver's own: no answer, or none that can be understood
    return _while_armed(now_ns, "F19" if happening.code < 0 else "F20", happening.text, setup, known)


def fault(now_ns: int, name: str, detail: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """React to fault ``name`` as its line of the table says."""
    line = FAULTS[name]
    text = line.text(detail)
    if not line.trips or (name == "F12" and setup.config.recorder_loss == "alarm"):
        return Reaction(notes=(Note("fault", text, name),)), known
    if line.reaction == "safe action" and setup.config.safe_action == "ramp":
        return _move(now_ns, Event.RAMP_DOWN, known, Note("trip", text, name), name=name, detail=detail)
    kind: Literal["stop", "trip"] = "stop" if name == "F11" else "trip"
    return _move(now_ns, Event.TRIP, known, Note(kind, text, name), name=name, detail=detail)


def ages(now_ns: int, setup: Setup, known: Known) -> tuple[SensorAge, ...]:
    """Age of each required sensor's newest valid sample."""
    limit_ms = setup.rules.effective.limits.sensor_age_max_ms
    found = []
    for sensor in setup.config.sensors:
        valid_ns = known.sensors[sensor.name].valid_ns
        age_ms = float("inf") if valid_ns is None else (now_ns - valid_ns) / MS
        found.append(SensorAge(sensor.name, age_ms, min(limit_ms, sensor.age_max_ms or limit_ms)))
    return tuple(found)


def deadline_ns(setup: Setup, known: Known) -> int | None:
    """When a Timer is due even if nothing else happens; ``None`` while nothing can leave."""
    if not known.state.may_pulse:
        return None
    limits = setup.rules.effective.limits
    due = [(known.frame_ns or 0) + round(limits.frame_age_max_ms * MS)]
    if known.contact is not None:
        due.append(known.contact.since_ns + contact.TIMEOUT_NS)
    if known.state.stage is Stage.RAMP:
        due.append(known.ramp_ns + RAMP_NS)
    else:
        due.extend(
            round(age.age_max_ms * MS) + (known.sensors[age.sensor].valid_ns or 0)
            for age in ages(0, setup, known)
        )
    for since_ns, span_ns in (
        (known.heartbeat_ns if setup.config.supervised else None, HEARTBEAT_NS),
        (known.refused_ns, RECORDER_REFUSES_NS),
    ):
        if since_ns is not None:
            due.append(since_ns + span_ns)
    return min(due)


def _move(
    now_ns: int, event: Event, known: Known, note: Note, *, name: str | None = None, detail: str = ""
) -> tuple[Reaction, Known]:
    """Change the state, and do what the change demands: silence, the ramp's start, the session clock."""
    before, after = known.state, transition(known.state, event, name, detail)
    if after == before:
        return Reaction(), known
    known = replace(known, state=after)
    if after.stage is Stage.RAMP and before.stage is not Stage.RAMP:
        levels = tuple(track.levels[-1].current_ma for track in known.memory.tracks)
        return Reaction(notes=(note,)), replace(known, ramp_ns=now_ns, ramp_from_ma=levels)
    if after.may_pulse:
        return Reaction(notes=(note,)), known
    if before.may_pulse:
        known = replace(known, clocks=rest.switched_off(now_ns, known.clocks))
    known = replace(known, link=False, contact=None, unlock=LOCKED)
    return Reaction(stop=True, notes=(note,)), known


def _while_armed(now_ns: int, name: str, detail: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A fault that matters only while pulses may leave."""
    return fault(now_ns, name, detail, setup, known) if known.state.may_pulse else (Reaction(), known)


def _on_frame(now_ns: int, frame: Frame | BadFrame, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    state = known.state
    open_to_frames = state.stage in (Stage.ARMED, Stage.ACTIVE, Stage.RAMP)
    closed = "" if open_to_frames else f"guard is {state.stage.value}: {state.fault or 'not armed'}"
    if not closed and isinstance(frame, Frame) and frame.feedback and not known.unlock.full:
        closed = "feedback before the staged unlock"
    ramping = state.stage is Stage.RAMP
    lower_ma, ceiling = _ceiling(now_ns, setup, known)
    test = _contact_frame(frame, setup, known)
    judgement, memory = judge(
        now_ns,
        test or frame,
        () if ramping else ages(now_ns, setup, known),
        setup.rules,
        known.memory,
        closed="" if test else closed,
        ceiling_ma=lower_ma,
        ceiling=ceiling,
    )
    if isinstance(frame, Frame) and judgement.fresh:
        judgement, known = _pace(frame, judgement, memory, setup, known)
    else:
        known = replace(known, memory=memory)
    reaction = Reaction()
    if judgement.fault is not None:
        reaction, known = fault(now_ns, judgement.fault, judgement.reason, setup, known)
    pulses: tuple[PulseOrder, ...] = ()
    if judgement.fresh:
        pulses, known = _fire(now_ns, judgement, setup, known)
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
    return replace(reaction, pulses=pulses, verdict=verdict, limit=judgement.limit), known


def _contact_frame(frame: Frame | BadFrame, setup: Setup, known: Known) -> Frame | None:
    """While the electrodes are tested and the controller wants nothing, its frame carries the test pulse."""
    check = setup.capability.contact
    if known.contact is None or check is None or isinstance(frame, BadFrame):
        return None
    if frame.channels != (None,) * len(known.contact.probes):
        return None
    wanted = contact.command(check, setup.rules.effective.limits)
    return replace(frame, channels=contact.wish(known.contact, wanted))


def _pace(
    frame: Frame, judgement: Judgement, memory: Memory, setup: Setup, known: Known
) -> tuple[Judgement, Known]:
    """F4 and F14 from the tick times of successive fresh frames."""
    zero = all(channel is None or channel.current_ma == 0.0 for channel in frame.channels)
    gap_ns = 0 if known.frame_ns is None else frame.t_ns - known.frame_ns
    known = replace(known, memory=memory, frame_ns=frame.t_ns, frame_zero=zero)
    if not known.state.may_pulse or judgement.fault is not None:
        return judgement, known
    name, reason = "", f"{gap_ns / MS:.0f} ms between two frames"
    if gap_ns > setup.rules.effective.limits.frame_age_max_ms * MS:
        name = "F4"
    elif gap_ns > LATE_FRAME_NS:
        late_ns = (*(t for t in known.late_ns if frame.t_ns - t < LATE_WINDOW_NS), frame.t_ns)
        known = replace(known, late_ns=late_ns)
        name = "F14" if len(late_ns) >= LATE_FRAMES_TRIP else ""
    if not name:
        return judgement, known
    off = (None,) * len(judgement.channels)
    return Judgement("blocked", reason, off, fault=name), known


def _fire(
    now_ns: int, judgement: Judgement, setup: Setup, known: Known
) -> tuple[tuple[PulseOrder, ...], Known]:
    """The pulses due with this frame, their dose booked whether or not the link takes them."""
    asked = any(channel is not None and channel.current_ma > 0.0 for channel in judgement.channels)
    if asked and known.state.stage is Stage.ARMED:
        known = replace(known, state=transition(known.state, Event.OUTPUT))
    rate_max_hz = setup.rules.effective.limits.rate_max_hz
    pulses, metronomes = orders(now_ns, judgement.channels, known.metronomes, rate_max_hz, setup.capability)
    if not pulses:
        return pulses, known if metronomes == known.metronomes else replace(known, metronomes=metronomes)
    tracks = list(known.memory.tracks)
    for pulse in pulses:
        tracks[pulse.channel] = dosed(
            tracks[pulse.channel], now_ns, charge_uc(pulse.current_ma, pulse.width_us)
        )
    check = setup.capability.contact
    if known.contact is not None and check is not None:
        known = replace(known, contact=contact.sent(known.contact, pulses, check))
    return pulses, replace(
        known,
        memory=replace(known.memory, tracks=tuple(tracks)),
        metronomes=metronomes,
    )


def _ceiling(now_ns: int, setup: Setup, known: Known) -> tuple[tuple[float, ...] | None, str]:
    """What lowers the ceiling of each channel now, and its name."""
    if known.state.stage is Stage.RAMP:
        left = max(0.0, 1.0 - (now_ns - known.ramp_ns) / RAMP_NS)
        return tuple(left * current_ma for current_ma in known.ramp_from_ma), "ramp down"
    if setup.config.unlock is not None and not known.unlock.full:
        return (ceiling_ma(setup.rules.effective),) * len(setup.config.channels), "staged unlock"
    return None, ""


def _on_stamp(now_ns: int, stamp: SensorStamp, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    track = known.sensors.get(stamp.sensor)
    if track is None or stamp.session != setup.rules.session:
        return Reaction(), known
    if stamp.seq <= track.seq and (known.state.may_pulse or stamp.t_ns <= track.t_ns):
        return Reaction(), known  # a repeat keeps nothing alive; a restarted counter may do so only while off
    gap = track.seq >= 0 and stamp.seq > track.seq + 1
    gaps_ns = tuple(t for t in track.gaps_ns if stamp.t_ns - t < GAP_WINDOW_NS)
    gaps_ns = (*gaps_ns, stamp.t_ns) if gap else gaps_ns
    same = track.same + 1 if stamp.digest and stamp.digest == track.digest else 1
    ill = ""
    if len(gaps_ns) >= GAPS_INVALID:
        ill = f"{stamp.sensor}: {len(gaps_ns)} gaps in {GAP_WINDOW_NS // MS} ms"
    elif same >= FROZEN_SAMPLES:
        ill = f"{stamp.sensor}: {same} identical samples"
    valid_ns = track.valid_ns
    if stamp.valid and not ill:
        valid_ns = max(min(stamp.t_ns, now_ns), valid_ns or min(stamp.t_ns, now_ns))
    track = SensorTrack(valid_ns, max(stamp.t_ns, track.t_ns), stamp.seq, stamp.digest, same, gaps_ns, ill)
    begins = ill and not known.sensors[stamp.sensor].ill
    known = replace(known, sensors={**known.sensors, stamp.sensor: track})
    return fault(now_ns, "F2", ill, setup, known) if begins else (Reaction(), known)


def _on_timer(now_ns: int, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    if not known.state.may_pulse:
        return Reaction(), known
    if known.contact is not None and now_ns - known.contact.since_ns > contact.TIMEOUT_NS:
        return _untouched(now_ns, f"not tested within {contact.TIMEOUT_NS / 1e9:g} s", known)
    ramping = known.state.stage is Stage.RAMP
    if ramping and now_ns - known.ramp_ns >= RAMP_NS:
        return _move(now_ns, Event.RAMP_DONE, known, Note("disarm", "The current is down to zero."))
    limits = setup.rules.effective.limits
    frame_age_ms = (now_ns - (known.frame_ns or 0)) / MS
    if frame_age_ms > limits.frame_age_max_ms:
        return fault(now_ns, "F4", f"last frame {frame_age_ms:.0f} ms ago", setup, known)
    if ramping:
        return Reaction(), known
    for age in ages(now_ns, setup, known):
        if age.age_ms > age.age_max_ms:
            detail = f"sensor {age.sensor}: newest valid sample is {age.age_ms:.0f} ms old"
            return fault(now_ns, "F1", detail, setup, known)
    if setup.config.supervised and now_ns - (known.heartbeat_ns or 0) > HEARTBEAT_NS:
        return fault(now_ns, "F10", f"no heartbeat for {HEARTBEAT_NS // MS} ms", setup, known)
    if known.refused_ns is not None and now_ns - known.refused_ns > RECORDER_REFUSES_NS:
        detail = f"it took nothing for {RECORDER_REFUSES_NS // MS} ms"
        return fault(now_ns, "F12", detail, setup, replace(known, refused_ns=None))
    if spent := rest.spent(now_ns, known.clocks, setup.rules.effective):
        return fault(now_ns, "F9", spent, setup, known)
    return Reaction(), known


def _on_request(now_ns: int, request: Request, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    match request.op:
        case "stop":
            return fault(now_ns, "F11", f"by {request.by}", setup, known)
        case "heartbeat":
            return Reaction(), replace(known, heartbeat_ns=now_ns)
        case "acknowledge":
            note = Note("acknowledge", f"{known.state.fault} acknowledged.", known.state.fault, request.by)
            return _move(now_ns, Event.ACKNOWLEDGE, known, note)
        case "disarm":
            note = Note("disarm", "Disarmed.", by=request.by)
            return _move(now_ns, Event.RAMP_DOWN, known, note)
        case "unlock":
            return _on_unlock(request.by, setup, known)
    why = refusals(now_ns, setup, known)
    if why:
        return Reaction(notes=(Note("refused", "Not armed: " + "; ".join(why) + ".", by=request.by),)), known
    known = replace(known, clocks=rest.switched_on(now_ns, known.clocks, setup.rules.effective))
    check = setup.capability.contact
    if check is None:
        return _armed(request.by, setup, known)
    if not contact.testable(check, setup.rules.effective.limits):
        untested = f"The electrodes were not tested: the limits are below {check.current_ma:g} mA."
        return _armed(request.by, setup, known, untested)
    test = contact.start(request.by, now_ns, len(setup.config.channels))
    known = replace(_from_zero(known), state=transition(known.state, Event.TEST), contact=test)
    return Reaction(notes=(Note("contact", "Testing the electrodes.", by=request.by),)), known


def _armed(by: str, setup: Setup, known: Known, words: str = "") -> tuple[Reaction, Known]:
    known = replace(_from_zero(known), state=transition(known.state, Event.ARM), contact=None)
    parts = ["Armed.", words, _stage_words(setup, known)]
    return Reaction(notes=(Note("arm", " ".join(part for part in parts if part), by=by),)), known


def _stage_words(setup: Setup, known: Known) -> str:
    by = setup.config.unlock
    return "" if by is None else stage_words(known.unlock, by, setup.rules.effective)


def _on_checklist(now_ns: int, given: Checklist, known: Known) -> tuple[Reaction, Known]:
    """Today's answers take the place of the file's; such as forbid stimulation end it."""
    answers = answers_in(given.answers)
    if answers is None:
        words = "Checklist not taken: each question needs an answer, and only the known ones."
        return Reaction(notes=(Note("refused", words, by=given.by),)), known
    said = ", ".join(f"{key} {answer}" for key, answer in answers.items())
    note = Note("checklist", f"Checklist answered at {given.utc}: {said}.", by=given.by)
    known = replace(known, checklist=dict(answers))
    forbids = objections(answers)
    if not forbids or not known.state.may_pulse:
        return Reaction(notes=(note,)), known
    words = f"Disarmed: {'; '.join(forbids)}."
    reaction, known = _move(now_ns, Event.RAMP_DOWN, known, Note("disarm", words, by=given.by))
    return replace(reaction, notes=(note, *reaction.notes)), known


def _on_leg_answer(answer: Answer, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A stride counts towards the unlock while the open-loop stage lasts."""
    stage = known.state.stage
    if setup.config.unlock is None or known.unlock.full or stage not in (Stage.ARMED, Stage.ACTIVE):
        return Reaction(), known
    known = replace(known, unlock=replace(known.unlock, answered=known.unlock.answered + 1))
    said = Note("answer", f"{answer.text} {_stage_words(setup, known)}".strip())
    if setup.config.unlock == "person" or known.unlock.answered < STRIDES:
        return Reaction(notes=(said,)), known
    known = replace(known, unlock=replace(known.unlock, full=True))
    return Reaction(notes=(said, Note("unlock", _stage_words(setup, known), by="strides"))), known


def _on_unlock(by: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A person's act; it does nothing that the strides have not earned."""
    why = refusal(known.unlock)
    if known.state.stage not in (Stage.ARMED, Stage.ACTIVE):
        why = f"guard is {known.state.stage.value}"
    elif setup.config.unlock is None:
        why = "this session is open loop"
    if why:
        return Reaction(notes=(Note("refused", f"Not unlocked: {why}.", by=by),)), known
    known = replace(known, unlock=replace(known.unlock, full=True))
    return Reaction(notes=(Note("unlock", _stage_words(setup, known), by=by),)), known


def _from_zero(known: Known) -> Known:
    """Only the dose and the time of the last pulses are kept of what was before."""
    return replace(
        known,
        memory=replace(known.memory, tracks=fresh_memory(0, known.memory.tracks).tracks, bad_ns=()),
        metronomes=tuple(Metronome(None, metronome.fired_ns) for metronome in known.metronomes),
        late_ns=(),
    )


def _on_answer(notice: StimulatorNotice, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """The stimulator found nothing wrong; the last such answer of the contact test arms."""
    outputs = [channel.output for channel in setup.config.channels]
    if known.contact is None or notice.code != 0 or notice.channel not in outputs:
        return Reaction(), known
    test = contact.answered(known.contact, outputs.index(notice.channel))
    if contact.passed(test):
        return _armed(test.by, setup, known, "The electrodes have contact.")
    return Reaction(), replace(known, contact=test)


def _untouched(now_ns: int, detail: str, known: Known) -> tuple[Reaction, Known]:
    """The electrodes' contact is not shown: no arming (F22)."""
    by = known.contact.by if known.contact is not None else ""
    return _move(now_ns, Event.OPEN, known, Note("refused", FAULTS["F22"].text(detail), "F22", by))


def refusals(now_ns: int, setup: Setup, known: Known) -> tuple[str, ...]:
    """Why the guard does not arm now; empty where it does."""
    limits = setup.rules.effective.limits
    why = list(objections(setup.config.checklist if known.checklist is None else known.checklist))
    if known.state.stage is not Stage.OFF:
        cause = f" ({known.state.fault}): acknowledge first" if known.state.fault else ""
        why.append(f"guard is {known.state.stage.value}{cause}")
    if not known.controller:
        why.append("no controller")
    if not known.recorder or known.refused_ns is not None:
        why.append("no recorder")
    if setup.config.stop_button is not None and not known.button:
        why.append("STOP button is not there")
    if not known.link:
        why.append("stimulator is not open")
    if known.frame_ns is None or now_ns - known.frame_ns > limits.frame_age_max_ms * MS:
        why.append("no fresh frame")
    elif not known.frame_zero:
        why.append("the controller asks for current already")
    for age in ages(now_ns, setup, known):
        if not age.age_ms <= age.age_max_ms:
            why.append(f"sensor {age.sensor} is silent")
    if not known.state.may_pulse:
        why.extend(rest.objections(now_ns, known.clocks, setup.rules.effective))
    if setup.config.supervised and (known.heartbeat_ns is None or now_ns - known.heartbeat_ns > HEARTBEAT_NS):
        why.append("no heartbeat of the console")
    return tuple(why)


def _on_peer(now_ns: int, peer: Peer, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    match peer.role:
        case "controller":
            known = replace(known, controller=peer.present)
            if peer.present:  # a new controller counts from anew
                return Reaction(), replace(known, memory=replace(known.memory, last_seq=-1), frame_ns=None)
            return _while_armed(now_ns, "F3", "", setup, known)
        case "operator":
            known = replace(known, operators=known.operators + (1 if peer.present else -1))
            if known.operators == 0:
                return _while_armed(now_ns, "F10", "no operator is connected", setup, known)
            return Reaction(), known
        case "button":
            known = replace(known, button=peer.present)
            if peer.present:
                return Reaction(), known
            return _while_armed(now_ns, "F10", "the STOP button is gone", setup, known)
    known = replace(known, recorder=peer.present, refused_ns=None)
    return (Reaction(), known) if peer.present else _while_armed(now_ns, "F12", "", setup, known)


def _on_link(now_ns: int, link: Link, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    known = replace(known, link=link.up)
    return (Reaction(), known) if link.up else _while_armed(now_ns, "F19", link.text, setup, known)
