"""The ``dorsi`` command: every job of the project by its name. Exit codes: 0 done, 1 not as it should be,
2 refused before anything started, 130 stopped by a person.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from controller.commands.results import OWNER_ONLY, new_file, results_folder
from controller.errors import ConfigError, InputError
from drivers.catalogue import DECODERS
from drivers.interface import DeviceError

Result = TypeVar("Result")
DemoMode = Literal["off", "trapezoid", "feedback", "learning", "compare"]
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
REFUSED = 2
PICTURES = (".png", ".pdf", ".svg")
LOG_WIDTH = 140  # columns where nobody sits at a terminal

app = typer.Typer(
    name="dorsi",
    help="Open closed-loop functional electrical stimulation. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Session and patient files.", no_args_is_help=True)
app.add_typer(config_app, name="config")
mqtt_app = typer.Typer(help="What rigs tell a broker.", no_args_is_help=True)
app.add_typer(mqtt_app, name="mqtt")
console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)


@app.callback()
def _begin() -> None:
    """What Dorsi and its processes write is about a person: for whoever runs it alone."""
    os.umask(OWNER_ONLY)


@app.command()
def demo(
    *,
    seconds: Annotated[
        float | None,
        typer.Option(min=5, max=3600, help="Seconds each arm walks after its wash-out; an exercise, in all."),
    ] = None,
    mode: Annotated[DemoMode, typer.Option(help="One arm, or all.")] = "compare",
    seed: Annotated[int, typer.Option(min=0, help="Which virtual patient's day.")] = 1,
    session: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another session file than the demo's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, without an earlier session; runs/<time> when left out."),
    ] = None,
    with_console: Annotated[
        bool, typer.Option("--console/--no-console", help="Arm and stop from the console in a browser.")
    ] = False,
    console_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the console listens on this computer; 0: any free.")
    ] = 8470,
    programme: Annotated[
        str | None,
        typer.Option(help="An exercise in place of the walk: a file, or a name in configs/programmes."),
    ] = None,
) -> None:
    """A virtual patient with a drop foot walks, or does an exercise; sensors, radio, guard and stimulator are
    emulated byte for byte.
    """
    from controller.commands.attended import console_for
    from controller.commands.exercise import run_programme_demo
    from controller.commands.run import DEMO_SESSION, run_demo

    only = None if mode == "compare" else mode
    port = console_port if with_console else None
    file = session or DEMO_SESSION

    def conduct() -> int:
        with results_folder(out) as folder:
            if programme is not None:
                attend = None
                if port is not None:
                    attend = partial(console_for, out=folder, console=console, port=port, virtual=True)
                return run_programme_demo(programme, seed, folder, console, attend=attend, seconds=seconds)
            return run_demo(only, seconds, seed, folder, console, console_port=port, file=file)

    raise typer.Exit(_refusing(conduct))


@app.command()
def run(
    session: Annotated[Path, typer.Argument(help="Session file (TOML).")],
    *,
    seconds: Annotated[float | None, typer.Option(min=1, help="End after this long.")] = None,
    recording: Annotated[
        list[str] | None, typer.Option(help="FILE or SENSOR=FILE: stream it instead of real devices.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, without an earlier session; runs/<time> when left out."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Arm without asking (rehearsals never ask).")] = False,
    with_console: Annotated[
        bool, typer.Option("--console/--no-console", help="Arm and stop from the console in a browser.")
    ] = False,
) -> None:
    """Run a session on real devices, or rehearse it with recordings streamed by emulated sensors."""
    from controller.commands.run import run_session

    def conduct() -> int:
        with results_folder(out) as folder:
            return run_session(
                session,
                seconds,
                recording or [],
                folder,
                console,
                ask=not yes,
                with_console=with_console,
            )

    raise typer.Exit(_refusing(conduct))


@app.command()
def programmes(
    folder: Annotated[
        Path | None,
        typer.Argument(exists=True, file_okay=False, help="Folder with programme files; the ready ones."),
    ] = None,
    *,
    device: Annotated[
        str | None, typer.Option(help="Stimulator that is to give them; the demo's when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The exercise programmes: aim, source, length, muscles, and what the stimulator cannot give and why."""
    from dataclasses import asdict

    from controller.commands.exercise import VIRTUAL_STIMULATOR
    from controller.commands.programmes import all_programmes, programmes_table, stimulator_name

    wanted = device or VIRTUAL_STIMULATOR
    stimulator = _refusing(lambda: stimulator_name(wanted))
    found = list(all_programmes(wanted, folder or CONFIGS / "programmes"))
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one)))
    else:
        console.print(programmes_table(found, stimulator))


@app.command()
def replay(recording: Annotated[Path, typer.Argument(help="session.mcap")]) -> None:
    """Re-run the core on a recording; `identical` only where every bit of every decision is."""
    from controller.record.provenance import changed
    from controller.record.reader import header
    from controller.record.replay import replay as replay_recording

    result = _refusing(lambda: replay_recording(recording))
    if result.identical:
        console.print(f"identical: {result.ticks} ticks")
        return
    console.print(f"different: {result.first_difference}", markup=False)
    if others := changed(header(recording)):
        console.print(f"It was made by another program: {'; '.join(others)}.", markup=False)
        console.print("What to do: replay it with the program that made it, at that commit.")
    raise typer.Exit(1)


