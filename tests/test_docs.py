"""The docs are true of the code: their generated parts are up to date, their commands and paths exist."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATE: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"), run_name="generate")


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert GENERATE["filled"](text) == text, "make docs writes them anew"


def test_every_generated_part_stands_in_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    assert [name for name in GENERATE["PARTS"] if f"<!-- generated: {name} -->" not in pages] == []


def test_every_setting_is_described() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 7]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []
