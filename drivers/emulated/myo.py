"""An emulated Thalmic Myo: the same bytes and characteristics as the armband.

Promises EMG at 200 Hz in rotation and inertial samples at 50 Hz, each computed at its own instant; refuses to
send before notifications are enabled and a mode is set.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence

from bumble.att import ATT_Error, Attribute, AttributeValue, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emg import myo
from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import EmgSource, ImuSource, sample
from drivers.interface import Quat, Vec3

_READ = Characteristic.Properties.READ
_NOTIFY = Characteristic.Properties.NOTIFY
_READABLE = Attribute.Permissions.READABLE


def _no_motion(_t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    return (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, myo.STANDARD_GRAVITY), (0.0, 0.0, 0.0)


class EmulatedMyo(Peripheral):
    """A Myo that measures what ``emg`` and ``imu`` say at each sample instant; its clock may drift."""

    def __init__(
        self,
        emg: EmgSource,
        imu: ImuSource = _no_motion,
        *,
        name: str = "Myo",
        address: str = "D5:06:00:00:00:01",
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
    ) -> None:
        super().__init__(name, address)
        self._emg_source = emg
        self._imu_source = imu
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._battery = bytes((battery_percent,))
        self._tasks: list[asyncio.Task[None]] = []
        self._emg: list[Characteristic[bytes]] = [
            Characteristic(uuid, _NOTIFY, _READABLE) for uuid in myo.EMG
        ]
        self._imu: Characteristic[bytes] = Characteristic(myo.IMU, _NOTIFY, _READABLE)

    def advertised_services(self) -> Sequence[str]:
        return (myo.SERVICE_CONTROL,)

    def services(self) -> Sequence[Service]:
        def fixed(uuid: str, value: bytes) -> Characteristic[bytes]:
            return Characteristic(uuid, _READ, _READABLE, value)

        command = Characteristic(
            myo.COMMAND,
            Characteristic.Properties.WRITE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._write_command),
        )
        info = bytes(reversed(bytes.fromhex(self.address.replace(":", "")))) + bytes(14)
        firmware = struct.pack("<4H", 1, 5, 1970, 2)
        return (
            Service(
                myo.SERVICE_CONTROL, [fixed(myo.DEVICE_INFO, info), fixed(myo.FIRMWARE, firmware), command]
            ),
            Service(myo.SERVICE_IMU, [self._imu]),
            Service(myo.SERVICE_EMG, self._emg),
            Service(myo.SERVICE_BATTERY, [fixed(myo.BATTERY, self._battery)]),
        )

    async def idle(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _write_command(self, _connection: Connection, value: bytes) -> None:
        try:
            command = myo.decode(value, myo.COMMAND)
        except ValueError as error:
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED) from error
        if command["cmd"] != 0x01:
            return  # vibration, light and sleep have no effect on what is measured
        await self.idle()
        if command["emg"] != myo.EMG_OFF:
            self._begin(self._send_emg, 1e9 * myo.EMG_PER_NOTIFICATION / myo.EMG_RATE_HZ, "EMG")
        if command["imu"] != myo.IMU_OFF:
            self._begin(self._send_imu, 1e9 / myo.IMU_RATE_HZ, "IMU")

    def _begin(self, send: Callable[[int, int], None], period_ns: float, what: str) -> None:
        pace_ns = period_ns * self._pace
        self._tasks.append(
            watched(sample(send, lambda count: round(count * pace_ns)), f"{self.name}: {what}")
        )

    def _send_emg(self, count: int, due_ns: int) -> None:
        step_ns = round(1e9 / myo.EMG_RATE_HZ * self._pace)
        # A notification leaves when its last sample is taken.
        ages = range(myo.EMG_PER_NOTIFICATION - 1, -1, -1)
        samples = [self._emg_source(due_ns - age * step_ns) for age in ages]
        present = [sample for sample in samples if sample is not None]
        if len(present) == len(samples):
            self.notify(self._emg[count % len(self._emg)], myo.pack_emg(present))

    def _send_imu(self, _count: int, due_ns: int) -> None:
        values = self._imu_source(due_ns)
        if values is not None:
            self.notify(self._imu, myo.pack_imu(*values))
