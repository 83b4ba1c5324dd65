"""What tries and recordings of process chaos show, and the table of it in `runs/chaos/`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

from controller.analysis.judge import judge_recording
from controller.errors import InputError
from controller.record import records
from controller.record.reader import messages
from controller.record.replay import replay
from tests.chaos.faults import Fault
from tests.chaos.rig import Recording

OUT = Path(__file__).resolve().parents[2] / "runs" / "chaos"
PERIOD_MS = 25.0  # 40 Hz: a pulse may be on its way
TICK_S = 0.005
CLOCK_JUMP_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Try:
    """What one try showed; ``wrong`` is empty where every promise held."""

    begin_ns: int
    last_ms: float
    named: str
    wrong: tuple[str, ...] = ()


@dataclass(slots=True)
class Row:
    """One line of the table."""

    fault: str
    tries: int = 0
    repeated: int = 0  # tries given up because the machine stood still meanwhile
    worst_ms: float | None = None
    deadline_ms: float | None = None
    trip_ms: float | None = None  # worst time to the guard's recorded trip; None where none was recorded
    lost_s: float = 0.0
    unreadable: int = 0
    pulses: int = 0
    named: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)


def examine(row: Row, fault: Fault, tries: list[Try], kept: list[tuple[Path, Path]]) -> None:
    """Fill in the row from its tries and from the recordings with their parts of the pulse log."""
    row.tries += len(tries)
    wrong = Counter(text for one in tries for text in one.wrong)
    named = Counter(one.named for one in tries)
    if fault.deadline_ms is not None:
        row.deadline_ms = fault.deadline_ms + PERIOD_MS
        row.worst_ms = max((one.last_ms for one in tries), default=0.0)
    jumps = 0
    for recording, pulses in kept:
        try:
            row.lost_s = max(row.lost_s, _lost_s(recording, fault, tries))
            row.trip_ms = max(
                (ms for ms in (row.trip_ms, *_trips_ms(recording, tries)) if ms is not None), default=None
            )
            findings = judge_recording(recording, pulses)
            replayed = replay(recording)
        except InputError as error:
            row.unreadable += 1
            wrong[f"unreadable: {error}"] += 1
            continue
        row.pulses += next((finding.seen for finding in findings if finding.id == "pulses"), 0)
        wrong.update(
            f"judge: {finding.id} {finding.worst} {finding.detail}"
            for finding in findings
            if not finding.kept
        )
        jumps += _clock_jumps(recording)
        if not replayed.identical:
            wrong[f"replay differs: {replayed.first_difference}"] += 1
    if fault.what.startswith("clock") and jumps < 2 * len(tries):  # set, and set back
        wrong[f"{jumps} jumps of the clock in the recording"] += 1
    row.named, row.wrong = dict(named), dict(wrong)


def _lost_s(recording: Path, fault: Fault, tries: list[Try]) -> float:
    """What is missing: up to the fault where the recorder fails, else of the ticks in between."""
    ticks = [m.record for m in messages(recording, ("tick",)) if isinstance(m.record, records.Tick)]
    if fault.recorder_fails:
        last_ns = max((tick.now_ns for tick in ticks), default=0)
        ends = [one.begin_ns for one in tries if ticks and one.begin_ns > ticks[0].now_ns]
        return max(0.0, (min(ends) - last_ns) / 1e9) if ends else 0.0
    steps = (after.seq - before.seq - 1 for before, after in pairwise(ticks))
    return TICK_S * sum(step for step in steps if step > 0)


def _trips_ms(recording: Path, tries: list[Try]) -> list[float]:
    """From each fault to the trip that names it."""
    trips = [
        (m.record.t_ns, m.record.fault)
        for m in messages(recording, ("guard/event",))
        if isinstance(m.record, records.GuardEvent) and m.record.kind in ("trip", "stop")
    ]
    ends_ns = [*(one.begin_ns for one in tries[1:]), 1 << 62]
    return [
        (t_ns - one.begin_ns) / 1e6
        for one, end_ns in zip(tries, ends_ns, strict=True)
        for t_ns, fault in trips
        if fault == one.named != "F16" and one.begin_ns < t_ns < end_ns  # F16 waits for a new guard
    ]


def _clock_jumps(recording: Path) -> int:
    leads = [
        m.record.utc_ns - m.record.monotonic_ns
        for m in messages(recording, ("clock",))
        if isinstance(m.record, records.Clock)
    ]
    return sum(abs(after - before) > CLOCK_JUMP_NS for before, after in pairwise(leads))


def cut(folder: Path, kept: list[Recording]) -> list[tuple[Path, Path]]:
    """Each recording with its part of the pulse log."""
    lines = (folder / "pulses.jsonl").read_text().splitlines()
    stamped = [(int(json.loads(line)["t_ns"]), line) for line in lines]
    ends_ns = [*(recording.from_ns for recording in kept[1:]), 1 << 62]
    found = []
    for recording, end_ns in zip(kept, ends_ns, strict=True):
        part = folder / f"{recording.path.stem}.pulses.jsonl"
        inside = [line for t_ns, line in stamped if recording.from_ns <= t_ns < end_ns]
        part.write_text("".join(f"{line}\n" for line in inside))
        found.append((recording.path, part))
    return found


def add(row: Row, part: Row) -> None:
    """Take the figures of another session with the same fault into ``row``."""
    row.tries += part.tries
    row.pulses += part.pulses
    row.unreadable += part.unreadable
    row.lost_s = max(row.lost_s, part.lost_s)
    row.deadline_ms = part.deadline_ms
    if part.trip_ms is not None:
        row.trip_ms = max(row.trip_ms or 0.0, part.trip_ms)
    if part.worst_ms is not None:
        row.worst_ms = max(row.worst_ms or 0.0, part.worst_ms)
    row.named = dict(Counter(row.named) + Counter(part.named))
    row.wrong = dict(Counter(row.wrong) + Counter(part.wrong))


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| fault | tries | repeated | worst time to zero | deadline | recording lost | unreadable | named | "
        "worst trip | broken |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        walks_on = row.deadline_ms is None
        named = ", ".join(f"{name} {count}" for name, count in sorted(row.named.items()))
        broken = "; ".join(f"{text} ({count})" for text, count in sorted(row.wrong.items())) or "-"
        lines.append(
            f"| {row.fault} | {row.tries} | {row.repeated} | "
            f"{'walks on' if walks_on else f'{row.worst_ms or 0.0:.1f} ms'} | "
            f"{'-' if walks_on else f'{row.deadline_ms:.0f} ms'} | {row.lost_s:.2f} s | {row.unreadable} | "
            f"{named} | {'-' if row.trip_ms is None else f'{row.trip_ms:.1f} ms'} | {broken} |"
        )
    pulses, tries = sum(row.pulses for row in rows), sum(row.tries for row in rows)
    broken_rows = sum(bool(row.wrong) for row in rows)
    lines.append("")
    lines.append(f"{tries} tries, {pulses} pulses judged, {broken_rows} faults with a broken promise.")
    return "\n".join(lines)


def load() -> dict[str, Row]:
    file = OUT / "chaos.json"
    if not file.exists():
        return {}
    rows = [Row(**raw) for raw in json.loads(file.read_text())]
    return {row.fault: row for row in rows}


def save(rows: dict[str, Row], order: Iterable[str]) -> None:
    ordered = [rows[name] for name in order if name in rows]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "chaos.json").write_text(json.dumps([asdict(row) for row in ordered], indent=1))
    (OUT / "chaos.md").write_text(table(ordered) + "\n")
