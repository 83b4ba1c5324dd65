"""What `dorsi demo` and `dorsi run` do around the supervisor: prepare, run, sum up, tell.

A recording is only ever streamed to the emulated stimulator, never to a real one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from controller.analysis.imu_file import load_sensor_file
from controller.analysis.judge import Finding, judge_recording
from controller.analysis.report.page import write_pdf, write_report
from controller.analysis.summary import ArmSummary, Latency, Spread, summarise
from controller.analysis.tables import left_out_words
from controller.commands.config_check import load_startable
from controller.commands.doctor import without
from controller.commands.results import new_file
from controller.config.console_settings import ConsoleSettings
from controller.config.core_params import normal_reference
from controller.config.session import Session, arm_plans
from controller.console.recordings.file_jobs import mark
from controller.core.signals import Mode
from controller.errors import ConfigError, InputError
from controller.runtime import child
from controller.runtime.process_group import ProcessFailedError
from controller.runtime.supervisor import Attended, Outcome, Supervisor, Virtual
from controller.runtime.terminal import Screen
from controller.safety.judgement.contraindications import QUESTION
from controller.telemetry.settings import mqtt_settings, unencrypted_warning
from controller.trial.schedule import ArmPlan

DEMO_SESSION = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
BROKER_READY_S = 10.0
ARM_S = 20.0  # of an arm that the demo's schedule does not have
DONE, FAILED, STOPPED = 0, 1, 130
DISCLAIMER = "Research software: not a medical device, no clearance."


def run_demo(
    mode: Mode | None,
    seconds: float | None,
    seed: int,
    out: Path,
    console: Console,
    *,
    console_port: int | None = None,
    file: Path = DEMO_SESSION,
) -> int:
    """Walk the virtual patient through a session's schedule, or its arm of one mode; returns the exit code.
    ``seconds`` replaces the length of every arm.

    With a ``console_port`` a person arms from the therapist's console there (0: a free port).
    """
    session = load_startable(file)
    console.print(f"[bold]Dorsi demo[/bold]: a virtual patient with a left drop foot. {DISCLAIMER}")
    arms = [
        arm if seconds is None and (arm.seconds or arm.strides) else _lasting(arm, seconds or ARM_S)
        for arm in arm_plans(session, seed)
        if mode in (None, arm.mode)
    ] or [ArmPlan(mode or "feedback", seconds or ARM_S)]
    console.print(f"Arms, in one walk: {', '.join(map(_words, arms))}. Results go to {out}/")
    with _broker() as port:
        site, rig = session.file.session.site, session.file.session.rig
        mqtt: Mapping[str, object] | None = None
        if port is not None:
            mqtt = {"host": "127.0.0.1", "port": port, "site": site, "rig": rig}
            console.print(
                f"Watch it live: mosquitto_sub -h 127.0.0.1 -p {port} -t 'dorsi/1/{site}/{rig}/#' -v"
            )
        attended = None
        if console_port is not None:
            attended = _attended(session, out, console, port=console_port, virtual=True)
        return _conduct(session, arms, out, console, virtual=Virtual(seed, {}), mqtt=mqtt, attended=attended)


def run_session(
    file: Path,
    seconds: float | None,
    recordings: list[str],
    out: Path,
    console: Console,
    *,
    ask: bool,
    with_console: bool = False,
) -> int:
    """Run a session file, on real devices or, with recordings, as a rehearsal; returns the exit code."""
    session = load_startable(file)
    streams = _recordings(session, recordings)
    virtual = Virtual(0, streams) if streams else None
    if virtual is None:
        _devices_here(session)
    console.print(f"[bold]Dorsi[/bold]: {file}. {DISCLAIMER}")
    if virtual is None and ask and not _confirmed(session, console):
        console.print("Not confirmed; nothing was started.")
        return FAILED
    settings = mqtt_settings(session)
    if warning := unencrypted_warning(session):
        console.print(warning, style="bold red", markup=False)
    mqtt = None if settings is None else asdict(settings)
    arms = arm_plans(session, secrets.randbits(32))
    if len(arms) > 1:
        console.print(f"Arms: {', '.join(map(_words, arms))}")
    attended = None
    if with_console:
        attended = _attended(
            session, out, console, port=session.file.console.port, virtual=virtual is not None
        )
    return _conduct(
        session, arms, out, console, virtual=virtual, mqtt=mqtt, attended=attended, seconds=seconds
    )


def _lasting(arm: ArmPlan, seconds: float) -> ArmPlan:
    return replace(arm, seconds=seconds, strides=None)


def _words(arm: ArmPlan) -> str:
    """An arm and its length."""
    if arm.strides is not None:
        return f"{arm.title} {arm.strides} strides"
    return arm.title if arm.seconds is None else f"{arm.title} {arm.seconds:g} s"


def _attended(session: Session, out: Path, console: Console, *, port: int, virtual: bool) -> Attended:
    """What the console is told; its address is printed when it listens."""
    if importlib.util.find_spec("nicegui") is None:
        raise ConfigError(["--console: nicegui is not installed, allowed: pip install 'dorsi[console]'"])
    given, folder = session.file.console, session.path.parent

    def beside(name: str | None) -> str | None:
        return None if name is None else str((folder / name).resolve())

    reference = normal_reference(session.patient.reference.speed_mps)
    settings = ConsoleSettings(
        host=given.host,
        port=port,
        runs=str(out.resolve().parent),
        token_file=beside(given.token_file),
        cert_file=beside(given.cert_file),
        key_file=beside(given.key_file),
        session=out.name,
        pseudonym=session.patient.patient.pseudonym,
        mode=session.file.session.mode,
        virtual=virtual,
        reference_pitch_deg=reference.foot_pitch_deg,
        normal_swing_percent=100.0 - reference.toe_off_percent,
        speed_mps=session.patient.reference.speed_mps,
        side=session.patient.patient.paretic_side,
        sensors=tuple((sensor.name, sensor.device, sensor.segment) for sensor in session.file.sensors),
        checklist=tuple(session.patient.checklist.items()),
        patient_file="" if virtual else str((folder / session.file.session.patient_file).resolve()),
    )
    return Attended(
        settings,
        lambda url: console.print(
            f"Console: {url}  (arm there; STOP there or here)", markup=False, soft_wrap=True
        ),
    )


def _conduct(
    session: Session,
    arms: Sequence[ArmPlan],
    out: Path,
    console: Console,
    *,
    virtual: Virtual | None,
    mqtt: Mapping[str, object] | None,
    attended: Attended | None,
    seconds: float | None = None,
) -> int:
    """Run, then write summary and report whatever happened, then say how it went."""
    failure: ProcessFailedError | None = None
    outcome: Outcome | None = None
    with Screen(console) as screen:
        try:
            outcome = Supervisor(session, out, virtual, screen, attended).run(arms, mqtt, seconds)
        except ProcessFailedError as error:
            failure = error
    recording = out / "session.mcap"
    broken = False
    if recording.exists():
        summary = summarise(recording)
        try:
            with new_file(out / "summary.json", (".json",)) as file:
                file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
            with new_file(out / "report.html", (".html",)) as file:
                write_report(recording, file)
            if attended is not None:  # its console offers the report for paper: there at once
                with new_file(out / "report.pdf", (".pdf",)) as file:
                    write_pdf(recording, file)
                mark(out / "report.pdf", recording.stat().st_mtime_ns)
        except InputError as error:  # of a place that took the recording
            console.print(f"Not reported: {error}. The recording is kept; dorsi report makes it later.")
        if any(arm.strides or arm.true_strides for arm in summary.arms):
            console.print(_table(summary.arms))
        else:
            console.print("Nobody walked: there are no figures.")
        broken = _judged(recording, out / "pulses.jsonl" if virtual else None, console)
        names = ["session.mcap", "report.html", "summary.json"] + (["pulses.jsonl"] if virtual else [])
        console.print(f"In {out}/: {', '.join(names)}")
    if failure is not None:
        console.print(
            f"[bold red]Ended:[/bold red] {failure}. Stimulation is off. The recording up to then is kept."
        )
        console.print(f"What to do: read {out}/logs/, then start again; the rig starts disarmed.")
        return FAILED
    if outcome is not None and outcome.stopped_by is not None:
        console.print(f"Stopped by {outcome.stopped_by}; stimulation is off.")
        return STOPPED
    if outcome is not None and outcome.trip is not None:
        console.print(f"[bold red]Tripped:[/bold red] {outcome.trip}")
        return FAILED
    return FAILED if broken else DONE


def _devices_here(session: Session) -> None:
    """Refuse a session on real devices where a device cannot be reached. Raises ConfigError."""
    lacking = without(session.file.stimulator.port, radio=bool(session.file.sensors))
    if lacking:
        raise ConfigError([f"{each.what}: found {each.found}; {each.to_do}" for each in lacking])


def _judged(recording: Path, pulse_log: Path | None, console: Console) -> bool:
    """Judge the recording, and say what was found; whether a promise was broken."""
    findings = judge_recording(recording, pulse_log)
    for line in judged_words(findings):
        console.print(line)
    return not all(finding.kept for finding in findings)


def judged_words(findings: Sequence[Finding]) -> list[str]:
    """What the judge found, a line each; nothing is called kept that had no occasion to be broken."""
    broken = [finding for finding in findings if not finding.kept]
    kept = sum(finding.kept and finding.seen > 0 for finding in findings)
    idle = len(findings) - len(broken) - kept
    lines = []
    for finding in broken:
        figure = "" if finding.worst is None else f": {finding.worst:g} {finding.unit}"
        lines.append(f"[bold red]Broken:[/bold red] {finding.id}, {finding.promise}{figure} {finding.detail}")
    if not broken and not kept:
        return ["Judged: no safety limit or deadline was put to the test."]
    if not broken:
        lines.append(
            f"Judged: {kept} safety limits and deadlines put to the test and kept, "
            f"{idle} not put to the test (dorsi judge)."
        )
    return lines


def _recordings(session: Session, given: list[str]) -> dict[str, Path]:
    """``FILE`` or ``SENSOR=FILE`` to files by sensor name; each is read once, so that it is refused now."""
    names = [sensor.name for sensor in session.imus]
    streams: dict[str, Path] = {}
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


def _confirmed(session: Session, console: Console) -> bool:
    """Before real current: show who and what, and have a person type it."""
    if not sys.stdin.isatty():
        raise InputError("terminal", "confirmation", "no keyboard", "a person at the terminal, or --yes")
    console.print(f"Patient {session.patient.patient.pseudonym}. Checklist as answered in the patient file:")
    for key, answer in session.patient.checklist.items():
        console.print(f"  {answer:9} {QUESTION[key].text}")
    return console.input("Type [bold]arm[/bold] to connect and arm: ").strip() == "arm"


@contextlib.contextmanager
def _broker() -> Iterator[int | None]:
    """The embedded broker on loopback; ``None`` when it does not come up, which stops nothing."""
    with subprocess.Popen(
        child.command("controller.telemetry.broker"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as broker:
        assert broker.stdout is not None
        readable, _, _ = select.select([broker.stdout], [], [], BROKER_READY_S)
        line = broker.stdout.readline().strip() if readable else b""
        try:
            yield int(line) if line else None
        finally:
            broker.terminate()


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
