"""The sessions of many folders as one table, a row an arm: Parquet beside the recordings, asked by DuckDB.

Promises the figures of ``summary.json`` where there is one, else of the recording itself, kept until either
changes. A recording that cannot be read has a row that says so; one of a blinded arm tells no dose.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from controller.analysis.columns import Column
from controller.errors import InputError

if TYPE_CHECKING:
    import duckdb

RECORDING, SUMMARY = "session.mcap", "summary.json"
KEPT = ".dorsi-catalogue.parquet"
DEPTH_MAX = 4  # folders below the one that is named
SUMMED = "computed: controller.analysis.summary"

COLUMNS: tuple[Column, ...] = (
    Column("folder", "text", "", "of the session, below the one that was named", "file"),
    Column("session", "text", "", "its name", "session"),
    Column("pseudonym", "text", "", "of the person", "session"),
    Column("begun_utc", "text", "", "when it began; empty where the clock was never set", "clock"),
    Column("therapy", "text", "", "walk or exercise", "session"),
    Column("arm", "text", "", "label of the trial's arm, or the programme's title", "session"),
    Column("mode", "text", "", "control law; of a blinded arm its label; or programme", "session"),
    Column("virtual", "yes/no", "", "whether the body is a model", "session"),
    Column("blinded", "yes/no", "", "whether its mode and dose are not told", "session"),
    Column("seconds", "number", "s", "how long the arm was", SUMMED),
    Column("strides", "integer", "", "counted by the controller", SUMMED),
    Column("counted_strides", "integer", "", "those that the figures are of", SUMMED),
    Column("repetitions", "integer", "", "of an exercise, given whole", SUMMED),
    Column("unlifted_swings", "integer", "", "swings without pulses before their contact", SUMMED),
    Column("swing_error_deg", "number", "deg", "foot pitch off its reference in swing, r.m.s.", SUMMED),
    Column("peak_dorsiflexion_deg", "number", "deg", "in swing, median", SUMMED, "dorsiflexion +"),
    Column("contact_pitch_deg", "number", "deg", "foot pitch at initial contact, median", SUMMED, "toe-up +"),
    Column("charge_per_stride_uc", "number", "uC", "phase charge of its pulses, median", SUMMED),
    Column("charge_mc", "number", "mC", "phase charge of an exercise in all", SUMMED),
    Column("current_ma", "number", "mA", "largest of a stride, median; of an exercise the largest", SUMMED),
    Column("cadence_spm", "number", "1/min", "steps a minute, median", SUMMED),
    Column("trips", "integer", "", "of the guard", SUMMED),
    Column("missed_ticks", "integer", "", "deadlines without a step", SUMMED),
    Column("samples_lost", "integer", "", "that jumps of their numbers show", SUMMED),
    Column("in_figures", "yes/no", "", "whether the session's own figures are of this arm", SUMMED),
    Column("problem", "text", "", "why nothing is known of the recording", "reader"),
    Column("recording_ns", "integer", "ns", "when the recording was changed last, since 1970", "file"),
    Column("recording_bytes", "integer", "", "its size", "file"),
    Column("summary_ns", "integer", "ns", "when its summary was changed last; 0 without one", "file"),
)  # fmt: skip
TYPES = {"integer": "bigint", "number": "double", "text": "varchar", "yes/no": "boolean"}  # of DuckDB
STATE = ("recording_ns", "recording_bytes", "summary_ns")

Told = Callable[[str], None]  # the folder that is being read


def recordings(folder: Path) -> Iterator[Path]:
    """The folders of sessions in and below ``folder``. Raises InputError where it cannot be listed."""
    if not folder.is_dir():
        raise InputError(str(folder), "folder", "none", "a folder of sessions")
    depth = len(folder.parts)
    for place, below, files in os.walk(folder):
        if RECORDING in files:
            yield Path(place)
        below[:] = [] if len(Path(place).parts) - depth >= DEPTH_MAX else sorted(below)


def opened(folders: Sequence[Path], told: Told = lambda name: None) -> duckdb.DuckDBPyConnection:
    """A database with the table ``arms`` of all folders, what is new or changed read anew.

    Raises InputError where a folder cannot be listed, or DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise InputError(
            "duckdb", "package", "not installed", "dorsi with its extra `catalogue`, or `pip install duckdb`"
        ) from None
    database = duckdb.connect()
    shape = ", ".join(f"{column.name} {TYPES[column.kind]}" for column in COLUMNS)
    database.execute(f"create table arms ({shape})")
    for folder in folders:
        database.execute(f"create or replace table found ({shape})")
        _bring_up(database, folder, told)
        database.execute("update found set folder = concat(?, '/', folder)", [str(folder)])
        database.execute("insert into arms select * from found")
    return database


def _bring_up(database: duckdb.DuckDBPyConnection, folder: Path, told: Told) -> None:
    """Fill ``found`` with all sessions below the folder, and keep it there where one may write."""
    import duckdb

    from controller.analysis.catalogue_rows import rows_of

    kept_path = folder / KEPT
    if kept_path.exists():
        with contextlib.suppress(duckdb.Error):  # another version's, or damaged: all is read anew
            database.execute("insert into found by name select * from read_parquet(?)", [str(kept_path)])
    known = set(asked(database, f"select distinct folder, {', '.join(STATE)} from found"))
    present = {
        (str(session.relative_to(folder)), *_state(session)): session for session in recordings(folder)
    }
    gone, new = known - set(present), [key for key in present if key not in known]
    for name in {key[0] for key in gone}:
        database.execute("delete from found where folder = ?", [name])
    names = [column.name for column in COLUMNS]
    for key in new:
        told(str(key[0]))
        marks = {"folder": key[0], **dict(zip(STATE, key[1:], strict=True))}
        for row in rows_of(present[key]):
            values = row | marks
            places = ", ".join("?" * len(names))
            database.execute(f"insert into found values ({places})", [values.get(name) for name in names])
    if gone or new:
        _keep(database, kept_path)


def _state(session: Path) -> tuple[int, int, int]:
    found = (session / RECORDING).stat()
    try:
        summary_ns = (session / SUMMARY).stat().st_mtime_ns
    except OSError:
        summary_ns = 0
    return found.st_mtime_ns, found.st_size, summary_ns


def _keep(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    import duckdb

    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError, duckdb.Error):  # a folder that may only be read is read again next time
        try:
            quoted = str(beside).replace("'", "''")  # no value of a statement may stand there
            database.execute(f"copy found to '{quoted}' (format parquet)")
            beside.chmod(0o600)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def asked(
    database: duckdb.DuckDBPyConnection, query: str, values: Iterable[object] = ()
) -> list[tuple[object, ...]]:
    """The rows of a query over ``arms``."""
    found: list[tuple[object, ...]] = database.execute(query, list(values)).fetchall()
    return found
