"""What every process of the rig does when it starts: its name, its end with the supervisor's, its priority.

Asks for real-time scheduling where it may have it, says what it got, and never fails for lack of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from pathlib import Path
from types import TracebackType

from setproctitle import setproctitle

PR_SET_PDEATHSIG = 1  # linux/prctl.h
RECORDER_PRIORITY = 2  # the guard waits half a second for it (F12): no ordinary program may take that from it
WORLD_PRIORITY = 5  # emulated devices keep time as real ones would, but behind what they are to test
CONTROLLER_PRIORITY = 10
GUARD_PRIORITY = 20  # above the controller: the guard's deadline protects from the controller


def begin(name: str, orphaned: signal.Signals = signal.SIGTERM) -> None:
    """Name the process as ``ps`` shows it; the signal ``orphaned`` comes when its parent dies."""
    setproctitle(name)
    sys.excepthook = _say_why
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, orphaned)


def _say_why(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback, and for a group of errors its first one in a line at the end, where it is looked for."""
    sys.__excepthook__(kind, error, trace)
    if isinstance(error, BaseExceptionGroup):
        first = leaf(error)
        print(f"{type(first).__name__}: {' '.join(str(first).split())}", file=sys.stderr)


def leaf(error: BaseException) -> BaseException:
    """The first error in a group of groups that is none itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def go_real_time(priority: int) -> str:
    """Ask for SCHED_FIFO; returns in words what was granted, for the session header."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (OSError, AttributeError) as error:
        return f"ordinary scheduling ({error})"
    return f"SCHED_FIFO {priority}"


def go_ordinary() -> None:
    """Give this thread's real-time scheduling back, for long work that nobody waits for."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def quiet_garbage_collector() -> None:
    """Keep the collector out of the ticks: what lives now lives for the session (35 ms a pass otherwise)."""
    gc.collect()
    gc.freeze()
    gc.disable()


def name_of(pid: int) -> str:
    """As a running process calls itself; ``unknown`` where it runs no more."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown"
    return words[0].decode(errors="replace").rsplit("/", 1)[-1]
