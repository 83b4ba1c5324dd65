"""`dorsi catalogue`: sessions across folders listed, filtered, held against each other, week by week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.analysis.catalogue import COLUMNS, STATE, asked
from controller.errors import InputError

if TYPE_CHECKING:
    import duckdb

UNKNOWN = "–"
SHOWN = {  # of a list, and how a person reads it
    "folder": "session", "pseudonym": "person", "begun_utc": "begun, UTC", "arm": "arm", "mode": "mode",
    "seconds": "s", "strides": "strides", "repetitions": "repetitions", "unlifted_swings": "unlifted",
    "swing_error_deg": "error °", "charge_per_stride_uc": "µC a stride", "trips": "trips",
    "problem": "problem",
}  # fmt: skip
NOT_COMPARED = (*STATE, "folder", "arm", "in_figures", "therapy", "session")
COMPARED = tuple(column for column in COLUMNS if column.name not in NOT_COMPARED)
# Of each week: unit and how it is made of its sessions' arms, weighted by the strides that count.
WEEKLY = {
    "swing_error_deg": "swing error °",
    "peak_dorsiflexion_deg": "peak dorsiflexion °",
    "charge_per_stride_uc": "charge a stride µC",
    "strides": "strides",
    "unlifted_swings": "unlifted swings",
}
DIGITS = {"seconds": 0, "strides": 0, "unlifted_swings": 0, "charge_per_stride_uc": 0}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a row has to be; empty and None ask for nothing."""

    pseudonym: str = ""
    since: str = ""  # a day, as 2026-11-30
    until: str = ""
    mode: str = ""
    arm: str = ""
    error_above_deg: float | None = None
    trips_from: int | None = None
    problems: bool = False

    def clause(self) -> tuple[str, list[object]]:
        """As SQL after ``where``, and its values."""
        asks: list[tuple[str, object]] = []
        for name in ("pseudonym", "mode", "arm"):
            if wanted := getattr(self, name):
                asks.append((f"{name} = ?", wanted))
        if self.since:
            asks.append(("begun_utc >= ?", self.since))
        if self.until:
            asks.append(("substr(begun_utc, 1, 10) <= ?", self.until))
        if self.error_above_deg is not None:
            asks.append(("swing_error_deg > ?", self.error_above_deg))
        if self.trips_from is not None:
            asks.append(("trips >= ?", self.trips_from))
        words = [words for words, _ in asks] + (["problem is not null"] if self.problems else [])
        return " and ".join(words) or "true", [value for _, value in asks]


def rows(
    database: duckdb.DuckDBPyConnection, wanted: Filter, names: Sequence[str] = tuple(SHOWN)
) -> list[tuple[object, ...]]:
    """Those of the arms that fit, the newest session first."""
    clause, values = wanted.clause()
    order = "order by begun_utc desc nulls last, folder, arm"
    return asked(database, f"select {', '.join(names)} from arms where {clause} {order}", values)


def show(found: Sequence[Sequence[object]], console: Console) -> None:
    """The rows of SHOWN as a table, without the columns that nobody has."""
    names = tuple(SHOWN)
    told = {name for at, name in enumerate(names) if any(row[at] is not None for row in found)}
    used = [at for at, name in enumerate(names) if name in told | {"folder", "arm"}]
    table = Table(caption=f"{len(found)} arms")
    for at in used:
        table.add_column(SHOWN.get(names[at], names[at]), overflow="fold")
    for row in found:
        table.add_row(*(Text(cell(names[at], row[at])) for at in used))
    console.print(table)


