"""An emulated P24 that serves from a thread, so that a driver that waits at ``open()`` finds it there."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from drivers.emulated.p24 import EmulatedP24
from tests.drivers.contract_stimulator import GivenPulse


class ServedP24:
    """``device`` may be touched while holding ``lock``; hold it for longer and the device seems to stall."""

    def __init__(self) -> None:
        self.pulses: list[GivenPulse] = []
        self.device = EmulatedP24(on_pulse=lambda *pulse: self.pulses.append(pulse))
        self.lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def vanish(self) -> None:
        """The cable is pulled."""
        self.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self.device.close()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Within, the device neither reads nor answers."""
        with self.lock:
            yield

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self.device.fileno(), select.POLLIN)
        while not self._ended.is_set():
            poller.poll(2)
            with self.lock:
                self.device.service()
