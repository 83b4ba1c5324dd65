"""A recording in other people's formats: CSV or Parquet tables, EDF+, Motion-BIDS.

Promises every sample, tick, pulse, event and stride of the recording in the tables, with units in the names.
Of a blinded trial the labels alone, without current, unless it is unblinded. Refuses what the reader refuses,
and a format that cannot hold what the recording lacks.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from controller.errors import InputError
from controller.record.arms import trial_key
from controller.record.reader import header, messages, raw_messages
from controller.record.records import (
    TOPICS,
    Arm,
    Clock,
    GuardEvent,
    GuardVerdict,
    Process,
    Record,
    Tick,
    decode,
)
from controller.telemetry.told import StrideTold, Teller, Told
from drivers.interface import EmgFrame, ImuSample

Kind = Literal["csv", "parquet", "edf", "bids"]
Progress = Callable[[int], None]  # messages read so far
Floats = npt.NDArray[np.float64]

BATCH_ROWS = 20_000
PROGRESS_EVERY = 5_000  # messages
GAP_S = 0.25  # EDF+ has no holes: a longer one is bridged by a straight line and annotated
TASK = "walk"

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
        ("phase_charge_uc", _FLOAT), ("frame_seq", _INT), ("packet", _INT),
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
    ],
    "clock": [("monotonic_ns", _INT), ("utc_ns", _INT), ("boottime_ns", _INT)],
}  # fmt: skip

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
    InputError for what is no recording, a folder that cannot be written and a recording without a sample for
    EDF+ and BIDS.
    """
    facts = header(recording)
    veil = _veil(recording, unblind=unblind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if kind in ("csv", "parquet"):
            return _write_tables(recording, kind, folder, progress, veil)
        signals = _read_signals(recording, facts, progress, veil)
        if kind == "edf":
            return _write_edf(recording, signals, folder)
        return _write_bids(recording, signals, folder)
    except OSError as error:
        raise InputError(str(folder), "folder", error.strerror or str(error), "a writable folder") from error


def _rows(
    recording: Path, facts: dict[str, str], progress: Progress, veil: _Veil
) -> Iterator[tuple[str, Row]]:
    """Every row of every table, in the order of the recording."""
    teller = Teller(facts.get("session", recording.stem))
    count = 0
    for count, message in enumerate(raw_messages(recording), 1):
        if message.topic in TOPICS:
            try:
                record = decode(message.topic, message.payload)
            except msgspec.DecodeError as error:
                where = f"message {message.topic!r} at {message.t_ns} ns"
                raise InputError(str(recording), where, str(error), "the shape of its topic") from error
            yield from _rows_of(record, veil)
            yield from _stride_rows(teller.take(message.topic, message.payload), veil)
        if count % PROGRESS_EVERY == 0:
            progress(count)
    yield from _stride_rows(teller.end(), veil)
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
                     record.frame_seq, pulse.packet),
                )  # fmt: skip
        case GuardEvent() if not veil.hidden or record.kind == "trip":
            text = f"{record.state}: {record.text}"
            yield "events", (record.t_ns, f"guard_{record.kind}", text, None, None, record.fault)
        case Arm():
            label = veil.name(record.label or record.mode)
            yield "events", (record.t_ns, f"arm_{record.kind}", label, None, None, None)
        case Process():
            text = f"{record.process}: {record.text}" if record.text else record.process
            yield "events", (record.t_ns, f"process_{record.kind}", text, None, None, None)
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
    mode, reason = (veil.label(tick.now_ns), "") if veil.hidden else (view.mode, tick.decision.reason)
    currents = [channel.current_ma for channel in tick.decision.command.channels if channel is not None]
    return (
        tick.now_ns, tick.seq, tick.deadline, tick.lateness_us, tick.duration_us, mode,
        view.phase_percent, view.swing, view.strides, view.foot_pitch_deg, view.ankle_deg,
        view.reference_pitch_deg, None if veil.hidden else max(currents, default=None), reason,
    )  # fmt: skip


