"""ScienceMode4, the language of Hasomed's P24: bytes to frames, frames to meaning, and back. No I/O.

Every valid frame round-trips. Refuses with ``ValueError`` what the device could misread, and every frame
whose length, stuffing or checksum is wrong.

Layouts, limits and result codes: ScienceMode4 C library @0cb1201 (vendor code); where a fact is only inferred
it says so.
"""

from __future__ import annotations

import math
from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from drivers.stimulators.framing import (
    KEY,
    START,
    STOP,
    STUFF,
    Frame,
    FrameSplitter,
    as_sent,
    stuffed,
    unstuffed,
)

MIN_PACKET_BYTES = 12
MAX_PACKET_BYTES = 1200
HEADER_BYTES = 9  # start, then length and checksum as four always-stuffed bytes
PACKET_NUMBERS = 64  # 6 bits, wraps

CHANNELS = 8
MAX_POINTS = 16
MAX_CYCLES = MAX_POINTS // 2  # of a burst: two points each
MAX_POINT_TIME_US = 4095  # 12 bits
MIN_POINT_TIME_US = 10  # the device stretches anything shorter to this
MAX_CURRENT_MA = 130.0  # the vendor's validity check; the 10-bit field itself would reach 150
CURRENT_STEP_MA = 0.5
ELECTRODE_ERROR = 10  # result of a pulse without good contact ...
ELECTRODE_DETECT_MA = 15.0  # ... which the device can tell from this current on
INTERPHASE_GAP_US = 100  # as in the vendor's single-pulse example


class Command(IntEnum):
    """What the host can ask; the answer to a request is its number plus one."""

    LL_INIT = 0
    LL_CHANNEL_CONFIG = 2
    LL_STOP = 4
    ML_INIT = 30
    ML_UPDATE = 32
    ML_STOP = 34
    ML_GET_CURRENT_DATA = 36
    VERSION_MAIN = 50
    DEVICE_ID = 52
    BATTERY = 54
    RESET = 58
    VERSION_STIM = 60
    STIM_STATUS = 62
    MAIN_STATUS = 64
    EXT_VERSION = 68


GENERAL_ERROR = 66  # sent by the device unasked
UNKNOWN_COMMAND = 67

RESULT_TEXT: Mapping[int, str] = {
    0: "ok",
    1: "transfer error: the packet arrived damaged",
    2: "parameter error: the device does not accept these values",
    3: "protocol error: the packet does not fit its command",
    4: "the stimulation processor did not answer in time",
    5: "the EMG part did not answer in time",
    6: "the EMG part could not be set up",
    7: "not initialised, or the other level is active",
    8: "the high voltage is not right",
    9: "the channel switch (demultiplexer) did not answer in time",
    10: "electrode error: no good contact, the device stopped the pulse; check pads and cable",
    11: "invalid command",
    12: "the channel switch (demultiplexer) refused its parameters",
    13: "the channel switch (demultiplexer) is not initialised",
    14: "the channel switch (demultiplexer) could not be reached",
    15: "the channel switch (demultiplexer) answered with something unknown",
    16: "the pulse took too long",
    17: "the battery gauge failed",
    18: "the live signal failed",
    19: "file transmission took too long",
    20: "file not found",
    21: "busy",
    22: "file error",
    23: "the flash memory could not be erased",
    24: "the flash memory could not be written",
    25: "unknown controller",
    26: "the firmware is too large",
    27: "the battery gauge is not programmed",
    28: "low current: less current flowed than asked; check pads and cable",
}


def result_text(result: int) -> str:
    """Plain words for a result code; an unknown code says so."""
    return RESULT_TEXT.get(result, f"unknown result code {result}")


# --- frames --------------------------------------------------------------------------


def encode(packet_number: int, command: int, data: bytes = b"") -> bytes:
    """The bytes of one packet. ``ValueError`` for a number, command or length outside the format."""
    _require_range("packet_number", packet_number, 0, PACKET_NUMBERS - 1)
    _require_range("command", command, 0, 1023)
    body = bytearray()
    for byte in (packet_number << 2 | command >> 8, command & 0xFF, *data):
        body += as_sent(byte)
    length = HEADER_BYTES + len(body) + 1
    if length > MAX_PACKET_BYTES:
        raise ValueError(f"length: {length} bytes, allowed: up to {MAX_PACKET_BYTES}")
    crc = crc_hqx(body, 0)  # CRC-16/XMODEM, over the stuffed body
    header = b"".join(stuffed(byte) for byte in (length >> 8, length & 0xFF, crc >> 8, crc & 0xFF))
    return bytes((START,)) + header + bytes(body) + bytes((STOP,))


