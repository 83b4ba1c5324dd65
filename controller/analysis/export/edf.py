"""A recording as one EDF+C file: each source on a grid of its own rate, events and gaps as annotations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from controller.analysis.export.signals import Floats, Signals, apart, rate_hz
from controller.errors import InputError
from controller.untrusted import clean

GAP_S = 0.25  # EDF+ has no holes: a longer one is bridged by a straight line and annotated
LABEL_MAX, TRANSDUCER_MAX = 16, 80  # characters EDF has for them
YEARS = range(1985, 2085)  # that its two digits stand for
SECONDS_MAX = 24 * 3600  # of a session; more is a time stamp gone wrong


def write_edf(recording: Path, signals: Signals, folder: Path) -> Path:
    """Write ``folder/<recording>.edf``. Without a start date where the wall clock was never set.

    Raises InputError where the recording holds what EDF+ cannot.
    """
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient
    from edfio import Recording as EdfRecording

    series = [(name, one, *one.columns()) for name, one in signals.all()]
    begin_ns = min(int(t_ns[0]) for _, _, t_ns, _ in series)
    end_ns = max(int(t_ns[-1]) for _, _, t_ns, _ in series)
    seconds = int((end_ns - begin_ns) / 1e9) + 1  # whole data records of one second
    if seconds > SECONDS_MAX:
        raise InputError(
            str(recording), "samples", f"{seconds} s from first to last", f"1 to {SECONDS_MAX} s"
        )
    channels: list[EdfSignal] = []
    notes = [((t_ns - begin_ns) / 1e9, f"{kind} {text}") for t_ns, kind, text in signals.events]
    labels: set[str] = set()
    taken: set[str] = set()
    shorts: dict[str, str] = {}
    for name, one, t_ns, values in series:
        at_s = (t_ns - begin_ns) / 1e9
        each_hz = rate_hz(at_s)
        grid_s = np.arange(seconds * each_hz) / each_hz
        if name not in shorts:
            shorts[name] = apart(taken, _ascii(name), LABEL_MAX - 1 - max(map(len, one.names)))
        shown = [at for at, label in enumerate(one.names) if not (label == "command" and signals.hidden)]
        notes += _gap_notes(name, [one.names[at] for at in shown], at_s, values[:, shown])
        points = one.points or (name,) * len(one.names)
        for column, label, unit, point in zip(values.T, one.names, one.units, points, strict=True):
            if label == "command" and signals.hidden:
                continue  # EDF has no unknown values, and zero would say that no current flowed
            known = np.isfinite(column)
            on_grid = np.interp(grid_s, at_s[known], column[known]) if known.any() else np.zeros(len(grid_s))
            limit = _round_up(float(np.abs(on_grid).max()))
            try:
                channels.append(
                    EdfSignal(
                        np.clip(on_grid, -limit, limit),
                        each_hz,
                        label=apart(labels, f"{shorts[name]} {label}", LABEL_MAX),
                        transducer_type=_ascii(point)[:TRANSDUCER_MAX],
                        physical_dimension=unit,
                        physical_range=(-limit, limit),
                    )
                )
            except ValueError as error:
                raise InputError(str(recording), f"{name} {label}", str(error), "values EDF+ holds") from None
    start = signals.utc(begin_ns)
    if start is not None and start.year not in YEARS:
        start = None
    edf = Edf(
        channels,
        patient=Patient(code=_word(signals.facts.get("pseudonym", "X"))),
        recording=EdfRecording(startdate=start.date() if start else None, equipment_code="dorsi"),
        starttime=start.time() if start else None,
        data_record_duration=1.0,
        annotations=[
            EdfAnnotation(onset, None, _line(text))
            for onset, text in sorted(notes)
            if 0.0 <= onset <= seconds
        ],
    )
    path = folder / f"{recording.stem}.edf"
    edf.write(path)
    return path


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
