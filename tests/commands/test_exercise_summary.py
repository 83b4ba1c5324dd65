"""What the command says and leaves after an exercise session, also one in which nothing came of it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from controller.commands.exercise import sum_up_exercise
from controller.commands.papers import asked_for
from tests.analysis.exercised import exercised, listening
from tests.core.exercise.numbers import programme

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def said(recording: Path, *, attended: bool = False) -> tuple[str, list[str]]:
    """The words, on one line, and the files that were made."""
    screen = io.StringIO()
    papers = asked_for(report=True, console=attended)
    made = sum_up_exercise(recording, papers, Console(file=screen, width=200))
    return " ".join(screen.getvalue().split()), made


@pytest.mark.parametrize(
    ("seconds", "own_share", "words"),
    [
        (60.0, 0.6, "Short: whole"),
        (60.0, 0.0, "Short: 0 of 2 repetitions, 2 tries missed"),
        (4.5, 0.6, "Short: 0 of 2 repetitions, 1 broken off"),  # 3 s of countdown, then a try
        (1.0, 0.6, "Short: 0 of 2 repetitions, 0.0 min"),
    ],
)
def test_each_end_of_a_session_is_told_in_a_line_and_kept(
    tmp_path: Path, seconds: float, own_share: float, words: str
) -> None:
    params = listening(None)
    path = tmp_path / "runs" / "one" / "session.mcap"
    told, made = said(exercised(path, NOON, params=params, seconds=seconds, own_share=own_share))
    assert words in told
    assert made == ["report.html", "summary.json"]
    assert (tmp_path / "runs" / "rest" / "dose" / "P01.jsonl").read_text().count("\n") == 1
    summary = json.loads((path.parent / "summary.json").read_text())
    assert summary["whole"] == ("whole" in words)


def test_where_nothing_was_begun_the_book_stays_as_it_was_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one" / "session.mcap"
    told, made = said(exercised(path, NOON, params=programme(), seconds=0.005))
    assert "Nothing was begun: the dose book has no entry of it." in told
    assert made == ["report.html", "summary.json"]
    assert not list((tmp_path / "runs").glob("rest/dose/*.jsonl"))


def test_at_a_console_the_report_for_paper_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one" / "session.mcap"
    said(exercised(path, NOON, seconds=4.5), attended=True)
    assert (path.parent / "report.pdf").read_bytes().startswith(b"%PDF")
