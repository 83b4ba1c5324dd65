"""The validation report: it runs, it passes, and it can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from models import validation
from models.validation_exercise import emg_section, exercise_section
from models.validation_rows import Row, Section
from tests.data import DATA, REFERENCE, needs_reference


@needs_reference
def test_every_block_is_within_tolerance() -> None:
    sections = [
        validation.muscle_section(REFERENCE),
        validation.recruitment_section(DATA),
        validation.closed_form_section(),
        validation.muscle_geometry_section(REFERENCE),
        validation.limb_section(REFERENCE),
        validation.gait_section(REFERENCE),
        validation.patient_section(),
        emg_section(DATA),
        exercise_section(),
    ]
    failed = [row for section in sections for row in section.rows if not row.passed]
    assert not failed
    page = validation.as_html(sections)
    assert "FAIL" not in page
    assert page.count("data:image/png") == 8


def test_a_figure_beyond_its_tolerance_or_not_a_number_fails() -> None:
    assert Row("a", "b", 1.0, 1.0, "N").passed
    assert not Row("a", "b", 1.01, 1.0, "N").passed
    assert not Row("a", "b", 59.0, 60.0, "%", at_least=True).passed
    assert not Row("a", "b", math.nan, 1.0, "N").passed
    assert "FAIL" in validation.as_html([Section("s", (Row("a", "b", 2.0, 1.0, "N"),))])


def test_missing_references_do_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validation.main(["--out", str(tmp_path / "out"), "--data", str(tmp_path / "none")]) == 2
    assert "DORSI_DATA" in capsys.readouterr().err


@needs_reference
def test_the_command_writes_page_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        validation, "validate", lambda data, patients: iter([validation.closed_form_section()])
    )
    assert validation.main(["--out", str(tmp_path), "--data", str(DATA)]) == 0
    rows = json.loads((tmp_path / "validation.json").read_text())["rows"]
    assert all(row["passed"] for row in rows)
    assert (tmp_path / "validation.html").read_text().startswith("<!doctype html>")
