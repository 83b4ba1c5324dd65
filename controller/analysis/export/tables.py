"""A recording as CSV or Parquet tables: every sample, tick, pulse, event and stride, with a data dictionary.

What is not known or not valid is empty, never zero; a current that is off is empty too. Of a blinded trial
the labels alone, without current, unless it is unblinded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from controller.analysis.arms import trial_key
from controller.analysis.columns import ARROW_NAMES, HEADS, TABLES, Column, dictionary, tables_of
from controller.analysis.exercise import is_exercise
from controller.core.gait.joint_range import possible_ankle_deg, possible_pitch_deg
from controller.core.signals import ExerciseView
from controller.record.contractions import ContractionTold, PhaseTold
from controller.record.numbered_events import StrideTold, Teller, Told
from controller.record.privacy import guard_word, process_word
from controller.record.reader import header, messages, raw_messages, read
from controller.record.records import (
    TOPICS,
    Arm,
    Clock,
    GuardEvent,
    GuardVerdict,
    Process,
    Record,
    Tick,
    Unreadable,
)
from controller.record.stream_records import Marker
from drivers.interface import MICROVOLTS, EmgFrame, ImuSample

DICTIONARY = "data-dictionary.csv"
BATCH_ROWS = 20_000

DOSE = ("charge_uc", "pulses", "current_max_ma")  # of a stride

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Veil:
    """Over a blinded trial: what gives an arm's mode away is left out, or with the ``key`` is named."""

    hidden: bool = False
    arms: tuple[tuple[int, str], ...] = ()  # begin and label, in order
    key: Mapping[str, str] = field(default_factory=dict)  # label to mode

    def label(self, t_ns: int) -> str:
        """Of the arm at that time; empty before the first."""
        return next((label for begin_ns, label in reversed(self.arms) if begin_ns <= t_ns), "")

    def name(self, label: str) -> str:
        return f"{label}: {self.key[label]}" if label in self.key else label


def veil_of(recording: Path, *, unblind: bool) -> Veil:
    arms = [m.record for m in messages(recording, ("arm",)) if isinstance(m.record, Arm)]
    if not any(arm.blinded for arm in arms):
        return Veil()
    if unblind:
        return Veil(key=trial_key(recording))
    return Veil(hidden=True, arms=tuple((arm.t_ns, arm.label) for arm in arms if arm.kind == "begin"))


def _rows(recording: Path, facts: dict[str, str], veil: Veil) -> Iterator[tuple[str, Row]]:
    """Every row of every table, in the order of the recording."""
    teller = Teller(facts.get("session", recording.stem), facts.get("mode", ""), unblind=bool(veil.key))
    for message in raw_messages(recording):
        if message.topic in TOPICS:
            yield from _rows_of(read(message), veil)
            yield from _told_rows(teller.take(message.topic, message.payload), veil)
    yield from _told_rows(teller.end(), veil)


def _rows_of(record: Record, veil: Veil) -> Iterator[tuple[str, Row]]:
    match record:
        case Tick():
            for sample in record.inputs.imu:
                yield "samples", _sample_row(sample)
            for frame in record.inputs.emg:
                yield from (("emg", row) for row in _emg_rows(frame))
            yield "ticks", _tick_row(record, veil)
        case GuardVerdict() if not veil.hidden:
            for pulse in record.pulses:
                yield (
                    "pulses",
                    (pulse.t_ns, pulse.channel, pulse.current_ma, pulse.width_us, pulse.phase_charge_uc,
                     record.frame_seq, pulse.packet, pulse.cycles),
                )  # fmt: skip
        case Clock():
            yield "clock", (record.monotonic_ns, record.utc_ns, record.boottime_ns)
        case _:
            pass
    yield from (("events", row) for row in event_rows(record, veil))


def event_rows(
    record: Record, veil: Veil
) -> Iterator[tuple[int, str, str, int | None, float | None, str | None]]:
    """Those that the table of events has of a record."""
    match record:
        case Tick():
            for event in record.decision.events:
                yield event.t_ns, event.kind, "", event.emitted_ns, event.confidence, None
        case GuardEvent() if not veil.hidden or record.kind == "trip":
            word = guard_word(record)
            yield word.t_ns, f"guard_{word.kind}", f"{word.state}: {word.text}", None, None, word.fault
        case Arm():
            label = veil.name(record.label or record.mode)
            yield record.t_ns, f"arm_{record.kind}", label, None, None, None
        case Marker():
            late = "" if record.valid else f" ({record.reason}: at its arrival)"
            yield record.t_ns, "marker", f"{record.stream}: {record.text}{late}", None, None, None
        case Unreadable():
            yield record.t_ns, "unreadable_message", f"{record.topic}: {record.why}", None, None, None
        case Process():
            told = process_word(record)
            text = f"{told.process}: {told.text}" if told.text else told.process
            yield told.t_ns, f"process_{told.kind}", text, None, None, None
        case _:
            pass


def _sample_row(sample: ImuSample) -> Row:
    head = (sample.sensor, sample.t_ns, sample.arrival_ns, sample.seq)
    values = (*sample.acc_mps2, *sample.gyr_rps) if sample.valid else (None,) * 6
    return (*head, *values, sample.valid, sample.reason or None)


