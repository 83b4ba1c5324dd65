"""`dorsi run` of an exercise on an emulated stimulator's port: a person confirms, answers stay inside."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.analysis.exercise import summarise_exercise
from controller.analysis.export.export import export
from controller.commands.exercise import VIRTUAL_PERSON, virtual_session_text
from controller.record import records
from controller.record.reader import messages
from controller.safety.judgement.contraindications import QUESTIONS
from tests.process.test_terminal import Terminal

PROGRAMME = """
[programme]
title = "Short"
kind = "cyclic"
aim = "A test."
source = "A test"

[[contractions]]
muscle = "wrist-extensors"
width_us = 300.0
rate_hz = 40.0
ramp_up_s = 0.5
hold_s = 0.5
ramp_down_s = 0.5

[repetitions]
count = 1
rest_s = 2.0
"""
CONDITION, ANSWER = "dysreflexia", "accepted"  # forbids none of these programmes, and may not leave
ASKED_S = 90.0  # until the question, on a machine with other work

pytestmark = pytest.mark.real_time


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Path]:
    """A session file of a person whose stimulator is an emulated P24 on its port."""
    log = str(tmp_path / "pulses.jsonl")
    device = subprocess.Popen(
        [sys.executable, "-m", "drivers.emulated.p24", "--pulse-log", log], stdout=subprocess.PIPE, text=True
    )
    try:
        assert device.stdout is not None
        port = device.stdout.readline().strip()
        (tmp_path / "programme.toml").write_text(PROGRAMME)
        person = VIRTUAL_PERSON.read_text().replace("P100-virtual", "P07")
        (tmp_path / "P07.toml").write_text(person.replace(f'{CONDITION} = "no"', f'{CONDITION} = "{ANSWER}"'))
        text = virtual_session_text(tmp_path / "programme.toml")
        text = text.replace(str(VIRTUAL_PERSON), "P07.toml").replace("/dev/ttyACM0", port)
        file = tmp_path / "session.toml"
        file.write_text(text)
        yield file
    finally:
        device.terminate()
        device.communicate(timeout=30.0)


def asked(terminal: Terminal) -> str:
    """The screen, once the person is asked to confirm."""
    deadline = time.monotonic() + ASKED_S
    while b"to connect and arm" not in terminal.screen:
        assert time.monotonic() < deadline, terminal.screen.decode(errors="replace")
        time.sleep(0.01)
    return plain(terminal.screen.decode(errors="replace"))


def plain(screen: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)


def run(session: Path, typed: bytes) -> tuple[str, str]:
    """What was asked, and the whole screen."""
    out = session.parent / "runs" / "one"
    terminal = Terminal("run", str(session), "--out", str(out))
    try:
        question = asked(terminal)
        terminal.press(typed + b"\n")
        return question, plain(terminal.close())
    finally:
        terminal.shell.kill()
        terminal.shell.wait()


def test_the_checklist_is_shown_first_and_whoever_does_not_confirm_starts_nothing(session: Path) -> None:
    question, screen = run(session, b"yes")
    words = " ".join(question.split())
    assert "Patient P07" in words
    for one in QUESTIONS:
        answer = ANSWER if one.key == CONDITION else "no"
        assert f"{answer} {' '.join(one.text.split())}" in words
    assert "Not confirmed; nothing was started." in screen
    assert not (session.parent / "runs" / "one" / "session.mcap").exists()
    assert not (session.parent / "pulses.jsonl").exists() or not (session.parent / "pulses.jsonl").read_text()


def test_a_confirmed_session_is_given_and_its_answers_are_in_the_recording_alone(session: Path) -> None:
    _, screen = run(session, b"arm")
    folder = session.parent / "runs" / "one"
    recording = folder / "session.mcap"
    assert summarise_exercise(recording).whole, screen
    assert (session.parent / "pulses.jsonl").stat().st_size > 0
    told = [m.record for m in messages(recording, ("guard/setup",))]
    assert {one.checklist[CONDITION] for one in told if isinstance(one, records.GuardSetup)} == {ANSWER}
    for kind in ("csv", "edf", "bids"):
        export(recording, kind, session.parent / "exports" / kind)  # type: ignore[arg-type]
    outside = [path for path in (session.parent / "runs").rglob("*") if path.is_file() and path != recording]
    outside += [path for path in (session.parent / "exports").rglob("*") if path.is_file()]
    names = {path.name for path in outside}
    assert {"report.html", "summary.json", "P07.jsonl", "events.csv", "session.edf"} <= names
    for path in outside:
        data = path.read_bytes().decode(errors="replace").lower()
        assert CONDITION not in data, path
        assert "autonomic" not in data, path
