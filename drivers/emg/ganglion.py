"""OpenBCI Ganglion: bytes to values, and the driver that streams four channels at 200 Hz.

Layouts: OpenBCI's "Ganglion Data Format", its archived driver OpenBCI_NodeJS_Ganglion with tests, and the
board's library OpenBCI_Ganglion_Library (firmware 2); firmware 3 as BrainFlow reads it. Big-endian.
Firmware 2 sends one uncompressed sample a second and between them differences, whose lowest bit is their
sign: a lost packet leaves all values off by a constant until the next uncompressed one, and so does a step
beyond what the bits hold (0.98 mV in 5 ms at 19 bits). Firmware 3 sends every sample by itself. Not verified
on hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.packet_order import OUT_OF_ORDER, PacketOrder
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "vendor-code"

SERVICE = "0000fe84-0000-1000-8000-00805f9b34fb"
RECEIVE = "2d30c082-f39f-4ce6-923f-3484ea480596"  # the board notifies on it
SEND = "2d30c083-f39f-4ce6-923f-3484ea480596"  # commands, one character a write
DISCONNECT = "2d30c084-f39f-4ce6-923f-3484ea480596"
SERVICE_INFORMATION = "0000180a-0000-1000-8000-00805f9b34fb"
SOFTWARE_REVISION = "00002a28-0000-1000-8000-00805f9b34fb"

CHANNELS = 4
RATE_HZ = 200.0
SAMPLES_PER_PACKET = 2  # of every packet but the uncompressed one, which carries one
VOLTS_PER_COUNT = 1.2 / (8388607.0 * 1.5 * 51.0)  # MCP3912's reference, its gain, that of the amplifier
COUNT_MAX = 2**23  # of the 24-bit converter
PACKET_BYTES = 20
START, STOP = b"b", b"s"
COMMANDS = {
    "b": "start streaming",
    "s": "stop streaming",
    "n": "accelerometer on",
    "N": "accelerometer off",
    "z": "start the impedance test",
    "Z": "stop the impedance test",
    "v": "reset",
}
_TEXT_IDS = range(201, 208)  # 201 to 204 impedance of a channel, 205 of the reference, 206 text, 207 its end
_IMPEDANCE_IDS = range(201, 206)
_AXES = {1: "acc_x", 2: "acc_y", 3: "acc_z"}  # last digit of an 18-bit packet's number

Firmware = Literal[2, 3]
Row = tuple[int, ...]  # one sample of the four channels, counts
CYCLE_SAMPLES: dict[Firmware, int] = {2: 201, 3: 200}  # until the numbers of the packets begin anew


@dataclass(frozen=True, slots=True)
class Packet:
    """Samples of one packet; ``last`` is the place of the last one in the cycle of packet numbers.

    ``raw`` and ``absolute`` rows are counts of the converter, ``deltas`` what each lies below the one before.
    """

    kind: Literal["raw", "deltas", "absolute"]
    last: int
    rows: tuple[Row, ...]


def is_text(data: bytes) -> bool:
    """Whether the board talks instead of measuring: messages and results of the impedance test."""
    return bool(data) and data[0] in _TEXT_IDS


def _fields(data: bytes, bits: int) -> tuple[Row, Row]:
    """Two samples of four channels, ``bits`` each, most significant first; the lowest bit is the sign."""
    count = SAMPLES_PER_PACKET * CHANNELS
    size = (count * bits + 7) // 8
    packed = int.from_bytes(data[1 : 1 + size], "big") >> (8 * size - count * bits)
    values = []
    for place in range(count - 1, -1, -1):
        value = packed >> place * bits & (1 << bits) - 1
        values.append(value - (1 << bits) if value & 1 else value)
    return tuple(values[:CHANNELS]), tuple(values[CHANNELS:])


def _raw(data: bytes) -> Row:
    return tuple(
        int.from_bytes(data[at : at + 3], "big", signed=True) for at in range(1, 1 + 3 * CHANNELS, 3)
    )


def unpack(data: bytes, firmware: Firmware = 2) -> Packet:
    """A packet of samples; ``ValueError`` says what is wrong with it."""
    if len(data) != PACKET_BYTES:
        raise ValueError(f"packet: {len(data)} bytes, must be {PACKET_BYTES}")
    number = data[0]
    if firmware == 3:
        if number > 199:
            raise ValueError(f"packet number {number}, allowed: 0 to 199")
        bits = 18 if number < 100 else 19
        rows = tuple(tuple(value << 24 - bits for value in row) for row in _fields(data, bits))
        return Packet("absolute", number % 100 * SAMPLES_PER_PACKET + 1, rows)
    if number == 0:
        return Packet("raw", 0, (_raw(data),))
    if number > 200:
        raise ValueError(f"packet number {number}, allowed: 0 to 200")
    in_cycle, bits = (number, 18) if number <= 100 else (number - 100, 19)
    return Packet("deltas", in_cycle * SAMPLES_PER_PACKET, _fields(data, bits))


def _decode_packet(data: bytes) -> dict[str, object]:
    """A packet of firmware 2; an 18-bit one may lack its last byte, as in the documentation's example."""
    if not data:
        raise ValueError("packet: 0 bytes")
    if is_text(data):
        text = data[1:].decode("ascii", "replace")
        if data[0] not in _IMPEDANCE_IDS:
            return {"ascii": text}
        value, end, _ = text.partition("Z")
        if not end:
            raise ValueError(f"impedance {text!r} does not end with Z")
        return {"ascii": value + end}
    short = 1 <= data[0] <= 100 and len(data) == PACKET_BYTES - 1
    packet = unpack(data + bytes(1) if short else data)
    if packet.kind == "raw":
        return {"samples": list(packet.rows[0])}
    decoded: dict[str, object] = {"deltas": [value for row in packet.rows for value in row]}
    if data[0] <= 100 and not short and data[0] % 10 in _AXES:
        decoded[_AXES[data[0] % 10]] = int.from_bytes(data[19:20], "big", signed=True)
    return decoded


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic, packets as of firmware 2; ``ValueError`` says what is wrong.

    The acceleration of one axis comes in counts of 32 mg with packets that end in 1 (x), 2 (y) and 3 (z).
    """
    channel = (channel or "").lower()
    if channel == RECEIVE:
        return _decode_packet(data)
    if channel == SEND:
        command = data.decode("ascii", "replace")
        if command not in COMMANDS:
            raise ValueError(f"command {command!r}, allowed: {', '.join(COMMANDS)}")
        return {"command": command, "meaning": COMMANDS[command]}
    if channel == SOFTWARE_REVISION:
        return {"software_revision": data.decode("ascii", "replace")}
    raise ValueError(f"channel {channel or 'none'} is not a Ganglion characteristic")


SAMPLE_NS = round(1e9 / RATE_HZ)
NO_BASE = "no uncompressed packet yet, to which the differences add"
OFFSET = "off by a constant since a packet was lost, until the next uncompressed one"
BEYOND = "beyond the converter's range: a lost packet or a step too large for the differences"


class Ganglion(BleSensor[EmgFrame]):
    """A Ganglion streaming its four channels, accelerometer off, in frames of one or two samples.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples, so lost packets show
    as a jump. A valid frame with a reason is one whose values are off by a constant, or whose place in time
    is uncertain. The board does not tell its battery.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._firmware: Firmware = 2
        self._clock = RotationClock(period_ns=SAMPLE_NS, cycle=CYCLE_SAMPLES[2])
        self._seq_before = 0  # samples counted by a clock before this one
        self._next_seq = 0
        self._t_ns = 0  # of the last frame: a clock that moves back stands still
        self._order = PacketOrder(cycle=CYCLE_SAMPLES[2], sample_ns=SAMPLE_NS)
        self._base: Row | None = None  # last sample, counts
        self._exact = True

    async def _start(self, link: BleLink) -> None:
        self._restart(await self._read_firmware(link))
        await link.notify(RECEIVE, self._on_packet)
        await link.write(SEND, b"N", response=False)  # 19 bits instead of 18
        await link.write(SEND, START, response=False)

    async def _stop(self, link: BleLink) -> None:
        await link.write(SEND, STOP, response=False)

    async def battery_percent(self) -> int | None:
        return None

    @staticmethod
    async def _read_firmware(link: BleLink) -> Firmware:
        try:
            return 3 if (await link.read(SOFTWARE_REVISION)).startswith(b"3") else 2
        except DeviceError as error:
            if error.transient:
                raise
            return 2  # boards before the characteristic

    def _restart(self, firmware: Firmware) -> None:
        self._base = None
        self._order = PacketOrder(cycle=CYCLE_SAMPLES[firmware], sample_ns=SAMPLE_NS)
        if firmware == self._firmware:
            self._clock.restart()
            return
        self._firmware = firmware
        self._seq_before = self._next_seq
        self._clock = RotationClock(period_ns=SAMPLE_NS, cycle=CYCLE_SAMPLES[firmware])

    def _on_packet(self, data: bytes, arrival_ns: int) -> None:
        if not is_text(data):
            self._put(self.accept(data, arrival_ns))

    def _invalid(self, reason: str, arrival_ns: int) -> EmgFrame:
        return EmgFrame(
            self.name, arrival_ns, arrival_ns, self._next_seq, RATE_HZ, (), valid=False, reason=reason
        )

    def accept(self, data: bytes, arrival_ns: int) -> EmgFrame:
        """One packet of samples to one frame; never raises."""
        try:
            packet = unpack(data, self._firmware)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if not self._order.fits(packet.last, len(packet.rows), arrival_ns):
            return self._invalid(OUT_OF_ORDER, arrival_ns)
        place = self._clock.step(packet.last, arrival_ns)
        seq = self._seq_before + place.count - len(packet.rows) + 1
        self._exact = self._exact and seq == self._next_seq
        rows = self._values(packet)
        if place.repeated:
            return self._invalid(REPEATED, arrival_ns)
        self._next_seq = seq + len(packet.rows)
        if isinstance(rows, str):
            return self._invalid(rows, arrival_ns)
        reason = place.reason or ("" if self._exact else OFFSET)
        volts = tuple(tuple(count * VOLTS_PER_COUNT for count in row) for row in rows)
        self._t_ns = max(self._t_ns, place.t_ns - (len(rows) - 1) * SAMPLE_NS)
        return EmgFrame(self.name, self._t_ns, arrival_ns, seq, RATE_HZ, volts, reason=reason)

    def _values(self, packet: Packet) -> tuple[Row, ...] | str:
        """Counts of the packet's samples, or why there are none."""
        if packet.kind != "deltas":
            self._base, self._exact = packet.rows[-1], True
            return packet.rows
        if self._base is None:
            return NO_BASE
        rows = []
        value = self._base
        for deltas in packet.rows:
            value = tuple(count - delta for count, delta in zip(value, deltas, strict=True))
            rows.append(value)
        if not all(-COUNT_MAX <= count < COUNT_MAX for row in rows for count in row):
            self._base = None
            return BEYOND
        self._base = value
        return tuple(rows)
