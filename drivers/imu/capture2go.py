"""SensorStim Capture2Go: bytes to values and back, and the driver that streams its real-time channel.

Layouts: the vendor's "Capture2Go Communication Protocol", little-endian, and its SDK. A package is a start
byte, a CRC-32, a length, a header and a payload. A notification carries complete real-time packages first,
then the next bytes of a stream in which packages may be cut anywhere. Verified against bytes of the vendor's
SDK.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.clock import DeviceClock
from drivers.imu.capture2go_packages import (
    ACC_SCALE,
    DATA_FULL_RT,
    DATA_REAL_TIME_MODE,
    DATA_STATUS,
    FRAME,
    GYR_SCALE,
    NAMES,
    SENSOR_ERROR,
    START_REAL_TIME,
    STOP_REAL_TIME,
    STOPPED_REAL_TIME,
    decode_payload,
    error_words,
    unpack_quat,
)
from drivers.interface import ZERO3, DeviceError, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor

VERIFIED = "vendor-code"

SERVICE = "80030001-e629-4c98-9324-aa7fc0c66de7"
WRITE = "80030002-e629-4c98-9324-aa7fc0c66de7"
NOTIFY = "80030003-e629-4c98-9324-aa7fc0c66de7"

START_BYTE = 0x02
HEADER_BYTES = FRAME.size + 2
PAYLOAD_MAX = 236
REAL_TIME_MAX = 3  # packages of a notification
RATES_HZ = (50, 100, 200)
MODE_FULL = 2
PROCESSING_ISSUE = 0x10
CLIPPED = 0x02 | 0x04  # rate or acceleration


def pack(header: int, payload: bytes = b"") -> bytes:
    """A package."""
    body = struct.pack("<H", header) + payload
    return FRAME.pack(START_BYTE, zlib.crc32(body), len(payload)) + body


def unpack_first(data: bytes) -> tuple[int, bytes, bytes]:
    """Header and payload of the package at the beginning, and what follows; ``ValueError`` if none."""
    if len(data) < HEADER_BYTES:
        raise ValueError(f"package: {len(data)} bytes, needs {HEADER_BYTES}")
    start, crc, size = FRAME.unpack_from(data)
    if start != START_BYTE:
        raise ValueError(f"package: begins with {start:02x}, must be {START_BYTE:02x}")
    end = HEADER_BYTES + size
    if size > PAYLOAD_MAX or len(data) < end:
        raise ValueError(f"package: {len(data)} bytes, its length byte says {end}")
    if zlib.crc32(data[FRAME.size : end]) != crc:
        raise ValueError("package: its checksum does not fit")
    return struct.unpack_from("<H", data, FRAME.size)[0], data[HEADER_BYTES:end], data[end:]


def unpack(data: bytes) -> tuple[int, bytes]:
    """Header and payload of exactly one package."""
    header, payload, rest = unpack_first(data)
    if rest:
        raise ValueError(f"package: {len(rest)} bytes too many")
    return header, payload


def split(notification: bytes) -> tuple[list[bytes], bytes]:
    """Real-time packages of a notification, and the bytes of the stream that follow."""
    if not notification:
        raise ValueError("notification: 0 bytes")
    count = 0xFF - notification[0]
    if count > REAL_TIME_MAX:
        raise ValueError(f"notification: {count} real-time packages, allowed: up to {REAL_TIME_MAX}")
    packages, rest = [], notification[1:]
    for _ in range(count):
        *_, after = unpack_first(rest)
        packages.append(rest[: len(rest) - len(after)])
        rest = after
    return packages, rest


class Stream:
    """Finds the packages in a stream of bytes that may begin in the middle of one, or lack some."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Header and payload of every package that is complete now."""
        self._data += data
        while len(self._data) >= HEADER_BYTES:
            size = self._data[FRAME.size - 1]
            plausible = self._data[0] == START_BYTE and size <= PAYLOAD_MAX
            if plausible and len(self._data) < HEADER_BYTES + size:
                return
            try:
                header, payload, self._data = unpack_first(self._data)
            except ValueError:
                self._data = self._data[1:]
                continue
            yield header, payload


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """A package, or a notification of the named characteristic; ``ValueError`` names what is wrong with it.

    Of a notification the packages are named; what the stream goes on with is not known from one alone.
    """
    channel = (channel or "").lower()
    if channel == NOTIFY:
        real_time, rest = split(data)
        stream = Stream()
        whole = [_name(header) for header, _ in stream.feed(rest)]
        named = [_name(unpack(package)[0]) for package in real_time]
        return {"rt": named, "stream": whole or ("incomplete" if rest else [])}
    if channel in ("", WRITE):
        header, payload = unpack(data)
        return {"header": f"{header:#x}", "name": _name(header)} | decode_payload(header, payload)
    raise ValueError(f"channel {channel} is not a Capture2Go characteristic")


def _name(header: int) -> str:
    return NAMES.get(header, f"{header:#06x}")


@dataclass(frozen=True, slots=True)
class Full:
    """A sample of the real-time channel in SI units; ``stamp_ns`` is the device's clock."""

    stamp_ns: int
    quat_wxyz: Quat
    acc_mps2: Vec3
    gyr_rps: Vec3
    flags: int


_FULL_RT = struct.Struct("<q9hQhB")
ANSWER_TIMEOUT_S = 1.0
OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"


