"""Movella (Xsens) DOT: bytes to values and back, and the driver that streams acceleration and rate from it.

Layouts: Movella DOT BLE Service Specification XD0506P rev C (July 2023), all little-endian. Refuses short
frames and fields that are not finite. Verified against the written specification only: no public capture
of a measurement notification exists.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, DeviceError, ImuSample, Quat, SensorWord, Vec3
from drivers.links.ble import BleBackend, BleLink, BleSensor

VERIFIED = "spec"


def _uuid(short: str) -> str:
    return f"1517{short}-4947-11e9-8646-d663bd873d93"


SERVICE_CONFIGURATION = _uuid("1000")
DEVICE_INFO = _uuid("1001")
DEVICE_CONTROL = _uuid("1002")
DEVICE_REPORT = _uuid("1004")
REPORT_BYTES_MIN = 5  # a kind and its time; the rest of 36 is reserved
REPORTS: Mapping[int, str] = MappingProxyType({
    1: "power off", 4: "power save", 5: "button pressed once", 6: "button pressed twice",
    7: "button pressed three times",
})  # fmt: skip
SERVICE_MEASUREMENT = _uuid("2000")
MEASUREMENT_CONTROL = _uuid("2001")
PAYLOAD_LONG = _uuid("2002")
PAYLOAD_MEDIUM = _uuid("2003")
PAYLOAD_SHORT = _uuid("2004")
HEADING_RESET = _uuid("2006")
HEADING_STATUS = _uuid("2007")
SERVICE_BATTERY = _uuid("3000")
BATTERY = _uuid("3001")
SERVICE_MESSAGE = _uuid("7000")
MESSAGE_CONTROL = _uuid("7001")
MESSAGE_ACK = _uuid("7002")
MESSAGE_NOTIFICATION = _uuid("7003")

MODE_CUSTOM_5 = 26  # orientation quaternion, acceleration, rate: all that gait needs, 44 bytes
OUTPUT_RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)  # 120 is for recording on the device only
VISIT_OUTPUT_RATE = 0x10
STAMP_WRAP = 2**32  # microseconds, 71.58 min

# What follows the u32 time stamp, by payload mode: key, number of values, struct letter.
_QUAT = ("quat_wxyz", 4, "f")
_EULER = ("euler_deg", 3, "f")
_FREE = ("free_acc_ms2", 3, "f")
_ACC = ("acc_ms2", 3, "f")
_GYR = ("gyr_dps", 3, "f")
_MAG = ("mag_counts", 3, "h")  # 4096 counts = 1 arbitrary unit
_DQ = ("dq", 4, "f")
_DV = ("dv_mps", 3, "f")
_STATUS = ("status", 1, "H")
_CLIP = ("clip_counts", 2, "B")  # the order of the two counts is not verified
MODES: dict[int, tuple[tuple[str, int, str], ...]] = {
    2: (_QUAT, _FREE, _STATUS, _CLIP),
    3: (_QUAT, _FREE),
    4: (_EULER,),
    5: (_QUAT,),
    6: (_FREE,),
    7: (_EULER, _FREE, _STATUS, _CLIP),
    16: (_EULER, _FREE),
    18: (_DQ, _DV, _MAG),
    19: (_DQ, _DV),
    20: (_ACC, _GYR, _MAG),
    21: (_ACC, _GYR),
    22: (_EULER, _FREE, _GYR),
    23: (_EULER, _FREE, _MAG),
    24: (_QUAT, _GYR),
    MODE_CUSTOM_5: (_QUAT, _ACC, _GYR),
}
_CHANNEL_MAX = {PAYLOAD_LONG: 63, PAYLOAD_MEDIUM: 40, PAYLOAD_SHORT: 20}
QUATERNION_TOLERANCE = 0.01  # of its length, which is 1: the device rounds to single precision alone


def _need(data: bytes, size: int, what: str) -> None:
    if len(data) < size:
        raise ValueError(f"{what}: {len(data)} bytes, needs {size}")


def mode_size(mode: int) -> int:
    """Bytes of a measurement frame of this payload mode, time stamp included."""
    return 4 + sum(struct.calcsize("<" + letter) * count for _, count, letter in MODES[mode])


def decode_measurement(data: bytes, mode: int) -> dict[str, object]:
    """A measurement notification of a known mode; bytes beyond the mode's length are ignored.

    Raises ``ValueError`` on an unknown mode, a short frame, NaN or infinity.
    """
    if mode not in MODES:
        raise ValueError(f"payload mode {mode} is not documented")
    _need(data, mode_size(mode), f"measurement of mode {mode}")
    decoded: dict[str, object] = {"ts_us": struct.unpack_from("<I", data)[0]}
    offset = 4
    for key, count, letter in MODES[mode]:
        layout = f"<{count}{letter}"
        values = struct.unpack_from(layout, data, offset)
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"measurement of mode {mode}: {key} is not finite")
        decoded[key] = values[0] if count == 1 else list(values)
        offset += struct.calcsize(layout)
    return decoded


@dataclass(frozen=True, slots=True)
class Custom5:
    """One custom mode 5 measurement in SI units; ``stamp_us`` is the device's wrapping clock."""

    stamp_us: int
    quat_wxyz: Quat
    acc_mps2: Vec3
    gyr_rps: Vec3