def decode_frame(packet: bytes) -> Frame:
    """The frame in exactly these bytes; ``ValueError`` says if start, header, length, stop or crc is off."""
    parsed = _parse(packet)
    if parsed is None:
        raise ValueError(f"length: the packet ends after {len(packet)} bytes, its end is missing")
    frame, length = parsed
    if length != len(packet):
        raise ValueError(f"length: the packet has {length} bytes, {len(packet)} were given")
    return frame


def new_splitter() -> FrameSplitter:
    """Finds this language's frames in a byte stream cut anywhere."""
    return FrameSplitter(_parse)


def _parse(packet: bytes | bytearray) -> tuple[Frame, int] | None:
    """The frame at the beginning and its length in bytes; ``None`` while bytes are missing.

    Judges strictly from left to right, so that more bytes never turn a refusal into a frame.
    """
    if packet[:1] != bytes((START,)):
        raise ValueError(f"start: found {packet[:1].hex() or 'nothing'}, a packet starts with f0")
    for position in (1, 3, 5, 7):
        if len(packet) > position and packet[position] != STUFF:
            raise ValueError(f"header: byte {position} is {packet[position]:02x}, must be 81")
    if len(packet) < HEADER_BYTES:
        return None
    length = (packet[2] ^ KEY) << 8 | packet[4] ^ KEY
    if not MIN_PACKET_BYTES <= length <= MAX_PACKET_BYTES:
        raise ValueError(f"length: {length} announced, allowed {MIN_PACKET_BYTES} to {MAX_PACKET_BYTES}")
    payload = unstuffed(packet, HEADER_BYTES, length)
    if payload is None:
        return None
    announced = (packet[6] ^ KEY) << 8 | packet[8] ^ KEY
    crc = crc_hqx(packet[HEADER_BYTES : length - 1], 0)
    if crc != announced:
        raise ValueError(f"crc: {announced:04x} announced, the bytes give {crc:04x}")
    if len(payload) < 2:
        raise ValueError("length: no room for packet number and command")
    head = payload[0] << 8 | payload[1]
    return Frame(head >> 10, head & 0x3FF, payload[2:]), length


