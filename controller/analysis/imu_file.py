"""Loads one inertial sensor's recording from CSV or Parquet into SI units.

Promises finite values, a later time for each sample and units taken from the column names; refuses
everything else with file, column, line, value and what is allowed. Columns it does not know are left alone.
"""

from __future__ import annotations

import csv
import difflib
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from controller.errors import InputError
from controller.untrusted import number
from drivers.interface import Vec3

STANDARD_GRAVITY_MPS2 = 9.80665
ACC_UNITS = {"g": STANDARD_GRAVITY_MPS2, "mps2": 1.0}
GYR_UNITS = {"dps": math.pi / 180.0, "rps": 1.0}
ACC_LIMIT_MPS2 = 400.0 * STANDARD_GRAVITY_MPS2  # high-range sensors end at 400 g
GYR_LIMIT_RPS = math.radians(4000.0)  # the widest range of body-worn gyroscopes
GRAVITY_MIN_MPS2, GRAVITY_MAX_MPS2 = (
    4.0,
    25.0,
)  # a walking limb's median must show gravity, or the unit is wrong
STEP_MIN_S, STEP_MAX_S = (
    0.0005,
    0.1,
)  # 10 to 2000 samples a second: a time column in other units falls outside
ROUNDING = 1e-6  # a share of a bound: times and units are decimal numbers, doubles are not
TIME_LIMIT_S = 9.2e9  # a clock in nanoseconds of 64 bits ends here; a later time is in milliseconds or less
GRAVITY_WINDOW_S = 3.0  # holds whole strides: what is left of acceleration in their mean is gravity
SAMPLES_MAX = 10_000_000  # 100 a second for a day; a small Parquet file can claim any number
PLAUSIBLE_FROM_SAMPLES = 50  # medians of fewer say nothing

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SensorRecording:
    """One sensor's samples: ``time_s`` (N,) rising, ``acc_mps2`` and ``gyr_rps`` (N, 3), sensor
    axes.
    """

    time_s: NDArray[np.float64]
    acc_mps2: NDArray[np.float64]
    gyr_rps: NDArray[np.float64]

    def samples(self) -> Iterator[tuple[int, Vec3, Vec3]]:
        """One ``(t_ns, acc_mps2, gyr_rps)`` a sample, in order."""
        times = np.rint(self.time_s * 1e9).astype(np.int64).tolist()
        for t_ns, acc, gyr in zip(times, self.acc_mps2.tolist(), self.gyr_rps.tolist(), strict=True):
            yield t_ns, (acc[0], acc[1], acc[2]), (gyr[0], gyr[1], gyr[2])


def load_sensor_file(path: Path) -> SensorRecording:
    """Read ``path`` (``.csv`` or ``.parquet``) whole; raises InputError on anything but a sound recording."""
    source = str(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(source, "file name", path.name, "a name ending in .csv or .parquet")
    if not path.is_file():
        raise InputError(source, "file", "nothing there", "an existing file")
    columns = _read_parquet(path) if suffix == ".parquet" else _read_csv(path)
    first_line = 1 if suffix == ".parquet" else 2
    time_s = columns["time_s"]
    acc, gyr = (
        np.column_stack([_scaled(columns, f"{kind}_{axis}", units) for axis in "xyz"])
        for kind, units in (("acc", ACC_UNITS), ("gyr", GYR_UNITS))
    )
    _check_time(source, time_s, first_line)
    _check_range(source, "acc", acc, first_line)
    _check_range(source, "gyr", gyr, first_line)
    _check_units(source, time_s, acc)
    return SensorRecording(time_s, acc, gyr)


def choose_columns(source: str, names: list[str]) -> list[str]:
    """The seven columns to read; raises InputError naming what is missing, doubled or has another unit."""
    chosen = []
    wanted: list[tuple[str, dict[str, float]]] = [("time", {"s": 1.0})]
    wanted += [(f"acc_{axis}", ACC_UNITS) for axis in "xyz"] + [(f"gyr_{axis}", GYR_UNITS) for axis in "xyz"]
    for stem, units in wanted:
        allowed = " or ".join(f"{stem}_{unit}" for unit in units)
        fitting = [name for name in names if name in {f"{stem}_{unit}" for unit in units}]
        if len(fitting) == 1:
            chosen.append(fitting[0])
            continue
        if fitting:
            raise InputError(source, f"column {stem}", ", ".join(fitting), f"exactly one of {allowed}")
        other = [name for name in names if name == stem or name.startswith(stem + "_")]
        if other:
            raise InputError(source, f"column {other[0]}", f"unit {other[0][len(stem) :]!r}", allowed)
        nearest = difflib.get_close_matches(f"{stem}_{next(iter(units))}", names, n=1, cutoff=0.4)
        hint = f"nearest is {nearest[0]!r}" if nearest else "none like it"
        raise InputError(source, f"column {stem}", f"missing ({hint})", allowed)
    return chosen


def _scaled(columns: dict[str, Column], stem: str, units: dict[str, float]) -> Column:
    for unit, factor in units.items():
        column = columns.get(f"{stem}_{unit}")
        if column is not None:
            return column * factor
    raise KeyError(stem)


def _number(source: str, name: str, line: int, cell: str) -> float:
    value = number(cell)
    if value is None:
        raise InputError(source, f"column {name}, line {line}", cell, "a number")
    if not math.isfinite(value):
        raise InputError(source, f"column {name}, line {line}", cell, "a finite number")
    return value


def _read_csv(path: Path) -> dict[str, Column]:
    source = str(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if not header:
                raise InputError(source, "file", "empty", "a header line and samples")
            names = choose_columns(source, header)
            at = [header.index(name) for name in names]
            values = [array("d") for _ in names]
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        source, f"line {rows.line_num}", f"{len(row)} cells", f"{len(header)} cells"
                    )
                if len(values[0]) >= SAMPLES_MAX:
                    raise InputError(
                        source, "file", f"more than {SAMPLES_MAX:,} samples", "a shorter recording"
                    )
                for name, index, column in zip(names, at, values, strict=True):
                    column.append(_number(source, name, rows.line_num, row[index]))
    except UnicodeDecodeError as error:
        raise InputError(source, f"byte {error.start}", "bytes that are no text", "UTF-8 text") from None
    except csv.Error as error:
        raise InputError(source, f"line {rows.line_num}", str(error), "comma-separated values") from None
    except OSError as error:
        raise InputError(source, "file", error.strerror, "a readable file") from None
    if not values[0]:
        raise InputError(source, "file", "no samples", "at least one sample")
    return {name: np.array(column) for name, column in zip(names, values, strict=True)}


def _read_parquet(path: Path) -> dict[str, Column]:
    source = str(path)
    import pyarrow.parquet  # large, and few recordings are Parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = choose_columns(source, list(file.schema_arrow.names))
        for name in names:
            kind = file.schema_arrow.field(name).type
            if not (pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind)):
                raise InputError(source, f"column {name}", str(kind), "numbers")
        if file.metadata.num_rows > SAMPLES_MAX:
            raise InputError(source, "rows", file.metadata.num_rows, f"at most {SAMPLES_MAX:,} samples")
        table = file.read(columns=names)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(source, "file", str(error).splitlines()[0], "a Parquet file") from None
    if table.num_rows == 0:
        raise InputError(source, "file", "no samples", "at least one sample")
    columns: dict[str, Column] = {}
    for name in names:
        column = table.column(name)
        values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise InputError(
                source, f"column {name}, row {bad[0] + 1}", float(values[bad[0]]), "a finite number"
            )
        columns[name] = values
    return columns


