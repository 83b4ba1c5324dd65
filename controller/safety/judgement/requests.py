"""What people ask of the guard: arm, unlock, disarm, acknowledge, STOP, and the checklist's answers.

Promises that arming is refused with every reason there is; feedback and current are earned after it.
"""

from __future__ import annotations

from dataclasses import replace

from controller.errors import InputError
from controller.safety.judgement import electrode_test, on_time
from controller.safety.judgement.arming_refusals import Refusal, joined
from controller.safety.judgement.arming_screen import Screen, beaten
from controller.safety.judgement.contraindications import answers_in, objections
from controller.safety.judgement.fault_reaction import ages, fault, move
from controller.safety.judgement.frame_check import MS, rested
from controller.safety.judgement.guard_types import (
    NOTHING,
    Checklist,
    Known,
    Note,
    Reaction,
    Request,
    Setup,
    Tighten,
)
from controller.safety.judgement.limits import tightened
from controller.safety.judgement.liveness import BEAT_NS, HEARTBEAT_NS
from controller.safety.judgement.pulse_schedule import Metronome
from controller.safety.judgement.staged_unlock import STRIDES, UnlockStage, refusal, stage_words, staged
from controller.safety.judgement.states import Event, Stage, transition
from drivers.interface import StimulatorNotice


