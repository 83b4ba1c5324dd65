"""The commands of the therapist's console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.commands.line import console, refusing
from controller.commands.results import RUNS

PORT = 8470
PAIRING = Path("pairing")


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


def pair(
    folder: Annotated[
        Path, typer.Argument(file_okay=False, help="Folder for token, certificate and key.")
    ] = PAIRING,
    *,
    host: Annotated[
        str | None, typer.Option(help="Name or address by which tablets reach this computer.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65534, help="Of the home page.")] = PORT,
    anew: Annotated[
        bool, typer.Option("--anew", help="New ones in place of those there: every tablet pairs again.")
    ] = False,
) -> None:
    """Let a tablet on the network in: makes token and certificate, prints the address and its QR code."""
    from controller.commands.console import installed
    from controller.commands.pair import pair as pair_tablet

    refusing(installed)
    raise typer.Exit(refusing(lambda: pair_tablet(folder, host, port, console, anew=anew)))
