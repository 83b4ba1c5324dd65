"""Every block of the body against a reference that was not made with this code, numbers beside tolerances.

Promises a page, a JSON file and exit code 0 only when all hold; refuses to pass with references missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from models.validation.exercise import emg_section, exercise_section
from models.validation.muscle import (
    closed_form_section,
    muscle_geometry_section,
    muscle_section,
    recruitment_section,
)
from models.validation.page import as_html
from models.validation.rows import Section
from models.validation.walk import gait_section, identification_section, limb_section, patient_section

DATA = Path(os.environ.get("DORSI_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))


def validate(data: Path = DATA, patients: int = 50, seed: int = 2026) -> Iterator[Section]:
    """All sections, one after the other. Raises FileNotFoundError where the references are missing."""
    reference = data.parent / "reference"
    if not (reference / "ding").is_dir():
        raise FileNotFoundError(
            f"no reference traces at {reference}; set DORSI_DATA to the recordings' folder"
        )
    yield muscle_section(reference)
    yield recruitment_section(data)
    yield closed_form_section()
    yield muscle_geometry_section(reference)
    yield limb_section(reference)
    yield gait_section(reference)
    yield patient_section()
    yield emg_section(data)
    yield exercise_section()
    yield identification_section(patients, seed)


def main(arguments: list[str] | None = None) -> int:
    """``python -m models.validation --out DIR``; 0 when everything is within tolerance."""
    parser = argparse.ArgumentParser(prog="python -m models.validation", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for validation.html and validation.json"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recordings")
    parser.add_argument("--patients", type=int, default=50, help="cohort patients for identification")
    given = parser.parse_args(arguments)
    sections = []
    try:
        for section in validate(given.data, given.patients):
            sections.append(section)
            for row in section.rows:
                sign = ">=" if row.at_least else "<="
                print(
                    f"{'pass' if row.passed else 'FAIL'}  {row.block:48.48s} {row.figure:10.3g} {sign} "
                    f"{row.tolerance:<8g} {row.unit:12s} {row.reference}",
                    flush=True,
                )
    except FileNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "validation.html").write_text(as_html(sections))
    rows = [asdict(row) | {"passed": row.passed} for section in sections for row in section.rows]
    (given.out / "validation.json").write_text(json.dumps({"rows": rows}, indent=1))
    failed = sum(not row["passed"] for row in rows)
    print(f"{len(rows) - failed} of {len(rows)} within tolerance; {given.out / 'validation.html'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