def cell(name: str, value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "begun_utc":
        return str(value)[:16].replace("T", " ")
    return f"{value:.{DIGITS.get(name, 1)}f}" if isinstance(value, float) else str(value)


def comparison(
    database: duckdb.DuckDBPyConnection, one: str, other: str
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Heads and rows: each figure of each arm of the two sessions. Raises InputError for no such session."""
    heads, columns = [""], []
    names = [column.name for column in COMPARED]
    for wanted in (one, other):
        place = str(Path(wanted))
        found = asked(
            database,
            f"select folder, arm, {', '.join(names)} from arms where folder = ? or ends_with(folder, ?)",
            (place, f"/{place}"),
        )
        folders = sorted({str(row[0]) for row in found})
        if len(folders) != 1:
            seen = ", ".join(folders) or "no such session"
            raise InputError("catalogue", wanted, seen, "the folder of one session")
        heads += [f"{Path(folders[0]).name}: {row[1] or ''}" for row in found]
        columns += [row[2:] for row in found]
    made = []
    for at, column in enumerate(COMPARED):
        cells = [column_cells[at] for column_cells in columns]
        if any(value is not None for value in cells):
            unit = f" {column.unit}" if column.unit else ""
            made.append((f"{column.name}{unit}", *(cell(column.name, value) for value in cells)))
    return heads, made


@dataclass(frozen=True, slots=True)
class Progress:
    """A person's sessions, and their weeks: each figure by its name in WEEKLY, None where it is not known."""

    pseudonym: str
    sessions: list[tuple[str, dict[str, float | None]]] = field(default_factory=list)  # day of each
    weeks: list[tuple[str, int, dict[str, float | None]]] = field(default_factory=list)  # Monday, sessions


def _figures() -> str:
    """Sums of counts, and means weighted by the strides that count, over the arms of a group."""
    parts = []
    for name in WEEKLY:
        if name in ("strides", "unlifted_swings"):
            parts.append(f"sum({name})::double")
        else:
            known = f"filter (where {name} is not null)"
            parts.append(f"sum({name} * counted_strides) {known} / nullif(sum(counted_strides) {known}, 0)")
    return ", ".join(parts)


def progress(database: duckdb.DuckDBPyConnection, pseudonym: str) -> Progress:
    """Over the arms that a session's figures are of. Raises InputError where the person has none."""
    clause = "pseudonym = ? and in_figures and therapy = 'walk' and begun_utc is not null"
    day = "substr(begun_utc, 1, 10)"
    monday = f"strftime(date_trunc('week', {day}::date), '%Y-%m-%d')"
    sessions = asked(
        database,
        f"select {day}, {_figures()} from arms where {clause} group by folder, begun_utc order by begun_utc",
        (pseudonym,),
    )
    if not sessions:
        raise InputError("catalogue", "pseudonym", pseudonym, "a person with a dated walk in these folders")
    weeks = asked(
        database,
        f"select {monday} as monday, count(distinct folder), {_figures()} from arms where {clause} "
        "group by monday order by monday",
        (pseudonym,),
    )
    return Progress(
        pseudonym,
        [(str(row[0]), _named(row[1:])) for row in sessions],
        [(str(row[0]), int(str(row[1])), _named(row[2:])) for row in weeks],
    )


def _named(values: Sequence[object]) -> dict[str, float | None]:
    return {
        name: value if isinstance(value, float) else None for name, value in zip(WEEKLY, values, strict=True)
    }


def show_progress(told: Progress, console: Console) -> None:
    table = Table("week of", "sessions", *WEEKLY.values(), title=told.pseudonym)
    for monday, sessions, figures in told.weeks:
        table.add_row(monday, str(sessions), *(cell(name, figures[name]) for name in WEEKLY))
    console.print(table)


def draw(told: Progress, path: Path) -> None:
    """A small picture for each figure: a mark a session, a line through the weeks."""
    from datetime import datetime, timedelta

    import matplotlib as mpl
    from matplotlib.figure import Figure

    from controller.analysis.report.figures import COLUMN_INCHES, STYLE

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN_INCHES, 1.5 * len(WEEKLY)), layout="constrained")
        panels = figure.subplots(len(WEEKLY), sharex=True)
        for axes, (name, words) in zip(panels, WEEKLY.items(), strict=True):
            days = [datetime.fromisoformat(day) for day, _ in told.sessions]
            axes.plot(days, [_or_nan(figures[name]) for _, figures in told.sessions], "o", markersize=4)
            if name not in ("strides", "unlifted_swings"):  # a week's sum is no session's
                middles = [datetime.fromisoformat(monday) + timedelta(days=3) for monday, _, _ in told.weeks]
                axes.plot(middles, [_or_nan(figures[name]) for _, _, figures in told.weeks], "-")
            axes.set_ylabel(words.replace(" ", "\n", 1))
        panels[0].set_title(told.pseudonym)
        figure.autofmt_xdate()
        figure.savefig(path, format=path.suffix[1:])


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
