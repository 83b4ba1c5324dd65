"""Whose files an export's folder holds: none is replaced by another recording's without a word."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from controller.errors import InputError

NAME = ".dorsi-export.json"
BYTES_MAX = 4 * 1024 * 1024


class Owners:
    """Which recording each file or folder of an export is of, kept in a hidden file beside them.

    The same recording may be exported again into the same place. Anything else is refused: files of another
    recording, and such as were there before.
    """

    def __init__(self, folder: Path, recording: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        with recording.open("rb") as file:
            self._whose = hashlib.file_digest(file, "sha256").hexdigest()
        self._owners: dict[str, str] = {}
        try:
            if self._path.stat().st_size <= BYTES_MAX:
                self._owners = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InputError(str(self._path), "file", "no owners of files", "as dorsi wrote it") from None

    def claim(self, name: str, whose: str = "", *, there: bool | None = None) -> None:
        """Take ``name`` in the folder for this recording, or for all that are ``whose``.

        Raises InputError where it is another's, or is there and nobody knows whose.
        """
        whose = whose or self._whose
        if there is None:
            there = (self._folder / name).exists()
        if there and self._owners.get(name) != whose:
            raise InputError(str(self._folder), name, "there already, of another recording", "another folder")
        if (self._folder / name).exists():
            private(self._folder / name)
        self._owners[name] = whose

    def keep(self) -> None:
        """Write down what was claimed."""
        self._path.write_bytes(msgspec.json.encode(self._owners))
        private(self._path)


def private(path: Path) -> None:
    """For its owner alone: what is written over a file keeps the mode that an earlier version left it."""
    for each in (path, *path.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o700 if each.is_dir() else 0o600)
