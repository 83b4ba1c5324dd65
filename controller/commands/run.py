"""What `dorsi demo` and `dorsi run` do around the supervisor: prepare, run, sum up, tell.

A recording is only ever streamed to the emulated stimulator, never to a real one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from controller.analysis.imu_file import load_sensor_file
from controller.analysis.summary import ArmSummary, Latency, Spread, summarise
from controller.analysis.tables import left_out_words
from controller.commands.attended import console_for
from controller.commands.conduct import DISCLAIMER, FAILED, broker, conduct, confirmed, devices_here
from controller.commands.config_check import load_startable, load_walk
from controller.commands.exercise import run_programme
from controller.commands.papers import Papers, asked_for, write_papers
from controller.config.console_settings import Place
from controller.config.exercise import ExerciseSession
from controller.config.session import Session, arm_plans
from controller.core.signals import Mode
from controller.errors import ConfigError
from controller.runtime.session_processes import Attended, Virtual
from controller.telemetry.settings import mqtt_settings, unencrypted_warning
from controller.trial.schedule import ArmPlan

DEMO_SESSION = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
ARM_S = 20.0  # of an arm that the demo's schedule does not have
VIRTUAL_SEED = 1  # the demo's day of the virtual patient


def run_demo(
    mode: Mode | None,
    seconds: float | None,
    seed: int,
    out: Path,
    console: Console,
    *,
    console_port: int | None = None,
    file: Path = DEMO_SESSION,
    report: bool = True,
) -> int:
    """Walk the virtual patient through a session's schedule, or its arm of one mode; returns the exit code.
    ``seconds`` replaces the length of every arm.

    With a ``console_port`` a person arms from the therapist's console there (0: a free port).
    """
    session = load_walk(file)
    console.print(f"[bold]Dorsi demo[/bold]: a virtual patient with a left drop foot. {DISCLAIMER}")
    arms = [
        arm if seconds is None and (arm.seconds or arm.strides) else _lasting(arm, seconds or ARM_S)
        for arm in arm_plans(session, seed)
        if mode in (None, arm.mode)
    ] or [ArmPlan(mode or "feedback", seconds or ARM_S)]
    console.print(f"Arms, in one walk: {', '.join(map(_words, arms))}. Results go to {out}/")
    settings = mqtt_settings(session)
    if warning := unencrypted_warning(session):
        console.print(warning, style="bold red", markup=False)
    with broker() if settings is None else nullcontext() as port:
        site, rig = session.file.session.site, session.file.session.rig
        mqtt: Mapping[str, object] | None = None if settings is None else asdict(settings)
        if port is not None:
            mqtt = {"host": "127.0.0.1", "port": port, "site": site, "rig": rig}
            console.print(
                f"Watch it live: mosquitto_sub -h 127.0.0.1 -p {port} -t 'dorsi/1/{site}/{rig}/#' -v"
            )
        who = None
        if console_port is not None:
            who = console_for(session, out, console, port=console_port, virtual=True)
        return _walk(
            session, arms, out, console, virtual=Virtual(seed, {}), mqtt=mqtt, attended=who, report=report
        )


def run_session(
    file: Path,
    seconds: float | None,
    recordings: list[str],
    out: Path,
    console: Console,
    *,
    ask: bool,
    with_console: bool = False,
    person: Path | None = None,
    rehearse: bool = False,
    place: Place | None = None,
    report: bool = True,
) -> int:
    """Run a session file, on real devices or, with recordings or the virtual patient, as a rehearsal; returns
    the exit code.

    ``person`` is a patient file in place of the session's own; ``place`` where the service that starts the
    session wants its console.
    """
    session = load_startable(file, person)
    streams = _recordings(session, recordings)
    if rehearse and streams:
        raise ConfigError(["--virtual: found beside --recording, allowed: one of them"])
    virtual = Virtual(0, streams) if streams else Virtual(VIRTUAL_SEED, {}) if rehearse else None
    if virtual is None:
        devices_here(session)
    console.print(f"[bold]Dorsi[/bold]: {file}. {DISCLAIMER}")
    if virtual is None and ask and not confirmed(session, console):
        console.print("Not confirmed; nothing was started.")
        return FAILED
    settings = mqtt_settings(session)
    if warning := unencrypted_warning(session):
        console.print(warning, style="bold red", markup=False)
    mqtt = None if settings is None else asdict(settings)
    who = None
    if with_console:
        port, is_virtual = session.file.console.port, virtual is not None
        who = console_for(session, out, console, port=port, virtual=is_virtual, place=place)
    if isinstance(session, ExerciseSession):
        return run_programme(
            session, out, console, virtual, mqtt, attended=who, seconds=seconds, report=report, asked=ask
        )
    arms = arm_plans(session, secrets.randbits(32))
    if len(arms) > 1:
        console.print(f"Arms: {', '.join(map(_words, arms))}")
    return _walk(
        session,
        arms,
        out,
        console,
        virtual=virtual,
        mqtt=mqtt,
        attended=who,
        report=report,
        seconds=seconds,
        asked=ask,
    )


def _walk(
    session: Session,
    arms: Sequence[ArmPlan],
    out: Path,
    console: Console,
    *,
    virtual: Virtual | None,
    mqtt: Mapping[str, object] | None,
    attended: Attended | None,
    report: bool,
    seconds: float | None = None,
    asked: bool = True,
) -> int:
    """Run, and sum up as a walk."""

    def sum_up(recording: Path) -> list[str]:
        return _sum_up(recording, asked_for(report=report, console=attended is not None), console)

    return conduct(
        session,
        arms,
        out,
        console,
        virtual=virtual,
        mqtt=mqtt,
        attended=attended,
        sum_up=sum_up,
        seconds=seconds,
        asked=asked,
    )


def _sum_up(recording: Path, papers: Papers, console: Console) -> list[str]:
    """The figures on the screen, the papers beside the recording; which were made."""
    summary = summarise(recording)
    made = write_papers(recording, summary, papers, console)
    if any(arm.strides or arm.true_strides for arm in summary.arms):
        console.print(_table(summary.arms))
    else:
        console.print("Nobody walked: there are no figures.")
    return made


def _lasting(arm: ArmPlan, seconds: float) -> ArmPlan:
    return replace(arm, seconds=seconds, strides=None)


def _words(arm: ArmPlan) -> str:
    """An arm and its length."""
    if arm.strides is not None:
        return f"{arm.title} {arm.strides} strides"
    return arm.title if arm.seconds is None else f"{arm.title} {arm.seconds:g} s"


def _recordings(session: Session | ExerciseSession, given: list[str]) -> dict[str, Path]:
    """``FILE`` or ``SENSOR=FILE`` to files by sensor name; each is read once, so that it is refused now."""
    streams: dict[str, Path] = {}
    if isinstance(session, ExerciseSession):
        if given:
            raise ConfigError(["--recording: found a file, allowed: none in an exercise session"])
        return streams
    names = [sensor.name for sensor in session.imus]
    for item in given:
        name, equals, path = item.partition("=")
        if not equals:
            name, path = names[0], item
        if name not in names:
            raise ConfigError([f"--recording {item}: found sensor {name!r}, allowed: {', '.join(names)}"])
        load_sensor_file(Path(path))
        streams[name] = Path(path).resolve()
    missing = [s.name for s in session.imus if s.required and s.name not in streams]
    if streams and missing:
        raise ConfigError(
            [f"--recording: no file for sensor {name!r}, allowed: {name}=FILE" for name in missing]
        )
    return streams


def _table(arms: tuple[ArmSummary, ...]) -> Table:
    """The summary, one column an arm."""
    table = Table("median (90th percentile)", *map(_title, arms), title="How the foot walked")
    rows = (
        ("strides (true)", [f"{arm.strides} ({_plain(arm.true_strides)})" for arm in arms]),
        ("in the figures, others", [_counted(arm) for arm in arms]),
        ("ankle at initial contact, deg", [_spread(arm.ankle_at_initial_contact_deg) for arm in arms]),
        (
            "foot pitch at initial contact, deg",
            [_spread(arm.foot_pitch_at_initial_contact_deg) for arm in arms],
        ),
        ("peak swing dorsiflexion, deg", [_spread(arm.peak_swing_dorsiflexion_deg) for arm in arms]),
        ("swing pitch error RMS, deg", [_spread(arm.swing_pitch_rmse_deg) for arm in arms]),
        ("charge per stride, uC", [_plain(arm.charge_per_stride_uc) for arm in arms]),
        ("sensor to pulse p50 / p99, ms", [_latency(arm.sensor_to_pulse_ms) for arm in arms]),
        ("tick p50 / p99, ms", [_latency(arm.tick_ms) for arm in arms]),
        (
            "missed ticks, samples lost, trips",
            [f"{arm.missed_ticks}, {arm.samples_lost}, {arm.trips}" for arm in arms],
        ),
    )
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def _title(arm: ArmSummary) -> str:
    return (arm.label or arm.mode) if arm.armed else "not armed"


def _counted(arm: ArmSummary) -> str:
    return f"{arm.counted_strides}, {left_out_words(arm.left_out_strides) or 'none'}"


def _spread(value: Spread | None) -> str:
    return "-" if value is None else f"{value.median:.1f} ({value.p90:.1f})"


def _latency(value: Latency | None) -> str:
    return "-" if value is None else f"{value.p50:.2f} / {value.p99:.2f}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, int) else f"{value:.0f}"
