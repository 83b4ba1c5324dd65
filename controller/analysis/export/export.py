"""A recording in other people's formats: CSV or Parquet tables, EDF+, Motion-BIDS.

Promises every sample, tick, pulse, event and stride of the recording in the tables, with units in the names.
Of a blinded trial the labels alone, without current, unless it is unblinded. Refuses what the reader refuses,
a format that cannot hold what the recording lacks, and a folder with another recording's files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from controller.analysis.arms import trial_key
from controller.analysis.exercise import is_exercise
from controller.analysis.export.bids import write_bids
from controller.analysis.export.edf import write_edf
from controller.analysis.export.folder import Owners
from controller.analysis.export.signals import Signals
from controller.core.gait.joint_range import possible_ankle_deg, possible_pitch_deg
from controller.core.signals import ExerciseView
from controller.errors import InputError
from controller.record.contractions import Contractions, ContractionTold, PhaseTold
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
from drivers.interface import EmgFrame, ImuSample

Kind = Literal["csv", "parquet", "edf", "bids"]
Progress = Callable[[int], None]  # messages read so far

BATCH_ROWS = 20_000
PROGRESS_EVERY = 5_000  # messages

_INT, _FLOAT, _TEXT, _BOOL = pyarrow.int64(), pyarrow.float64(), pyarrow.string(), pyarrow.bool_()
TABLES: dict[str, list[tuple[str, pyarrow.DataType]]] = {
    "samples": [
        ("sensor", _TEXT), ("t_ns", _INT), ("arrival_ns", _INT), ("seq", _INT),
        ("acc_x_mps2", _FLOAT), ("acc_y_mps2", _FLOAT), ("acc_z_mps2", _FLOAT),
        ("gyr_x_rps", _FLOAT), ("gyr_y_rps", _FLOAT), ("gyr_z_rps", _FLOAT),
        ("valid", _BOOL), ("reason", _TEXT),
    ],
    "emg": [
        ("sensor", _TEXT), ("t_ns", _INT), ("arrival_ns", _INT), ("seq", _INT),
        ("channel", _INT), ("emg_v", _FLOAT), ("valid", _BOOL), ("reason", _TEXT),
    ],
    "ticks": [
        ("now_ns", _INT), ("seq", _INT), ("deadline", _INT), ("lateness_us", _FLOAT), ("duration_us", _FLOAT),
        ("mode", _TEXT), ("phase_percent", _FLOAT), ("swing", _BOOL), ("strides", _INT),
        ("foot_pitch_deg", _FLOAT), ("ankle_deg", _FLOAT), ("reference_pitch_deg", _FLOAT),
        ("commanded_ma", _FLOAT), ("reason", _TEXT),
    ],
    "pulses": [
        ("t_ns", _INT), ("channel", _INT), ("current_ma", _FLOAT), ("width_us", _FLOAT),
        ("phase_charge_uc", _FLOAT), ("frame_seq", _INT), ("packet", _INT), ("cycles", _INT),
    ],
    "events": [
        ("t_ns", _INT), ("kind", _TEXT), ("text", _TEXT), ("emitted_ns", _INT), ("confidence", _FLOAT),
        ("fault", _TEXT),
    ],
    "strides": [
        ("t_ns", _INT), ("stride", _INT), ("arm", _TEXT), ("mode", _TEXT), ("stride_s", _FLOAT),
        ("cadence_spm", _FLOAT), ("swing_s", _FLOAT), ("ankle_at_initial_contact_deg", _FLOAT),
        ("foot_pitch_at_initial_contact_deg", _FLOAT), ("peak_swing_dorsiflexion_deg", _FLOAT),
        ("swing_pitch_rmse_deg", _FLOAT), ("charge_uc", _FLOAT), ("pulses", _INT), ("current_max_ma", _FLOAT),
        ("state", _TEXT),
    ],
    "contractions": [
        ("t_ns", _INT), ("muscle", _TEXT), ("repetition", _INT), ("seconds", _FLOAT), ("pulses", _INT),
        ("charge_uc", _FLOAT), ("current_max_ma", _FLOAT), ("width_us", _FLOAT), ("whole", _BOOL),
        ("warming_up", _BOOL),
    ],
    "clock": [("monotonic_ns", _INT), ("utc_ns", _INT), ("boottime_ns", _INT)],
}  # fmt: skip

# In place of a walk's: an exercise knows no angle and no stride
EXERCISE_TICKS: list[tuple[str, pyarrow.DataType]] = [
    ("now_ns", _INT), ("seq", _INT), ("deadline", _INT), ("lateness_us", _FLOAT), ("duration_us", _FLOAT),
    ("control", _TEXT), ("phase", _TEXT), ("repetition", _INT), ("given", _INT), ("warming_up", _BOOL),
    ("activation", _FLOAT), ("support", _FLOAT), ("commanded_ma", _FLOAT), ("reason", _TEXT),
]  # fmt: skip

# Of a walk, or of an exercise, alone
WALKED, EXERCISED = ("strides",), ("contractions",)
DOSE = ("charge_uc", "pulses", "current_max_ma")  # of a stride

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class _Veil:
    """Over a blinded trial: what gives an arm's mode away is left out, or with the ``key`` is named."""

    hidden: bool = False
    arms: tuple[tuple[int, str], ...] = ()  # begin and label, in order
    key: Mapping[str, str] = field(default_factory=dict)  # label to mode

    def label(self, t_ns: int) -> str:
        """Of the arm at that time; empty before the first."""
        return next((label for begin_ns, label in reversed(self.arms) if begin_ns <= t_ns), "")

    def name(self, label: str) -> str:
        return f"{label}: {self.key[label]}" if label in self.key else label


