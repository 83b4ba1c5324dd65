"""MbientLab MetaMotion R and S: bytes to values and back, and the driver that streams acceleration and rate.

Layouts: MetaWear-SDK-Cpp and its tests (facts alone), little-endian. A message is module, register (with
its highest bit: an answer to a read) and data. Data are counts of a range that the message does not tell,
without time or counter. Not verified on hardware.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections import deque
from dataclasses import dataclass

from drivers.interface import ZERO3, DeviceError, ImuSample, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "vendor-code"

SERVICE = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFY = "326a9006-85cb-9195-d9dd-464cfbbae75a"

ACC, PROCESSOR, SETTINGS, GYR, FUSION = 0x03, 0x09, 0x11, 0x13, 0x19
MODULES = {
    0x01: "switch",
    0x02: "light",
    ACC: "accelerometer",
    0x04: "temperature",
    0x05: "pins",
    PROCESSOR: "data processor",
    0x0B: "logging",
    0x0C: "timer",
    SETTINGS: "settings",
    GYR: "gyroscope",
    0x15: "magnetometer",
    FUSION: "sensor fusion",
    0xFE: "debug",
}
READ = 0x80  # bit of the register
INFO = 0x80  # register 0, read: implementation and revision
BATTERY = 0x8C
ACC_COUNTS = {2: 16384.0, 4: 8192.0, 8: 4096.0, 16: 2048.0}  # per g, by the range in g
GYR_COUNTS = {125: 262.4, 250: 131.2, 500: 65.6, 1000: 32.8, 2000: 16.4}  # per deg/s, by the range in deg/s
STANDARD_GRAVITY = 9.80665
TICK_MS = 48.0 / 32.768  # of the processor that adds the time
PACKED = 3  # samples of a notification
# Values of the sensor fusion: key, number, unit, whether a byte of accuracy follows
_FUSED = {
    0x04: ("acc_g", 3, 1000.0, True),
    0x05: ("gyr_dps", 3, 1.0, True),
    0x06: ("mag_uT", 3, 1.0, True),
    0x07: ("quat_wxyz", 4, 1.0, False),
    0x08: ("heading_pitch_roll_yaw_deg", 4, 1.0, False),
    0x09: ("g", 3, STANDARD_GRAVITY, False),
    0x0A: ("g", 3, STANDARD_GRAVITY, False),
}


@dataclass(frozen=True, slots=True)
class Chips:
    """How a board's chips are set and where they send: one line of the two that a MetaMotion may have."""

    acc_settings: bytes  # 100 Hz, 16 g
    acc_packed: int  # register
    gyr_settings: bytes  # 100 Hz, 2000 deg/s
    gyr_packed: int


RATE_HZ = 100.0
ACC_RANGE_G, GYR_RANGE_DPS = 16, 2000  # the most: a foot that strikes the ground
# By the implementation that the accelerometer tells. The settings of the BMI270's gyroscope are those of
# the BMI160's (from memory, unverified).
CHIPS = {
    1: Chips(b"\x28\x0c", 0x1C, b"\x28\x00", 0x07),  # BMI160, boards R and R+
    4: Chips(b"\xa8\x03", 0x05, b"\x28\x00", 0x05),  # BMI270, board S
}


def _vectors(data: bytes) -> list[tuple[int, int, int]]:
    return list(struct.iter_unpack("<3h", data))


def _scaled(data: bytes, module: int, told: int | None) -> dict[str, object]:
    """Vectors of the accelerometer or the gyroscope, in counts where their range is not told."""
    vectors: list[object] = [list(vector) for vector in _vectors(data)]
    counts_per, key, unit = (ACC_COUNTS, "acc_g", "g") if module == ACC else (GYR_COUNTS, "gyr_dps", "deg/s")
    if told is None:
        ranges = ", ".join(map(str, counts_per))
        counts = vectors if len(vectors) > 1 else vectors[0]
        return {"counts": counts, "range": f"not in the bytes; --mode one of {ranges} ({unit})"}
    if told not in counts_per:
        raise ValueError(f"range {told} {unit}, allowed: {', '.join(map(str, counts_per))}")
    scaled = [[count / counts_per[told] for count in vector] for vector in _vectors(data)]
    return {key: scaled if len(scaled) > 1 else scaled[0]}


def _decode_fusion(register: int, data: bytes) -> dict[str, object]:
    key, count, unit, accurate = _FUSED[register]
    if len(data) != 4 * count + accurate:
        raise ValueError(f"{key}: {len(data)} bytes, must be {4 * count + accurate}")
    values = struct.unpack_from(f"<{count}f", data)
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{key} is not finite")
    decoded: dict[str, object] = {key: [value / unit for value in values]}
    return decoded | ({"accuracy": data[-1]} if accurate else {})


