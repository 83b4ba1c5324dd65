"""An emulated SensorStim Capture2Go: the same packages, characteristics and answers as the device.

Promises real-time samples at the rate it was told, each measured at its own instant and stamped by a clock of
its own, and once a second its status in the stream, cut wherever a notification is full; refuses what it does
not know with the device's error.
"""

from __future__ import annotations

import math
import struct
import time
import zlib
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import ImuSource, sample
from drivers.imu import capture2go as c2g
from drivers.imu import capture2go_packages as packages
from drivers.interface import Quat

_STREAM_ROOM = 12  # bytes of the stream in a notification: little, so that packages are cut
_BROKEN, _UNKNOWN = 0xFC, 0xFD
_IDLE, _STREAMING = 1, 2


def _package(header: int, payload: bytes = b"") -> bytes:
    body = header.to_bytes(2, "little") + payload
    return b"\x02" + zlib.crc32(body).to_bytes(4, "little") + bytes((len(payload),)) + body


def _quat_bits(quat: Quat) -> int:
    """Which component is largest, and the three after it in 20 bits each."""
    length = math.sqrt(math.fsum(value * value for value in quat))
    largest = max(range(4), key=lambda n: abs(quat[n]))
    scale = math.copysign(1.0 / length, quat[largest])
    packed = largest
    for place in (1, 2, 3):
        value = quat[(largest + place) % 4] * scale
        packed = packed << 20 | round((value + math.sqrt(0.5)) * 0xFFFFF / math.sqrt(2.0))
    return packed


def _counts(values: Sequence[float], scale: float) -> list[int]:
    return [min(max(round(value / scale), -32768), 32767) for value in values]


class EmulatedCapture2Go(Peripheral):
    """A Capture2Go that measures what ``source`` says at each sample instant."""

    def __init__(
        self,
        source: ImuSource,
        *,
        name: str = "IMU_ab1234",
        address: str = "C2:60:00:AB:12:34",
        start_ns: int = 1_700_000_000_000_000_000,
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
    ) -> None:
        super().__init__(name, address)
        self._source = source
        self._clock_ns = start_ns - time.monotonic_ns()  # what its clock is ahead of the host's at first
        self._born_ns = time.monotonic_ns()
        self._rate = 1 + drift_ppm * 1e-6
        self._battery = battery_percent
        self._real_time = bytes(2)
        self._stream = b""
        self._send_buffer: Characteristic[bytes] = Characteristic(
            c2g.NOTIFY, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )

    def advertised_services(self) -> Sequence[str]:
        return (c2g.SERVICE,)

    def services(self) -> Sequence[Service]:
        write = Characteristic(
            c2g.WRITE,
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._write),
        )
        return (Service(c2g.SERVICE, [write, self._send_buffer]),)

    async def idle(self) -> None:
        self._stream = b""
        await super().idle()

    def _stamp_ns(self, host_ns: int) -> int:
        return self._born_ns + self._clock_ns + round((host_ns - self._born_ns) * self._rate)

    async def _write(self, _connection: Connection, value: bytes) -> None:
        arrived_ns = time.monotonic_ns()
        try:
            header, payload = c2g.unpack(value)
        except ValueError:
            command = int.from_bytes(value[6:8], "little")
            self._answer(packages.SENSOR_ERROR, struct.pack("<BH", _BROKEN, command))
            return
        if header == packages.START_REAL_TIME and len(payload) == 2:
            await self._start(payload)
            self._answer(packages.DATA_REAL_TIME_MODE, payload)
        elif header == 0x0161:
            self._answer(packages.DATA_REAL_TIME_MODE, self._real_time)
        elif header == packages.STOP_REAL_TIME:
            await super().idle()
            self._real_time = bytes(2)
            self._answer(packages.STOPPED_REAL_TIME)
        elif header == packages.SET_TIME and len(payload) == 8:
            self._clock_ns += struct.unpack("<q", payload)[0] - self._stamp_ns(arrived_ns)
            self._answer(packages.DATA_TIME, payload)
        elif header == packages.CLOCK_ROUND_TRIP and len(payload) == 32:
            sent_ns, now_ns = self._stamp_ns(arrived_ns), self._stamp_ns(time.monotonic_ns())
            self._answer(header, payload[:8] + struct.pack("<qqq", sent_ns, now_ns, 0))
        elif header == packages.GET_STATUS:
            self._answer(packages.DATA_STATUS, self._status())
        elif header == 0x0070:
            info = struct.pack("<H6s8s8s12s11s", 1, b"ab1234", b"1.0", b"a1b2c3d", b"1.2.0", b"2026-01-15")
            self._answer(0x0071, info)
        else:
            self._answer(packages.SENSOR_ERROR, struct.pack("<BH", _UNKNOWN, header))

    async def _start(self, mode: bytes) -> None:
        await super().idle()
        self._real_time = mode
        limit_hz = mode[1] or 50  # 0 is the device's own choice
        period_ns = 1e9 / limit_hz / self._rate

        def send(count: int, due_ns: int) -> None:
            if count % limit_hz == limit_hz - 1:
                self._stream += _package(packages.DATA_STATUS, self._status())
            self._measure(due_ns)

        self._task = watched(
            sample(send, lambda count: round(count * period_ns)), f"{self.name}: real-time channel"
        )

    def _measure(self, due_ns: int) -> None:
        values = self._source(due_ns)
        if values is None:
            return
        quat, acc_mps2, gyr_rps = values
        stamp, bits = struct.pack("<q", self._stamp_ns(due_ns)), struct.pack("<QhB", _quat_bits(quat), 0, 0)
        if self._real_time[0] == c2g.MODE_FULL:
            counts = [*_counts(gyr_rps, packages.GYR_SCALE), *_counts(acc_mps2, packages.ACC_SCALE), 0, 0, 0]
            package = _package(packages.DATA_FULL_RT, stamp + struct.pack("<9h", *counts) + bits)
        else:
            package = _package(packages.DATA_QUAT_RT, stamp + bits)
        part, self._stream = self._stream[:_STREAM_ROOM], self._stream[_STREAM_ROOM:]
        self.notify(self._send_buffer, b"\xfe" + package + part)

    def _status(self) -> bytes:
        state = _IDLE if self._task is None else _STREAMING
        now_ns = self._stamp_ns(time.monotonic_ns())
        return struct.pack("<qBB3h?BB", now_ns, state, 2, 0, 0, 0, False, self._battery, 90)

    def _answer(self, header: int, payload: bytes = b"") -> None:
        self._stream += _package(header, payload)
        if self._task is None or self._source(time.monotonic_ns()) is None:  # else it goes with the samples
            data, self._stream = self._stream, b""
            for at in range(0, len(data), _STREAM_ROOM):
                self.notify(self._send_buffer, b"\xff" + data[at : at + _STREAM_ROOM])