def on_request(now_ns: int, request: Request, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    match request.op:
        case "stop":
            return fault(now_ns, "F11", f"by {request.by}", setup, known)
        case "heartbeat":
            return NOTHING, known._replace(heartbeat_ns=now_ns)
        case "beat":
            return NOTHING, known._replace(beat_ns=now_ns)
        case "screen":
            return NOTHING, known._replace(screen=beaten(now_ns, request.screen, known.screen))
        case "watch":
            return _on_watch(now_ns, request, known)
        case "acknowledge":
            note = Note("acknowledge", f"{known.state.fault} acknowledged.", known.state.fault, request.by)
            return move(now_ns, Event.ACKNOWLEDGE, known, note)
        case "disarm":
            note = Note("disarm", "Disarmed.", by=request.by)
            return move(now_ns, Event.RAMP_DOWN, known, note)
        case "unlock":
            return _on_unlock(request.by, setup, known)
    why = refusals(now_ns, setup, known)
    if why:
        return Reaction(notes=(Note("refused", f"Not armed: {joined(why)}.", by=request.by),)), known
    asking = Screen(request.screen, now_ns) if request.screen else None
    clocks = on_time.switched_on(now_ns, known.clocks, setup.rules.effective)
    known = known._replace(clocks=clocks, screen=asking, scope=request.scope)
    check = setup.capability.contact
    if check is None:
        return _armed(request.by, setup, known)
    if not electrode_test.testable(check, setup.rules.effective.limits):
        untested = f"The electrodes were not tested: the limits are below {check.current_ma:g} mA."
        return _armed(request.by, setup, known, untested)
    if known.frame_off:
        later = "The electrodes are tested before the first pulse."
        reaction, known = _armed(request.by, setup, known, later)
        return reaction, known._replace(untested_by=request.by)
    notes, known = begin_test(now_ns, request.by, known)
    return Reaction(notes=notes), known


def begin_test(now_ns: int, by: str, known: Known) -> tuple[tuple[Note, ...], Known]:
    """The electrodes' contact is tested from now on; passed, the guard is armed."""
    test = electrode_test.start(by, now_ns, len(known.metronomes))
    state = transition(known.state, Event.TEST)
    known = _from_zero(known)._replace(state=state, contact=test, untested_by=None)
    return (Note("contact", "Testing the electrodes.", by=by),), known


def refusals(now_ns: int, setup: Setup, known: Known) -> tuple[Refusal, ...]:
    """Why the guard does not arm now; empty where it does."""
    limits = setup.rules.effective.limits
    answers = setup.config.checklist if known.checklist is None else known.checklist
    why = list(objections(answers, setup.config.muscles, setup.config.caps))
    if known.state.stage is not Stage.OFF:
        cause = f" ({known.state.fault}): acknowledge first" if known.state.fault else ""
        why.append(Refusal("state", f"guard is {known.state.stage.value}{cause}"))
    if not known.controller:
        why.append(Refusal("controller", "no controller"))
    if not known.recorder or known.refused_ns is not None:
        why.append(Refusal("recorder", "no recorder"))
    if setup.config.stop_button is not None and not known.button:
        why.append(Refusal("button", "STOP button is not there"))
    if not known.link:
        why.append(Refusal("stimulator", "stimulator is not open"))
    if known.frame_ns is None or now_ns - known.frame_ns > limits.frame_age_max_ms * MS:
        why.append(Refusal("frame", "no fresh frame"))
    elif not known.frame_zero:
        why.append(Refusal("current", "the controller asks for current already"))
    for age in ages(now_ns, setup, known):
        if not age.age_ms <= age.age_max_ms:
            text = f"sensor {age.sensor} is silent" + (f": {age.misfit}" if age.misfit else "")
            why.append(Refusal("sensor", text, age.sensor))
    if not known.state.may_pulse:
        why.extend(on_time.objections(now_ns, known.clocks, setup.rules.effective))
    if setup.config.supervised and (known.heartbeat_ns is None or now_ns - known.heartbeat_ns > HEARTBEAT_NS):
        why.append(Refusal("heartbeat", "no heartbeat of the console"))
    if setup.config.overseen and (known.beat_ns is None or now_ns - known.beat_ns > BEAT_NS):
        why.append(Refusal("supervisor", "the supervisor does not answer"))
    return tuple(why)


def _armed(by: str, setup: Setup, known: Known, words: str = "") -> tuple[Reaction, Known]:
    known = _from_zero(known)._replace(state=transition(known.state, Event.ARM), contact=None)
    parts = ["Armed.", words, _stage_words(setup, known)]
    text = " ".join(part for part in parts if part)
    return Reaction(notes=(Note("arm", text, by=by, unlock=unlock_stage(setup, known)),)), known


def _from_zero(known: Known) -> Known:
    """Only the dose and the time of the last pulses are kept of what was before."""
    return known._replace(
        memory=known.memory._replace(tracks=rested(known.memory.tracks), bad_ns=(), close_ns=()),
        metronomes=tuple(Metronome(None, metronome.fired_ns) for metronome in known.metronomes),
        late_ns=(),
    )


def on_answer(notice: StimulatorNotice, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """The stimulator found nothing wrong; the last such answer of the contact test arms."""
    outputs = [channel.output for channel in setup.config.channels]
    if known.contact is None or notice.code != 0 or notice.channel not in outputs:
        return NOTHING, known
    test = electrode_test.answered(known.contact, outputs.index(notice.channel))
    if electrode_test.passed(test):
        return _armed(test.by, setup, known, "The electrodes have contact.")
    return NOTHING, known._replace(contact=test)


def on_checklist(now_ns: int, given: Checklist, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """Today's answers take the place of the file's; such as forbid stimulation end it."""
    answers = answers_in(given.answers)
    if answers is None:
        words = "Checklist not taken: each question needs an answer, and only the known ones."
        return Reaction(notes=(Note("refused", words, by=given.by),)), known
    note = Note("checklist", f"Checklist answered at {given.utc}.", by=given.by, answers=dict(answers))
    known = known._replace(checklist=dict(answers))
    forbids = objections(answers, setup.config.muscles, setup.config.caps)
    if not forbids or not known.state.may_pulse:
        return Reaction(notes=(note,)), known
    words = f"Disarmed: {joined(forbids)}."
    reaction, known = move(now_ns, Event.RAMP_DOWN, known, Note("disarm", words, by=given.by))
    return reaction._replace(notes=(note, *reaction.notes)), known


def on_tighten(wish: Tighten, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """The largest current may fall while the session runs, and does not rise again before its end."""
    try:
        effective = tightened(setup.rules.effective, "current_max_ma", wish.current_max_ma, "tighten")
    except InputError as error:
        return Reaction(notes=(Note("refused", f"Not tightened: {error}.", by=wish.by),)), known
    most_ma = effective.limits.current_max_ma
    words = f"The largest current is {most_ma:g} mA until the session ends."
    known = known._replace(tightened=replace(setup, rules=replace(setup.rules, effective=effective)))
    return Reaction(notes=(Note("tighten", words, by=wish.by, current_max_ma=most_ma),)), known


def on_response(seen: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A stride that lifted the toes, or a whole contraction, counts towards the unlock while the open-loop
    stage lasts; ``seen`` says which.
    """
    stage = known.state.stage
    staged = setup.config.unlock is not None and known.scope == "walk" and not known.unlock.full
    if not staged or stage not in (Stage.ARMED, Stage.ACTIVE):
        return NOTHING, known
    known = known._replace(unlock=replace(known.unlock, answered=known.unlock.answered + 1))
    text = f"{seen} {_stage_words(setup, known)}".strip()
    said = Note("answer", text, unlock=unlock_stage(setup, known))
    if setup.config.unlock == "person" or known.unlock.answered < STRIDES:
        return Reaction(notes=(said,)), known
    known = known._replace(unlock=replace(known.unlock, full=True))
    return Reaction(notes=(said, _unlocked("strides", setup, known))), known


def _on_watch(now_ns: int, request: Request, known: Known) -> tuple[Reaction, Known]:
    """A person at another screen takes over from the one that armed: that one may then go."""
    if why := _no_watch(request, known):
        return Reaction(notes=(Note("refused", f"Not taken over: {why}.", by=request.by),)), known
    note = Note("watch", "Another screen has taken over from the one that armed.", by=request.by)
    return Reaction(notes=(note,)), known._replace(screen=Screen(request.screen, now_ns))


def _no_watch(request: Request, known: Known) -> str:
    """Why a screen cannot take over; empty where it can."""
    if not known.state.may_pulse:
        return f"guard is {known.state.stage.value}"
    if known.screen is None:
        return "the terminal armed, no screen has to be heard"
    return "" if request.screen else "the screen has no name"


def _on_unlock(by: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A person's act; it does nothing that the strides have not earned."""
    why = refusal(known.unlock, setup.config.caps)
    if known.state.stage not in (Stage.ARMED, Stage.ACTIVE):
        why = f"guard is {known.state.stage.value}"
    elif setup.config.unlock is None:
        why = "this session is open loop"
    elif known.scope == "tests":
        why = "armed for test trains alone"
    if why:
        return Reaction(notes=(Note("refused", f"Not unlocked: {why}.", by=by),)), known
    known = known._replace(unlock=replace(known.unlock, full=True))
    return Reaction(notes=(_unlocked(by, setup, known),)), known


def _unlocked(by: str, setup: Setup, known: Known) -> Note:
    return Note("unlock", _stage_words(setup, known), by=by, unlock=unlock_stage(setup, known))


def unlock_stage(setup: Setup, known: Known) -> UnlockStage | None:
    """How far the staged unlock is; ``None`` where none is asked for, or the guard is not armed for it."""
    by, armed = setup.config.unlock, (Stage.ARMED, Stage.ACTIVE, Stage.RAMP)
    if by is None or known.scope == "tests" or known.state.stage not in armed:
        return None
    return staged(known.unlock, by, setup.rules.effective, setup.config.caps)


def _stage_words(setup: Setup, known: Known) -> str:
    if known.scope == "tests":
        return "For test trains alone."
    stage = unlock_stage(setup, known)
    return "" if stage is None else stage_words(stage)
