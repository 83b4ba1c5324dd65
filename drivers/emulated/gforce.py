"""An emulated OYMotion gForcePro+: the same bytes, characteristics, commands and answers as the armband.

Promises EMG at the rate, width and batch it was set to, each sample computed at its own instant; refuses
what the armband refuses, with its result, and to send before the data switch is set. A notification that does
not fit goes in pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emg import gforce
from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import EmgSource, sample

_DEFAULT = gforce.EmgSettings(rate_hz=650, channel_mask=0xFF, batch_bytes=gforce.EMG_BYTES, bits=8)
_TEXTS = {0x02: b"gForcePro+", 0x03: b"gForcePro+", 0x06: b"1.8.6", 0x07: b"OYMotion"}
_MINIMUM_MTU = 23


class EmulatedGForce(Peripheral):
    """A gForcePro+ that measures what ``emg`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        emg: EmgSource,
        *,
        name: str = "gForcePro+(0001)",
        address: str = "F0:00:FF:E1:00:01",
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
        mtu_max: int = 247,
    ) -> None:
        super().__init__(name, address)
        self._emg = emg
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._battery_percent = battery_percent
        self._mtu_max = mtu_max
        self._mtu = _MINIMUM_MTU
        self._settings = _DEFAULT
        self._command: Characteristic[bytes] = Characteristic(
            gforce.COMMAND,
            Characteristic.Properties.WRITE
            | Characteristic.Properties.WRITE_WITHOUT_RESPONSE
            | Characteristic.Properties.NOTIFY,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._write_command),
        )
        self._data: Characteristic[bytes] = Characteristic(
            gforce.DATA, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )

    def services(self) -> Sequence[Service]:
        return (Service(gforce.SERVICE, [self._command, self._data]),)

    async def _write_command(self, connection: Connection, value: bytes) -> None:
        self._mtu = min(connection.att_mtu, self._mtu_max)
        if not value:
            return
        operation, payload = value[0], value[1:]
        if operation == gforce.POWER_OFF:
            await connection.disconnect()
            return
        result, answer = await self._obey(operation, payload)
        self._send(self._command, bytes((result, operation)) + answer)

    async def _obey(self, operation: int, payload: bytes) -> tuple[int, bytes]:
        """Result and data of the answer."""
        if operation == gforce.SET_DATA_SWITCH:
            return await self._switch(payload), b""
        if operation == gforce.SET_EMG:
            return self._set_emg(payload), b""
        if payload:
            return gforce.BAD_PARAMETER, b""
        if operation == gforce.GET_EMG:
            return gforce.SUCCESS, self._settings.pack()
        if operation == gforce.BATTERY:
            return gforce.SUCCESS, bytes((self._battery_percent,))
        if operation in _TEXTS:
            return gforce.SUCCESS, _TEXTS[operation]
        return gforce.UNSUPPORTED, b""

    async def _switch(self, payload: bytes) -> int:
        if len(payload) != 4:
            return gforce.BAD_PARAMETER
        await self.idle()
        if payload[0] & gforce.SWITCH_EMG:
            period_ns = self._batch() * 1e9 / self._settings.rate_hz * self._pace
            self._task = watched(
                sample(self._send_emg, lambda count: round(count * period_ns)), f"{self.name}: EMG"
            )
        return gforce.SUCCESS

    def _set_emg(self, payload: bytes) -> int:
        if len(payload) != 6:
            return gforce.BAD_PARAMETER
        settings = gforce.EmgSettings.unpack(payload)
        fast = settings.bits == 12 and settings.rate_hz > gforce.RATE_12_BIT_MAX_HZ
        channels = settings.channel_mask.bit_count()
        if settings.rate_hz not in gforce.RATES_HZ or settings.bits not in (8, 12) or fast:
            return gforce.BAD_PARAMETER
        if not 1 <= channels <= gforce.CHANNELS or settings.channel_mask >> gforce.CHANNELS:
            return gforce.BAD_PARAMETER
        self._settings = settings
        return gforce.SUCCESS

    def _batch(self) -> int:
        """Samples of a notification."""
        width = self._settings.channel_mask.bit_count() * (1 if self._settings.bits == 8 else 2)
        return max(self._settings.batch_bytes // width, 1)

    def _send_emg(self, _count: int, due_ns: int) -> None:
        """A notification leaves when its last sample is taken."""
        settings = self._settings
        step_ns = 1e9 / settings.rate_hz * self._pace
        taken = [self._emg(due_ns - round(age * step_ns)) for age in range(self._batch() - 1, -1, -1)]
        present = [volts for volts in taken if volts is not None]
        if len(present) < len(taken):
            return
        middle = 1 << settings.bits - 1
        per_volt = (middle - 1) / gforce.VOLTS_FULL_SCALE
        wanted = [n for n in range(gforce.CHANNELS) if settings.channel_mask >> n & 1]
        counts = [
            min(max(round(volts[n] * per_volt) + middle, 0), 2 * middle - 1)
            for volts in present
            for n in wanted
        ]
        self._send(
            self._data, struct.pack(f"<B{len(counts)}{'B' if settings.bits == 8 else 'H'}", 8, *counts)
        )

    def _send(self, characteristic: Characteristic[bytes], value: bytes) -> None:
        room = self._mtu - 3
        if len(value) <= room:
            self.notify(characteristic, value)
            return
        pieces = [value[at : at + room - 2] for at in range(0, len(value), room - 2)]
        for left, piece in zip(range(len(pieces) - 1, -1, -1), pieces, strict=True):
            self.notify(characteristic, bytes((gforce.PIECE, left)) + piece)
