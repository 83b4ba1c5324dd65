"""A study's folder loses nothing, takes nothing twice, and its tables are the same byte by byte."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet
import pytest

from controller.errors import InputError
from controller.studies.engine import Outcome
from controller.studies.protocol import Protocol, load_protocol
from controller.studies.run import Task
from controller.studies.store import MANIFEST, PARTS, RUNS, STRIDES, Store
from controller.studies.study import plan, walk
from tests.studies import fakes

SAMPLE = Path(__file__).resolve().parents[2] / "configs" / "studies" / "laws.toml"
PERSONS = 30


@dataclass
class InProcess:
    """Walks in a drawn order, and no further than ``until`` tasks."""

    seed: int
    until: int = 10**6

    def words(self) -> str:
        return "this process"

    def close(self) -> None:
        """Nothing to close."""

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        order = list(tasks)
        random.Random(self.seed).shuffle(order)
        for task in order[: self.until]:
            yield Outcome(task, fakes.runs(task))
        if self.until < len(order):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(SAMPLE)


def study(folder: Path, protocol: Protocol, *engines: InProcess) -> list[str]:
    """Walk with each engine in turn, as far as it goes; returns the persons in the order they came."""
    folder.mkdir(exist_ok=True)
    came: list[str] = []
    for engine in engines:
        store = Store(folder, protocol)
        try:
            walk(store, plan(store, PERSONS), engine, lambda outcome: came.append(outcome.task.key))
        except KeyboardInterrupt:
            assert not (folder / RUNS).exists()
    return came


def tables(folder: Path) -> tuple[bytes, bytes]:
    return (folder / RUNS).read_bytes(), (folder / STRIDES).read_bytes()


def test_an_interrupted_study_is_the_uninterrupted_one_byte_by_byte(
    tmp_path: Path, protocol: Protocol
) -> None:
    study(tmp_path / "whole", protocol, InProcess(1))
    came = study(
        tmp_path / "thrice", protocol, InProcess(2, 4), InProcess(3, 1), InProcess(4, 9), InProcess(5)
    )
    assert tables(tmp_path / "whole") == tables(tmp_path / "thrice")
    assert sorted(came) == sorted(f"main-{n}" for n in range(PERSONS))  # nobody twice
    runs = pyarrow.parquet.read_table(tmp_path / "whole" / RUNS)
    assert runs["person"].to_pylist() == [n for n in range(PERSONS) for _ in protocol.file.arms]
    assert runs["arm"].to_pylist() == [arm.name for arm in protocol.file.arms] * PERSONS


def test_more_persons_can_follow_later(tmp_path: Path, protocol: Protocol) -> None:
    store = Store(tmp_path, protocol)
    walk(store, plan(store, 2), InProcess(1), lambda _: None)
    first = tables(tmp_path)
    came: list[str] = []
    walk(store, plan(store, 4), InProcess(1), lambda outcome: came.append(outcome.task.key))
    assert sorted(came) == ["main-2", "main-3"]
    assert tables(tmp_path) != first
    walk(store, plan(store, 2), InProcess(1), lambda _: None)
    assert tables(tmp_path) == first


def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path / "whole", protocol, InProcess(1))
    folder, written, real = tmp_path / "full", 0, os.fsync
    folder.mkdir()

    def full(file: int) -> None:
        nonlocal written
        written += 1
        if written > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    store = Store(folder, protocol)
    planned = plan(store, PERSONS)
    monkeypatch.setattr("controller.studies.store.os.fsync", full)
    with pytest.raises(InputError, match="No space left on device; every finished run is kept"):
        walk(store, planned, InProcess(1), lambda _: None)
    monkeypatch.undo()
    assert list((folder / PARTS).glob(".*")) == []
    assert len(plan(store, PERSONS).tasks) == PERSONS - 4  # of nine files one was half a person's
    walk(store, plan(store, PERSONS), InProcess(2), lambda _: None)
    assert tables(folder) == tables(tmp_path / "whole")


def test_a_disk_without_room_is_told_before_the_first_run(
    tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 persons x 3 arms x 60 strides: 2 x (110 x 5400 + 12,000 x 30) bytes."""
    store = Store(tmp_path, protocol)
    for free, refused in ((1_908_000, False), (1_907_999, True)):
        told = SimpleNamespace(free=free)
        monkeypatch.setattr("controller.studies.store.shutil.disk_usage", lambda _, told=told: told)
        if refused:
            with pytest.raises(InputError, match=r"disk: found '1.9 MB free', allowed: 1.9 MB free, for 30"):
                plan(store, PERSONS)
        else:
            assert len(plan(store, PERSONS).tasks) == PERSONS


def test_a_folder_of_another_study_or_program_is_refused(tmp_path: Path, protocol: Protocol) -> None:
    study(tmp_path, protocol, InProcess(1, 2))
    manifest = tmp_path / MANIFEST
    kept = manifest.read_text(encoding="utf-8")
    for change, words in (
        (kept.replace(protocol.sha256, "0" * 64), "results of protocol laws 00000000"),
        (kept.replace('"commit": "', '"commit": "other'), "runs by commit other"),
        ("{}", "another file"),
        ("no json", "manifest"),
    ):
        manifest.write_text(change, encoding="utf-8")
        with pytest.raises(InputError) as refused:
            plan(Store(tmp_path, protocol))
        assert words in str(refused.value)
    manifest.write_text(kept, encoding="utf-8")
    assert len(plan(Store(tmp_path, protocol), PERSONS).tasks) == PERSONS - 2
