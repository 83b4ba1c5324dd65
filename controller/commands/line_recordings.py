"""The commands that read a recording, or what rigs tell a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from controller.commands.line import (
    console,
    refuse,
    refuse_unused,
    refusing,
    waiting,
)
from controller.commands.results import new_file
from controller.errors import InputError


def replay(recording: Annotated[Path, typer.Argument(help="session.mcap")]) -> None:
    """Re-run the core on a recording; `identical` only where every bit of every decision is.

    Where processors round otherwise it says `decisions identical`, and which last bits differ.
    """
    from controller.record.provenance import changed
    from controller.record.reader import header
    from controller.record.replay import replay as replay_recording

    with waiting("replaying"):
        result = refusing(lambda: replay_recording(recording))
    _say_where_cut(recording, "Compared")
    if result.identical:
        console.print(f"identical: {result.ticks} ticks")
        return
    if result.first_other_decision is None:
        console.print(f"decisions identical: {result.decided} ticks; internal state differs in last bits,")
        console.print(f"first in {result.first_difference}", markup=False)
        if others := refusing(lambda: changed(header(recording))):
            console.print(f"It was made by: {'; '.join(others)}.", markup=False)
        return
    console.print(f"different: {result.first_other_decision}", markup=False)
    if result.first_difference != result.first_other_decision:
        console.print(f"Last bits differed from {result.first_difference} on.", markup=False)
    if others := refusing(lambda: changed(header(recording))):
        console.print(f"It was made by another program: {'; '.join(others)}.", markup=False)
        console.print("What to do: replay it with the program that made it, at that commit.")
    raise typer.Exit(1)


def judge(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    pulses: Annotated[
        Path | None,
        typer.Option(help="The stimulator's own pulse log; pulses.jsonl beside it when left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Hold a recording against every limit and deadline of the fault table: kept, broken, or not tested."""
    from dataclasses import asdict

    from controller.analysis.judge import as_table, judge_recording

    if pulses is not None and not pulses.is_file():
        refuse(InputError(str(pulses), "pulses", "no file", "the stimulator's own log of pulses"))
    log = pulses or recording.with_name("pulses.jsonl")
    with waiting("judging"):
        findings = refusing(lambda: judge_recording(recording, log if log.exists() else None))
    if as_json:
        for finding in findings:
            typer.echo(json.dumps(asdict(finding)))
    else:
        table = Table("", "id", "promise", "worst", "seen", "detail")
        for row in as_table(findings):
            table.add_row(*row, style="bold red" if row[0] == "broken" else "")
        console.print(table)
        _say_where_cut(recording, "Judged")
    raise typer.Exit(0 if all(finding.kept for finding in findings) else 1)


def events(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: time_s, acc_x_g ..., gyr_x_dps ...")],
    segment: Annotated[Literal["foot", "shank"], typer.Option(help="Where the sensor sits.")],
    side: Annotated[Literal["left", "right"], typer.Option(help="On which leg.")],
    axes: Annotated[str, typer.Option(help="auto: the sensor's rotation is found by itself.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Detect gait events in a recording, as online: each line needs nothing later than its `emitted_s`."""
    from controller.commands.events import run_events

    refusing(lambda: run_events(file, segment, side, axes=axes, as_json=as_json))


def report(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="report.html or .pdf beside the recording when left out.")
    ] = None,
    unblind: Annotated[
        bool,
        typer.Option("--unblind", help="Look at the key of a blinded trial, once its results are fixed."),
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="As PDF for paper.")] = False,
) -> None:
    """Pictures and figures of a recording, as one HTML page that needs nothing else, or as PDF."""
    from controller.analysis.report.page import write_pdf, write_report

    target = out or recording.with_name("report.pdf" if pdf else "report.html")

    def write() -> None:
        with new_file(target, (".pdf",) if pdf else (".html", ".htm")) as beside:
            (write_pdf if pdf else write_report)(recording, beside, unblind=unblind)

    with waiting("reading and drawing"):
        refusing(write)
    console.print(f"written: {target}")


