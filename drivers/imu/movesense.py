"""Movesense: bytes to values and back, and the driver that streams acceleration and rate.

Layouts: the maker's GATTSensorData firmware and packets captured by others (sensein/movesense-py @800da2a,
held against the device's own log). Two public drivers disagree about the combined data; the bytes settle it:
all accelerations, then all rates, then all fields, in m/s2, deg/s and uT, little-endian floats. Read one by
one as the other driver does, a resting sensor would accelerate with 1.7 m/s2. A packet has the time in ms
since the start of the device, of its first sample (from memory, unverified), and no counter.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import struct
from collections.abc import Mapping

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, DeviceError, ImuSample, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor

VERIFIED = "capture"

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO, SUBSCRIBE, UNSUBSCRIBE, FETCH_LOG, GET = range(5)
RESULT, DATA, DATA_PART2 = 1, 2, 3
COMMANDS: Mapping[int, str] = {
    HELLO: "hello",
    SUBSCRIBE: "subscribe",
    UNSUBSCRIBE: "unsubscribe",
    FETCH_LOG: "fetch log",
    GET: "get",
}
RATES_HZ = (13, 26, 52, 104, 208, 416, 833, 1666)
BATTERY_PATH = "/System/Energy/Level"
OK = (200, 201, 202)  # results are those of HTTP
RESULT_WORDS: Mapping[int, str] = {
    200: "ok",
    201: "created",
    202: "accepted",
    400: "bad request",
    403: "forbidden",
    404: "no such path",
    409: "not in this state",
    500: "internal error",
    501: "not implemented",
    507: "no memory left",
}
STAMP_WRAP = 1 << 32  # ms
_STAMP = struct.Struct("<I")
_VECTOR_BYTES = 12
# What a path's data is made of, block by block: key of `decode` for each
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "acc": ("acc_ms2",),
    "gyro": ("gyr_dps",),
    "magn": ("mag_uT",),
    "imu6": ("acc_ms2", "gyr_dps"),
    "imu6m": ("acc_ms2", "mag_uT"),
    "imu9": ("acc_ms2", "gyr_dps", "mag_uT"),
}


def command(code: int, reference: int, path: str = "") -> bytes:
    """A command; ``reference`` comes back with its answer and its data."""
    return bytes((code, reference)) + path.encode("ascii")


def unpack_blocks(data: bytes, kind: str) -> tuple[int, tuple[tuple[Vec3, ...], ...]]:
    """Stamp in ms, and the vectors of each block of a path's ``kind``; ``ValueError`` on another length."""
    blocks = len(BLOCKS[kind])
    count, rest = divmod(len(data) - _STAMP.size, blocks * _VECTOR_BYTES)
    if count < 1 or rest:
        raise ValueError(
            f"{kind}: {len(data)} bytes, must be {_STAMP.size} and {blocks * _VECTOR_BYTES} for each sample"
        )
    (stamp_ms,) = _STAMP.unpack_from(data)
    values = struct.unpack_from(f"<{3 * blocks * count}f", data, _STAMP.size)
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{kind}: a value is not finite")
    vectors = tuple((values[at], values[at + 1], values[at + 2]) for at in range(0, len(values), 3))
    return stamp_ms, tuple(vectors[n * count : (n + 1) * count] for n in range(blocks))


