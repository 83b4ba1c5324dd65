"""A small file that outlives the guard: one JSON object, in two places that are written in turn.

Each place holds a number that counts up and a checksum, so a power cut leaves the new object or the one
before. A thread of its own writes: the guard never waits for a disk while pulses may leave. One process at a
time has the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
import zlib
from pathlib import Path

REST_FOLDER = "rest"  # of the runs: what outlives a rig, a person each
PLACE_BYTES = 4096  # a page: what is being written never shares one with what is safe on the disk
PLACES = 2
RETRY_S = 0.5  # after the disk said no
ONE_RIG = "one rig of a person at a time; end the other one first"
REST_UNREADABLE = (
    "the on-times of this person; ask when they were stimulated last, remove the file when they have "
    "rested for an hour since, and start again"
)


class InUseError(OSError):
    """Another process has the file."""


def locked(fd: int) -> None:
    """Have the file alone until it is closed. Raises InUseError where another process has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUseError(errno.EWOULDBLOCK, "in use by another rig") from None


class KeptFile:
    """``found`` is what the file held, ``damaged`` that it holds nothing that can be read.

    A file that is not there is made, and holds ``None``. Raises OSError where it cannot be kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""  # what the disk says to the newest writing
        self._fd, new = _open(path)
        try:
            locked(self._fd)
            os.fchmod(self._fd, 0o600)
            if new:
                os.posix_fallocate(self._fd, 0, PLACES * PLACE_BYTES)  # later a full disk has room for it
                _put(self._fd, 0, 0, b"null")
                os.fsync(self._fd)
                _sync_folder(path.parent)
            places = [_read(os.pread(self._fd, PLACE_BYTES, at * PLACE_BYTES)) for at in range(PLACES)]
            os.fdatasync(self._fd)  # what a killed process left is safe from now on
        except BaseException:
            os.close(self._fd)
            raise
        count, self._safe, self.found = max(
            ((place[0], at, place[1]) for at, place in enumerate(places) if place is not None),
            key=lambda readable: readable[0],
            default=(-1, 0, None),
        )
        self.damaged = count < 0
        self._count = count + 1
        self._asked = b""
        self._waiting: tuple[bytes, bool] | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None

    def write(self, message: dict[str, object] | None, *, sync: bool) -> None:
        """Have it written; returns at once. The newest wins; with ``sync`` it goes on to the disk itself."""
        data = json.dumps(message, separators=(",", ":")).encode()
        if data == self._asked and not sync:
            return
        self._asked = data
        with self._changed:
            before = self._waiting is not None and self._waiting[1]
            self._waiting = (data, sync or before)
            self._changed.notify()
        if self._writer is None:  # it takes over the priority of the thread that asks
            self._writer = threading.Thread(target=self._work, name=self.path.name, daemon=True)
            self._writer.start()

    def close(self, wait_s: float) -> bool:
        """Whether all that was asked for is in the file, after at most ``wait_s``. Idempotent."""
        if self._fd < 0:
            return not self.trouble
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join(wait_s)
            if self._writer.is_alive():  # a disk that does not answer: the file ends with this process
                self.trouble = f"the disk did not answer within {wait_s:g} s"
                return False
        os.close(self._fd)
        self._fd = -1
        return not self.trouble

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._waiting is None:
                    if self._closing:
                        return
                    self._changed.wait()
                data, sync = self._waiting
                self._waiting = None
            try:
                self._store(data, sync=sync)
                self.trouble = ""
            except OSError as error:
                self.trouble = error.strerror or str(error)
                with self._changed:
                    if self._closing:
                        return
                    self._waiting = self._waiting or (data, sync)
                    self._changed.wait(RETRY_S)

    def _store(self, data: bytes, *, sync: bool) -> None:
        at = 1 - self._safe
        _put(self._fd, at, self._count, data)
        self._count += 1
        if sync:
            os.fdatasync(self._fd)
            self._safe = at


def _open(path: Path) -> tuple[int, bool]:
    """The file and whether it is new."""
    flags = os.O_RDWR | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True
    return os.open(path, flags), False


def _put(fd: int, at: int, count: int, data: bytes) -> None:
    text = b"%d %b" % (count, data)
    place = b"%08x %b" % (zlib.crc32(text), text)
    if os.pwrite(fd, place.ljust(PLACE_BYTES)[:PLACE_BYTES], at * PLACE_BYTES) != PLACE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(place: bytes) -> tuple[int, object] | None:
    """Number and object of one place; ``None`` where it holds none."""
    checksum, _, text = place.rstrip(b" ").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    count, _, data = text.partition(b" ")
    try:
        return int(count), json.loads(data)
    except (ValueError, RecursionError):
        return None


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