def export(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    folder: Annotated[
        Path, typer.Argument(help="Where the files go; another recording's are never replaced.")
    ],
    *,
    to: Annotated[Literal["csv", "parquet", "edf", "bids"], typer.Option(help="The format.")],
    unblind: Annotated[
        bool,
        typer.Option("--unblind", help="Look at the key of a blinded trial, once its results are fixed."),
    ] = False,
) -> None:
    """A recording as CSV or Parquet tables, EDF+ or Motion-BIDS."""
    from controller.analysis.export.export import export as export_recording

    with waiting("exporting"):
        files = refusing(lambda: export_recording(recording, to, folder, unblind=unblind))
    for file in files:
        console.print(f"written: {file}", markup=False, soft_wrap=True)
    _say_where_cut(recording, "Exported")


def dose(
    context: typer.Context,
    who: Annotated[
        str, typer.Argument(metavar="PERSON", help="A pseudonym; or a session's folder; or a folder of them.")
    ],
    *,
    runs: Annotated[Path, typer.Option(help="The folder of the sessions' folders.")] = Path("runs"),
    days: Annotated[int, typer.Option(min=1, max=10_000, help="The newest days with a session.")] = 31,
    again: Annotated[
        bool, typer.Option("--rebuild", help="Make the dose book again from the recordings first.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a person and line.")] = False,
) -> None:
    """What a person was given by exercise programmes, day by day, against the prescription."""
    from controller.commands import dose as command

    if Path(who).is_dir():
        refuse_unused(context, ("runs",), "with a folder in a person's place")
    wanted = refusing(lambda: command.wanted(who, runs, also_recorded=again))
    for book in refusing(lambda: command.books(wanted, again=again, console=Console(stderr=True))):
        if as_json:
            typer.echo(json.dumps(command.as_json(book)))
        else:
            command.show(book, days, console)


def mqtt_watch(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="The broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 1883,
    site: Annotated[str | None, typer.Option(help="One site; all when left out.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after this long.")] = None,
    username: Annotated[str | None, typer.Option()] = None,
    password_file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    ca_file: Annotated[
        Path | None, typer.Option(exists=True, help="Issuer's certificate; turns TLS on.")
    ] = None,
    client_certificate_file: Annotated[Path | None, typer.Option(exists=True)] = None,
    client_key_file: Annotated[Path | None, typer.Option(exists=True)] = None,
) -> None:
    """A site's rigs in the terminal, live. Ctrl-C ends it."""
    from controller.telemetry.site_view import run_watch

    if ca_file is None:
        refuse_unused(context, ("client_certificate_file", "client_key_file"), "without --ca-file")
    if username is None:
        refuse_unused(context, ("password_file",), "without --username")
    try:
        run_watch(
            console,
            (host, port),
            site,
            (username, password_file),
            (ca_file, client_certificate_file, client_key_file),
            seconds=seconds,
        )
    except ValueError as error:
        refuse(error)


def mqtt_forward(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    session: Annotated[Path, typer.Argument(help="Session file (TOML) whose broker to tell.")],
) -> None:
    """Bring the session's broker every event and stride of a recording that it has not had."""
    from controller.telemetry.forward import NotDeliveredError, run_forward

    try:
        with console.status("sending") as status:
            sent = refusing(
                lambda: run_forward(recording, session, lambda count: status.update(f"sent: {count:,}"))
            )
    except NotDeliveredError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(1) from None
    console.print(f"sent: {sent} events; the broker has all of this session")


def _say_where_cut(recording: Path, done: str) -> None:
    """A recording without an end is told; ``done`` is what was done with the rest."""
    from controller.record.reader import NO_END, has_end

    if not refusing(lambda: has_end(recording)):
        console.print(f"{NO_END[0].upper()}{NO_END[1:]}. {done} is what is there.")