@app.command()
def identify(
    folder: Annotated[
        Path | None, typer.Argument(help="The three tests as CSV files; the virtual patient's when left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which day of the virtual patient.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, without an earlier session; runs/<time> when left out."),
    ] = None,
) -> None:
    """Find a patient's recruitment, delay, bandwidth and stiffness from three tests of under 30 s each."""
    from controller.commands.identify import run_identification

    try:
        with results_folder(out) as place:
            code = run_identification(folder, seed, place, console)
    except ValueError as error:
        _refuse(error)
    raise typer.Exit(code)


@app.command()
def reference(
    session: Annotated[Path, typer.Argument(help="Session file (TOML).")],
    recording: Annotated[Path, typer.Argument(help="session.mcap with ten or more strides in mode off.")],
    plot: Annotated[Path | None, typer.Option(help="Write swings and proposal as a picture.")] = None,
) -> None:
    """Suit the reference to a person: lifted where the own foot is higher without pulses."""
    from controller.commands.reference import patient_lines, propose
    from controller.commands.reference import plot as write_plot
    from controller.config.core_params import normal_reference
    from controller.config.session import load_session

    file = _refusing(lambda: load_session(session))
    normal, swings, lift_deg = _refusing(lambda: propose(file, recording))
    if any(lift_deg):
        console.print(
            f"{len(swings)} swings without pulses: the reference is lifted by up to {max(lift_deg):.1f} deg. "
            f"For the patient file, if you agree:\n\n{patient_lines(file, lift_deg)}",
            markup=False,
        )
    else:
        console.print(
            f"{len(swings)} swings without pulses: the foot is nowhere higher than normal, nothing to change."
        )
    if plot is not None:
        wanted = file.patient.reference
        lifted = normal_reference(wanted.speed_mps, wanted.band_deg, lift_deg)
        _picture(plot, lambda file: write_plot(normal, swings, lifted, file))
        console.print(f"written: {plot}")


@app.command()
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
    from controller.record.reader import NO_END, has_end

    log = pulses or recording.with_name("pulses.jsonl")
    findings = _refusing(lambda: judge_recording(recording, log if log.exists() else None))
    if as_json:
        for finding in findings:
            typer.echo(json.dumps(asdict(finding)))
    else:
        table = Table("", "id", "promise", "worst", "seen", "detail")
        for row in as_table(findings):
            table.add_row(*row, style="bold red" if row[0] == "broken" else "")
        console.print(table)
        if not has_end(recording):
            console.print(f"{NO_END[0].upper()}{NO_END[1:]}. Judged is what is there.")
    raise typer.Exit(0 if all(finding.kept for finding in findings) else 1)