def _check_time(source: str, time_s: Column, first_line: int) -> None:
    late = np.flatnonzero(np.abs(time_s) > TIME_LIMIT_S)
    if late.size:
        where = f"column time_s, line {int(late[0]) + first_line}"
        allowed = f"at most {TIME_LIMIT_S:g} s, where 64 bits of nanoseconds end: is the column in seconds?"
        raise InputError(source, where, float(time_s[late[0]]), allowed)
    step_s = np.diff(time_s)
    back = np.flatnonzero(step_s < 0.0)
    if back.size:
        row = int(back[0]) + 1
        where = f"column time_s, line {row + first_line}"
        raise InputError(
            source, where, float(time_s[row]), f"not before the line above, {float(time_s[row - 1])} s"
        )
    same = np.flatnonzero(step_s == 0.0)
    if same.size:
        where = f"column time_s, first in line {int(same[0]) + 1 + first_line}"
        found = f"{same.size} of {time_s.size} lines with the time of the line above"
        raise InputError(source, where, found, "a later time in each line: one time for each sample")


def _check_range(source: str, kind: Literal["acc", "gyr"], values: Column, first_line: int) -> None:
    limit, unit = (ACC_LIMIT_MPS2, "m/s^2") if kind == "acc" else (GYR_LIMIT_RPS, "rad/s")
    over = np.argwhere(np.abs(values) > limit * (1.0 + ROUNDING))
    if over.size:
        row, axis = int(over[0][0]), int(over[0][1])
        where = f"column {kind}_{'xyz'[axis]}, line {row + first_line}"
        raise InputError(
            source, where, f"{values[row, axis]:.6g} {unit}", f"-{limit:.4g} to {limit:.4g} {unit}"
        )


def _check_units(source: str, time_s: Column, acc: Column) -> None:
    if time_s.size < PLAUSIBLE_FROM_SAMPLES:
        return
    step_s = float(np.median(np.diff(time_s)))
    if not STEP_MIN_S * (1.0 - ROUNDING) <= step_s <= STEP_MAX_S * (1.0 + ROUNDING):
        allowed = f"{STEP_MIN_S} to {STEP_MAX_S} s from sample to sample: is the column in seconds?"
        raise InputError(source, "column time_s", f"a median step of {step_s:.6g} s", allowed)
    gravity = float(np.median(np.linalg.norm(acc, axis=1)))
    if not GRAVITY_MIN_MPS2 <= gravity <= GRAVITY_MAX_MPS2:
        allowed = (
            f"{GRAVITY_MIN_MPS2:g} to {GRAVITY_MAX_MPS2:g} m/s^2, for gravity is in it: is the unit right?"
        )
        raise InputError(
            source, "columns acc_x, acc_y, acc_z", f"a median length of {gravity:.4g} m/s^2", allowed
        )
    left = _gravity_left_mps2(acc, max(1, round(GRAVITY_WINDOW_S / step_s)))
    if left < GRAVITY_MIN_MPS2:
        raise InputError(
            source,
            "columns acc_x, acc_y, acc_z",
            f"a {GRAVITY_WINDOW_S:g} s mean of {left:.2g} m/s^2 for a median length of {gravity:.3g}",
            f"a mean of {GRAVITY_MIN_MPS2:g} m/s^2 and more: gravity is in it; was it taken out?",
        )


def _gravity_left_mps2(acc: Column, window: int) -> float:
    """The usual length of acceleration's mean over a window: swings cancel in it, gravity does not."""
    count = max(1, len(acc) // window)
    means = [part.mean(axis=0) for part in np.array_split(acc, count)]
    return float(np.median(np.linalg.norm(means, axis=1)))
