"""An emulated Movesense: the same bytes, commands and batches as the device.

Promises the subscribed path's data in batches, each sample measured at its own instant, in two parts where a
batch is longer than a notification; answers a path it does not have with 404.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import ImuSource, sample
from drivers.imu import movesense

BATCHES_HZ = 13  # a batch has as many samples as its rate has of these: so in captures of 13 and 52 Hz


class EmulatedMovesense(Peripheral):
    """A Movesense that measures what ``source`` says at each instant.

    ``drift_ppm`` is that of its clock, ``rate_error`` by what share its sensor samples faster than nominal.
    """

    def __init__(
        self,
        source: ImuSource,
        *,
        name: str = "Movesense 000000000000",
        address: str = "0C:8C:DC:00:00:01",
        drift_ppm: float = 0.0,
        rate_error: float = 0.0,
        battery_percent: int = 80,
        notification_bytes: int = 244,
        boot_ms: int = 60_000,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._pace = 1 + drift_ppm * 1e-6
        self._rate_error = rate_error
        self._battery = battery_percent
        self._room = notification_bytes
        self._boot_ms = boot_ms
        self._started_ns: int | None = None
        self._out: Characteristic[bytes] = Characteristic(
            movesense.NOTIFY, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )

    def services(self) -> Sequence[Service]:
        commands = Characteristic(
            movesense.WRITE,
            Characteristic.Properties.WRITE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._command),
        )
        return (Service(movesense.SERVICE, [commands, self._out]),)

    async def _command(self, _connection: Connection, value: bytes) -> None:
        if len(value) < 2:
            return
        code, reference = value[:2]
        path = value[2:].decode("ascii", "replace").rstrip("\0")
        if code == 1:
            await self._subscribe(reference, path)
        elif code == 2:
            await self.idle()
            self._result(reference, 200)
        elif code == 4 and path == "/System/Energy/Level":
            self._result(reference, 200, bytes((self._battery,)))
        else:
            self._result(reference, 404 if code == 4 else 400)

    async def _subscribe(self, reference: int, path: str) -> None:
        parts = path.split("/")
        rates = [str(rate) for rate in (13, 26, 52, 104, 208, 416, 833, 1666)]
        if parts[:3] != ["", "Meas", "IMU6"] or parts[3:] not in ([rate] for rate in rates):
            self._result(reference, 404)
            return
        await self.idle()
        self._result(reference, 200)
        count = max(int(parts[3]) // BATCHES_HZ, 1)
        period_ns = 1e9 / (int(parts[3]) * (1 + self._rate_error))
        self._task = watched(
            sample(
                lambda _batch, due_ns: self._send(reference, count, period_ns, due_ns),
                lambda batch: round(((batch + 1) * count - 1) * period_ns),
            ),
            f"{self.name}: stream",
        )

    def _result(self, reference: int, status: int, data: bytes = b"") -> None:
        self.notify(self._out, bytes((1, reference)) + struct.pack("<H", status) + data)

    def _send(self, reference: int, count: int, period_ns: float, due_ns: int) -> None:
        """One batch, whose last sample is due."""
        instants = [due_ns - round((count - 1 - place) * period_ns) for place in range(count)]
        values = [self._source(instant) for instant in instants]
        if self._started_ns is None:
            self._started_ns = instants[0]
        accs: list[float] = []
        rates: list[float] = []
        for value in values:
            if value is None:
                return
            accs += value[1]
            rates += [math.degrees(rate) for rate in value[2]]
        since_ms = (instants[0] - self._started_ns) * self._pace / 1e6
        body = struct.pack("<I", int(self._boot_ms + since_ms) % 2**32)
        body += struct.pack(f"<{6 * count}f", *accs, *rates)
        room = self._room - 2
        self.notify(self._out, bytes((2, reference)) + body[:room])
        if body[room:]:
            self.notify(self._out, bytes((3, reference)) + body[room:])
