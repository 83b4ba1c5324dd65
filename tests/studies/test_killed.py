"""Real processes killed amid a study: what was finished stays, and the end is the uninterrupted one's."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from controller.errors import InputError
from controller.studies.dask_engine import connect
from controller.studies.protocol import load_protocol
from controller.studies.store import PARTS, RUNS, STRIDES, Store, finished
from controller.studies.study import plan, walk
from tests.studies import fakes
from tests.studies.slow_study import PERSONS, SAMPLE, walk_slowly
from tests.studies.test_store import InProcess

KILLS, SEED = 3, 28
WAIT_S = 60.0


def wait_until(true: object, what: str) -> None:
    assert callable(true)
    end_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end_s, f"waited in vain: {what}"
        time.sleep(0.005)


def descendants(pid: int) -> set[int]:
    """Every process below one, as it stands."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found: set[int] = set()
    new = [pid]
    while new:
        new = [child for one in new for child in children.get(one, [])]
        found.update(new)
    return found


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def test_a_study_killed_three_times_ends_as_the_uninterrupted_one(tmp_path: Path) -> None:
    protocol = load_protocol(SAMPLE)
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    for each in (whole, folder):
        each.mkdir()
    store = Store(whole, protocol)
    walk(store, plan(store, PERSONS), InProcess(1), lambda _: None)
    context = multiprocessing.get_context("forkserver")  # it has imported what a study needs
    context.set_forkserver_preload(["tests.studies.slow_study"])
    source, behind = random.Random(SEED), 0
    for _ in range(KILLS):
        study = context.Process(target=walk_slowly, args=(folder,))
        study.start()
        wanted = behind + source.randint(1, 6)
        wait_until(lambda wanted=wanted: len(finished(folder)) >= wanted, f"{wanted} persons")
        assert study.pid is not None
        workers = descendants(study.pid)
        assert workers
        study.kill()
        study.join()
        wait_until(lambda workers=workers: not any(map(alive, workers)), "the end of the workers")
        behind = len(finished(folder))
    assert wanted <= behind < PERSONS
    kept = {path: path.stat().st_mtime_ns for path in (folder / PARTS).glob("[!.]*.runs")}
    store = Store(folder, protocol)
    walk(store, plan(store, PERSONS), InProcess(2), lambda _: None)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # not written again
    for name in (RUNS, STRIDES):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A dask scheduler and two workers from the command line, on loopback."""
    told, made = folder / "scheduler.json", list[subprocess.Popen[bytes]]()
    dask = [sys.executable, "-m", "dask"]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    root = str(Path(__file__).resolve().parents[2])  # workers import the tests' own tasks
    environment = {**os.environ, "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0", "PYTHONPATH": root}
    try:
        scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        made.append(
            subprocess.Popen([*scheduler, "--scheduler-file", str(told)], env=environment, **quiet)  # type: ignore[call-overload]
        )
        worker = [*dask, "worker", "--scheduler-file", str(told), "--nthreads", "1", "--no-nanny"]
        wait_until(told.exists, "the scheduler")
        address = json.loads(told.read_text())["address"]
        with pytest.raises(InputError, match="workers: found 'none', allowed: one or more: dask worker"):
            connect(address)
        made += [
            subprocess.Popen([*worker, "--no-dashboard"], env=environment, **quiet)  # type: ignore[call-overload]
            for _ in range(2)
        ]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=WAIT_S)
        yield address, made[1:]
    finally:
        for process in reversed(made):
            process.kill()
            process.wait()


@pytest.mark.filterwarnings("default")  # of distributed's own making
def test_a_dask_worker_killed_half_way_changes_nothing(tmp_path: Path) -> None:
    tasks = [fakes.task(number) for number in range(16)]
    with cluster(tmp_path) as (address, workers):
        engine = connect(address)
        engine.perform = fakes.slowly
        try:
            came = {}
            for outcome in engine.outcomes(tasks):
                came[outcome.task.number] = outcome
                if len(came) == len(tasks) // 2:
                    workers[0].kill()
            assert engine.client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 1
            assert len(engine.client.scheduler_info()["workers"]) == 1
        finally:
            engine.close()
    assert sorted(came) == list(range(16))
    assert all(outcome.runs == fakes.runs(outcome.task) for outcome in came.values())