def _stride_rows(events: Iterable[Told], veil: _Veil) -> Iterator[tuple[str, Row]]:
    for event in events:
        if event.kind == "stride":
            stride = msgspec.json.decode(event.payload_json, type=StrideTold)
            row = {name: getattr(stride, name) for name, _ in TABLES["strides"]}
            row["arm"], row["mode"] = veil.name(stride.arm), veil.key.get(stride.arm, stride.mode)
            if veil.hidden:
                row |= dict.fromkeys(DOSE)
            yield "strides", list(row.values())


class _Table:
    """One table being written, a batch of rows at a time; written with its columns even when empty."""

    def __init__(self, name: str, kind: Kind, folder: Path, stack: ExitStack) -> None:
        self.path = folder / f"{name}.{kind}"
        self._schema = pyarrow.schema(TABLES[name])
        make = pyarrow.csv.CSVWriter if kind == "csv" else pyarrow.parquet.ParquetWriter
        self._writer = stack.enter_context(make(str(self.path), self._schema))
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
        tables = {name: _Table(name, kind, folder, stack) for name in TABLES}
        for name, row in _rows(recording, header(recording), progress, veil):
            tables[name].add(row)
        for table in tables.values():
            table.flush()
    return tuple(table.path for table in tables.values())


@dataclass(slots=True)
class _Series:
    """Samples of one source in columns; NaN where not known or not valid."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    t_ns: array[int] = field(default_factory=lambda: array("q"))
    rows: array[float] = field(default_factory=lambda: array("d"))

    def add(self, t_ns: int, values: Iterable[float | None]) -> None:
        self.t_ns.append(t_ns)
        self.rows.extend(math.nan if value is None else value for value in values)

    def columns(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """Times in rising order, and the values, one row a time."""
        t_ns = np.frombuffer(self.t_ns, dtype=np.int64)
        values = np.frombuffer(self.rows, dtype=np.float64).reshape(len(t_ns), len(self.names))
        order = np.argsort(t_ns, kind="stable")
        return t_ns[order], values[order]


@dataclass(slots=True)
class _Signals:
    """What EDF+ and BIDS hold: the series by source, the events, the clock."""

    facts: dict[str, str]
    veil: _Veil = field(default_factory=_Veil)
    imu: dict[str, _Series] = field(default_factory=dict)
    emg: dict[str, _Series] = field(default_factory=dict)
    core: _Series = field(
        default_factory=lambda: _Series(("foot_pitch", "ankle", "command"), ("deg", "deg", "mA"))
    )
    events: list[tuple[int, str, str]] = field(default_factory=list)
    utc_minus_monotonic_ns: int | None = None

    def take(self, record: Record) -> None:
        match record:
            case Tick():
                for sample in record.inputs.imu:
                    series = self.imu.setdefault(sample.sensor, _Series(AXES, AXIS_UNITS))
                    values = (*sample.acc_mps2, *sample.gyr_rps)
                    series.add(sample.t_ns, values if sample.valid else (None,) * len(AXES))
                for frame in record.inputs.emg:
                    self._take_emg(frame)
                view = record.decision.view
                currents = [one.current_ma for one in record.decision.command.channels if one is not None]
                command_ma = None if self.veil.hidden else max(currents, default=0.0)
                self.core.add(record.now_ns, (view.foot_pitch_deg, view.ankle_deg, command_ma))
            case Clock() if self.utc_minus_monotonic_ns is None:
                self.utc_minus_monotonic_ns = record.utc_ns - record.monotonic_ns
            case _:
                pass
        for table, row in _rows_of(record, self.veil):
            if table == "events" and isinstance(row[0], int):
                self.events.append((row[0], str(row[1]), str(row[2])))

    def _take_emg(self, frame: EmgFrame) -> None:
        if not frame.volts:
            return
        channels = len(frame.volts[0])
        names = tuple(f"emg_{channel + 1}" for channel in range(channels))
        series = self.emg.setdefault(frame.sensor, _Series(names, ("uV",) * channels))
        for index, volts in enumerate(frame.volts):
            microvolts = [volt * 1e6 if frame.valid else None for volt in volts]
            series.add(frame.t_ns + round(index * 1e9 / frame.rate_hz), microvolts)

    def all(self) -> Iterator[tuple[str, _Series]]:
        yield from self.imu.items()
        yield from self.emg.items()
        if self.core.t_ns:
            yield "core", self.core

    def utc(self, t_ns: int) -> datetime | None:
        if self.utc_minus_monotonic_ns is None:
            return None
        return datetime.fromtimestamp((t_ns + self.utc_minus_monotonic_ns) / 1e9, UTC)


AXES = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
AXIS_UNITS = ("m/s^2",) * 3 + ("rad/s",) * 3


def _read_signals(recording: Path, facts: dict[str, str], progress: Progress, veil: _Veil) -> _Signals:
    signals = _Signals(facts, veil)
    topics = ("tick", "guard/event", "arm", "process", "clock")
    count = 0
    for count, message in enumerate(messages(recording, topics), 1):
        signals.take(message.record)
        if count % PROGRESS_EVERY == 0:
            progress(count)
    progress(count)
    if not signals.imu and not signals.emg:
        raise InputError(str(recording), "samples", "none", "a recording with at least one sample")
    signals.events.sort()
    return signals


def _write_edf(recording: Path, signals: _Signals, folder: Path) -> tuple[Path, ...]:
    """One EDF+C file: each source on a grid of its own nominal rate, events and gaps as annotations."""
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient
    from edfio import Recording as EdfRecording

    series = {name: one.columns() for name, one in signals.all()}
    begin_ns = min(int(t_ns[0]) for t_ns, _ in series.values())
    end_ns = max(int(t_ns[-1]) for t_ns, _ in series.values())
    seconds = int((end_ns - begin_ns) / 1e9) + 1  # whole data records of one second
    channels: list[EdfSignal] = []
    notes = [((t_ns - begin_ns) / 1e9, f"{kind} {text}".strip()) for t_ns, kind, text in signals.events]
    for name, one in signals.all():
        t_ns, values = series[name]
        at_s = (t_ns - begin_ns) / 1e9
        rate_hz = _rate_hz(at_s)
        grid_s = np.arange(seconds * rate_hz) / rate_hz
        gaps = np.flatnonzero(np.diff(at_s) > GAP_S)
        notes += [(float(at_s[at]), f"gap {name} {at_s[at + 1] - at_s[at]:.3f} s") for at in gaps]
        notes.append((float(at_s[-1]), f"end {name}"))
        for column, label, unit in zip(values.T, one.names, one.units, strict=True):
            if label == "command" and signals.veil.hidden:
                continue  # EDF has no unknown values, and zero would say that no current flowed
            known = np.isfinite(column)
            on_grid = np.interp(grid_s, at_s[known], column[known]) if known.any() else np.zeros(len(grid_s))
            limit = _round_up(float(np.abs(on_grid).max()))
            channels.append(
                EdfSignal(
                    np.clip(on_grid, -limit, limit),
                    rate_hz,
                    label=f"{name} {label}"[:16],
                    transducer_type=name[:80],
                    physical_dimension=unit,
                    physical_range=(-limit, limit),
                )
            )
    start = signals.utc(begin_ns)
    edf = Edf(
        channels,
        patient=Patient(code=_word(signals.facts.get("pseudonym", "X"))),
        recording=EdfRecording(startdate=start.date() if start else None, equipment_code="dorsi"),
        starttime=start.time() if start else None,
        data_record_duration=1.0,
        annotations=[EdfAnnotation(onset, None, text) for onset, text in sorted(notes) if onset >= 0.0],
    )
    path = folder / f"{recording.stem}.edf"
    edf.write(path)
    return (path,)


def _rate_hz(at_s: Floats) -> int:
    """The nominal rate, gaps left aside: whole samples a second, as EDF wants them."""
    steps_s = np.diff(at_s)
    steps_s = steps_s[steps_s > 0.0]
    return max(1, round(1.0 / float(np.median(steps_s)))) if steps_s.size else 1


def _round_up(limit: float) -> float:
    """A range of three digits that holds ``limit``: EDF writes it in eight characters."""
    if limit == 0.0:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(limit)) - 2)
    return float(f"{math.ceil(limit / unit) * unit:.6g}")


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "", text) or "X"


def _label(text: str, otherwise: str) -> str:
    """BIDS labels are letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or otherwise


