"""What a rig that was killed leaves to the next one of the same person, by the commands that people use."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from controller.safety.kept_file import KeptFile
from tests.process.rigs import children, finish, pulse_log, start, wait_for_pulses

PERIOD_NS = 25_000_000  # 40 Hz
PULSES_FIRST = 20
FIRST_PULSES = 5
LOADED_S = 240.0  # on a machine with other work

pytestmark = pytest.mark.timeout(600)


def wait_for_a_trains_begin(folder: Path) -> None:
    """Until the newest pulse is one of a train's first: there are many to come, whatever else runs here."""
    while True:
        before, *_, newest = pulse_log(folder)[-FIRST_PULSES:]
        fresh = time.monotonic_ns() - newest.t_ns < PERIOD_NS
        if fresh and newest.t_ns - before.t_ns > FIRST_PULSES * PERIOD_NS:
            return
        time.sleep(0.001)


@pytest.mark.parametrize("killed", ["everything", "the supervisor", "the guard"])
def test_after_a_crash_amid_pulses_the_next_rig_starts_tripped_and_shows_what_was_in_force(
    tmp_path: Path, killed: str
) -> None:
    runs = tmp_path / "runs"
    process = start("demo", "--seconds", "60", "--mode", "feedback", "--out", str(runs / "a"))
    wait_for_pulses(process, runs / "a", PULSES_FIRST)
    wait_for_a_trains_begin(runs / "a")
    below = children(process.pid)
    victims = {
        "everything": [below["dorsi-guard"], process.pid, *below.values()],
        "the supervisor": [process.pid],
        "the guard": [below["dorsi-guard"]],
    }[killed]
    for pid in dict.fromkeys(victims):
        os.kill(pid, signal.SIGKILL)
    finish(process, LOADED_S)
    code, output = finish(
        start("demo", "--seconds", "5", "--mode", "feedback", "--out", str(runs / "b")), LOADED_S
    )
    words = " ".join(output.split())
    assert code == 1, output
    assert "Tripped: The guard program was restarted in the middle of a session" in words
    assert "in force was active: dorsiflexion" in words
    assert "mA" in words
    assert "Ask the person how they are" in words
    assert pulse_log(runs / "b") == []
    (left,) = (runs / "rest" / "virtual").glob("*.inflight")
    file = KeptFile(left)
    file.close(0.0)
    assert (file.found, file.damaged) == (None, False)  # acknowledged: the one after it starts clean
