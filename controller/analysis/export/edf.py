"""A recording as EDF+C, one file a rate: sources on the grid of their rate; events, pulses, gaps annotated.

One file a rate: a reader that brings all signals to one changes their values (findings/mne-mixed-rates.sh).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from controller.analysis.export.signals import COMMAND, Floats, Series, Signals, apart, measured_hz, rate_hz
from controller.analysis.export.sources import Sources
from controller.errors import InputError
from controller.untrusted import clean

MISSING_MAX = 1  # EDF+C has no holes: where more samples are missing in a row it is zero and annotated
LABEL_MAX, TRANSDUCER_MAX = 16, 80  # characters EDF has for them
YEARS = range(1985, 2085)  # that its two digits stand for
CORE_HZ = 200  # of the core's grid: it is stepped by the clock and by every sample, so never evenly
CORE_GAP_S = 0.25  # no reader takes a tick for a sample: a step that is late is no gap
DIGITAL = (-32767, 32767)  # as far down as up: zero is exactly zero
HALF_US_S = 5e-7  # a sample on a point of the grid counts there, however its time was rounded
SECONDS_MAX = 24 * 3600  # of a session; more is a time stamp gone wrong
APART_S_MAX = 600.0  # events so long before the first sample, or after the last, make the file longer

# From the last tick on; at the nearest point, so that no value is made up; on a line from one to the next.
Way = Literal["held", "nearest", "line"]


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation; times in s from the file's begin."""

    onset_s: float
    text: str
    long_s: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One source's columns, at times in s from the file's begin."""

    name: str
    series: Series
    at_s: Floats
    values: Floats
    each_hz: int
    gap_s: float


@dataclass(frozen=True, slots=True)
class EdfSession:
    """What all files of a recording have in common."""

    patient: str
    start: datetime | None
    begin_ns: int
    seconds: int
    sources: tuple[Source, ...]
    notes: tuple[Note, ...]


def write_edf(
    recording: Path, signals: Signals, folder: Path, claim: Callable[[str], None], sources: Sources
) -> tuple[Path, ...]:
    """Write ``folder/<recording>.edf``, or where rates differ ``<recording>_<rate>hz.edf`` for each.

    ``claim`` hears each file's name before anything is written. All begin at once, on a whole second of UTC;
    without a start date where the wall clock was never set. Raises InputError where the recording holds what
    EDF+ cannot.
    """
    session = edf_session(recording, signals, sources)
    rates = list(dict.fromkeys(one.each_hz for one in session.sources))
    stem = recording.stem
    names = {each_hz: f"{stem}_{each_hz}hz.edf" if len(rates) > 1 else f"{stem}.edf" for each_hz in rates}
    for name in names.values():
        claim(name)
    for each_hz, name in names.items():
        write_file(
            recording, folder / name, session, [one for one in session.sources if one.each_hz == each_hz]
        )
    return tuple(folder / name for name in names.values())


def edf_session(recording: Path, signals: Signals, sources: Sources) -> EdfSession:
    """All that the files are made of. Raises InputError for a recording longer than SECONDS_MAX."""
    series = [(name, one, *one.columns()) for name, one in signals.all()]
    first_ns = min(int(t_ns[0]) for _, _, t_ns, _ in series)
    last_ns = max(int(t_ns[-1]) for _, _, t_ns, _ in series)
    apart_ns = round(APART_S_MAX * 1e9)
    told_ns = [t_ns for t_ns, _, _ in signals.events]
    told_ns += (given.pulse.t_ns for given in signals.pulses)
    near_ns = [t_ns for t_ns in told_ns if first_ns - apart_ns <= t_ns <= last_ns + apart_ns]
    begin_ns, end_ns = min([first_ns, *near_ns]), max([last_ns, *near_ns])
    start = signals.utc(begin_ns)
    if start is not None and start.year not in YEARS:
        start = None
    if start is not None:
        begin_ns -= start.microsecond * 1000
        start = start.replace(microsecond=0)
    seconds = int((end_ns - begin_ns) / 1e9) + 1  # whole data records of one second
    if seconds > SECONDS_MAX:
        raise InputError(
            str(recording), "samples", f"{seconds} s from first to last", f"1 to {SECONDS_MAX} s"
        )
    made = []
    for name, one, t_ns, values in series:
        at_s, is_core = (t_ns - begin_ns) / 1e9, one is signals.core
        each_hz = CORE_HZ if is_core else rate_hz(name, one, at_s, sources)
        slow_hz = min(
            each_hz, measured_hz(at_s)
        )  # a device that runs slower than it should has no gap for that
        gap_s = CORE_GAP_S if is_core else (MISSING_MAX + 1.5) / slow_hz
        made.append(Source(name, one, at_s, values, each_hz, gap_s))

    def placed(t_ns: int, text: str, long_s: float | None = None) -> Note:
        at_s = (t_ns - begin_ns) / 1e9
        if at_s < 0.0:
            return Note(0.0, f"{text} ({-at_s:.1f} s earlier)", long_s)
        if at_s > seconds:
            return Note(float(seconds), f"{text} ({at_s - seconds:.1f} s later)", long_s)
        return Note(at_s, text, long_s)

    notes = [placed(t_ns, f"{kind} {text}") for t_ns, kind, text in signals.events]
    notes += (placed(given.pulse.t_ns, given.words, given.seconds) for given in signals.pulses)
    notes += (Note(0.0, f"size assumed, its gain is not told: {each}") for each in sources.assumed())
    patient = _word(signals.facts.get("pseudonym", "X"))
    return EdfSession(patient, start, begin_ns, seconds, tuple(made), tuple(notes))


def write_file(recording: Path, path: Path, session: EdfSession, sources: Sequence[Source]) -> None:
    """One file of sources of one rate. Raises InputError where they hold what EDF+ cannot."""
    try:
        _write(path, session, sources)
    except ValueError as error:
        what = ", ".join(one.name for one in sources)
        raise InputError(str(recording), what, str(error), "values EDF+ holds") from None


def edf_labels(sources: Sequence[Source]) -> list[str]:
    """Of every column of every source in one file: short, different, each ending with its column."""
    labels: set[str] = set()
    taken: set[str] = set()
    made = []
    for source in sources:
        columns = source.series.names
        short = apart(taken, _ascii(source.name), LABEL_MAX - 1 - max(map(len, columns)))
        made += [apart(labels, f"{short} {column}", LABEL_MAX) for column in columns]
    return made


def _write(path: Path, session: EdfSession, sources: Sequence[Source]) -> None:
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient
    from edfio import Recording as EdfRecording

    start = session.start
    channels: list[EdfSignal] = []
    notes = list(session.notes)
    labels = iter(edf_labels(sources))
    for source in sources:
        grid_s = np.arange(session.seconds * source.each_hz) / source.each_hz
        one = source.series
        ways = [_way(column) for column in one.names]
        currents = [way == "held" for way in ways]
        known = np.where(currents & np.isnan(source.values), 0.0, source.values)  # off is 0
        notes += _gap_notes(source, known)
        points = one.points or (source.name,) * len(one.names)
        for at, way in enumerate(ways):
            on_grid = _on_grid(grid_s, source, known[:, at], way)
            limit = _round_up(float(np.abs(on_grid).max()))
            channels.append(
                EdfSignal(
                    np.clip(on_grid, -limit, limit),
                    source.each_hz,
                    label=next(labels),
                    transducer_type=_ascii(points[at])[:TRANSDUCER_MAX],
                    physical_dimension=one.units[at],
                    physical_range=(-limit, limit),
                    digital_range=DIGITAL,
                )
            )
    Edf(
        channels,
        patient=Patient(code=session.patient),
        recording=EdfRecording(startdate=start.date() if start else None, equipment_code="dorsi"),
        starttime=start.time() if start else None,
        data_record_duration=1.0,
        annotations=[
            EdfAnnotation(note.onset_s, note.long_s, _line(note.text))
            for note in sorted(notes, key=lambda note: (note.onset_s, note.text))
        ],
    ).write(path)


def _way(column: str) -> Way:
    if column.startswith(COMMAND):
        return "held"
    return "nearest" if column.startswith("emg") else "line"


def _on_grid(grid_s: Floats, source: Source, column: Floats, way: Way) -> Floats:
    """A column at the grid's times; 0 in a gap."""
    known = np.isfinite(column)
    at_s, column = source.at_s[known], column[known]
    if not column.size:
        return np.zeros(len(grid_s))
    place = np.searchsorted(at_s, grid_s + HALF_US_S, side="right")
    if way == "held":
        values = np.concatenate(([0.0], column))[place]
    elif way == "nearest":
        before, after = np.maximum(place - 1, 0), np.minimum(place, len(at_s) - 1)
        values = column[np.where(grid_s - at_s[before] <= at_s[after] - grid_s, before, after)]
    else:
        values = np.interp(grid_s, at_s, column)
    edges_s = np.concatenate(([grid_s[0]], at_s, [max(at_s[-1], grid_s[-1])]))
    inside = np.abs(grid_s - edges_s[place]) > HALF_US_S  # not on the sample before
    values[inside & (np.diff(edges_s)[place] > source.gap_s)] = 0.0
    return np.asarray(values, dtype=np.float64)


