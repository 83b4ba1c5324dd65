"""A full temporary disk: a rig without room does not start, in words; one that walks goes on to its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE_BYTES = 256 * 1024
ROOM_BYTES = 8 * 1024  # for the folder and its lock, and not for what the processes are told
PATIENCE_S = 240.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own, at a short path: sockets lie on it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = Path(tempfile.mkdtemp(prefix="dorsi-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def fill(disk: Path, room_bytes: int) -> None:
    free_bytes = shutil.disk_usage(disk).free
    with contextlib.suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:  # full before that
        file.write(b"x" * max(0, free_bytes - room_bytes))


def demo(disk: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "controller.cli",
            "demo",
            "--mode",
            "off",
            "--seconds",
            "8",
            "--out",
            str(out),
        ],
        env={**os.environ, "TMPDIR": str(disk)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_rig_without_room_is_refused_in_words_before_it_walks(disk: Path, tmp_path: Path) -> None:
    fill(disk, ROOM_BYTES)
    process = demo(disk, tmp_path / "run")
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in said
    assert "refused: " in said
    assert "No space left on device" in said
    assert str(disk) in said
    assert process.returncode == 2


def test_a_disk_that_fills_while_a_rig_walks_ends_nothing(disk: Path, tmp_path: Path) -> None:
    process = demo(disk, tmp_path / "run")
    assert process.stdout is not None
    said, deadline = [], time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        said.append(line)
        if ": walking " in line:
            break
    fill(disk, 0)
    rest, _ = process.communicate(timeout=PATIENCE_S)
    said.append(rest)
    assert process.returncode == 0, "".join(said)
    assert "Traceback" not in "".join(said)
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
