"""`dorsi dose`: what a person was given, day by day, against the prescription; and what is proposed next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.analysis.dose_book import (
    DoseEntry,
    MuscleDay,
    Owner,
    ProgrammeDay,
    ProgrammeWeek,
    monday_of,
    muscle_days,
    owner_of,
    programme_days,
    programme_weeks,
)
from controller.analysis.dose_file import (
    RECORDING,
    DoseBook,
    owners_in,
    read_book,
    rebuild,
)
from controller.analysis.progression import own_share_weeks, proposals, share_words, words
from controller.config.section import NAME
from controller.errors import InputError
from controller.runtime.person_files import FOLDER

UNKNOWN_DAY = "not known"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose books, and the folder of the sessions' folders."""

    runs: Path
    owners: Sequence[Owner]


def wanted(who: str, runs: Path, *, also_recorded: bool) -> Wanted:
    """``who`` is a person's pseudonym, a session's folder, or a folder of sessions: then everybody there.

    ``also_recorded`` takes those in who have a recording and no book. Raises InputError where there is none.
    """
    folder = Path(who)
    if (folder / RECORDING).is_file():
        return Wanted(folder.resolve().parent, [owner_of(folder / RECORDING)])
    recorded = None if not also_recorded else folder if folder.is_dir() else runs
    if folder.is_dir():
        owners = owners_in(folder / FOLDER, recorded)
        if not owners:
            raise InputError(
                who, "dose book", "none", "a folder of sessions, runs when nothing else was given"
            )
        return Wanted(folder, owners)
    if not re.fullmatch(NAME, who):
        raise InputError("dorsi dose", "person", who, "a pseudonym, or a folder")
    known = owners_in(runs / FOLDER, recorded)
    owners = [one for one in known if one.pseudonym == who]
    if not owners:
        have = ", ".join(sorted({one.pseudonym for one in known})) or "nobody has one yet"
        raise InputError(str(runs), f"dose book of {who}", "none", have)
    return Wanted(runs, owners)


def books(given: Wanted, *, again: bool, console: Console) -> list[DoseBook]:
    """The books as they are, or made ``again`` from the recordings."""
    if not again:
        return [read_book(given.runs / FOLDER, owner) for owner in given.owners]
    made = []
    for owner in given.owners:
        found = rebuild(given.runs, given.runs / FOLDER, owner)
        for one in found.unread:
            console.print(f"left out: {one}", markup=False)
        made.append(found.book)
    return made


def as_json(book: DoseBook) -> dict[str, object]:
    """All that the tables say, for another program."""
    return {
        "person": book.owner.pseudonym,
        "virtual": book.owner.virtual,
        "book": str(book.path),
        "sessions": [asdict(one) for one in book.entries],
        "muscle_days": [asdict(one) for one in muscle_days(book.entries)],
        "programme_days": [asdict(one) for one in programme_days(book.entries)],
        "programme_weeks": [asdict(one) for one in programme_weeks(book.entries)],
        "own_share_weeks": [asdict(one) for one in own_share_weeks(book.entries)],
        "proposals": [{**asdict(one), "words": words(one)} for one in proposals(book.entries)],
        "broken_lines": [{"line": one.number, "why": one.why} for one in book.broken],
    }


def show(book: DoseBook, days: int, console: Console) -> None:
    """The newest ``days`` with a session, as tables; then proposals and what is broken."""
    whose = f"{book.owner.pseudonym}{' (virtual)' if book.owner.virtual else ''}"
    newest = sorted({one.day for one in book.entries})[-days:]
    entries = [one for one in book.entries if one.day in newest]
    if not entries:
        console.print(
            f"{whose}: no exercise session in the dose book yet. Where there are recordings of one, "
            "dorsi dose --rebuild makes it.",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print(muscle_table(muscle_days(entries), whose))
        console.print(programme_table(entries))
    for line in told(book):
        console.print(line, markup=False, soft_wrap=True)


def told(book: DoseBook) -> list[str]:
    """What stands below the tables, in words."""
    return [
        *(f"{one.title}: {words(one)}. A therapist decides." for one in proposals(book.entries)),
        *(f"{line[0].upper()}{line[1:]}." for line in share_words(own_share_weeks(book.entries))),
        *(
            f"{book.path}: line {one.number} cannot be read ({one.why}); the others hold. "
            "dorsi dose --rebuild makes it again from its recording."
            for one in book.broken
        ),
    ]


def muscle_table(rows: Sequence[MuscleDay], whose: str) -> Table:
    """A row a day and muscle."""
    table = Table(
        *("day", "muscle", "sessions", "contractions", "minutes on", "charge, mC", "highest current, mA"),
        title=Text(f"What {whose} was given"),
    )
    for one in rows:
        of = "" if one.prescribed is None else f" of {one.prescribed}"
        table.add_row(
            one.day or UNKNOWN_DAY,
            Text(one.muscle),
            str(one.sessions),
            f"{one.contractions}{of}",
            f"{one.on_s / 60.0:.1f}",
            f"{one.charge_mc:.2f}",
            f"{one.current_ma:g}",
        )
    return table


def programme_table(entries: Sequence[DoseEntry]) -> Table:
    """A row a day and programme, with the days of its week."""
    weeks = {(one.monday, one.programme): one for one in programme_weeks(entries)}
    table = Table("day", "programme", "sessions, whole", "minutes", "days this week")
    for one in programme_days(entries):
        table.add_row(
            one.day or UNKNOWN_DAY,
            Text(one.title),
            f"{one.sessions}, {one.whole}",
            minutes_words(one),
            _week_words(weeks.get((monday_of(one.day), one.programme)) if one.day else None),
        )
    return table


def _week_words(week: ProgrammeWeek | None) -> str:
    if week is None:
        return "-"
    return f"{week.days}" if week.prescribed_days is None else f"{week.days} of {week.prescribed_days}"


def minutes_words(one: ProgrammeDay) -> str:
    return f"{one.minutes:.1f}" + (
        "" if one.prescribed_minutes is None else f" of {one.prescribed_minutes:g}"
    )
