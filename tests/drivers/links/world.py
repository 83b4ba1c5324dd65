"""Starts the radio process for a test and ends it, checking that it ended well and said nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LAST_PACKETS = "no connection for handle"  # bumble, of what was on its way while the link ended


@contextmanager
def radio_process(kind: str) -> Iterator[str]:
    """The HCI address of a radio with one emulated device, in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "tests.drivers.links.radio_process", kind]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            try:
                _, errors = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0
    said = [line for line in errors.splitlines() if LAST_PACKETS not in line]
    assert said == []
