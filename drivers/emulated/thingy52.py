"""An emulated Nordic Thingy:52: the same bytes, characteristics and motion settings as the device.

Promises raw motion at the rate of its settings while somebody listens, each measured at its own instant;
refuses settings out of range.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.att import ATT_Error, Attribute, AttributeValue, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, watched
from drivers.emulated.sampling import ImuSource, sample
from drivers.imu import thingy52

_READABLE = Attribute.Permissions.READABLE


def _fixed(values: Sequence[float], per_unit: float) -> list[int]:
    return [min(max(round(value * per_unit), -32768), 32767) for value in values]


CONFIGURATION = "ef680100-9b35-4933-9b10-52ffa9740042"  # the service that it advertises


class EmulatedThingy52(Peripheral):
    """A Thingy:52 that measures what ``source`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        source: ImuSource,
        *,
        name: str = "Thingy",
        address: str = "EF:68:04:00:00:01",
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._rate = 1 + drift_ppm * 1e-6
        self._settings = thingy52.MotionSettings(500, 500, 500, 200, 1)
        self._battery = bytes((battery_percent,))
        self._raw: Characteristic[bytes] = Characteristic(
            thingy52.RAW, Characteristic.Properties.NOTIFY, _READABLE
        )
        self._raw.on(Characteristic.EVENT_SUBSCRIPTION, self._listened)

    def advertised_services(self) -> Sequence[str]:
        return (CONFIGURATION,)

    def services(self) -> Sequence[Service]:
        settings = Characteristic(
            thingy52.CONFIGURATION,
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            _READABLE | Attribute.Permissions.WRITEABLE,
            AttributeValue(read=lambda _connection: self._settings.pack(), write=self._set),
        )
        battery: Characteristic[bytes] = Characteristic(
            thingy52.BATTERY, Characteristic.Properties.READ, _READABLE, self._battery
        )
        return (
            Service(thingy52.SERVICE_MOTION, [settings, self._raw]),
            Service(thingy52.SERVICE_BATTERY, [battery]),
        )

    def _set(self, _connection: Connection, value: bytes) -> None:
        try:
            self._settings = thingy52.MotionSettings.unpack(value)
        except ValueError as error:
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED) from error
        if self._task is not None:
            self._stream()

    def _listened(self, _connection: Connection, notify: bool, _indicate: bool) -> None:
        if notify:
            self._stream()
        elif self._task is not None:
            self._task.cancel()

    def _stream(self) -> None:
        if self._task is not None:
            self._task.cancel()
        period_ns = 1e9 / self._settings.rate_hz / self._rate
        self._task = watched(
            sample(lambda _count, due_ns: self._send(due_ns), lambda count: round(count * period_ns)),
            f"{self.name}: raw motion",
        )

    def _send(self, due_ns: int) -> None:
        values = self._source(due_ns)
        if values is None:
            return
        _, acc_mps2, gyr_rps = values
        counts = _fixed([value / 9.80665 for value in acc_mps2], 1024.0)
        counts += _fixed([math.degrees(value) for value in gyr_rps], 32.0)
        self.notify(self._raw, struct.pack("<9h", *counts, *_fixed((20.0, 0.0, -40.0), 16.0)))
