"""What a person was given, session by session, day by day, against what was prescribed.

An entry is made from a recording alone, so that a lost book is made again. Days are those of this computer's
calendar; a session across midnight belongs to the day on which it began.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from controller.analysis.exercise import params_of, summarise_exercise
from controller.config.exercise_schema import PrescriptionSection, ProgrammeFile
from controller.config.loader import check_text
from controller.config.section import NAME
from controller.errors import ConfigError, InputError
from controller.record.reader import header

Part = TypeVar("Part")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class MuscleEntry:
    """What one muscle was given in a session, and what it was set to then."""

    muscle: str
    contractions: int
    pulses: int
    charge_mc: float
    on_s: float
    current_ma: float  # the highest that was given
    set_ma: float
    most_ma: float  # the comfort maximum then, within the limits
    hold_s: float
    own_share: float | None = None
    support: float | None = None


@dataclass(frozen=True, slots=True)
class Prescription:
    """What the programme's file prescribed at the time; None where it did not."""

    contractions_per_day: int | None = None
    minutes_per_day: float | None = None
    days_per_week: int | None = None
    step_percent: float = 0.0
    step_after: int = 3
    step_of: str = "repetitions"


@dataclass(frozen=True, slots=True)
class DoseEntry:
    """One session. ``day`` is empty where the computer's clock was not set."""

    id: str  # of the recording
    session: str  # its folder
    day: str  # of the local calendar, 2026-11-30
    begin_utc: str | None
    programme: str
    title: str
    seconds: float
    repetitions: int  # given whole, the warm-up's too
    planned: int
    count: int  # of the programme, without the warm-up
    whole: bool
    broken_off: int
    missed: int
    trips: int
    muscles: tuple[MuscleEntry, ...]
    prescription: Prescription | None = None


@dataclass(frozen=True, slots=True)
class MuscleDay:
    """All that one muscle was given on one day; ``prescribed``: contractions, by that day's programmes."""

    day: str
    muscle: str
    sessions: int
    contractions: int
    prescribed: int | None
    on_s: float
    charge_mc: float
    current_ma: float
    pulses: int


@dataclass(frozen=True, slots=True)
class ProgrammeDay:
    """One programme on one day: how often, how long, and for how long it was prescribed."""

    day: str
    programme: str
    title: str
    sessions: int
    whole: int
    minutes: float
    prescribed_minutes: float | None


