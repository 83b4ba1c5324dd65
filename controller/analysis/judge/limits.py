"""Limits of current, charge, time and rise, by arithmetic of its own: nothing is shared with the guard."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

from controller.analysis.judge.findings import Finding, worst_of
from controller.analysis.judge.runs import CONTACT, Pulse, Run
from controller.analysis.judge.verdicts import Verdict

RISE_WINDOW_NS = 250_000_000
DOSE_WINDOW_NS = 60_000_000_000
TRAIN_PAUSE_NS = 100_000_000  # a shorter break does not begin a new train
LOAD_OHM = 500.0  # test load of IEC 60601-2-10
HALF_PAD = 0.5  # density is judged for a half-lifted electrode
NEAR_MS = 1.0  # so long after its tick a pulse may be written, and the next in time
F9_S = 0.025  # F9: what the stop at the end of a bout or session may take; not counted as time armed


def limit_findings(run: Run) -> list[Finding]:
    limits = run.rules.limits
    pulses = run.pulses()
    ceilings = (
        ("current_max_ma", "current", "mA", [p.current_ma for p in pulses]),
        ("width_max_us", "pulse width", "us", [p.width_us for p in pulses]),
        ("rate_max_hz", "commanded rate", "Hz", [p.rate_hz for p in pulses]),
        ("cycles_max", "cycles of a burst", "", [p.cycles for p in pulses]),
        ("charge_max_uc", "charge per phase", "uC", [_charge_uc(p) for p in pulses]),
        (
            "energy_max_mj",
            "energy per pulse into 500 ohm",
            "mJ",
            [2e-9 * p.current_ma**2 * LOAD_OHM * p.width_us * p.cycles for p in pulses],
        ),
        (
            "density_rms_max_ma_cm2",
            "r.m.s. current density under half the pad",
            "mA/cm2",
            [
                p.current_ma
                * math.sqrt(2e-6 * p.width_us * p.rate_hz * p.cycles)
                / (HALF_PAD * run.rules.areas_cm2[p.channel])
                for p in pulses
            ],
        ),
        (
            "train_max_s",
            "length of a train",
            "s",
            _trains_s([p for p in pulses if p.verdict.state != CONTACT]),
        ),
        (
            "on_share_max",
            f"share of {run.rules.on_window_s:g} s with current",
            "",
            _on_shares([p for p in pulses if p.verdict.state != CONTACT], round(run.rules.on_window_s * 1e9)),
        ),
        ("dose_max_uc", "charge in any 60 s", "uC", _doses_uc(pulses)),
        ("session_max_s", "time armed", "s", _armed_s(run, limits.get("session_pause_min_s", math.inf))),
        ("bout_max_s", "time armed without a rest", "s", _armed_s(run, limits.get("pause_min_s", math.inf))),
    )
    findings = [
        worst_of(name, f"{what} at most {limits[name]:g} {unit}", unit, limits[name], values)
        for name, what, unit, values in ceilings
        if name in limits
    ]
    floors = (
        ("width_min_us", "pulse width", "us", [p.width_us for p in pulses]),
        ("rate_min_hz", "commanded rate", "Hz", [p.rate_hz for p in pulses if p.verdict.state != CONTACT]),
    )
    findings.extend(
        worst_of(name, f"{what} at least {limits[name]:g} {unit}", unit, limits[name], values, least=True)
        for name, what, unit, values in floors
        if name in limits
    )
    findings.extend(_tightened(run, pulses))
    findings.append(_closest(limits["rate_max_hz"], pulses))
    return findings


def _tightened(run: Run, pulses: list[Pulse]) -> list[Finding]:
    """The largest current that a person lowered while the session ran, from then to its end."""
    return [
        worst_of(
            "current_max_ma",
            f"current at most {event.current_max_ma:g} mA, as lowered by {event.by}",
            "mA",
            event.current_max_ma,
            [pulse.current_ma for pulse in pulses if pulse.verdict.received_ns > event.t_ns],
        )
        for event in run.events
        if event.current_max_ma is not None
    ]


def _charge_uc(pulse: Pulse) -> float:
    return pulse.current_ma * pulse.width_us * 1e-3


def _by_channel(pulses: Iterable[Pulse]) -> list[list[Pulse]]:
    found: dict[int, list[Pulse]] = {}
    for pulse in pulses:
        found.setdefault(pulse.channel, []).append(pulse)
    return list(found.values())


def _closest(rate_max_hz: float, pulses: list[Pulse]) -> Finding:
    gaps_ms = [
        (after.t_ns - before.t_ns) / 1e6
        for channel in _by_channel(pulses)
        for before, after in pairwise(channel)
    ]
    limit_ms = 1e3 / rate_max_hz - NEAR_MS
    promise = f"two pulses of a channel at least {limit_ms:g} ms apart"
    return worst_of("pulse_gap_min_ms", promise, "ms", limit_ms, gaps_ms, least=True)


def trains(channel: list[Pulse]) -> list[tuple[int, int]]:
    """First and last pulse of each train of one channel, in ns."""
    found = []
    begin_ns = last_ns = channel[0].t_ns
    for pulse in channel[1:]:
        if pulse.t_ns - last_ns >= max(TRAIN_PAUSE_NS, 1.5e9 / pulse.rate_hz):  # a slow train has no pauses
            found.append((begin_ns, last_ns))
            begin_ns = pulse.t_ns
        last_ns = pulse.t_ns
    return [*found, (begin_ns, last_ns)]


def _trains_s(pulses: list[Pulse]) -> list[float]:
    return [(end - begin) / 1e9 for channel in _by_channel(pulses) for begin, end in trains(channel)]


def _on_shares(pulses: list[Pulse], window_ns: int) -> list[float]:
    """Up to the end of each train, what of the window before lay within trains: there it is greatest."""
    shares = []
    for channel in _by_channel(pulses):
        found, first = trains(channel), 0
        for number, (_, now_ns) in enumerate(found):
            since_ns = now_ns - window_ns
            while found[first][1] <= since_ns:
                first += 1
            inside = found[first : number + 1]
            shares.append(sum(end - max(begin, since_ns) for begin, end in inside) / window_ns)
    return shares


def _doses_uc(pulses: list[Pulse]) -> list[float]:
    doses = []
    for channel in _by_channel(pulses):
        first, total = 0, 0.0
        for pulse in channel:
            total += _charge_uc(pulse) * pulse.cycles
            while channel[first].t_ns <= pulse.t_ns - DOSE_WINDOW_NS:
                total -= _charge_uc(channel[first]) * channel[first].cycles
                first += 1
            doses.append(total)
    return doses


def _armed_s(run: Run, pause_s: float) -> list[float]:
    """Time armed, summed over what is apart by less than ``pause_s``; a soft stop is the end."""
    bouts_ns: list[int] = []
    since_ns, end_ns, off_ns = None, 0, None
    for event in run.events:
        end_ns = event.t_ns
        armed = event.state in ("armed", "active")
        if armed and since_ns is None:
            since_ns = event.t_ns
            if off_ns is None or since_ns - off_ns >= pause_s * 1e9:
                bouts_ns.append(0)
        elif not armed and since_ns is not None:
            bouts_ns[-1] += event.t_ns - since_ns
            since_ns, off_ns = None, event.t_ns
    if since_ns is not None and run.verdicts:
        bouts_ns[-1] += max(end_ns, run.verdicts.last_ns) - since_ns
    return [max(0.0, bout_ns / 1e9 - F9_S) for bout_ns in bouts_ns if bout_ns]


def rises(run: Run) -> tuple[array[float], array[float]]:
    """Rise of the current let through: from frame to frame, and over the lowest of the last 250 ms."""
    by_frame, by_window = array("d"), array("d")
    for channel in range(len(run.rules.areas_cm2)):
        last_ma = 0.0
        lowest: deque[tuple[float, float]] = deque([(math.inf, 0.0)])  # until when, mA; none that is undercut
        for verdict in run.in_order():
            level = _level_ma(verdict, channel)
            by_frame.append(level - last_ma)
            while lowest[0][0] <= verdict.received_ns - RISE_WINDOW_NS:
                lowest.popleft()
            by_window.append(level - lowest[0][1])
            lowest[-1] = (verdict.received_ns, last_ma)
            while lowest and lowest[-1][1] >= level:
                lowest.pop()
            lowest.append((math.inf, level))
            last_ma = level
    return by_frame, by_window


def _level_ma(verdict: Verdict, channel: int) -> float:
    command = verdict.channels[channel] if channel < len(verdict.channels) else None
    return 0.0 if command is None else command.current_ma


def _jumps_ma(run: Run, tick_ms: float) -> array[float]:
    """How far each current let through lies above a steady rise, by the guard's time, from any one before."""
    jumps = array("d")
    slope = run.rules.limits["rise_max_ma_per_frame"] / (tick_ms * 1e6)
    for channel in range(len(run.rules.areas_cm2)):
        reached, before, before_ns = 0.0, 0.0, 0  # by now, from the lowest, by a steady rise
        for verdict in run.in_order():
            level = _level_ma(verdict, channel)
            reached = min(reached + slope * (verdict.received_ns - before_ns), before)
            jumps.append(level - reached)
            before, before_ns = level, verdict.received_ns
    return jumps


def pace_findings(run: Run) -> list[Finding]:
    """Current rises by time passed, and no two frames are too close."""
    pace = run.rules.pace
    if not pace:
        return []
    frame_ma, tick_ms = run.rules.limits["rise_max_ma_per_frame"], pace["tick_ms"]
    jump_ma = frame_ma * pace["rise_kept_ms"] / tick_ms
    steady = f"rise at most {jump_ma:g} mA beyond {frame_ma:g} mA in {tick_ms:g} ms"
    gaps_ms = array("d")
    for before, after in pairwise(verdict for verdict in run.in_order() if verdict.frame_seq):
        if after.verdict != "blocked":
            gaps_ms.append((after.t_ns - before.t_ns) / 1e6)
    gap_ms = pace["frame_gap_min_ms"]
    apart = f"a frame let through is at least {gap_ms:g} ms from the one before it"
    return [
        worst_of("F8", steady, "mA", jump_ma, _jumps_ma(run, tick_ms)),
        worst_of("F24", apart, "ms", gap_ms, gaps_ms, least=True),
    ]
