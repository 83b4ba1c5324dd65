"""Gains searched by optuna over persons: less error, less charge, less error when disturbed.

Every set of gains is walked by all persons. A set with which any person misses a constraint is never
proposed. What is tried next depends on the file and on what was tried before alone: a search that was stopped
goes on as if it had not been. Refuses a folder of another search.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import InputError
from controller.studies.engine import pool_of
from controller.studies.measures import NAMES
from controller.studies.search_file import Search
from controller.studies.search_walks import CHARGE, ERROR, Person, Served, person, serve

JOURNAL, TABLE = "search.journal", "samples.csv"
OBJECTIVES = ("error_deg", "charge_uc", "disturbed_worst_deg")
MISSED = 1e3  # figure and miss of a set with which somebody could not walk
WORSE_AT_MOST = 1.05  # of the session's own figure: more is given up for nothing
FIRST_AT_RANDOM = 10  # sets, before what was tried tells where to look


@dataclass(frozen=True, slots=True)
class Sample:
    """A set of gains and how it served: ``figures`` by ``OBJECTIVES``, ``missed`` by how much the worst
    person missed each constraint (0 or less: kept)."""

    number: int
    gains: dict[str, float]
    figures: tuple[float, ...]
    missed: tuple[float, ...]

    @property
    def allowed(self) -> bool:
        return all(miss <= 0.0 for miss in self.missed)


def figures_of(search: Search, served: Sequence[Served]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Objectives and misses of one set of gains."""
    constraints = search.file.constraints
    if any(one.why for one in served):
        return (MISSED,) * len(OBJECTIVES), (MISSED,) * (len(constraints) + 1)
    count = len(served)
    error = sum(_value(one, ERROR) for one in served) / count
    charge = sum(_value(one, CHARGE) for one in served) / count
    missed = [0.0]
    for constraint in constraints:
        told = [_value(one, NAMES.index(constraint.measure)) for one in served]
        if any(math.isnan(value) for value in told):
            missed.append(MISSED)
        elif constraint.most is not None:
            missed.append(max(told) - constraint.most)
        else:
            missed.append((constraint.least or 0.0) - min(told))
    return (error, charge, max(one.disturbed_deg for one in served)), tuple(missed)


def _value(served: Served, at: int) -> float:
    value = served.means[at]
    return math.nan if value is None else value


def front(samples: Sequence[Sample]) -> list[Sample]:
    """Those that no other one betters in every figure, of the ones that miss nothing; by error."""
    kept = [one for one in samples if one.allowed]
    best = [one for one in kept if not any(_betters(other, one) for other in kept)]
    return sorted(best, key=lambda one: (one.figures, one.number))


