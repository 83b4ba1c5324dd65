"""The preview's process as the pages see it: started when first needed, asked one question at a time.

Promises an answer or a reason for every question; a newer question of the same page replaces an older one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass

import msgspec

from controller.console.tuning.preview_messages import Asked, Preview, Question, Said

LINE_BYTES = 1 << 20
DIED = "the preview's process ended"


@dataclass(slots=True)
class Job:
    """One question and how far it is; ``preview`` or ``error`` when it is done."""

    number: int
    question: Question
    progress: float = 0.0
    preview: Preview | None = None
    error: str = ""

    @property
    def done(self) -> bool:
        return self.preview is not None or bool(self.error)


class PreviewWorker:
    """Feeds the process its questions one after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Future[asyncio.subprocess.Process] | None = None
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> Job:
        """Queue a question; the job that is returned fills itself."""
        self._number += 1
        job = Job(self._number, question)
        self._jobs.put_nowait(job)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return job

    def warm(self) -> None:
        """Start the process ahead of the first question: it takes seconds to load the models."""
        if self._process is None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._start())

    async def _start(self) -> None:
        await self._started()
        await self._run()

    async def _run(self) -> None:
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            try:
                await self._answer(job)
            except (OSError, msgspec.DecodeError) as error:
                job.error = str(error) or DIED
                await self._end()

    async def _answer(self, job: Job) -> None:
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(Asked(job.number, job.question)) + b"\n")
        await process.stdin.drain()
        while not job.done:
            line = await process.stdout.readline()
            if not line:
                self._process = None
                job.error = DIED
                return
            said = msgspec.json.decode(line, type=Said)
            if said.number == job.number:
                job.progress, job.preview, job.error = said.progress, said.preview, said.error

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            made = asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "controller.console.tuning.preview",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
            )
            self._starting = asyncio.ensure_future(made)
            self._process = await asyncio.shield(self._starting)  # half started it could not be ended
        return self._process

    async def close(self) -> None:
        """End what is asked and the process; that ends by itself too when this one is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None and self._starting is not None and not self._starting.exception():
            process = self._starting.result()
        self._process = self._starting = None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
