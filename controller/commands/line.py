"""What every command of the ``dorsi`` line shares: its screen, its refusals, its pictures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import typer
from rich.console import Console

from controller.commands.results import new_file
from controller.errors import ConfigError, InputError
from controller.record.reading_told import reading_told

Result = TypeVar("Result")
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
REFUSED = 2
PICTURES = (".png", ".pdf", ".svg")
LOG_WIDTH = 140  # columns where nobody sits at a terminal

console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)


def picture_file(path: Path, write: Callable[[Path], None]) -> None:
    """Have a picture written whole, or the command refused."""

    def job() -> None:
        with new_file(path, PICTURES) as beside:
            write(beside)

    refusing(job)


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show at a terminal what is done meanwhile, and how far the recording is read."""
    with console.status(what) as status, reading_told(lambda percent: status.update(f"{what}: {percent} %")):
        yield


def refusing(job: Callable[[], Result]) -> Result:
    """Run a job; an input it refuses ends the command with exit code 2 and the reasons."""
    try:
        return job()
    except (InputError, ConfigError) as error:
        refuse(error)


def refuse_unused(context: typer.Context, names: Iterable[str], why: str) -> None:
    """End the command where a person gave one of these options, which it would not use.

    ``names`` are those of the command's parameters, ``why`` is what they are not used with.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = next(one.opts[0] for one in context.command.params if one.name == name)
            refuse(InputError("command", option, "given", f"not {why}: it would not be used"))


def refuse(error: Exception) -> NoReturn:
    for line in str(error).splitlines():
        typer.echo(f"refused: {line}", err=True)
    raise typer.Exit(REFUSED) from None
