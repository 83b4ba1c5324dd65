"""A real Mosquitto on loopback, a process that a test may stop, freeze and start again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.telemetry.broker import LOOPBACK, free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Mosquitto:
    """One broker at one port."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true\n") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        # started by root it would become a user who may not read the test's files
        self._config.write_text(f"user root\nlistener {self.port} {LOOPBACK}\n{settings}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20.0
        while True:
            try:
                socket.create_connection((LOOPBACK, self.port), timeout=1.0).close()
            except OSError:
                assert time.monotonic() < deadline, "mosquitto did not come up within 20 s"
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


Brokers = Callable[[str], Mosquitto]


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    """Starts a broker with further lines of its settings."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    started: list[Mosquitto] = []

    def start(settings: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path, settings))
        started[-1].start()
        return started[-1]

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(brokers: Brokers) -> Mosquitto:
    return brokers("allow_anonymous true\n")