def _betters(one: Sample, other: Sample) -> bool:
    pairs = list(zip(one.figures, other.figures, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def compromise(samples: Sequence[Sample]) -> Sample | None:
    """What is proposed: of the front the one nearest to what is best in each figure, each by its range on the
    front; of those alone that are in no figure worse than the session's own (the first) by more than a
    twentieth, where that one misses nothing.
    """
    best, own = front(samples), samples[0] if samples else None
    if own is not None and own.allowed:
        best = [one for one in best if _no_worse(one, own)]
    if not best:
        return None
    columns = list(zip(*(one.figures for one in best), strict=True))
    lows, spans = [min(c) for c in columns], [max(c) - min(c) or 1.0 for c in columns]

    def distance(one: Sample) -> float:
        return math.hypot(*((v - low) / span for v, low, span in zip(one.figures, lows, spans, strict=True)))

    return min(best, key=lambda one: (distance(one), one.number))


def _no_worse(one: Sample, own: Sample) -> bool:
    return all(value <= WORSE_AT_MOST * was for value, was in zip(one.figures, own.figures, strict=True))


class Searching:
    """A search in its folder: what was tried, and the next sets. Raises InputError without optuna."""

    def __init__(self, search: Search, folder: Path) -> None:
        self._optuna = _optuna()
        self.search = search
        self._folder = folder
        self._study = self._open()

    def _open(self) -> Any:  # Any: optuna's study
        optuna, journal = self._optuna, self._folder / JOURNAL
        name = f"{self.search.name}-{self.search.sha256}"
        backend = optuna.storages.journal.JournalFileBackend(str(journal))
        storage = optuna.storages.JournalStorage(backend)
        known = {one.study_name for one in storage.get_all_studies()}
        if known - {name}:
            found = f"{sorted(known)[0]}, another search or other numbers"
            raise InputError(str(self._folder), "search", found, "an empty folder, or the same search's")
        study = optuna.create_study(
            study_name=name, storage=storage, directions=["minimize"] * len(OBJECTIVES), load_if_exists=True
        )
        for trial in study.get_trials(deepcopy=False):
            if trial.state == optuna.trial.TrialState.RUNNING:  # it was stopped amid it
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return study

    @property
    def samples(self) -> list[Sample]:
        """All that are complete, as they came."""
        complete = self._study.get_trials(states=(self._optuna.trial.TrialState.COMPLETE,))
        return [
            Sample(number, dict(one.params), tuple(one.values), tuple(one.user_attrs["missed"]))
            for number, one in enumerate(complete)
        ]

    def walk(self, workers: int, came: Callable[[Sample], None]) -> None:
        """Try what is left of the file's samples. Raises InputError where workers die."""
        search, done = self.search, len(self.samples)
        left = search.file.search.samples - done
        if left <= 0:
            return
        with pool_of(workers) as pool:
            try:
                numbers = range(search.file.persons.patients)
                persons = list(pool.map(person, [search] * len(numbers), numbers))
                for number in range(done, done + left):
                    came(self._try(pool, persons, number))
            except BrokenProcessPool:
                found, allowed = "a worker process died", "room for it; then the same command goes on"
                raise InputError(str(self._folder), "workers", found, allowed) from None
            finally:
                self.write_table()

    def _try(self, pool: ProcessPoolExecutor, persons: Sequence[Person], number: int) -> Sample:
        search, study = self.search, self._study
        if number == 0:  # the session's own
            return self._note(pool, persons, dict(search.present))
        study.sampler = self._optuna.samplers.TPESampler(
            seed=search.file.search.seed * 100_003 + number,
            n_startup_trials=FIRST_AT_RANDOM,
        )
        trial = study.ask()
        gains = {
            one.key: float(trial.suggest_float(one.key, one.low, one.high, log=one.log))
            for one in search.file.gains
        }
        figures, missed = self._figures(pool, persons, gains)
        trial.set_user_attr("missed", list(missed))
        for place, miss in enumerate(missed):
            trial.set_constraint(str(place), miss)
        study.tell(trial, list(figures))
        return Sample(number, gains, figures, missed)

    def _note(self, pool: ProcessPoolExecutor, persons: Sequence[Person], gains: dict[str, float]) -> Sample:
        """A set that was not asked for: it is there whole or not at all."""
        ranges = self._optuna.distributions.FloatDistribution
        figures, missed = self._figures(pool, persons, gains)
        made = self._optuna.trial.create_trial(
            values=list(figures),
            params=gains,
            distributions={one.key: ranges(one.low, one.high, log=one.log) for one in self.search.file.gains},
            user_attrs={"missed": list(missed)},
            constraints={str(place): miss for place, miss in enumerate(missed)},
        )
        self._study.add_trial(made)
        return Sample(0, gains, figures, missed)

    def _figures(
        self, pool: ProcessPoolExecutor, persons: Sequence[Person], gains: dict[str, float]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        count = len(persons)
        return figures_of(self.search, list(pool.map(serve, [self.search] * count, persons, [gains] * count)))

    def write_table(self) -> None:
        """Every sample as a row, in the folder."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        keys = [gain.key for gain in self.search.file.gains]
        missed = ["missed.walk", *(f"missed.{one.measure}" for one in self.search.file.constraints)]
        writer.writerow(["sample", *keys, *OBJECTIVES, *missed])
        for one in self.samples:
            writer.writerow([one.number, *(one.gains[key] for key in keys), *one.figures, *one.missed])
        (self._folder / TABLE).write_text(out.getvalue(), encoding="utf-8")


def _optuna() -> Any:  # Any: the module
    try:
        import optuna
    except ImportError:
        found, allowed = "optuna is not installed", "the extra: pip install 'dorsi[search]'"
        raise InputError("search", "optuna", found, allowed) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