def unpack_full(data: bytes) -> Full:
    """A real-time package with everything in it; ``ValueError`` names what is wrong."""
    header, payload = unpack(data)
    if header != DATA_FULL_RT:
        raise ValueError(f"real-time package {_name(header)}, expected {_name(DATA_FULL_RT)}")
    if len(payload) != _FULL_RT.size:
        raise ValueError(f"{_name(header)}: {len(payload)} bytes, must be {_FULL_RT.size}")
    stamp_ns, gx, gy, gz, ax, ay, az, _, _, _, quat, _, flags = _FULL_RT.unpack(payload)
    a, g = ACC_SCALE, GYR_SCALE
    (w, i, j, k), _, _ = unpack_quat(quat)
    return Full(stamp_ns, (w, i, j, k), (ax * a, ay * a, az * a), (gx * g, gy * g, gz * g), flags)


class Capture2Go(BleSensor[ImuSample]):
    """A Capture2Go streaming full real-time samples: acceleration, rate and its own orientation.

    ``address`` is the Bluetooth address or the advertised name. The channel sends the newest sample whenever
    the radio can: ``seq`` follows the device's time stamps, so those it left out show as a jump. A broken or
    repeated sample, or one stamped far off its arrival, is invalid with a reason.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, rate_hz: int = 100
    ) -> None:
        super().__init__(name, address, backend)
        if rate_hz not in RATES_HZ:
            raise ValueError(f"rate {rate_hz} Hz, allowed: {', '.join(map(str, RATES_HZ))}")
        self._rate_hz = rate_hz
        self._period_ns = 1e9 / rate_hz
        self._clock = DeviceClock(wrap=2**63, tick_ns=1)
        self._seq = -1
        self._device_ns: int | None = None
        self._stream = Stream()
        self._asked: dict[int, asyncio.Future[bytes]] = {}

    async def _start(self, link: BleLink) -> None:
        self._stream = Stream()
        await link.notify(NOTIFY, self._on_notification)
        command = pack(START_REAL_TIME, bytes((MODE_FULL, self._rate_hz)))
        await self._ask(link, command, DATA_REAL_TIME_MODE)

    async def _stop(self, link: BleLink) -> None:
        await self._ask(link, pack(STOP_REAL_TIME), STOPPED_REAL_TIME)

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it is not told."""
        link = self._link
        if link is None:
            return None
        status = decode_payload(DATA_STATUS, await self._ask(link, pack(0x0200), DATA_STATUS))
        percent = status["battery"]
        return percent if isinstance(percent, int) and percent <= 100 else None

    async def _ask(self, link: BleLink, command: bytes, answer: int) -> bytes:
        """Sends a command and returns the payload of the package that answers it."""
        header, _ = unpack(command)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[answer] = future
        self._asked[-header] = future  # an error tells the command
        try:
            await link.write(WRITE, command)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await future
        except TimeoutError:
            what = f"{_name(header)}: no answer in {ANSWER_TIMEOUT_S:g} s"
            raise DeviceError(self.name, what, transient=True) from None
        finally:
            self._asked.pop(answer, None)
            self._asked.pop(-header, None)

    def _take(self, header: int, payload: bytes) -> None:
        """A package of the stream: an answer somebody waits for, or nothing of interest."""
        if header == SENSOR_ERROR and len(payload) == 3:
            code, command = struct.unpack("<BH", payload)
            future = self._asked.get(-command)
            if future is not None and not future.done():
                what = f"{_name(command)}: {error_words(code)}"
                future.set_exception(DeviceError(self.name, what, transient=False))
        future = self._asked.get(header)
        if future is not None and not future.done():
            future.set_result(payload)

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        try:
            real_time, rest = split(data)
        except ValueError as error:
            self._put(self._invalid(str(error), arrival_ns))
            return
        for package in real_time:
            self._put(self.accept(package, arrival_ns))
        for header, payload in self._stream.feed(rest):
            self._take(header, payload)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        seq = max(self._seq, 0)
        return ImuSample(self.name, arrival_ns, arrival_ns, seq, ZERO3, ZERO3, valid=False, reason=reason)

    def accept(self, data: bytes, arrival_ns: int) -> ImuSample:
        """One real-time package to one sample; never raises."""
        try:
            full = unpack_full(data)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if full.flags & PROCESSING_ISSUE:
            return self._invalid("the device reports an error in its processing", arrival_ns)
        mapped = self._clock.map(full.stamp_ns, arrival_ns)
        if mapped.doubtful:
            return self._invalid(OFF_ITS_TIME, arrival_ns)
        step = 1
        if self._device_ns is not None:
            passed = (mapped.device_ns - self._device_ns) / self._period_ns
            if (
                not mapped.reset and passed < 0.25
            ):  # a quarter: two samples are never closer than half a period
                return self._invalid(GONE_BACK, arrival_ns)
            step = max(round(passed), 1)
        self._device_ns = mapped.device_ns
        self._seq += step
        reason = "rate or acceleration clipped" if full.flags & CLIPPED else mapped.reason
        return ImuSample(
            self.name,
            mapped.t_ns,
            arrival_ns,
            self._seq,
            full.acc_mps2,
            full.gyr_rps,
            full.quat_wxyz,
            reason=reason,
        )
