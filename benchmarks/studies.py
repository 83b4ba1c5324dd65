"""What a study costs: runs a second, processor time and memory, with one worker and with two, in one run.

Prints how much of a second worker is used (meaningful on a machine that does nothing else), whether twice the
persons take twice the processor time, and what 1,000 and 10,000 persons would take at that rate.
Usage: studies.py [persons] [strides].
"""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.studies.engine import LocalEngine
from controller.studies.protocol import load_protocol
from controller.studies.run import Run, Task, perform
from controller.studies.store import RUNS, STRIDES, Store
from controller.studies.study import Plan, tasks_of, walk

SAMPLE = Path(__file__).resolve().parents[1] / "configs" / "studies" / "laws.toml"
PERSONS, STRIDES_WALKED = 2, 12
PLANNED = (1_000, 10_000)
NOTES = "DORSI_STUDY_NOTES"  # the file in which each worker notes what a person took


@dataclass(frozen=True)
class Cost:
    """Of one study: wall time, the workers' processor time (s) and memory (MB), bytes of its tables."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    tables: bytes


def noted(task: Task) -> tuple[Run, ...]:
    """The real task, and what it took."""
    begun_s = time.process_time()
    runs = perform(task)
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as file:
        file.write(f"{time.process_time() - begun_s} {most_mb}\n")
    return runs


def study(persons: int, strides: int, workers: int) -> Cost:
    protocol = load_protocol(SAMPLE)
    tasks = tuple(dataclasses.replace(task, strides=strides) for task in tasks_of(protocol, persons))
    people = tuple((task.cohort, task.number) for task in tasks)
    notes = Path(os.environ[NOTES])
    notes.write_text("", encoding="utf-8")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        store = Store(folder, protocol)
        store.begin()
        begun_s = time.perf_counter()
        planned = Plan(people, tasks, len(tasks[0].arms))
        walk(store, planned, LocalEngine(workers, noted), lambda _: None)
        wall_s = time.perf_counter() - begun_s
        tables = (folder / RUNS).read_bytes() + (folder / STRIDES).read_bytes()
    told = [[float(word) for word in line.split()] for line in notes.read_text().splitlines()]
    return Cost(wall_s, sum(cpu_s for cpu_s, _ in told), max(mb for _, mb in told), tables)


def main() -> None:
    persons = int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS
    strides = int(sys.argv[2]) if len(sys.argv) > 2 else STRIDES_WALKED
    arms = len(load_protocol(SAMPLE).file.arms)
    with tempfile.TemporaryDirectory() as made:
        os.environ[NOTES] = str(Path(made) / "notes")  # before the first worker is forked
        study(1, 2, 1)  # machine code is made, files are read
        half, one, two = (study(*each) for each in ((persons // 2, strides, 1), (persons, strides, 1),
                                                    (persons, strides, 2)))  # fmt: skip
    runs, load = persons * arms, os.getloadavg()[0]
    print(f"{persons} persons x {arms} arms x {strides} strides; the machine's load was {load:.1f}")
    for name, cost in (("one worker", one), ("two workers", two)):
        print(
            f"{name:12} {cost.wall_s:7.1f} s, {runs / cost.wall_s:5.2f} runs a second, "
            f"{cost.cpu_s / runs:5.2f} s of a processor a run, {cost.memory_mb:.0f} MB a worker"
        )
    print(f"same tables byte by byte: {'yes' if one.tables == two.tables else 'NO'}")
    print(f"use of two workers: {one.wall_s / (2.0 * two.wall_s):.0%}, starting them included")
    print(f"twice the persons: {one.cpu_s / half.cpu_s:.2f} times the processor time")
    for count in PLANNED:
        hours = count * arms * one.cpu_s / runs / 3600.0
        print(f"{count:6} persons at this rate: {hours:.1f} processor hours, {hours / 2.0:.1f} h on two")


if __name__ == "__main__":
    main()
