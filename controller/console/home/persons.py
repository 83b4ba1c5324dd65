"""Who can be treated and by which settings: the patient files and the session files of a clinic.

A file that cannot be read is told in its place, with the words of whoever reads it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controller.config.loader import FILE_BYTES_MAX, read_file
from controller.config.person_schema import PersonFile
from controller.config.session import kind_of
from controller.console.recordings.recorded import Recorded
from controller.errors import ConfigError

WALK = "gait-assist"


@dataclass(frozen=True, slots=True)
class Person:
    """One patient file; ``problem`` says why it cannot be read, and then the pseudonym is the file's name."""

    path: Path
    pseudonym: str
    side: str = ""
    standard_model: bool = False  # muscle and ankle were not measured with this person
    checklist: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """One session file: the devices, and how they are used."""

    path: Path
    text: str
    kind: str  # of therapy
    mode: str  # of a walk without a schedule
    arms: int  # of its schedule
    patient: Path | None  # the patient file that it names

    @property
    def name(self) -> str:
        return self.path.stem


def persons(folder: Path) -> list[Person]:
    """By pseudonym."""
    return sorted((_person(path) for path in _files(folder)), key=lambda one: one.pseudonym.lower())


def person(folder: Path, pseudonym: str) -> Person | None:
    return next((one for one in persons(folder) if one.pseudonym == pseudonym and not one.problem), None)


def all_settings(folder: Path) -> list[Settings]:
    """By name."""
    return [found for path in _files(folder) if (found := _settings(path)) is not None]


def last_settings(
    one: Person, recordings: Sequence[Recorded], choices: Sequence[Settings]
) -> Settings | None:
    """The session file of the last session, as it still is; else the one that names this person; else the
    first that is there. ``recordings`` are this person's, the newest first.
    """
    by_text = {choice.text: choice for choice in choices}
    for item in recordings:
        if item.session_text in by_text:
            return by_text[item.session_text]
    named = [choice for choice in choices if choice.patient == one.path.resolve()]
    walks = [choice for choice in choices if choice.kind == WALK]
    return next(iter([*named, *walks, *choices]), None)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.glob("*.toml")) if path.is_file())


def _person(path: Path) -> Person:
    try:
        file, _ = read_file(path, PersonFile)
    except ConfigError as error:
        return Person(path, path.stem, problem=str(error))
    who = file.patient
    return Person(path, who.pseudonym, who.paretic_side, who.model == "standard", dict(file.checklist))


def _settings(path: Path) -> Settings | None:
    """None where it is no session file at all; whoever starts it says what is wrong with it."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return None
        text = path.read_text(encoding="utf-8-sig")
        table = tomllib.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    session, schedule = table.get("session"), table.get("schedule")
    if not isinstance(session, dict):
        return None
    patient = session.get("patient_file")
    return Settings(
        path=path,
        text=text,
        kind=kind_of(path),
        mode=str(session.get("mode", "")),
        arms=len(schedule) if isinstance(schedule, list) else 0,
        patient=(path.parent / patient).resolve() if isinstance(patient, str) else None,
    )
