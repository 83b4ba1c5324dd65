"""Running a session from its start to the last word about it: the same for every therapy.

Whatever happens, what was recorded is summed up and judged, and how it ended is told in words.
"""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from controller.analysis.judge import Finding, judge_recording
from controller.commands.doctor import without
from controller.config.exercise import ExerciseSession
from controller.config.session import Session
from controller.errors import ConfigError, InputError
from controller.runtime import child
from controller.runtime.process_group import ProcessFailedError
from controller.runtime.session_processes import Attended, Virtual
from controller.runtime.supervisor import Outcome, Supervisor
from controller.runtime.terminal import Screen
from controller.safety.judgement.contraindications import QUESTION
from controller.trial.schedule import ArmPlan
from drivers.catalogue import sensor_device

BROKER_READY_S = 10.0
DONE, FAILED, STOPPED = 0, 1, 130
DISCLAIMER = "Research software: not a medical device, no clearance."
SumUp = Callable[[Path], Sequence[str]]  # a recording to the names of the files made of it, beside it


def conduct(
    session: Session | ExerciseSession,
    arms: Sequence[ArmPlan],
    out: Path,
    console: Console,
    *,
    virtual: Virtual | None,
    mqtt: Mapping[str, object] | None,
    attended: Attended | None,
    sum_up: SumUp,
    seconds: float | None = None,
    asked: bool = True,
) -> int:
    """Run, then write summary and report whatever happened, then say how it went."""
    failure: ProcessFailedError | None = None
    outcome: Outcome | None = None
    with Screen(console) as screen:
        try:
            supervisor = Supervisor(session, out, virtual, screen, attended, asked=asked)
            outcome = supervisor.run(arms, mqtt, seconds)
        except ProcessFailedError as error:
            failure = error
    recording = out / "session.mcap"
    broken = False
    if recording.exists():
        console.print(
            "Stimulation is off, the recording is kept. It is being summed up: minutes for a long one."
        )
        made = sum_up(recording)
        broken = _judged(recording, out / "pulses.jsonl" if virtual else None, console)
        names = ["session.mcap", *made] + (["pulses.jsonl"] if virtual else [])
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


def needs_radio(session: Session | ExerciseSession) -> bool:
    return any(sensor_device(sensor.device).link == "ble" for sensor in session.file.sensors)


def devices_here(session: Session | ExerciseSession) -> None:
    """Refuse a session on real devices where a device cannot be reached. Raises ConfigError."""
    lacking = without(session.file.stimulator.port, radio=needs_radio(session))
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


def confirmed(session: Session | ExerciseSession, console: Console) -> bool:
    """Before real current: show who and what, and have a person type it."""
    if not sys.stdin.isatty():
        raise InputError("terminal", "confirmation", "no keyboard", "a person at the terminal, or --yes")
    console.print(f"Patient {session.patient.patient.pseudonym}. Checklist as answered in the patient file:")
    for key, answer in session.patient.checklist.items():
        console.print(f"  {answer:9} {QUESTION[key].text}")
    return console.input("Type [bold]arm[/bold] to connect and arm: ").strip() == "arm"


@contextlib.contextmanager
def broker() -> Iterator[int | None]:
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
