"""The commands that ask the catalogue of all sessions."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.commands.line import console, picture_file, refuse, refusing
from controller.errors import InputError

if TYPE_CHECKING:
    import duckdb

Folders = Annotated[
    list[Path] | None, typer.Option("--in", help="A folder of sessions, or of such folders; again for more.")
]


def list_sessions(
    *,
    folders: Folders = None,
    pseudonym: Annotated[str, typer.Option(help="Of this person alone.")] = "",
    since: Annotated[str, typer.Option(help="From this day on, as 2026-11-30.")] = "",
    until: Annotated[str, typer.Option(help="Until this day, itself included.")] = "",
    mode: Annotated[
        str, typer.Option(help="With this control law: off, trapezoid, feedback, learning, programme.")
    ] = "",
    arm: Annotated[str, typer.Option(help="With this label of an arm.")] = "",
    error_above_deg: Annotated[
        float | None, typer.Option("--error-above", min=0.0, help="With a larger swing error, in degrees.")
    ] = None,
    trips_from: Annotated[
        int | None, typer.Option("--trips", min=1, help="With at least so many trips.")
    ] = None,
    problems: Annotated[bool, typer.Option("--problems", help="Those that cannot be read.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a row, with all its columns.")
    ] = False,
) -> None:
    """The sessions in `runs`, or in other folders: a line for each arm, the newest first."""
    from controller.analysis.catalogue import COLUMNS
    from controller.commands.catalogue import SHOWN, Filter, rows, show

    for option, day in (("--since", since), ("--until", until)):
        _day(option, day)
    wanted = Filter(pseudonym, since, until, mode, arm, error_above_deg, trips_from, problems)
    names = [column.name for column in COLUMNS] if as_json else list(SHOWN)
    found = rows(_opened(folders), wanted, names)
    if as_json:
        for row in found:
            typer.echo(json.dumps(dict(zip(names, row, strict=True))))
    else:
        show(found, console)


def compare(
    one: Annotated[str, typer.Argument(help="A session's folder, or its name.")],
    other: Annotated[str, typer.Argument(help="The one to hold against it.")],
    *,
    folders: Folders = None,
) -> None:
    """Two sessions side by side: every figure of every arm."""
    from controller.commands.catalogue import comparison

    heads, rows = refusing(lambda: comparison(_opened(folders), one, other))
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def progress(
    pseudonym: Annotated[str, typer.Argument(help="Whose weeks.")],
    *,
    folders: Folders = None,
    out: Annotated[Path | None, typer.Option(help="A picture too: .png, .pdf or .svg.")] = None,
) -> None:
    """A person's walks week by week: swing error, dorsiflexion, charge a stride, strides, unlifted swings."""
    from controller.commands.catalogue import draw, show_progress
    from controller.commands.catalogue import progress as told_progress

    told = refusing(lambda: told_progress(_opened(folders), pseudonym))
    show_progress(told, console)
    if out is not None:
        picture_file(out, lambda beside: draw(told, beside))
        console.print(f"written: {out}", markup=False, soft_wrap=True)


def _opened(folders: list[Path] | None) -> duckdb.DuckDBPyConnection:
    from controller.analysis.catalogue import opened

    aside = Console(stderr=True)

    def told(name: str) -> None:
        aside.print(f"reading {name}", markup=False)

    return refusing(lambda: opened(folders or [Path("runs")], told))


def _day(option: str, day: str) -> None:
    try:
        if day:
            date.fromisoformat(day)
    except ValueError:
        refuse(InputError("catalogue", option, day, "a day, as 2026-11-30"))
