"""The records of an MCAP file, whole or cut; the library's own reader takes four times as long.

Promises memory bounded by RECORD_BYTES_MAX at a time and never half a record. Refuses, as an InputError
naming the file, what is no MCAP file; the end of a cut file is simply the end.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from lz4 import frame as lz4
from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.records import Chunk
from mcap.stream_reader import MAGIC_SIZE
from mcap.writer import MCAP0_MAGIC

from controller.errors import InputError
from controller.record.reading_told import Reading

ZSTD_WINDOW_MAX = 16 * 1024 * 1024  # what unpacking may take beside the content
RECORD_BYTES_MAX = 16 * 1024 * 1024  # a chunk is some MiB unpacked, a bus message 128 KiB: more is damage
RECORD_HEAD = struct.Struct("<BQ")  # MCAP 0: opcode, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # MCAP 0: channel, sequence, log time, publish time
AN_MCAP_RECORD = "an MCAP record"
# What a damaged record raises; lz4 says RuntimeError.
DAMAGE = (
    McapError, struct.error, ValueError, zstandard.ZstdError, RuntimeError, MemoryError, msgspec.DecodeError,
)  # fmt: skip


def opened(path: Path) -> IO[bytes]:
    """The file, to be read. Raises InputError where it is none."""
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise InputError(str(path), "recording", "no file", "a readable file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(str(path), "recording", why, "a readable file") from error


def records(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Opcode and content of each whole record before the summary, but for message indexes.

    Raises InputError for what is no MCAP file, and a record of more than RECORD_BYTES_MAX.
    """
    magic = stream.read(MAGIC_SIZE)
    if len(magic) < MAGIC_SIZE:
        raise InputError(str(path), "start of file", "no MCAP magic", "a recording")
    if magic != MCAP0_MAGIC:
        raise InputError(str(path), f"near byte {len(magic)}", f"{magic!r}", AN_MCAP_RECORD)
    reading = Reading(stream)
    while len(head := stream.read(RECORD_HEAD.size)) == RECORD_HEAD.size:
        opcode, length = RECORD_HEAD.unpack(head)
        if length > RECORD_BYTES_MAX:
            said = f"a record of {length:,} bytes, allowed: at most {RECORD_BYTES_MAX:,}"
            raise InputError(str(path), f"near byte {stream.tell()}", said, AN_MCAP_RECORD)
        if opcode == Opcode.DATA_END:
            break
        if opcode == Opcode.MESSAGE_INDEX:
            stream.seek(length, io.SEEK_CUR)
            continue
        content = stream.read(length)
        if len(content) < length:
            break
        yield opcode, content
        reading.reached(stream.tell())
    reading.ended()


def bytes_after_last(path: Path) -> int:
    """How many bytes lie behind a file's last whole record. Raises InputError where it cannot be read."""
    with opened(path) as stream:
        size = stream.seek(0, io.SEEK_END)
        end = stream.seek(min(MAGIC_SIZE, size))
        while len(head := stream.read(RECORD_HEAD.size)) == RECORD_HEAD.size:
            opcode, length = RECORD_HEAD.unpack(head)
            if opcode == 0 or length > size - stream.tell():
                break
            end = stream.seek(length, io.SEEK_CUR)
        return size - end


@contextlib.contextmanager
def damage_told(path: Path, stream: IO[bytes]) -> Iterator[None]:
    """What a damaged record raises, as an InputError that says where it is."""
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        said = "a record cut within itself" if isinstance(error, EndOfFile) else str(error)
        raise InputError(str(path), f"near byte {stream.tell()}", said, AN_MCAP_RECORD) from error


def records_within(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, place and length of each record of an unpacked chunk. Raises ValueError for half a one."""
    size, offset = len(data), 0
    while offset < size:
        opcode, length = RECORD_HEAD.unpack_from(data, offset)
        offset += RECORD_HEAD.size
        if length > size - offset:
            raise ValueError("a record reaches beyond its chunk")
        yield opcode, offset, length
        offset += length


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


def has_end(path: Path) -> bool:
    """Whether a file was closed; one that was not was cut off, or its session still runs.

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
