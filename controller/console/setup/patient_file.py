"""Numbers found in the set-up, written into the patient file: its other lines and comments stay as they are.

Promises a file that the next session accepts, put in place whole, and the old one kept beside it. Refuses
a number out of its range, a file changed since it was looked at, and one it cannot change line by line.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.config.loader import BOM, check_patient
from controller.config.standard_person import has_standard_model
from controller.errors import InputError

DIGITS = 4  # significant ones: more than any of the tests can tell
HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")
NUMBER = r"[-+]?[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][-+]?[0-9]+)?"
CEILING = "limits.current_max_ma"
IDENTIFIED = ("muscle", "ankle")  # tables of what was measured with this person
STANDARD = re.compile(r"""^(\s*model\s*=\s*["'])standard(["'])[^\n]*""", re.MULTILINE)  # with its comment


@dataclass(frozen=True, slots=True)
class Edit:
    """One number of the file; ``old`` is ``None`` where it has none yet."""

    key: str
    old: float | None
    new: float


@dataclass(frozen=True, slots=True)
class Found:
    """The file as it is, by its digest, and what would change."""

    digest: str
    edits: tuple[Edit, ...]


def look(path: Path, thresholds: Mapping[str, float], identified: Mapping[str, float]) -> Found:
    """What the set-up's numbers would change. Raises InputError where the file cannot be read.

    The comfort maximum becomes the person's largest current, unless that is lower already.
    """
    text = _read(path)
    table = _table(path, text)
    wanted = {f"thresholds.{mark}_ma": value for mark, value in thresholds.items()} | dict(identified)
    ceiling_ma = _value(table, CEILING)
    comfort_ma = thresholds.get("comfort")
    if comfort_ma is not None and (ceiling_ma is None or comfort_ma < ceiling_ma):
        wanted[CEILING] = comfort_ma
    edits = (Edit(key, _value(table, key), _rounded(value)) for key, value in wanted.items())
    return Found(_digest(text), tuple(edit for edit in edits if edit.old != edit.new))


def write(path: Path, found: Found) -> Path:
    """Put the new file in place; returns where the old one is kept.

    Raises InputError where the file is not the one looked at or the new one would not be accepted, and
    OSError where the disk says no; the file is as it was then.
    """
    text = _read(path)
    if _digest(text) != found.digest:
        raise InputError(str(path), "file", "changed meanwhile", "the file that was looked at")
    new = rewritten(text, {edit.key: edit.new for edit in found.edits})
    after = _table(path, text)
    if any(edit.key.partition(".")[0] in IDENTIFIED for edit in found.edits) and has_standard_model(text):
        new = STANDARD.sub(r"\g<1>measured\g<2>", new, count=1)
        after["patient"]["model"] = "measured"
    for edit in found.edits:
        table, _, key = edit.key.rpartition(".")
        after.setdefault(table, {})[key] = edit.new
    if _table(path, new) != after:
        raise InputError(str(path), "file", "a form of TOML not known here", "one line for each number")
    check_patient(path, new)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = path.with_name(f"{path.name}.{stamp}-{found.digest[:8]}.old")
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, beside)
        shutil.copy2(path, kept)
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return kept


def rewritten(text: str, values: Mapping[str, float]) -> str:
    """``text`` with the numbers at ``table.key`` set; what is missing comes at its table's end."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for name, value in values.items():
        table, _, key = name.rpartition(".")
        begin, end = _place(lines, table)
        if begin is None:
            lines += ["\n", f"[{table}]\n"]
            begin = end = len(lines)
        setting = re.compile(rf"(\s*{re.escape(key)}\s*=\s*){NUMBER}")
        at = next((number for number in range(begin, end) if setting.match(lines[number])), None)
        if at is not None:
            lines[at] = setting.sub(rf"\g<1>{value!r}", lines[at], count=1)
            continue
        while end > begin and not lines[end - 1].strip():
            end -= 1  # before the empty line that parts it from the next table
        lines.insert(end, f"{key} = {value!r}\n")
    return "".join(lines)


def _place(lines: list[str], table: str) -> tuple[int | None, int]:
    """The lines of a table, without its header."""
    headers = [(number, HEADER.match(line)) for number, line in enumerate(lines) if line.lstrip()[:1] == "["]
    for place, (number, header) in enumerate(headers):
        if header is not None and header.group(1).strip() == table:
            end = headers[place + 1][0] if place + 1 < len(headers) else len(lines)
            return number + 1, end
    return None, len(lines)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _value(table: Mapping[str, object], name: str) -> float | None:
    section, _, key = name.rpartition(".")
    entries = table.get(section)
    value = entries.get(key) if isinstance(entries, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), "file", str(error), "a readable TOML file") from None


def _table(path: Path, text: str) -> dict[str, dict[str, object]]:
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), "file", str(error), "TOML") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