def _decode_answer(data: bytes, told: int | None) -> dict[str, object]:
    module, register, body = data[0], data[1], data[2:]
    if module in (ACC, GYR) and not register & READ and len(body) in (6, 18):
        return _scaled(body, module, told)
    if module == FUSION and register in _FUSED:
        return _decode_fusion(register, body)
    if (module, register) == (SETTINGS, BATTERY):
        if len(body) != 3 or body[0] > 100:
            raise ValueError(f"battery: {body.hex()}, allowed: up to 100 % and two bytes of mV")
        return {"percent": body[0], "mV": struct.unpack_from("<H", body, 1)[0]}
    if (module, register) == (PROCESSOR, 0x03) and len(body) >= 5:
        stamped = {"id": body[0], "tick": struct.unpack_from("<I", body, 1)[0]}
        times = {"time_ms": stamped["tick"] * TICK_MS}
        rest = _scaled(body[5:], ACC, told) if len(body) == 11 else {"data": body[5:].hex()}
        return stamped | times | rest
    decoded: dict[str, object] = {
        "module": MODULES.get(module, f"{module:#04x}"),
        "register": register & 0x7F,
    }
    if register == INFO:
        present: dict[str, object] = {"present": len(body) >= 2}
        return (
            decoded | present | ({"implementation": body[0], "revision": body[1]} if len(body) >= 2 else {})
        )
    return decoded | {"data": body.hex()}


