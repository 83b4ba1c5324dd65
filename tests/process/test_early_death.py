"""A supervisor that is killed while it starts leaves no process behind, at whatever moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from controller.config.console_settings import ConsoleSettings, write_settings

MARK = "DORSI_TEST_MARK"
STARTED_S = 120.0
LOOK_S = 0.005  # the newest process takes twenty times as long for its first line
GONE_S = 60.0  # on a machine with other work; the recorder takes two seconds to close its file

pytestmark = pytest.mark.timeout(300)


def marked(mark: str, logs: Path) -> list[int]:
    """The live processes with this mark in their environment, or their errors in ``logs``.

    A process that has named itself has overwritten its environment.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            errors = (folder / "fd" / "2").readlink()
            ours = f"{MARK}={mark}".encode() in (folder / "environ").read_bytes()
            if state != "Z" and (ours or errors.is_relative_to(logs)):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("processes", [2, 3, 4, 5])
def test_a_supervisor_killed_as_a_process_appears_leaves_none_behind(tmp_path: Path, processes: int) -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "controller.cli", "demo", "--mode", "off", "--seconds", "60"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")],
        env={**os.environ, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as supervisor:
        deadline = time.monotonic() + STARTED_S
        while len(marked(mark, tmp_path)) < processes and time.monotonic() < deadline:
            assert supervisor.poll() is None
            time.sleep(LOOK_S)
        supervisor.send_signal(signal.SIGKILL)  # at once: the newest process has hardly begun
    assert not left_behind(mark, tmp_path)


def left_behind(mark: str, logs: Path) -> dict[int, bytes]:
    """What is still there after a while, and is killed then: command lines by process."""
    deadline = time.monotonic() + GONE_S
    while (left := marked(mark, logs)) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in left}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return names


PARENT = """
import os, signal, sys
from pathlib import Path
from controller.runtime.process_group import Rig

rig = Rig(Path(sys.argv[1]))
rig.start("child", *sys.argv[2:])
os.kill(os.getpid(), signal.SIGKILL)  # before the child has run a line of its own
"""


def test_a_process_whose_parent_is_dead_before_its_first_line_ends(tmp_path: Path) -> None:
    """The console's pages: they say nothing to their parent, so no broken pipe ends them either."""
    mark = uuid.uuid4().hex
    settings = tmp_path / "console.json"
    write_settings(settings, ConsoleSettings("127.0.0.1", 0, str(tmp_path)))
    command = [sys.executable, "-c", PARENT, str(tmp_path / "logs"), "controller.console.app"]
    parent = subprocess.run(
        [*command, "--rig", str(tmp_path), "--settings", str(settings)],
        env={**os.environ, MARK: mark},
        check=False,
        timeout=STARTED_S,
    )
    assert parent.returncode == -signal.SIGKILL
    assert not left_behind(mark, tmp_path)
