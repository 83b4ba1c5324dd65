"""Which other programs have a serial port open, as far as Linux lets this account see their files."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

PROC = Path("/proc")
PTY_MAJOR = 136  # pseudo-terminals, by the kernel's list of devices


def others(port: str) -> list[str]:
    """``name (process 123)`` of each; a program at the far end of a pseudo-terminal is the device itself."""
    try:
        device = os.stat(port).st_rdev
    except OSError:
        return []
    own = os.getpid()
    pids = sorted(int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
    return [f"{_name(pid)} (process {pid})" for pid in pids if pid != own and _holds(pid, device)]


def _holds(pid: int, device: int) -> bool:
    found = False
    with contextlib.suppress(OSError):  # it has ended, or is not ours to see
        for entry in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                name = os.readlink(entry)
                if name.endswith("/ptmx") and _far_end_of(pid, entry.name) == device:
                    return False
                if name.startswith("/dev/"):
                    about = os.stat(entry)
                    found = found or (stat.S_ISCHR(about.st_mode) and about.st_rdev == device)
    return found


def _far_end_of(pid: int, fd: str) -> int | None:
    """The pseudo-terminal whose master this descriptor is."""
    for line in (PROC / str(pid) / "fdinfo" / fd).read_text().splitlines():
        if line.startswith("tty-index:"):
            return os.makedev(PTY_MAJOR, int(line.split()[1]))
    return None


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "a program"