_CUSTOM_5 = struct.Struct("<I10f")


def unpack_custom5(data: bytes) -> Custom5:
    """Custom mode 5 notification, trailing bytes allowed; ``ValueError`` names what is wrong."""
    _need(data, _CUSTOM_5.size, "custom mode 5")
    stamp, *values = _CUSTOM_5.unpack_from(data)
    if not all(map(math.isfinite, values)):
        raise ValueError("custom mode 5: a field is not finite")
    w, i, j, k, ax, ay, az, gx, gy, gz = values
    return Custom5(stamp, (w, i, j, k), (ax, ay, az), (math.radians(gx), math.radians(gy), math.radians(gz)))


def pack_custom5(frame: Custom5) -> bytes:
    """The 44 bytes the device would send: rate in degrees per second on the wire."""
    return _CUSTOM_5.pack(
        frame.stamp_us % STAMP_WRAP,
        *frame.quat_wxyz,
        *frame.acc_mps2,
        *(math.degrees(rate) for rate in frame.gyr_rps),
    )


def measurement_command(*, start: bool, mode: int = MODE_CUSTOM_5) -> bytes:
    """Start or stop measuring; notifications on the right payload characteristic come first."""
    return bytes((0x01, int(start), mode))


def output_rate_command(rate_hz: int) -> bytes:
    """Control characteristic (32 bytes) that changes the output rate alone."""
    if rate_hz not in OUTPUT_RATES_HZ:
        raise ValueError(f"output rate {rate_hz} Hz, allowed: {', '.join(map(str, OUTPUT_RATES_HZ))}")
    control = bytearray(32)
    control[0] = VISIT_OUTPUT_RATE
    struct.pack_into("<H", control, 24, rate_hz)
    return bytes(control)


def message_checksum(body: bytes) -> int:
    """The byte that makes the sum of a message-service frame 0 modulo 256."""
    return -sum(body) & 0xFF


def message(mid: int, payload: bytes) -> bytes:
    """A message-service frame: MID, LEN, DATA, CHECKSUM."""
    body = bytes((mid, len(payload))) + payload
    return body + bytes((message_checksum(body),))


def _decode_message(data: bytes) -> dict[str, object]:
    _need(data, 3, "message")
    if len(data) != data[1] + 3:
        raise ValueError(f"message: {len(data)} bytes, its length byte says {data[1] + 3}")
    return {"checksum_ok": sum(data) & 0xFF == 0}


