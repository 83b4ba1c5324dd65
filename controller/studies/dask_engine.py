"""The engine past one machine: the workers of a dask scheduler walk the tasks.

Refuses, before anything walks, a scheduler that is not there, one without workers, and workers with another
program. The scheduler is told to give a dead worker's task to another one once.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from controller.errors import InputError
from controller.record.provenance import program
from controller.studies.engine import Outcome, Perform, dead
from controller.studies.run import Task, perform

ADDRESS = re.compile(r"(?:tcp|tls)://(?P<host>\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
CONNECT_S = 10
AHEAD = 2  # tasks a worker that wait at the scheduler
RETRIES = 1
TELLS = ("commit", "versions")


@dataclass(slots=True)
class DaskEngine:
    """Submits to the scheduler at ``address``; ``client`` is connected and checked."""

    address: str
    client: Any  # distributed has no types
    perform: Perform = perform

    def words(self) -> str:
        return f"{self._workers()} workers of the scheduler {self.address}"

    def close(self) -> None:
        self.client.close()

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        from distributed import as_completed

        left = list(reversed(tasks))
        flying = {}

        def submit() -> Any:  # Any: distributed's future
            task = left.pop()
            future = self.client.submit(self.perform, task, pure=False)
            flying[future] = task
            return future

        first = [submit() for _ in range(min(len(left), AHEAD * max(1, self._workers())))]
        coming = as_completed(first)
        for done in coming:
            task = flying.pop(done)
            if left:
                coming.add(submit())
            yield outcome_of(done, task)
            done.release()

    def _workers(self) -> int:
        return len(self.client.scheduler_info(n_workers=-1)["workers"])


def connect(given: str | None) -> DaskEngine:
    """The engine of a scheduler that is there. Raises InputError."""
    address = given or ""
    _reach(address)
    try:
        from distributed import Client
    except ImportError:
        found = "dask is not installed"
        raise InputError("--engine", "dask", found, "the extra: pip install 'dorsi[trials]'") from None
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:  # somebody else's door
        raise _not_there(address, error) from None
    try:
        _check(client, address)
    except BaseException:
        client.close()
        raise
    return DaskEngine(address, client)


def _reach(address: str) -> None:
    """Whether somebody listens there: a client alone would try for long."""
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise InputError("--scheduler", "scheduler", address, "its address, as tcp://10.0.0.1:8786")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _not_there(address, error) from None


def _not_there(address: str, error: Exception) -> InputError:
    found = " ".join(str(error).split())[:200]
    return InputError(address, "scheduler", found, "one that runs there: dask scheduler")


def _check(client: Any, address: str) -> None:  # Any: distributed's client
    told = client.run(program)
    if not told:
        raise InputError(address, "workers", "none", f"one or more: dask worker {address}")
    here = program()
    others = [worker for worker, one in told.items() if any(one[key] != here[key] for key in TELLS)]
    if others:
        found = f"{others[0]} runs commit {told[others[0]]['commit'][:12]}"
        raise InputError(address, "workers", found, f"all with this program, {here['commit'][:12]}")
    client.run_on_scheduler(_retry_once)


def _retry_once(dask_scheduler: Any) -> None:  # Any: distributed's scheduler, which finds it by this name
    dask_scheduler.allowed_failures = RETRIES


def outcome_of(done: Any, task: Task) -> Outcome:  # Any: distributed's future
    """What a task brought, or that its workers died. Raises InputError where the scheduler is gone."""
    from distributed import KilledWorker

    try:
        return Outcome(task, done.result())
    except KilledWorker:
        return dead(task)
    except (OSError, CancelledError) as error:
        found = f"it went away ({type(error).__name__}); every finished run is kept"
        allowed = "one that runs; then the same command goes on"
        raise InputError("--scheduler", "scheduler", found, allowed) from None