def _gap_notes(source: Source, values: Floats) -> Iterator[Note]:
    """Where nothing is known for longer than it may be, missing or not valid; by column where they differ."""
    at_s, columns = source.at_s, source.series.names
    gaps = [_gaps(at_s[np.isfinite(column)], float(at_s[-1]), source.gap_s) for column in values.T]
    told = {source.name: gaps[0]}
    if any(each != gaps[0] for each in gaps):
        told = {f"{source.name} {column}": each for column, each in zip(columns, gaps, strict=True)}
    for what, each in told.items():
        for begin_s, long_s in each:
            yield Note(begin_s, f"gap {what} {long_s:.3f} s", long_s)
    yield Note(float(at_s[-1]), f"end {source.name}")


def _gaps(known_s: Floats, end_s: float, gap_s: float) -> list[tuple[float, float]]:
    """Begin and length of each, from the file's begin to the source's end."""
    edges_s = np.concatenate(([0.0], known_s, [end_s]))
    return [
        (float(edges_s[at]), float(edges_s[at + 1] - edges_s[at]))
        for at in np.flatnonzero(np.diff(edges_s) > gap_s)
    ]


def _round_up(limit: float) -> float:
    """A range of three digits that holds ``limit``: EDF writes it in eight characters."""
    if limit == 0.0:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(limit)) - 2)
    return float(f"{math.ceil(limit / unit) * unit:.6g}")


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "", text) or "X"


def _ascii(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text) or "?"


def _line(text: str) -> str:
    """Without the control characters that part one annotation from the next."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", clean(text)).strip()
