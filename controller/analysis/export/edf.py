"""A recording as EDF+C, one file a rate: sources on the grid of their rate, events and gaps as annotations.

One file a rate: a reader that brings all signals to one changes their values (findings/mne-mixed-rates.sh).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from controller.analysis.export.signals import COMMAND, Floats, Series, Signals, apart, rate_hz
from controller.errors import InputError
from controller.untrusted import clean

GAP_S = 0.25  # EDF+C has no holes: a longer one is zero and annotated
LABEL_MAX, TRANSDUCER_MAX = 16, 80  # characters EDF has for them
YEARS = range(1985, 2085)  # that its two digits stand for
CORE_HZ = 200  # of the core's grid: it is stepped by the clock and by every sample, so never evenly
DIGITAL = (-32767, 32767)  # as far down as up: zero is exactly zero
HALF_US_S = 5e-7  # a sample on a point of the grid counts there, however its time was rounded
SECONDS_MAX = 24 * 3600  # of a session; more is a time stamp gone wrong

_Sources = list[tuple[str, Series, Floats, Floats]]  # name, columns, times in s, values


def write_edf(
    recording: Path, signals: Signals, folder: Path, claim: Callable[[str], None]
) -> tuple[Path, ...]:
    """Write ``folder/<recording>.edf``, or where rates differ ``<recording>_<rate>hz.edf`` for each.

    ``claim`` hears each file's name before anything is written. All begin at once, on a whole second of UTC;
    without a start date where the wall clock was never set. Raises InputError where the recording holds what
    EDF+ cannot.
    """
    series = [(name, one, *one.columns()) for name, one in signals.all()]
    begin_ns = min(int(t_ns[0]) for _, _, t_ns, _ in series)
    end_ns = max(int(t_ns[-1]) for _, _, t_ns, _ in series)
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
    by_rate: dict[int, _Sources] = {}
    for name, one, t_ns, values in series:
        at_s = (t_ns - begin_ns) / 1e9
        each_hz = CORE_HZ if one is signals.core else rate_hz(at_s)
        by_rate.setdefault(each_hz, []).append((name, one, at_s, values))
    events = tuple(((t_ns - begin_ns) / 1e9, f"{kind} {text}") for t_ns, kind, text in signals.events)
    session = _Session(_word(signals.facts.get("pseudonym", "X")), start, seconds, events)
    stem = recording.stem
    names = {each_hz: f"{stem}_{each_hz}hz.edf" if len(by_rate) > 1 else f"{stem}.edf" for each_hz in by_rate}
    for name in names.values():
        claim(name)
    for each_hz, sources in by_rate.items():
        try:
            _write(folder / names[each_hz], session, each_hz, sources)
        except ValueError as error:
            what = ", ".join(name for name, *_ in sources)
            raise InputError(str(recording), what, str(error), "values EDF+ holds") from None
    return tuple(folder / name for name in names.values())


@dataclass(frozen=True, slots=True)
class _Session:
    """What all files of a recording have in common; the events' times in s from the begin."""

    patient: str
    start: datetime | None
    seconds: int
    events: tuple[tuple[float, str], ...]


def _write(path: Path, session: _Session, each_hz: int, sources: _Sources) -> None:
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient
    from edfio import Recording as EdfRecording

    start = session.start
    grid_s = np.arange(session.seconds * each_hz) / each_hz
    channels: list[EdfSignal] = []
    notes = list(session.events)
    labels: set[str] = set()
    taken: set[str] = set()
    for name, one, at_s, values in sources:
        short = apart(taken, _ascii(name), LABEL_MAX - 1 - max(map(len, one.names)))
        currents = [column.startswith(COMMAND) for column in one.names]
        known = np.where(currents & np.isnan(values), 0.0, values)  # EDF has no empty cell for a current off
        notes += _gap_notes(name, one.names, at_s, known)
        points = one.points or (name,) * len(one.names)
        for at, held in enumerate(currents):
            on_grid = _on_grid(grid_s, at_s, known[:, at], held=held)
            limit = _round_up(float(np.abs(on_grid).max()))
            channels.append(
                EdfSignal(
                    np.clip(on_grid, -limit, limit),
                    each_hz,
                    label=apart(labels, f"{short} {one.names[at]}", LABEL_MAX),
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
            EdfAnnotation(onset, None, _line(text))
            for onset, text in sorted(notes)
            if 0.0 <= onset <= session.seconds
        ],
    ).write(path)


def _on_grid(grid_s: Floats, at_s: Floats, column: Floats, *, held: bool) -> Floats:
    """A column at the grid's times: a line from sample to sample, or ``held`` until the next; 0 in a gap."""
    known = np.isfinite(column)
    at_s, column = at_s[known], column[known]
    if not column.size:
        return np.zeros(len(grid_s))
    place = np.searchsorted(at_s, grid_s + HALF_US_S, side="right")
    values = np.concatenate(([0.0], column))[place] if held else np.interp(grid_s, at_s, column)
    edges_s = np.concatenate(([grid_s[0]], at_s, [max(at_s[-1], grid_s[-1])]))
    inside = np.abs(grid_s - edges_s[place]) > HALF_US_S  # not on the sample before
    values[inside & (np.diff(edges_s)[place] > GAP_S)] = 0.0
    return np.asarray(values, dtype=np.float64)


def _gap_notes(
    name: str, columns: Sequence[str], at_s: Floats, values: Floats
) -> Iterator[tuple[float, str]]:
    """Where nothing is known for longer than GAP_S, missing or not valid; by column where they differ."""
    gaps = [_gaps(at_s[np.isfinite(column)], float(at_s[-1])) for column in values.T]
    told = {name: gaps[0]}
    if any(each != gaps[0] for each in gaps):
        told = {f"{name} {column}": each for column, each in zip(columns, gaps, strict=True)}
    for what, each in told.items():
        for begin_s, long_s in each:
            yield begin_s, f"gap {what} {long_s:.3f} s"
    yield float(at_s[-1]), f"end {name}"


def _gaps(known_s: Floats, end_s: float) -> list[tuple[float, float]]:
    """Begin and length of each, from the file's begin to the source's end."""
    edges_s = np.concatenate(([0.0], known_s, [end_s]))
    return [
        (float(edges_s[at]), float(edges_s[at + 1] - edges_s[at]))
        for at in np.flatnonzero(np.diff(edges_s) > GAP_S)
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
