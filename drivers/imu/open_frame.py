"""The open frame for a board of one's own: bytes to values and back, and the driver that streams from it.

Layout: ``dorsi_frame.h`` here, which an Arduino sketch can include; little-endian. A frame has a number,
the time of its first sample in us by the board's clock, the time between samples, the ranges, and a CRC-8:
a flipped bit makes no sample.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, ImuSample, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor

VERIFIED = "spec"

SERVICE = "d0751000-6b1c-4c5e-9a3d-5f7e2b9c4a10"
DATA = "d0751001-6b1c-4c5e-9a3d-5f7e2b9c4a10"
SERVICE_BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"

VERSION = 1
SAMPLES_MAX = 19
ACC_RANGES_G = (2, 4, 8, 16)
GYR_RANGES_DPS = (125, 250, 500, 1000, 2000)
CLIPPED, MEANS = 1 << 5, 1 << 6
STAMP_WRAP = 1 << 32  # us
FULL = 32768.0
STANDARD_GRAVITY = 9.80665
_HEAD = struct.Struct("<4BIH")
_SAMPLE = struct.Struct("<6h")
_CRC_POLYNOMIAL = 0x07


def crc8(data: bytes) -> int:
    """CRC-8, polynomial 07, beginning with 0, not reflected."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (_CRC_POLYNOMIAL if crc & 0x80 else 0)) & 0xFF
    return crc


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: ``acc_g`` and ``gyr_dps`` of each sample, the first taken at ``first_us``."""

    sequence: int
    first_us: int
    between_us: int
    acc_range_g: int
    gyr_range_dps: int
    clipped: bool
    means: bool
    acc_g: tuple[Vec3, ...]
    gyr_dps: tuple[Vec3, ...]


def unpack(data: bytes) -> Frame:
    """A frame; ``ValueError`` says what is wrong with it."""
    if len(data) < _HEAD.size + _SAMPLE.size + 1:
        raise ValueError(f"frame: {len(data)} bytes, needs {_HEAD.size + _SAMPLE.size + 1}")
    version, sequence, count, flags, first_us, between_us = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"version {version}, known: {VERSION}")
    size = _HEAD.size + count * _SAMPLE.size + 1
    if not 1 <= count <= SAMPLES_MAX or len(data) != size:
        raise ValueError(f"frame: {len(data)} bytes with {count} samples, allowed: 1 to {SAMPLES_MAX}")
    if crc8(data[:-1]) != data[-1]:
        raise ValueError(f"crc: {data[-1]:02x} announced, the bytes give {crc8(data[:-1]):02x}")
    gyr_range = flags >> 2 & 7
    if gyr_range >= len(GYR_RANGES_DPS) or flags >> 7:
        raise ValueError(f"flags: {flags:02x}")
    if not between_us:
        raise ValueError("time between samples: 0 us")
    acc_g, gyr_dps = ACC_RANGES_G[flags & 3], GYR_RANGES_DPS[gyr_range]
    rows = list(_SAMPLE.iter_unpack(data[_HEAD.size : -1]))
    return Frame(
        sequence,
        first_us,
        between_us,
        acc_g,
        gyr_dps,
        bool(flags & CLIPPED),
        bool(flags & MEANS),
        tuple((x * acc_g / FULL, y * acc_g / FULL, z * acc_g / FULL) for x, y, z, *_ in rows),
        tuple((x * gyr_dps / FULL, y * gyr_dps / FULL, z * gyr_dps / FULL) for *_, x, y, z in rows),
    )


def pack(
    sequence: int,
    first_us: int,
    between_us: int,
    rows: Sequence[Sequence[int]],
    *,
    acc_range_g: int = 16,
    gyr_range_dps: int = 2000,
    means: bool = False,
) -> bytes:
    """A frame of ``rows`` of six counts (acceleration, rate); ``ValueError`` on too many or no such range."""
    if not 1 <= len(rows) <= SAMPLES_MAX:
        raise ValueError(f"{len(rows)} samples, allowed: 1 to {SAMPLES_MAX}")
    flags = ACC_RANGES_G.index(acc_range_g) | GYR_RANGES_DPS.index(gyr_range_dps) << 2
    if any(count in (-32768, 32767) for row in rows for count in row):
        flags |= CLIPPED
    body = _HEAD.pack(VERSION, sequence, len(rows), flags | (MEANS if means else 0), first_us, between_us)
    body += b"".join(_SAMPLE.pack(*row) for row in rows)
    return body + bytes((crc8(body),))


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """A frame, also where no characteristic is named, or the battery; ``ValueError`` names what is wrong."""
    channel = (channel or DATA).lower()
    if channel == BATTERY:
        if len(data) != 1 or data[0] > 100:
            raise ValueError(f"battery: {data.hex() or 'nothing'}, allowed: one byte up to 100 %")
        return {"level_percent": data[0]}
    if channel != DATA:
        raise ValueError(f"channel {channel} is not a characteristic of the open frame")
    frame = unpack(data)
    return {
        "sequence": frame.sequence,
        "ts_us": frame.first_us,
        "between_us": frame.between_us,
        "acc_range_g": frame.acc_range_g,
        "gyr_range_dps": frame.gyr_range_dps,
        "clipped": frame.clipped,
        "values": "means" if frame.means else "instants",
        "acc_g": [list(one) for one in frame.acc_g],
        "gyr_dps": [list(one) for one in frame.gyr_dps],
    }


OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"
SEQUENCE_BROKEN = "the frame's number does not fit its time"
CLIPPED_WORDS = "rate or acceleration clipped"
SEQUENCE_WRAP = 256


class OpenFrame(BleSensor[ImuSample]):
    """A board that sends the open frame.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples by the board's clock,
    so lost frames show as a jump. The board sets rate and ranges itself.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._clock = DeviceClock(wrap=STAMP_WRAP, tick_ns=1000)
        self._last: tuple[int, int, int] | None = None  # device time of the last sample, seq, frame's number
        self._seq = 0
        self._t_ns: int | None = None  # of the last sample

    async def _start(self, link: BleLink) -> None:
        await link.notify(DATA, self._on_notification)

    async def _stop(self, link: BleLink) -> None:
        pass  # it stops by itself when nobody listens

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where the board tells none."""
        return await self._read_percent(BATTERY)

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        for sample in self.accept(data, arrival_ns):
            self._put(sample)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        return ImuSample(
            self.name, arrival_ns, arrival_ns, self._seq, ZERO3, ZERO3, valid=False, reason=reason
        )

    def accept(self, data: bytes, arrival_ns: int) -> list[ImuSample]:
        """One notification to its samples, or one invalid sample; never raises."""
        try:
            frame = unpack(data)
        except ValueError as error:
            return [self._invalid(str(error), arrival_ns)]
        count = len(frame.acc_g)
        between_ns = frame.between_us * 1000
        last_us = (frame.first_us + (count - 1) * frame.between_us) % STAMP_WRAP
        mapped = self._clock.map(last_us, arrival_ns)
        if mapped.doubtful:
            return [self._invalid(OFF_ITS_TIME, arrival_ns)]
        seq = self._seq + count
        if self._last is None:
            seq = count - 1
        elif not mapped.reset:
            device_ns, last_seq, number = self._last
            passed = (mapped.device_ns - device_ns) / between_ns
            if passed < count - 0.5:
                return [self._invalid(GONE_BACK, arrival_ns)]
            if frame.sequence == number and passed < SEQUENCE_WRAP * count / 2:
                return [self._invalid(SEQUENCE_BROKEN, arrival_ns)]
            seq = last_seq + round(passed)
        # Where the clock has just learnt that its first arrivals were late, samples move together, not back.
        room_ns = between_ns if self._t_ns is None else (mapped.t_ns - self._t_ns) // count
        step_ns = min(between_ns, room_ns)
        self._t_ns = mapped.t_ns
        self._last = (mapped.device_ns, seq, frame.sequence)
        self._seq = seq
        reason = CLIPPED_WORDS if frame.clipped else mapped.reason
        return [
            ImuSample(
                self.name,
                mapped.t_ns - (count - 1 - place) * step_ns,
                arrival_ns,
                seq - (count - 1 - place),
                (acc[0] * STANDARD_GRAVITY, acc[1] * STANDARD_GRAVITY, acc[2] * STANDARD_GRAVITY),
                (math.radians(rate[0]), math.radians(rate[1]), math.radians(rate[2])),
                reason=reason,
            )
            for place, (acc, rate) in enumerate(zip(frame.acc_g, frame.gyr_dps, strict=True))
        ]
