"""Judges a finished session from its recording: every limit and deadline kept or broken, with the figure.

One judge for simulation, replay and hardware. It works from time stamps and its own arithmetic and shares
no code with the guard; what a recording cannot show it calls not put to the test, never kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from controller.errors import InputError
from controller.outside import read_json
from controller.record import pulse_log as given
from controller.record.pulse_log import LoggedPulse, SentPulse
from controller.record.reader import messages, raw_messages, unreadable
from controller.record.records import Arm as TrialArm
from controller.record.records import GuardEvent, GuardVerdict, Process, Tick, TrialKey
from drivers.interface import Sample

RISE_WINDOW_NS = 250_000_000
DOSE_WINDOW_NS = 60_000_000_000
ON_WINDOW_NS = 10_000_000_000
TRAIN_PAUSE_NS = 100_000_000  # a shorter break does not begin a new train
LOAD_OHM = 500.0  # test load of IEC 60601-2-10
HALF_PAD = 0.5  # density is judged for a half-lifted electrode
CLOCK_NS = 2_000_000  # a pulse is stamped after its bytes are written, up to this long after the judgement
DEAD_MS = 10.0  # F3
F9_S = 0.025  # F9: what the stop at the end of a bout or session may take; not counted as time armed
UNRECORDED_MS = 600.0  # F12: a recorder that takes nothing is noticed within that time
SENSOR_SLACK_NS = 20_000_000  # F1: the safe action follows within 20 ms
# An emulated device stamps a pulse when it reads the command: 0.4 ms after its writing at the median of
# 11,673 pulses. In a new arm one of the arm before may still come so late.
LOG_SLACK_NS = 300_000_000
# A line's answers vary by so much without the guard calling one late: by so much less than by the guard's
# clock two pulses may be apart by the device's.
LINE_MS = 18.0
FOREIGN_MS = 50.0  # F25
CLOSED_LOOP = ("feedback", "learning")  # modes in which what the sensors show has part in the current
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
TEST_TRAIN = "test_train"  # a frame's purpose
PULSING = ("armed", "active", "ramp")  # states in which what was let through last still stands
FUTURE_NS = 1_000_000  # a frame further ahead of the guard's clock is not the next one (F6)
CONTACT = "contact test"  # the state in which the guard tests the electrodes
SIGNIFICANT = 1 + 1e-9  # sums of doubles


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: how often it was put to the test, the worst figure, the limit, and whether it was kept.

    ``id`` is a fault of the fault table or the name of a limit. ``worst`` is ``None`` where nothing was seen.
    """

    id: str
    promise: str
    kept: bool
    seen: int
    worst: float | None
    limit: float | None
    unit: str
    detail: str = ""

    @property
    def word(self) -> str:
        return "broken" if not self.kept else "kept" if self.seen else "not put to the test"


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the guard said it would judge by, of one arm of the session."""

    limits: Mapping[str, float]
    areas_cm2: tuple[float, ...]
    outputs: tuple[int, ...]
    sensors: Mapping[str, float]  # name -> age_max_ms
    contact: Mapping[str, float]  # the pulse that tests the electrodes; empty where none is made
    unlock: tuple[float, int] | None  # ceiling_ma before it, strides to answer; None: written before it was
    pace: Mapping[
        str, float
    ]  # ms: of a frame's rise, kept of it, between frames; empty: written before it was


@dataclass(frozen=True, slots=True)
class _Pulse:
    """One pulse as the guard recorded it, with the verdict it left on."""

    t_ns: int
    channel: int
    current_ma: float
    width_us: float
    packet: int
    rate_hz: float
    verdict: GuardVerdict


@dataclass(slots=True)
class _Arm:
    """One run of the guard: from its set-up to the next, or to the end."""

    rules: _Rules
    verdicts: list[GuardVerdict] = field(default_factory=list)
    events: list[GuardEvent] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    off_ns: list[tuple[int, float]] = field(default_factory=list)  # arms of mode off, from begin to end
    controller_gone_ns: list[int] = field(default_factory=list)

    def in_order(self) -> Iterator[GuardVerdict]:
        """Without frames that were not the next one (F6): what was let through before them still stands."""
        seq, t_ns = -1, 0
        for verdict in self.verdicts:
            astray = verdict.frame_seq <= seq or not t_ns <= verdict.t_ns <= verdict.received_ns + FUTURE_NS
            if astray and verdict.verdict == "blocked" and verdict.state in PULSING:
                continue
            seq, t_ns = verdict.frame_seq, verdict.t_ns
            yield verdict

    def pulses(self) -> list[_Pulse]:
        found = []
        for verdict in self.verdicts:
            for pulse in verdict.pulses:
                channel = verdict.channels[pulse.channel]
                rate_hz = math.inf if channel is None else channel.rate_hz
                if verdict.state == CONTACT:
                    rate_hz = self.rules.contact.get("rate_hz", math.inf)
                found.append(
                    _Pulse(
                        pulse.t_ns,
                        pulse.channel,
                        pulse.current_ma,
                        pulse.width_us,
                        pulse.packet,
                        rate_hz,
                        verdict,
                    )
                )
        return found


def judge_recording(path: Path, pulse_log: Path | None = None) -> list[Finding]:
    """All findings on the recording at ``path``, and on the stimulator's pulse log where there is one.

    Raises InputError where a file is no recording, no pulse log, or holds nothing the guard said.
    """
    arms = _arms(path)
    logged = None if pulse_log is None else given.read_pulse_log(pulse_log)
    findings: list[Finding] = []
    for number, arm in enumerate(arms):
        label = f"arm {number + 1} of {len(arms)}" if len(arms) > 1 else ""
        findings.extend(_labelled(finding, label) for finding in _judge_arm(arm))
    if logged is not None:
        findings.extend(_judge_log(arms, logged))
    if bad := unreadable(path):
        promise, first = "every message of the recording can be read", bad[0]
        detail = f"first {first.topic!r} at {first.t_ns} ns: {first.why}"
        count = len(bad)
        findings.append(Finding("recording", promise, False, count, float(count), 0.0, "messages", detail))
    return findings


def _labelled(finding: Finding, label: str) -> Finding:
    return replace(finding, detail=": ".join(part for part in (label, finding.detail) if part))


def _rules(payload: bytes, path: Path) -> _Rules:
    try:
        raw: Any = read_json(payload)  # Any: JSON
        unlock = raw.get("unlock") or {"ceiling_ma": math.inf, "strides": 0}  # null: open loop for good
        return _Rules(
            {name: float(limit["value"]) for name, limit in raw["limits"].items()},
            tuple(float(channel["electrode_area_cm2"]) for channel in raw["channels"]),
            tuple(int(channel["output"]) for channel in raw["channels"]),
            {sensor["name"]: float(sensor["age_max_ms"]) for sensor in raw["sensors"]},
            {name: float(value) for name, value in (raw.get("contact") or {}).items()},
            (float(unlock["ceiling_ma"]), int(unlock["strides"])) if "unlock" in raw else None,
            {name: float(value) for name, value in raw.get("pace", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(str(path), "guard/setup", str(error), "what the guard judges by") from error


def _arms(path: Path) -> list[_Arm]:
    setups = [_rules(raw.payload, path) for raw in raw_messages(path) if raw.topic == "guard/setup"]
    if not setups:
        raise InputError(str(path), "guard/setup", "none", "a recording of a session with a guard")
    starts = [raw.t_ns for raw in raw_messages(path) if raw.topic == "guard/setup"]
    arms = [_Arm(rules) for rules in setups]
    modes = _blinded_modes(path)
    for message in messages(path, ("guard/verdict", "guard/event", "tick", "process", "arm")):
        arm = arms[max(sum(start <= message.t_ns for start in starts) - 1, 0)]
        match message.record:
            case GuardVerdict():
                arm.verdicts.append(message.record)
            case GuardEvent():
                arm.events.append(message.record)
            case Tick():
                arm.ticks.append(message.record)
            case Process(process="dorsi-controller", kind="gone", t_ns=t_ns):
                arm.controller_gone_ns.append(t_ns)
            case TrialArm(kind="begin", t_ns=t_ns) as begun if modes.get(begun.label, begun.mode) == "off":
                arm.off_ns.append((t_ns, math.inf))
            case TrialArm(kind="end", t_ns=t_ns) if arm.off_ns and arm.off_ns[-1][1] == math.inf:
                arm.off_ns[-1] = (arm.off_ns[-1][0], t_ns)
            case _:
                pass
    return arms


def _blinded_modes(path: Path) -> Mapping[str, str]:
    """Which mode each label of a blinded trial stands for; empty where nothing is blinded."""
    keys = [message.record for message in messages(path, ("trial/key",))]
    return {label: mode for key in keys if isinstance(key, TrialKey) for label, mode in key.modes.items()}


def _worst(
    id_: str, promise: str, unit: str, limit: float, values: Iterable[float], *, least: bool = False
) -> Finding:
    """A ceiling, or with ``least`` a floor, over all ``values``."""
    found = list(values)
    if not found:
        return Finding(id_, promise, True, 0, None, limit, unit)
    worst = min(found) if least else max(found)
    kept = worst * SIGNIFICANT >= limit if least else worst <= limit * SIGNIFICANT
    return Finding(id_, promise, kept, len(found), worst, limit, unit)


def _count(id_: str, promise: str, seen: int, broken: list[str]) -> Finding:
    """A promise that may not be broken once."""
    return Finding(
        id_,
        promise,
        not broken,
        seen,
        float(len(broken)) if seen else None,
        0.0,
        "times",
        "; ".join(broken[:3]),
    )


def _judge_arm(arm: _Arm) -> list[Finding]:
    limits = arm.rules.limits
    pulses = arm.pulses()
    ceilings = (
        ("current_max_ma", "current", "mA", [p.current_ma for p in pulses]),
        ("width_max_us", "pulse width", "us", [p.width_us for p in pulses]),
        ("rate_max_hz", "commanded rate", "Hz", [p.rate_hz for p in pulses]),
        ("charge_max_uc", "charge per phase", "uC", [_charge_uc(p) for p in pulses]),
        (
            "energy_max_mj",
            "energy per pulse into 500 ohm",
            "mJ",
            [2e-9 * p.current_ma**2 * LOAD_OHM * p.width_us for p in pulses],
        ),
        (
            "density_rms_max_ma_cm2",
            "r.m.s. current density under half the pad",
            "mA/cm2",
            [
                p.current_ma
                * math.sqrt(2e-6 * p.width_us * p.rate_hz)
                / (HALF_PAD * arm.rules.areas_cm2[p.channel])
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
            "share of 10 s with current",
            "",
            _on_shares([p for p in pulses if p.verdict.state != CONTACT]),
        ),
        ("dose_max_uc", "charge in any 60 s", "uC", _doses_uc(pulses)),
        ("session_max_s", "time armed", "s", _armed_s(arm, limits.get("session_pause_min_s", math.inf))),
        ("bout_max_s", "time armed without a rest", "s", _armed_s(arm, limits.get("pause_min_s", math.inf))),
    )
    findings = [
        _worst(name, f"{what} at most {limits[name]:g} {unit}", unit, limits[name], values)
        for name, what, unit, values in ceilings
        if name in limits
    ]
    floors = (
        ("width_min_us", "pulse width", "us", [p.width_us for p in pulses]),
        ("rate_min_hz", "commanded rate", "Hz", [p.rate_hz for p in pulses if p.verdict.state != CONTACT]),
    )
    findings.extend(
        _worst(name, f"{what} at least {limits[name]:g} {unit}", unit, limits[name], values, least=True)
        for name, what, unit, values in floors
        if name in limits
    )
    findings.extend(_tightened(arm, pulses))
    findings.append(_closest(limits["rate_max_hz"], pulses))
    findings.extend(_faults(arm, pulses))
    return findings


def _tightened(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    """The largest current that a person lowered while the session ran, from then to its end."""
    return [
        _worst(
            "current_max_ma",
            f"current at most {event.current_max_ma:g} mA, as lowered by {event.by}",
            "mA",
            event.current_max_ma,
            [pulse.current_ma for pulse in pulses if pulse.verdict.received_ns > event.t_ns],
        )
        for event in arm.events
        if event.current_max_ma is not None
    ]


def _charge_uc(pulse: _Pulse) -> float:
    return pulse.current_ma * pulse.width_us * 1e-3


def _by_channel(pulses: Iterable[_Pulse]) -> list[list[_Pulse]]:
    found: dict[int, list[_Pulse]] = {}
    for pulse in pulses:
        found.setdefault(pulse.channel, []).append(pulse)
    return list(found.values())


def _closest(rate_max_hz: float, pulses: list[_Pulse]) -> Finding:
    gaps_ms = [
        (after.t_ns - before.t_ns) / 1e6
        for channel in _by_channel(pulses)
        for before, after in pairwise(channel)
    ]
    limit_ms = 1e3 / rate_max_hz
    promise = f"two pulses of a channel at least {limit_ms:g} ms apart"
    return _worst("pulse_gap_min_ms", promise, "ms", limit_ms, gaps_ms, least=True)


def _trains(channel: list[_Pulse]) -> list[tuple[int, int]]:
    """First and last pulse of each train of one channel, in ns."""
    trains = []
    begin_ns = last_ns = channel[0].t_ns
    for pulse in channel[1:]:
        if pulse.t_ns - last_ns >= max(TRAIN_PAUSE_NS, 1.5e9 / pulse.rate_hz):  # a slow train has no pauses
            trains.append((begin_ns, last_ns))
            begin_ns = pulse.t_ns
        last_ns = pulse.t_ns
    return [*trains, (begin_ns, last_ns)]


def _trains_s(pulses: list[_Pulse]) -> list[float]:
    return [(end - begin) / 1e9 for channel in _by_channel(pulses) for begin, end in _trains(channel)]


def _on_shares(pulses: list[_Pulse]) -> list[float]:
    """Up to the end of each train, what of the 10 s before lay within trains: there it is greatest."""
    shares = []
    for channel in _by_channel(pulses):
        trains, first = _trains(channel), 0
        for number, (_, now_ns) in enumerate(trains):
            since_ns = now_ns - ON_WINDOW_NS
            while trains[first][1] <= since_ns:
                first += 1
            inside = trains[first : number + 1]
            shares.append(sum(end - max(begin, since_ns) for begin, end in inside) / ON_WINDOW_NS)
    return shares


def _doses_uc(pulses: list[_Pulse]) -> list[float]:
    doses = []
    for channel in _by_channel(pulses):
        first, total = 0, 0.0
        for pulse in channel:
            total += _charge_uc(pulse)
            while channel[first].t_ns <= pulse.t_ns - DOSE_WINDOW_NS:
                total -= _charge_uc(channel[first])
                first += 1
            doses.append(total)
    return doses


def _armed_s(arm: _Arm, pause_s: float) -> list[float]:
    """Time armed, summed over what is apart by less than ``pause_s``; a soft stop is the end."""
    bouts_ns: list[int] = []
    since_ns, end_ns, off_ns = None, 0, None
    for event in arm.events:
        end_ns = event.t_ns
        armed = event.state in ("armed", "active")
        if armed and since_ns is None:
            since_ns = event.t_ns
            if off_ns is None or since_ns - off_ns >= pause_s * 1e9:
                bouts_ns.append(0)
        elif not armed and since_ns is not None:
            bouts_ns[-1] += event.t_ns - since_ns
            since_ns, off_ns = None, event.t_ns
    if since_ns is not None and arm.verdicts:
        bouts_ns[-1] += max(end_ns, arm.verdicts[-1].received_ns) - since_ns
    return [max(0.0, bout_ns / 1e9 - F9_S) for bout_ns in bouts_ns if bout_ns]


def _rises(arm: _Arm) -> tuple[list[float], list[float]]:
    """Rise of the current let through: from frame to frame, and over the lowest of the last 250 ms."""
    by_frame, by_window = [], []
    for channel in range(len(arm.rules.areas_cm2)):
        levels: list[tuple[int, float]] = [(-RISE_WINDOW_NS, 0.0)]
        for verdict in arm.in_order():
            command = verdict.channels[channel] if channel < len(verdict.channels) else None
            level = 0.0 if command is None else command.current_ma
            by_frame.append(level - levels[-1][1])
            while len(levels) > 1 and levels[1][0] <= verdict.received_ns - RISE_WINDOW_NS:
                levels.pop(0)
            by_window.append(level - min(low for _, low in levels))
            levels.append((verdict.received_ns, level))
    return by_frame, by_window


def _jumps_ma(arm: _Arm, tick_ms: float) -> list[float]:
    """How far each current let through lies above a steady rise, by the guard's time, from any one before."""
    jumps = []
    slope = arm.rules.limits["rise_max_ma_per_frame"] / (tick_ms * 1e6)
    for channel in range(len(arm.rules.areas_cm2)):
        reached, before, before_ns = 0.0, 0.0, 0  # by now, from the lowest, by a steady rise
        for verdict in arm.in_order():
            command = verdict.channels[channel] if channel < len(verdict.channels) else None
            level = 0.0 if command is None else command.current_ma
            reached = min(reached + slope * (verdict.received_ns - before_ns), before)
            jumps.append(level - reached)
            before, before_ns = level, verdict.received_ns
    return jumps


