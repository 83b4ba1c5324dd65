"""The commands that make a recording's file another: its end after a death, a copy for viewers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.commands.line import console, refusing, waiting
from controller.commands.results import new_file
from controller.errors import InputError


def mend(recording: Annotated[Path, typer.Argument(help="session.mcap")]) -> None:
    """Give the recording of a killed recorder its end: one file with an index, for any reader of MCAP."""
    from controller.record.compact import Mended
    from controller.record.compact import mend as mend_recording

    def work() -> Mended | None:
        try:
            return mend_recording(recording)
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(str(recording), "recording", why, "room beside it for a copy") from error

    with waiting("mending"):
        done = refusing(work)
    if done is None:
        console.print(f"{recording} has its end; it stays as it is.", markup=False, soft_wrap=True)
        return
    console.print(f"mended: {done.messages:,} messages of {done.seconds:.1f} s are saved.")
    if done.bytes_left_out:
        console.print(f"Behind the last one {done.bytes_left_out:,} bytes were cut off within a message.")


def signals(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    *,
    out: Annotated[Path | None, typer.Option(help="signals.mcap beside the recording when left out.")] = None,
    unblind: Annotated[
        bool,
        typer.Option("--unblind", help="Look at the key of a blinded trial, once its results are fixed."),
    ] = False,
) -> None:
    """A copy for Foxglove, PlotJuggler or Rerun: one topic a signal (/imu/foot, /gait/phase, /pulse)."""
    from controller.record.reader import is_recording
    from controller.record.signals_file import write_signals

    target = out or recording.with_name("signals.mcap")

    def work() -> int:
        if is_recording(target):
            raise InputError(str(target), "file", "a recording", "another name")
        with new_file(target, (".mcap",)) as beside:
            return write_signals(recording, beside, unblind=unblind)

    with waiting("writing"):
        count = refusing(work)
    console.print(f"written: {target}, {count:,} values", markup=False, soft_wrap=True)
