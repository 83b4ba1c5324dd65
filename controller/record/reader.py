"""Reads a recording, whole or cut: every message up to the last whole one, in the order of writing.

Promises typed messages, and memory bounded by RECORD_BYTES_MAX at a time. Refuses, as an InputError naming
the file, what is no recording; a message of the wrong shape is told in its place, the end of a cut file is
simply the end.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from lz4 import frame as lz4
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Metadata
from mcap.stream_reader import MAGIC_SIZE, StreamReader

from controller.errors import InputError
from controller.record.records import TOPICS, Record, Unreadable, decode

METADATA = "session"
NO_END = "the recording has no end: it was cut off, or its session still runs"
ZSTD_WINDOW_MAX = 16 * 1024 * 1024  # what unpacking may take beside the content
RECORD_BYTES_MAX = 16 * 1024 * 1024  # a chunk is 1 MiB unpacked, a bus message 128 KiB: more is damage
RECORD_HEAD = struct.Struct("<BQ")  # MCAP 0: opcode, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # MCAP 0: channel, sequence, log time, publish time
# What a damaged record raises; lz4 says RuntimeError.
DAMAGE = (McapError, struct.error, ValueError, zstandard.ZstdError, RuntimeError, MemoryError)


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it was written, its payload not yet decoded."""

    topic: str
    t_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message, decoded."""

    topic: str
    t_ns: int
    record: Record


class _WholeReads:
    """A stream that ends where a read comes back short, so that half a record is never taken for one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, length: int) -> bytes:
        data = self._stream.read(length)
        if len(data) < length:
            raise EndOfFile
        return data


def _mcap_records(path: Path, unasked: Container[int] = ()) -> Iterator[McapRecord]:
    """The records of a file, but for messages in chunks that are of the channels ``unasked``."""
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise InputError(str(path), "recording", "no file", "a readable file")
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(str(path), "recording", why, "a readable file") from error
    with stream:
        source = StreamReader(_WholeReads(stream), emit_chunks=True, record_size_limit=RECORD_BYTES_MAX)
        try:
            for record in source.records:
                if isinstance(record, DataEnd):
                    return
                if isinstance(record, Chunk):
                    yield from _chunk_records(record, unasked)
                else:
                    yield record
        except EndOfFile:
            if stream.tell() < MAGIC_SIZE:
                raise InputError(str(path), "start of file", "no MCAP magic", "a recording") from None
        except DAMAGE as error:
            raise InputError(str(path), f"near byte {stream.tell()}", str(error), "an MCAP record") from error


def unpacked(chunk: Chunk) -> bytes:
    """A chunk's content, held against what it claims before and while it is unpacked.

    Raises ValueError where it claims or holds more than RECORD_BYTES_MAX, or is not what was written.
    """
    claimed = chunk.uncompressed_size
    if claimed > RECORD_BYTES_MAX:
        raise ValueError(f"a chunk of {claimed:,} bytes unpacked, allowed: at most {RECORD_BYTES_MAX:,}")
    if chunk.compression == "zstd":
        with zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX).stream_reader(chunk.data) as stream:
            data = stream.read(claimed + 1)
    elif chunk.compression == "lz4":
        data = lz4.LZ4FrameDecompressor().decompress(chunk.data, max_length=claimed + 1)
    elif not chunk.compression:
        data = chunk.data
    else:
        raise ValueError(f"compression {chunk.compression!r}, allowed: zstd, lz4 or none")
    if len(data) != claimed:
        raise ValueError(f"a chunk that says {claimed:,} bytes unpacked and is not so long")
    if chunk.uncompressed_crc not in (0, zlib.crc32(data)):
        raise ValueError("a chunk whose checksum is not that of its content")
    return data


def _chunk_records(chunk: Chunk, unasked: Container[int]) -> Iterator[McapRecord]:
    """Channels and messages of a chunk; the library's own way takes four times as long.

    Raises ValueError where the content is not what was written.
    """
    data = unpacked(chunk)
    size, offset = len(data), 0
    while offset < size:
        opcode, length = RECORD_HEAD.unpack_from(data, offset)
        offset += RECORD_HEAD.size
        if length > size - offset:
            raise ValueError("a record reaches beyond its chunk")
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_time, publish_time = MESSAGE_HEAD.unpack_from(data, offset)
            if channel not in unasked:
                payload = data[offset + MESSAGE_HEAD.size : offset + length]
                yield Message(channel, log_time, payload, publish_time, sequence)
        elif opcode == Opcode.CHANNEL:
            yield Channel.read(ReadDataStream(io.BytesIO(data[offset : offset + length])))
        offset += length


def has_end(path: Path) -> bool:
    """Whether a recording was closed; one that was not was cut off, or its session still runs.

    Raises InputError where the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            begin = stream.read(MAGIC_SIZE)
            at = stream.seek(0, io.SEEK_END)
            stream.seek(max(at - MAGIC_SIZE, 0))
            return at > MAGIC_SIZE and stream.read() == begin  # MCAP 0: the same magic at both ends
    except OSError as error:
        raise InputError(str(path), "recording", error.strerror or str(error), "a readable file") from error


def header(path: Path) -> dict[str, str]:
    """The ``session`` metadata a recording begins with: configuration, parameters, versions, seeds.

    Raises InputError for a file that is no recording or ends before it.
    """
    for record in _mcap_records(path):
        if isinstance(record, Metadata) and record.name == METADATA:
            return dict(record.metadata)
        if isinstance(record, Message):
            break
    raise InputError(str(path), "session metadata", "none", "a recording made by dorsi")


def raw_messages(path: Path, asked: Collection[str] | None = None) -> Iterator[RawMessage]:
    """Every message up to the last whole one, or those of the topics ``asked``.

    Raises InputError for a file that is no recording.
    """
    topics: dict[int, str] = {}
    unasked: set[int] = set()
    for record in _mcap_records(path, unasked):
        if isinstance(record, Channel):
            topics[record.id] = record.topic
            if asked is not None and record.topic not in asked:
                unasked.add(record.id)
        elif isinstance(record, Message) and record.channel_id not in unasked:
            topic = topics.get(record.channel_id)
            if record.log_time >= 2**63:
                raise InputError(
                    str(path), "message", f"log time {record.log_time}", "nanoseconds of 63 bits"
                )
            if topic is None:
                raise InputError(str(path), "message", f"channel {record.channel_id}", "a declared channel")
            yield RawMessage(topic, record.log_time, record.data)


def messages(path: Path, topics: Collection[str] = tuple(TOPICS)) -> Iterator[Recorded]:
    """The messages of ``topics``, typed, up to the last whole one; in place of a bad one an Unreadable.

    Raises InputError for a file that is no recording.
    """
    for message in raw_messages(path, [topic for topic in topics if topic in TOPICS]):
        yield Recorded(message.topic, message.t_ns, read(message))


def unreadable(path: Path) -> tuple[Unreadable, ...]:
    """The messages that nobody can read, in the recording's order; looked for once in an unchanged file."""
    try:
        state = path.stat()
    except OSError:
        return _unreadable(path, -1, -1)
    return _unreadable(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _unreadable(path: Path, _size: int, _mtime_ns: int) -> tuple[Unreadable, ...]:
    return tuple(each.record for each in messages(path) if isinstance(each.record, Unreadable))


def read(message: RawMessage) -> Record:
    """The typed message, or in its place why it cannot be read."""
    try:
        return decode(message.topic, message.payload)
    except msgspec.DecodeError as error:
        return Unreadable(message.t_ns, message.topic, str(error))
