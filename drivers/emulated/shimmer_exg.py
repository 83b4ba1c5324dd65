"""An emulated Shimmer3R with EXG unit: the same bytes, acknowledgements and stream as the device.

Promises what its settings say, in pieces of the stream that end anywhere; passes over unknown commands. It
streams the first EXG chip in 24 bits alone; other sensors are not emulated.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emg import shimmer
from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import EmgSource, sample

REFERENCE_V, FULL_COUNT = 2.42, 2**23 - 1
_GAINS = {0: 6, 1: 1, 2: 2, 3: 3, 4: 4, 5: 8, 6: 12}
_CLOCK_HZ = 32768
_EXG1_24BIT = 0x10


class EmulatedShimmerExg(Peripheral):
    """A Shimmer3R that measures what ``emg`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        emg: EmgSource,
        *,
        name: str = "Shimmer3R-0001-BLE",
        address: str = "00:06:66:00:00:01",
        drift_ppm: float = 0.0,
        piece_bytes: int = 100,
        has_exg: bool = True,
        first_stamp: int = 0,
    ) -> None:
        super().__init__(name, address)
        self._emg = emg
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._piece = piece_bytes
        self._has_exg = has_exg
        self._first_stamp = first_stamp
        self._divisor = 640
        self._sensors = 0
        self._powered = False
        self._registers = [bytes(10), bytes(10)]
        self._unsent = b""
        self._out: Characteristic[bytes] = Characteristic(
            shimmer.NOTIFY, Characteristic.Properties.NOTIFY, Attribute.Permissions.READABLE
        )

    def services(self) -> Sequence[Service]:
        commands = Characteristic(
            shimmer.WRITE,
            Characteristic.Properties.WRITE,
            Attribute.Permissions.WRITEABLE,
            AttributeValue(read=unreadable, write=self._command),
        )
        return (Service(shimmer.SERVICE, [commands, self._out]),)

    async def _command(self, _connection: Connection, value: bytes) -> None:
        answer = b"\xff"
        match value[:1].hex(), value[1:]:
            case "05", bytes(divisor) if len(divisor) == 2 and any(divisor):
                (self._divisor,) = struct.unpack("<H", divisor)
            case "08", bytes(sensors) if len(sensors) == 3:
                self._sensors = int.from_bytes(sensors, "little")
            case "5e", bytes(power) if len(power) == 1:
                self._powered = bool(power[0])
            case "61", bytes(exg) if len(exg) == 13 and exg[:3] in (b"\0\0\x0a", b"\1\0\x0a"):
                self._registers[exg[0]] = exg[3:]
            case "01", b"":
                channels = b"\x1d\x1e\x1f" if self._streams_exg() else b""
                settings = bytes(7)
                answer += b"\x02" + struct.pack("<H", self._divisor) + settings
                answer += bytes((len(channels), 1)) + channels
            case "07", b"":
                await self.idle()
                self._unsent = b""
                answer += b"\x8a\x71\x12"
                work = sample(self._send, lambda count: round(count * self._period_ns() * self._pace))
                self.notify(self._out, answer)
                self._task = watched(work, f"{self.name}: stream")
                return
            case "20", b"":
                await self.idle()
            case "a3", bytes(on) if len(on) == 1:
                pass
            case _:
                return
        self.notify(self._out, answer)

    def _streams_exg(self) -> bool:
        return self._has_exg and self._sensors == _EXG1_24BIT

    def _period_ns(self) -> float:
        return 1e9 * self._divisor / _CLOCK_HZ

    def _send(self, count: int, due_ns: int) -> None:
        volts = self._emg(due_ns)
        if volts is None or not self._streams_exg():
            return
        stamp = (self._first_stamp + count * self._divisor) % (1 << 24)
        packet = b"\0" + stamp.to_bytes(3, "little") + b"\xc0"
        for place in (0, 1):
            setting = self._registers[0][3 + place]
            asleep = setting >> 7 or not self._powered
            gain = _GAINS.get(setting >> 4 & 7, 1)
            value = 0.0 if asleep or place >= len(volts) else volts[place]
            counts = round(value * gain / REFERENCE_V * FULL_COUNT)
            packet += min(max(counts, -FULL_COUNT - 1), FULL_COUNT).to_bytes(3, "big", signed=True)
        self._unsent += packet
        while len(self._unsent) >= self._piece:
            self.notify(self._out, self._unsent[: self._piece])
            self._unsent = self._unsent[self._piece :]
