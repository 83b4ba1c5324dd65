"""An emulated stimulator that serves from a thread, for a driver that waits at ``open()``."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.rehastim2 import EmulatedRehaStim2
from drivers.stimulators import sciencemode2 as sm2
from drivers.stimulators import sciencemode4 as sm4
from tests.drivers.contract_stimulator import GivenPulse, until

FOREIGN_NUMBER = 55  # of a packet; far from the first ones of a driver
FOREIGN_SM4 = sm4.encode(FOREIGN_NUMBER, 2, sm4.ll_channel_config(2, sm4.biphasic_points(60.0, 200.0)))
FOREIGN_SM2 = sm2.encode(FOREIGN_NUMBER, sm2.Command.SINGLE_PULSE, sm2.single_pulse(2, 200, 60))
Peer = TypeVar("Peer", EmulatedP24, EmulatedRehaStim2)


class Served(Generic[Peer]):
    """``device`` may be touched while holding ``lock``; hold it for longer and the device seems to stall."""

    def __init__(self, peer: type[Peer], foreign: bytes) -> None:
        self.pulses: list[GivenPulse] = []
        self.device = peer(on_pulse=lambda *pulse: self.pulses.append(pulse))
        self._foreign = foreign
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

        def written() -> bool:
            with contextlib.suppress(OSError):  # kept out until the device has let it in
                line = os.open(self.device.port, os.O_RDWR | os.O_NOCTTY)
                os.write(line, self._foreign)
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


class ServedP24(Served[EmulatedP24]):
    def __init__(self) -> None:
        super().__init__(EmulatedP24, FOREIGN_SM4)


class ServedRehaStim2(Served[EmulatedRehaStim2]):
    def __init__(self) -> None:
        super().__init__(EmulatedRehaStim2, FOREIGN_SM2)
