"""An emulated board of one's own that sends the open frame: bytes as ``dorsi_frame.h`` makes them.

Promises frames at the rate it was built with while somebody listens, each sample measured at its own instant.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.att import Attribute
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, watched
from drivers.emulated.sampling import ImuSource, sample
from drivers.imu import open_frame

_READABLE = Attribute.Permissions.READABLE
_16_G_AND_2000_DPS = 3 | 4 << 2


def _counts(values: Sequence[float], full: float) -> list[int]:
    return [min(max(round(value * 32768 / full), -32768), 32767) for value in values]


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x107 if crc & 0x80 else crc << 1
    return crc


class EmulatedOpenFrame(Peripheral):
    """A board that measures what ``source`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        source: ImuSource,
        *,
        name: str = "Own board",
        address: str = "D0:75:10:00:00:01",
        rate_hz: float = 100.0,
        samples: int = 2,
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
        started_us: int = 0,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._pace = 1 + drift_ppm * 1e-6
        self._between_us = round(1e6 / rate_hz)
        self._samples = samples
        self._started_us = started_us
        self._battery = bytes((battery_percent,))
        self._started_ns: int | None = None
        self._sequence = 0
        self._data: Characteristic[bytes] = Characteristic(
            open_frame.DATA, Characteristic.Properties.NOTIFY, _READABLE
        )
        self._data.on(Characteristic.EVENT_SUBSCRIPTION, self._listened)

    def advertised_services(self) -> Sequence[str]:
        return (open_frame.SERVICE,)

    def services(self) -> Sequence[Service]:
        battery: Characteristic[bytes] = Characteristic(
            open_frame.BATTERY, Characteristic.Properties.READ, _READABLE, self._battery
        )
        return (
            Service(open_frame.SERVICE, [self._data]),
            Service(open_frame.SERVICE_BATTERY, [battery]),
        )

    def _listened(self, _connection: Connection, notify: bool, _indicate: bool) -> None:
        if self._task is not None:
            self._task.cancel()
        if notify:
            period_ns = self._between_us * 1000 / self._pace
            work = sample(
                lambda _frame, due_ns: self._send(due_ns, period_ns),
                lambda frame: round(((frame + 1) * self._samples - 1) * period_ns),
            )
            self._task = watched(work, f"{self.name}: frames")

    def _send(self, due_ns: int, period_ns: float) -> None:
        """A frame whose last sample is due."""
        instants = [due_ns - round((self._samples - 1 - n) * period_ns) for n in range(self._samples)]
        if self._started_ns is None:
            self._started_ns = instants[0]
        rows: list[int] = []
        for instant in instants:
            values = self._source(instant)
            if values is None:
                return
            _, acc_mps2, gyr_rps = values
            rows += _counts([value / 9.80665 for value in acc_mps2], 16.0)
            rows += _counts([math.degrees(value) for value in gyr_rps], 2000.0)
        first_us = self._started_us + round((instants[0] - self._started_ns) * self._pace / 1000)
        clipped = 1 << 5 if any(count in (-32768, 32767) for count in rows) else 0
        head = (1, self._sequence, self._samples, _16_G_AND_2000_DPS | clipped, first_us % 2**32)
        body = struct.pack("<4BIH", *head, self._between_us) + struct.pack(f"<{len(rows)}h", *rows)
        self._sequence = (self._sequence + 1) % 256
        self.notify(self._data, body + bytes((_crc(body),)))