@app.command()
def events(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: time_s, acc_x_g ..., gyr_x_dps ...")],
    segment: Annotated[Literal["foot", "shank"], typer.Option(help="Where the sensor sits.")],
    side: Annotated[Literal["left", "right"], typer.Option(help="On which leg.")],
    axes: Annotated[str, typer.Option(help="auto: the sensor's rotation is found by itself.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Detect gait events in a recording, as online: each line needs nothing later than its `emitted_s`."""
    from controller.commands.events import run_events

    _refusing(lambda: run_events(file, segment, side, axes=axes, as_json=as_json))


@app.command()
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

    _refusing(write)
    console.print(f"written: {target}")


@app.command()
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

    with console.status("reading") as status:
        files = _refusing(
            lambda: export_recording(
                recording,
                to,
                folder,
                lambda count: status.update(f"reading: {count:,} messages"),
                unblind=unblind,
            )
        )
    for file in files:
        console.print(f"written: {file}", markup=False, soft_wrap=True)


@app.command()
def dose(
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

    wanted = _refusing(lambda: command.wanted(who, runs, also_recorded=again))
    for book in _refusing(lambda: command.books(wanted, again=again, console=Console(stderr=True))):
        if as_json:
            typer.echo(json.dumps(command.as_json(book)))
        else:
            command.show(book, days, console)


@mqtt_app.command("watch")
def mqtt_watch(
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
        _refuse(error)


@mqtt_app.command("forward")
def mqtt_forward(
    recording: Annotated[Path, typer.Argument(help="session.mcap")],
    session: Annotated[Path, typer.Argument(help="Session file (TOML) whose broker to tell.")],
) -> None:
    """Bring the session's broker every event and stride of a recording that it has not had."""
    from controller.telemetry.forward import NotDeliveredError, run_forward

    try:
        with console.status("sending") as status:
            sent = _refusing(
                lambda: run_forward(recording, session, lambda count: status.update(f"sent: {count:,}"))
            )
    except NotDeliveredError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(1) from None
    console.print(f"sent: {sent} events; the broker has all of this session")


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="Session file (TOML).")]) -> None:
    """Check a session file and its patient file; print the limits in force, who set each, and the gains."""
    from controller.commands.config_check import load_startable
    from controller.config.exercise import exercise_settings
    from controller.config.session import Session, settings
    from controller.safety.judgement.limits import NAMES
    from controller.telemetry.settings import unencrypted_warning

    session = _refusing(lambda: load_startable(file))
    effective = session.effective
    table = Table("limit", "value", "set by", title=f"{file}: good")
    for name in NAMES:
        table.add_row(name, f"{getattr(effective.limits, name):g}", effective.set_by[name])
    console.print(table)
    table = Table("setting", "value", "allowed", title="What steers")
    for row in settings(session) if isinstance(session, Session) else exercise_settings(session):
        table.add_row(*row)
    console.print(table)
    if warning := unencrypted_warning(session):
        console.print(warning, style="bold red", markup=False)


@app.command()
def decode(
    device: Annotated[str, typer.Argument(help=", ".join(DECODERS))],
    payload: Annotated[str, typer.Argument(metavar="HEX", help="The bytes, in hexadecimal.")],
    channel: Annotated[
        str | None,
        typer.Option(help="UUID of the characteristic, or its four digits; Movesense: or the path."),
    ] = None,
    mode: Annotated[
        int | None,
        typer.Option(help="Payload mode (Movella DOT) or range (MetaMotion): the bytes do not tell."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a device's bytes mean."""
    from drivers.decode import decode as decode_bytes

    try:
        meaning = decode_bytes(device, payload, channel, mode)
    except ValueError as error:
        _refuse(error)
    if as_json:
        typer.echo(json.dumps(meaning))
        return
    table = Table("field", "value", show_header=False)
    for key, value in meaning.items():
        table.add_row(key, str(value))
    console.print(table)


@app.command()
def sensor(
    device: Annotated[str, typer.Argument(help="Its name in session files, or the TOML file of one's own.")],
    address: Annotated[str, typer.Argument(help="Bluetooth address, or the name that it advertises.")],
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to listen.")] = 10.0,
) -> None:
    """Listen to one sensor alone: its rate, what was lost, how late and how unevenly it arrives."""
    import asyncio

    from controller.commands.sensor import listen, open_sensor, rows_of

    try:
        told = asyncio.run(listen(open_sensor(device, address), seconds))
    except (ValueError, DeviceError) as error:
        _refuse(error)
    table = Table("what", "found", title=f"{device} at {address}")
    for row in rows_of(told):
        table.add_row(*row)
    console.print(table)


@app.command()
def tune(
    session: Annotated[Path, typer.Argument(help="Session file (TOML) with the patient's identified model.")],
    plot: Annotated[Path | None, typer.Option(help="Write the loops and their margins as a picture.")] = None,
) -> None:
    """Propose feedback gains from the identified model, beside the file's own, with their margins."""
    from controller.commands.tune import controller, margins, plant, propose
    from controller.commands.tune import plot as write_plot
    from controller.config.core_params import core_params
    from controller.config.session import load_session

    core = _refusing(lambda: core_params(load_session(session)))
    proposed, left = _refusing(lambda: propose(core))
    table = Table("[feedback]", "this file", "proposed", title="Changes nothing: copy what you agree with")
    for key in ("kp_nm_per_rad", "ti_s", "td_s"):
        table.add_row(key, f"{getattr(core.gains, key):.3g}", f"{getattr(proposed, key):.3g}")
    present = margins(plant(core) * controller(core.gains))
    for key, name in (
        ("gain", "gain margin, factor"),
        ("phase_deg", "phase margin, deg"),
        ("sensitivity", "largest sensitivity Ms"),
        ("bandwidth_hz", "feedback helps up to, Hz"),
    ):
        table.add_row(name, f"{getattr(present, key):.2f}", f"{getattr(left, key):.2f}")
    console.print(table)
    if plot is not None:
        _picture(plot, lambda file: write_plot(core, proposed, file))
        console.print(f"written: {plot}")


@app.command()
def doctor() -> None:
    """What this machine has for Dorsi, and what to do about what is missing."""
    from controller.commands.doctor import examine

    table = Table("what", "found", "what to do")
    findings = examine()
    for finding in findings:
        table.add_row(finding.what, ("ok: " if finding.good else "missing: ") + finding.found, finding.to_do)
    console.print(table)


def _picture(path: Path, write: Callable[[Path], None]) -> None:
    """Have a picture written whole, or the command refused."""

    def job() -> None:
        with new_file(path, PICTURES) as beside:
            write(beside)

    _refusing(job)


def _refusing(job: Callable[[], Result]) -> Result:
    """Run a job; an input it refuses ends the command with exit code 2 and the reasons."""
    try:
        return job()
    except (InputError, ConfigError) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    for line in str(error).splitlines():
        typer.echo(f"refused: {line}", err=True)
    raise typer.Exit(REFUSED) from None


def main() -> None:
    try:
        app()
    except OSError as error:  # a disk or a pipe that ended amid a command: in words, as any refusal
        if error.filename is None:
            raise
        sys.stderr.write(f"refused: {error.filename}: {error.strerror}\n")
        raise SystemExit(REFUSED) from None


if __name__ == "__main__":
    main()
