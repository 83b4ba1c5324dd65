"""The dose book as a file: one JSON object a line, one line a session, open to its owner alone.

A line is appended whole and goes to the disk itself. A line that cannot be read is told, stays where it is,
and hides no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controller.analysis.dose_book import DoseEntry, Owner, entry_of, in_order, owner_of
from controller.errors import InputError

FOLDER = "dose"
RECORDING = "session.mcap"
BOOK_BYTES_MAX = 64 * 1024 * 1024  # a session is a KiB: a lifetime of ten a day stays below
WRITABLE = "a dose book that can be written"


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that holds no entry: its number from 1, its bytes, and why."""

    number: int
    data: bytes
    why: str


@dataclass(frozen=True, slots=True)
class DoseBook:
    """``entries`` in the order of their begin."""

    path: Path
    owner: Owner
    entries: tuple[DoseEntry, ...]
    broken: tuple[BrokenLine, ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A book made again: what it holds now, and the recordings that could not be read."""

    book: DoseBook
    unread: tuple[str, ...]


def book_path(rest_folder: Path, owner: Owner) -> Path:
    """Where a person's book is kept; ``rest_folder`` is that of the runs, ``runs/rest``."""
    folder = rest_folder / "virtual" if owner.virtual else rest_folder
    return folder / FOLDER / f"{owner.pseudonym}.jsonl"


def read_book(rest_folder: Path, owner: Owner) -> DoseBook:
    """An empty one where there is none. Raises InputError where the file cannot be read."""
    path = book_path(rest_folder, owner)
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > BOOK_BYTES_MAX):
            raise InputError(str(path), "dose book", "no such file", f"at most {BOOK_BYTES_MAX >> 20} MB")
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise InputError(str(path), "dose book", error.strerror, "a readable file") from error
    entries, broken = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            entries.append(msgspec.json.decode(line, type=DoseEntry))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            broken.append(BrokenLine(number, line, str(error)))
    return DoseBook(path, owner, tuple(in_order(entries)), tuple(broken))


def add_recording(rest_folder: Path, recording: Path) -> DoseEntry | None:
    """Enter what a recording says was given; None where nothing was begun.

    Raises InputError where the recording is of no exercise session, or the book cannot be written.
    """
    owner, entry = owner_of(recording), entry_of(recording)
    if entry is None:
        return None
    path = book_path(rest_folder, owner)
    with _held(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o600)
            line = msgspec.json.encode(entry) + b"\n"
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":  # a power cut's: it spoils its own line alone
                line = b"\n" + line
            _write(fd, line)
        finally:
            os.close(fd)
    return entry


def rebuild(runs: Path, rest_folder: Path, owner: Owner) -> Rebuilt:
    """Make a person's book again from the recordings in ``runs``.

    An entry whose recording is gone stays, and so does a line that cannot be read, unless its recording is
    there. Raises InputError where the book cannot be written.
    """
    made, unread = [], []
    for recording in sorted(runs.glob(f"*/{RECORDING}")):
        try:
            if owner_of(recording) == owner and (entry := entry_of(recording)) is not None:
                made.append(entry)
        except InputError as error:
            if error.where not in ("core_params", "pseudonym"):  # of a walk, or of nobody
                unread.append(str(error))
    path = book_path(rest_folder, owner)
    with _held(path):
        before = read_book(rest_folder, owner)
        ids = {entry.id for entry in made}
        entries = in_order([*before.entries, *made])
        kept = [line.data for line in before.broken if not any(one.encode() in line.data for one in ids)]
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                _write(fd, b"".join(one + b"\n" for one in [*map(msgspec.json.encode, entries), *kept]))
            finally:
                os.close(fd)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    return Rebuilt(read_book(rest_folder, owner), tuple(unread))


def owners_in(rest_folder: Path, runs: Path | None = None) -> Sequence[Owner]:
    """Everybody who has a book, or with ``runs`` a recording of an exercise there."""
    found = {
        Owner(path.stem, virtual)
        for virtual in (False, True)
        for path in book_path(rest_folder, Owner("any", virtual)).parent.glob("*.jsonl")
    }
    for recording in () if runs is None else runs.glob(f"*/{RECORDING}"):
        with contextlib.suppress(InputError):
            found.add(owner_of(recording))
    return sorted(found, key=lambda one: (one.virtual, one.pseudonym))


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """The book for this process alone; another one waits. Raises InputError where it cannot be kept."""
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise InputError(str(path), "dose book", error.strerror or str(error), WRITABLE) from error


def _write(fd: int, data: bytes) -> None:
    """All of it, to the disk itself."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.fsync(fd)
