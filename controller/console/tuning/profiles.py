"""A patient's profiles: settings by name, as TOML files whose tables can be copied into a session file.

Promises to read back what it wrote. Refuses names that are no plain file names, and a file that is no
profile, naming file, key and value.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from controller.config.tunables import BY_KEY, KNOBS
from controller.errors import InputError
from controller.untrusted import clean

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
NOTE_MAX = 300  # characters
LAST = "last-session"  # what was in force after the last change, kept by the console itself


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings of one patient under one name; ``found`` are numbers of the set-up, by ``table.key``."""

    name: str
    pseudonym: str
    by: str
    note: str
    saved: str  # UTC, ISO 8601
    values: Mapping[str, float]
    found: Mapping[str, float]


class Profiles:
    """The folder of one patient's profiles."""

    def __init__(self, folder: Path, pseudonym: str) -> None:
        self._folder = folder / pseudonym
        self._pseudonym = pseudonym

    def all(self) -> list[Profile]:
        """The readable ones, by name."""
        if not self._folder.is_dir():
            return []
        found = []
        for path in sorted(self._folder.glob("*.toml")):
            try:
                found.append(read(path))
            except InputError:
                continue
        return found

    def one(self, name: str) -> Profile | None:
        if not NAME.fullmatch(name) or not (self._folder / f"{name}.toml").is_file():
            return None
        return read(self._folder / f"{name}.toml")

    def last(self) -> Profile | None:
        """What the last change of a session left in force; ``None`` where nothing readable was kept."""
        with contextlib.suppress(InputError):
            return self.one(LAST)
        return None

    def save(
        self, name: str, by: str, note: str, values: Mapping[str, float], found: Mapping[str, float]
    ) -> Profile:
        """Write, or replace the one of that name. Raises InputError on a name or note that cannot be."""
        if not NAME.fullmatch(name):
            raise InputError("profile", "name", name, "letters, digits, _ . -, at most 40, no leading sign")
        if len(note) > NOTE_MAX:
            raise InputError("profile", "note", f"{len(note)} characters", f"at most {NOTE_MAX}")
        saved = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        profile = Profile(name, self._pseudonym, by, note, saved, dict(values), dict(found))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.toml"
        beside = path.with_suffix(".part")
        beside.write_text(text(profile), encoding="utf-8")
        beside.replace(path)
        return profile


def text(profile: Profile) -> str:
    """The profile as TOML."""
    head = {
        "name": profile.name,
        "pseudonym": profile.pseudonym,
        "by": profile.by,
        "note": profile.note,
        "saved": profile.saved,
    }
    lines = ["[profile]", *(f"{key} = {_quoted(value)}" for key, value in head.items())]
    numbers = [(key, profile.values[key]) for key in _ordered(profile.values)]
    numbers += [(f"setup.{key}", value) for key, value in profile.found.items()]
    for table, entries in groupby(numbers, key=lambda item: item[0].rpartition(".")[0]):
        lines += [
            "",
            f"[{table}]",
            *(f"{key.rpartition('.')[2]} = {float(value)!r}" for key, value in entries),
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string: unlike JSON's it knows no surrogate pairs, and DEL is a control character."""
    return json.dumps(clean(text), ensure_ascii=False).replace("\x7f", "\\u007F")


def _ordered(values: Mapping[str, float]) -> list[str]:
    """The keys of one table together, whatever their order on the page."""
    return sorted((knob.key for knob in KNOBS if knob.key in values), key=lambda key: key.partition(".")[0])


def read(path: Path) -> Profile:
    """Raises InputError naming the file, the key and what it found."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
        head = {key: str(whole["profile"][key]) for key in ("name", "pseudonym", "by", "note", "saved")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(str(path), "profile", repr(error), "a profile as this console writes it") from None
    values: dict[str, float] = {}
    found: dict[str, float] = {}
    for table, entries in whole.items():
        if table == "profile":
            continue
        for key, value in _numbers(table, entries, path).items():
            if key.startswith("setup."):
                found[key.removeprefix("setup.")] = value
            elif key in BY_KEY:
                values[key] = value
            else:
                raise InputError(str(path), key, value, f"one of {', '.join(BY_KEY)}")
    return Profile(**head, values=values, found=found)


def _numbers(table: str, entries: object, path: Path) -> dict[str, float]:
    numbers: dict[str, float] = {}
    if not isinstance(entries, dict):
        raise InputError(str(path), table, entries, "a table of numbers")
    for key, value in entries.items():
        name = f"{table}.{key}"
        if isinstance(value, dict):
            numbers |= _numbers(name, value, path)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(str(path), name, value, "a finite number")
        else:
            numbers[name] = float(value)
    return numbers


def differences(
    one: Mapping[str, float], other: Mapping[str, float]
) -> list[tuple[str, float | None, float | None]]:
    """The settings in which two sets differ, in the page's order."""
    return [
        (knob.key, one.get(knob.key), other.get(knob.key))
        for knob in KNOBS
        if one.get(knob.key) != other.get(knob.key)
    ]
