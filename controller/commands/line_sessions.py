"""The commands that begin with a session, a person or a setting."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from controller.commands.line import (
    CONFIGS,
    console,
    picture_file,
    refuse,
    refuse_unused,
    refusing,
)
from controller.commands.results import results_folder
from controller.errors import InputError

DemoMode = Literal["off", "trapezoid", "feedback", "learning", "as-needed", "compare"]
WithReport = Annotated[
    bool, typer.Option("--report/--no-report", help="Draw the report at the end; dorsi report does it later.")
]


def demo(
    context: typer.Context,
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
    report: WithReport = True,
) -> None:
    """A virtual patient with a drop foot walks, or does an exercise; sensors, radio, guard and stimulator are
    emulated byte for byte.
    """
    from controller.commands.attended import console_for
    from controller.commands.exercise import run_programme_demo
    from controller.commands.run import DEMO_SESSION, run_demo

    if programme is not None:
        refuse_unused(context, ("mode", "session"), "with --programme")
    if not with_console:
        refuse_unused(context, ("console_port",), "without --console")
    only = None if mode == "compare" else mode
    port = console_port if with_console else None
    file = session or DEMO_SESSION

    def conduct() -> int:
        with results_folder(out) as folder:
            if programme is not None:
                attend = None
                if port is not None:
                    attend = partial(console_for, out=folder, console=console, port=port, virtual=True)
                return run_programme_demo(
                    programme, seed, folder, console, attend=attend, seconds=seconds, report=report
                )
            return run_demo(only, seconds, seed, folder, console, console_port=port, file=file, report=report)

    raise typer.Exit(refusing(conduct))


def run(
    session: Annotated[Path, typer.Argument(help="Session file (TOML).")],
    *,
    seconds: Annotated[float | None, typer.Option(min=1, help="End after this long.")] = None,
    recording: Annotated[
        list[str] | None,
        typer.Option(
            help="FILE or SENSOR=FILE: stream it instead of real devices. CSV or Parquet with the columns "
            "time_s, acc_x_mps2 or acc_x_g, gyr_x_dps or gyr_x_rps, and the same for y and z."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, without an earlier session; runs/<time> when left out."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Arm without asking (rehearsals never ask).")] = False,
    with_console: Annotated[
        bool, typer.Option("--console/--no-console", help="Arm and stop from the console in a browser.")
    ] = False,
    patient: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Patient file in place of the session's.")
    ] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Rehearse: the virtual patient, and no real device.")
    ] = False,
    place: Annotated[
        Path | None, typer.Option(hidden=True, help="Of dorsi console, which starts it.")
    ] = None,
    report: WithReport = True,
) -> None:
    """Run a session on real devices, or rehearse it with recordings streamed by emulated sensors."""
    from controller.commands.run import run_session
    from controller.config.console_settings import read_place

    def conduct() -> int:
        where = None if place is None else read_place(place)
        with results_folder(out) as folder:
            return run_session(
                session,
                seconds,
                recording or [],
                folder,
                console,
                ask=not yes,
                with_console=with_console,
                person=patient,
                rehearse=virtual,
                place=where,
                report=report,
            )

    raise typer.Exit(refusing(conduct))


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
    stimulator = refusing(lambda: stimulator_name(wanted))
    found = list(all_programmes(wanted, folder or CONFIGS / "programmes"))
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one)))
    else:
        console.print(programmes_table(found, stimulator))


def identify(
    folder: Annotated[
        Path | None, typer.Argument(help="The three tests as CSV files; the virtual patient's when left out.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            help="Instead: a session.mcap with test trains, given while the leg hung. Needs no plate."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which day of the virtual patient.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, without an earlier session; runs/<time> when left out."),
    ] = None,
) -> None:
    """Find a patient's recruitment, delay, bandwidth and stiffness from three tests, or from test trains."""
    from controller.commands.identify import run_free_foot, run_identification

    try:
        if recording is not None and folder is not None:
            raise InputError("identify", "folder and --recording", "both", "one of them")
        with results_folder(out) as place:
            if recording is not None:
                code = run_free_foot(recording, place, console)
            else:
                code = run_identification(folder, seed, place, console)
    except ValueError as error:
        refuse(error)
    raise typer.Exit(code)


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

    file = refusing(lambda: load_session(session))
    normal, swings, lift_deg = refusing(lambda: propose(file, recording))
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
        picture_file(plot, lambda file: write_plot(normal, swings, lifted, file))
        console.print(f"written: {plot}")


def tune(
    session: Annotated[Path, typer.Argument(help="Session file (TOML) with the patient's identified model.")],
    plot: Annotated[Path | None, typer.Option(help="Write the loops and their margins as a picture.")] = None,
) -> None:
    """Propose feedback gains from the identified model, beside the file's own, with their margins."""
    from controller.commands.tune import plot as write_plot
    from controller.commands.tune import propose
    from controller.config.core_params import core_params
    from controller.config.session import load_session
    from controller.studies.loop_margins import controller, margins, plant

    core = refusing(lambda: core_params(load_session(session)))
    proposed, left = refusing(lambda: propose(core))
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
        picture_file(plot, lambda file: write_plot(core, proposed, file))
        console.print(f"written: {plot}")


def config_check(file: Annotated[Path, typer.Argument(help="Session file (TOML).")]) -> None:
    """Check a session file and its patient file; print the limits in force, who set each, and the gains."""
    from controller.commands.config_check import load_startable
    from controller.config.exercise import exercise_settings
    from controller.config.session import Session, settings
    from controller.safety.judgement.limits import NAMES
    from controller.telemetry.settings import unencrypted_warning

    session = refusing(lambda: load_startable(file))
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