def _decode_info(data: bytes) -> dict[str, object]:
    _need(data, 34, "device info")
    year, month, day, hour, minute, second = struct.unpack_from("<H5B", data, 9)
    softdevice, serial = struct.unpack_from("<IQ", data, 16)
    return {
        "mac": ":".join(f"{byte:02X}" for byte in reversed(data[:6])),
        "firmware": "{}.{}.{}".format(*data[6:9]),
        "build": f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}",
        "softdevice": softdevice,
        "serial": serial,
        "product": data[28:34].rstrip(b"\0").decode("ascii", "replace"),
    }


def _decode_control(data: bytes) -> dict[str, object]:
    _need(data, 32, "device control")
    return {
        "visit": data[0],
        "output_rate_hz": struct.unpack_from("<H", data, 24)[0],
        "filter": data[26],
        "tag": data[8 : 8 + min(data[7], 16)].decode("ascii", "replace"),
    }


def _channel_of(mode: int) -> str:
    """The characteristic that a mode is sent on: the smallest that it fits."""
    return min((size, uuid) for uuid, size in _CHANNEL_MAX.items() if mode_size(mode) <= size)[1]


def _decode_payload(data: bytes, channel: str, told: int | None) -> dict[str, object]:
    if len(data) > _CHANNEL_MAX[channel]:
        raise ValueError(f"measurement: {len(data)} bytes, this channel carries {_CHANNEL_MAX[channel]}")
    if told is not None:
        allowed = [mode for mode in MODES if _channel_of(mode) == channel]
        if told not in allowed:
            raise ValueError(f"mode {told}, allowed on this channel: {', '.join(map(str, allowed))}")
        decoded = decode_measurement(data, told)
        if not _is_rotation(data, told):
            raise ValueError(f"measurement: its quaternion has not length 1, so it is not of mode {told}")
        return decoded
    if channel == PAYLOAD_LONG:
        decoded = decode_measurement(data, MODE_CUSTOM_5)
        if not _is_rotation(data, MODE_CUSTOM_5):
            raise ValueError("measurement: its quaternion has not length 1, so it is not of custom mode 5")
        return decoded
    fitting = _fitting_modes(data, channel)
    if len(fitting) != 1:
        said = ", ".join(f"{mode} ({' '.join(key for key, _, _ in MODES[mode])})" for mode in fitting)
        raise ValueError(
            f"measurement: {len(data)} bytes do not tell the payload mode, allowed: one that only one mode "
            f"fits; here {said or 'none'}"
        )
    return decode_measurement(data, fitting[0])


def _fitting_modes(data: bytes, channel: str) -> list[int]:
    """Modes of the channel whose length it is; a full one may be a shorter mode's, filled up with zeros."""
    full = len(data) == _CHANNEL_MAX[channel]
    shortest = 0 if channel == PAYLOAD_SHORT else _CHANNEL_MAX[PAYLOAD_SHORT] + 1
    fitting = []
    for mode in MODES:
        size = mode_size(mode)
        filled = full and shortest <= size < len(data) and not any(data[size:])
        if (size == len(data) or filled) and _is_rotation(data, mode):
            fitting.append(mode)
    return fitting


def _is_rotation(data: bytes, mode: int) -> bool:
    """Whether the mode's quaternion, where it begins with one, has length 1: nothing else in it tells."""
    if MODES[mode][0] is not _QUAT:
        return True
    length = math.sqrt(math.fsum(value * value for value in struct.unpack_from("<4f", data, 4)))
    return abs(length - 1.0) <= QUATERNION_TOLERANCE


