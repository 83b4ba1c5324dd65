"""What a rig that was killed leaves to the next one of the same person, by the commands that people use."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from controller.safety.judgement import in_force
from controller.safety.kept_file import InUseError, KeptFile
from tests.process.rigs import ATTEMPTS, StallWatch, children, finish, pulse_log, start, wait_for_pulses

PERIOD_NS = 25_000_000  # 40 Hz
PULSES_FIRST = 20
FIRST_PULSES = 5
LOADED_S = 240.0  # on a machine with other work
ENDED_S = 20.0
IN_FORCE = "in force was active: dorsiflexion"

pytestmark = pytest.mark.timeout(600)


def amid_a_train(process: subprocess.Popen[str], folder: Path) -> bool:
    """Waits until the newest pulse is one of a train's first; false where the rig ended before."""
    while process.poll() is None:
        before, *_, newest = pulse_log(folder)[-FIRST_PULSES:]
        fresh = time.monotonic_ns() - newest.t_ns < PERIOD_NS
        if fresh and newest.t_ns - before.t_ns > FIRST_PULSES * PERIOD_NS:
            return True
        time.sleep(0.001)
    return False


def walking(folder: Path) -> tuple[subprocess.Popen[str], Path, dict[str, int]]:
    """A demo amid a train, its folder of runs, and its processes, whose names take a while to be read.

    One ended as this machine stood still is begun again.
    """
    for attempt in range(ATTEMPTS):
        runs = folder / f"runs{attempt}"
        out = runs / "a"
        with StallWatch() as watch:
            process = start("demo", "--seconds", "60", "--mode", "feedback", "--no-report", "--out", str(out))
            wait_for_pulses(process, out, PULSES_FIRST)
            below = children(process.pid)
            if amid_a_train(process, out):
                return process, runs, below
        assert watch.stood_still(), finish(process)
    raise AssertionError("this machine stands still at every attempt")


def kill(process: subprocess.Popen[str], victims: list[int]) -> None:
    for pid in dict.fromkeys(victims):
        with contextlib.suppress(ProcessLookupError):  # the supervisor's children end with it
            os.kill(pid, signal.SIGKILL)
    finish(process, LOADED_S)


def left_in_flight(runs: Path) -> KeptFile:
    """What the guard keeps for the next one, as soon as it has let go of it."""
    deadline = time.monotonic() + ENDED_S
    (left,) = (runs / "rest" / "virtual").glob("*.inflight")
    while True:
        try:
            return KeptFile(left)
        except InUseError:
            assert time.monotonic() < deadline, "the guard has not ended"
            time.sleep(0.05)


def test_after_a_crash_amid_pulses_the_next_rig_starts_tripped_and_shows_what_was_in_force(
    tmp_path: Path,
) -> None:
    process, runs, below = walking(tmp_path)
    kill(process, [below["dorsi-guard"], process.pid, *below.values()])
    code, output = finish(
        start("demo", "--seconds", "5", "--mode", "feedback", "--no-report", "--out", str(runs / "b")),
        LOADED_S,
    )
    words = " ".join(output.split())
    assert code == 1, output
    assert "Tripped: The guard program was restarted in the middle of a session" in words
    assert IN_FORCE in words
    assert "mA" in words
    assert "Ask the person how they are" in words
    assert pulse_log(runs / "b") == []
    file = left_in_flight(runs)
    file.close(0.0)
    assert (file.found, file.damaged) == (None, False)  # acknowledged: the one after it starts clean


@pytest.mark.parametrize("killed", ["the supervisor", "the guard"])
def test_whichever_is_killed_amid_pulses_the_next_guard_finds_what_was_in_force(
    tmp_path: Path, killed: str
) -> None:
    process, runs, below = walking(tmp_path)
    kill(process, [process.pid if killed == "the supervisor" else below["dorsi-guard"]])
    file = left_in_flight(runs)
    file.close(0.0)
    assert not file.damaged
    assert IN_FORCE in in_force.words(file.found, ["dorsiflexion"])