@dataclass(frozen=True, slots=True)
class ProgrammeWeek:
    """On how many days of a week, from its Monday, a programme was done."""

    monday: str
    programme: str
    title: str
    days: int
    prescribed_days: int | None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose recording it is."""

    pseudonym: str
    virtual: bool


def owner_of(path: Path) -> Owner:
    """Raises InputError where the recording does not say whose it is."""
    head = header(path)
    pseudonym = head.get("pseudonym", "")
    if not re.fullmatch(NAME, pseudonym):  # it becomes the name of a file
        raise InputError(str(path), "pseudonym", pseudonym, "the pseudonym of a person")
    return Owner(pseudonym, head.get("virtual") == "yes")


def entry_of(path: Path) -> DoseEntry | None:
    """The entry that a recording makes; None where nothing was begun.

    Raises InputError where the recording is not of an exercise session.
    """
    head, summary = header(path), summarise_exercise(path)
    if summary.seconds <= 0.0:
        return None
    params = params_of(path, head)
    return DoseEntry(
        id=head.get("id") or head.get("session", path.parent.name),
        session=head.get("session", path.parent.name),
        day=_local_day(summary.begin_utc),
        begin_utc=summary.begin_utc,
        programme=summary.programme,
        title=summary.title,
        seconds=round(summary.seconds, 2),
        repetitions=summary.repetitions,
        planned=summary.planned,
        count=params.course.repetitions,
        whole=summary.whole,
        broken_off=summary.broken_off,
        missed=summary.missed,
        trips=summary.trips,
        muscles=tuple(
            MuscleEntry(
                muscle=one.muscle,
                contractions=one.contractions,
                pulses=one.pulses,
                charge_mc=round(one.charge_mc, 4),
                on_s=round(one.on_s, 2),
                current_ma=one.current_ma,
                set_ma=one.set_ma,
                most_ma=plan.current_max_ma,
                hold_s=plan.hold_s,
                own_share=_rounded(one.own_share),
                support=_rounded(one.support),
            )
            for one, plan in zip(summary.muscles, params.muscles, strict=True)
        ),
        prescription=_prescription(head.get("programme_file", "")),
    )


def muscle_days(entries: Iterable[DoseEntry]) -> tuple[MuscleDay, ...]:
    """Day by day and muscle by muscle, in order; two programmes a day add up."""
    made = []
    for (day, muscle), parts in _grouped(
        ((entry.day, one.muscle), (entry, one)) for entry in entries for one in entry.muscles
    ):
        asked = {
            entry.programme: entry.prescription.contractions_per_day
            for entry, _ in parts
            if entry.prescription is not None and entry.prescription.contractions_per_day is not None
        }
        ones = [one for _, one in parts]
        made.append(
            MuscleDay(
                day,
                muscle,
                len(parts),
                sum(one.contractions for one in ones),
                sum(asked.values()) if asked else None,
                sum(one.on_s for one in ones),
                sum(one.charge_mc for one in ones),
                max(one.current_ma for one in ones),
                sum(one.pulses for one in ones),
            )
        )
    return tuple(made)


def programme_days(entries: Iterable[DoseEntry]) -> tuple[ProgrammeDay, ...]:
    """Day by day and programme by programme, in order."""
    return tuple(
        ProgrammeDay(
            day,
            programme,
            parts[-1].title,
            len(parts),
            sum(one.whole for one in parts),
            sum(one.seconds for one in parts) / 60.0,
            _asked(parts, lambda told: told.minutes_per_day),
        )
        for (day, programme), parts in _grouped(((one.day, one.programme), one) for one in entries)
    )


def programme_weeks(entries: Iterable[DoseEntry]) -> tuple[ProgrammeWeek, ...]:
    """Week by week and programme by programme, in order; sessions of an unknown day are in none."""
    return tuple(
        ProgrammeWeek(
            monday,
            programme,
            parts[-1].title,
            len({one.day for one in parts}),
            _asked(parts, lambda told: told.days_per_week),
        )
        for (monday, programme), parts in _grouped(
            ((monday_of(one.day), one.programme), one) for one in entries if one.day
        )
    )


def monday_of(day: str) -> str:
    """The Monday of a day's week."""
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()


def in_order(entries: Iterable[DoseEntry]) -> list[DoseEntry]:
    """By their begin; one recording once, as it was told last."""
    newest = {entry.id: entry for entry in entries}
    return sorted(newest.values(), key=lambda one: (one.begin_utc or "", one.session))


def _grouped(parts: Iterable[tuple[tuple[str, str], Part]]) -> list[tuple[tuple[str, str], list[Part]]]:
    groups: dict[tuple[str, str], list[Part]] = {}
    for key, part in parts:
        groups.setdefault(key, []).append(part)
    return sorted(groups.items(), key=lambda group: group[0])


def _asked(entries: Sequence[DoseEntry], key: Callable[[Prescription], Value | None]) -> Value | None:
    """What the newest of these prescribed."""
    told = entries[-1].prescription
    return None if told is None else key(told)


def _prescription(text: str) -> Prescription | None:
    """That of a programme's file; None where it has none or a later version of Dorsi reads it no more."""
    try:
        given: PrescriptionSection | None = check_text(Path("programme"), text, ProgrammeFile).prescription
    except ConfigError:
        return None
    return None if given is None else Prescription(**given.model_dump())


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _local_day(begin_utc: str | None) -> str:
    return "" if begin_utc is None else datetime.fromisoformat(begin_utc).astimezone().date().isoformat()
