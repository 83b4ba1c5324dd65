"""One run of a study walked again by the rehearsal, the reference, and held against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute
import pyarrow.parquet

from controller.errors import InputError
from controller.simulation.closed_loop import Rehearsal
from controller.simulation.loop import TICK_S
from controller.simulation.walk import LOOK_TICKS, pulse_checksum
from controller.studies.person import identified, last_s
from controller.studies.protocol import Protocol
from controller.studies.run import Arm, Task, begin_arm
from controller.studies.store import RUNS
from controller.studies.study import tasks_of
from models.cohort import cohort_patient


@dataclass(frozen=True, slots=True)
class Replayed:
    """The walk, and whether it is the study's: its pulses are the same to the bit."""

    walk: Rehearsal
    pulses: int
    identical: bool
    strides: int


def again(folder: Path, protocol: Protocol, person: str, arm_name: str) -> Replayed:
    """Walk a person's arm once more. Raises InputError for a run that the study does not have."""
    task, arm = _find(protocol, person, arm_name)
    expected = _checksum(folder, task, arm_name)
    member = cohort_patient(task.number, task.seed)
    begun = begin_arm(member, identified(member, task.base), arm)
    walk = Rehearsal(begun.params, begun.patient, begun.spoil)
    begun.settle(walk.core)
    while walk.patient.stride_count < task.strides and walk.ticks * TICK_S < last_s(member, task.strides):
        begun.between(walk.patient.stride_count)
        walk.walk((walk.ticks + LOOK_TICKS) * TICK_S - TICK_S / 2)
    found = pulse_checksum(walk.pulses)
    return Replayed(walk, len(walk.pulses), found == expected, walk.patient.stride_count)


def _find(protocol: Protocol, person: str, arm_name: str) -> tuple[Task, Arm]:
    cohorts = {cohort.name: cohort for cohort in protocol.file.cohorts}
    name, _, number = person.rpartition("-")
    cohort = cohorts.get(name)
    if cohort is None or not number.isdecimal() or not 0 <= int(number) - cohort.first < cohort.patients:
        allowed = f"a cohort's name and a number, as {protocol.file.cohorts[0].name}-0"
        raise InputError(str(protocol.path), "person", person, allowed)
    task = next(t for t in tasks_of(protocol) if (t.cohort, t.number) == (name, int(number)))
    arm = next((one for one in task.arms if one.name == arm_name), None)
    if arm is None:
        raise InputError(str(protocol.path), "arm", arm_name, ", ".join(one.name for one in task.arms))
    return task, arm


def _checksum(folder: Path, task: Task, arm: str) -> str:
    try:
        table = pyarrow.parquet.read_table(
            folder / RUNS,
            filters=[("cohort", "=", task.cohort), ("person", "=", task.number), ("arm", "=", arm)],
        )
    except OSError as error:
        raise InputError(str(folder / RUNS), "table", str(error), "a study at its end") from None
    rows = table.to_pylist()
    if not rows or not rows[0]["done"]:
        found = rows[0]["why"] if rows else "no such run"
        raise InputError(str(folder / RUNS), f"{task.key} {arm}", found, "a run that was walked")
    return str(rows[0]["sha256"])
