"""Tasks that take no time: what engines and stores do with them is the same."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.studies.measures import MEASURES
from controller.studies.protocol import FaultsSection
from controller.studies.run import Arm, Run, Task

DEMO = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
DIES, DIES_ONCE = 7, 1  # persons whose worker dies: whenever they walk, and the first time
PIECE_S = 0.05


def task(number: int, cohort: str = "main", strides: int = 4) -> Task:
    base = core_params(load_session(DEMO))
    arms = tuple(Arm(name, base, False, None, FaultsSection()) for name in ("off", "learning"))
    return Task(cohort, 1, number, base, arms, strides, 1)


def runs(task: Task) -> tuple[Run, ...]:
    """Made of the task alone."""
    made = []
    for place, arm in enumerate(task.arms):
        values = tuple(float(task.number + place + n) for n in range(len(MEASURES)))
        rows = tuple((n, "counted" if n > 1 else "wash_out", values) for n in range(1, task.strides + 1))
        made.append(Run(arm.name, True, "", 10.0, 7 * place, f"{task.key} {arm.name}", rows))
    return tuple(made)


def perform(task: Task) -> tuple[Run, ...]:
    return runs(task)


def dying(task: Task) -> tuple[Run, ...]:
    """As ``DIES`` and ``DIES_ONCE`` say; a file named in the environment marks the first time."""
    mark = Path(os.environ["DORSI_TEST_MARK"])
    if task.number == DIES or (task.number == DIES_ONCE and not mark.exists()):
        if task.number == DIES_ONCE:
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return runs(task)


def slowly(task: Task) -> tuple[Run, ...]:
    time.sleep(PIECE_S)
    return runs(task)