def _pace(arm: _Arm) -> list[Finding]:
    """Current rises by time passed, and no two frames are too close."""
    pace = arm.rules.pace
    if not pace:
        return []
    frame_ma, tick_ms = arm.rules.limits["rise_max_ma_per_frame"], pace["tick_ms"]
    jump_ma = frame_ma * pace["rise_kept_ms"] / tick_ms
    steady = f"rise at most {jump_ma:g} mA beyond {frame_ma:g} mA in {tick_ms:g} ms"
    gaps_ms = [
        (after.t_ns - before.t_ns) / 1e6
        for before, after in pairwise(verdict for verdict in arm.in_order() if verdict.frame_seq)
        if after.verdict != "blocked"
    ]
    gap_ms = pace["frame_gap_min_ms"]
    apart = f"a frame let through is at least {gap_ms:g} ms from the one before it"
    return [
        _worst("F8", steady, "mA", jump_ma, _jumps_ma(arm, tick_ms)),
        _worst("F24", apart, "ms", gap_ms, gaps_ms, least=True),
    ]


def _faults(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    limits = arm.rules.limits
    by_frame, by_window = _rises(arm)
    frame_ms, window_ms = limits["rise_max_ma_per_frame"], limits["rise_max_ma_per_250ms"]
    blocked = [v for v in arm.verdicts if v.verdict == "blocked"]
    return [
        *_sensor_ages(arm, pulses),
        _worst(
            "F3",
            f"no pulse later than {DEAD_MS:g} ms after the end of the controller",
            "ms",
            DEAD_MS,
            [_last_ms(arm, pulses, gone_ns) for gone_ns in arm.controller_gone_ns],
        ),
        _worst(
            "F4",
            f"no pulse on a frame older than {limits['frame_age_max_ms']:g} ms",
            "ms",
            limits["frame_age_max_ms"] + CLOCK_NS / 1e6,
            [(p.t_ns - p.verdict.t_ns) / 1e6 for p in pulses],
        ),
        _count(
            "F6",
            "no frame that was blocked gives a pulse, and none is out of order",
            len(arm.verdicts),
            [f"frame {v.frame_seq}: {v.reason}" for v in blocked if v.pulses or any(v.channels)]
            + [
                f"frame {after.frame_seq} after {before.frame_seq}"
                for before, after in pairwise(pulse.verdict for pulse in pulses)
                if after.frame_seq < before.frame_seq
                and not any(before.t_ns < gone_ns <= after.t_ns for gone_ns in arm.controller_gone_ns)
            ],
        ),
        _count(
            "F7",
            "every current, width and rate let through is a number of possible size",
            len(arm.verdicts),
            [
                f"frame {v.frame_seq}"
                for v in arm.verdicts
                for c in v.channels
                if c is not None
                and not (0 <= c.current_ma <= 150 and 0 <= c.width_us <= 4095 and 0 <= c.rate_hz <= 2000)
            ],
        ),
        _worst("F8", f"rise at most {frame_ms:g} mA a frame", "mA", frame_ms, by_frame),
        _worst("F8", f"rise at most {window_ms:g} mA in 250 ms", "mA", window_ms, by_window),
        *_pace(arm),
        *_silence(arm, pulses),
        _count(
            "states",
            "pulses leave only active or ramping down, after an arming by a person",
            len(pulses),
            _unarmed(arm, pulses),
        ),
        *_contact(arm, pulses),
        *_unlocked(arm, pulses),
        _purposes(arm, pulses),
    ]


def _samples(tick: Tick) -> tuple[Sample, ...]:
    return (*tick.inputs.imu, *tick.inputs.emg)


def _sensor_ages(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    """F1: at each pulse, the age of the newest valid sample that had arrived of each required sensor."""
    findings = []
    for name, age_max_ms in arm.rules.sensors.items():
        samples = sorted(
            (sample.arrival_ns, sample.t_ns)
            for tick in arm.ticks
            for sample in _samples(tick)
            if sample.sensor == name and sample.valid
        )
        ages_ms, index, newest_ns = [], 0, None
        for pulse in sorted(pulses, key=lambda pulse: pulse.t_ns):
            while index < len(samples) and samples[index][0] <= pulse.t_ns:
                arrival_ns, t_ns = samples[index]
                newest_ns = max(newest_ns or 0, min(t_ns, arrival_ns))
                index += 1
            if pulse.verdict.state != "ramp":
                ages_ms.append(math.inf if newest_ns is None else (pulse.t_ns - newest_ns) / 1e6)
        limit_ms = age_max_ms + SENSOR_SLACK_NS / 1e6
        promise = f"no pulse without a valid sample of {name} in the last {limit_ms:g} ms"
        findings.append(_worst("F1", promise, "ms", limit_ms, ages_ms))
    return findings


def _last_ms(arm: _Arm, pulses: list[_Pulse], end_ns: int) -> float:
    """How long after ``end_ns`` pulses went on, until a person armed again."""
    again_ns = min((t_ns for t_ns in _armings_ns(arm) if t_ns > end_ns), default=math.inf)
    return max((p.t_ns - end_ns for p in pulses if end_ns < p.t_ns < again_ns), default=0) / 1e6


def _armings_ns(arm: _Arm) -> list[int]:
    return [event.t_ns for event in arm.events if event.kind in ("contact", "arm")]


def _is_end(event: GuardEvent) -> bool:
    """A trip, a stop or a disarming, where the pulses end: of a ramp, its end."""
    return event.state in ("tripped", "off") and (
        event.kind in ("trip", "stop", "disarm") or event.fault == "F22"
    )


def _silence(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    """After a trip or a stop, silence until a person arms again; and so for each cause."""
    ends = [event for event in arm.events if _is_end(event)]
    late_ms = [_last_ms(arm, pulses, event.t_ns) for event in ends]
    causes = ", ".join(sorted({f"{event.fault}" for event in ends if event.fault}))
    found = _worst("trip", "no pulse after a trip, a stop or a disarming", "ms", 0.0, late_ms)
    return [
        replace(found, detail=causes),
        *(
            _worst(
                fault,
                f"no pulse after the guard's notice: {what}",
                "ms",
                0.0,
                [ms for event, ms in zip(ends, late_ms, strict=True) if event.fault == fault],
            )
            for fault, what in NOTICED.items()
        ),
    ]


def _unarmed(arm: _Arm, pulses: list[_Pulse]) -> list[str]:
    armed_ns = min((event.t_ns for event in arm.events if event.kind == "arm"), default=math.inf)
    return [
        f"pulse at {pulse.t_ns} in state {pulse.verdict.state}"
        for pulse in pulses
        if pulse.verdict.state != CONTACT
        and (pulse.verdict.state not in ("active", "ramp") or pulse.t_ns < armed_ns)
    ]


def _contact(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    """F22: the electrodes are tested when a person wants to arm, weakly, and an open one is never armed.

    Armed in an arm that is off, they are tested when the next one begins.
    """
    rules = arm.rules.contact
    turns = [
        event
        for event in arm.events
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
    return [_count("F22", promise, len(tested), broken)]


def _purposes(arm: _Arm, pulses: list[_Pulse]) -> Finding:
    """In an arm or mode that is off nothing is sent; armed for tests, test trains alone."""
    off = {tick.seq for tick in arm.ticks if tick.decision.view.mode == "off"}
    off.update(verdict.frame_seq for verdict in arm.verdicts if verdict.purpose == "off")
    quiet = [
        v for v in arm.verdicts if v.frame_seq in off or v.scope == "tests" or _within(v.t_ns, arm.off_ns)
    ]
    broken = [
        f"pulse at {pulse.t_ns} in an arm that is off"
        for pulse in pulses
        if pulse.verdict.frame_seq in off or _within(pulse.t_ns, arm.off_ns)
    ]
    broken += [
        f"pulse at {pulse.t_ns} while armed for test trains alone"
        for pulse in pulses
        if pulse.verdict.scope == "tests"
        and pulse.verdict.state != CONTACT
        and pulse.verdict.purpose != TEST_TRAIN
    ]
    promise = "no pulse in an arm that is off, and none but test trains where armed for them"
    return _count("purpose", promise, len(quiet), broken)


def _within(t_ns: int, spans_ns: Iterable[tuple[int, float]]) -> bool:
    return any(begin_ns <= t_ns < end_ns for begin_ns, end_ns in spans_ns)


def _unlocked(arm: _Arm, pulses: list[_Pulse]) -> list[Finding]:
    """Before the unlock of an arming: open loop, under the ceiling; the unlock after enough answers."""
    if arm.rules.unlock is None:
        return []
    closed_loop = {tick.seq for tick in arm.ticks if tick.decision.view.mode in CLOSED_LOOP}
    ceiling_ma, strides = arm.rules.unlock
    turns = [event for event in arm.events if event.kind in ("contact", "arm", "unlock")]
    flows = [p for p in pulses if p.verdict.state != CONTACT and p.verdict.scope != "tests"]
    locked = [
        pulse
        for pulse in flows
        if [event.kind for event in turns if event.t_ns <= pulse.t_ns][-1:] != ["unlock"]
    ]
    early = [f"pulse at {p.t_ns} by feedback" for p in locked if p.verdict.frame_seq in closed_loop]
    for event in (event for event in turns if event.kind == "unlock"):
        armed_ns = max((one.t_ns for one in turns if one.kind == "arm" and one.t_ns <= event.t_ns), default=0)
        answers = sum(one.kind == "answer" and armed_ns <= one.t_ns <= event.t_ns for one in arm.events)
        if answers < strides:
            early.append(f"unlocked at {event.t_ns} after {answers} of {strides} strides")
    promise = "no feedback before the unlock, no unlock before the leg answers"
    found = [_count("unlock", promise, len(flows), early)]
    if math.isfinite(ceiling_ma):
        currents_ma = [pulse.current_ma for pulse in locked]
        promise = f"before the unlock at most {ceiling_ma:g} mA"
        found.append(_worst("unlock", promise, "mA", ceiling_ma, currents_ma))
    return found


def _judge_log(arms: list[_Arm], logged: list[LoggedPulse]) -> list[Finding]:
    """The stimulator's own log against the recording, and each pulse's balance of charge."""
    sent = [
        SentPulse(p.t_ns, arm.rules.outputs[p.channel], p.packet, p.width_us, p.current_ma)
        for arm in arms
        for p in arm.pulses()
    ]
    sent.sort(key=lambda pulse: pulse.t_ns)
    places = given.deliveries(sent, logged)
    untold = _untold_ns(arms)
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
        elif one.points[0] != (sent[place].width_us, sent[place].current_ma):
            wrong.append(f"packet {one.packet} at {one.t_ns}: {one.points[0]} given, {sent[place]} sent")
    off_ns = [(begin_ns + LOG_SLACK_NS, end_ns) for arm in arms for begin_ns, end_ns in arm.off_ns]
    wrong += [f"pulse at {one.t_ns} in an arm that is off" for one in logged if _within(one.t_ns, off_ns)]
    return [
        _count("pulses", "every pulse given is in the recording as it was given", len(logged), wrong),
        _worst(
            "F12",
            f"no pulse later than {UNRECORDED_MS:g} ms after the end of the recording",
            "ms",
            UNRECORDED_MS,
            unrecorded_ms,
        ),
        _worst(
            "balance",
            "the phases of every pulse cancel",
            "uC",
            0.0,
            [abs(math.fsum(time_us * ma for time_us, ma in one.points)) * 1e-3 for one in logged],
        ),
        *_delivered(arms, sent, logged, places),
        *_after_ends(arms, logged),
        _after_foreign(arms, logged, places, foreign_ns),
    ]


def _delivered(
    arms: list[_Arm], sent: list[SentPulse], logged: list[LoggedPulse], places: list[int | None]
) -> list[Finding]:
    """Each pulse given once, in time, and none too close to another: by the device's own clock."""
    ends_ns = [end_ns for arm in arms for end_ns in _ends_ns(arm)]
    ends_ns += [begin_ns for begin_ns, _ in _untold_ns(arms)]
    lost = given.lost_in_between(sent, places, ends_ns)
    never = len(sent) - sum(place is not None for place in places)
    left_out = sum(len(verdict.left_out) for arm in arms for verdict in arm.verdicts)
    late_ms = [
        (one.t_ns - sent[place].t_ns) / 1e6
        for one, place in zip(logged, places, strict=True)
        if place is not None
    ]
    life_ms = max(arm.rules.limits["frame_age_max_ms"] for arm in arms)
    rate_max_hz = max(arm.rules.limits["rate_max_hz"] for arm in arms)
    gap_ms = max(1e3 / rate_max_hz - LINE_MS, 0.0)
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
        _worst(
            "given_late_ms",
            f"no pulse given later than {life_ms:g} ms after its writing",
            "ms",
            life_ms,
            late_ms,
        ),
        _worst(
            "given_gap_min_ms",
            f"two pulses of a channel given at least {gap_ms:g} ms apart",
            "ms",
            gap_ms,
            given.distances_ms(logged),
            least=True,
        ),
    ]


def _after_ends(arms: list[_Arm], logged: list[LoggedPulse]) -> list[Finding]:
    """What the device still gave after a trip, a stop or a disarming."""
    last_ms: list[float] = []
    several: list[str] = []
    for arm in arms:
        for end_ns in _ends_ns(arm):
            after = given.after_ms(logged, end_ns, _again_ns(arms, end_ns))
            last_ms.append(max((ms for _, ms in after), default=0.0))
            several += [
                f"several on channel {channel} after {end_ns}"
                for channel in given.repeated(channel for channel, _ in after)
            ]
    life_ms = max(arm.rules.limits["frame_age_max_ms"] for arm in arms)
    what = "after a trip, a stop or a disarming"
    return [
        _worst("given_after_stop_ms", f"no pulse given {life_ms:g} ms {what}", "ms", life_ms, last_ms),
        _count("given_after_stop", f"at most one pulse of a channel given {what}", len(last_ms), several),
    ]


def _after_foreign(
    arms: list[_Arm], logged: list[LoggedPulse], places: list[int | None], foreign_ns: list[int]
) -> Finding:
    """F25: how long the guard's own pulses went on after one that it did not send."""
    own = [one for one, place in zip(logged, places, strict=True) if place is not None]
    after_ms = [
        max((ms for _, ms in given.after_ms(own, t_ns, _again_ns(arms, t_ns))), default=0.0)
        for t_ns in foreign_ns
    ]
    promise = f"no pulse later than {FOREIGN_MS:g} ms after one that the guard did not send"
    return _worst("F25", promise, "ms", FOREIGN_MS, after_ms)


def _ends_ns(arm: _Arm) -> list[int]:
    return [event.t_ns for event in arm.events if _is_end(event)]


def _again_ns(arms: list[_Arm], t_ns: int) -> float:
    """When a person armed next."""
    return min((t for arm in arms for t in _armings_ns(arm) if t > t_ns), default=math.inf)


def _untold_ns(arms: list[_Arm]) -> list[tuple[int, float]]:
    """From the last verdict of each guard to the first of the next: the recorder or the guard was gone."""
    told = [[verdict.received_ns for verdict in arm.verdicts] for arm in arms if arm.verdicts]
    if not told:
        return [(0, math.inf)]
    begins: list[float] = [times[0] for times in told[1:]]
    return list(zip([times[-1] for times in told], [*begins, math.inf], strict=True))


def as_table(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    """Rows for people: word, id, promise, worst figure, times seen, detail."""
    return [
        (
            finding.word,
            finding.id,
            finding.promise,
            "-" if finding.worst is None else f"{finding.worst:.4g} {finding.unit}",
            str(finding.seen),
            finding.detail,
        )
        for finding in findings
    ]
