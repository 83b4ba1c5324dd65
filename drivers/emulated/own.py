"""An emulated sensor of one's own: frames as its TOML file describes them, for rehearsals and tests.

It writes each field by the file's own words, the other way round than :mod:`drivers.own_device` reads them:
so it shows that a session runs with the file, not that the file is right about the real device.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.devices import Body
from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import sample
from drivers.own_device import Field, OwnDevice

SERVICE = "0e5d0000-0000-4000-8000-000000000000"  # the file names characteristics alone
_LETTERS = {"i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "f32": "f"}
_READABLE = Attribute.Permissions.READABLE
_WRITEABLE = Attribute.Permissions.WRITEABLE
BATTERY_PERCENT = 80


class EmulatedOwn(Peripheral):
    """Streams while somebody listens to its last characteristic, and after the last write of its start."""

    def __init__(self, device: OwnDevice, body: Body, *, name: str, address: str) -> None:
        super().__init__(name, address)
        self._device = device
        self._body = body
        self._period_ns = round(1e9 * device.samples / device.rate_hz)
        self._awaited = len(device.start)
        self._data: list[Characteristic[bytes]] = [
            Characteristic(uuid, Characteristic.Properties.NOTIFY, _READABLE) for uuid in device.data
        ]
        self._data[-1].on(Characteristic.EVENT_SUBSCRIPTION, self._listened)

    def services(self) -> Sequence[Service]:
        properties = Characteristic.Properties
        written = {one.to for one in (*self._device.start, *self._device.stop)} - set(self._device.data)
        control: list[Characteristic[bytes]] = [
            Characteristic(
                uuid,
                properties.WRITE,
                _WRITEABLE,
                AttributeValue(read=unreadable, write=self._written),
            )
            for uuid in sorted(written)
        ]
        battery: list[Characteristic[bytes]] = []
        if self._device.battery is not None:
            level = bytes((BATTERY_PERCENT,))
            battery = [Characteristic(self._device.battery, properties.READ, _READABLE, level)]
        return (Service(SERVICE, [*self._data, *control, *battery]),)

    async def idle(self) -> None:
        self._awaited = len(self._device.start)
        await super().idle()

    def _listened(self, _connection: Connection, notify: bool, _indicate: bool) -> None:
        if notify and not self._device.start:
            self._begin()

    def _written(self, _connection: Connection, value: bytes) -> None:
        start = self._device.start
        if self._awaited and value == start[-self._awaited].bytes:
            self._awaited -= 1
            if not self._awaited:
                self._begin()
        elif any(value == one.bytes for one in self._device.stop) and self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is not None:
            self._task.cancel()
        work = sample(self._send, lambda frame: (frame + 1) * self._period_ns)
        self._task = watched(work, f"{self.name}: frames")

    def _send(self, frame: int, due_ns: int) -> None:
        """A frame whose last sample is due."""
        device = self._device
        data = bytearray(device.frame_bytes)
        data[: len(device.begins)] = device.begins
        step_ns = self._period_ns / device.samples
        rows = device.rows
        for row in range(device.samples):
            instant_ns = due_ns - round((device.samples - 1 - row) * step_ns)
            number = frame * device.samples + row
            at = 0 if rows is None else rows.at + row * rows.bytes
            for field in device.fields if rows is None else rows.fields:
                values = self._values(field, instant_ns, number)
                if values is None:
                    return
                self._write(data, at, field, values)
        if rows is not None:
            for field in device.fields:
                values = self._values(field, due_ns, frame)
                if values is None:
                    return
                self._write(data, 0, field, values)
        self.notify(self._data[frame % len(self._data)], bytes(data))

    def _values(self, field: Field, t_ns: int, number: int) -> Sequence[float] | None:
        """In SI; None where nothing is measured."""
        if field.means == "emg":
            volts = self._body.emg(t_ns)
            return None if volts is None else (*volts, *[0.0] * field.count)[: field.count]
        if field.means == "counter":
            return (float(number % field.wrap),)
        if field.means == "time":
            tick_ns = max(field.si * field.scale * 1e9, 1.0)
            return (t_ns // tick_ns % field.wrap * field.scale * field.si,)
        moved = self._body.imu(t_ns)
        if moved is None:
            return None
        quat, acc_mps2, gyr_rps = moved
        by_meaning: dict[str | None, Sequence[float]] = {"acc": acc_mps2, "gyr": gyr_rps, "quat": quat}
        return by_meaning.get(field.means, (0.0,) * field.count)

    def _write(self, data: bytearray, begin: int, field: Field, values: Sequence[float]) -> None:
        """``values`` in SI to the field's numbers, as far as they go."""
        at, size = begin + field.at, field.size // field.count
        order = ">" if self._device.big_endian else "<"
        for place, value in enumerate(values):
            number = value
            if field.means not in (None, "counter"):
                number = (value / field.si + field.zero) / field.scale - field.offset
            where = slice(at + place * size, at + (place + 1) * size)
            if field.type == "f32":
                data[where] = struct.pack(f"{order}f", number)
                continue
            signed = field.type.startswith("i")
            low = -(1 << 8 * size - 1) if signed else 0
            whole = min(max(math.floor(number + 0.5), low), low + (1 << 8 * size) - 1)
            if field.type in _LETTERS:
                data[where] = struct.pack(f"{order}{_LETTERS[field.type]}", whole)
            else:
                data[where] = whole.to_bytes(
                    size, "big" if self._device.big_endian else "little", signed=signed
                )
