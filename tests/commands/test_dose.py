"""`dorsi dose`: whose book is meant, and what it prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from controller.analysis.dose_file import add_recording
from controller.cli import app
from tests.analysis.exercised import exercised

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def _dose(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["dose", *arguments])
    return result.exit_code, result.stdout, result.stderr


def _runs(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    for name in ("one", "two"):
        add_recording(runs / "rest", exercised(runs / name / "session.mcap", NOON))
    return runs


def test_a_pseudonym_a_session_and_the_folder_of_them_all_lead_to_the_same_book(tmp_path: Path) -> None:
    runs = _runs(tmp_path)
    found = [
        _dose("P01", "--runs", str(runs), "--json"),
        _dose(str(runs / "one"), "--json"),
        _dose(str(runs), "--json"),
    ]
    assert {code for code, *_ in found} == {0}
    told = [json.loads(out) for _, out, _ in found]
    assert [one["person"] for one in told] == ["P01"] * 3
    assert [one["muscle_days"][0]["contractions"] for one in told] == [4, 4, 4]
    assert told[0]["programme_days"][0]["sessions"] == 2


def test_the_table_holds_what_was_given_against_what_was_prescribed(tmp_path: Path) -> None:
    code, out, _ = _dose("P01", "--runs", str(_runs(tmp_path)))
    assert code == 0
    assert "4 of 4" in out
    assert "1 of 5" in out  # days of this week


def test_a_broken_line_is_told_below_the_table(tmp_path: Path) -> None:
    runs = _runs(tmp_path)
    with (runs / "rest" / "dose" / "P01.jsonl").open("ab") as file:
        file.write(b"{\n")
    code, out, _ = _dose("P01", "--runs", str(runs))
    assert code == 0
    assert "line 3 cannot be read" in out


def test_who_has_no_book_is_refused_with_those_who_have(tmp_path: Path) -> None:
    code, _, err = _dose("P07", "--runs", str(_runs(tmp_path)))
    assert code == 2
    assert "P01" in err
    code, _, err = _dose("../P01", "--runs", str(tmp_path))
    assert code == 2
    assert "a pseudonym, or a folder" in err


def test_a_book_that_is_lost_is_made_again_from_the_recordings(tmp_path: Path) -> None:
    runs = _runs(tmp_path)
    (runs / "rest" / "dose" / "P01.jsonl").unlink()
    assert _dose("P01", "--runs", str(runs))[0] == 2
    code, out, _ = _dose("P01", "--runs", str(runs), "--rebuild", "--json")
    assert code == 0
    assert json.loads(out)["muscle_days"][0]["contractions"] == 4
