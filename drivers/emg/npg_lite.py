"""Upside Down Labs NPG Lite: bytes to values, and the driver that streams three or six channels at 500 Hz.

Layouts: the vendor's firmware NPG-Lite-Firmware, big-endian. A notification carries ten samples, each with a
counter of its own that wraps after 256. Its UUIDs are those of an ESP32 example: the driver asks who it is.
Not verified on hardware.
"""

from __future__ import annotations

import struct

from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.packet_order import OUT_OF_ORDER, PacketOrder
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "vendor-code"

SERVICE = "4fafc201-1fb5-459e-8fcc-c5c9c331914b"
DATA = "beb5483e-36e1-4688-b7f5-ea07361b26a8"
CONTROL = "0000ff01-0000-1000-8000-00805f9b34fb"
BATTERY = "f633d0ec-46b4-43c1-a39f-1ca06d0602e1"

CHANNELS = (3, 6)
RATE_HZ = 500.0
SAMPLES_PER_NOTIFICATION = 10
COUNTER_WRAP = 256
COUNT_MAX = 4095  # 12-bit converter
COUNT_ZERO = 2048  # the amplifier rests in the middle of its supply
# 3.3 V over 4096 counts, behind an amplifier of 2424 (both from memory, unverified). Nothing may rely on the
# absolute size.
VOLTS_PER_COUNT = 3.3 / 4096.0 / 2424.0
START, STOP, WHO = b"START", b"STOP", b"WHORU"
COMMANDS = ("START", "STOP", "WHORU", "STATUS")  # in capitals or not
ANSWERS = ("NPG-LITE", "RUNNING", "STOPPED", "UNKNOWN COMMAND")
_SAMPLES: dict[int, struct.Struct] = {
    struct.calcsize(f">B{channels}H") * SAMPLES_PER_NOTIFICATION: struct.Struct(f">B{channels}H")
    for channels in CHANNELS
}

Row = tuple[int, ...]


def unpack(data: bytes) -> tuple[int, tuple[Row, ...]]:
    """Counter of the last sample, and ten samples in counts; ``ValueError`` says what is wrong."""
    if len(data) not in _SAMPLES:
        allowed = " or ".join(map(str, _SAMPLES))
        raise ValueError(f"notification: {len(data)} bytes, must be {allowed} (3 or 6 channels)")
    samples = list(_SAMPLES[len(data)].iter_unpack(data))
    first = samples[0][0]
    for place, (counter, *counts) in enumerate(samples):
        if counter != (first + place) % COUNTER_WRAP:
            raise ValueError(f"counter {counter} after {samples[place - 1][0]}")
        if max(counts) > COUNT_MAX:
            raise ValueError(f"a count of {max(counts)}, 12 bits end at {COUNT_MAX}")
    return samples[-1][0], tuple(tuple(counts) for _, *counts in samples)


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it."""
    channel = (channel or "").lower()
    if channel == DATA:
        last, rows = unpack(data)
        counters = [(last - age) % COUNTER_WRAP for age in range(len(rows) - 1, -1, -1)]
        samples = [list(row) for row in rows]
        return {"counters": counters, "first": samples[0], "last": samples[-1], "samples": samples}
    if channel == CONTROL:
        text = data.decode("ascii", "replace").strip()
        if text.upper() in COMMANDS:
            return {"command": text.upper()}
        if text in ANSWERS:
            return {"answer": text}
        raise ValueError(f"control {text!r}, allowed: {', '.join((*COMMANDS, *ANSWERS))}")
    if channel == BATTERY:
        if len(data) != 1 or data[0] > 100:
            raise ValueError(f"battery: {data.hex() or 'nothing'}, allowed: one byte up to 100 %")
        return {"level_percent": data[0]}
    raise ValueError(f"channel {channel or 'none'} is not an NPG Lite characteristic")


SAMPLE_NS = round(1e9 / RATE_HZ)


class NpgLite(BleSensor[EmgFrame]):
    """An NPG Lite streaming three or six channels, as its notifications have them.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples, so a lost one shows
    as a jump; a valid frame with a reason is one whose place in time is uncertain.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._clock = RotationClock(period_ns=SAMPLE_NS, cycle=COUNTER_WRAP)
        self._order = PacketOrder(cycle=COUNTER_WRAP, sample_ns=SAMPLE_NS)
        self._next_seq = 0

    async def _start(self, link: BleLink) -> None:
        await link.write(CONTROL, WHO)
        answer = (await link.read(CONTROL)).decode("ascii", "replace")
        if answer != ANSWERS[0]:
            raise DeviceError(self.name, f"is no NPG Lite: it answers {answer!r} to WHORU", transient=False)
        self._clock.restart()
        self._order = PacketOrder(cycle=COUNTER_WRAP, sample_ns=SAMPLE_NS)
        await link.notify(DATA, lambda data, arrival_ns: self._put(self.accept(data, arrival_ns)))
        await link.write(CONTROL, START)

    async def _stop(self, link: BleLink) -> None:
        await link.write(CONTROL, STOP)

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` in the first ten seconds of streaming and while not connected."""
        return await self._read_percent(BATTERY)

    def _invalid(self, reason: str, arrival_ns: int) -> EmgFrame:
        seq = self._next_seq
        return EmgFrame(self.name, arrival_ns, arrival_ns, seq, RATE_HZ, (), valid=False, reason=reason)

    def accept(self, data: bytes, arrival_ns: int) -> EmgFrame:
        """One notification to one frame; never raises."""
        try:
            last, rows = unpack(data)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if not self._order.fits(last, len(rows), arrival_ns):
            return self._invalid(OUT_OF_ORDER, arrival_ns)
        place = self._clock.step(last, arrival_ns)
        if place.repeated:
            return self._invalid(REPEATED, arrival_ns)
        seq = place.count  # of the last sample, given to the first: none is negative
        self._next_seq = seq + len(rows)
        volts = tuple(tuple((count - COUNT_ZERO) * VOLTS_PER_COUNT for count in row) for row in rows)
        first_ns = place.t_ns - (len(rows) - 1) * SAMPLE_NS
        reason = place.reason
        return EmgFrame(self.name, first_ns, arrival_ns, seq, RATE_HZ, volts, reason=reason)
