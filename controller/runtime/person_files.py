"""Where what outlives a rig is kept for one person, and which rig has it.

``<runs>/rest/<pseudonym>.json`` holds on-times, ``.inflight`` what is in force. A virtual person's lie in
``rest/virtual/``; several rigs may walk one at a time, each with files of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.errors import InputError
from controller.safety.kept_file import ONE_RIG, REST_FOLDER, REST_UNREADABLE, InUseError, KeptFile, locked

FOLDER = REST_FOLDER


@dataclass(frozen=True, slots=True)
class PersonFiles:
    """``rest`` is ``None`` for a virtual body: it has rested at every start."""

    rest: Path | None
    in_flight: Path


@contextlib.contextmanager
def held(runs: Path, pseudonym: str, *, virtual: bool) -> Iterator[PersonFiles]:
    """The files of this person, for this rig alone while in the block.

    Raises InputError where another rig has them, where they cannot be kept, and for on-times that cannot be
    read: a person decides.
    """
    folder = runs / FOLDER / "virtual" if virtual else runs / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        name, lock = _taken(folder, pseudonym, several=virtual)
    except InUseError as error:
        raise InputError(error.filename, "files of this person", error.strerror, ONE_RIG) from None
    except OSError as error:
        raise InputError(str(folder), "folder", error.strerror, "a folder that can be written") from error
    try:
        files = PersonFiles(None if virtual else folder / f"{name}.json", folder / f"{name}.inflight")
        if files.rest is not None:
            _look(files.rest)
        yield files
    finally:
        os.close(lock)


def _taken(folder: Path, pseudonym: str, *, several: bool) -> tuple[str, int]:
    """The name of the files that are free, and what keeps others from them until it is closed."""
    for number in itertools.count(1):
        name = pseudonym if number == 1 else f"{pseudonym}~{number}"
        path = folder / f"{name}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            locked(lock)
        except InUseError as error:
            os.close(lock)
            if not several:
                raise InUseError(error.errno, error.strerror, str(path)) from None
        else:
            return name, lock
    raise AssertionError("numbers do not end")


def _look(path: Path) -> None:
    """What the guard would refuse is refused before anything starts."""
    file = KeptFile(path)
    file.close(0.0)
    if file.damaged:
        raise InputError(str(path), "on-times", "nothing that can be read", REST_UNREADABLE)
