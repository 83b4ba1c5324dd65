"""A study from protocol to tables: what is left is walked, kept as it comes, and merged at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.errors import InputError
from controller.studies.engine import Engine, Outcome
from controller.studies.protocol import Protocol
from controller.studies.run import Arm, Task, arm_of
from controller.studies.store import Person, Store


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to walk: all persons asked for, in order, and the tasks of those that are not done."""

    persons: tuple[Person, ...]
    tasks: tuple[Task, ...]
    arms: int

    @property
    def runs(self) -> int:
        return len(self.persons) * self.arms

    @property
    def runs_left(self) -> int:
        return len(self.tasks) * self.arms


def tasks_of(protocol: Protocol, patients: int | None = None) -> tuple[Task, ...]:
    """Every person's task; the first ``patients`` of each cohort where that is given."""
    arms = tuple(arm_of(protocol, section) for section in protocol.file.arms)
    return tuple(
        _task(protocol, cohort.name, cohort.seed, cohort.first + number, arms)
        for cohort in protocol.file.cohorts
        for number in range(cohort.patients if patients is None else min(patients, cohort.patients))
    )


def plan(store: Store, patients: int | None = None) -> Plan:
    """Claim the folder and find what is left. Raises InputError."""
    done = store.begin()
    tasks = tasks_of(store.protocol, patients)
    persons = tuple((task.cohort, task.number) for task in tasks)
    left = tuple(task for task in tasks if (task.cohort, task.number) not in done)
    store.make_room(left)
    return Plan(persons, left, len(store.protocol.file.arms))


def walk(store: Store, planned: Plan, engine: Engine, came: Callable[[Outcome], None]) -> None:
    """Walk what is left and merge. Raises InputError where the disk takes no more; what is done is kept."""
    try:
        for outcome in engine.outcomes(planned.tasks):
            store.add(outcome.task, outcome.runs)
            came(outcome)
        store.merge(planned.persons)
    except OSError as error:
        found = f"{error.strerror or error}; every finished run is kept"
        raise InputError(
            str(store.folder), "disk", found, "room for the results; then the same command goes on"
        ) from error


def _task(protocol: Protocol, cohort: str, seed: int, number: int, arms: tuple[Arm, ...]) -> Task:
    wash_out = protocol.file.study.wash_out_strides
    return Task(cohort, seed, number, protocol.base, arms, protocol.walked_strides, wash_out)
