"""A whole rig whose supervisor and operator is the test: it walks, takes a fault, is repaired and walks on.

The processes are those of `dorsi demo` (two inertial sensors, no EMG) with three differences: the world's
sensors and cable obey (`world.py`), the wall clock can be set (`clocked.py`), the person is this module.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.commands.run import DEMO_SESSION
from controller.config.console_settings import PAGES_SOCKET, ConsoleSettings
from controller.config.session import Session, load_session
from controller.ipc import bus
from controller.runtime.person_files import PersonFiles
from controller.runtime.process_group import Rig
from controller.runtime.session_processes import Attended, SessionProcesses, Virtual
from controller.trial.schedule import ArmPlan
from tests.chaos.clocked import make_clock, set_clock
from tests.chaos.world import CHAOS

READY_S = 180.0  # the first start of all compiles the patient
WALKING_S = 40.0  # from a repair until pulses flow
ASK_S = 0.1
ARMS = (ArmPlan("feedback"),)
WORLD = "controller.runtime.virtual_world"
CLOCK = "wall"


def chaos_session() -> Session:
    """The demo's, without the EMG that no fault here needs."""
    session = load_session(DEMO_SESSION)
    imus = tuple(sensor for sensor in session.file.sensors if sensor.device != "myo")
    return replace(session, file=session.file.model_copy(update={"sensors": imus}))


class ClockedRig(Rig):
    """A rig whose processes have a wall clock of their own, and whose world can be told."""

    def __init__(self, logs: Path) -> None:
        super().__init__(logs)
        make_clock(self.path / CLOCK)

    def start(self, name: str, module: str, *arguments: str) -> None:
        module = "tests.chaos.world" if module == WORLD else module
        super().start(name, "tests.chaos.clocked", str(self.path / CLOCK), module, *arguments)

    def names(self) -> list[str]:
        """Of the processes that were started."""
        return list(self._children)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording, and the time in which it was the rig's."""

    path: Path
    from_ns: int


