"""A test that walks in real time judges a standstill of the machine as one: its file is then walked again."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import typer.main
import typer.testing
from _pytest.runner import runtestprotocol

from tests.process.rigs import StallWatch

ATTEMPTS = 3
TIMEOUT_S = 1500.0  # of all attempts together
WATCH = pytest.StashKey[StallWatch]()
WALKED = pytest.StashKey[list[pytest.Item]]()  # of the present file, in order
BEGUN_NS = pytest.StashKey[int]()  # the present file: what failed may have been set up for its first test

# How long an example takes is the machine's affair; what hangs meets the test's own time limit.
hypothesis.settings.register_profile("dorsi", deadline=None)
hypothesis.settings.load_profile("dorsi")

# The tree of all commands is made once a process, and not again at each of 1,300 invocations.
typer.testing._get_command = functools.cache(typer.main.get_command)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("real_time") is not None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S), append=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    if WATCH in config.stash:
        config.stash[WATCH].__exit__()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """The last attempt alone is reported.

    What a broken one had set up is torn down whole; the tests before it in the file may have led its rig to
    where it begins, so they are walked again, too.
    """
    if item.get_closest_marker("real_time") is None:
        return None
    stash = item.config.stash
    if WATCH not in stash:
        stash[WATCH] = StallWatch().__enter__()
    before = [other for other in stash.get(WALKED, []) if other.path == item.path]
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    if not before:
        stash[BEGUN_NS] = time.monotonic_ns()
    for attempt in range(1, ATTEMPTS + 1):
        if attempt > 1:
            stash[BEGUN_NS] = time.monotonic_ns()
            with contextlib.suppress(Exception):  # a rig that the standstill broke may not end well
                item.session._setupstate.teardown_exact(None)
            for other, following in zip(before, [*before, item][1:], strict=True):
                runtestprotocol(other, nextitem=following, log=False)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports) or not stash[WATCH].stood_still(stash[BEGUN_NS]):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    stash[WALKED] = [*before, item]
    return True


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
