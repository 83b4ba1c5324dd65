"""A real rig in a real terminal: the keys by which a person stops, or stops the program that hears STOP."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.record import records
from controller.record.reader import messages
from controller.record.replay import replay
from controller.safety.judgement.faults import FAULTS
from tests.process.rigs import StallWatch, children, pulse_log, wait_for_pulses

PERIOD_MS = 25.0  # 40 Hz: a pulse may be on its way
PULSES_FIRST = 20
REPORTED_S = 90.0
TRIPPED_S = 2.0  # twice what the slowest fault here takes

pytestmark = pytest.mark.real_time


class Terminal:
    """A terminal whose screen is read; in it a shell with job control runs the command in the foreground."""

    def __init__(self, *arguments: str) -> None:
        self.screen = bytearray()
        self._keyboard, inside = pty.openpty()
        dorsi = " ".join([sys.executable, "-m", "controller.cli", *arguments])
        shell = ["setsid", "--ctty", "bash", "-m", "-c", f"{dorsi}; echo ended $?; stty -a"]
        self.shell = subprocess.Popen(shell, stdin=inside, stdout=inside, stderr=inside, text=True)
        os.close(inside)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the last program in it has ended
            while news := os.read(self._keyboard, 65536):
                self.screen += news

    def press(self, key: bytes) -> None:
        os.write(self._keyboard, key)

    def hang_up(self) -> None:
        """The window is closed, the line to it is lost."""
        os.close(self._keyboard)
        self._keyboard = -1
        self._reader.join(10.0)  # its read holds the line until the screen says something more

    def close(self) -> str:
        """What was on the screen, after the command's end."""
        try:
            self.shell.wait(60.0)
        finally:
            self.shell.kill()
            self.shell.wait()
            self._reader.join(10.0)
            if self._keyboard >= 0:
                os.close(self._keyboard)
        return self.screen.decode(errors="replace")


@pytest.fixture
def walking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """The demo in a terminal, in the middle of a train; its results are in ``tmp_path / "run"``.

    A test's ``param`` is more of what it is told.
    """
    folder, more = tmp_path / "run", getattr(request, "param", ())
    terminal = Terminal("demo", "--seconds", "60", "--mode", "feedback", *more, "--out", str(folder))
    try:
        wait_for_pulses(terminal.shell, folder, PULSES_FIRST)
        while time.monotonic_ns() - pulse_log(folder)[-1].t_ns > PERIOD_MS * 1e6:
            time.sleep(0.001)
        yield terminal
    finally:
        terminal.shell.kill()
        terminal.shell.wait()


def causes(folder: Path) -> list[tuple[str, str | None, str]]:
    """The guard's trips, and who was behind them."""
    events = [m.record for m in messages(folder / "session.mcap", ("guard/event",))]
    return [
        (event.kind, event.fault, event.by)
        for event in events
        if isinstance(event, records.GuardEvent) and event.kind in ("trip", "stop")
    ]


def last_pulse_ms(folder: Path, since_ns: int) -> float:
    return max((pulse.t_ns - since_ns) / 1e6 for pulse in pulse_log(folder))


@pytest.mark.parametrize("walking", [("--no-report",)], indirect=True, ids=[""])
@pytest.mark.parametrize(("key", "name"), [(b"\x03", "Ctrl-C"), (b"\x1a", "Ctrl-Z")])
def test_a_key_of_the_terminal_is_stop(walking: Terminal, tmp_path: Path, key: bytes, name: str) -> None:
    """The space bar: test_exercise.py::test_the_stop_key_in_a_contraction_ends_the_pulses."""
    pressed_ns = time.monotonic_ns()
    walking.press(key)
    screen = walking.close()
    folder, deadline_ms = tmp_path / "run", FAULTS["F11"].deadline_ms
    assert deadline_ms is not None
    assert last_pulse_ms(folder, pressed_ns) <= deadline_ms + PERIOD_MS
    assert [(kind, fault) for kind, fault, _ in causes(folder)] == [("stop", "F11")]
    assert f"Stopped by {name}" in screen
    assert "ended 130" in screen  # it has ended: Ctrl-Z suspends nothing that a person would have to hear
    assert " icanon" in screen  # and the terminal is as it was
    assert (folder / "summary.json").exists()
    assert not (folder / "report.html").exists()  # as asked
    result = replay(folder / "session.mcap")
    assert result.identical, result.first_difference


def test_a_terminal_that_is_held_ends_as_a_supervisor_that_hangs(walking: Terminal, tmp_path: Path) -> None:
    pressed_ns = time.monotonic_ns()
    walking.press(b"\x13")  # Ctrl-S: nobody can write, the supervisor waits
    time.sleep(TRIPPED_S)
    last_ms = last_pulse_ms(tmp_path / "run", pressed_ns)
    walking.press(b"\x11")
    screen = walking.close()
    deadline_ms = FAULTS["F23"].deadline_ms
    assert deadline_ms is not None
    shown_ms = 1000.0 / 8  # the screen is written so often
    assert last_ms <= deadline_ms + shown_ms + PERIOD_MS
    assert [(kind, fault) for kind, fault, _ in causes(tmp_path / "run")] == [("trip", "F23")]
    assert "ended 1" in screen


def test_a_terminal_that_is_lost_is_stop_with_recording_summary_and_report(
    walking: Terminal, tmp_path: Path
) -> None:
    (pid,) = children(walking.shell.pid).values()
    with StallWatch() as watch:
        walking.hang_up()
        lost_ns = time.monotonic_ns()
        deadline = time.monotonic() + REPORTED_S
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    folder, deadline_ms = tmp_path / "run", FAULTS["F11"].deadline_ms
    assert deadline_ms is not None
    late_ms = last_pulse_ms(folder, lost_ns)
    assert late_ms <= deadline_ms + PERIOD_MS or watch.stood_still(lost_ns)
    assert [(kind, fault) for kind, fault, _ in causes(folder)] == [("stop", "F11")]
    assert (folder / "summary.json").exists()
    assert (folder / "report.html").exists()
    assert (folder / "session.mcap").read_bytes().endswith(b"\x89MCAP0\r\n")  # closed in order