CHANNEL_COLUMNS = ("name", "component", "type", "tracked_point", "units", "sampling_frequency")


def _write_bids(recording: Path, signals: _Signals, folder: Path) -> tuple[Path, ...]:
    """A BIDS data set of one session: each source a tracking system, the core's angles one more."""
    subject = f"sub-{_label(signals.facts.get('pseudonym', ''), 'unknown')}"
    session = f"ses-{_label(signals.facts.get('session', recording.stem), '1')}"
    place = folder / subject / session / "motion"
    place.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def put(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        written.append(path)

    scans: list[Sequence[object]] = [("filename", "acq_time")]
    for name, one in signals.all():
        stem = f"{subject}_{session}_task-{TASK}_tracksys-{_label(name, 'sensor')}"
        t_ns, values = one.columns()
        at_s = (t_ns - t_ns[0]) / 1e9
        rows = [[f"{at:.6f}", *map(_cell, row)] for at, row in zip(at_s, values, strict=True)]
        put(place / f"{stem}_motion.tsv", _tsv(rows))
        channels = _bids_channels(name, one, _rate_hz(at_s))
        put(place / f"{stem}_channels.tsv", _tsv([CHANNEL_COLUMNS, *channels]))
        put(place / f"{stem}_motion.json", _json(_bids_sidecar(name, at_s, channels, signals.facts)))
        start = signals.utc(int(t_ns[0]))
        acquired = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if start else "n/a"
        scans.append((f"motion/{stem}_motion.tsv", acquired))
        if name == "core":
            events = [
                (f"{(at_ns - int(t_ns[0])) / 1e9:.6f}", "n/a", kind, " ".join(text.split()) or "n/a")
                for at_ns, kind, text in signals.events
            ]
            put(place / f"{stem}_events.tsv", _tsv([("onset", "duration", "trial_type", "text"), *events]))
            put(place / f"{stem}_events.json", _json({"text": {"Description": "What the event says."}}))
    put(folder / subject / session / f"{subject}_{session}_scans.tsv", _tsv(scans))
    put(folder / "participants.tsv", _tsv([("participant_id",), (subject,)]))
    description = {
        "Name": "Dorsi session", "BIDSVersion": "1.10.0", "DatasetType": "raw",
        "GeneratedBy": [{"Name": "dorsi", "Version": signals.facts.get("version", "n/a")}],
    }  # fmt: skip
    put(folder / "dataset_description.json", _json(description))
    put(
        folder / "README",
        f"A session recorded by Dorsi: {recording.name}. Samples are in the sensors' axes.\n",
    )
    return tuple(written)


def _bids_channels(name: str, series: _Series, rate_hz: int) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [("latency", "n/a", "LATENCY", "n/a", "s", rate_hz)]
    for label, unit in zip(series.names, series.units, strict=True):
        stem, _, axis = label.partition("_")
        match stem:
            case "acc" | "gyr":
                kind, component = ("ACCEL" if stem == "acc" else "GYRO"), axis
            case "ankle":
                kind, component = "JNTANG", "n/a"
            case _:
                kind, component = "MISC", "n/a"
        rows.append((label, component, kind, name, unit, rate_hz))
    return rows


def _bids_sidecar(
    name: str, at_s: Floats, channels: Sequence[Sequence[object]], facts: dict[str, str]
) -> dict[str, object]:
    kinds = [str(row[2]) for row in channels]
    seconds = float(at_s[-1])
    counts = {f"{kind}ChannelCount": kinds.count(kind) for kind in sorted(set(kinds))}
    return {
        "TaskName": TASK,
        "SamplingFrequency": _rate_hz(at_s),
        "SamplingFrequencyEffective": (len(at_s) - 1) / seconds if seconds > 0 else "n/a",
        "TrackingSystemName": name,
        "TrackedPointsCount": 1,
        "MotionChannelCount": len(channels),
        "RecordingDuration": seconds,
        "MissingValues": "n/a",
        "SoftwareVersions": f"dorsi {facts.get('version', 'n/a')}",
        **counts,
    }


def _cell(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "n/a"


def _tsv(rows: Iterable[Sequence[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
