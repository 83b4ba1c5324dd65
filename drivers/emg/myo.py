"""Thalmic Myo: bytes to values and back, and the driver that streams eight EMG channels and inertial samples.

Layouts: thalmiclabs/myo-bluetooth myohw.h (public header), little-endian as every implementation reads it.
Refuses short or long frames. Not verified on hardware: no public capture exists.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from drivers.interface import ZERO3, EmgFrame, ImuSample
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.rotation_clock import REPEATED, Counted, RotationClock

VERIFIED = "vendor-code"


def _uuid(short: str) -> str:
    return f"d506{short}-a904-deb9-4748-2c7f4a124842"


SERVICE_CONTROL = _uuid("0001")
DEVICE_INFO = _uuid("0101")
FIRMWARE = _uuid("0201")
COMMAND = _uuid("0401")
SERVICE_IMU = _uuid("0002")
IMU = _uuid("0402")
SERVICE_EMG = _uuid("0005")
EMG = (_uuid("0105"), _uuid("0205"), _uuid("0305"), _uuid("0405"))  # in the order of their rotation
SERVICE_BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"

EMG_CHANNELS = 8
EMG_RATE_HZ = 200.0
EMG_PER_NOTIFICATION = 2
IMU_RATE_HZ = 50.0
EMG_OFF, EMG_FILTERED, EMG_RAW = 0, 2, 3
IMU_OFF, IMU_DATA = 0, 1
# The gain of the Myo is not public. Unverified: 10 uV a count puts its +-128 counts on +-1.28 mV, the range
# of surface EMG. Nothing may rely on the absolute size.
VOLTS_PER_COUNT = 10e-6
STANDARD_GRAVITY = 9.80665
_QUAT_SCALE, _ACC_SCALE, _GYR_SCALE = 16384.0, 2048.0, 16.0  # counts per 1, per g, per deg/s (myohw.h)

# Command payloads: number, name of each byte after the length (myohw.h).
_COMMANDS: dict[int, tuple[str, ...]] = {
    0x01: ("emg", "imu", "classifier"),
    0x03: ("type",),
    0x04: (),
    0x09: ("mode",),
    0x0A: ("type",),
    0x0B: ("type",),
}
_LED, _VIBRATE2 = 0x06, 0x07
_EMG_FRAME = struct.Struct("<16b")
_IMU_FRAME = struct.Struct("<10h")


def _exactly(data: bytes, size: int, what: str) -> None:
    if len(data) != size:
        raise ValueError(f"{what}: {len(data)} bytes, must be {size}")


def unpack_emg(data: bytes) -> tuple[tuple[int, ...], ...]:
    """Two samples of eight channels in counts; ``ValueError`` on any other length."""
    _exactly(data, _EMG_FRAME.size, "EMG")
    counts = _EMG_FRAME.unpack(data)
    return counts[:EMG_CHANNELS], counts[EMG_CHANNELS:]


def pack_emg(samples: Sequence[Sequence[float]]) -> bytes:
    """Two samples of eight channels in volts; the converter saturates, as the device's does."""
    counts = [min(max(round(volt / VOLTS_PER_COUNT), -128), 127) for sample in samples for volt in sample]
    return _EMG_FRAME.pack(*counts)


def unpack_imu(data: bytes) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Quaternion (w first), acceleration in g, rate in degrees per second."""
    _exactly(data, _IMU_FRAME.size, "IMU")
    counts = _IMU_FRAME.unpack(data)
    return (
        tuple(count / _QUAT_SCALE for count in counts[:4]),
        tuple(count / _ACC_SCALE for count in counts[4:7]),
        tuple(count / _GYR_SCALE for count in counts[7:]),
    )


def pack_imu(quat_wxyz: Sequence[float], acc_mps2: Sequence[float], gyr_rps: Sequence[float]) -> bytes:
    """The 20 bytes the device would send for these SI values; out of range saturates."""
    counts = [
        *(value * _QUAT_SCALE for value in quat_wxyz),
        *(value / STANDARD_GRAVITY * _ACC_SCALE for value in acc_mps2),
        *(math.degrees(value) * _GYR_SCALE for value in gyr_rps),
    ]
    return _IMU_FRAME.pack(*(min(max(round(count), -32768), 32767) for count in counts))


def set_mode_command(*, emg: int, imu: int, classifier: int = 0) -> bytes:
    return bytes((0x01, 3, emg, imu, classifier))


def sleep_command(*, never: bool) -> bytes:
    """Without ``never`` the armband falls asleep while it streams."""
    return bytes((0x09, 1, int(never)))


def _decode_command(data: bytes) -> dict[str, object]:
    if len(data) < 2:
        raise ValueError(f"command: {len(data)} bytes, needs 2")
    number, length, payload = data[0], data[1], data[2:]
    decoded: dict[str, object] = {"cmd": number, "len": length}
    if number == _VIBRATE2:
        # The header's comment says 18 bytes, its structure has 20: both are in use.
        if length not in (18, 20) or len(payload) != length:
            raise ValueError(f"command 7: {len(payload)} bytes after a length of {length}, allowed: 18, 20")
        decoded["steps"] = [list(struct.unpack_from("<HB", payload, 3 * step)) for step in range(6)]
        return decoded
    if len(payload) != length:
        raise ValueError(f"command {number}: {len(payload)} bytes after a length of {length}")
    if number == _LED:
        _exactly(payload, 6, "command 6")
        return decoded | {"logo": list(payload[:3]), "line": list(payload[3:])}
    if number not in _COMMANDS:
        raise ValueError(f"command {number} is not documented")
    names = _COMMANDS[number]
    _exactly(payload, len(names), f"command {number}")
    return decoded | dict(zip(names, payload, strict=True))


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it."""
    channel = (channel or "").lower()
    if channel in EMG:
        return {"samples": [list(sample) for sample in unpack_emg(data)]}
    if channel == IMU:
        quat, acc_g, gyr_dps = unpack_imu(data)
        return {"quat": list(quat), "acc_g": list(acc_g), "gyr_dps": list(gyr_dps)}
    if channel == COMMAND:
        return _decode_command(data)
    if channel == BATTERY:
        _exactly(data, 1, "battery")
        if data[0] > 100:
            raise ValueError(f"battery: level {data[0]} %")
        return {"level_percent": data[0]}
    if channel == FIRMWARE:
        _exactly(data, 8, "firmware")
        major, minor, patch, hardware = struct.unpack("<4H", data)
        return {"major": major, "minor": minor, "patch": patch, "hardware": hardware}
    if channel == DEVICE_INFO:
        _exactly(data, 20, "device info")
        return {"serial": data[:6].hex()}
    raise ValueError(f"channel {channel or 'none'} is not a Myo characteristic")


