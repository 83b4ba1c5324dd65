"""The driver of a Bluetooth sensor that a TOML file describes (:mod:`drivers.own_device`).

A time in its frames is mapped by the device's clock; a counter numbers frames or samples; without either a
lost frame shows by lateness alone, but for characteristics that take turns. No range is known, so no value is
too large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, EmgFrame, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.own_device import Field, OwnDevice
from drivers.packet_order import OUT_OF_ORDER, PacketOrder
from drivers.rotation_clock import REPEATED, RotationClock

OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"
WRITE_PAUSE_S = 0.1  # between the writes at the start: some devices want one


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a frame's last sample: its time, its number, and why they are doubted; or why there is none."""

    t_ns: int
    seq: int
    reason: str
    valid: bool = True


class OwnSensor(BleSensor[ImuSample | EmgFrame]):
    """One such sensor. ``seq`` counts samples; the times of several in a frame lie a period apart."""

    def __init__(self, device: OwnDevice, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._device = device
        self._period_ns = round(1e9 / device.rate_hz)
        rows = () if device.rows is None else device.rows.fields
        self._measured = rows or device.fields
        both = [(field, field in rows) for field in (*rows, *device.fields)]
        self._stamp = next((one for one in both if one[0].means == "time"), None)
        self._counter = next((one for one in both if one[0].means == "counter"), None)
        self._seq = -1
        self._t_ns: int | None = None  # of the last sample
        self._device_ns: int | None = None
        if self._stamp is not None:
            tick_ns = round(self._stamp[0].si * self._stamp[0].scale * 1e9)
            self._clock = DeviceClock(wrap=self._stamp[0].wrap, tick_ns=max(tick_ns, 1))
        self._step = self._of_counter()
        self._counted = RotationClock(period_ns=self._period_ns * self._step, cycle=self._cycle())
        self._order = self._new_order()

    def _of_counter(self) -> int:
        """Samples from one number to the next."""
        counts_samples = self._counter is not None and self._counter[1]
        return 1 if counts_samples else self._device.samples

    def _cycle(self) -> int:
        return len(self._device.data) if self._counter is None else self._counter[0].wrap

    def _new_order(self) -> PacketOrder | None:
        if self._counter is None:
            return None
        return PacketOrder(cycle=self._counter[0].wrap, sample_ns=self._period_ns * self._step)

    async def _start(self, link: BleLink) -> None:
        self._counted.restart()
        self._order = self._new_order()
        for slot, uuid in enumerate(self._device.data):
            await link.notify(uuid, self._taker(slot))
        for n, one in enumerate(self._device.start):
            await asyncio.sleep(WRITE_PAUSE_S if n else 0.0)
            await link.write(one.to, one.bytes)

    def _taker(self, slot: int) -> Callable[[bytes, int], None]:
        def take(data: bytes, arrival_ns: int) -> None:
            for sample in self.accept(slot, data, arrival_ns):
                self._put(sample)

        return take

    async def _stop(self, link: BleLink) -> None:
        for one in self._device.stop:
            await link.write(one.to, one.bytes)

    async def battery_percent(self) -> int | None:
        """Charge of the battery; ``None`` while not connected and where the file names none."""
        return None if self._device.battery is None else await self._read_percent(self._device.battery)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample | EmgFrame:
        seq = max(self._seq, 0)
        if self._device.kind == "emg":
            rate_hz = self._device.rate_hz
            return EmgFrame(self.name, arrival_ns, arrival_ns, seq, rate_hz, (), valid=False, reason=reason)
        return ImuSample(self.name, arrival_ns, arrival_ns, seq, ZERO3, ZERO3, valid=False, reason=reason)

    def accept(self, slot: int, data: bytes, arrival_ns: int) -> list[ImuSample | EmgFrame]:
        """One notification of characteristic ``slot`` to its samples, or an invalid one; never raises."""
        device = self._device
        try:
            device.check(data)
        except ValueError as error:
            return [self._invalid(str(error), arrival_ns)]
        rows = device.row_bytes(data) or [data]
        place = self._place(slot, data, rows[-1], arrival_ns)
        if not place.valid:
            return [self._invalid(place.reason, arrival_ns)]
        self._seq = place.seq
        first = len(rows) - 1
        # Where a clock has just learnt that its first arrivals were late, samples move together, not back.
        room_ns = self._period_ns if self._t_ns is None else (place.t_ns - self._t_ns) // len(rows)
        step_ns = max(min(self._period_ns, room_ns), 0)
        self._t_ns = place.t_ns
        if device.kind == "emg":
            field = next(one for one in self._measured if one.means == "emg")
            volts = tuple(field.in_si(row, device.big_endian) for row in rows)
            t_ns = place.t_ns - first * step_ns
            return [
                EmgFrame(
                    self.name, t_ns, arrival_ns, max(place.seq - first, 0), device.rate_hz, volts,
                    reason=place.reason,
                )
            ]  # fmt: skip
        return [
            ImuSample(
                self.name,
                place.t_ns - (first - n) * step_ns,
                arrival_ns,
                place.seq - (first - n),
                self._vector(row, "acc"),
                self._vector(row, "gyr"),
                self._rotation(row),
                reason=place.reason,
            )
            for n, row in enumerate(rows)
        ]

    def _vector(self, row: bytes, means: str) -> Vec3:
        field = next(one for one in self._measured if one.means == means)
        x, y, z = field.in_si(row, self._device.big_endian)
        return x, y, z

    def _rotation(self, row: bytes) -> Quat | None:
        field = next((one for one in self._measured if one.means == "quat"), None)
        if field is None:
            return None
        w, x, y, z = field.in_si(row, self._device.big_endian)
        return w, x, y, z

    def _number(self, told: tuple[Field, bool], data: bytes, row: bytes) -> int:
        field, in_row = told
        return int(field.numbers(row if in_row else data, self._device.big_endian)[0])

    def _place(self, slot: int, data: bytes, row: bytes, arrival_ns: int) -> _Place:
        if self._stamp is not None:
            return self._stamped(self._number(self._stamp, data, row), arrival_ns)
        if self._counter is not None:
            slot = self._number(self._counter, data, row)
            new = self._device.samples // self._step
            if self._order is not None and not self._order.fits(slot, new, arrival_ns):
                return _Place(0, 0, OUT_OF_ORDER, valid=False)
        counted = self._counted.step(slot, arrival_ns)
        if counted.repeated:
            return _Place(0, 0, REPEATED, valid=False)
        last = (counted.count + 1) * self._step - 1
        return _Place(counted.t_ns, max(last, self._device.samples - 1), counted.reason)

    def _stamped(self, stamp: int, arrival_ns: int) -> _Place:
        """By the device's clock; a stamp of the whole frame is taken for that of its last sample."""
        mapped = self._clock.map(stamp, arrival_ns)
        if mapped.doubtful:
            return _Place(0, 0, OFF_ITS_TIME, valid=False)
        step = self._device.samples
        if self._device_ns is not None and not mapped.reset:
            passed = (mapped.device_ns - self._device_ns) / self._period_ns
            if passed < step - 0.5:
                return _Place(0, 0, GONE_BACK, valid=False)
            step = max(round(passed), step)
        self._device_ns = mapped.device_ns
        return _Place(mapped.t_ns, self._seq + step, mapped.reason)
