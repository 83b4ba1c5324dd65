"""An emulated WitMotion WT901BLE: the same frames, registers and commands as the device.

Promises frames at the rate of its register as soon as somebody listens, each measured at its own instant,
short or long; refuses to write a register that was not unlocked, in silence as the device.
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
from drivers.imu import witmotion as wit

_RATES_HZ = {0x03: 1, 0x04: 2, 0x05: 5, 0x06: 10, 0x07: 20, 0x08: 50, 0x09: 100}


def _count(value: float, scale: float) -> int:
    return min(max(round(value / scale), -32768), 32767)


class EmulatedWitMotion(Peripheral):
    """A WT901BLE that measures what ``source`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        source: ImuSource,
        *,
        long_frames: bool = False,
        name: str = "WT901BLE67",
        address: str = "E9:01:00:00:00:01",
        drift_ppm: float = 0.0,
        start_ms: int = 36_000_000,
        battery_centivolts: int = 383,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._long = long_frames
        self._rate = 1 + drift_ppm * 1e-6
        self._start_ms = start_ms
        self._born_ns: int | None = None
        self._registers = {wit.RATE: 0x06, wit.BATTERY: battery_centivolts}
        self._unlocked = False
        self._told: Characteristic[bytes] = Characteristic(
            wit.NOTIFY, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )
        self._told.on(Characteristic.EVENT_SUBSCRIPTION, self._listened)

    def advertised_services(self) -> Sequence[str]:
        return (wit.SERVICE,)

    def services(self) -> Sequence[Service]:
        write = Characteristic(
            wit.WRITE,
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._write),
        )
        return (Service(wit.SERVICE, [self._told, write]),)

    async def idle(self) -> None:
        self._unlocked = False
        self._registers[wit.RATE] = 0x06
        await super().idle()

    def _listened(self, _connection: Connection, notify: bool, _indicate: bool) -> None:
        if notify:
            self._stream()

    def _stream(self) -> None:
        """Frames at the rate of the register, from now on."""
        if self._task is not None:
            self._task.cancel()
        period_ns = 1e9 / _RATES_HZ[self._registers[wit.RATE]] / self._rate
        self._task = watched(
            sample(lambda _count, due_ns: self._send(due_ns), lambda count: round(count * period_ns)),
            f"{self.name}: frames",
        )

    def _write(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 5 or value[:2] != b"\xff\xaa":
            return
        register, argument = value[2], int.from_bytes(value[3:], "little")
        if register == 0x27:
            block = [self._registers.get(value[3] + place, 0) for place in range(8)]
            self.notify(self._told, b"\x55\x71" + struct.pack("<H8h", value[3], *block))
        elif register == wit.UNLOCK:
            self._unlocked = argument == 0xB588
        elif self._unlocked and (register != wit.RATE or argument in _RATES_HZ):
            self._registers[register] = argument
            if register == wit.RATE and self._task is not None:
                self._stream()

    def _send(self, due_ns: int) -> None:
        values = self._source(due_ns)
        if values is None:
            return
        _, acc_mps2, gyr_rps = values
        counts = [_count(value / 9.80665, 16.0 / 32768.0) for value in acc_mps2]
        counts += [_count(math.degrees(value), 2000.0 / 32768.0) for value in gyr_rps]
        frame = b"\x55\x61" + struct.pack("<9h", *counts, 0, 0, 0)
        if self._long:
            if self._born_ns is None:
                self._born_ns = due_ns
            ms = (self._start_ms + round((due_ns - self._born_ns) * self._rate / 1e6)) % wit.DAY_MS
            minutes, left_ms = divmod(ms, 60_000)
            clock = (26, 3, 14, minutes // 60, minutes % 60, left_ms // 1000, left_ms % 1000)
            frame += struct.pack("<6BH", *clock)
        self.notify(self._told, frame)
