"""Files in the making: one job a file, one at a time, at low priority, none beside an armed rig.

Promises that asking again makes no second job, and that a file is whole or not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

HUMBLY = (sys.executable, "-m", "controller.console.low_priority")
PATIENCE_S = 600.0  # of work; an hour's recording takes about one minute
LOOK_S = 0.2  # how soon a job stands still when the rig is armed
SAID_MAX = 500  # characters of what a command that failed said last

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Key = tuple[str, str]  # recording, kind of file


@dataclass(slots=True, eq=False)
class Job:
    """``arguments`` of ``dorsi``, ``{out}`` for a path in a folder of its own; ``target`` comes last."""

    key: Key
    arguments: tuple[str, ...]
    made: str  # the name of what the command makes in that folder
    source: Path  # the recording
    target: Path
    state: State = "waiting"
    problem: str = ""  # "too long", or what the command said when it failed
    worked_s: float = 0.0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class Desk:
    """Jobs by file; the oldest that waits is next."""

    def __init__(self, armed: Callable[[], bool], *, command: Sequence[str] = ()) -> None:
        self.armed = armed
        self._command = tuple(command) or (sys.executable, "-m", "controller.cli")
        self._jobs: dict[Key, Job] = {}
        self._worker: asyncio.Task[None] | None = None

    def job(self, key: Key) -> Job | None:
        return self._jobs.get(key)

    def ask(self, key: Key, arguments: Sequence[str], made: str, source: Path, target: Path) -> Job:
        """The job that makes this file: the one there is, or a new one. One that failed stays to be read."""
        job = self._jobs.get(key)
        if job is None or job.state in ("done", "cancelled"):
            job = self._jobs[key] = Job(key, tuple(arguments), made, source, target)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return job

    def ahead(self, job: Job) -> int:
        """How many come before it."""
        if job.state != "waiting":
            return 0
        return sum(one.state == "running" for one in self._jobs.values()) + self._waiting().index(job)

    def cancel(self, key: Key) -> None:
        """Idempotent; also forgets a job that failed, so that it can be asked for again."""
        job = self._jobs.get(key)
        if job is None:
            return
        if job.state in ("waiting", "failed"):
            job.state = "cancelled"
        job.cancelled.set()

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    def _waiting(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state == "waiting"]

    async def _work(self) -> None:
        while waiting := self._waiting():
            if self.armed():
                await asyncio.sleep(LOOK_S)
            else:
                await self._make(waiting[0])

    async def _make(self, job: Job) -> None:
        job.state = "running"
        try:
            with tempfile.TemporaryDirectory(prefix="dorsi-", ignore_cleanup_errors=True) as name:
                folder = Path(name)
                of_ns = job.source.stat().st_mtime_ns
                job.problem = await self._run(job, folder)
                if job.cancelled.is_set():
                    job.state = "cancelled"
                elif job.problem:
                    job.state = "failed"
                else:
                    await asyncio.to_thread(_keep, folder / job.made, job.target, of_ns)
                    job.state = "done"
        except OSError as error:
            job.state, job.problem = "failed", f"{error.filename or job.target}: {error.strerror}"
        except asyncio.CancelledError:
            job.state = "cancelled"
            raise

    async def _run(self, job: Job, folder: Path) -> str:
        """Work while the rig is off and stand still while it is armed; empty, or why it failed."""
        arguments = [part.replace("{out}", str(folder / job.made)) for part in job.arguments]
        with (folder / "said").open("w+b") as said:
            process = _begun((*HUMBLY, *self._command, *arguments), said)
            still = False
            try:
                while process.poll() is None and not job.cancelled.is_set() and job.worked_s <= PATIENCE_S:
                    if self.armed() != still:
                        still = not still
                        process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)
                    begun_s = time.monotonic()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):  # unlike wait_for, it loses no cancellation
                            await job.cancelled.wait()
                    job.worked_s += 0.0 if still else time.monotonic() - begun_s
            finally:
                process.kill()
                code = process.wait()
            if job.worked_s > PATIENCE_S:
                return "too long"
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
        if code == 0 and not (folder / job.made).exists():
            return words[-SAID_MAX:] or "nothing was made"
        return "" if code == 0 else words[-SAID_MAX:] or f"its process ended with code {code}"


def _begun(command: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Looked after by its own loop: asyncio's processes outlive a cancellation while they begin."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)


def mark(made: Path, of_ns: int) -> None:
    """Give a file the time of the recording it was made of: it holds until that one changes."""
    os.utime(made, ns=(of_ns, of_ns))


def holds(made: Path, source: Path) -> bool:
    """Whether the file was made of the recording as it is now, and by nobody who asked for something else."""
    try:
        return made.stat().st_mtime_ns == source.stat().st_mtime_ns
    except OSError:
        return False


def _keep(made: Path, target: Path, of_ns: int) -> None:
    """Put what was made into its place in one step, a folder as an archive; for this user alone."""
    if made.is_dir():
        made = Path(shutil.make_archive(str(made), "zip", made))
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as beside:
        try:
            with made.open("rb") as source:
                shutil.copyfileobj(source, beside)
            beside.flush()
            mark(Path(beside.name), of_ns)
            os.replace(beside.name, target)
        except OSError:
            os.unlink(beside.name)
            raise
