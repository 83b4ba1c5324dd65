"""What the progression of a prescription proposes next, and how the person's own share moves, week by week.

A proposal is words for a therapist. Nothing here changes a programme or a session.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from controller.analysis.dose_book import DoseEntry, MuscleEntry, Prescription, monday_of
from controller.config.section import CURRENT_STEP_MA

HOLD_STEP_S = 0.5  # a therapist reads no finer; a smaller step is rounded up to it
StepOf = Literal["repetitions", "current", "hold"]
UNITS: dict[str, str] = {"repetitions": "repetitions", "current": "mA", "hold": "s of hold"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """``muscle`` is empty where it is about repetitions; ``proposed`` is None at the person's maximum."""

    programme: str
    title: str
    sessions: int  # done whole, in a row, at the present value
    step_of: str
    muscle: str
    present: float
    proposed: float | None


@dataclass(frozen=True, slots=True)
class OwnShareWeek:
    """The person's own share of a muscle's movement in one week, and the support that they were given: means
    over its contractions. ``support`` is None where no session of the week tells it.
    """

    monday: str
    muscle: str
    share: float
    contractions: int
    support: float | None = None


def proposals(entries: Sequence[DoseEntry]) -> tuple[Proposal, ...]:
    """For each programme what its newest prescription proposes; ``entries`` in their order."""
    made: list[Proposal] = []
    for programme in sorted({one.programme for one in entries}):
        sessions = [one for one in entries if one.programme == programme]
        newest = sessions[-1]
        told = newest.prescription
        if told is None or not told.step_percent:
            continue
        values = _values(newest, told)
        whole = list(
            takewhile(lambda one: one.whole and _values(one, told) == values, reversed(sessions))  # noqa: B023
        )
        if len(whole) >= told.step_after:
            made += (_proposal(newest, told, len(whole), value) for value in values)
    return tuple(made)


def words(one: Proposal) -> str:
    """A proposal as a therapist reads it."""
    what, unit = f"{one.sessions} sessions done whole: ", UNITS[one.step_of]
    whose = f" for {one.muscle}" if one.muscle else ""
    if one.proposed is None:
        return (
            f"{what}{one.present:g} {unit}{whose} is this person's maximum as found; more needs a new search "
            "for it"
        )
    return f"{what}{one.proposed:g} instead of {one.present:g} {unit}{whose} is proposed"


def own_share_weeks(entries: Iterable[DoseEntry]) -> tuple[OwnShareWeek, ...]:
    """Week by week and muscle by muscle, where something measured it."""
    parts: dict[tuple[str, str], list[MuscleEntry]] = {}
    for entry in entries:
        for one in entry.muscles:
            if entry.day and one.own_share is not None and one.contractions:
                parts.setdefault((monday_of(entry.day), one.muscle), []).append(one)
    return tuple(
        OwnShareWeek(
            monday,
            muscle,
            _mean([(one.own_share, one.contractions) for one in ones]) or 0.0,
            sum(one.contractions for one in ones),
            _mean([(one.support, one.contractions) for one in ones]),
        )
        for (monday, muscle), ones in sorted(parts.items())
    )


def share_words(weeks: Sequence[OwnShareWeek]) -> list[str]:
    """For each muscle its newest week beside the one before."""
    said = []
    for muscle in sorted({one.muscle for one in weeks}):
        *before, last = [one for one in weeks if one.muscle == muscle]
        text = f"own share of {muscle}: {_share_words(last)} in the week of {last.monday}"
        said.append(f"{text}, {_share_words(before[-1])} in that of {before[-1].monday}" if before else text)
    return said


def _share_words(one: OwnShareWeek) -> str:
    support = "" if one.support is None else f" with a support of {one.support:.0%}"
    return f"{one.share:.0%}{support}"


def _mean(weighed: Iterable[tuple[float | None, int]]) -> float | None:
    """Of the values that are there, each counted so often; None where there is none."""
    known = [(value, count) for value, count in weighed if value is not None]
    counts = sum(count for _, count in known)
    return sum(value * count for value, count in known) / counts if counts else None


def _values(entry: DoseEntry, told: Prescription) -> tuple[tuple[str, float, float], ...]:
    """What the progression would raise in a session: muscle, its value, and the most it may be."""
    if told.step_of == "current":
        return tuple((one.muscle, one.set_ma, one.most_ma) for one in entry.muscles)
    if told.step_of == "hold":
        return tuple((one.muscle, one.hold_s, math.inf) for one in entry.muscles)
    return (("", float(entry.count), math.inf),)


def _proposal(
    entry: DoseEntry, told: Prescription, sessions: int, value: tuple[str, float, float]
) -> Proposal:
    muscle, present, most = value
    step = {"repetitions": 1.0, "current": CURRENT_STEP_MA, "hold": HOLD_STEP_S}[told.step_of]
    exact = present * (1.0 + told.step_percent / 100.0)
    more = max(present + step, math.floor(exact / step + 1e-9) * step)
    proposed = None if present >= most else min(more, most)
    return Proposal(entry.programme, entry.title, sessions, told.step_of, muscle, present, proposed)
