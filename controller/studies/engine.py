"""Who walks the tasks of a study: processes of this computer, or of a dask cluster, behind one small port.

Promises an outcome for every task, once: what a dead worker was walking is walked once more, alone, and then
recorded as failed. The results do not depend on the engine nor on how many work.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

from controller.studies.run import Run, Task, failed, perform

NICE = 5
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
DIED = "the worker process died twice while walking it"

Perform = Callable[[Task], tuple[Run, ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task brought; ``retried``: a worker died with it once."""

    task: Task
    runs: tuple[Run, ...]
    retried: bool = False


class Engine(Protocol):
    """Walks tasks in any order and yields each outcome once, as it comes."""

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]: ...

    def words(self) -> str:
        """Who walks, for a person."""
        ...

    def close(self) -> None:
        """Nothing more will be walked."""
        ...


def dead(task: Task) -> Outcome:
    """A task whose worker died twice."""
    return Outcome(task, tuple(failed(arm.name, DIED) for arm in task.arms), retried=True)


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Processes of this computer; they end with the one that started them."""

    workers: int
    perform: Perform = perform

    def words(self) -> str:
        return f"{self.workers} processes of this computer"

    def close(self) -> None:
        """Each pool ends with its tasks."""

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        left = list(reversed(tasks))
        while left:
            suspects: list[Task] = []
            yield from self._walk(left, suspects)
            while suspects:
                yield from self._alone(suspects)

    def _walk(self, left: list[Task], suspects: list[Task]) -> Iterator[Outcome]:
        """Until all is done, or a worker dies: then what was under way is in ``suspects``."""
        flying: dict[Future[tuple[Run, ...]], Task] = {}
        with pool_of(self.workers) as pool:

            def fill() -> None:
                """A task a worker, none waits in a queue: what flies when a worker dies was under way."""
                while left and len(flying) < self.workers and not suspects:
                    try:
                        flying[pool.submit(self.perform, left[-1])] = left[-1]
                    except BrokenProcessPool:
                        return
                    left.pop()

            fill()
            while flying:
                for done in wait(flying, return_when=FIRST_COMPLETED).done:
                    task = flying.pop(done)
                    try:
                        runs = done.result()
                    except BrokenProcessPool:
                        suspects.append(task)
                    else:
                        fill()
                        yield Outcome(task, runs)

    def _alone(self, suspects: list[Task]) -> Iterator[Outcome]:
        """Once more with a worker that has one task at a time, so that no other can be to blame; until it
        dies.
        """
        with pool_of(1) as pool:
            while suspects:
                task = suspects.pop()
                try:
                    yield Outcome(task, pool.submit(self.perform, task).result(), retried=True)
                except BrokenProcessPool:
                    yield dead(task)
                    return


@contextlib.contextmanager
def pool_of(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes with one thread each: more would compete, and sums in another order have other bits."""
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("forkserver")  # what all of them import is imported once
    context.set_forkserver_preload(["controller.studies.run"])
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        yield pool
    except BaseException:  # Ctrl-C, a full disk: what is under way is walked again another time
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """A worker ends with its study, leaves Ctrl-C to it, and lets the rest of the computer go first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    threading.Thread(target=_end_with_study, daemon=True).start()


def _end_with_study() -> None:
    """The server that forked this process outlives the study, whose own end is waited for."""
    study = multiprocessing.parent_process()
    if study is not None:
        study.join()
        os.kill(os.getpid(), signal.SIGKILL)
