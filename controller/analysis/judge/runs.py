"""A recording as the judge reads it: each run of the guard with its rules, verdicts, events and ticks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from controller.analysis.judge.core_ticks import CoreTicks
from controller.analysis.judge.verdicts import Verdict, Verdicts
from controller.errors import InputError
from controller.record.reader import Part, RawMessage, messages, parts, raw_messages, read
from controller.record.records import Arm as TrialArm
from controller.record.records import GuardEvent, GuardVerdict, Process, Tick, TrialKey
from controller.record.table_view import TableView
from controller.untrusted import read_json

PULSING = ("armed", "active", "ramp")  # states in which what was let through last still stands
FUTURE_NS = 1_000_000  # a frame further ahead of the guard's clock is not the next one (F6)
CONTACT = "contact test"  # the state in which the guard tests the electrodes


@dataclass(frozen=True, slots=True)
class Rules:
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
    on_window_s: float = 10.0  # any such window's share of current
    caps: str = "gait"
    late_answer_ms: float = 18.0  # of the stimulator; an older recording is of one with these


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse as the guard recorded it, with the verdict it left on."""

    t_ns: int
    channel: int
    current_ma: float
    width_us: float
    packet: int
    rate_hz: float
    verdict: Verdict
    cycles: int = 1


@dataclass(slots=True)
class Run:
    """One run of the guard: from its set-up to the next, or to the end."""

    rules: Rules
    verdicts: Verdicts = field(default_factory=Verdicts)
    events: list[GuardEvent] = field(default_factory=list)
    ticks: CoreTicks = field(default_factory=CoreTicks)
    off_ns: list[tuple[int, float]] = field(default_factory=list)  # arms of mode off, from begin to end
    controller_gone_ns: list[int] = field(default_factory=list)

    def in_order(self) -> Iterator[Verdict]:
        """Without frames that were not the next one (F6): what was let through before them still stands."""
        seq, t_ns = -1, 0
        for verdict in self.verdicts:
            astray = verdict.frame_seq <= seq or not t_ns <= verdict.t_ns <= verdict.received_ns + FUTURE_NS
            if astray and verdict.verdict == "blocked" and verdict.state in PULSING:
                continue
            seq, t_ns = verdict.frame_seq, verdict.t_ns
            yield verdict

    def pulses(self) -> list[Pulse]:
        found = []
        for verdict in self.verdicts.pulsing():
            for pulse in verdict.pulses:
                channel = verdict.channels[pulse.channel]
                rate_hz = math.inf if channel is None else channel.rate_hz
                if verdict.state == CONTACT:
                    rate_hz = self.rules.contact.get("rate_hz", math.inf)
                found.append(
                    Pulse(
                        pulse.t_ns,
                        pulse.channel,
                        pulse.current_ma,
                        pulse.width_us,
                        pulse.packet,
                        rate_hz,
                        verdict,
                        pulse.cycles,
                    )
                )
        return found


def read_runs(path: Path) -> list[Run]:
    told = list(raw_messages(path, ("guard/setup",)))
    setups = [_read_rules(raw.payload, path) for raw in told]
    if not setups:
        raise InputError(str(path), "guard/setup", "none", "a recording of a session with a guard")
    starts = [raw.t_ns for raw in told]
    runs = [Run(rules) for rules in setups]
    modes = _blinded_modes(path)
    for part in parts(path, ("guard/verdict", "guard/event", "tick", "process", "arm")):
        if not isinstance(part, Part):
            _take(part, runs, starts, modes)
        elif part.topic != "tick" or not _take_ticks(part, runs, starts):
            for message in part.messages():
                _take(message, runs, starts, modes)
    return runs


def _take_ticks(part: Part, runs: list[Run], starts: list[int]) -> bool:
    view = TableView(part.table)
    places = np.maximum(np.searchsorted(starts, view.times_ns, side="right") - 1, 0)
    return all(runs[place].ticks.take_table(view, places == place) for place in np.unique(places).tolist())


