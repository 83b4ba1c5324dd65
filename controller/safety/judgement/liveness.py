"""The guard's watch: sensors' stamps, deadlines, and who and what is there.

Freshness is the age of the last valid sample by the guard's own clock; refuses samples that repeat old ones,
come from the future or jump: no single stamp, whatever it holds, makes the guard deaf to those after it.
"""

from __future__ import annotations

from controller.safety.judgement import arming_screen, electrode_test, on_time
from controller.safety.judgement.fault_reaction import RAMP_NS, ages, fault, move, untouched, while_armed
from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.frame_check import FUTURE_NS, MS
from controller.safety.judgement.guard_types import (
    NOTHING,
    Known,
    Link,
    Note,
    Peer,
    Reaction,
    SensorTrack,
    Setup,
)
from controller.safety.judgement.states import Event, Stage
from controller.safety.judgement.wire import SensorStamp
from drivers.interface import StimulatorNotice

HEARTBEAT_NS = 500 * MS  # F10
BEAT_NS = 1000 * MS  # F23: the supervisor has no real-time priority; it beats every 50 ms
RECORDER_REFUSES_NS = 500 * MS  # F12: a recorder that takes nothing for so long has lost the session
SLOW_AGAIN_NS = 10_000 * MS  # a line that stays slow leaves out 20 pulses a second: no note for each
GAP_WINDOW_NS = 100 * MS  # F2
GAPS_INVALID = 4  # F2: more than 3
FROZEN_SAMPLES = 10  # F2
PAST_NS = 2000 * MS  # no radio queues a sample so long: its time is broken, not old
JUMP_MAX = 4  # numbers ahead of the last: at 60 Hz under half of F1's time; beyond, bits may have flipped


def deadline_ns(setup: Setup, known: Known) -> int | None:
    """When a Timer is due even if nothing else happens; ``None`` while nothing can leave."""
    if not known.state.may_pulse:
        return None
    limits = setup.rules.effective.limits
    due = [(known.frame_ns or 0) + round(limits.frame_age_max_ms * MS)]
    if known.contact is not None:
        due.append(known.contact.since_ns + electrode_test.TIMEOUT_NS)
    if known.state.stage is Stage.RAMP:
        due.append(known.ramp_ns + RAMP_NS)
    else:
        due.extend(
            round(age.age_max_ms * MS) + (known.sensors[age.sensor].valid_ns or 0)
            for age in ages(0, setup, known)
        )
    for since_ns, span_ns in (
        (known.heartbeat_ns if setup.config.supervised else None, HEARTBEAT_NS),
        (known.beat_ns if setup.config.overseen else None, BEAT_NS),
        (known.screen.beat_ns if known.screen is not None else None, arming_screen.GONE_NS),
        (known.refused_ns, RECORDER_REFUSES_NS),
    ):
        if since_ns is not None:
            due.append(since_ns + span_ns)
    return min(due)


