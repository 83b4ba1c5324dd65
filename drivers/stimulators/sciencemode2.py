"""ScienceMode2, the language of Hasomed's RehaStim2: bytes to frames, frames to meaning, and back. No I/O.

Every valid frame round-trips. Refuses with ``ValueError`` what the device could misread, and every frame
whose length, stuffing or checksum is wrong.

Layouts, ranges and error codes: ScienceMode2 description and protocol v1.24 (2012-12-12), the vendor's.
Where pysciencemode 1.1.5 differs (it stuffs 0x55 and 0x0A as well, and number and command without 0x81),
the description holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

PACKET_NUMBERS = 256
HEADER_BYTES = 5  # start, then checksum and length as two always-stuffed bytes
MIN_PACKET_BYTES = 8
MAX_PACKET_BYTES = 69
BODY_BYTES_MAX = MAX_PACKET_BYTES - HEADER_BYTES - 1
_CRC_POLYNOMIAL = 0x07

CHANNELS = 8  # two modules of four
MAX_CURRENT_MA = 130  # of the byte; the output stage ends at 126 mA (vendor's table of the device)
WIDTH_MIN_US, WIDTH_MAX_US = 20, 500  # 0 us is no pulse
INTERPHASE_GAP_US = 100
INTERVAL_MIN_MS = 8.0  # between pulses of a group, and of the list
WATCHDOG_MS = 1200.0  # without a valid packet the device stops and begins anew
INIT_EVERY_MS = 500.0  # how often it asks for a host
VERSION = 1


class Command(IntEnum):
    """Number of each packet; the answer to a request is its number plus one."""

    INIT = 1  # from the device, until a host answers
    INIT_ACK = 2  # from the host
    UNKNOWN = 3  # from the device
    WATCHDOG = 4  # has no answer
    GET_MODE = 10
    INIT_LIST = 30
    START_LIST = 32
    STOP_LIST = 34
    SINGLE_PULSE = 36
    STIMULATION_ERROR = 38  # from the device, unasked


NAMES: Mapping[int, str] = {  # as in the vendor's description
    1: "Init",
    2: "InitAck",
    3: "UnknownCommand",
    4: "Watchdog",
    10: "GetStimulationMode",
    11: "GetStimulationModeAck",
    30: "InitChannelListMode",
    31: "InitChannelListModeAck",
    32: "StartChannelListMode",
    33: "StartChannelListModeAck",
    34: "StopChannelListMode",
    35: "StopChannelListModeAck",
    36: "SinglePulse",
    37: "SinglePulseAck",
    38: "StimulationError",
    # of a MOTOmed trainer beside it; from pysciencemode, which the description was not checked for
    12: "GetMotomedMode",
    13: "GetMotomedModeAck",
    50: "InitPhaseTraining",
    51: "InitPhaseTrainingAck",
    52: "StartPhase",
    53: "StartPhaseAck",
    54: "PausePhase",
    55: "PausePhaseAck",
    56: "StopPhaseTraining",
    57: "StopPhaseTrainingAck",
    58: "PhaseResult",
    60: "ActualValues",
    70: "SetRotationDirection",
    71: "SetRotationDirectionAck",
    72: "SetSpeed",
    73: "SetSpeedAck",
    74: "SetGear",
    75: "SetGearAck",
    76: "SetKeyboardLock",
    77: "SetKeyboardLockAck",
    80: "StartBasicTraining",
    81: "StartBasicTrainingAck",
    82: "PauseBasicTraining",
    83: "PauseBasicTrainingAck",
    84: "ContinueBasicTraining",
    85: "ContinueBasicTrainingAck",
    86: "StopBasicTraining",
    87: "StopBasicTrainingAck",
    89: "MotomedCommandDone",
    90: "MotomedError",
}
MODES = ("start", "channel list initialised", "channel list running")
GROUPS = ("single", "doublet", "triplet")
RESULT_TEXT: Mapping[int, str] = {
    0: "ok",
    -1: "transfer error: the packet arrived damaged",
    -2: "parameter error: the device does not accept these values",
    -3: "wrong mode: the command does not fit what the device is doing",
    -5: "the host does not know this version",
    -8: "busy",
}
ERROR_TEXT: Mapping[int, str] = {
    -1: "the emergency switch is pressed or not connected",
    -2: "electrode error: no good contact; check pads and cable",
    -3: "the stimulation module failed",
}


def result_text(result: int) -> str:
    """Plain words for the result of an answer; an unknown one says so."""
    return RESULT_TEXT.get(result, f"unknown result {result}")


def error_text(error: int) -> str:
    """Plain words for a stimulation error; an unknown one says so."""
    return ERROR_TEXT.get(error, f"unknown stimulation error {error}")


def signed(byte: int) -> int:
    """A result as the signed byte it is."""
    return byte - 256 if byte > 127 else byte


# --- frames --------------------------------------------------------------------------


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        rest = value
        for _ in range(8):
            rest = (rest << 1 ^ (_CRC_POLYNOMIAL if rest & 0x80 else 0)) & 0xFF
        table.append(rest)
    return tuple(table)


_CRC = _crc_table()


def crc8(data: bytes | bytearray) -> int:
    """CRC-8, polynomial 07, beginning with 0, not reflected."""
    crc = 0
    for byte in data:
        crc = _CRC[crc ^ byte]
    return crc


def encode(packet_number: int, command: int, data: bytes = b"") -> bytes:
    """One packet; ``ValueError`` names what is out of range."""
    _require_range("packet_number", packet_number, 0, PACKET_NUMBERS - 1)
    _require_range("command", command, 0, 255)
    body = b"".join(as_sent(byte) for byte in (packet_number, command, *data))
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(
            f"length: a packet of {len(body) + HEADER_BYTES + 1} bytes, allowed: up to {MAX_PACKET_BYTES}"
        )
    return bytes((START,)) + stuffed(crc8(body)) + stuffed(len(body)) + body + bytes((STOP,))


def decode_frame(packet: bytes) -> Frame:
    """The frame in exactly these bytes; ``ValueError`` says if start, header, length, stop or crc is off."""
    parsed = parse(packet)
    if parsed is None:
        raise ValueError(f"length: the packet ends after {len(packet)} bytes, its end is missing")
    frame, length = parsed
    if length != len(packet):
        raise ValueError(f"length: the packet has {length} bytes, {len(packet)} were given")
    return frame


def new_splitter() -> FrameSplitter:
    """Finds this language's frames in a byte stream cut anywhere."""
    return FrameSplitter(parse)


