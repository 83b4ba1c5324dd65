"""Where a command puts its results: a folder for it alone, and files that appear whole or not at all.

All is open to its owner alone: recordings, reports and figures are about a person. Raises InputError, naming
the path, where a place cannot be written or holds an earlier session.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from controller.errors import InputError

RUNS = Path("runs")
OWNER_ONLY = 0o077  # umask
EARLIER = (  # what nothing is written over
    "session.mcap", "session.mcap.sent", "pulses.jsonl", "summary.json", "report.html", "logs",
    "identified.toml", "identification.png",
)  # fmt: skip
SPACE_BYTES = 32 << 20  # an hour's recording and its report take some hundred
WRITABLE = "a folder that can be written"


@contextlib.contextmanager
def results_folder(out: Path | None, utc: datetime | None = None) -> Iterator[Path]:
    """``out``, or a new folder in ``runs/`` named by the time; this command's alone while in the block.

    A new one that stays empty is removed again.
    """
    given = out or _new(utc or datetime.now(UTC))
    made = out is None or not given.exists()
    try:
        given.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(given, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(str(given), "folder", error.strerror, WRITABLE) from error
    try:
        _claim(given, lock)
        yield given
    finally:
        os.close(lock)
        if made:
            with contextlib.suppress(OSError):  # it holds something
                given.rmdir()


def _new(utc: datetime) -> Path:
    """A folder nobody else has, also where two start in one second."""
    stamp = utc.strftime("%Y%m%dT%H%M%SZ")
    try:
        RUNS.mkdir(mode=0o700, exist_ok=True)
        for number in itertools.count(1):
            folder = RUNS / (stamp if number == 1 else f"{stamp}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder
    except OSError as error:
        raise InputError(str(RUNS / stamp), "folder", error.strerror, WRITABLE) from error
    raise AssertionError("numbers do not end")


def _claim(folder: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(str(folder), "folder", "another command's", "a folder of its own") from None
    earlier = [name for name in EARLIER if (folder / name).exists()]
    if earlier:
        raise InputError(str(folder), "folder", f"{earlier[0]} in it", "a folder without an earlier session")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(str(folder), "folder", "no right to write", WRITABLE)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < SPACE_BYTES:
        free = f"{free_bytes >> 20} MB free"
        raise InputError(str(folder), "disk", free, f"{SPACE_BYTES >> 20} MB free, for an hour some hundred")
    with contextlib.suppress(OSError):  # another person's folder, which they opened to this one
        if not any(folder.iterdir()):
            folder.chmod(0o700)
        if folder.resolve().parent.name == RUNS.name:  # made by an earlier version, wide open
            folder.resolve().parent.chmod(0o700)


@contextlib.contextmanager
def new_file(path: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """A file to write to, which takes ``path``'s place when the block has ended well.

    Only a file with one of ``endings`` is written, so that no recording is ever written over.
    """
    if path.suffix.lower() not in endings or path.is_dir():
        found = "a folder" if path.is_dir() else f"ending {path.suffix!r}"
        raise InputError(str(path), "file", found, f"a file ending in {' or '.join(endings)}")
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield beside
        beside.replace(path)
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(str(path), "file", found, "a file that can be written") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