_FIRST_TO_LAST_NS = round((EMG_PER_NOTIFICATION - 1) / EMG_RATE_HZ * 1e9)


class Myo(BleSensor[ImuSample | EmgFrame]):
    """A Myo streaming EMG (200 Hz) and inertial samples (50 Hz) as ``name`` and ``name``/imu in one stream.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` of an EMG frame counts samples at
    200 Hz, so lost notifications show as a jump; a valid sample with a reason is one whose place in time is
    uncertain. ``raw`` asks for EMG without the armband's own filter.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, raw: bool = False
    ) -> None:
        super().__init__(name, address, backend)
        self._emg_mode = EMG_RAW if raw else EMG_FILTERED
        period_ns = round(EMG_PER_NOTIFICATION / EMG_RATE_HZ * 1e9)
        self._emg = RotationClock(period_ns=period_ns, cycle=len(EMG))
        self._imu = RotationClock(period_ns=round(1e9 / IMU_RATE_HZ), cycle=1)
        self._emg_seq = 0
        self._imu_name = f"{name}/imu"

    async def _start(self, link: BleLink) -> None:
        self._emg.restart()
        self._imu.restart()
        for slot, uuid in enumerate(EMG):
            await link.notify(uuid, self._emg_taker(slot))
        await link.notify(IMU, lambda data, arrival_ns: self._put(self.accept_imu(data, arrival_ns)))
        await link.write(COMMAND, set_mode_command(emg=self._emg_mode, imu=IMU_DATA))
        await link.write(COMMAND, sleep_command(never=True))

    async def _stop(self, link: BleLink) -> None:
        await link.write(COMMAND, set_mode_command(emg=EMG_OFF, imu=IMU_OFF))

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it cannot be read."""
        return await self._read_percent(BATTERY)

    def _emg_taker(self, slot: int) -> Callable[[bytes, int], None]:
        return lambda data, arrival_ns: self._put(self.accept_emg(slot, data, arrival_ns))

    def _invalid(self, reason: str, arrival_ns: int) -> EmgFrame:
        return EmgFrame(
            self.name, arrival_ns, arrival_ns, self._emg_seq, EMG_RATE_HZ, (), valid=False, reason=reason
        )

    def _invalid_imu(self, reason: str, place: Counted, arrival_ns: int) -> ImuSample:
        return ImuSample(
            self._imu_name, place.t_ns, arrival_ns, place.count, ZERO3, ZERO3, valid=False, reason=reason
        )

    def accept_emg(self, slot: int, data: bytes, arrival_ns: int) -> EmgFrame:
        """A notification of EMG characteristic ``slot`` (0 to 3) to one frame; never raises."""
        place = self._emg.step(slot, arrival_ns)
        self._emg_seq = place.count * EMG_PER_NOTIFICATION
        try:
            samples = unpack_emg(data)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if place.repeated:
            return self._invalid(REPEATED, arrival_ns)
        volts = tuple(tuple(value * VOLTS_PER_COUNT for value in sample) for sample in samples)
        first_ns = place.t_ns - _FIRST_TO_LAST_NS
        reason = place.reason
        return EmgFrame(self.name, first_ns, arrival_ns, self._emg_seq, EMG_RATE_HZ, volts, reason=reason)

    def accept_imu(self, data: bytes, arrival_ns: int) -> ImuSample:
        """A notification of the inertial characteristic to one sample; never raises."""
        place = self._imu.step(0, arrival_ns)
        try:
            (w, i, j, k), (ax, ay, az), (gx, gy, gz) = unpack_imu(data)
        except ValueError as error:
            return self._invalid_imu(str(error), place, arrival_ns)
        if place.repeated:
            return self._invalid_imu(REPEATED, place, arrival_ns)
        g = STANDARD_GRAVITY
        return ImuSample(
            self._imu_name,
            place.t_ns,
            arrival_ns,
            place.count,
            (ax * g, ay * g, az * g),
            (math.radians(gx), math.radians(gy), math.radians(gz)),
            (w, i, j, k),
            reason=place.reason,
        )
