"""The counted strides of every person in every arm, from a study's tables or from recordings of persons.

Promises one rule for both: what counts is what each stride's state says, values are the data dictionary's.
Refuses what is neither, and a study that has no whole tables yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from controller.analysis.arms import read_arms
from controller.errors import InputError
from controller.record.reader import header
from controller.studies.measures import GIVEN, NAMES, values
from controller.studies.store import MANIFEST, RUNS, STRIDES, read_manifest

Floats = NDArray[np.float64]


@dataclass(slots=True)
class PersonArm:
    """One person in one arm. ``values`` (n, measures) of the counted strides, NaN where not known."""

    person: str
    arm: str
    values: Floats
    states: Counter[str] = field(default_factory=Counter)  # of every stride walked
    failed: str = ""  # why nothing was walked

    @property
    def counted(self) -> int:
        return len(self.values)

    def known(self, measure: str) -> Floats:
        """The values of the counted strides in which it is known."""
        column = self.values[:, NAMES.index(measure)]
        return column[np.isfinite(column)]


def from_study(folder: Path) -> list[PersonArm]:
    """Every run of a study, in the order of its tables. Raises InputError."""
    read_manifest(folder)
    for name in (RUNS, STRIDES):
        if not (folder / name).exists():
            missing = "not there: the study is not at its end"
            raise InputError(str(folder / name), "table", missing, "a study whose command has ended")
    runs = _columns(folder / RUNS, ["cohort", "person", "arm", "done", "why"])
    rows = zip(*(runs[name] for name in ("cohort", "person", "arm", "done", "why")), strict=True)
    found = {
        (cohort, number, arm): PersonArm(
            f"{cohort}-{number}", arm, np.empty((0, len(NAMES))), failed="" if done else why
        )
        for cohort, number, arm, done, why in rows
    }
    file = pyarrow.parquet.ParquetFile(folder / STRIDES)
    for group in range(file.num_row_groups):  # persons are whole in a group, and their arms in a row
        for key, states, block in _pieces(file.read_row_group(group)):
            one = found[key]
            one.states = Counter(states)
            one.values = block[np.array([state == "counted" for state in states], dtype=bool)]
    return list(found.values())


def _pieces(table: Any) -> Iterator[tuple[tuple[str, int, str], list[str], Floats]]:  # Any: pyarrow's
    """Each person's strides of one arm: key, states, values."""
    keys = list(zip(*(table[name].to_pylist() for name in ("cohort", "person", "arm")), strict=True))
    states = table["state"].to_pylist()
    block = np.column_stack([table[name].to_numpy() for name in NAMES]) if keys else np.empty((0, len(NAMES)))
    first = 0
    for last in range(1, len(keys) + 1):
        if last == len(keys) or keys[last] != keys[first]:
            yield keys[first], states[first:last], block[first:last]
            first = last


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:  # Any: a column's own type
    table = pyarrow.parquet.read_table(path, columns=names)
    return {name: table[name].to_pylist() for name in names}


def from_recordings(
    recordings: Sequence[Path], *, unblind: bool = False, said: Callable[[Path], None] = lambda _: None
) -> list[PersonArm]:
    """Every arm of every recording; what one person walked of the same arm is put together.

    The person is the recording's pseudonym. Raises InputError as the reader does.
    """
    found: dict[tuple[str, str], PersonArm] = {}
    for path in recordings:
        said(path)
        person = header(path).get("pseudonym") or path.parent.name or path.stem
        for arm in read_arms(path, unblind=unblind):
            one = found.setdefault(
                (person, arm.label), PersonArm(person, arm.label, np.empty((0, len(NAMES))))
            )
            rows = [[np.nan if v is None else v for v in values(stride)] for stride in arm.best]
            if rows:
                block = np.array(rows, dtype=np.float64)
                if arm.blinded:
                    block[:, [NAMES.index(name) for name in GIVEN]] = np.nan
                one.values = np.vstack([one.values, block])
            one.states.update(stride.state for stride in arm.walked)
    return list(found.values())


def is_study(path: Path) -> bool:
    return (path / MANIFEST).exists()