def parse(packet: bytes | bytearray) -> tuple[Frame, int] | None:
    """The frame at the beginning and its length in bytes; ``None`` while bytes are missing.

    Judges strictly from left to right, so that more bytes never turn a refusal into a frame.
    """
    if packet[:1] != bytes((START,)):
        raise ValueError(f"start: found {packet[:1].hex() or 'nothing'}, a packet starts with f0")
    for position in (1, 3):
        if len(packet) > position and packet[position] != STUFF:
            raise ValueError(f"header: byte {position} is {packet[position]:02x}, must be 81")
    if len(packet) < HEADER_BYTES:
        return None
    length = (packet[4] ^ KEY) + HEADER_BYTES + 1
    if not MIN_PACKET_BYTES <= length <= MAX_PACKET_BYTES:
        raise ValueError(f"length: {length} announced, allowed {MIN_PACKET_BYTES} to {MAX_PACKET_BYTES}")
    payload = unstuffed(packet, HEADER_BYTES, length)
    if payload is None:
        return None
    announced, crc = packet[2] ^ KEY, crc8(packet[HEADER_BYTES : length - 1])
    if crc != announced:
        raise ValueError(f"crc: {announced:02x} announced, the bytes give {crc:02x}")
    if len(payload) < 2:
        raise ValueError("length: no room for packet number and command")
    return Frame(payload[0], payload[1], payload[2:]), length


