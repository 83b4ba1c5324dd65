"""Nordic Thingy:52: bytes to values and back, and the driver that streams its raw motion.

Layouts: documentation of Nordic-Thingy52-FW (firmware_architecture), little-endian fixed point. A
notification carries neither counter nor time. Verified against the documentation only.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace

from drivers.interface import ZERO3, ImuSample
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "spec"


def _uuid(short: str) -> str:
    return f"ef68{short}-9b35-4933-9b10-52ffa9740042"


SERVICE_MOTION = _uuid("0400")
CONFIGURATION = _uuid("0401")
QUATERNION = _uuid("0404")
RAW = _uuid("0406")
EULER = _uuid("0407")
ROTATION = _uuid("0408")
HEADING = _uuid("0409")
GRAVITY = _uuid("040a")
SERVICE_BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"

RATE_MIN_HZ, RATE_MAX_HZ = 5, 200
STANDARD_GRAVITY = 9.80665
_ACC_SCALE, _GYR_SCALE, _MAG_SCALE = 1024.0, 32.0, 16.0  # counts per g, deg/s, uT: Q6.10, Q11.5, Q12.4
_RAW = struct.Struct("<9h")
# Values of one kind each: key, number, struct letter, counts per unit
_VALUES = {
    QUATERNION: ("quat_wxyz", 4, "i", 2.0**30),
    EULER: ("roll_pitch_yaw_deg", 3, "i", 2.0**16),
    ROTATION: ("rotation_matrix", 9, "h", 2.0**14),
    HEADING: ("heading_deg", 1, "i", 2.0**16),
    GRAVITY: ("gravity_mps2", 3, "f", 1.0),
}


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What the motion service does; ``rate_hz`` is that of raw data and fusion alike."""

    step_interval_ms: int
    temperature_interval_ms: int
    magnetometer_interval_ms: int
    rate_hz: int
    wake_on_motion: int

    _LAYOUT = struct.Struct("<4HB")

    @classmethod
    def unpack(cls, data: bytes) -> MotionSettings:
        """``ValueError`` where it is not nine bytes or the rate is out of range."""
        if len(data) != cls._LAYOUT.size:
            raise ValueError(f"motion settings: {len(data)} bytes, must be {cls._LAYOUT.size}")
        settings = cls(*cls._LAYOUT.unpack(data))
        if not RATE_MIN_HZ <= settings.rate_hz <= RATE_MAX_HZ:
            raise ValueError(f"motion rate {settings.rate_hz} Hz, allowed: {RATE_MIN_HZ} to {RATE_MAX_HZ}")
        return settings

    def pack(self) -> bytes:
        return self._LAYOUT.pack(
            self.step_interval_ms,
            self.temperature_interval_ms,
            self.magnetometer_interval_ms,
            self.rate_hz,
            self.wake_on_motion,
        )


def unpack_raw(data: bytes) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Acceleration in g, rate in degrees per second, field in uT; ``ValueError`` on any other length."""
    if len(data) != _RAW.size:
        raise ValueError(f"raw motion: {len(data)} bytes, must be {_RAW.size}")
    counts = _RAW.unpack(data)
    return (
        tuple(count / _ACC_SCALE for count in counts[:3]),
        tuple(count / _GYR_SCALE for count in counts[3:6]),
        tuple(count / _MAG_SCALE for count in counts[6:]),
    )


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it."""
    channel = (channel or "").lower()
    if channel == RAW:
        acc_g, gyr_dps, mag_ut = unpack_raw(data)
        return {"acc_g": list(acc_g), "gyr_dps": list(gyr_dps), "mag_uT": list(mag_ut)}
    if channel in _VALUES:
        key, count, letter, scale = _VALUES[channel]
        layout = f"<{count}{letter}"
        if len(data) != struct.calcsize(layout):
            raise ValueError(f"{key}: {len(data)} bytes, must be {struct.calcsize(layout)}")
        values = [value / scale for value in struct.unpack(layout, data)]
        if not all(map(math.isfinite, values)):
            raise ValueError(f"{key} is not finite")
        return {key: values[0] if count == 1 else values}
    if channel == CONFIGURATION:
        settings = MotionSettings.unpack(data)
        return {
            "step_interval_ms": settings.step_interval_ms,
            "temperature_interval_ms": settings.temperature_interval_ms,
            "magnetometer_interval_ms": settings.magnetometer_interval_ms,
            "rate_hz": settings.rate_hz,
            "wake_on_motion": bool(settings.wake_on_motion),
        }
    if channel == BATTERY:
        if len(data) != 1 or data[0] > 100:
            raise ValueError(f"battery: {data.hex() or 'nothing'}, allowed: one byte up to 100 %")
        return {"level_percent": data[0]}
    raise ValueError(f"channel {channel or 'none'} is not a Thingy:52 characteristic")


class Thingy52(BleSensor[ImuSample]):
    """A Thingy:52 streaming raw acceleration and rate.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples. As none is
    numbered, a lost one shows by lateness alone, within two seconds; samples since are valid with a reason
    until it is sure. The other motion settings stay as they were found.
    """

    def __init__(
        self, name: str, address: str, backend: BleBackend | None = None, *, rate_hz: int = 100
    ) -> None:
        super().__init__(name, address, backend)
        if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            raise ValueError(f"rate {rate_hz} Hz, allowed: {RATE_MIN_HZ} to {RATE_MAX_HZ}")
        self._rate_hz = rate_hz
        self._clock = RotationClock(period_ns=round(1e9 / rate_hz), cycle=1)
        self._seq = 0

    async def _start(self, link: BleLink) -> None:
        found = await link.read(CONFIGURATION)
        settings = MotionSettings.unpack(found[:6] + struct.pack("<H", self._rate_hz) + found[8:])
        await link.write(CONFIGURATION, replace(settings, rate_hz=self._rate_hz).pack())
        self._clock.restart()
        await link.notify(RAW, lambda data, arrival_ns: self._put(self.accept(data, arrival_ns)))

    async def _stop(self, link: BleLink) -> None:
        pass  # it stops by itself when nobody listens

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it cannot be read."""
        return await self._read_percent(BATTERY)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample:
        return ImuSample(
            self.name, arrival_ns, arrival_ns, self._seq, ZERO3, ZERO3, valid=False, reason=reason
        )

    def accept(self, data: bytes, arrival_ns: int) -> ImuSample:
        """One notification of raw motion to one sample; never raises."""
        place = self._clock.step(0, arrival_ns)
        self._seq = place.count
        try:
            (ax, ay, az), (gx, gy, gz), _ = unpack_raw(data)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if place.repeated:
            return self._invalid(REPEATED, arrival_ns)
        g = STANDARD_GRAVITY
        return ImuSample(
            self.name,
            place.t_ns,
            arrival_ns,
            place.count,
            (ax * g, ay * g, az * g),
            (math.radians(gx), math.radians(gy), math.radians(gz)),
            reason=place.reason,
        )
