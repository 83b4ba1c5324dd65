"""A study's folder: a manifest, one part a person as each is done, and whole tables at the end.

Promises that what is written is never lost and never made twice: a part appears whole or not at all, and the
same runs give the same tables byte by byte, however often the study was interrupted. Refuses a folder of
another study or another program.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from controller.errors import InputError
from controller.record.provenance import program
from controller.studies.measures import MEASURES
from controller.studies.protocol import Protocol
from controller.studies.run import Run, Task

MANIFEST, PROTOCOL, RUNS, STRIDES, PARTS = (
    "manifest.json", "protocol.toml", "runs.parquet", "strides.parquet", "parts",
)  # fmt: skip
MANIFEST_KEYS = {"study", "protocol_sha256", "commit", "versions", "registered"}
STRIDE_BYTES, PERSON_BYTES = 110, 12_000  # of a person's parts: a stride, and what every file has
COPIES = 2  # parts, and tables made of them
PERSONS_A_GROUP = 256  # of a table that is written: memory stays bounded, and the bytes the same
MB = 1e6
SEPARATOR = "~"  # in no name: between a cohort and a person's number

_INT, _FLOAT, _TEXT, _BOOL = pyarrow.int64(), pyarrow.float64(), pyarrow.string(), pyarrow.bool_()
WHO = [("cohort", _TEXT), ("person", _INT), ("arm", _TEXT)]
RUN_COLUMNS = pyarrow.schema(
    [*WHO, ("done", _BOOL), ("why", _TEXT), ("seconds", _FLOAT), ("pulses", _INT), ("sha256", _TEXT)]
)
STRIDE_COLUMNS = pyarrow.schema(
    [*WHO, ("stride", _INT), ("state", _TEXT), *((measure.name, _FLOAT) for measure in MEASURES)]
)
Person = tuple[str, int]  # cohort and number


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of one study; its command has it alone."""

    folder: Path
    protocol: Protocol

    def begin(self) -> set[Person]:
        """Claim the folder for the protocol; returns the persons that are done."""
        if (self.folder / MANIFEST).exists():
            self._same(read_manifest(self.folder))
        else:
            self._write(PROTOCOL, self.protocol.text.encode())
            self._write(MANIFEST, _manifest(self.protocol))
        (self.folder / PARTS).mkdir(exist_ok=True)
        return finished(self.folder)

    def make_room(self, tasks: Sequence[Task]) -> None:
        """Whether the disk takes what these bring. Raises InputError where it does not."""
        strides = sum(task.strides * len(task.arms) for task in tasks)
        needed = COPIES * (STRIDE_BYTES * strides + PERSON_BYTES * len(tasks))
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            found, allowed = (
                f"{free / MB:.1f} MB free",
                f"{needed / MB:.1f} MB free, for {len(tasks)} persons",
            )
            raise InputError(str(self.folder), "disk", found, allowed)

    def add(self, task: Task, runs: Sequence[Run]) -> None:
        """Keep what a task brought. Raises OSError where the disk does not take it; then nothing changed."""
        who = task.cohort, task.number
        strides = [
            (*who, run.arm, number, state, *values) for run in runs for number, state, values in run.strides
        ]
        rows = [(*who, run.arm, run.done, run.why, run.seconds, run.pulses, run.sha256) for run in runs]
        stem = f"{PARTS}/{task.cohort}{SEPARATOR}{task.number:07d}"
        self._write(f"{stem}.strides", _parquet(strides, STRIDE_COLUMNS))
        self._write(f"{stem}.runs", _parquet(rows, RUN_COLUMNS))  # last: with it the person is done

    def merge(self, persons: Sequence[Person]) -> None:
        """The whole tables of ``persons``, in their order, from the parts."""
        for name, ending, schema in ((RUNS, "runs", RUN_COLUMNS), (STRIDES, "strides", STRIDE_COLUMNS)):
            beside = self.folder / f".{name}"
            try:
                with pyarrow.parquet.ParquetWriter(str(beside), schema) as writer:
                    for table in self._groups(persons, ending, schema):
                        writer.write_table(table, row_group_size=max(1, len(table)))
                with beside.open("rb") as file:
                    os.fsync(file.fileno())
                beside.replace(self.folder / name)
            finally:
                beside.unlink(missing_ok=True)

    def _groups(
        self, persons: Sequence[Person], ending: str, schema: pyarrow.Schema
    ) -> Iterator[pyarrow.Table]:
        for first in range(0, len(persons), PERSONS_A_GROUP):
            paths = [
                self.folder / PARTS / f"{cohort}{SEPARATOR}{number:07d}.{ending}"
                for cohort, number in persons[first : first + PERSONS_A_GROUP]
            ]
            tables = [pyarrow.parquet.read_table(path, schema=schema) for path in paths]
            yield pyarrow.concat_tables(tables).combine_chunks()

    def _same(self, kept: dict[str, Any]) -> None:  # Any: JSON
        here = str(self.folder)
        if kept["protocol_sha256"] != self.protocol.sha256:
            found = f"results of protocol {kept['study']} {kept['protocol_sha256'][:8]}"
            allowed = f"results of this one ({self.protocol.sha256[:8]}), or an empty folder"
            raise InputError(here, "folder", found, allowed)
        now = program()
        if (kept["commit"], kept["versions"]) != (now["commit"], now["versions"]):
            found = f"runs by commit {kept['commit'][:12]}, now {now['commit'][:12]}"
            raise InputError(here, "program", found, "the program that began the study, or an empty folder")

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        beside = path.with_name(f".{path.name}")
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def finished(folder: Path) -> set[Person]:
    """Those with a result; failed ones too: they are recorded, not walked again."""
    names = [path.stem.rsplit(SEPARATOR, 1) for path in (folder / PARTS).glob(f"[!.]*{SEPARATOR}*.runs")]
    return {(cohort, int(number)) for cohort, number in names}


def read_manifest(folder: Path) -> dict[str, Any]:  # Any: JSON
    """Of a study's folder. Raises InputError where it is none."""
    path = folder / MANIFEST
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), "manifest", str(error), "one that dorsi trial wrote") from None
    if not isinstance(kept, dict) or not set(kept) >= MANIFEST_KEYS:
        raise InputError(str(path), "manifest", "another file", "one that dorsi trial wrote")
    return kept


def _manifest(protocol: Protocol) -> bytes:
    made = program()
    told = {
        "study": protocol.name,
        "protocol_sha256": protocol.sha256,
        "commit": made["commit"],
        "versions": made["versions"],
        "registered": {cohort.name: cohort.patients for cohort in protocol.file.cohorts},
        "session_file": str((protocol.path.parent / protocol.file.study.session_file).resolve()),
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def _parquet(rows: Sequence[Sequence[object]], schema: pyarrow.Schema) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    made = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays, schema=schema), made)
    return made.getvalue()
