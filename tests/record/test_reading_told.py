"""How far a recording is read: told to the end, by whatever reads, to nobody who did not ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.analysis.export.export import export
from controller.analysis.report.page import write_report
from controller.record.compact import recompact
from controller.record.reader import header, raw_messages
from controller.record.reading_told import reading_told
from controller.record.signals_file import write_signals
from tests.record.walk import record_walk


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("walk") / "session.mcap", strides=4)


@pytest.mark.parametrize("work", ["report", "export", "signals", "recompact"])
def test_whoever_waits_for_a_recording_is_told_how_far_it_is_read(
    walk: Path, tmp_path: Path, work: str
) -> None:
    jobs = {
        "report": lambda: write_report(walk, tmp_path / "report.html"),
        "export": lambda: export(walk, "csv", tmp_path / "csv"),
        "signals": lambda: write_signals(walk, tmp_path / "signals.mcap"),
        "recompact": lambda: recompact(walk),
    }
    told: list[int] = []
    with reading_told(told.append):
        jobs[work]()
    assert told[-1] == 100
    assert all(0 < percent <= 100 for percent in told)


def test_a_look_at_the_beginning_is_no_reading(walk: Path) -> None:
    told: list[int] = []
    with reading_told(told.append):
        header(walk)
    assert told == []


def test_after_it_nobody_is_told(walk: Path) -> None:
    told: list[int] = []
    with reading_told(told.append):
        pass
    list(raw_messages(walk))
    assert told == []
