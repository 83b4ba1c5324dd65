"""What ``dorsi trial search`` and ``dorsi trial stage`` do: gains searched, and put before a person.

Nothing that is found is applied: it becomes a profile, which the console proposes with a preview.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from controller.commands.results import RUNS, results_folder
from controller.commands.trial import progress_bar
from controller.config.tunables import values
from controller.console.tuning.profiles import Profiles
from controller.errors import InputError
from controller.studies.search import JOURNAL, OBJECTIVES, Sample, Searching, compromise, front
from controller.studies.search_file import Search, load_search

BY = "dorsi trial search"  # who the console says has made the profile


@dataclass(frozen=True, slots=True)
class Found:
    """A search that has ended; ``chosen`` is the compromise, None where no set keeps every constraint."""

    search: Search
    samples: tuple[Sample, ...]
    chosen: Sample | None


def run_search(file: Path, console: Console, *, out: Path | None, workers: int | None) -> Found:
    """Try what is left of a search's samples. Raises InputError, ConfigError."""
    search = load_search(file)
    with results_folder(out or default_folder(search)) as folder:
        searching = Searching(search, folder)
        asked, done = search.file.search, len(searching.samples)
        console.print(
            f"{search.name}: {asked.samples} sets of {len(search.present)} gains x "
            f"{search.file.persons.patients} persons x 2 walks of {asked.wash_out_strides + asked.strides} "
            f"strides; {max(0, asked.samples - done)} sets are left",
            markup=False,
        )
        with progress_bar(console) as progress:
            bar = progress.add_task("sets", total=asked.samples, completed=done)
            searching.walk(workers or len(os.sched_getaffinity(0)), lambda _: progress.advance(bar))
        samples = tuple(searching.samples)
    console.print(f"written: {folder}", markup=False, soft_wrap=True)
    return Found(search, samples, compromise(samples))


def default_folder(search: Search) -> Path:
    """The same for the same search, so that the same command goes on."""
    return RUNS / f"{search.name}-{search.sha256[:8]}"


def front_rows(found: Found) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads, and the session's own gains and the front as rows."""
    keys = tuple(found.search.present)
    heads = ("sample", *keys, *OBJECTIVES, "")
    rows = []
    for one in (*found.samples[:1], *(s for s in front(found.samples) if s.number)):
        said = "proposed" if one is found.chosen else "" if one.allowed else "misses a constraint"
        figures = (*(one.gains[key] for key in keys), *one.figures)
        rows.append((str(one.number), *(f"{value:.3g}" for value in figures), said))
    return heads, rows


def stage(file: Path, number: int | None, folder: Path | None, runs: Path) -> Path:
    """Write a sample's gains as a profile of the session's person; its path. Raises InputError."""
    search = load_search(file)
    results = folder or default_folder(search)
    if not (results / JOURNAL).is_file():
        raise InputError(str(results), "folder", "no search in it", f"that of dorsi trial search {file}")
    samples = Searching(search, results).samples
    chosen = compromise(samples) if number is None else next((s for s in samples if s.number == number), None)
    if chosen is None:
        allowed = ", ".join(str(one.number) for one in front(samples)) or "none: no set keeps the constraints"
        raise InputError(str(results), "sample", "the compromise" if number is None else number, allowed)
    if not chosen.allowed:
        allowed = ", ".join(str(one.number) for one in front(samples)) or "none"
        raise InputError(str(results), "sample", f"{chosen.number}, which misses a constraint", allowed)
    figures = ", ".join(f"{name} {v:.3g}" for name, v in zip(OBJECTIVES, chosen.figures, strict=True))
    note = f"found on {search.file.persons.patients} virtual persons, sample {chosen.number}: {figures}"
    name = f"{search.name[:30]}-{chosen.number}"
    whole = values(search.base) | chosen.gains
    profiles = Profiles(runs / "profiles", search.pseudonym)
    profiles.save(name, BY, note, {key: whole[key] for key in chosen.gains}, {})
    return runs / "profiles" / search.pseudonym / f"{name}.toml"
