"""An emulated MbientLab MetaMotion: the same messages and characteristics as the board, of either make.

Promises packed acceleration and rate at the rate and range they were set to, once subscribed, enabled and
started, each sample measured at its own instant; refuses nothing, as the board, but answers reads of
modules it lacks by their absence.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import ImuSource, sample
from drivers.imu import metamotion as mm
from drivers.interface import Vec3

_BMI160_RANGES_G = {0x03: 2, 0x05: 4, 0x08: 8, 0x0C: 16}
_BMI270_RANGES_G = {0: 2, 1: 4, 2: 8, 3: 16}
_GYR_RANGES_DPS = {0: 2000, 1: 1000, 2: 500, 3: 250, 4: 125}
_RATES_HZ = {6: 25, 7: 50, 8: 100, 9: 200}  # lower half of the first byte of the settings


class EmulatedMetaMotion(Peripheral):
    """A MetaMotion that measures what ``source`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        source: ImuSource,
        *,
        board_s: bool = False,
        name: str = "MetaWear",
        address: str = "E2:32:6A:00:00:01",
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._board_s = board_s
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._battery = struct.pack("<BH", battery_percent, 4000)
        self._packed = {mm.ACC: 0x05 if board_s else 0x1C, mm.GYR: 0x05 if board_s else 0x07}
        self._settings = {mm.ACC: b"\x28\x03", mm.GYR: b"\x28\x00"}
        self._subscribed: set[int] = set()
        self._enabled: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._told: Characteristic[bytes] = Characteristic(
            mm.NOTIFY, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )

    def advertised_services(self) -> Sequence[str]:
        return (mm.SERVICE,)

    def services(self) -> Sequence[Service]:
        command = Characteristic(
            mm.COMMAND,
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._write),
        )
        return (Service(mm.SERVICE, [command, self._told]),)

    async def idle(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._subscribed.clear()
        self._enabled.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _write(self, _connection: Connection, value: bytes) -> None:
        if len(value) < 2:
            return
        module, register, data = value[0], value[1], value[2:]
        if register & 0x80:
            self._read(module, register)
        elif module not in self._settings:
            return
        elif register == 0x03 and len(data) == 2:
            self._settings[module] = data
        elif register == self._packed[module]:
            (self._subscribed.add if data == b"\x01" else self._subscribed.discard)(module)
        elif register == 0x02:
            (self._enabled.add if data[:1] == b"\x01" else self._enabled.discard)(module)
        elif register == 0x01:
            self._turn(module, on=data == b"\x01")

    def _read(self, module: int, register: int) -> None:
        if register == 0x80:
            kind = {mm.ACC: 4 if self._board_s else 1, mm.GYR: 1 if self._board_s else 0}.get(module)
            self.notify(self._told, bytes((module, 0x80)) + (b"" if kind is None else bytes((kind, 1))))
        elif (module, register & ~0x40) == (mm.SETTINGS, mm.BATTERY):
            self.notify(self._told, bytes((module, mm.BATTERY)) + self._battery)

    def _turn(self, module: int, *, on: bool) -> None:
        task = self._tasks.pop(module, None)
        if task is not None:
            task.cancel()
        if not on:
            return
        rate_hz = _RATES_HZ.get(self._settings[module][0] & 0x0F, 100)
        step_ns = 1e9 / rate_hz * self._pace
        self._tasks[module] = watched(
            sample(
                lambda _count, due_ns: self._send(module, due_ns, step_ns),
                lambda count: round((count + 1) * mm.PACKED * step_ns),
            ),
            f"{self.name}: {mm.MODULES[module]}",
        )

    def _send(self, module: int, due_ns: int, step_ns: float) -> None:
        """A notification leaves when its last sample is taken."""
        if module not in self._subscribed & self._enabled:
            return
        taken = [self._source(due_ns - round(age * step_ns)) for age in range(mm.PACKED - 1, -1, -1)]
        measured = [values[1] if module == mm.ACC else values[2] for values in taken if values is not None]
        if len(measured) < mm.PACKED:
            return
        body = b"".join(struct.pack("<3h", *self._counts(module, vector)) for vector in measured)
        self.notify(self._told, bytes((module, self._packed[module])) + body)

    def _counts(self, module: int, vector: Vec3) -> list[int]:
        code = self._settings[module][1]
        if module == mm.ACC:
            range_g = (_BMI270_RANGES_G if self._board_s else _BMI160_RANGES_G)[code]
            counts = [value / 9.80665 * 32768 / range_g for value in vector]
        else:
            counts = [math.degrees(value) * 32800 / _GYR_RANGES_DPS[code] for value in vector]
        return [min(max(round(count), -32768), 32767) for count in counts]