def decode(data: bytes, channel: str | None, mode: int | None = None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it.

    A measurement does not carry its payload mode: without ``mode`` a medium or short one is decoded only
    where its length tells it, filled up with zeros or not.
    """
    channel = (channel or "").lower()
    if channel in _CHANNEL_MAX:
        return _decode_payload(data, channel, mode)
    if mode is not None:
        raise ValueError("mode: only a measurement has one")
    if channel in (MESSAGE_CONTROL, MESSAGE_ACK, MESSAGE_NOTIFICATION):
        return _decode_message(data)
    if channel == MEASUREMENT_CONTROL:
        _need(data, 3, "measurement control")
        if data[1] > 1:
            raise ValueError(f"measurement control: action {data[1]}, allowed: 0 stop, 1 start")
        return {"type": data[0], "action": data[1], "mode": data[2]}
    if channel == DEVICE_INFO:
        return _decode_info(data)
    if channel == DEVICE_CONTROL:
        return _decode_control(data)
    if channel == DEVICE_REPORT:
        _need(data, 5, "device report")
        return {"type": data[0], "time_ms": struct.unpack_from("<I", data, 1)[0]}
    if channel == BATTERY:
        _need(data, 2, "battery")
        if data[0] > 100:
            raise ValueError(f"battery: level {data[0]} %")
        return {"level_percent": data[0], "charging": bool(data[1])}
    if channel in (HEADING_RESET, HEADING_STATUS):
        _need(data, 2, "heading reset")
        return {"heading": struct.unpack_from("<H", data)[0]}
    raise ValueError(f"channel {channel or 'none'} is not a Movella DOT characteristic")


class MovellaDot(BleSensor[ImuSample]):
    """A DOT streaming custom mode 5: ``async with`` connects and starts it, ``async for`` gives samples.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` follows the device's time stamps, so
    a lost notification shows as a jump; one that is broken, repeated or stamped far off its arrival is an
    invalid sample with a reason. Force and rate are means over the interval that the device's stamp ends: a
    sample's time is the middle of it.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, rate_hz: int = 60
    ) -> None:
        super().__init__(name, address, backend)
        self._control = output_rate_command(rate_hz)
        self._period_ns = 1e9 / rate_hz
        self._half_ns = round(self._period_ns / 2)
        self._clock = DeviceClock(wrap=STAMP_WRAP, tick_ns=1000)
        self._seq = -1
        self._device_ns: int | None = None

    async def _start(self, link: BleLink) -> None:
        await link.write(DEVICE_CONTROL, self._control)
        await link.notify(PAYLOAD_LONG, self._on_payload)
        with contextlib.suppress(DeviceError):  # it measures without its button too
            await link.notify(DEVICE_REPORT, self._on_report)
        await link.write(MEASUREMENT_CONTROL, measurement_command(start=True))

    async def _stop(self, link: BleLink) -> None:
        await link.write(MEASUREMENT_CONTROL, measurement_command(start=False))

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it cannot be read."""
        return await self._read_percent(BATTERY)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        return ImuSample(
            self.name, arrival_ns, arrival_ns, max(self._seq, 0), ZERO3, ZERO3, valid=False, reason=reason
        )

    def _on_report(self, data: bytes, arrival_ns: int) -> None:
        """A press of the button, or a goodbye; its own time is of a clock that nothing else is told by."""
        if len(data) >= REPORT_BYTES_MIN and (text := REPORTS.get(data[0])):
            self._words.append(SensorWord(arrival_ns, text))

    def _on_payload(self, data: bytes, arrival_ns: int) -> None:
        self._put(self.accept(data, arrival_ns))

    def accept(self, data: bytes, arrival_ns: int) -> ImuSample:
        """One notification to one sample; never raises."""
        try:
            frame = unpack_custom5(data)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        mapped = self._clock.map(frame.stamp_us, arrival_ns)
        if mapped.doubtful:
            return self._invalid("time stamp does not fit its arrival", arrival_ns)
        step = 1
        if self._device_ns is not None:
            step = round((mapped.device_ns - self._device_ns) / self._period_ns)
            if mapped.reset:
                step = max(step, 1)
        if step < 1:
            return self._invalid("time stamp repeated or gone back", arrival_ns)
        self._device_ns = mapped.device_ns
        self._seq += step
        return ImuSample(
            self.name,
            mapped.t_ns - self._half_ns,
            arrival_ns,
            self._seq,
            frame.acc_mps2,
            frame.gyr_rps,
            frame.quat_wxyz,
            reason=mapped.reason,
        )