def _veil(recording: Path, *, unblind: bool) -> _Veil:
    arms = [m.record for m in messages(recording, ("arm",)) if isinstance(m.record, Arm)]
    if not any(arm.blinded for arm in arms):
        return _Veil()
    if unblind:
        return _Veil(key=trial_key(recording))
    return _Veil(hidden=True, arms=tuple((arm.t_ns, arm.label) for arm in arms if arm.kind == "begin"))


def export(
    recording: Path, kind: Kind, folder: Path, progress: Progress, *, unblind: bool = False
) -> tuple[Path, ...]:
    """Write ``recording`` into ``folder``; returns the files written.

    Of a blinded trial everything that gives an arm's mode away is left out, unless ``unblind``. Raises
    InputError for what is no recording, a folder that cannot be written or holds another recording's files,
    and a recording without a sample for EDF+ and BIDS.
    """
    facts = header(recording)
    veil = _veil(recording, unblind=unblind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        owners = Owners(folder, recording)
        if kind in ("csv", "parquet"):
            for name in _tables(recording):
                owners.claim(f"{name}.{kind}")
            owners.keep()
            return _write_tables(recording, kind, folder, progress, veil)
        signals = _read_signals(recording, facts, progress, veil)
        if kind == "bids":
            return write_bids(recording, signals, folder, owners)
        paths = write_edf(recording, signals, folder, owners.claim)
        owners.keep()
        return paths
    except OSError as error:
        raise InputError(str(folder), "folder", error.strerror or str(error), "a writable folder") from error


def _rows(
    recording: Path, facts: dict[str, str], progress: Progress, veil: _Veil
) -> Iterator[tuple[str, Row]]:
    """Every row of every table, in the order of the recording."""
    teller = Teller(facts.get("session", recording.stem), facts.get("mode", ""), unblind=bool(veil.key))
    count = 0
    for count, message in enumerate(raw_messages(recording), 1):
        if message.topic in TOPICS:
            yield from _rows_of(read(message), veil)
            yield from _told_rows(teller.take(message.topic, message.payload), veil)
        if count % PROGRESS_EVERY == 0:
            progress(count)
    yield from _told_rows(teller.end(), veil)
    progress(count)


def _rows_of(record: Record, veil: _Veil) -> Iterator[tuple[str, Row]]:
    match record:
        case Tick():
            for sample in record.inputs.imu:
                yield "samples", _sample_row(sample)
            for frame in record.inputs.emg:
                yield from (("emg", row) for row in _emg_rows(frame))
            yield "ticks", _tick_row(record, veil)
            for event in record.decision.events:
                yield "events", (event.t_ns, event.kind, "", event.emitted_ns, event.confidence, None)
        case GuardVerdict() if not veil.hidden:
            for pulse in record.pulses:
                yield (
                    "pulses",
                    (pulse.t_ns, pulse.channel, pulse.current_ma, pulse.width_us, pulse.phase_charge_uc,
                     record.frame_seq, pulse.packet, pulse.cycles),
                )  # fmt: skip
        case GuardEvent() if not veil.hidden or record.kind == "trip":
            word = guard_word(record)
            text = f"{word.state}: {word.text}"
            yield "events", (word.t_ns, f"guard_{word.kind}", text, None, None, word.fault)
        case Arm():
            label = veil.name(record.label or record.mode)
            yield "events", (record.t_ns, f"arm_{record.kind}", label, None, None, None)
        case Unreadable():
            text = f"{record.topic}: {record.why}"
            yield "events", (record.t_ns, "unreadable_message", text, None, None, None)
        case Process():
            told = process_word(record)
            text = f"{told.process}: {told.text}" if told.text else told.process
            yield "events", (told.t_ns, f"process_{told.kind}", text, None, None, None)
        case Clock():
            yield "clock", (record.monotonic_ns, record.utc_ns, record.boottime_ns)
        case _:
            return


def _sample_row(sample: ImuSample) -> Row:
    head = (sample.sensor, sample.t_ns, sample.arrival_ns, sample.seq)
    return (*head, *sample.acc_mps2, *sample.gyr_rps, sample.valid, sample.reason)


def _emg_rows(frame: EmgFrame) -> Iterator[Row]:
    for index, volts in enumerate(frame.volts):
        t_ns = frame.t_ns + round(index * 1e9 / frame.rate_hz)
        head = (frame.sensor, t_ns, frame.arrival_ns, frame.seq + index)
        for channel, volt in enumerate(volts):
            yield (*head, channel, volt, frame.valid, frame.reason)


def _tick_row(tick: Tick, veil: _Veil) -> Row:
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


def columns_of(name: str, *, exercise: bool) -> list[tuple[str, pyarrow.DataType]]:
    """A table's columns; of an exercise ticks have their own."""
    return EXERCISE_TICKS if exercise and name == "ticks" else TABLES[name]


def _told_rows(events: Iterable[Told], veil: _Veil) -> Iterator[tuple[str, Row]]:
    for event in events:
        if event.kind == "stride":
            stride = msgspec.json.decode(event.payload_json, type=StrideTold)
            row = {name: getattr(stride, name) for name, _ in TABLES["strides"]}
            row["arm"], row["mode"] = veil.name(stride.arm), veil.key.get(stride.arm, stride.mode)
            if veil.hidden:
                row |= dict.fromkeys(DOSE)
            yield "strides", list(row.values())
        elif event.kind == "contraction":
            one = msgspec.json.decode(event.payload_json, type=ContractionTold)
            yield "contractions", [getattr(one, name) for name, _ in TABLES["contractions"]]
        elif event.kind == "exercise":
            phase = msgspec.json.decode(event.payload_json, type=PhaseTold)
            yield "events", (phase.t_ns, "exercise", _phase_words(phase), None, None, None)


def _phase_words(phase: PhaseTold) -> str:
    return f"{phase.phase}, {phase.repetition} of {phase.repetitions}"


def _tables(recording: Path) -> list[str]:
    """Those that a recording of its therapy has."""
    others = WALKED if is_exercise(recording) else EXERCISED
    return [name for name in TABLES if name not in others]


class _Table:
    """One table being written, a batch of rows at a time; written with its columns even when empty."""

    def __init__(self, path: Path, columns: list[tuple[str, pyarrow.DataType]], stack: ExitStack) -> None:
        self.path = path
        self._schema = pyarrow.schema(columns)
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


def _write_tables(
    recording: Path, kind: Kind, folder: Path, progress: Progress, veil: _Veil
) -> tuple[Path, ...]:
    with ExitStack() as stack:
        exercise = is_exercise(recording)
        tables = {
            name: _Table(folder / f"{name}.{kind}", columns_of(name, exercise=exercise), stack)
            for name in _tables(recording)
        }
        for name, row in _rows(recording, header(recording), progress, veil):
            tables[name].add(row)
        for table in tables.values():
            table.flush()
    return tuple(table.path for table in tables.values())


def _read_signals(recording: Path, facts: dict[str, str], progress: Progress, veil: _Veil) -> Signals:
    signals = Signals(facts, veil.hidden)
    topics = ("tick", "guard/event", "arm", "process", "clock")
    phases = Contractions()
    count = 0
    for count, message in enumerate(messages(recording, topics), 1):
        record = message.record
        signals.take(record)
        for table, row in _rows_of(record, veil):
            if table == "events" and isinstance(row[0], int):
                signals.events.append((row[0], str(row[1]), str(row[2])))
        if isinstance(record, Tick) and (seen := record.decision.view.exercise) is not None:
            told = [one for one in phases.take_tick(record.now_ns, seen) if isinstance(one, PhaseTold)]
            signals.events += ((one.t_ns, "exercise", _phase_words(one)) for one in told)
        if count % PROGRESS_EVERY == 0:
            progress(count)
    progress(count)
    if not signals.imu and not signals.emg and not signals.core.points:  # an exercise may need no sensor
        raise InputError(str(recording), "samples", "none", "a recording with at least one sample")
    signals.events.sort()
    return signals