class PulseTail:
    """The growing pulse log, read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.t_ns: list[int] = []

    def look(self) -> list[int]:
        """Times of all pulses so far."""
        if self._path.exists():
            with self._path.open("rb") as stream:
                stream.seek(self._read)
                news = stream.read()
            whole = news[: news.rfind(b"\n") + 1]
            self._read += len(whole)
            self.t_ns.extend(int(json.loads(line)["t_ns"]) for line in whole.splitlines())
        return self.t_ns


class ChaosRig:
    """See the module. ``disk`` is where recordings go; ``broker`` and ``console`` add those processes."""

    def __init__(
        self, folder: Path, *, disk: Path | None = None, broker: bool = False, console: bool = False
    ) -> None:
        attended = None
        if console:
            attended = Attended(ConsoleSettings("127.0.0.1", 0, str(folder)), self._announced)
        self._processes = SessionProcesses(
            chaos_session(), folder, Virtual(1, {}), attended, overseen=False
        )  # nobody's loop goes on while a fault is made
        self.address = ""  # of the console
        self._folder = folder
        self._disk = disk or folder
        self._files = PersonFiles(rest=None, in_flight=folder / "in_flight")
        self._attended_by = attended
        self._with_broker = broker
        self._port = 0
        self._session_id = secrets.randbits(62) + 1
        self._radio: str | None = None
        self._socket: socket.socket | None = None
        self.broker: subprocess.Popen[bytes] | None = None
        self.recordings: list[Recording] = []
        self.pulses = PulseTail(folder / "pulses.jsonl")
        self.state = "unknown"
        self.trips: list[str] = []  # what the guard has named since the last :meth:`forget`
        self.armed_ns = 0

    def _announced(self, url: str) -> None:
        self.address = url

    def __enter__(self) -> Self:
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        self.rig = ClockedRig(folder / "logs")
        try:
            if self._with_broker:
                self.start_broker()
            if self._attended_by is not None:
                self._processes.start_console(self.rig, self._attended_by)
                self._await_pages()
            self.start_recorder()
            self._radio, _ = self._processes.start_world(self.rig)
            self.start_guard()
            self.start_controller()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for name in ("controller", "guard"):
            self.rig.end(name)
        self.rig.__exit__(exc_type, exc, tb)
        if self._socket is not None:
            self._socket.close()
        if self.broker is not None:
            self.broker.kill()
            self.broker.wait()

    # --- processes ---

    def start_recorder(self) -> None:
        """A recorder with a file of its own."""
        path = self._disk / f"session{len(self.recordings)}.mcap"
        mqtt = None
        if self._with_broker:
            mqtt = {"host": "127.0.0.1", "port": self._port, "site": "chaos", "rig": "virtual"}
        self.rig.end("recorder")
        self._processes.start_recorder(self.rig, path, ARMS, mqtt)
        bus.connect(self.rig.path, "recorder", timeout_s=READY_S).close()
        self.recordings.append(Recording(path, time.monotonic_ns()))

    def start_guard(self) -> None:
        self.rig.end("guard")
        self._processes.start_guard(self.rig, self._session_id, str(self.rig.path / "p24"), self._files, ARMS)
        self._meet()

    def start_controller(self) -> None:
        self.rig.end("controller")
        self._processes.start_controller(self.rig, self._session_id, ARMS, self._radio)

    def start_broker(self) -> None:
        module = ("-m", "controller.telemetry.broker", "--port", str(self._port))
        self.broker = subprocess.Popen([sys.executable, *module], stdout=subprocess.PIPE)
        assert self.broker.stdout is not None
        self._port = int(self.broker.stdout.readline())

    def start_door(self) -> None:
        self._start_again("stop", "controller.console.door")
        self.rig.word("stop", READY_S)

    def start_pages(self) -> None:
        self._start_again("console", "controller.console.app")
        self._await_pages()

    def _start_again(self, name: str, module: str) -> None:
        self.rig.end(name)
        settings = str(self.rig.path / "console.json")
        self.rig.start(name, module, "--rig", str(self.rig.path), "--settings", settings)

    def _await_pages(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.connect(str(self.rig.path / PAGES_SOCKET))
                return
            time.sleep(0.05)
        raise AssertionError("the console's pages did not come up")

    def new_recording(self) -> None:
        """What follows is judged on its own: recorder and controller start anew.

        The recorder is killed: asked to end it would wait two seconds for guard and world to close.
        """
        self.rig.end("controller")
        self.send("recorder", signal.SIGKILL)
        self.start_recorder()
        self.start_controller()

    # --- faults ---

    def send(self, name: str, number: signal.Signals) -> None:
        os.kill(self.rig.pid(name), number)

    def tell_world(self, word: str) -> None:
        (self.rig.path / CHAOS).write_text(word)
        self.send("world", signal.SIGUSR1)

    def set_wall_clock(self, ahead_s: float) -> None:
        set_clock(self.rig.path / CLOCK, round(ahead_s * 1e9))

    # --- the person ---

    def _meet(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = bus.connect(self.rig.path, "guard", timeout_s=READY_S)
        self.ask(role="operator", name="chaos")

    def ask(self, **message: str) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.send(json.dumps(message).encode())

    def hear(self, wait_s: float) -> str:
        """The guard's state, after what it said within ``wait_s``."""
        assert self._socket is not None
        readable, _, _ = select.select([self._socket], [], [], wait_s)
        while readable and (data := bus.receive(self._socket)):
            word = json.loads(data)
            before, self.state = self.state, word.get("state", self.state)
            if self.state == "tripped" and (before != "tripped" or not self.trips):
                self.trips.append(str(word.get("fault")))
            if (
                self.state != before
                and self.state in ("armed", "active")
                and before not in ("armed", "active")
            ):
                self.armed_ns = time.monotonic_ns()
            self._refusals = word.get("refusals", word.get("text", ""))
        if readable and data is None:
            self.state = "gone"
            time.sleep(wait_s)  # a closed socket is always readable
        return self.state

    def walk(self, pulses: int, timeout_s: float = WALKING_S) -> None:
        """Acknowledge and arm as often as it takes until ``pulses`` flowed in one go since the arming."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = self.hear(ASK_S)
            if state == "tripped":
                self.ask(op="acknowledge", by="chaos")
            elif state in ("off", "unknown"):
                self.ask(op="arm", by="chaos")
            elif state in ("armed", "active") and len(self.since(self.armed_ns)) >= pulses:
                return
        words = {log.name: log.read_text().strip().splitlines()[-1:] for log in self._logs()}
        raise AssertionError(
            f"no walk within {timeout_s} s: guard is {self.state}, {self._refusals}; {words}"
        )

    def _logs(self) -> list[Path]:
        return sorted((self._folder / "logs").iterdir())

    def watch(self, seconds: float, *, until_trip: bool) -> None:
        """Let time pass, at most until the guard trips."""
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            if self.hear(min(left_s, 0.02)) == "tripped" and until_trip:
                return

    def forget(self) -> None:
        self.trips.clear()

    def since(self, t_ns: int) -> list[int]:
        """Times of the pulses given after ``t_ns``."""
        found = self.pulses.look()
        index = len(found)
        while index and found[index - 1] > t_ns:
            index -= 1
        return found[index:]
