"""The processes of one rig: started by name, watched, ended in the safe order, their words kept.

Each child's standard error goes to ``logs/<name>.log``; a child that ends unasked is reported with its last
lines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.errors import InputError
from controller.runtime import child

NAME = re.compile("dorsi-[a-z0-9_]{8}")  # as tempfile makes it
LOCK = "lock"
DAY_S = 86_400.0
FULL = (errno.ENOSPC, errno.EDQUOT)
ENDING_S = 10.0  # what a process may take to end after SIGTERM (the recorder recompacts separately)


class ProcessFailedError(RuntimeError):
    """A process of the rig did not come up or ended unasked."""

    def __init__(self, name: str, what: str, words: str) -> None:
        super().__init__(f"process dorsi-{name} {what}" + (f"; it said: {words}" if words else ""))
        self.name = name


def sweep(folder: Path) -> None:
    """Remove what this user's killed rigs left in ``folder``: it may hold a password."""
    for path in folder.glob("dorsi-*"):
        with contextlib.suppress(OSError):
            about = path.lstat()
            ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and NAME.fullmatch(path.name)
            if ours and _abandoned(path, time.time() - about.st_mtime):
                shutil.rmtree(path, ignore_errors=True)


def _abandoned(path: Path, age_s: float) -> bool:
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # of a version without locks, or just being made
        return age_s > DAY_S and (path / "header.json").exists()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def lock_folder(path: Path) -> int:
    """A lock that is held from the moment others can see it, until this process ends."""
    hidden = path / f".{LOCK}"
    lock = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    hidden.rename(path / LOCK)
    return lock


class Rig:
    """A directory for the local bus, and the processes that meet there."""

    def __init__(self, logs: Path) -> None:
        sweep(Path(tempfile.gettempdir()))
        try:
            self.path = Path(tempfile.mkdtemp(prefix="dorsi-"))  # short: a Unix socket path holds 107 bytes
            self._lock = lock_folder(self.path)
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            place = error.filename or tempfile.gettempdir()
            raise InputError(place, "folder", error.strerror, "a folder that can be written") from error
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for name in reversed(list(self._children)):
            self.end(name)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        if isinstance(exc, OSError) and exc.errno in FULL:
            place = str(exc.filename or self.path)
            raise InputError(place, "disk", exc.strerror, "some room in the temporary folder") from exc

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start ``python -m module arguments``; its standard output can be read by :meth:`word`."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                child.command(module, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends the rest in order
            )

    def word(self, name: str, timeout_s: float) -> dict[str, object]:
        """The JSON line a process prints when it is ready. Raises ProcessFailedError when it does not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            line = self._line(name, 0.1)
            if line:
                return line
            if not self.alive(name):
                raise self._failed(name)
        raise ProcessFailedError(name, f"was not ready within {timeout_s:g} s", self._last_words(name))

    def said(self, name: str, key: str) -> bool:
        """Whether the process' next line, if there is one now, holds ``key``."""
        return name in self._children and key in self._line(name, 0.0)

    def _line(self, name: str, timeout_s: float) -> dict[str, object]:
        stream = self._children[name].stdout
        assert stream is not None
        readable, _, _ = select.select([stream], [], [], timeout_s)
        line = stream.readline() if readable else b""
        words: dict[str, object] = json.loads(line) if line else {}
        return words

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def alive(self, name: str) -> bool:
        return name in self._children and self._children[name].poll() is None

    def check(self) -> None:
        """Raises ProcessFailedError for the first process that has ended unasked."""
        for name in self._children:
            if not self.alive(name):
                raise self._failed(name)

    def wait(self, name: str, timeout_s: float) -> None:
        """Let a process that was told to finish do so; end it when it takes longer."""
        process = self._children.get(name)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
        self.end(name)

    def end(self, name: str, timeout_s: float = ENDING_S) -> None:
        """SIGTERM, then SIGKILL after ``timeout_s``; unknown or ended processes are passed over."""
        process = self._children.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _failed(self, name: str) -> ProcessFailedError:
        code = self._children[name].returncode
        return ProcessFailedError(name, f"ended with code {code}", self._last_words(name))

    def _last_words(self, name: str) -> str:
        lines = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
