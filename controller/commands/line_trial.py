"""The ``dorsi trial`` commands: studies on virtual persons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from controller.commands.line import console, refuse_unused, refusing


class TrialGroup(TyperGroup):
    """``dorsi trial FILE`` is ``dorsi trial run FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: click's, as typer brings it
        if args and args[0] not in self.commands and args[0] not in ("--help", "--install-completion"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


def run(
    context: typer.Context,
    protocol: Annotated[Path, typer.Argument(help="The study's protocol (TOML).")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/NAME-HASH when left out.")
    ] = None,
    patients: Annotated[
        int | None, typer.Option(min=1, help="Only the first persons of each cohort; more can follow later.")
    ] = None,
    engine: Annotated[
        Literal["local", "dask"], typer.Option(help="Processes of this computer, or a dask cluster.")
    ] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="The dask scheduler's address, as tcp://10.0.0.1:8786.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; one a processor when left out.")
    ] = None,
) -> None:
    """Walk a study on virtual persons; an interrupted one goes on where it was. `run` may be left out."""
    from controller.commands.trial import run_trial

    if engine == "local":
        refuse_unused(context, ("scheduler",), "without --engine dask")
    else:
        refuse_unused(context, ("workers",), "with --engine dask")

    try:
        well = refusing(
            lambda: run_trial(
                protocol,
                console,
                out=out,
                patients=patients,
                engine=engine,
                scheduler=scheduler,
                workers=workers,
            )
        )
    except KeyboardInterrupt:
        console.print("stopped: every finished run is kept; the same command goes on")
        raise typer.Exit(130) from None
    raise typer.Exit(0 if well else 1)


def analyse(
    runs: Annotated[
        list[Path], typer.Argument(help="A study's folder; or recordings of persons, session.mcap each.")
    ],
    *,
    protocol: Annotated[
        Path | None, typer.Option(help="Of recordings: the protocol that registered their outcomes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the tables and the page; the runs' own when left out.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF for paper.")] = False,
    unblind: Annotated[
        bool,
        typer.Option("--unblind", help="Look at the key of blinded trials, once their results are fixed."),
    ] = False,
) -> None:
    """Figures of a study: persons, arms, paired differences with their intervals; tables, HTML and PDF."""
    from controller.commands.trial_analysis import analyse as job
    from controller.studies.page import difference_sheet, flow_sheet, outcome_sheet

    done = refusing(lambda: job(runs, protocol, out, pdf=pdf, unblind=unblind))
    for sheet in (flow_sheet(done.figures), outcome_sheet(done.figures), difference_sheet(done.figures)):
        table = Table(*map(escape, sheet.heads), title=sheet.title)
        for row in sheet.rows:
            table.add_row(*map(escape, row))
        console.print(table)
    for file in done.files:
        console.print(f"written: {file}", markup=False, soft_wrap=True)


def replay(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    person: Annotated[str, typer.Argument(help="Cohort and number, as main-17.")],
    arm: Annotated[str, typer.Argument(help="Name of the arm.")],
) -> None:
    """Walk one run of a study again by the rehearsal: `identical` only where every pulse is, to the bit."""
    from controller.commands.trial_analysis import replay as job

    done = refusing(lambda: job(folder, person, arm))
    word = "identical" if done.identical else "different"
    console.print(f"{word}: {done.pulses} pulses, {done.strides} strides", markup=False)
    raise typer.Exit(0 if done.identical else 1)


def search(
    file: Annotated[Path, typer.Argument(help="The search (TOML).")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/NAME-HASH when left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; one a processor when left out.")
    ] = None,
) -> None:
    """Search gains that leave less error with less charge, plain and disturbed; a stopped search goes on."""
    from controller.commands.trial_search import front_rows, run_search

    try:
        done = refusing(lambda: run_search(file, console, out=out, workers=workers))
    except KeyboardInterrupt:
        console.print("stopped: every finished sample is kept; the same command goes on")
        raise typer.Exit(130) from None
    heads, rows = front_rows(done)
    table = Table(*map(escape, heads), title="No other set betters these; the first is the session's")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    if done.chosen is None:
        console.print("No set of gains keeps every constraint: nothing is proposed.")
        raise typer.Exit(1)
    if done.chosen.number == 0:
        console.print("The session's own gains are not bettered: nothing is proposed.")
        return
    console.print(
        f"Proposed: sample {done.chosen.number}. Nothing is changed. To look at it in the console of "
        f"{done.search.pseudonym}: dorsi trial stage {file}",
        markup=False,
        soft_wrap=True,
    )


def stage(
    file: Annotated[Path, typer.Argument(help="The search (TOML).")],
    *,
    sample: Annotated[
        int | None, typer.Option(min=0, help="Number of the sample; the compromise when left out.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="The search's results; runs/NAME-HASH when left out.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="The folder of the console's sessions.")] = Path("runs"),
) -> None:
    """Put found gains among the profiles of the session's person, for the console to propose and preview."""
    from controller.commands.trial_search import stage as job

    done = refusing(lambda: job(file, sample, folder, runs))
    said = f"written: {done}; in the console: Profiles, Propose. It is not in force."
    console.print(said, markup=False, soft_wrap=True)
