"""What ``dorsi trial`` does: a study walked on an engine, with its progress."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from controller.commands.results import RUNS, results_folder
from controller.studies.engine import Engine, LocalEngine, Outcome
from controller.studies.protocol import Protocol, load_protocol
from controller.studies.store import Store
from controller.studies.study import plan, walk

SPEED_S = 3600.0  # the time left is told by the persons of the last hour: one takes seconds
EngineName = Literal["local", "dask"]


def run_trial(
    file: Path,
    console: Console,
    *,
    out: Path | None = None,
    patients: int | None = None,
    engine: EngineName = "local",
    scheduler: str | None = None,
    workers: int | None = None,
) -> bool:
    """Walk a study, or what is left of it; whether every run succeeded. Raises InputError, ConfigError."""
    protocol = load_protocol(file)
    with (
        contextlib.closing(_engine(engine, scheduler, workers)) as walkers,
        results_folder(out or default_folder(protocol)) as folder,
    ):
        store = Store(folder, protocol)
        planned = plan(store, patients)
        console.print(
            f"{protocol.name}: {len(planned.persons)} persons x {planned.arms} arms x "
            f"{protocol.walked_strides} strides, protocol {protocol.sha256[:8]}; {planned.runs_left} of "
            f"{planned.runs} runs are left, for {walkers.words()}",
            markup=False,
        )
        failed = 0
        with progress_bar(console) as progress:
            bar = progress.add_task("runs", total=planned.runs, completed=planned.runs - planned.runs_left)

            def came(outcome: Outcome) -> None:
                nonlocal failed
                for run in outcome.runs:
                    if not run.done:
                        failed += 1
                        progress.console.print(
                            f"failed: {outcome.task.key} {run.arm}: {run.why}", markup=False
                        )
                progress.advance(bar, len(outcome.runs))

            walk(store, planned, walkers, came)
    console.print(f"written: {folder}", markup=False, soft_wrap=True)
    return failed == 0


def default_folder(protocol: Protocol) -> Path:
    """The same for the same protocol, so that the same command goes on."""
    return RUNS / f"{protocol.name}-{protocol.sha256[:8]}"


def _engine(name: EngineName, scheduler: str | None, workers: int | None) -> Engine:
    if name == "local":
        return LocalEngine(workers or len(os.sched_getaffinity(0)))
    from controller.studies.dask_engine import connect

    return connect(scheduler)


def progress_bar(console: Console) -> Progress:
    left = TextColumn("left"), TimeRemainingColumn(compact=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *left,
        console=console, speed_estimate_period=SPEED_S,
    )  # fmt: skip
