"""Processes killed in the middle of walking: the pulses end, the recording stays, the person is told."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from controller.record import records
from controller.record.reader import messages
from controller.record.replay import replay
from tests.process.rigs import children, finish, pulse_log, start, wait_for_pulses

PERIOD_NS = 25_000_000  # 40 Hz
GUARD_NS = 10_000_000  # fault F3: zero within 10 ms of the controller's death
PULSES_FIRST = 20

pytestmark = pytest.mark.real_time


def walk_and_kill(folder: Path, name: str, number: signal.Signals) -> tuple[int, int, str]:
    """Kill one process amid pulses; when (CLOCK_MONOTONIC, ns), exit code and output of the demo."""
    process = start("demo", "--seconds", "60", "--mode", "feedback", "--no-report", "--out", str(folder))
    wait_for_pulses(process, folder, PULSES_FIRST)
    assert process.poll() is None, process.communicate()[0]
    victim = process.pid if name == "dorsi" else children(process.pid)[name]
    while time.monotonic_ns() - pulse_log(folder)[-1].t_ns > PERIOD_NS:  # in the middle of a train
        time.sleep(0.001)
    killed_ns = time.monotonic_ns()
    os.kill(victim, number)
    code, output = finish(process)
    return killed_ns, code, output


def assert_replays_identically(folder: Path) -> None:
    result = replay(folder / "session.mcap")
    assert result.identical, result.first_difference


def test_no_pulse_later_than_a_period_and_10_ms_after_the_controllers_death(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed_ns, code, output = walk_and_kill(folder, "dorsi-controller", signal.SIGKILL)
    assert pulse_log(folder)[-1].t_ns <= killed_ns + PERIOD_NS + GUARD_NS
    assert code == 1
    words = " ".join(output.split())
    assert "The controller program ended" in words or "process dorsi-controller ended" in words
    events = [m.record for m in messages(folder / "session.mcap", ("guard/event",))]
    assert [e.fault for e in events if isinstance(e, records.GuardEvent) and e.kind == "trip"] == ["F3"]
    assert_replays_identically(folder)


def test_stop_ends_the_pulses_and_the_session_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stopped_ns, code, output = walk_and_kill(folder, "dorsi", signal.SIGINT)
    assert pulse_log(folder)[-1].t_ns <= stopped_ns + 100_000_000  # F11: zero within 100 ms end to end
    assert code == 130
    assert "Stopped by" in output
    assert (folder / "summary.json").exists()
    assert not (folder / "report.html").exists()  # as asked
    assert_replays_identically(folder)