def _emg_rows(frame: EmgFrame) -> Iterator[Row]:
    for index, volts in enumerate(frame.volts):
        t_ns = frame.t_ns + round(index * 1e9 / frame.rate_hz)
        head = (frame.sensor, t_ns, frame.arrival_ns, frame.seq + index)
        for channel, volt in enumerate(volts):
            known_uv = volt * MICROVOLTS if frame.valid else None
            yield (*head, channel, known_uv, frame.valid, frame.reason or None)


def _tick_row(tick: Tick, veil: Veil) -> Row:
    view = tick.decision.view
    if view.exercise is not None:
        return _exercise_row(tick, view.exercise)
    mode, reason = (veil.label(tick.now_ns), "") if veil.hidden else (view.mode, tick.decision.reason)
    currents = [channel.current_ma for channel in tick.decision.command.channels if channel is not None]
    return (
        tick.now_ns, tick.seq, tick.deadline, tick.lateness_us, tick.duration_us, mode,
        view.phase_percent, view.swing, view.strides,
        possible_pitch_deg(view.foot_pitch_deg), possible_ankle_deg(view.ankle_deg),
        view.reference_pitch_deg, None if veil.hidden else max(currents, default=None), reason,
    )  # fmt: skip


def _exercise_row(tick: Tick, seen: ExerciseView) -> Row:
    """``activation`` is of the strongest muscle that is heard, ``commanded_ma`` the largest current."""
    heard = [one.activation for one in seen.emg if one.activation is not None]
    support = next((one.support for one in seen.emg if one.support is not None), None)
    currents = [channel.current_ma for channel in tick.decision.command.channels if channel is not None]
    return (
        tick.now_ns, tick.seq, tick.deadline, tick.lateness_us, tick.duration_us,
        seen.control, seen.phase, seen.repetition, seen.given, seen.warming_up,
        max(heard, default=None), support, max(currents, default=None), tick.decision.reason,
    )  # fmt: skip


def _told_rows(events: Iterable[Told], veil: Veil) -> Iterator[tuple[str, Row]]:
    for event in events:
        if event.kind == "stride":
            stride = msgspec.json.decode(event.payload_json, type=StrideTold)
            row = {column.name: getattr(stride, column.name) for column in TABLES["strides"]}
            row["arm"], row["mode"] = veil.name(stride.arm), veil.key.get(stride.arm, stride.mode)
            if not stride.pulses:
                row["current_max_ma"] = None
            if veil.hidden:
                row |= dict.fromkeys(DOSE)
            yield "strides", list(row.values())
        elif event.kind == "contraction":
            one = msgspec.json.decode(event.payload_json, type=ContractionTold)
            cells = {column.name: getattr(one, column.name) for column in TABLES["contractions"]}
            yield "contractions", list((cells if one.pulses else cells | {"current_max_ma": None}).values())
        elif event.kind == "exercise":
            phase = msgspec.json.decode(event.payload_json, type=PhaseTold)
            yield "events", (phase.t_ns, "exercise", phase_words(phase), None, None, None)


def phase_words(phase: PhaseTold) -> str:
    return f"{phase.phase}, {phase.repetition} of {phase.repetitions}"


def file_names(recording: Path, kind: Literal["csv", "parquet"]) -> list[str]:
    """The files that tables of this recording take, the data dictionary among them."""
    return [*(f"{name}.{kind}" for name in tables_of(exercise=is_exercise(recording))), DICTIONARY]


class _Table:
    """One table being written, a batch of rows at a time; written with its columns even when empty."""

    def __init__(self, path: Path, columns: Sequence[Column], stack: ExitStack) -> None:
        self.path = path
        self._schema = pyarrow.schema([_field(column) for column in columns])
        make = pyarrow.csv.CSVWriter if path.suffix == ".csv" else pyarrow.parquet.ParquetWriter
        self._writer = stack.enter_context(make(str(path), self._schema))
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [
            pyarrow.array(column, kind.type) for column, kind in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))
        self._rows.clear()


def write_tables(
    recording: Path, kind: Literal["csv", "parquet"], folder: Path, veil: Veil
) -> tuple[Path, ...]:
    """Write the tables and their data dictionary into ``folder``; returns the files written."""
    wanted = tables_of(exercise=is_exercise(recording))
    with ExitStack() as stack:
        tables = {name: _Table(folder / f"{name}.{kind}", columns, stack) for name, columns in wanted.items()}
        for name, row in _rows(recording, header(recording), veil):
            tables[name].add(row)
        for table in tables.values():
            table.flush()
    with (folder / DICTIONARY).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADS, *dictionary(wanted)])
    return (*(table.path for table in tables.values()), folder / DICTIONARY)


def _field(column: Column) -> pyarrow.Field:
    """With what the data dictionary says of it, which Parquet keeps."""
    said = {
        "unit": column.unit,
        "sign": column.sign,
        "definition": column.definition,
        "source": column.source,
    }
    return pyarrow.field(
        column.name,
        getattr(pyarrow, ARROW_NAMES[column.kind])(),
        metadata={key: text for key, text in said.items() if text},
    )
