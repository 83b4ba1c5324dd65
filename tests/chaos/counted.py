"""A process says on SIGUSR2 how many asyncio tasks it has: one line in the file that its pid names."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from types import FrameType


def path(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.tasks"


def tell_on_signal(folder: Path) -> None:
    """From now on this process answers; without a loop that runs it has no tasks."""

    def tell(_number: int, _frame: FrameType | None) -> None:
        try:
            tasks = len(asyncio.all_tasks())
        except RuntimeError:
            tasks = 0
        partly = path(folder, os.getpid()).with_suffix(".part")
        partly.write_text(f"{tasks} {threading.active_count()}\n")
        partly.replace(path(folder, os.getpid()))

    signal.signal(signal.SIGUSR2, tell)