def on_timer(now_ns: int, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    if not known.state.may_pulse:
        return NOTHING, known
    if known.contact is not None and now_ns - known.contact.since_ns > electrode_test.TIMEOUT_NS:
        detail = f"not tested within {electrode_test.TIMEOUT_NS / 1e9:g} s"
        return untouched(now_ns, detail, known.contact, known)
    ramping = known.state.stage is Stage.RAMP
    if ramping and now_ns - known.ramp_ns >= RAMP_NS:
        return move(now_ns, Event.RAMP_DONE, known, Note("disarm", "The current is down to zero."))
    limits = setup.rules.effective.limits
    frame_age_ms = (now_ns - (known.frame_ns or 0)) / MS
    if frame_age_ms > limits.frame_age_max_ms:
        return fault(now_ns, "F4", f"last frame {frame_age_ms:.0f} ms ago", setup, known)
    if ramping:
        return NOTHING, known
    for age in ages(now_ns, setup, known):
        if age.age_ms > age.age_max_ms:
            return fault(now_ns, "F1", age.words, setup, known)
    if setup.config.supervised and now_ns - (known.heartbeat_ns or 0) > HEARTBEAT_NS:
        return fault(now_ns, "F10", f"no heartbeat for {HEARTBEAT_NS // MS} ms", setup, known)
    if setup.config.overseen and now_ns - (known.beat_ns or 0) > BEAT_NS:
        return fault(now_ns, "F23", f"no beat for {BEAT_NS // MS} ms", setup, known)
    if missed := arming_screen.gone(now_ns, known.screen):
        return fault(now_ns, "F26", missed, setup, known)
    if known.refused_ns is not None and now_ns - known.refused_ns > RECORDER_REFUSES_NS:
        detail = f"it took nothing for {RECORDER_REFUSES_NS // MS} ms"
        return fault(now_ns, "F12", detail, setup, known._replace(refused_ns=None))
    if spent := on_time.spent(now_ns, known.clocks, setup.rules.effective):
        return fault(now_ns, "F9", spent, setup, known)
    if known.screen is not None and (silent := arming_screen.warning(now_ns, known.screen)):
        note = Note("warning", f"The screen that armed was {silent}.", "F26")
        return Reaction(notes=(note,)), known._replace(screen=known.screen._replace(warned=True))
    return NOTHING, known


def misfit(now_ns: int, stamp: SensorStamp, setup: Setup, known: Known) -> str:
    """Why a stamp cannot be the next sample of a sensor the guard watches; empty where it can."""
    track = known.sensors.get(stamp.sensor)
    if track is None or stamp.session != setup.rules.session:
        return "no sensor of this session"
    ahead_ns = stamp.t_ns - now_ns
    if ahead_ns > FUTURE_NS:
        return f"its time is {ahead_ns / MS:.0f} ms ahead of the guard's clock"
    if ahead_ns < -PAST_NS:
        return f"its time is {-ahead_ns / MS:.0f} ms behind the guard's clock"
    if stamp.seq <= track.seq and (known.state.may_pulse or stamp.t_ns <= track.t_ns):
        return "it repeats an older one"  # a restarted counter may do so only while off
    if _jumps(stamp, track) and (track.doubted is None or stamp.seq <= track.doubted):
        return f"its number jumps from {track.seq} to {stamp.seq}"
    return ""


def _jumps(stamp: SensorStamp, track: SensorTrack) -> bool:
    """Whether the number is so far ahead of the last that only a later one is to be believed."""
    return 0 <= track.seq < stamp.seq - JUMP_MAX


def on_stamp(now_ns: int, stamp: SensorStamp, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    track = known.sensors.get(stamp.sensor)
    if track is None or stamp.session != setup.rules.session:
        return NOTHING, known
    if why := misfit(now_ns, stamp, setup, known):  # keeps nothing alive
        doubted = stamp.seq if _jumps(stamp, track) else track.doubted
        track = track._replace(misfit=why, doubted=doubted)
        return NOTHING, known._replace(sensors={**known.sensors, stamp.sensor: track})
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
    known = known._replace(sensors={**known.sensors, stamp.sensor: track})
    return fault(now_ns, "F2", ill, setup, known) if begins else (NOTHING, known)


def on_peer(now_ns: int, peer: Peer, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    match peer.role:
        case "controller":
            known = known._replace(controller=peer.present)
            if peer.present:  # a new controller counts from anew
                return NOTHING, known._replace(memory=known.memory._replace(last_seq=-1), frame_ns=None)
            return while_armed(now_ns, "F3", "", setup, known)
        case "operator":
            known = known._replace(operators=known.operators + (1 if peer.present else -1))
            if known.operators == 0:
                return while_armed(now_ns, "F10", "no operator is connected", setup, known)
            return NOTHING, known
        case "button":
            known = known._replace(button=peer.present)
            if peer.present:
                return NOTHING, known
            return while_armed(now_ns, "F10", "the STOP button is gone", setup, known)
    known = known._replace(recorder=peer.present, refused_ns=None)
    return (NOTHING, known) if peer.present else while_armed(now_ns, "F12", "", setup, known)


def on_left_out(now_ns: int, notice: StimulatorNotice, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A pulse was not sent because the line stands still: no fault before F19, but a person shall know."""
    outputs = [channel.output for channel in setup.config.channels]
    if known.contact is not None and notice.channel in outputs:
        test = electrode_test.left_out(known.contact, outputs.index(notice.channel))
        known = known._replace(contact=test)
    if known.slow_ns is not None and now_ns - known.slow_ns < SLOW_AGAIN_NS:
        return NOTHING, known
    words = (
        "The stimulator's line answers late. Pulses are left out until it has answered. If this comes often, "
        "close other programs and connect the stimulator to another USB port."
    )
    return Reaction(notes=(Note("warning", words),)), known._replace(slow_ns=now_ns)


def on_foreign_answer(now_ns: int, text: str, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """F25. Unarmed nothing of ours flows, but the output is switched off and the port looked at anew."""
    if known.state.may_pulse:
        return fault(now_ns, "F25", text, setup, known)
    words = f"{FAULTS['F25'].happened} ({text}). The stimulator was switched off. {FAULTS['F25'].next}."
    return Reaction(stop=True, notes=(Note("warning", words, "F25"),)), known._replace(link=False)


def on_link(now_ns: int, link: Link, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    known = known._replace(link=link.up)
    return (NOTHING, known) if link.up else while_armed(now_ns, "F19", link.text, setup, known)
