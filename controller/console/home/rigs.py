"""The rig that the service starts: ``dorsi run`` as a child process, from its start to its summary.

One rig at a time; an earlier one may still sum up beside it. The service never speaks to a guard: STOP,
arming and everything live are the rig's own console's, at the port beside the service's. Ending a session is
a signal to its supervisor, which disarms and ends it as at the end of its schedule.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from controller.analysis.session_folder import STAMP_FORMAT
from controller.config.console_settings import Place, write_settings
from controller.console.home.rig_door import RigDoor
from controller.console.low_priority import BEHIND
from controller.errors import InputError
from controller.runtime import child
from controller.runtime.stop_keys import END

LOOK_S = 0.2  # how often its console is looked for
GONE_LOOKS = 3  # in a row: its console has ended with its session
SAID_MAX_LINES = 12
REFUSED, STOPPED = 2, 130  # exit codes of dorsi run

State = Literal["starting", "running", "summing up", "ended", "refused", "failed"]
LIVE: tuple[State, ...] = ("starting", "running")


@dataclass(slots=True, eq=False)
class Started:
    """One session; ``name`` is that of its folder, ``first_page`` where its console is entered. A training
    has no pseudonym.
    """

    name: str
    pseudonym: str
    first_page: str
    log: Path
    process: subprocess.Popen[bytes]
    asks: bool  # the checklist, on the service's page
    state: State = "starting"
    given: tuple[Mapping[str, str], str] | None = None  # today's answers, and by whom
    delivered: bool = False
    begun_s: float = field(default_factory=time.monotonic)

    @property
    def asking(self) -> bool:
        """Whether the service's page waits for today's answers."""
        return self.live and self.asks and self.given is None

    @property
    def ready(self) -> bool:
        """Whether its console can be entered, with the answers that were given."""
        return self.state == "running" and (self.given is None or self.delivered)

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def words(self) -> str:
        """What it said when it was refused, or last where it failed."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        refused = [line.removeprefix("refused: ") for line in lines if line.startswith("refused: ")]
        return "\n".join(refused or lines[-SAID_MAX_LINES:])


class Rigs:
    """``place`` is where every rig's console listens; ``folder`` is the service's own."""

    def __init__(
        self, runs: Path, place: Place, token: str, folder: Path, *, command: Sequence[str] = ()
    ) -> None:
        self.place = place
        self._door = RigDoor(place, token)
        self._runs = runs
        self._folder = folder
        self._command = tuple(command)
        self._started: dict[str, Started] = {}
        self._watching: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> Started | None:
        """The one that lives; None where none does."""
        return next((one for one in self._started.values() if one.live), None)

    @property
    def newest(self) -> Started | None:
        """The last one that was started."""
        return next(reversed(self._started.values()), None)

    def one(self, name: str) -> Started | None:
        return self._started.get(name)

    def new_name(self) -> str:
        """For the folder of the next session."""
        stamp = datetime.now(UTC).strftime(STAMP_FORMAT)
        number, name = 1, stamp
        while (self._runs / name).exists() or name in self._started:
            number += 1
            name = f"{stamp}-{number}"
        return name

    async def start(
        self,
        name: str,
        session: Path,
        patient: Path | None,
        *,
        pseudonym: str,
        virtual: bool,
        first_page: str,
        asks: bool = False,
    ) -> Started:
        """Raises InputError where a rig lives already or its port is another program's.

        A coroutine, so that it runs in the loop's thread: the child ends with the thread that started it.
        """
        if self.now is not None:
            who = self.now.pseudonym or "a training"
            raise InputError("session", "rig", f"{who}, still on", "one session at a time")
        self._look_at_port()
        place = self._folder / "place.json"
        write_settings(place, self.place)
        arguments = ["run", str(session), "--console", "--yes", "--out", str(self._runs / name)]
        arguments += ["--place", str(place)]
        arguments += [] if patient is None else ["--patient", str(patient)]
        arguments += ["--virtual"] if virtual else []
        log = self._folder / f"{name}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: ASYNC220  (it takes milliseconds, and nothing else may fork it)
                [*(self._command or child.command("controller.cli")), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C is the service's, which ends it in order
            )
        one = self._started[name] = Started(name, pseudonym, first_page, log, process, asks)
        task = asyncio.create_task(self._watch(one))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return one

    def end(self) -> None:
        """The planned end of the session that lives."""
        if (one := self.now) is not None:
            one.process.send_signal(END)

    async def close(self) -> None:
        """End what lives and wait until all is summed up."""
        self.end()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self._door.close()

    async def _watch(self, one: Started) -> None:
        gone = 0
        while one.process.poll() is None:
            if one.state == "starting":
                if await self._door.pages():
                    await self._deliver(one)
                    one.state = "running"
            elif one.state == "running":
                await self._deliver(one)
                gone = gone + 1 if await self._door.door() == "gone" else 0
                if gone >= GONE_LOOKS:
                    one.state = "summing up"
                    with contextlib.suppress(OSError):
                        os.setpriority(os.PRIO_PROCESS, one.process.pid, BEHIND)
            await asyncio.sleep(LOOK_S)
        code = one.process.returncode
        if code == REFUSED:
            one.state = "refused"
        else:
            one.state = "ended" if code in (0, STOPPED) else "failed"

    async def _deliver(self, one: Started) -> None:
        """Today's answers to its console; where it does not take them, its own page asks."""
        if one.given is not None and not one.delivered:
            one.delivered = True
            await self._door.answer(*one.given)

    def _look_at_port(self) -> None:
        with socket.socket(socket.AF_INET6 if ":" in self.place.host else socket.AF_INET) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((self.place.host, self.place.port))
            except OSError as error:
                where = f"{self.place.host}:{self.place.port}"
                free = "a free port: end the console that is there"
                raise InputError(where, "console of a session", error.strerror, free) from None
