"""What is known of the recordings in ``runs/``: whose, of which day, by what settings, and its figures.

Only what ``summary.json`` and the recording's head say; a folder without a summary is not summed up yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.analysis.exercise import ExerciseSummary
from controller.analysis.session_folder import arm_summaries, begun_utc, exercise_summary
from controller.analysis.summary import ArmSummary
from controller.errors import InputError
from controller.record.reader import header

MONTHS = (  # as people type them, English and German
    "january januar", "february februar", "march maerz märz", "april", "may mai", "june juni", "july juli",
    "august", "september", "october oktober", "november", "december dezember",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recorded:
    """One folder of recordings; ``arms`` is empty where nothing was summed up yet."""

    name: str
    pseudonym: str
    arms: tuple[ArmSummary, ...]
    has_report: bool
    exercise: ExerciseSummary | None = None  # in place of arms, where it was one
    virtual: bool = False
    begun: datetime | None = None  # on this computer's calendar; None where the name does not tell
    session_text: str = ""  # of the session file it was walked by

    @property
    def summed_up(self) -> bool:
        return bool(self.arms) or self.exercise is not None


def found(runs: Path, search: str = "") -> list[Recorded]:
    """The recordings of which every word of ``search`` begins some word; the newest first.

    Words are those of the name, the pseudonym, the date (``2026-10-15``, ``15``, ``october``) and the modes.
    """
    if not runs.is_dir():
        return []
    words = search.lower().split()
    items = [_read(folder) for folder in runs.iterdir() if (folder / "session.mcap").is_file()]
    fitting = [item for item in items if all(_begins(word, _words(item)) for word in words)]
    return sorted(fitting, key=_newness, reverse=True)


def one(runs: Path, name: str) -> Recorded | None:
    """The recording of that name; None where the list has none."""
    if not runs.is_dir():
        return None
    for folder in runs.iterdir():
        if folder.name == name and (folder / "session.mcap").is_file():
            return _read(folder)
    return None


def begun_at(name: str) -> datetime | None:
    """When the session of that folder began, in local time; None where its name is no stamp."""
    begun = begun_utc(name)
    return begun.astimezone() if begun else None


def _newness(item: Recorded) -> tuple[float, str]:
    return (item.begun.timestamp() if item.begun else 0.0, item.name)


def _begins(word: str, words: Iterable[str]) -> bool:
    return any(one.startswith(word) for one in words)


def _words(item: Recorded) -> set[str]:
    title = item.exercise.title if item.exercise else ""
    whole = [item.name, item.pseudonym, title, *(arm.mode for arm in item.arms)]
    if (begun := item.begun) is not None:
        whole += [f"{begun:%Y-%m-%d}", f"{begun:%Y%m%d}", f"{begun.day}", MONTHS[begun.month - 1]]
    said = " ".join(whole).lower()
    return {*said.split(), *re.split(r"[^\w]+|_", said)} - {""}


def _read(folder: Path) -> Recorded:
    arms = arm_summaries(folder)
    try:
        head = header(folder / "session.mcap")
    except InputError:
        head = {}
    return Recorded(
        name=folder.name,
        pseudonym=head.get("pseudonym", ""),
        arms=arms,
        has_report=(folder / "report.html").is_file(),
        exercise=None if arms else exercise_summary(folder),
        virtual=head.get("virtual", "") == "yes",
        begun=begun_at(folder.name),
        session_text=head.get("session_file", ""),
    )