def _require_range(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ValueError(f"{field}: found {value!r}, allowed: {low} to {high}")


# --- requests: the data of each command ----------------------------------------------


@dataclass(frozen=True, slots=True)
class ListPulse:
    """What a channel of a running list gives: ``group`` 1 to 3 pulses (single, doublet, triplet)."""

    width_us: int
    current_ma: int
    group: int = 1


def single_pulse(channel: int, width_us: int, current_ma: int) -> bytes:
    """Data of SINGLE_PULSE on ``channel`` 0 to 7; the device makes it biphasic."""
    _require_range("channel", channel, 0, CHANNELS - 1)
    return bytes((channel, *_packed_pulse(width_us, current_ma)))


def _packed_pulse(width_us: int, current_ma: int) -> bytes:
    if width_us:
        _require_range("width_us", width_us, WIDTH_MIN_US, WIDTH_MAX_US)
    _require_range("current_ma", current_ma, 0, MAX_CURRENT_MA)
    return bytes((width_us >> 8, width_us & 0xFF, current_ma))


def init_list(
    channels: Sequence[int], interval_ms: float, group_interval_ms: float = INTERVAL_MIN_MS
) -> bytes:
    """Data of INIT_LIST: the channels 0 to 7, the time between their pulses, and within a group.

    ``interval_ms`` 0: each START_LIST gives one group alone. Low frequencies are left out.
    """
    for channel in channels:
        _require_range("channel", channel, 0, CHANNELS - 1)
    _require_range("group_interval_ms", group_interval_ms, INTERVAL_MIN_MS, 1.5 + 0.5 * 255)
    if interval_ms:
        _require_range("interval_ms", interval_ms, INTERVAL_MIN_MS, 1025.0)
    main = round((interval_ms - 1.0) * 2) if interval_ms else 0
    mask = sum(1 << channel for channel in set(channels))
    return bytes((0, mask, 0, round((group_interval_ms - 1.5) * 2), main >> 8, main & 0xFF, 0))


def start_list(pulses: Sequence[ListPulse]) -> bytes:
    """Data of START_LIST, which updates a running list as well: one entry per channel of it, in order."""
    data = b""
    for pulse in pulses:
        _require_range("group", pulse.group, 1, len(GROUPS))
        data += bytes((pulse.group - 1,)) + _packed_pulse(pulse.width_us, pulse.current_ma)
    return data


# --- in words ------------------------------------------------------------------------


def channel_name(channel: int) -> str:
    """Where to find it on the device: 1 to 4 are module A, 5 to 8 module B."""
    return f"channel {channel + 1} (module {'AB'[channel // 4]})"


def _exactly(data: bytes, size: int) -> None:
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes of data, must be {size}")


def _pulse_words(packed: bytes) -> dict[str, object]:
    return {"width_us": packed[0] << 8 | packed[1], "current_ma": packed[2]}


def _init_list_words(data: bytes) -> dict[str, object]:
    _exactly(data, 7)
    main = data[4] << 8 | data[5]
    return {
        "low_frequency_factor": data[0],
        "channels": [channel_name(n) for n in range(CHANNELS) if data[1] >> n & 1],
        "low_frequency_channels": [channel_name(n) for n in range(CHANNELS) if data[2] >> n & 1],
        "group_interval_ms": 1.5 + 0.5 * data[3],
        "interval_ms": 1.0 + 0.5 * main if main else 0.0,
        "execution": data[6],
    }


def _start_list_words(data: bytes) -> dict[str, object]:
    if not data or len(data) % 4:
        raise ValueError(f"{len(data)} bytes of data, must be four per channel")
    pulses = [data[at : at + 4] for at in range(0, len(data), 4)]
    groups = [GROUPS[one[0]] if one[0] < len(GROUPS) else f"unknown ({one[0]})" for one in pulses]
    return {
        "pulses": [
            {"group": group} | _pulse_words(one[1:]) for group, one in zip(groups, pulses, strict=True)
        ]
    }


def _single_pulse_words(data: bytes) -> dict[str, object]:
    _exactly(data, 4)
    where = channel_name(data[0]) if data[0] < CHANNELS else f"unknown ({data[0]})"
    return {"channel": where} | _pulse_words(data[1:])


def _mode_words(data: bytes) -> dict[str, object]:
    _exactly(data, 2)
    return {"mode": MODES[data[1]] if data[1] < len(MODES) else f"unknown ({data[1]})"}


def _version_words(data: bytes) -> dict[str, object]:
    _exactly(data, 1)
    return {"version": data[0]}


def _error_words(data: bytes) -> dict[str, object]:
    _exactly(data, 1)
    return {"error": signed(data[0]), "error_text": error_text(signed(data[0]))}


def _nothing(data: bytes) -> dict[str, object]:
    _exactly(data, 0)
    return {}


_WORDS: Mapping[int, Callable[[bytes], dict[str, object]]] = {
    Command.INIT: _version_words,
    Command.WATCHDOG: _nothing,
    Command.GET_MODE: _nothing,
    Command.INIT_LIST: _init_list_words,
    Command.START_LIST: _start_list_words,
    Command.STOP_LIST: _nothing,
    Command.SINGLE_PULSE: _single_pulse_words,
    Command.STIMULATION_ERROR: _error_words,
}
ANSWERS = frozenset((2, 11, 31, 33, 35, 37))


def meaning(frame: Frame) -> dict[str, object]:
    """Name of the command, and what its data says; ``problem`` where the data does not fit the command."""
    told: dict[str, object] = {"name": NAMES.get(frame.command, f"unknown command {frame.command}")}
    try:
        if frame.command in ANSWERS:
            if not frame.data:
                raise ValueError("no result")
            result = signed(frame.data[0])
            told |= {"result": result, "result_text": result_text(result)}
            if frame.command == Command.GET_MODE + 1 and not result:
                told |= _mode_words(frame.data)
        elif frame.command in _WORDS:
            told |= _WORDS[frame.command](frame.data)
    except ValueError as error:
        told["problem"] = str(error)
    return told


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One packet: number, command, data (hex), and all of it in words; ``channel`` means nothing here.

    ``ValueError`` also on a command that the language does not have: a public library sends such packets.
    """
    frame = decode_frame(data)
    if frame.command not in NAMES:
        raise ValueError(f"command: {frame.command} is none of ScienceMode2")
    numbers = {"packet_number": frame.packet_number, "command": frame.command, "data": frame.data.hex()}
    return numbers | meaning(frame)
