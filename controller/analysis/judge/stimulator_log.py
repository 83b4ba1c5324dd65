"""The stimulator's own log against the recording: each pulse once, in time, balanced, none after a stop."""

from __future__ import annotations

import math

from controller.analysis.judge import pulse_log as given
from controller.analysis.judge.findings import Finding, none_broken, worst_of
from controller.analysis.judge.pulse_log import LoggedPulse, SentPulse
from controller.analysis.judge.runs import Run, next_arming_ns, run_ends_ns, untold_ns, within

UNRECORDED_MS = 600.0  # F12: a recorder that takes nothing is noticed within that time
# An emulated device stamps a pulse when it reads the command: 0.4 ms after its writing at the median of
# 11,673 pulses. In a new arm one of the arm before may still come so late.
LOG_SLACK_NS = 300_000_000
FOREIGN_MS = 50.0  # F25


def log_findings(runs: list[Run], logged: list[LoggedPulse]) -> list[Finding]:
    """The stimulator's own log against the recording, and each pulse's balance of charge."""
    sent = [
        SentPulse(p.t_ns, run.rules.outputs[p.channel], p.packet, p.width_us, p.current_ma, p.cycles)
        for run in runs
        for p in run.pulses()
    ]
    sent.sort(key=lambda pulse: pulse.t_ns)
    places = given.deliveries(sent, logged)
    untold = untold_ns(runs)
    wrong: list[str] = []
    foreign_ns: list[int] = []
    unrecorded_ms: list[float] = []
    for one, place in zip(logged, places, strict=True):
        since_ns = max(
            (begin_ns for begin_ns, end_ns in untold if begin_ns < one.t_ns < end_ns), default=None
        )
        if place is None and since_ns is not None:
            unrecorded_ms.append((one.t_ns - since_ns) / 1e6)
        elif place is None:
            foreign_ns.append(one.t_ns)
            wrong.append(f"packet {one.packet} at {one.t_ns} is not in the recording")
        elif one.phases[::2] != sent[place].positive:
            given_words = f"{one.phases[::2]} as positive phases"
            wrong.append(f"packet {one.packet} at {one.t_ns}: {given_words} given, {sent[place]} sent")
    off_ns = [(begin_ns + LOG_SLACK_NS, end_ns) for run in runs for begin_ns, end_ns in run.off_ns]
    wrong += [f"pulse at {one.t_ns} in an arm that is off" for one in logged if within(one.t_ns, off_ns)]
    return [
        none_broken("pulses", "every pulse given is in the recording as it was given", len(logged), wrong),
        worst_of(
            "F12",
            f"no pulse later than {UNRECORDED_MS:g} ms after the end of the recording",
            "ms",
            UNRECORDED_MS,
            unrecorded_ms,
        ),
        worst_of(
            "balance",
            "the phases of every pulse cancel",
            "uC",
            0.0,
            [abs(math.fsum(time_us * ma for time_us, ma in one.points)) * 1e-3 for one in logged],
        ),
        none_broken(
            "phases",
            "positive and negative phases follow each other in every pulse and burst",
            len(logged),
            [f"packet {one.packet} at {one.t_ns}: {one.points}" for one in logged if not one.alternates],
        ),
        *_delivered(runs, sent, logged, places),
        *_after_ends(runs, logged),
        _after_foreign(runs, logged, places, foreign_ns),
    ]


def _delivered(
    runs: list[Run], sent: list[SentPulse], logged: list[LoggedPulse], places: list[int | None]
) -> list[Finding]:
    """Each pulse given once, in time, and none too close to another: by the device's own clock."""
    ends_ns = [end_ns for run in runs for end_ns in run_ends_ns(run)]
    ends_ns += [begin_ns for begin_ns, _ in untold_ns(runs)]
    lost = given.lost_in_between(sent, places, ends_ns)
    never = len(sent) - sum(place is not None for place in places)
    left_out = sum(len(verdict.left_out) for run in runs for verdict in run.verdicts)
    late_ms = [
        (one.t_ns - sent[place].t_ns) / 1e6
        for one, place in zip(logged, places, strict=True)
        if place is not None
    ]
    life_ms = max(run.rules.limits["frame_age_max_ms"] for run in runs)
    rate_max_hz = max(run.rules.limits["rate_max_hz"] for run in runs)
    # A line's answers vary by so much without one being called late: by so much less than by the guard's
    # clock two pulses may be apart by the device's.
    line_ms = max(run.rules.late_answer_ms for run in runs)
    gap_ms = max(1e3 / rate_max_hz - line_ms, 0.0)
    return [
        Finding(
            "delivery",
            "every pulse sent was given, save one of a channel on its way at each stop",
            not lost,
            len(sent),
            float(len(lost)),
            0.0,
            "lost",
            f"{never - len(lost)} on their way at a stop; {left_out} left out before sending",
        ),
        worst_of(
            "given_late_ms",
            f"no pulse given later than {life_ms:g} ms after its writing",
            "ms",
            life_ms,
            late_ms,
        ),
        worst_of(
            "given_gap_min_ms",
            f"two pulses of a channel given at least {gap_ms:g} ms apart",
            "ms",
            gap_ms,
            given.distances_ms(logged),
            least=True,
        ),
    ]


def _after_ends(runs: list[Run], logged: list[LoggedPulse]) -> list[Finding]:
    """What the device still gave after a trip, a stop or a disarming."""
    last_ms: list[float] = []
    several: list[str] = []
    for run in runs:
        for end_ns in run_ends_ns(run):
            after = given.after_ms(logged, end_ns, next_arming_ns(runs, end_ns))
            last_ms.append(max((ms for _, ms in after), default=0.0))
            several += [
                f"several on channel {channel} after {end_ns}"
                for channel in given.repeated(channel for channel, _ in after)
            ]
    life_ms = max(run.rules.limits["frame_age_max_ms"] for run in runs)
    what = "after a trip, a stop or a disarming"
    return [
        worst_of("given_after_stop_ms", f"no pulse given {life_ms:g} ms {what}", "ms", life_ms, last_ms),
        none_broken(
            "given_after_stop", f"at most one pulse of a channel given {what}", len(last_ms), several
        ),
    ]


def _after_foreign(
    runs: list[Run], logged: list[LoggedPulse], places: list[int | None], foreign_ns: list[int]
) -> Finding:
    """F25: how long the guard's own pulses went on after one that it did not send."""
    own = [one for one, place in zip(logged, places, strict=True) if place is not None]
    after_ms = [
        max((ms for _, ms in given.after_ms(own, t_ns, next_arming_ns(runs, t_ns))), default=0.0)
        for t_ns in foreign_ns
    ]
    promise = f"no pulse later than {FOREIGN_MS:g} ms after one that the guard did not send"
    return worst_of("F25", promise, "ms", FOREIGN_MS, after_ms)
