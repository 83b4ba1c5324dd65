"""The identification of the set-up: `dorsi identify` as a process of its own, at low priority.

From a plate's files where they are there, else from this session's own test trains to a hanging leg.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from fastapi.responses import FileResponse, JSONResponse, Response

from controller.console.low_priority import BEHIND

TESTS_S = 180.0
RECORDING = "session.mcap"


class Identification:
    """``done`` is told the numbers; ``word`` says why there are none."""

    def __init__(self, session: Path, *, virtual: bool, done: Callable[[dict[str, float]], None]) -> None:
        self._plate = session / "tests"
        self._recording = session / RECORDING
        self.word = ""
        self._virtual = virtual
        self._done = done
        self._out = session / "identification"
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self, *, at_plate: bool = False) -> None:
        """``at_plate``: the virtual person's own, in place of trains."""
        if self.busy:
            return
        self.word = ""
        if self._plate.is_dir():
            arguments = [str(self._plate)]
        else:
            arguments = [] if at_plate and self._virtual else ["--recording", str(self._recording)]
        self._task = asyncio.create_task(self._run(arguments))

    async def _run(self, arguments: list[str]) -> None:
        await asyncio.to_thread(shutil.rmtree, self._out, ignore_errors=True)  # of the tests before these
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "controller.cli", "identify", *arguments, "--out", str(self._out),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, BEHIND)
        try:
            async with asyncio.timeout(TESTS_S):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            self.word = "timeout"
            return
        if process.returncode != 0:
            self.word = " ".join(output.decode(errors="replace").split())[-400:]
            return
        table = tomllib.loads((self._out / "identified.toml").read_text(encoding="utf-8"))
        self._done(
            {
                f"{name}.{key}": float(value)
                for name, entries in table.items()
                if name != "eversion"  # the second channel's go into the patient file by hand
                for key, value in entries.items()
            }
        )

    async def progress(self) -> Response:
        return JSONResponse({"done": not self.busy, "progress": None})

    async def fit(self) -> Response:
        picture = self._out / "identification.png"
        return (
            FileResponse(picture, media_type="image/png") if picture.is_file() else Response(status_code=404)
        )

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
