"""Shimmer3 and Shimmer3R: bytes of LogAndStream to values and back. No I/O.

Layouts: tests of pyshimmer (facts), the vendor's web client for the Shimmer3R and its firmware; little-endian
but for the EXG channels, which are big-endian. A packet of data is 00, time in 1/32768 s in 24 bits, and the
channels in the order that the inquiry told: the packet itself does not tell them, the stream has no frames.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

SERVICE = (
    "65333333-a115-11e2-9e9a-0800200ca100"  # Shimmer3R; a Shimmer3 speaks the same over classic Bluetooth
)
WRITE = "65333333-a115-11e2-9e9a-0800200ca102"
NOTIFY = "65333333-a115-11e2-9e9a-0800200ca101"

CLOCK_HZ = 32768
STAMP_WRAP = 1 << 24  # 512 s
STAMP_BYTES = 3
ACK = 0xFF
IN_STREAM = 0x8A  # an answer among the data begins with it


class Code(IntEnum):
    """First byte of each message."""

    DATA = 0x00
    INQUIRY = 0x01
    INQUIRY_RESPONSE = 0x02
    GET_RATE = 0x03
    RATE_RESPONSE = 0x04
    SET_RATE = 0x05
    START = 0x07
    SET_SENSORS = 0x08
    STOP = 0x20
    HARDWARE_RESPONSE = 0x25
    GET_FIRMWARE = 0x2E
    FIRMWARE_RESPONSE = 0x2F
    GET_HARDWARE = 0x3F
    EXPANSION_POWER = 0x5E
    SET_EXG = 0x61
    STATUS_RESPONSE = 0x71
    GET_STATUS = 0x72
    NAME_RESPONSE = 0x7A
    GET_NAME = 0x7B
    BATTERY_RESPONSE = 0x94
    GET_BATTERY = 0x95
    STATUS_ACK = 0xA3


# What a channel of an inquiry is: name, bytes, signed, big-endian. Of those of the Shimmer3R's own chips.
CHANNELS: Mapping[int, tuple[str, int, bool, bool]] = {
    0x00: ("LN_ACCEL_X", 2, True, False),
    0x01: ("LN_ACCEL_Y", 2, True, False),
    0x02: ("LN_ACCEL_Z", 2, True, False),
    0x03: ("VBATT", 2, True, False),
    0x04: ("WR_ACCEL_X", 2, True, False),
    0x05: ("WR_ACCEL_Y", 2, True, False),
    0x06: ("WR_ACCEL_Z", 2, True, False),
    0x07: ("MAG_X", 2, True, False),
    0x08: ("MAG_Y", 2, True, False),
    0x09: ("MAG_Z", 2, True, False),
    0x0A: ("GYRO_X", 2, True, False),
    0x0B: ("GYRO_Y", 2, True, False),
    0x0C: ("GYRO_Z", 2, True, False),
    0x0D: ("EXTERNAL_ADC_A0", 2, False, False),
    0x0E: ("EXTERNAL_ADC_A1", 2, False, False),
    0x0F: ("EXTERNAL_ADC_A2", 2, False, False),
    0x10: ("INTERNAL_ADC_A3", 2, False, False),
    0x11: ("INTERNAL_ADC_A0", 2, False, False),
    0x12: ("INTERNAL_ADC_A1", 2, False, False),
    0x13: ("INTERNAL_ADC_A2", 2, False, False),
    0x1A: ("TEMPERATURE", 2, False, True),
    0x1B: ("PRESSURE", 3, False, True),
    0x1C: ("GSR", 2, False, False),
    0x1D: ("EXG1_STATUS", 1, False, False),
    0x1E: ("EXG1_CH1_24BIT", 3, True, True),
    0x1F: ("EXG1_CH2_24BIT", 3, True, True),
    0x20: ("EXG2_STATUS", 1, False, False),
    0x21: ("EXG2_CH1_24BIT", 3, True, True),
    0x22: ("EXG2_CH2_24BIT", 3, True, True),
    0x23: ("EXG1_CH1_16BIT", 2, True, True),
    0x24: ("EXG1_CH2_16BIT", 2, True, True),
    0x25: ("EXG2_CH1_16BIT", 2, True, True),
    0x26: ("EXG2_CH2_16BIT", 2, True, True),
    0x27: ("BRIDGE_HIGH", 2, False, False),
    0x28: ("BRIDGE_LOW", 2, False, False),
}
STATUS_BITS = (
    "docked",
    "sensing",
    "clock set",
    "logging",
    "streaming",
    "card present",
    "card error",
    "red LED",
)
HARDWARE = {3: "Shimmer3", 10: "Shimmer3R"}
PLAIN = {  # commands without data, in words
    Code.INQUIRY: "inquiry",
    Code.GET_RATE: "get rate",
    Code.START: "start",
    Code.STOP: "stop",
    Code.GET_FIRMWARE: "get firmware version",
    Code.GET_HARDWARE: "get hardware version",
    Code.GET_STATUS: "get status",
    Code.GET_NAME: "get name",
    Code.GET_BATTERY: "get battery",
}
# Registers of both EXG chips for EMG (vendor's web client): chip 1 reads two muscles at a gain of 12, chip 2
# is switched off
EMG_REGISTERS = (bytes.fromhex("02a81069602000000203"), bytes.fromhex("02a010e1e10000000201"))
_CONVERTER_RATES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)
ASTRAY_PACKETS = 16  # after so much that fits nothing, what was known of the stream's time is given up
_INQUIRY_SETTINGS = (4, 7)  # bytes of settings: Shimmer3, Shimmer3R


def rate_hz(divisor: int) -> float:
    return CLOCK_HZ / divisor


def set_rate(divisor: int) -> bytes:
    """Sampling rate, as a divisor of 32768 Hz."""
    if not 1 <= divisor <= 0xFFFF:
        raise ValueError(f"divisor {divisor}, allowed: 1 to {0xFFFF}")
    return struct.pack("<BH", Code.SET_RATE, divisor)


def set_sensors(bits: int) -> bytes:
    """Which sensors are sampled, as a field of 24 bits."""
    return bytes((Code.SET_SENSORS,)) + bits.to_bytes(3, "little")


def set_exg(chip: int, registers: bytes) -> bytes:
    """All ten registers of EXG chip 0 or 1."""
    return bytes((Code.SET_EXG, chip, 0, len(registers))) + registers


def emg_registers(chip: int, sampled_hz: float) -> bytes:
    """EMG registers of a chip whose converter is no slower than the samples are taken."""
    code = next(n for n, rate in enumerate(_CONVERTER_RATES_HZ) if rate >= sampled_hz)
    registers = EMG_REGISTERS[chip]
    return bytes((registers[0] >> 3 << 3 | code,)) + registers[1:]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the device says of its stream: the channels are in the packets' order."""

    divisor: int
    settings: bytes
    buffer: int
    channels: tuple[int, ...]