def _require_range(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ValueError(f"{field}: found {value!r}, allowed: {low} to {high}")


# --- points and pulses ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of a pulse: ``current_ma`` for ``time_us``.

    ``interpolation`` 0 jumps, 1 is linear (in the vendor's format; not implemented in the device).
    """

    time_us: int
    current_ma: float
    interpolation: int = 0


def pack_point(point: Point) -> bytes:
    """Four bytes: time in 12 bits, ``2*mA + 300`` in 10, interpolation in bits 6 and 5 of the last byte.

    A current between two steps is cut towards zero. (The vendor's C library cuts ``2*mA + 300`` instead,
    which makes a negative phase up to 0.5 mA stronger than its positive twin; the Python library rounds.)
    """
    _require_range("time_us", point.time_us, 0, MAX_POINT_TIME_US)
    _require_range("current_ma", point.current_ma, -MAX_CURRENT_MA, MAX_CURRENT_MA)
    _require_range("interpolation", point.interpolation, 0, 3)
    half_ma = math.trunc(2.0 * point.current_ma) + 300
    return (point.time_us << 20 | half_ma << 10 | point.interpolation << 5).to_bytes(4, "big")


def unpack_point(packed: bytes) -> Point:
    """The point in four bytes; the current may lie outside what the device accepts."""
    bits = int.from_bytes(packed, "big")
    return Point(bits >> 20, ((bits >> 10 & 0x3FF) - 300) / 2.0, bits >> 5 & 0x3)


def biphasic_points(current_ma: float, width_us: float, cycles: int = 1) -> tuple[Point, ...]:
    """A charge-balanced pulse: ``current_ma`` for ``width_us``, a pause, the same with the opposite sign.

    More ``cycles`` are a burst of both phases back to back, without pauses: alternating current.
    Current is cut down to a whole 0.5 mA and width to a whole microsecond, never up, and both phases are the
    same two numbers, so the net charge is exactly zero. Refuses widths below 10 us because the device would
    stretch them, which is more charge than asked.
    """
    _require_range("current_ma", current_ma, 0.0, MAX_CURRENT_MA)
    _require_range("width_us", width_us, MIN_POINT_TIME_US, MAX_POINT_TIME_US)
    _require_range("cycles", cycles, 1, MAX_CYCLES)
    current = math.floor(current_ma / CURRENT_STEP_MA) * CURRENT_STEP_MA
    width = math.floor(width_us)
    if cycles > 1:
        return (Point(width, current), Point(width, -current)) * cycles
    return Point(width, current), Point(INTERPHASE_GAP_US, 0.0), Point(width, -current)


def channel_name(channel: int) -> str:
    """Where to find it on the device: 0 to 3 on the yellow connector, 4 to 7 on the green one."""
    connector = ("yellow", "green")[channel // 4]
    return f"channel {channel} ({('red', 'blue', 'black', 'white')[channel % 4]}, {connector} connector)"


# --- requests: the data of each command ----------------------------------------------


class Measurement(IntEnum):
    """What the device measures during a low-level pulse."""

    NONE = 0
    CURRENT = 1
    VOLTAGE = 2
    HIGH_VOLTAGE = 3


class HighVoltage(IntEnum):
    """The supply of the output stage."""

    DEFAULT = 0
    OFF = 1
    V30 = 2
    V60 = 3
    V90 = 4
    V120 = 5
    V150 = 6


def ll_init(measurement: Measurement = Measurement.NONE, supply: HighVoltage = HighVoltage.DEFAULT) -> bytes:
    """Data of LL_INIT."""
    return bytes((measurement << 4 | supply << 1,))


def ll_channel_config(channel: int, points: Sequence[Point], *, execute: bool = True) -> bytes:
    """Data of LL_CHANNEL_CONFIG: one pulse on ``channel`` 0 to 7.

    Without ``execute`` nothing is given and the points are only counted.
    """
    _require_range("channel", channel, 0, CHANNELS - 1)
    _require_range("number of points", len(points), 1, MAX_POINTS)
    head = execute << 7 | (channel % 4) << 5 | (channel // 4) << 4 | len(points) - 1
    return bytes((head,)) + (b"".join(map(pack_point, points)) if execute else b"")


@dataclass(frozen=True, slots=True)
class MidLevelChannel:
    """A pulse the device repeats by itself every ``period_ms``, growing to full over ``ramp_pulses``."""

    period_ms: float
    points: tuple[Point, ...]
    ramp_pulses: int = 0


def ml_init(*, stop_all_on_error: bool = False) -> bytes:
    """Data of ML_INIT."""
    return bytes((stop_all_on_error,))


def ml_update(channels: Mapping[int, MidLevelChannel]) -> bytes:
    """Data of ML_UPDATE; channels 0 to 7 that are not in ``channels`` are off."""
    for channel in channels:
        _require_range("channel", channel, 0, CHANNELS - 1)
    data = bytes((sum(1 << channel for channel in channels),))
    for _, train in sorted(channels.items()):
        _require_range("number of points", len(train.points), 1, MAX_POINTS)
        _require_range("ramp_pulses", train.ramp_pulses, 0, 15)
        data += bytes(((len(train.points) - 1) << 4 | train.ramp_pulses,))
        data += _packed_period(train.period_ms).to_bytes(2, "big")
        data += b"".join(map(pack_point, train.points))
    return data


def _packed_period(period_ms: float) -> int:
    """Half milliseconds, or with the lowest bit set quarter milliseconds; anything finer is refused."""
    _require_range("period_ms", period_ms, 0.5, 16383.0)
    halves, quarters = period_ms * 2.0, period_ms * 4.0
    if halves.is_integer():
        return int(halves) << 1
    if quarters.is_integer() and period_ms <= 8191.5:
        return int(quarters) << 1 | 1
    raise ValueError(f"period_ms: found {period_ms!r}, allowed: steps of 0.5, up to 8191.5 also of 0.25")


def ml_get_current_data(selection: int = 4) -> bytes:
    """Data of ML_GET_CURRENT_DATA; selection 2 for four channels, 3 for eight, 4 for each channel's state."""
    _require_range("selection", selection, 2, 4)
    return bytes((selection,))


# --- replies -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An answer of which only the result is read."""

    result: int


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """The device complains by itself: a general error, or a command it does not know."""

    result: int
    unknown_command: bool


@dataclass(frozen=True, slots=True)
class ChannelConfigured:
    """Answer to one low-level pulse; samples, in the measurement's unit, only where one was asked for."""

    result: int
    channel: int
    measurement: int
    sampling_us: int = 0
    samples: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrentData:
    """Mid-level state per channel 0 to 7; errors 0 none, 1 electrode, 2 timeout, 3 low current."""

    result: int
    running: tuple[bool, ...]
    errors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Battery:
    """State of charge."""

    result: int
    percent: int
    millivolt: int


@dataclass(frozen=True, slots=True)
class StimStatus:
    """Active level: 0 none, 1 low, 2 mid, 3 mid running; ``supply`` as in :class:`HighVoltage`."""

    result: int
    level: int
    supply: int


@dataclass(frozen=True, slots=True)
class DeviceId:
    """Serial number, ten characters."""

    result: int
    serial: str


@dataclass(frozen=True, slots=True)
class ExtendedVersion:
    """Firmware and protocol versions (major, minor, revision), hash of the firmware and what kind it is."""

    result: int
    firmware: tuple[int, int, int]
    science_mode: tuple[int, int, int]
    firmware_hash: int
    hash_type: int
    hash_valid: bool


Reply = (
    Acknowledged
    | DeviceFault
    | ChannelConfigured
    | CurrentData
    | Battery
    | StimStatus
    | DeviceId
    | ExtendedVersion
)


def read_reply(frame: Frame) -> Reply:
    """What the device says in ``frame``; an answer with a result other than ok may be cut after the result.

    ``ValueError`` names the command when the data is too short. The answers to VERSION_MAIN, VERSION_STIM and
    MAIN_STATUS, and selections 2 and 3 of the mid level, are read for their result only.
    """
    data = frame.data
    if not data:
        raise ValueError(f"command {frame.command}: the answer has no result byte")
    result = data[0]
    if frame.command in (GENERAL_ERROR, UNKNOWN_COMMAND):
        return DeviceFault(result, unknown_command=frame.command == UNKNOWN_COMMAND)
    try:
        match frame.command - 1:
            case Command.LL_CHANNEL_CONFIG:
                return _read_channel_config(data)
            case Command.ML_GET_CURRENT_DATA if data[1] == 4:
                running = tuple(bool(data[2] >> n & 1) for n in range(CHANNELS))
                errors = tuple(data[3 + n // 2] >> 4 * (n % 2) & 0xF for n in range(CHANNELS))
                return CurrentData(result, running, errors)
            case Command.BATTERY:
                return Battery(result, data[1], data[2] << 8 | data[3])
            case Command.STIM_STATUS:
                return StimStatus(result, data[1], data[2])
            case Command.DEVICE_ID if len(data) >= 11:
                return DeviceId(result, data[1:11].decode("ascii", "replace"))
            case Command.EXT_VERSION:
                firmware, science_mode = (data[1], data[2], data[3]), (data[4], data[5], data[6])
                firmware_hash = int.from_bytes(data[7:11], "big")
                return ExtendedVersion(result, firmware, science_mode, firmware_hash, data[11], data[12] == 1)
    except IndexError:
        if result == 0:
            raise ValueError(f"command {frame.command}: {len(data)} bytes of data are too few") from None
    return Acknowledged(result)


def _read_channel_config(data: bytes) -> ChannelConfigured:
    result, where, measurement = data[0], data[1], data[2]
    channel = 4 * (where >> 4) + (where & 0xF)
    if measurement == Measurement.NONE:
        return ChannelConfigured(result, channel, measurement)
    # 128 samples of 0.01 units each; negative values are measured as positive ones
    samples = tuple((data[5 + 2 * n] << 8 | data[6 + 2 * n]) / 100.0 for n in range(128))
    return ChannelConfigured(result, channel, measurement, data[3] << 8 | data[4], samples)
