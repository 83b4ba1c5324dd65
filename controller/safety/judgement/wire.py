"""The bytes between controller and guard: command frames and sensor stamps in, verdicts and pulses out.

Every message carries magic, version and CRC-32; anything else decodes to a :class:`BadFrame` value with a
reason, never to an exception and never to a command.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal, get_args

from drivers.interface import ChannelCommand, Vec3

KIND_FRAME = 0x01
KIND_STAMP = 0x02
KIND_VERDICT = 0x03
KIND_PULSE = 0x04
KIND_JSON = 0x7B  # "{": requests and state changes are JSON objects

MAGIC = 0xD0F5  # tells a frame of ours from any other bytes that begin alike
VERSION = 5
CHANNELS_MAX = 8  # two connectors of four colours, ScienceMode4
TEXT_MAX_BYTES = 400
FRAME_GAP_MIN_NS = 1_000_000  # between the tick times of two frames; a controller ticks every 5 ms (F24)

VerdictKind = Literal["ok", "reduced", "blocked"]
# What a frame's current is for: nothing may leave; a single test train on a standing leg; stimulation that
# no sensor shapes beyond its timing; stimulation in whose current what the sensors show has part.
Purpose = Literal["off", "test_train", "open_loop", "feedback"]
Channels = tuple[ChannelCommand | None, ...]

_HEADER = struct.Struct("<BHB")
_FRAME = struct.Struct("<QQqdBB")
_STAMP = struct.Struct("<QqQ?IB")
_MOTION = struct.Struct("<6d")
_VERDICT = struct.Struct("<QqBBHB")
_PULSE = struct.Struct("<BqddB")
_CHANNEL = struct.Struct("<?dddB")
_CRC = struct.Struct("<I")
_VERDICTS: tuple[VerdictKind, ...] = ("ok", "reduced", "blocked")
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True, slots=True)
class Frame:
    """One tick's command. ``t_ns`` is the tick's monotonic time, ``session`` the guard's session id.

    ``purpose`` is what its current is for, at this tick or, where it has none, would be.
    """

    session: int
    seq: int
    t_ns: int
    lifetime_ms: float
    channels: Channels
    purpose: Purpose = "open_loop"


@dataclass(frozen=True, slots=True)
class SensorStamp:
    """That a sensor delivered a sample, sent by the sensor's own task and not by the tick.

    ``t_ns`` is the device's time of the sample mapped to monotonic time. ``digest`` is a checksum of the
    raw measurement by which a frozen value shows; 0 where the driver gives none. ``motion`` is what an
    inertial sensor measured, m/s2 and rad/s in its own axes.
    """

    session: int
    sensor: str
    t_ns: int
    seq: int
    valid: bool
    digest: int = 0
    motion: tuple[Vec3, Vec3] | None = None


@dataclass(frozen=True, slots=True)
class PulseTold:
    """A pulse or burst that the guard has just written to the stimulator; ``channel`` is that of a frame."""

    channel: int
    t_ns: int
    current_ma: float
    width_us: float
    cycles: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard made of a frame; ``channels`` is what it let through."""

    frame_seq: int
    t_ns: int
    state: str
    verdict: VerdictKind
    reason: str
    channels: Channels


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that are no message of ours."""

    reason: str


def _pack_channels(channels: Channels) -> bytes:
    if len(channels) > CHANNELS_MAX:
        raise ValueError(f"{len(channels)} channels, at most {CHANNELS_MAX} fit a frame")
    return b"".join(
        _CHANNEL.pack(False, 0.0, 0.0, 0.0, 0)
        if channel is None
        else _CHANNEL.pack(True, channel.current_ma, channel.width_us, channel.rate_hz, channel.cycles)
        for channel in channels
    )


def _seal(kind: int, body: bytes) -> bytes:
    message = _HEADER.pack(kind, MAGIC, VERSION) + body
    return message + _CRC.pack(zlib.crc32(message))


def encode_frame(frame: Frame) -> bytes:
    """Raises ValueError or struct.error where a field does not fit; any float does, and 0 to 255 cycles."""
    purpose = PURPOSES.index(frame.purpose)
    head = _FRAME.pack(frame.session, frame.seq, frame.t_ns, frame.lifetime_ms, len(frame.channels), purpose)
    return _seal(KIND_FRAME, head + _pack_channels(frame.channels))


def encode_stamp(stamp: SensorStamp) -> bytes:
    """Raises ValueError where the name is longer than 255 bytes."""
    name = stamp.sensor.encode()
    if len(name) > 255:
        raise ValueError(f"sensor name of {len(name)} bytes, at most 255 fit a stamp")
    head = _STAMP.pack(stamp.session, stamp.t_ns, stamp.seq, stamp.valid, stamp.digest, len(name))
    motion = b"" if stamp.motion is None else _MOTION.pack(*stamp.motion[0], *stamp.motion[1])
    return _seal(KIND_STAMP, head + name + motion)


def encode_verdict(verdict: Verdict) -> bytes:
    """A reason longer than TEXT_MAX_BYTES is cut at a whole character."""
    state = verdict.state.encode()[:255]
    reason = verdict.reason.encode()[:TEXT_MAX_BYTES].decode(errors="ignore").encode()
    head = _VERDICT.pack(
        verdict.frame_seq,
        verdict.t_ns,
        _VERDICTS.index(verdict.verdict),
        len(state),
        len(reason),
        len(verdict.channels),
    )
    return _seal(KIND_VERDICT, head + state + reason + _pack_channels(verdict.channels))


def encode_pulse(pulse: PulseTold) -> bytes:
    body = _PULSE.pack(pulse.channel, pulse.t_ns, pulse.current_ma, pulse.width_us, pulse.cycles)
    return _seal(KIND_PULSE, body)


def _unseal(kind: int, message: bytes, fixed: struct.Struct) -> bytes | BadFrame:
    if len(message) < _HEADER.size + fixed.size + _CRC.size:
        return BadFrame(f"{len(message)} bytes are too short")
    (crc,) = _CRC.unpack_from(message, len(message) - _CRC.size)
    if crc != zlib.crc32(message[: -_CRC.size]):
        return BadFrame("checksum does not match")
    got_kind, magic, version = _HEADER.unpack_from(message)
    if magic != MAGIC or got_kind != kind:
        return BadFrame(f"kind {got_kind}, magic {magic:#06x} are not those of this message")
    if version != VERSION:
        return BadFrame(f"version {version}, this guard speaks {VERSION}")
    return message[_HEADER.size : -_CRC.size]


def _unpack_channels(body: bytes, count: int) -> Channels | BadFrame:
    if count > CHANNELS_MAX or len(body) != count * _CHANNEL.size:
        return BadFrame(f"{len(body)} bytes do not hold {count} channels")
    if any(body[start] > 1 for start in range(0, len(body), _CHANNEL.size)):
        return BadFrame("a channel is neither on nor off")
    return tuple(
        ChannelCommand(current_ma, width_us, rate_hz, cycles) if on else None
        for on, current_ma, width_us, rate_hz, cycles in _CHANNEL.iter_unpack(body)
    )


def decode_frame(message: bytes) -> Frame | BadFrame:
    """Any bytes in; the floats of a well-formed frame may still be any float."""
    body = _unseal(KIND_FRAME, message, _FRAME)
    if isinstance(body, BadFrame):
        return body
    session, seq, t_ns, lifetime_ms, count, purpose = _FRAME.unpack_from(body)
    if purpose >= len(PURPOSES):
        return BadFrame(f"purpose {purpose} is not known")
    channels = _unpack_channels(body[_FRAME.size :], count)
    if isinstance(channels, BadFrame):
        return channels
    return Frame(session, seq, t_ns, lifetime_ms, channels, PURPOSES[purpose])


def decode_stamp(message: bytes) -> SensorStamp | BadFrame:
    """Any bytes in."""
    body = _unseal(KIND_STAMP, message, _STAMP)
    if isinstance(body, BadFrame):
        return body
    session, t_ns, seq, valid, digest, length = _STAMP.unpack_from(body)
    name, rest = body[_STAMP.size : _STAMP.size + length], body[_STAMP.size + length :]
    if len(name) != length or len(rest) not in (0, _MOTION.size):
        return BadFrame(f"{len(body)} bytes do not hold a name of {length} and a motion")
    motion = None
    if rest:
        ax, ay, az, gx, gy, gz = _MOTION.unpack(rest)
        motion = ((ax, ay, az), (gx, gy, gz))
    try:
        return SensorStamp(session, name.decode(), t_ns, seq, valid, digest, motion)
    except UnicodeDecodeError:
        return BadFrame("sensor name is not UTF-8")


def decode_pulse(message: bytes) -> PulseTold | BadFrame:
    """Any bytes in."""
    body = _unseal(KIND_PULSE, message, _PULSE)
    if isinstance(body, BadFrame):
        return body
    if len(body) != _PULSE.size:
        return BadFrame(f"{len(body)} bytes do not hold a pulse")
    return PulseTold(*_PULSE.unpack(body))


def decode_verdict(message: bytes) -> Verdict | BadFrame:
    """Any bytes in."""
    body = _unseal(KIND_VERDICT, message, _VERDICT)
    if isinstance(body, BadFrame):
        return body
    frame_seq, t_ns, kind, state_length, reason_length, count = _VERDICT.unpack_from(body)
    text_end = _VERDICT.size + state_length + reason_length
    if kind >= len(_VERDICTS) or len(body) < text_end:
        return BadFrame("verdict kind or text length does not fit")
    channels = _unpack_channels(body[text_end:], count)
    if isinstance(channels, BadFrame):
        return channels
    try:
        state = body[_VERDICT.size : _VERDICT.size + state_length].decode()
        reason = body[_VERDICT.size + state_length : text_end].decode()
    except UnicodeDecodeError:
        return BadFrame("verdict text is not UTF-8")
    return Verdict(frame_seq, t_ns, state, _VERDICTS[kind], reason, channels)
