"""The validation report: it runs, it passes, and it can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from models.validation import __main__ as command
from models.validation.exercise import emg_section, exercise_section
from models.validation.muscle import (
    closed_form_section,
    muscle_geometry_section,
    muscle_section,
    recruitment_section,
)
from models.validation.page import as_html
from models.validation.rows import Row, Section
from models.validation.walk import gait_section, limb_section, patient_section
from tests.data import DATA, REFERENCE, needs_reference


@needs_reference
def test_every_block_is_within_tolerance() -> None:
    sections = [
        muscle_section(REFERENCE),
        recruitment_section(DATA),
        closed_form_section(),
        muscle_geometry_section(REFERENCE),
        limb_section(REFERENCE),
        gait_section(REFERENCE),
        patient_section(),
        emg_section(DATA),
        exercise_section(),
    ]
    failed = [row for section in sections for row in section.rows if not row.passed]
    assert not failed
    page = as_html(sections)
    assert "FAIL" not in page
    assert page.count("data:image/png") == 8


def test_a_figure_beyond_its_tolerance_or_not_a_number_fails() -> None:
    assert Row("a", "b", 1.0, 1.0, "N").passed
    assert not Row("a", "b", 1.01, 1.0, "N").passed
    assert not Row("a", "b", 59.0, 60.0, "%", at_least=True).passed
    assert not Row("a", "b", math.nan, 1.0, "N").passed
    assert "FAIL" in as_html([Section("s", (Row("a", "b", 2.0, 1.0, "N"),))])


def test_missing_references_do_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--out", str(tmp_path / "out"), "--data", str(tmp_path / "none")]) == 2
    assert "DORSI_DATA" in capsys.readouterr().err


@needs_reference
def test_the_command_writes_page_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "validate", lambda data, patients: iter([closed_form_section()]))
    assert command.main(["--out", str(tmp_path), "--data", str(DATA)]) == 0
    rows = json.loads((tmp_path / "validation.json").read_text())["rows"]
    assert all(row["passed"] for row in rows)
    assert (tmp_path / "validation.html").read_text().startswith("<!doctype html>")