def decode(data: bytes, channel: str | None, mode: int | None = None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it.

    ``mode`` is the range that the chip was set to, in g or degrees per second: a message does not tell it,
    and without it acceleration and rate are given in counts.
    """
    channel = (channel or "").lower()
    if channel not in (NOTIFY, COMMAND):
        raise ValueError(f"channel {channel or 'none'} is not a MetaMotion characteristic")
    if len(data) < 2:
        raise ValueError(f"message: {len(data)} bytes, needs 2")
    if data[0] not in MODULES:
        raise ValueError(f"module {data[0]:#04x}, known: {', '.join(f'{one:#04x}' for one in MODULES)}")
    if channel == NOTIFY:
        return _decode_answer(data, mode)
    return {
        "module": MODULES[data[0]],
        "register": data[1] & 0x7F,
        "read": bool(data[1] & READ),
        "data": data[2:].hex(),
    }


ANSWER_TIMEOUT_S = 1.0
PERIOD_NS = round(1e9 / RATE_HZ)
WAIT_NS = 150_000_000  # for the acceleration of a rate; a burst of a healthy radio is over by then
NO_ACCELERATION = "no acceleration beside the rate"


class MetaMotion(BleSensor[ImuSample]):
    """A MetaMotion streaming acceleration and rate, three samples a notification each.

    ``address`` is the Bluetooth address or the advertised name. Samples are those of the gyroscope, the
    acceleration between its neighbours in time. ``seq`` counts them; as none is numbered, lost ones show by
    lateness alone, within two seconds, and samples since are valid with a reason until it is sure.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._acc_clock = RotationClock(period_ns=PACKED * PERIOD_NS, cycle=1)
        self._gyr_clock = RotationClock(period_ns=PACKED * PERIOD_NS, cycle=1)
        self._acc: deque[tuple[int, Vec3]] = deque(maxlen=64)  # time, m/s2
        self._waiting: deque[ImuSample] = deque()  # rates whose acceleration has not come yet
        self._seq = 0
        self._t_ns = 0  # of the last rate: a clock that moves back stands still
        self._registers: tuple[int, int] = (0, 0)  # of packed acceleration and rate
        self._asked: dict[tuple[int, int], asyncio.Future[bytes]] = {}

    async def _start(self, link: BleLink) -> None:
        await link.notify(NOTIFY, self._on_notification)
        info = await self._ask(link, ACC, INFO)
        if len(info) < 2 or info[0] not in CHIPS:
            known = ", ".join(map(str, CHIPS))
            what = f"accelerometer {info.hex() or 'absent'}, known implementations: {known}"
            raise DeviceError(self.name, what, transient=False)
        chips = CHIPS[info[0]]
        self._registers = (chips.acc_packed, chips.gyr_packed)
        self._acc_clock.restart()
        self._gyr_clock.restart()
        self._acc.clear()
        self._waiting.clear()
        for module, settings, packed in (
            (ACC, chips.acc_settings, chips.acc_packed),
            (GYR, chips.gyr_settings, chips.gyr_packed),
        ):
            await link.write(COMMAND, bytes((module, 0x03)) + settings)
            await link.write(COMMAND, bytes((module, packed, 1)))
            await link.write(COMMAND, bytes((module, 0x02, 1, 0)))
        for module in (ACC, GYR):
            await link.write(COMMAND, bytes((module, 0x01, 1)))

    async def _stop(self, link: BleLink) -> None:
        for module, packed in zip((ACC, GYR), self._registers, strict=True):
            await link.write(COMMAND, bytes((module, 0x01, 0)))
            await link.write(COMMAND, bytes((module, 0x02, 0, 1)))
            await link.write(COMMAND, bytes((module, packed, 0)))

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it is not told."""
        link = self._link
        if link is None:
            return None
        told = await self._ask(link, SETTINGS, BATTERY)
        return told[0] if len(told) == 3 and told[0] <= 100 else None

    async def _ask(self, link: BleLink, module: int, register: int) -> bytes:
        """Reads a register; ``DeviceError`` where no answer comes."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[module, register] = answer
        try:
            await link.write(COMMAND, bytes((module, 0xCC if register == BATTERY else register)))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except TimeoutError:
            what = f"{MODULES[module]}: no answer in {ANSWER_TIMEOUT_S:g} s"
            raise DeviceError(self.name, what, transient=True) from None
        finally:
            self._asked.pop((module, register), None)

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        head = (data[0], data[1]) if len(data) >= 2 else None
        if head == (ACC, self._registers[0]):
            ready = self.accept_acc(data[2:], arrival_ns)
        elif head == (GYR, self._registers[1]):
            ready = self.accept_gyr(data[2:], arrival_ns)
        else:
            ready = []
            answer = self._asked.get(head) if head is not None else None
            if answer is not None and not answer.done():
                answer.set_result(data[2:])
        for sample in ready:
            self._put(sample)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        return ImuSample(
            self.name, arrival_ns, arrival_ns, self._seq, ZERO3, ZERO3, valid=False, reason=reason
        )

    def accept_acc(self, data: bytes, arrival_ns: int) -> list[ImuSample]:
        """Three samples of acceleration: the samples that are complete now; never raises."""
        place = self._acc_clock.step(0, arrival_ns)
        if len(data) != 6 * PACKED:
            return [self._invalid(f"acceleration: {len(data)} bytes, must be {6 * PACKED}", arrival_ns)]
        if not place.repeated:
            scale = STANDARD_GRAVITY / ACC_COUNTS[ACC_RANGE_G]
            for age, (x, y, z) in zip((2, 1, 0), _vectors(data), strict=True):
                last_ns = self._acc[-1][0] if self._acc else 0
                t_ns = max(last_ns, place.t_ns - age * PERIOD_NS)
                self._acc.append((t_ns, (x * scale, y * scale, z * scale)))
        return self._ready(arrival_ns)

    def accept_gyr(self, data: bytes, arrival_ns: int) -> list[ImuSample]:
        """Three samples of the rate: the samples that are complete now; never raises."""
        place = self._gyr_clock.step(0, arrival_ns)
        self._seq = place.count * PACKED
        if len(data) != 6 * PACKED:
            return [self._invalid(f"rate: {len(data)} bytes, must be {6 * PACKED}", arrival_ns)]
        if place.repeated:
            return [self._invalid(REPEATED, arrival_ns)]
        scale = math.radians(1.0 / GYR_COUNTS[GYR_RANGE_DPS])
        reason = place.reason
        for index, (x, y, z) in enumerate(_vectors(data)):
            self._t_ns = max(self._t_ns, place.t_ns - (PACKED - 1 - index) * PERIOD_NS)
            rate = (x * scale, y * scale, z * scale)
            seq = self._seq + index
            self._waiting.append(
                ImuSample(self.name, self._t_ns, arrival_ns, seq, ZERO3, rate, reason=reason)
            )
        return self._ready(arrival_ns)

    def _ready(self, now_ns: int) -> list[ImuSample]:
        """Rates whose acceleration is known by now, or was waited for too long."""
        ready = []
        while self._waiting:
            rate = self._waiting[0]
            acc = self._acceleration(rate.t_ns)
            if acc is None and now_ns - rate.arrival_ns < WAIT_NS:
                break
            self._waiting.popleft()
            valid, reason = acc is not None, rate.reason if acc is not None else NO_ACCELERATION
            ready.append(
                ImuSample(
                    rate.sensor,
                    rate.t_ns if valid else now_ns,
                    now_ns,
                    rate.seq,
                    acc or ZERO3,
                    rate.gyr_rps if valid else ZERO3,
                    valid=valid,
                    reason=reason,
                )
            )
        return ready

    def _acceleration(self, t_ns: int) -> Vec3 | None:
        """Between the two samples of acceleration around a time; none where they are not there."""
        before: tuple[int, Vec3] | None = None
        for sample in self._acc:
            if sample[0] >= t_ns:
                if before is None:
                    return sample[1] if sample[0] - t_ns <= PERIOD_NS else None
                span_ns = sample[0] - before[0]
                if span_ns > 2 * PACKED * PERIOD_NS:  # some were lost: the nearer one, if it is near
                    near = min(before, sample, key=lambda one: abs(one[0] - t_ns))
                    return near[1] if abs(near[0] - t_ns) <= PERIOD_NS else None
                share = (t_ns - before[0]) / span_ns if span_ns else 1.0
                x, y, z = (a + share * (b - a) for a, b in zip(before[1], sample[1], strict=True))
                return x, y, z
            before = sample
        return None
