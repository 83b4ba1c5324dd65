"""The commands of the therapist's console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.commands.line import console, refusing
from controller.commands.results import RUNS

PORT = 8470


def serve(
    context: typer.Context,
    *,
    runs: Annotated[Path, typer.Option(file_okay=False, help="Folder of the recordings.")] = RUNS,
    patients: Annotated[
        Path, typer.Option(file_okay=False, help="Folder of the patient files; a new person's goes there.")
    ] = Path("patients"),
    sessions: Annotated[
        Path, typer.Option(file_okay=False, help="Folder of the session files: the rig's devices and modes.")
    ] = Path("sessions"),
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="The home page's; sessions take the next. 0: free ones.")
    ] = PORT,
    pairing: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Listen on the network, by the files of `pair`."),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Every session is walked by the virtual patient.")
    ] = False,
) -> None:
    """The home page in a browser: persons, sessions from start to result, recordings, progress."""
    if context.invoked_subcommand is not None:
        return
    from controller.commands.console import serve as serve_console

    code = refusing(
        lambda: serve_console(
            runs, patients, sessions, console, port=port, pairing=pairing, rehearse=rehearse
        )
    )
    raise typer.Exit(code)
