"""The three tests as a folder of CSV files, as a foot plate or dynamometer would give them.

Promises to read back what it wrote; refuses a wrong file naming file, line, column, value and the allowed.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.foot_plate import Hold, Marks, StimulationTest, SweepTest, TestSet
from models.plate_units import check_marks, check_stimulation, check_sweep

Array = npt.NDArray[np.float64]

SERIES = ("time_s", "torque_nm")
PULSES = ("time_s", "current_ma", "width_us")
SWEEP = ("time_s", "ankle_deg", "knee_deg", "torque_nm")
HOLDS = ("first_ma", "second_ma", "dorsiflexion_nm", "eversion_nm")
MARKS = ("sensory_ma", "motor_ma", "comfort_ma")


def _write(path: Path, columns: tuple[str, ...], *values: Array) -> None:
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(zip(*(v.tolist() for v in values), strict=True))


def _read(path: Path, columns: tuple[str, ...]) -> list[Array]:
    if not path.is_file():
        raise ValueError(f"{path}: found no such file, allowed: a CSV file with {', '.join(columns)}")
    rows = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            head = tuple(name.strip() for name in next(reader, []))
            if head != columns:
                raise ValueError(f"{path}: line 1: found {', '.join(head)!r}, allowed: {', '.join(columns)}")
            for row in reader:
                if not row:
                    continue
                if len(row) != len(columns):
                    raise ValueError(
                        f"{path}: line {reader.line_num}: found {len(row)} values, allowed: {len(columns)}"
                    )
                rows.append([_number(path, reader.line_num, c, v) for c, v in zip(columns, row, strict=True)])
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: byte {error.start}: found bytes that are no text, allowed: UTF-8 text"
        ) from None
    except csv.Error as error:
        raise ValueError(
            f"{path}: line {reader.line_num}: found {error}, allowed: comma-separated values"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: found {error.strerror}, allowed: a readable file") from None
    if not rows:
        raise ValueError(f"{path}: found no values, allowed: at least one line below the header")
    return [np.array(column) for column in zip(*rows, strict=True)]


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan  # 1_0 is Python, no number
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{path}: line {line}: column {column}: found {text!r}, allowed: a finite number")
    return value


def save_tests(tests: TestSet, folder: Path) -> None:
    """Write ``marks``, ``ramp``, ``ramp_pulses``, ``train``, ``train_pulses`` and ``sweep`` (.csv)."""
    folder.mkdir(parents=True, exist_ok=True)
    m = tests.marks
    _write(folder / "marks.csv", MARKS, *(np.array([x]) for x in (m.sensory_ma, m.motor_ma, m.comfort_ma)))
    for name, test in (("ramp", tests.ramp), ("train", tests.train)):
        width = np.full(test.pulse_times_s.size, test.width_us)
        _write(folder / f"{name}.csv", SERIES, test.t_s, test.torque_nm)
        _write(folder / f"{name}_pulses.csv", PULSES, test.pulse_times_s, test.current_ma, width)
    s = tests.sweep
    _write(folder / "sweep.csv", SWEEP, s.t_s, s.ankle_deg, np.full(s.t_s.size, s.knee_deg), s.torque_nm)


def save_holds(holds: tuple[Hold, ...], folder: Path) -> None:
    """Write ``holds.csv``: a line for each steady train of both channels."""
    _write(folder / "holds.csv", HOLDS, *np.array([(*h.current_ma, *h.torque_nm) for h in holds]).T)


def load_holds(folder: Path) -> tuple[Hold, ...]:
    """Read what :func:`save_holds` writes; none where a folder has no such file: there is one channel."""
    path = folder / "holds.csv"
    if not path.exists():
        return ()
    return tuple(
        Hold((first_ma, second_ma), (dorsiflexion_nm, eversion_nm))
        for first_ma, second_ma, dorsiflexion_nm, eversion_nm in np.array(_read(path, HOLDS)).T.tolist()
    )


def load_tests(folder: Path) -> TestSet:
    """Read what :func:`save_tests` writes. Raises ValueError naming file, line, column and value."""
    path = folder / "marks.csv"
    columns = _read(path, MARKS)
    if columns[0].size != 1:
        raise ValueError(f"{path}: found {columns[0].size} lines of values, allowed: one")
    marks = Marks(*(float(column[0]) for column in columns))
    check_marks(path, marks)
    t_s, ankle, knee, torque = _read(folder / "sweep.csv", SWEEP)
    try:
        sweep = SweepTest(t_s, ankle, float(np.median(knee)), torque)
    except ValueError as wrong:
        raise ValueError(f"{folder / 'sweep.csv'}: {wrong}") from wrong
    check_sweep(folder / "sweep.csv", sweep)
    return TestSet(marks, _stimulation(folder, "ramp"), _stimulation(folder, "train"), sweep)


def _stimulation(folder: Path, name: str) -> StimulationTest:
    t_s, torque = _read(folder / f"{name}.csv", SERIES)
    path = folder / f"{name}_pulses.csv"
    at, current, width = _read(path, PULSES)
    if np.any(width != width[0]):
        raise ValueError(f"{path}: column width_us: found more than one width, allowed: one for the test")
    try:
        test = StimulationTest(t_s, torque, at, current, float(width[0]))
    except ValueError as wrong:
        raise ValueError(f"{folder / name}.csv or {path.name}: {wrong}") from wrong
    check_stimulation(folder / f"{name}.csv", path, test)
    return test
