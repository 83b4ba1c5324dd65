"""An emulated Upside Down Labs NPG Lite: the same bytes, characteristics and commands as its firmware.

Promises 500 Hz of three or six channels, each sample computed at its own instant and counted from 0 at every
start; refuses to send before it was told to start.
"""

from __future__ import annotations

from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emg import npg_lite
from drivers.emulated.radio import Peripheral, watched
from drivers.emulated.sampling import EmgSource, sample

_BATCH = npg_lite.SAMPLES_PER_NOTIFICATION
_READABLE = Attribute.Permissions.READABLE


class EmulatedNpgLite(Peripheral):
    """An NPG Lite that measures what ``emg`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        emg: EmgSource,
        *,
        channels: int = 3,
        name: str = "NPG-Lite-3CH:1A:2B",
        address: str = "E4:B0:63:00:1A:2B",
        drift_ppm: float = 0.0,
        battery_percent: int = 80,
        identity: bytes = b"NPG-LITE",
    ) -> None:
        super().__init__(name, address)
        self._emg = emg
        self._channels = channels
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._battery = bytes((battery_percent,))
        self._identity = identity
        self._said = b""
        self._data: Characteristic[bytes] = Characteristic(
            npg_lite.DATA, Characteristic.Properties.NOTIFY, _READABLE
        )
        self._control: Characteristic[bytes] = Characteristic(
            npg_lite.CONTROL,
            Characteristic.Properties.READ
            | Characteristic.Properties.WRITE
            | Characteristic.Properties.NOTIFY,
            _READABLE | Attribute.Permissions.WRITEABLE,
            AttributeValue(read=lambda _connection: self._said, write=self._write_control),
        )

    def services(self) -> Sequence[Service]:
        battery: Characteristic[bytes] = Characteristic(
            npg_lite.BATTERY,
            Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
            _READABLE,
            self._battery,
        )
        return (Service(npg_lite.SERVICE, [self._data, self._control, battery]),)

    async def _write_control(self, _connection: Connection, value: bytes) -> None:
        command = value.decode("ascii", "replace").strip().upper()
        self._said = value
        if command == "START":
            await self.idle()
            self._task = watched(sample(self._send, self._due_ns), f"{self.name}: stream")
        elif command == "STOP":
            await self.idle()
        elif command == "WHORU":
            self._say(self._identity)
        elif command == "STATUS":
            self._say(b"RUNNING" if self._task is not None else b"STOPPED")
        else:
            self._say(b"UNKNOWN COMMAND")

    def _say(self, text: bytes) -> None:
        self._said = text
        self.notify(self._control, text)

    def _due_ns(self, batch: int) -> int:
        """When the last sample of a batch is taken."""
        return round(((batch + 1) * _BATCH - 1) * npg_lite.SAMPLE_NS * self._pace)

    def _send(self, batch: int, due_ns: int) -> None:
        step_ns = npg_lite.SAMPLE_NS * self._pace
        body = b""
        for place in range(_BATCH):
            volts = self._emg(due_ns - round((_BATCH - 1 - place) * step_ns))
            if volts is None:
                return
            body += bytes(((batch * _BATCH + place) % 256,))
            for volt in volts[: self._channels]:
                count = round(volt / npg_lite.VOLTS_PER_COUNT) + 2048
                body += min(max(count, 0), 4095).to_bytes(2, "big")
        self.notify(self._data, body)
