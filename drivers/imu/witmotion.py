"""WitMotion WT901BLE and BWT901BLE5.0: bytes to values and back, and the driver that streams from them.

Layouts: the vendor's datasheet (v20-0707), protocol notes and SDK WitBluetooth_BWT901BLE5_0, little-endian.
A frame has no checksum and no counter; the long frame of newer firmware tells the time in ms, the short one
none. Several frames may come in one notification. Verified against the datasheet's example and captured
frames.
"""

from __future__ import annotations

import asyncio
import math
import struct

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, DeviceError, ImuSample
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "capture"


def _uuid(short: str) -> str:
    return f"0000{short}-0000-1000-8000-00805f9a34fb"  # not Bluetooth's own base, which ends in 9b34fb


SERVICE = _uuid("ffe5")
NOTIFY = _uuid("ffe4")
WRITE = _uuid("ffe9")

DATA, REGISTERS = b"\x55\x61", b"\x55\x71"
SHORT_BYTES, LONG_BYTES = 20, 28  # the long one adds date and time
ACC_SCALE_G = 16.0 / 32768.0
GYR_SCALE_DPS = 2000.0 / 32768.0
ANGLE_SCALE_DEG = 180.0 / 32768.0
STANDARD_GRAVITY = 9.80665
DAY_MS = 86_400_000
RATE, MAGNETIC, QUATERNION, TEMPERATURE, BATTERY, VERSION = 0x03, 0x3A, 0x51, 0x40, 0x64, 0x2E
SAVE, CALIBRATION, UNLOCK = 0x00, 0x01, 0x69
UNLOCK_VALUE = 0xB588
UNLOCK_S = 0.1  # the datasheet's pause between unlocking and writing
RATE_CODES = {10: 0x06, 20: 0x07, 50: 0x08, 100: 0x09}  # Hz; the papers disagree about the code of 200
# Volts / 100 from which the charge is at least this many per cent (ends from the datasheet, the steps between
# from memory, unverified)
_CHARGE = (
    (396, 100),
    (393, 90),
    (387, 75),
    (382, 60),
    (379, 50),
    (377, 40),
    (373, 30),
    (370, 20),
    (368, 15),
    (350, 10),
    (340, 5),
)
_FRAME = struct.Struct("<9h")
_TIME = struct.Struct("<6BH")


def read_command(register: int) -> bytes:
    return bytes((0xFF, 0xAA, 0x27, register, 0x00))


def write_command(register: int, value: int) -> bytes:
    return bytes((0xFF, 0xAA, register)) + struct.pack("<H", value)


def charge_percent(centivolts: int) -> int:
    """Charge of the battery by its voltage (V/100)."""
    return next((percent for least, percent in _CHARGE if centivolts >= least), 0)


def split(notification: bytes) -> list[bytes]:
    """The frames of a notification, all short or all long; ``ValueError`` where it is anything else."""
    for size in (SHORT_BYTES, LONG_BYTES):
        frames = [notification[at : at + size] for at in range(0, len(notification), size)]
        if frames and all(len(one) == size and one[:2] in (DATA, REGISTERS) for one in frames):
            return frames
    raise ValueError(
        f"notification: {len(notification)} bytes, must be frames of {SHORT_BYTES} or {LONG_BYTES} bytes "
        "that begin with 5561 or 5571"
    )


def time_of_day_ms(frame: bytes) -> int:
    """Of a long frame; ``ValueError`` where no clock shows it."""
    hour, minute, second, ms = map(int, _TIME.unpack_from(frame, SHORT_BYTES)[3:])
    if hour > 23 or minute > 59 or second > 59 or ms > 999:
        raise ValueError(f"time {hour}:{minute}:{second}.{ms:03}")
    return ((hour * 60 + minute) * 60 + second) * 1000 + ms