def _decode_path(data: bytes, path: str) -> dict[str, object]:
    """The data of a subscription to ``path``, with or without the two bytes before it."""
    parts = path.strip("/").lower().split("/")
    kind = parts[1] if len(parts) > 1 and parts[0] == "meas" else ""
    if kind in BLOCKS:
        size = len(BLOCKS[kind]) * _VECTOR_BYTES
        if data[:1] == bytes((DATA,)) and (len(data) - 2 - _STAMP.size) % size == 0:
            data = data[2:]
        stamp_ms, blocks = unpack_blocks(data, kind)
        named = zip(BLOCKS[kind], blocks, strict=True)
        return {"ts_ms": stamp_ms} | {key: [list(vector) for vector in block] for key, block in named}
    if kind == "ecg" and parts[-1] == "mv":
        if len(data) < 6 or len(data) % 2:
            raise ValueError(f"ecg: {len(data)} bytes, must be 4 and 2 for each sample")
        counts = struct.unpack_from(f"<{len(data) // 2 - 2}h", data, _STAMP.size)
        return {"ts_ms": _STAMP.unpack_from(data)[0], "ecg_mv": [count / 1000.0 for count in counts]}
    if kind == "temp":
        if len(data) != 8:
            raise ValueError(f"temp: {len(data)} bytes, must be 8")
        stamp_ms, kelvin = struct.unpack("<If", data)
        return {"ts_ms": stamp_ms, "temperature_k": kelvin}
    if kind == "hr":
        if len(data) < 4 or len(data) % 2:
            raise ValueError(f"hr: {len(data)} bytes, must be 4 and 2 for each interval")
        intervals = struct.unpack_from(f"<{len(data) // 2 - 2}H", data, 4)
        return {"heart_rate_bpm": struct.unpack_from("<f", data)[0], "rr_ms": list(intervals)}
    raise ValueError(
        f"path {path} is none of {', '.join(f'/Meas/{known}' for known in BLOCKS)}, ECG, Temp, HR"
    )


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic, or the data of a path such as /Meas/IMU6/52 named in its place.

    The bytes of data do not tell their path. ``ValueError`` names what is wrong.
    """
    if channel is not None and channel.startswith("/"):
        return _decode_path(data, channel)
    channel = (channel or "").lower()
    if channel not in (WRITE, NOTIFY):
        raise ValueError(
            f"channel {channel or 'none'} is no Movesense characteristic and no path of its data"
        )
    if len(data) < 2:
        raise ValueError(f"message: {len(data)} bytes, needs 2")
    code, reference = data[:2]
    if channel == WRITE:
        if code not in COMMANDS:
            raise ValueError(f"command {code}, allowed: 0 to {GET}")
        told: dict[str, object] = {"command": COMMANDS[code], "reference": reference}
        path = data[2:].decode("ascii", "replace").rstrip("\0")
        return told | ({"path": path} if path else {})
    if code == RESULT:
        if len(data) < 4:
            raise ValueError(f"result: {len(data)} bytes, needs 4")
        result = data[2] | data[3] << 8
        told = {"name": "result", "reference": reference, "result": result}
        told["result_text"] = RESULT_WORDS.get(result, f"unknown result {result}")
        return told | ({"data": data[4:].hex()} if data[4:] else {})
    if code in (DATA, DATA_PART2):
        name = "data" if code == DATA else "data, second part"
        return {"name": name, "reference": reference, "data": data[2:].hex()}
    raise ValueError(f"message {code}, allowed: {RESULT} to {DATA_PART2}")


STREAM, BATTERY = 5, 6  # references of ours
KIND = "imu6"
ANSWER_TIMEOUT_S = 2.0
OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"
ACC_MAX_MPS2 = 16 * 9.80665 * 1.02  # the widest ranges of acceleration and rate, and a little
GYR_MAX_DPS = 2000 * 1.02
RATE_TOLERANCE = 0.15  # of the sensor's own oscillator against the nominal rate (a proposal)


class Movesense(BleSensor[ImuSample]):
    """A Movesense streaming acceleration and rate in batches.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples: a lost batch shows as
    a jump by the stamps of those around it. The samples of a batch lie evenly between its stamp and the one
    before, as the sensor's own rate is some per cent off the nominal one.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, rate_hz: int = 104
    ) -> None:
        super().__init__(name, address, backend)
        if rate_hz not in RATES_HZ:
            raise ValueError(f"rate {rate_hz} Hz, allowed: {', '.join(map(str, RATES_HZ))}")
        self._path = f"/Meas/IMU6/{rate_hz}"
        self._period_ns = 1e9 / rate_hz
        self._clock = DeviceClock(wrap=STAMP_WRAP * 1_000_000, tick_ns=1)
        self._last: tuple[int, int] | None = None  # device time and host time of the last sample
        self._seq = -1
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._first_part = b""
        self._in_two_parts: bool | None = None  # as the first batch shows

    async def _start(self, link: BleLink) -> None:
        self._first_part, self._in_two_parts = b"", None
        await link.notify(NOTIFY, self._on_notification)
        await self._ask(link, SUBSCRIBE, STREAM, self._path)

    async def _stop(self, link: BleLink) -> None:
        await link.write(WRITE, command(UNSUBSCRIBE, STREAM))

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it does not answer."""
        link = self._link
        if link is None:
            return None
        answer = await self._ask(link, GET, BATTERY, BATTERY_PATH)
        return answer[0] if answer and answer[0] <= 100 else None

    async def _ask(self, link: BleLink, code: int, reference: int, path: str) -> bytes:
        """Sends a command and returns what its result carries."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[reference] = future
        try:
            await link.write(WRITE, command(code, reference, path))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await future
        except TimeoutError:
            what = f"{COMMANDS[code]} {path}: no answer in {ANSWER_TIMEOUT_S:g} s"
            raise DeviceError(self.name, what, transient=True) from None
        finally:
            self._asked.pop(reference, None)
        result = answer[0] | answer[1] << 8
        if result not in OK:
            what = f"{COMMANDS[code]} {path}: {RESULT_WORDS.get(result, f'unknown result {result}')}"
            raise DeviceError(self.name, what, transient=result >= 500)
        return answer[2:]

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        if len(data) >= 4 and data[0] == RESULT:
            future = self._asked.get(data[1])
            if future is not None and not future.done():
                future.set_result(data[2:])
            return
        for sample in self.hear(data, arrival_ns):
            self._put(sample)

    def hear(self, data: bytes, arrival_ns: int) -> list[ImuSample]:
        """One notification of data; none comes of the first part of a batch, nor of a first batch at once.

        A batch that is longer than a notification comes in two parts, which its first part does not tell: so
        the first batch is left out, and the notification behind it shows whether there is a second part.
        """
        if len(data) < 2 or data[0] not in (DATA, DATA_PART2) or data[1] != STREAM:
            return [self._invalid(f"message beginning {data[:2].hex() or 'nowhere'}", arrival_ns)]
        if data[0] == DATA_PART2:
            whole, self._first_part = self._first_part + data[2:], b""
            first, self._in_two_parts = self._in_two_parts is None, True
            if first or len(whole) == len(data) - 2:
                return [] if first else [self._invalid("the first part of a batch is missing", arrival_ns)]
            return self.accept(whole, arrival_ns)
        if self._in_two_parts is None and not self._first_part:
            self._first_part = data[2:]
            return []
        if self._in_two_parts:
            lost, self._first_part = bool(self._first_part), data[2:]
            return [self._invalid("the second part of a batch is missing", arrival_ns)] if lost else []
        self._in_two_parts, self._first_part = False, b""
        return self.accept(data[2:], arrival_ns)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        seq = max(self._seq, 0)
        return ImuSample(self.name, arrival_ns, arrival_ns, seq, ZERO3, ZERO3, valid=False, reason=reason)

    def accept(self, data: bytes, arrival_ns: int) -> list[ImuSample]:
        """One batch to its samples, or one invalid sample; never raises."""
        try:
            stamp_ms, (accs, rates) = unpack_blocks(data, KIND)
        except ValueError as error:
            return [self._invalid(str(error), arrival_ns)]
        if max(map(abs, itertools.chain(*accs))) > ACC_MAX_MPS2 or (
            max(map(abs, itertools.chain(*rates))) > GYR_MAX_DPS
        ):
            return [self._invalid("a value is beyond the sensor's range", arrival_ns)]
        count = len(accs)
        last_ns = (stamp_ms * 1_000_000 + round((count - 1) * self._period_ns)) % (STAMP_WRAP * 1_000_000)
        mapped = self._clock.map(last_ns, arrival_ns)
        if mapped.doubtful:
            return [self._invalid(OFF_ITS_TIME, arrival_ns)]
        step_ns, steps = self._period_ns, count
        if self._last is not None and not mapped.reset:
            device_ns, t_ns = self._last
            batches = (mapped.device_ns - device_ns) / (count * self._period_ns)
            if batches < 0.5:
                return [self._invalid(GONE_BACK, arrival_ns)]
            steps = count * max(round(batches), 1)
            between_ns = (mapped.t_ns - t_ns) / steps
            if abs(between_ns / self._period_ns - 1.0) <= RATE_TOLERANCE:
                step_ns = between_ns
            step_ns = min(step_ns, (mapped.t_ns - t_ns) / count)  # never back before the last one
        self._last = (mapped.device_ns, mapped.t_ns)
        self._seq += steps
        return [
            ImuSample(
                self.name,
                mapped.t_ns - round((count - 1 - place) * step_ns),
                arrival_ns,
                self._seq - (count - 1 - place),
                acc,
                (math.radians(rate[0]), math.radians(rate[1]), math.radians(rate[2])),
                reason=mapped.reason,
            )
            for place, (acc, rate) in enumerate(zip(accs, rates, strict=True))
        ]
