"""Reads a recording, whole or cut: every message up to the last whole one, in the order of writing.

Promises typed messages. Refuses, as an InputError naming the file, what is no recording and a message of
the wrong shape; the end of a cut file is simply the end.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Metadata
from mcap.stream_reader import MAGIC_SIZE, StreamReader, get_chunk_data_stream

from controller.errors import InputError
from controller.record.records import TOPICS, Record, decode

METADATA = "session"
RECORD_BYTES_MAX = 64 * 1024 * 1024  # a chunk is 1 MiB, a bus message 128 KiB: more is damage
RECORD_HEAD = struct.Struct("<BQ")  # MCAP 0: opcode, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # MCAP 0: channel, sequence, log time, publish time
DAMAGE = (McapError, struct.error, ValueError, zstandard.ZstdError)  # what a damaged record raises


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


def _mcap_records(path: Path) -> Iterator[McapRecord]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(str(path), "recording", error.strerror, "a readable file") from error
    with stream:
        source = StreamReader(_WholeReads(stream), emit_chunks=True, record_size_limit=RECORD_BYTES_MAX)
        try:
            for record in source.records:
                if isinstance(record, DataEnd):
                    return
                if isinstance(record, Chunk):
                    yield from _chunk_records(record)
                else:
                    yield record
        except EndOfFile:
            if stream.tell() < MAGIC_SIZE:
                raise InputError(str(path), "start of file", "no MCAP magic", "a recording") from None
        except DAMAGE as error:
            raise InputError(str(path), f"near byte {stream.tell()}", str(error), "an MCAP record") from error


def _chunk_records(chunk: Chunk) -> Iterator[McapRecord]:
    """Channels and messages of a chunk; the library's own way takes four times as long.

    Raises ValueError where the content is not what was written.
    """
    stream, size = get_chunk_data_stream(chunk, validate_crc=True)
    data = stream.read(size)
    offset = 0
    while offset < size:
        opcode, length = RECORD_HEAD.unpack_from(data, offset)
        offset += RECORD_HEAD.size
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_time, publish_time = MESSAGE_HEAD.unpack_from(data, offset)
            payload = data[offset + MESSAGE_HEAD.size : offset + length]
            yield Message(channel, log_time, payload, publish_time, sequence)
        elif opcode == Opcode.CHANNEL:
            yield Channel.read(ReadDataStream(io.BytesIO(data[offset : offset + length])))
        offset += length


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


def raw_messages(path: Path) -> Iterator[RawMessage]:
    """Every message up to the last whole one. Raises InputError for a file that is no recording."""
    topics: dict[int, str] = {}
    for record in _mcap_records(path):
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message):
            topic = topics.get(record.channel_id)
            if topic is None:
                raise InputError(str(path), "message", f"channel {record.channel_id}", "a declared channel")
            yield RawMessage(topic, record.log_time, record.data)


def messages(path: Path, topics: Collection[str] = tuple(TOPICS)) -> Iterator[Recorded]:
    """The messages of ``topics``, typed, up to the last whole one.

    Raises InputError for a file that is no recording and for a message of the wrong shape.
    """
    for message in raw_messages(path):
        if message.topic not in topics or message.topic not in TOPICS:
            continue
        try:
            record = decode(message.topic, message.payload)
        except msgspec.DecodeError as error:
            where = f"message {message.topic!r} at {message.t_ns} ns"
            raise InputError(str(path), where, str(error), "the shape of its topic") from error
        yield Recorded(message.topic, message.t_ns, record)