def _decode_registers(data: bytes) -> dict[str, object]:
    if len(data) != SHORT_BYTES:
        raise ValueError(f"registers: {len(data)} bytes, must be {SHORT_BYTES}")
    register = struct.unpack_from("<H", data, 2)[0]
    values = struct.unpack_from("<8h", data, 4)
    decoded: dict[str, object] = {"register": register}
    if register == MAGNETIC:
        return decoded | {"mag_raw": list(values[:3])}
    if register == QUATERNION:
        return decoded | {"quat": [value / 32768.0 for value in values[:4]]}
    if register == TEMPERATURE:
        return decoded | {"temperature_c": values[0] / 100.0}
    if register == BATTERY:
        return decoded | {"battery_v": values[0] / 100.0, "level_percent": charge_percent(values[0])}
    return decoded | {"values": list(values)}


def _decode_data(data: bytes) -> dict[str, object]:
    """A frame, or what there is of one that was cut."""
    counts = struct.unpack_from(f"<{min(len(data) - 2, 18) // 2}h", data, 2)
    if len(counts) < 3:
        raise ValueError(f"frame: {len(data)} bytes, needs 8 for the acceleration")
    decoded: dict[str, object] = {"acc_g": [count * ACC_SCALE_G for count in counts[:3]]}
    if len(counts) >= 6:
        decoded["gyr_dps"] = [count * GYR_SCALE_DPS for count in counts[3:6]]
    for key, count in zip(("roll_deg", "pitch_deg", "yaw_deg"), counts[6:], strict=False):
        decoded[key] = count * ANGLE_SCALE_DEG
    if len(data) == LONG_BYTES:
        year, month, day, *_ = _TIME.unpack_from(data, SHORT_BYTES)
        decoded["date"] = f"20{year:02}-{month:02}-{day:02}"
        decoded["time_ms"] = time_of_day_ms(data)
    elif len(data) != SHORT_BYTES:
        decoded["cut_at_bytes"] = len(data)
    return decoded


def _decode_notification(data: bytes) -> dict[str, object]:
    if data[:2] == REGISTERS and len(data) == SHORT_BYTES:
        return _decode_registers(data)
    if data[:2] == DATA and len(data) <= LONG_BYTES:
        return _decode_data(data)
    return {
        "frames": [
            _decode_registers(one) if one[:2] == REGISTERS else _decode_data(one) for one in split(data)
        ]
    }


