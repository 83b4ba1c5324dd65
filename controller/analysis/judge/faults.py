"""The lines of the fault table: deadlines, silence after a stop, states, electrodes, unlock, purposes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from controller.analysis.judge.findings import Finding, none_broken, worst_of
from controller.analysis.judge.limits import pace_findings, rises, trains
from controller.analysis.judge.runs import CONTACT, Pulse, Run, is_end, last_ms, within
from controller.analysis.judge.verdicts import Numbers

CLOCK_NS = 2_000_000  # a pulse is stamped after its bytes are written, up to this long after the judgement
DEAD_MS = 10.0  # F3
SENSOR_SLACK_NS = 20_000_000  # F1: the safe action follows within 20 ms
# Lines of the fault table whose condition no recording holds, only the guard's notice: silence from there.
NOTICED = {
    "F9": "a limit of dose, train, on-share, bout or session was reached",
    "F10": "the person in charge was lost",
    "F11": "STOP",
    "F14": "the controller's ticks were late",
    "F15": "the computer slept",
    "F16": "a restart while armed",
    "F17": "strides without response",
    "F19": "the stimulator was lost",
    "F20": "the stimulator reported a fault",
    "F21": "a sensor out of its place",
    "F23": "the supervisor hung",
    "F24": "frames too close to each other",
    "F25": "an answer to a command that nobody sent",
    "F26": "the screen that armed was gone",
}
CONTRACTION_NS = 500_000_000  # a train of an exercise that counts towards its unlock
TEST_TRAIN = "test_train"  # a frame's purpose


def fault_findings(run: Run) -> list[Finding]:
    limits, pulses = run.rules.limits, run.pulses()
    by_frame, by_window = rises(run)
    frame_ms, window_ms = limits["rise_max_ma_per_frame"], limits["rise_max_ma_per_250ms"]
    blocked = [v for v in run.verdicts if v.verdict == "blocked"]
    return [
        *_sensor_ages(run, pulses),
        worst_of(
            "F3",
            f"no pulse later than {DEAD_MS:g} ms after the end of the controller",
            "ms",
            DEAD_MS,
            [last_ms(run, pulses, gone_ns) for gone_ns in run.controller_gone_ns],
        ),
        worst_of(
            "F4",
            f"no pulse on a frame older than {limits['frame_age_max_ms']:g} ms",
            "ms",
            limits["frame_age_max_ms"] + CLOCK_NS / 1e6,
            [(p.t_ns - p.verdict.t_ns) / 1e6 for p in pulses],
        ),
        none_broken(
            "F6",
            "no frame that was blocked gives a pulse, and none is out of order",
            len(run.verdicts),
            [f"frame {v.frame_seq}: {v.reason}" for v in blocked if v.pulses or any(v.channels)]
            + [
                f"frame {after.frame_seq} after {before.frame_seq}"
                for before, after in pairwise(pulse.verdict for pulse in pulses)
                if after.frame_seq < before.frame_seq
                and not any(before.t_ns < gone_ns <= after.t_ns for gone_ns in run.controller_gone_ns)
            ],
        ),
        none_broken(
            "F7",
            "every current, width and rate let through is a number of possible size",
            len(run.verdicts),
            [
                f"frame {v.frame_seq}"
                for v in run.verdicts
                for c in v.channels
                if c is not None
                and not (0 <= c.current_ma <= 150 and 0 <= c.width_us <= 4095 and 0 <= c.rate_hz <= 2000)
            ],
        ),
        worst_of("F8", f"rise at most {frame_ms:g} mA a frame", "mA", frame_ms, by_frame),
        worst_of("F8", f"rise at most {window_ms:g} mA in 250 ms", "mA", window_ms, by_window),
        *pace_findings(run),
        *_silence(run, pulses),
        none_broken(
            "states",
            "pulses leave only active or ramping down, after an arming by a person",
            len(pulses),
            _unarmed(run, pulses),
        ),
        *_contact(run, pulses),
        *_unlocked(run, pulses),
        _purposes(run, pulses),
    ]


def _sensor_ages(run: Run, pulses: list[Pulse]) -> list[Finding]:
    """F1: at each pulse, the age of the newest valid sample that had arrived of each required sensor."""
    findings = []
    for name, age_max_ms in run.rules.sensors.items():
        arrival_ns = np.array(run.ticks.arrival_ns.get(name, ()), dtype=np.int64)
        sample_ns = np.array(run.ticks.sample_ns.get(name, ()), dtype=np.int64)
        order = np.argsort(arrival_ns, kind="stable")
        arrival_ns = arrival_ns[order]
        newest_ns = np.maximum.accumulate(np.minimum(arrival_ns, sample_ns[order]))
        judged = [pulse.t_ns for pulse in pulses if pulse.verdict.state != "ramp"]
        heard = np.searchsorted(arrival_ns, judged, side="right").tolist()  # samples that had arrived
        ages_ms = [
            (t_ns - int(newest_ns[count - 1])) / 1e6 if count else math.inf
            for t_ns, count in zip(judged, heard, strict=True)
        ]
        limit_ms = age_max_ms + SENSOR_SLACK_NS / 1e6
        promise = f"no pulse without a valid sample of {name} in the last {limit_ms:g} ms"
        findings.append(worst_of("F1", promise, "ms", limit_ms, ages_ms))
    return findings


def _silence(run: Run, pulses: list[Pulse]) -> list[Finding]:
    """After a trip or a stop, silence until a person arms again; and so for each cause."""
    ends = [event for event in run.events if is_end(event)]
    late_ms = [last_ms(run, pulses, event.t_ns) for event in ends]
    causes = ", ".join(sorted({f"{event.fault}" for event in ends if event.fault}))
    found = worst_of("trip", "no pulse after a trip, a stop or a disarming", "ms", 0.0, late_ms)
    return [
        replace(found, detail=causes),
        *(
            worst_of(
                fault,
                f"no pulse after the guard's notice: {what}",
                "ms",
                0.0,
                [ms for event, ms in zip(ends, late_ms, strict=True) if event.fault == fault],
            )
            for fault, what in NOTICED.items()
        ),
    ]


def _unarmed(run: Run, pulses: list[Pulse]) -> list[str]:
    armed_ns = min((event.t_ns for event in run.events if event.kind == "arm"), default=math.inf)
    return [
        f"pulse at {pulse.t_ns} in state {pulse.verdict.state}"
        for pulse in pulses
        if pulse.verdict.state != CONTACT
        and (pulse.verdict.state not in ("active", "ramp") or pulse.t_ns < armed_ns)
    ]


def _contact(run: Run, pulses: list[Pulse]) -> list[Finding]:
    """F22: the electrodes are tested when a person wants to arm, weakly, and an open one is never armed.

    Armed in an arm that is off, they are tested when the next one begins.
    """
    rules = run.rules.contact
    turns = [
        event
        for event in run.events
        if event.kind in ("contact", "arm", "disarm", "trip", "stop") or event.fault == "F22"
    ]
    tested = [pulse for pulse in pulses if pulse.verdict.state == CONTACT]
    if not rules and not tested:
        return []
    broken = [
        f"test pulse at {pulse.t_ns} that nobody asked for"
        for pulse in tested
        if [event.kind for event in turns if event.t_ns <= pulse.t_ns][-1:] != ["contact"]
    ]
    broken += [
        f"test pulse of {pulse.current_ma:g} mA and {pulse.width_us:g} us"
        for pulse in tested
        if pulse.current_ma > rules.get("current_ma", 0.0) or pulse.width_us > rules.get("width_us", 0.0)
    ]
    broken += [
        f"armed at {event.t_ns} without a test"
        for before, event, after in zip([None, *turns], turns, [*turns[1:], None], strict=False)
        if rules
        and event.kind == "arm"
        and (before is None or before.kind != "contact")
        and any(event.t_ns <= p.t_ns < (math.inf if after is None else after.t_ns) for p in pulses)
    ]
    promise = "electrodes are tested before each arming that gives pulses, weakly and when asked for"
    return [none_broken("F22", promise, len(tested), broken)]


def _purposes(run: Run, pulses: list[Pulse]) -> Finding:
    """In an arm or mode that is off nothing is sent; armed for tests, test trains alone."""
    asked_off = Numbers()
    for verdict in run.verdicts:
        if verdict.purpose == "off":
            asked_off.add(verdict.frame_seq)
    quiet = sum(
        v.frame_seq in run.ticks.off
        or v.frame_seq in asked_off
        or v.scope == "tests"
        or within(v.t_ns, run.off_ns)
        for v in run.verdicts
    )
    broken = [
        f"pulse at {pulse.t_ns} in an arm that is off"
        for pulse in pulses
        if pulse.verdict.frame_seq in run.ticks.off
        or pulse.verdict.frame_seq in asked_off
        or within(pulse.t_ns, run.off_ns)
    ]
    broken += [
        f"pulse at {pulse.t_ns} while armed for test trains alone"
        for pulse in pulses
        if pulse.verdict.scope == "tests"
        and pulse.verdict.state != CONTACT
        and pulse.verdict.purpose != TEST_TRAIN
    ]
    promise = "no pulse in an arm that is off, and none but test trains where armed for them"
    return none_broken("purpose", promise, quiet, broken)


def _contractions(pulses: list[Pulse]) -> int:
    """Trains long enough that were given open loop, on whichever channels."""
    given = sorted(
        (pulse for pulse in pulses if pulse.verdict.purpose == "open_loop"), key=lambda pulse: pulse.t_ns
    )
    return sum(end - begin >= CONTRACTION_NS for begin, end in trains(given)) if given else 0


def _unlocked(run: Run, pulses: list[Pulse]) -> list[Finding]:
    """Before the unlock of an arming: open loop, under the ceiling; the unlock after enough answers."""
    if run.rules.unlock is None:
        return []
    ceiling_ma, strides = run.rules.unlock
    turns = [event for event in run.events if event.kind in ("contact", "arm", "unlock")]
    flows = [p for p in pulses if p.verdict.state != CONTACT and p.verdict.scope != "tests"]
    locked = [
        pulse
        for pulse in flows
        if [event.kind for event in turns if event.t_ns <= pulse.t_ns][-1:] != ["unlock"]
    ]
    early = [
        f"pulse at {p.t_ns} by feedback"
        for p in locked
        if p.verdict.frame_seq in run.ticks.closed_loop or p.verdict.purpose == "feedback"
    ]
    for event in (event for event in turns if event.kind == "unlock"):
        armed_ns = max((one.t_ns for one in turns if one.kind == "arm" and one.t_ns <= event.t_ns), default=0)
        answers = sum(one.kind == "answer" and armed_ns <= one.t_ns <= event.t_ns for one in run.events)
        if run.rules.caps != "gait":
            answers = _contractions([p for p in locked if armed_ns <= p.t_ns <= event.t_ns])
        if answers < strides:
            what = "strides" if run.rules.caps == "gait" else "contractions"
            early.append(f"unlocked at {event.t_ns} after {answers} of {strides} {what}")
    promise = "no feedback before the unlock, no unlock before the leg answers"
    found = [none_broken("unlock", promise, len(flows), early)]
    if math.isfinite(ceiling_ma):
        currents_ma = [pulse.current_ma for pulse in locked]
        promise = f"before the unlock at most {ceiling_ma:g} mA"
        found.append(worst_of("unlock", promise, "mA", ceiling_ma, currents_ma))
    return found
