"""An emulated Movella DOT: the same bytes, characteristics and order of commands as the device.

Promises measurements at its output rate: force and rate as means over the interval that ends at the stamp,
as the device integrates at 800 Hz, the attitude at its end, stamped by a clock of its own. Refuses to send
before notifications are enabled and the measurement is started.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bumble.att import ATT_Error, Attribute, AttributeValue, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, watched
from drivers.imu import movella_dot as dot
from drivers.interface import Quat, Vec3

DotSource = Callable[[int], "tuple[Quat, Vec3, Vec3] | None"]  # host ns -> quat, m/s2, rad/s; None is silence

_READ = Characteristic.Properties.READ
_WRITE = Characteristic.Properties.WRITE
_NOTIFY = Characteristic.Properties.NOTIFY
_READABLE = Attribute.Permissions.READABLE
_WRITEABLE = Attribute.Permissions.WRITEABLE
LATE_MAX_S = 0.5  # a host that stalled longer than this does not get the missed samples made up


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """A device's own clock: its reading (us) at the first sample and how fast it runs."""

    start_us: int = 0
    drift_ppm: float = 0.0

    def stamp_us(self, since_ns: int) -> int:
        """Reading, wrapped at 2**32, this long (true time) after the start."""
        return (self.start_us + round(since_ns * (1 + self.drift_ppm * 1e-6) / 1000)) % dot.STAMP_WRAP


class EmulatedDot(Peripheral):
    """A DOT that measures what ``source`` says, asked at the ends and the middle of each interval."""

    def __init__(
        self,
        source: DotSource,
        *,
        name: str = "Movella DOT",
        address: str = "D4:22:CD:00:00:01",
        clock: DeviceTime = DeviceTime(),
        battery_percent: int = 80,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._clock = clock
        self._born_ns: int | None = None
        self._battery = bytes((battery_percent, 0))
        self._rate_hz = 60
        self._mode = dot.MODE_CUSTOM_5
        self._control = bytearray(32)
        struct.pack_into("<H", self._control, 24, self._rate_hz)
        self._report: Characteristic[bytes] = Characteristic(dot.DEVICE_REPORT, _NOTIFY, _READABLE)
        self._payload: Characteristic[bytes] = Characteristic(dot.PAYLOAD_LONG, _NOTIFY, _READABLE)

    def manufacturer_data(self) -> tuple[int, bytes] | None:
        return 0x0886, b""

    def services(self) -> Sequence[Service]:
        def fixed(uuid: str, value: bytes, extra: Characteristic.Properties) -> Characteristic[bytes]:
            return Characteristic(uuid, _READ | extra, _READABLE, value)

        control = Characteristic(
            dot.DEVICE_CONTROL,
            _READ | _WRITE,
            _READABLE | _WRITEABLE,
            AttributeValue(read=lambda _connection: bytes(self._control), write=self._write_control),
        )
        measurement = Characteristic(
            dot.MEASUREMENT_CONTROL,
            _READ | _WRITE,
            _READABLE | _WRITEABLE,
            AttributeValue(read=self._read_measurement, write=self._write_measurement),
        )
        return (
            Service(
                dot.SERVICE_CONFIGURATION,
                [
                    fixed(dot.DEVICE_INFO, self._device_info(), Characteristic.Properties(0)),
                    control,
                    self._report,
                ],
            ),
            Service(dot.SERVICE_MEASUREMENT, [measurement, self._payload]),
            Service(dot.SERVICE_BATTERY, [fixed(dot.BATTERY, self._battery, _NOTIFY)]),
        )

    def report(self, kind: int) -> None:
        """1 power off, 4 power save; 5, 6 and 7 its button once, twice, three times."""
        self.notify(self._report, struct.pack("<BI31x", kind, time.monotonic_ns() // 1_000_000 % 2**32))

    def _device_info(self) -> bytes:
        mac = bytes(reversed(bytes.fromhex(self.address.replace(":", ""))))
        build = struct.pack("<H5B", 2023, 7, 1, 12, 0, 0)
        return mac + bytes((2, 4, 0)) + build + struct.pack("<IQ", 0, 0xD422CD000001) + b"XS-T01"

    def _write_control(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 32:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        if value[0] & dot.VISIT_OUTPUT_RATE:
            rate_hz = struct.unpack_from("<H", value, 24)[0]
            if rate_hz not in dot.OUTPUT_RATES_HZ:
                raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)
            self._rate_hz = rate_hz
            self._control[24:26] = value[24:26]

    def _read_measurement(self, _connection: Connection) -> bytes:
        return dot.measurement_command(start=self._task is not None, mode=self._mode)

    async def _write_measurement(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 3:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        kind, action, mode = value
        if kind != 1 or action > 1 or mode != dot.MODE_CUSTOM_5:
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)
        await self.idle()
        if action == 1:
            self._task = watched(self._measure(), f"{self.name}: measure")

    async def _measure(self) -> None:
        """Sample ``n`` is due ``n`` + 1 device periods after the start, whatever the loop does meanwhile."""
        period_ns = 1e9 / self._rate_hz / (1 + self._clock.drift_ppm * 1e-6)
        start_ns = time.monotonic_ns()
        if self._born_ns is None:
            self._born_ns = start_ns
        count = 0
        begun_ns, begun = start_ns, self._source(start_ns)
        while True:
            due_ns = start_ns + round((count + 1) * period_ns)
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif wait_s < -LATE_MAX_S:
                count += round(-wait_s * 1e9 / period_ns)
                continue
            if due_ns - begun_ns > 1.5 * period_ns:
                begun = self._source(due_ns - round(period_ns))
            middle, ended = self._source(due_ns - round(period_ns / 2)), self._source(due_ns)
            if begun is not None and middle is not None and ended is not None:
                acc, gyr = _mean(begun[1], middle[1], ended[1]), _mean(begun[2], middle[2], ended[2])
                frame = dot.Custom5(self._clock.stamp_us(due_ns - self._born_ns), ended[0], acc, gyr)
                self.notify(self._payload, dot.pack_custom5(frame))
            begun_ns, begun = due_ns, ended
            count += 1


def _mean(begun: Vec3, middle: Vec3, ended: Vec3) -> Vec3:
    """Over an interval, by Simpson's rule."""
    x, y, z = ((a + 4.0 * b + c) / 6.0 for a, b, c in zip(begun, middle, ended, strict=True))
    return x, y, z
