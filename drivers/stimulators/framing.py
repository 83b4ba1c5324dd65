"""What Hasomed's ScienceMode2 and ScienceMode4 share: stuffed packets between a start and a stop byte.

Headers differ and are each language's own; :mod:`drivers.stimulators.sciencemode2` and ``sciencemode4``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

START = 0xF0
STOP = 0x0F
STUFF = 0x81
KEY = 0x55


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet unwrapped: its number, its command, its ``data`` unstuffed."""

    packet_number: int
    command: int
    data: bytes = b""


Parse = Callable[[bytes | bytearray], "tuple[Frame, int] | None"]


def stuffed(byte: int) -> bytes:
    return bytes((STUFF, byte ^ KEY))


def as_sent(byte: int) -> bytes:
    """A byte of a packet's body: stuffed where it could be taken for a delimiter."""
    return stuffed(byte) if byte in (START, STOP, STUFF) else bytes((byte,))


def unstuffed(packet: bytes | bytearray, begin: int, length: int) -> bytes | None:
    """The body from ``begin`` to the stop byte of a packet of ``length``; ``None`` while bytes are missing.

    Judges strictly from left to right, so that more bytes never turn a refusal into a frame.
    """
    stop = length - 1
    payload = bytearray()
    position = begin
    while position < min(stop, len(packet)):
        byte = packet[position]
        if byte in (START, STOP):
            raise ValueError(f"length: {length} announced, but a raw {byte:02x} stands at byte {position}")
        if byte == STUFF:
            position += 1
            if position == stop:
                raise ValueError(f"length: byte {stop} should be the stop byte but is stuffed")
            if position == len(packet):
                return None
            byte = packet[position] ^ KEY
        payload.append(byte)
        position += 1
    if len(packet) < length:
        return None
    if packet[stop] != STOP:
        raise ValueError(f"stop: byte {stop} is {packet[stop]:02x}, must be 0f (or the length is wrong)")
    return bytes(payload)


class FrameSplitter:
    """Finds frames in a byte stream cut anywhere; the same frames come out however it is cut.

    The byte after a 0x81 is data, never a delimiter: the stuffed header does contain raw 0xF0 and 0x0F. After
    a broken frame the search goes on behind its start byte, so a whole frame is never lost to the one before.
    ``parse`` is the language's own; it judges from left to right.
    """

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._pending = bytearray()
        self.bad_frames = 0  # beginnings that turned out not to be a frame
        self.skipped_bytes = 0  # bytes that belong to no frame

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames completed by ``chunk``. Never raises, whatever the bytes."""
        self._pending += chunk
        frames: list[Frame] = []
        while self._pending:
            start = self._pending.find(START)
            if start != 0:
                self._skip(start if start > 0 else len(self._pending))
                continue
            try:
                parsed = self._parse(self._pending)
            except ValueError:
                self.bad_frames += 1
                self._skip(1)
                continue
            if parsed is None:
                break
            frame, length = parsed
            frames.append(frame)
            del self._pending[:length]
        return frames

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count
        del self._pending[:count]