def unpack_inquiry(body: bytes) -> Inquiry:
    """The inquiry response, without its code; ``ValueError`` says what does not fit."""
    for settings in _INQUIRY_SETTINGS:
        head = 2 + settings + 2
        if len(body) >= head and len(body) == head + body[head - 2]:
            divisor = struct.unpack_from("<H", body)[0]
            if not divisor:
                raise ValueError("inquiry: divisor 0")
            return Inquiry(divisor, body[2 : 2 + settings], body[head - 1], tuple(body[head:]))
    raise ValueError(f"inquiry: {len(body)} bytes do not fit the number of channels they tell")


def packet_bytes(channels: Sequence[int]) -> int:
    """Length of a packet of these channels; ``ValueError`` where one is not known."""
    unknown = [f"{one:02x}" for one in channels if one not in CHANNELS]
    if unknown:
        raise ValueError(f"channel {', '.join(unknown)} is not known")
    return 1 + STAMP_BYTES + sum(CHANNELS[one][1] for one in channels)


def unpack_packet(packet: bytes, channels: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """Time stamp (1/32768 s) and the channels' counts; ``ValueError`` says what is wrong."""
    size = packet_bytes(channels)
    if len(packet) != size or packet[0] != Code.DATA:
        raise ValueError(
            f"data: {len(packet)} bytes beginning {packet[:1].hex()}, must be {size} beginning 00"
        )
    counts = []
    at = 1 + STAMP_BYTES
    for one in channels:
        _, width, signed, big = CHANNELS[one]
        counts.append(int.from_bytes(packet[at : at + width], "big" if big else "little", signed=signed))
        at += width
    return int.from_bytes(packet[1 : 1 + STAMP_BYTES], "little"), tuple(counts)


def _listed(channel: str | None) -> tuple[int, ...]:
    """Channels as the caller of `decode` names them: hexadecimal numbers with commas; left out: one, 12."""
    if channel is None or channel.lower() in (NOTIFY, WRITE):
        return (0x12,)
    try:
        return tuple(int(one, 16) for one in channel.split(","))
    except ValueError:
        raise ValueError(f"channel {channel}: a UUID of Shimmer3R, or channels such as 1d,1e,1f") from None


def _sized(body: bytes, size: int, what: str) -> bytes:
    if len(body) != size:
        raise ValueError(f"{what}: {len(body)} bytes, must be {size}")
    return body


def _decode_answer(code: int, body: bytes) -> dict[str, object]:
    if code == Code.INQUIRY_RESPONSE:
        told = unpack_inquiry(body)
        named = [CHANNELS[one][0] if one in CHANNELS else f"unknown ({one:02x})" for one in told.channels]
        one = {"channel": told.channels[0]} if len(told.channels) == 1 else {}
        return {
            "divisor": told.divisor,
            "rate_hz": rate_hz(told.divisor),
            "n_channels": len(told.channels),
            "buffer": told.buffer,
            **one,
            "channels": named,
        }
    if code == Code.RATE_RESPONSE:
        (divisor,) = struct.unpack("<H", _sized(body, 2, "rate"))
        if not divisor:
            raise ValueError("rate: divisor 0")
        return {"divisor": divisor, "rate_hz": rate_hz(divisor)}
    if code == Code.NAME_RESPONSE:
        if not body or len(body) != 1 + body[0]:
            raise ValueError(f"name: {len(body)} bytes do not fit the length they tell")
        return {"name": body[1:].decode("ascii", "replace")}
    if code == Code.FIRMWARE_RESPONSE:
        kind, major, minor, patch = struct.unpack("<HHBB", _sized(body, 6, "firmware version"))
        return {"fw_type": kind, "major": major, "minor": minor, "patch": patch}
    if code == Code.HARDWARE_RESPONSE:
        kind = _sized(body, 1, "hardware version")[0]
        return {"hardware": HARDWARE.get(kind, f"unknown ({kind})"), "hw_version": kind}
    if code == Code.STATUS_RESPONSE:
        status = _sized(body, 1, "status")[0]
        bits = [bit for bit in range(8) if status >> bit & 1]
        return {"status": status, "bits": bits, "status_text": [STATUS_BITS[bit] for bit in bits]}
    raw, charging = struct.unpack("<HB", _sized(body, 3, "battery"))
    return {"battery_raw": raw, "charger": charging}


def _decode_command(code: int, body: bytes) -> dict[str, object]:
    if code in PLAIN:
        _sized(body, 0, PLAIN[Code(code)])
        return {"command": PLAIN[Code(code)]}
    if code == Code.SET_RATE:
        (divisor,) = struct.unpack("<H", _sized(body, 2, "set rate"))
        return {"command": "set rate", "divisor": divisor, "rate_hz": rate_hz(divisor) if divisor else None}
    if code == Code.SET_SENSORS:
        return {"command": "set sensors", "sensors": int.from_bytes(_sized(body, 3, "set sensors"), "little")}
    if code == Code.SET_EXG:
        if len(body) < 3 or len(body) != 3 + body[2]:
            raise ValueError(f"set EXG registers: {len(body)} bytes do not fit the length they tell")
        return {
            "command": "set EXG registers",
            "chip": body[0],
            "first": body[1],
            "registers": body[3:].hex(),
        }
    what = "expansion power" if code == Code.EXPANSION_POWER else "status acknowledged"
    return {"command": what, "on": bool(_sized(body, 1, what)[0])}


_ANSWERS = frozenset(
    (
        Code.INQUIRY_RESPONSE,
        Code.RATE_RESPONSE,
        Code.NAME_RESPONSE,
        Code.FIRMWARE_RESPONSE,
        Code.HARDWARE_RESPONSE,
        Code.STATUS_RESPONSE,
        Code.BATTERY_RESPONSE,
    )
)


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One message, with the acknowledgement before it or without; ``ValueError`` names what is wrong.

    A packet of data is read with the channels named in place of a UUID, such as ``1d,1e,1f`` (as an inquiry
    tells them), or else as one of the internal ADC, 12.
    """
    channels = _listed(channel)
    if not data:
        raise ValueError("message: no bytes")
    told: dict[str, object] = {}
    if data[0] == ACK:
        told, data = {"acknowledged": True}, data[1:]
        if not data:
            return told
    if data[0] == IN_STREAM:
        data = data[1:]
        if not data:
            raise ValueError("message: ends after 8a")
    code, body = data[0], data[1:]
    if code == Code.DATA:
        stamp, counts = unpack_packet(data, channels)
        named = {CHANNELS[one][0]: value for one, value in zip(channels, counts, strict=True)}
        return {"ts": stamp, **named}
    if code in _ANSWERS:
        return told | _decode_answer(code, body)
    if code not in Code.__members__.values():
        raise ValueError(f"message: begins with {code:02x}, which is none of LogAndStream known here")
    return told | _decode_command(code, body)


class PacketSplitter:
    """Finds packets of one layout in a stream that has no frames: each begins 00 and is whole periods on.

    A piece arrives whole or not at all. So a packet that came within one is taken where it follows the last
    one by a period, or is whole periods later and has one a period behind it. One that came in two is taken
    only between two packets a period away: a lost piece, even of whole packets, would show there.
    """

    def __init__(self, channels: Sequence[int], divisor: int) -> None:
        self._channels = tuple(channels)
        self._size = packet_bytes(channels)
        self._divisor = divisor
        self._pending = bytearray()
        self._earlier = 0  # bytes at the beginning that came in earlier pieces
        self._stamp: int | None = None
        self._astray = 0  # bytes skipped since the last packet
        self.skipped_bytes = 0

    def feed(self, piece: bytes) -> list[tuple[int, tuple[int, ...]]]:
        """Stamp and counts of the packets completed by ``piece``. Never raises, whatever the bytes."""
        self._earlier = len(self._pending)
        self._pending += piece
        packets = []
        while len(self._pending) >= self._size:
            fits = self._fits()
            if fits is None:
                break
            if not fits:
                self._drop(1)
                self.skipped_bytes += 1
                self._astray += 1
                if self._astray > ASTRAY_PACKETS * self._size:
                    self._stamp = None  # the device may have begun anew
                continue
            packet = unpack_packet(bytes(self._pending[: self._size]), self._channels)
            self._stamp, self._astray = packet[0], 0
            packets.append(packet)
            self._drop(self._size)
        return packets

    def _drop(self, count: int) -> None:
        del self._pending[:count]
        self._earlier = max(self._earlier - count, 0)

    def _fits(self) -> bool | None:
        """Whether a packet begins here; ``None`` where the next one has to come first."""
        if self._pending[0] != Code.DATA:
            return False
        stamp = int.from_bytes(self._pending[1 : 1 + STAMP_BYTES], "little")
        since = 0 if self._stamp is None else (stamp - self._stamp) % STAMP_WRAP
        if since % self._divisor or (self._earlier and since != self._divisor):
            return False
        if since == self._divisor and not self._earlier:
            return True
        after = self._pending[self._size : self._size + 1 + STAMP_BYTES]
        if len(after) <= STAMP_BYTES:
            return None
        step = (int.from_bytes(after[1:], "little") - stamp) % STAMP_WRAP
        return after[0] == Code.DATA and step == self._divisor