def _take(message: RawMessage, runs: list[Run], starts: list[int], modes: Mapping[str, str]) -> None:
    run = runs[max(bisect_right(starts, message.t_ns) - 1, 0)]
    record = read(message)
    match record:
        case GuardVerdict():
            run.verdicts.append(record)
        case GuardEvent():
            run.events.append(record)
        case Tick():
            run.ticks.take(record)
        case Process(process="dorsi-controller", kind="gone", t_ns=t_ns):
            run.controller_gone_ns.append(t_ns)
        case TrialArm(kind="begin", t_ns=t_ns) as begun if modes.get(begun.label, begun.mode) == "off":
            run.off_ns.append((t_ns, math.inf))
        case TrialArm(kind="end", t_ns=t_ns) if run.off_ns and run.off_ns[-1][1] == math.inf:
            run.off_ns[-1] = (run.off_ns[-1][0], t_ns)
        case _:
            pass


def _read_rules(payload: bytes, path: Path) -> Rules:
    try:
        raw: Any = read_json(payload)  # Any: JSON
        unlock = raw.get("unlock") or {"ceiling_ma": math.inf, "strides": 0}  # null: open loop for good
        return Rules(
            {name: float(limit["value"]) for name, limit in raw["limits"].items()},
            tuple(float(channel["electrode_area_cm2"]) for channel in raw["channels"]),
            tuple(int(channel["output"]) for channel in raw["channels"]),
            {sensor["name"]: float(sensor["age_max_ms"]) for sensor in raw["sensors"]},
            {name: float(value) for name, value in (raw.get("contact") or {}).items()},
            (float(unlock["ceiling_ma"]), int(unlock["strides"])) if "unlock" in raw else None,
            {name: float(value) for name, value in raw.get("pace", {}).items()},
            float(raw.get("on_window_s", 10.0)),
            str(raw.get("caps", "gait")),
            float((raw.get("stimulator") or {}).get("late_answer_ms", 18.0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(str(path), "guard/setup", str(error), "what the guard judges by") from error


def _blinded_modes(path: Path) -> Mapping[str, str]:
    """Which mode each label of a blinded trial stands for; empty where nothing is blinded."""
    keys = [message.record for message in messages(path, ("trial/key",))]
    return {label: mode for key in keys if isinstance(key, TrialKey) for label, mode in key.modes.items()}


def armings_ns(run: Run) -> list[int]:
    return [event.t_ns for event in run.events if event.kind in ("contact", "arm")]


def next_arming_ns(runs: list[Run], t_ns: int) -> float:
    """When a person armed next."""
    return min((t for run in runs for t in armings_ns(run) if t > t_ns), default=math.inf)


def is_end(event: GuardEvent) -> bool:
    """A trip, a stop or a disarming, where the pulses end: of a ramp, its end."""
    return event.state in ("tripped", "off") and (
        event.kind in ("trip", "stop", "disarm") or event.fault == "F22"
    )


def run_ends_ns(run: Run) -> list[int]:
    return [event.t_ns for event in run.events if is_end(event)]


def last_ms(run: Run, pulses: list[Pulse], end_ns: int) -> float:
    """How long after ``end_ns`` pulses went on, until a person armed again."""
    again_ns = min((t_ns for t_ns in armings_ns(run) if t_ns > end_ns), default=math.inf)
    return max((p.t_ns - end_ns for p in pulses if end_ns < p.t_ns < again_ns), default=0) / 1e6


def untold_ns(runs: list[Run]) -> list[tuple[int, float]]:
    """From the last verdict of each guard to the first of the next: the recorder or the guard was gone."""
    told = [run.verdicts for run in runs if run.verdicts]
    if not told:
        return [(0, math.inf)]
    begins: list[float] = [verdicts.first_ns for verdicts in told[1:]]
    return list(zip([verdicts.last_ns for verdicts in told], [*begins, math.inf], strict=True))


def within(t_ns: int, spans_ns: Iterable[tuple[int, float]]) -> bool:
    return any(begin_ns <= t_ns < end_ns for begin_ns, end_ns in spans_ns)
