"""The hazard table: every requirement has a test that exists, and every tripping fault a requirement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.safety.judgement import faults

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "controller" / "safety" / "HAZARDS.md"


def rows() -> list[list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.search(r"\| REQ-\d", line)
    ]


def test_requirements_are_numbered_in_order_and_have_no_empty_cell() -> None:
    assert [row[3] for row in rows()] == [f"REQ-{number:03}" for number in range(1, len(rows()) + 1)]
    assert all(len(row) == 5 and all(row) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[3])
def test_each_requirement_has_tests_that_exist(row: list[str]) -> None:
    tests = re.findall(r"`([^`]+)`", row[4])
    assert tests
    for test in tests:
        file, name = test.split("::")
        source = (HERE / file).read_text(encoding="utf-8")
        assert re.search(rf"^(def {name}\(|{name} = )", source, re.MULTILINE), test


def test_every_fault_that_trips_at_once_is_the_control_of_some_hazard() -> None:
    named = set(re.findall(r"\bF\d+\b", " ".join(row[2] for row in rows())))
    operational = {"F14"}  # pace guards the therapy, not a hazard of current
    assert {fault.id for fault in faults.TABLE if fault.trips} - named == operational
