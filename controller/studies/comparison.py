"""Figures of a study: one row a person and arm, arms over persons, paired differences with their intervals.

Promises counted strides only, n beside every figure, and the same intervals for the same values. Refuses to
invent: an interval of fewer than two persons, or of persons who are all alike, is none.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap

from controller.studies.gathered import PersonArm
from controller.studies.measures import BY_NAME
from controller.studies.protocol import ComparisonSection, OutcomeSection

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 9_999
RESAMPLES_SEED = 1  # the same intervals each time
BATCH_VALUES = 2_000_000  # of resamples at a time: 16 MB
WORST = 5
Worst = tuple[str, str, float]  # person, arm, the person's value of the primary outcome


@dataclass(frozen=True, slots=True)
class Spread:
    """n values: mean and standard deviation (of a sample), median and quartiles; None where not known."""

    n: int
    mean: float | None
    sd: float | None
    median: float | None
    q1: float | None
    q3: float | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in one arm: the strides walked and counted, and each outcome over the counted ones."""

    person: str
    arm: str
    walked: int
    counted: int
    spreads: tuple[Spread, ...]  # by outcome
    failed: str


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """An arm's flow and its outcomes over persons."""

    arm: str
    persons: int
    failed: dict[str, int]  # runs, by why
    without: int  # persons of whom no stride counts
    strides: int
    states: dict[str, int]
    spreads: tuple[Spread, ...]  # by outcome, of the persons' values


@dataclass(frozen=True, slots=True)
class Difference:
    """``arm`` minus ``against`` in the same persons: the mean with its bootstrap interval over persons."""

    arm: str
    against: str
    outcome: str
    n: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it."""

    outcomes: tuple[OutcomeSection, ...]
    rows: tuple[PersonRow, ...]
    arms: tuple[ArmFigures, ...]
    differences: tuple[Difference, ...]
    worst: tuple[Worst, ...]


def figures(
    gathered: Sequence[PersonArm],
    outcomes: Sequence[OutcomeSection],
    comparisons: Sequence[ComparisonSection],
) -> Figures:
    """Everything a report of a study says in numbers."""
    by_arm: dict[str, dict[str, PersonArm]] = {}
    for one in gathered:
        by_arm.setdefault(one.arm, {})[one.person] = one
    differences = tuple(
        difference(by_arm, comparison, outcome) for comparison in comparisons for outcome in outcomes
    )
    primary = next((outcome for outcome in outcomes if outcome.role == "primary"), outcomes[0])
    arm = comparisons[0].arm if comparisons else next(iter(by_arm), "")
    return Figures(
        outcomes=tuple(outcomes),
        rows=tuple(_row(one, outcomes) for one in gathered),
        arms=tuple(_arm(name, list(persons.values()), outcomes) for name, persons in by_arm.items()),
        differences=differences,
        worst=_worst(by_arm.get(arm, {}), arm, primary),
    )


def spread(values: Floats) -> Spread:
    if not len(values):
        return Spread(0, None, None, None, None, None)
    q1, median, q3 = (float(value) for value in np.percentile(values, (25, 50, 75)))
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(len(values), float(np.mean(values)), sd, median, q1, q3)


def person_value(one: PersonArm, outcome: OutcomeSection) -> float | None:
    """The one value of a person in an arm; None where no counted stride has it."""
    known = one.known(outcome.measure)
    if not len(known):
        return None
    return float(np.mean(known) if outcome.person == "mean" else np.median(known))


def difference(
    by_arm: dict[str, dict[str, PersonArm]], comparison: ComparisonSection, outcome: OutcomeSection
) -> Difference:
    ours, theirs = by_arm.get(comparison.arm, {}), by_arm.get(comparison.against, {})
    pairs = [(person_value(ours[p], outcome), person_value(theirs[p], outcome)) for p in ours if p in theirs]
    found = np.array([a - b for a, b in pairs if a is not None and b is not None], dtype=np.float64)
    names = comparison.arm, comparison.against, outcome.measure
    if not len(found):
        return Difference(*names, 0, None, None, None, None)
    low, high = interval(found)
    return Difference(*names, len(found), float(np.mean(found)), low, high, float(np.median(found)))


def interval(values: Floats) -> tuple[float | None, float | None]:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron 1987), 95 %."""
    if len(values) < 2 or np.ptp(values) == 0.0:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # then its ends are NaN
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            batch=max(1, BATCH_VALUES // len(values)),
            confidence_level=CONFIDENCE,
            method="BCa",
            rng=np.random.default_rng(RESAMPLES_SEED),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)


def _row(one: PersonArm, outcomes: Sequence[OutcomeSection]) -> PersonRow:
    spreads = tuple(spread(one.known(outcome.measure)) for outcome in outcomes)
    return PersonRow(one.person, one.arm, one.states.total(), one.counted, spreads, one.failed)


def _arm(name: str, persons: list[PersonArm], outcomes: Sequence[OutcomeSection]) -> ArmFigures:
    states: Counter[str] = Counter()
    for one in persons:
        states.update(one.states)
    return ArmFigures(
        arm=name,
        persons=len(persons),
        failed=dict(Counter(one.failed for one in persons if one.failed)),
        without=sum(not one.failed and one.counted == 0 for one in persons),
        strides=states.total(),
        states=dict(states),
        spreads=tuple(
            spread(np.array([v for one in persons if (v := person_value(one, outcome)) is not None]))
            for outcome in outcomes
        ),
    )


def _worst(persons: dict[str, PersonArm], arm: str, primary: OutcomeSection) -> tuple[Worst, ...]:
    """The persons of an arm whom the primary outcome serves worst, the worst first."""
    told = [(person, person_value(one, primary)) for person, one in persons.items()]
    known = [(person, arm, value) for person, value in told if value is not None]
    sign = -1.0 if BY_NAME[primary.measure].worse == "more" else 1.0
    return tuple(sorted(known, key=lambda each: sign * each[2])[:WORST])
