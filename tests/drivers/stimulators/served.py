"""An emulated P24 that serves from a thread, so that a driver that waits at ``open()`` finds it there."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from drivers.emulated.p24 import EmulatedP24
from drivers.stimulators import sciencemode4 as sm4
from tests.drivers.contract_stimulator import GivenPulse, until

FOREIGN_NUMBER = 55  # of a packet; far from the first ones of a driver


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

    def intrude(self) -> None:
        """Another program gives a pulse of 60 mA on channel 2 by the same port, as root may."""
        self.device.let_in = True
        packet = sm4.encode(FOREIGN_NUMBER, 2, sm4.ll_channel_config(2, sm4.biphasic_points(60.0, 200.0)))

        def written() -> bool:
            with contextlib.suppress(OSError):  # kept out until the device has let it in
                line = os.open(self.device.port, os.O_RDWR | os.O_NOCTTY)
                os.write(line, packet)
                os.close(line)
                return True
            return False

        until(written)

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self.device.fileno(), select.POLLIN)
        while not self._ended.is_set():
            poller.poll(2)
            with self.lock:
                self.device.service()