def _decode_command(data: bytes) -> dict[str, object]:
    if len(data) != 5 or data[:2] != b"\xff\xaa":
        raise ValueError(f"command {data.hex() or 'empty'}, must be five bytes that begin with ffaa")
    if data[2] == 0x27:
        return {"command": "read", "register": data[3]}
    value = struct.unpack_from("<H", data, 3)[0]
    if data[2] == UNLOCK:
        return {"command": "unlock"} if value == UNLOCK_VALUE else {"command": "lock", "value": value}
    if data[2] == SAVE:
        return {"command": "save", "value": value}
    return {"command": "write", "register": data[2], "value": value}


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it."""
    channel = (channel or "").lower()
    if channel == NOTIFY:
        return _decode_notification(data)
    if channel == WRITE:
        return _decode_command(data)
    raise ValueError(f"channel {channel or 'none'} is not a WT901BLE characteristic")


ANSWER_TIMEOUT_S = 1.0
OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"


class WitMotion(BleSensor[ImuSample]):
    """A WT901BLE streaming acceleration and rate.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples. With long frames it
    follows the device's time; with short ones, which carry none, a lost frame shows by lateness alone, within
    two seconds, and samples since are valid with a reason until it is sure. It cannot be told to stop.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, rate_hz: int = 100
    ) -> None:
        super().__init__(name, address, backend)
        if rate_hz not in RATE_CODES:
            raise ValueError(f"rate {rate_hz} Hz, allowed: {', '.join(map(str, RATE_CODES))}")
        self._rate_code = RATE_CODES[rate_hz]
        self._period_ns = round(1e9 / rate_hz)
        self._counted = RotationClock(period_ns=self._period_ns, cycle=1)
        self._stamped = DeviceClock(wrap=DAY_MS, tick_ns=1_000_000)
        self._device_ns: int | None = None
        self._seq = -1
        self._asked: dict[int, asyncio.Future[bytes]] = {}

    async def _start(self, link: BleLink) -> None:
        await link.write(WRITE, write_command(UNLOCK, UNLOCK_VALUE))
        await asyncio.sleep(UNLOCK_S)
        await link.write(WRITE, write_command(RATE, self._rate_code))  # not saved: gone when switched off
        self._counted.restart()
        await link.notify(NOTIFY, self._on_notification)  # last: no frame at the old rate is counted

    async def _stop(self, link: BleLink) -> None:
        pass

    async def battery_percent(self) -> int | None:
        """Charge by the battery's voltage, ``None`` while not connected; ``DeviceError`` where none comes."""
        link = self._link
        if link is None:
            return None
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[BATTERY] = answer
        try:
            await link.write(WRITE, read_command(BATTERY))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return charge_percent(struct.unpack_from("<h", await answer, 4)[0])
        except TimeoutError:
            what = f"battery: no answer in {ANSWER_TIMEOUT_S:g} s"
            raise DeviceError(self.name, what, transient=True) from None
        finally:
            self._asked.pop(BATTERY, None)

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        try:
            frames = split(data)
        except ValueError as error:
            self._put(self._invalid(str(error), arrival_ns))
            return
        for frame in frames:
            if frame[:2] == DATA:
                self._put(self.accept(frame, arrival_ns))
                continue
            answer = self._asked.get(struct.unpack_from("<H", frame, 2)[0])
            if answer is not None and not answer.done():
                answer.set_result(frame)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        seq = max(self._seq, 0)
        return ImuSample(self.name, arrival_ns, arrival_ns, seq, ZERO3, ZERO3, valid=False, reason=reason)

    def accept(self, frame: bytes, arrival_ns: int) -> ImuSample:
        """One frame of data to one sample; never raises."""
        if frame[:2] != DATA or len(frame) not in (SHORT_BYTES, LONG_BYTES):
            return self._invalid(
                f"frame: {len(frame)} bytes beginning {frame[:2].hex() or 'nowhere'}", arrival_ns
            )
        t_ns, reason = (
            self._timed(frame, arrival_ns) if len(frame) == LONG_BYTES else self._numbered(arrival_ns)
        )
        if t_ns is None:
            return self._invalid(reason, arrival_ns)
        ax, ay, az, gx, gy, gz, *_ = _FRAME.unpack_from(frame, 2)
        a, g = ACC_SCALE_G * STANDARD_GRAVITY, math.radians(GYR_SCALE_DPS)
        return ImuSample(
            self.name,
            t_ns,
            arrival_ns,
            self._seq,
            (ax * a, ay * a, az * a),
            (gx * g, gy * g, gz * g),
            reason=reason,
        )

    def _numbered(self, arrival_ns: int) -> tuple[int | None, str]:
        """Time of a short frame, or none, and why it is none or doubtful."""
        place = self._counted.step(0, arrival_ns)
        if place.repeated:
            return None, REPEATED
        self._seq = max(place.count, self._seq + 1)
        return place.t_ns, place.reason

    def _timed(self, frame: bytes, arrival_ns: int) -> tuple[int | None, str]:
        """Time of a long frame by the device's clock, or none and why."""
        try:
            stamp_ms = time_of_day_ms(frame)
        except ValueError as error:
            return None, str(error)
        mapped = self._stamped.map(stamp_ms, arrival_ns)
        if mapped.doubtful:
            return None, OFF_ITS_TIME
        step = 1
        if self._device_ns is not None:
            passed = (mapped.device_ns - self._device_ns) / self._period_ns
            if not mapped.reset and passed < 0.5:
                return None, GONE_BACK
            step = max(round(passed), 1)
        self._device_ns = mapped.device_ns
        self._seq += step
        return mapped.t_ns, mapped.reason
