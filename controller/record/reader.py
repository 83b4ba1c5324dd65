"""Reads a recording, whole or cut: every message up to the last whole one, in the order of writing.

Promises typed messages, and memory bounded by RECORD_BYTES_MAX at a time. A recording that runs, or whose
recorder was killed, goes on in the tails beside it. Refuses, as an InputError naming the file, what is no
recording; a message of the wrong shape is told in its place, the end of a cut file is simply the end.
"""

from __future__ import annotations

import contextlib
import glob
import heapq
import io
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Metadata

from controller.errors import InputError
from controller.record.mcap_records import (
    MESSAGE_HEAD,
    damage_told,
    has_end,
    opened,
    records,
    records_within,
    unpacked,
)
from controller.record.message_table import MessageTable, rows
from controller.record.records import TOPICS, Record, Unreadable, decode
from controller.record.table_view import TableView

__all__ = ["has_end"]  # and what is defined here

METADATA = "session"
IDENTITY = "recording"  # metadata of a recording and of its tails: which belong together
TABLE = "table/"  # before a topic: its messages over some seconds as one controller.record.message_table
TAIL_SUFFIX = ".tail-"  # then the recording's identity and the number of the tail's first message
NO_END = "the recording has no end: it was cut off, or its session still runs"
T_NS_END = 2**63
_TABLE = msgspec.msgpack.Decoder(MessageTable)

Numbered = tuple[int, str, int, bytes]  # a message's number in the recording, topic, time in ns, payload


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """One message as it was written, its payload not yet decoded. ``t_ns`` is monotonic time."""

    topic: str
    t_ns: int
    payload: bytes


class Part(NamedTuple):
    """The messages of one topic over some seconds, as a table."""

    topic: str
    table: MessageTable

    def messages(self) -> Iterator[RawMessage]:
        for _, topic, t_ns, payload in rows(self.topic, self.table):
            yield RawMessage(topic, t_ns, payload)


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One message, decoded."""

    topic: str
    t_ns: int
    record: Record


def header(path: Path) -> dict[str, str]:
    """The ``session`` metadata a recording begins with: configuration, parameters, versions, seeds.

    Raises InputError for a file that is no recording or ends before it.
    """
    with opened(path) as stream:
        for opcode, content in records(path, stream):
            if opcode == Opcode.METADATA:
                with damage_told(path, stream):
                    metadata = _metadata(content)
                if metadata.name == METADATA:
                    return dict(metadata.metadata)
            elif opcode in (Opcode.MESSAGE, Opcode.CHUNK):
                break
    raise InputError(str(path), "session metadata", "none", "a recording made by dorsi")


def is_recording(path: Path) -> bool:
    """Whether there is a recording at ``path``."""
    try:
        header(path)
    except InputError:
        return False
    return True


def _metadata(content: bytes) -> Metadata:
    return Metadata.read(ReadDataStream(io.BytesIO(content)))


def raw_messages(path: Path, asked: Collection[str] | None = None) -> Iterator[RawMessage]:
    """Every message up to the last whole one, or those of the topics ``asked``.

    Raises InputError for a file that is no recording.
    """
    for _, topic, t_ns, payload in numbered_messages(path, asked):
        yield RawMessage(topic, t_ns, payload)


def numbered_messages(path: Path, asked: Collection[str] | None = None) -> Iterator[Numbered]:
    """As :func:`raw_messages`, with the number of each in the recording."""
    with contextlib.ExitStack() as stack:
        tails = _tails(path, stack)  # first: what is packed in the meantime is in the recording
        stream = stack.enter_context(opened(path))
        whole = _File(path, asked, count=bool(tails))
        yield from whole.messages(stream)
        last = whole.last
        for tail, tail_stream in tails:
            part = _File(tail, asked, count=True)
            for message in part.messages(tail_stream):
                if message[0] > last:
                    yield message
            last = max(last, part.last)


def parts(path: Path, asked: Collection[str]) -> Iterator[RawMessage | Part]:
    """The messages of the topics ``asked``, topic by topic over some seconds: a table where they are in one.

    Raises InputError as :func:`raw_messages` does; of a recording that runs or was cut, tails are messages.
    """
    if _tails_beside(path):
        yield from raw_messages(path, asked)
        return
    with opened(path) as stream:
        whole = _File(path, asked, count=False)
        yield from whole.parts(stream)


def tails_of(path: Path) -> list[Path]:
    """The tails beside a recording, in their order. Raises InputError as the reader does."""
    with contextlib.ExitStack() as stack:
        return [tail for tail, _ in _tails(path, stack)]


def _tails(path: Path, stack: contextlib.ExitStack) -> list[tuple[Path, IO[bytes]]]:
    found: list[tuple[Path, IO[bytes]]] = []
    beside = _tails_beside(path)
    identity = _identity(path) if beside else ""
    for tail in beside:
        with contextlib.suppress(FileNotFoundError):  # packed just now
            stream = tail.open("rb")
            stack.enter_context(stream)
            if identity and _identity(tail) == identity:  # another recording may have lain here
                found.append((tail, stream))
    return found


def _tails_beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(glob.escape(path.name) + TAIL_SUFFIX + "*"))


def _identity(path: Path) -> str:
    """Which recording a file is of; empty where it does not say."""
    with contextlib.suppress(InputError), opened(path) as stream:
        for opcode, content in records(path, stream):
            if opcode == Opcode.METADATA:
                with damage_told(path, stream):
                    metadata = _metadata(content)
                if metadata.name == IDENTITY:
                    return str(metadata.metadata.get("id", ""))
            elif opcode in (Opcode.MESSAGE, Opcode.CHUNK):
                break
    return ""


class _File:
    """One file of a recording as it is read: its channels, how far it goes."""

    def __init__(self, path: Path, asked: Collection[str] | None, *, count: bool) -> None:
        self._path = path
        self._asked = asked
        self._count = count  # whether ``last`` is asked for
        self._topics: dict[int, str] = {}
        self._unasked: set[int] = set()
        self.last = -1

    def messages(self, stream: IO[bytes]) -> Iterator[Numbered]:
        with damage_told(self._path, stream):
            for opcode, content in records(self._path, stream):
                if opcode == Opcode.CHUNK:
                    yield from self._chunk(unpacked(Chunk.read(ReadDataStream(io.BytesIO(content)))))
                else:
                    plain: list[Numbered] = []
                    found = self._take(opcode, content, 0, len(content), plain)
                    yield from rows(found.topic, found.table) if found else plain

    def parts(self, stream: IO[bytes]) -> Iterator[RawMessage | Part]:
        """As :meth:`messages`, with tables as they are."""
        with damage_told(self._path, stream):
            for opcode, content in records(self._path, stream):
                data, found = content, [(opcode, 0, len(content))]
                if opcode == Opcode.CHUNK:
                    data = unpacked(Chunk.read(ReadDataStream(io.BytesIO(content))))
                    found = list(records_within(data))
                plain: list[Numbered] = []
                for kind, offset, length in found:
                    table = self._take(kind, data, offset, length, plain)
                    if table is not None:
                        yield table
                for _, topic, t_ns, payload in plain:
                    yield RawMessage(topic, t_ns, payload)

    def _chunk(self, data: bytes) -> Iterator[Numbered]:
        """Its messages in their order."""
        plain: list[Numbered] = []
        tables: list[Iterable[Numbered]] = []
        for opcode, offset, length in records_within(data):
            table = self._take(opcode, data, offset, length, plain)
            if table is not None:
                tables.append(rows(table.topic, table.table))
        plain.sort(key=itemgetter(0))  # packed topic by topic
        return heapq.merge(plain, *tables, key=itemgetter(0))

    def _take(self, opcode: int, data: bytes, offset: int, length: int, plain: list[Numbered]) -> Part | None:
        """A plain message is added to ``plain``; returned is what a table holds."""
        if opcode == Opcode.MESSAGE:
            channel, number, _, t_ns = MESSAGE_HEAD.unpack_from(data, offset)
            if channel in self._unasked and not self._count:
                return None
            return self._message(
                channel, number, t_ns, data[offset + MESSAGE_HEAD.size : offset + length], plain
            )
        if opcode == Opcode.CHANNEL:
            channel = Channel.read(ReadDataStream(io.BytesIO(data[offset : offset + length])))
            self._topics[channel.id] = channel.topic
            if self._asked is not None and channel.topic.removeprefix(TABLE) not in self._asked:
                self._unasked.add(channel.id)
        return None

    def _message(
        self, channel: int, number: int, t_ns: int, payload: bytes, plain: list[Numbered]
    ) -> Part | None:
        topic = self._topics.get(channel)
        if topic is None:
            raise InputError(str(self._path), "message", f"channel {channel}", "a declared channel")
        if topic.startswith(TABLE):
            table = _TABLE.decode(payload)
            if self._count:
                self.last = max(self.last, table.last_number)
            return None if channel in self._unasked else Part(topic.removeprefix(TABLE), table)
        if t_ns >= T_NS_END:
            raise InputError(str(self._path), "message", f"log time {t_ns}", "nanoseconds of 63 bits")
        self.last = max(self.last, number)
        if channel not in self._unasked:
            plain.append((number, topic, t_ns, payload))
        return None


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
    found: list[Unreadable] = []
    for part in parts(path, tuple(TOPICS)):
        if isinstance(part, Part):
            if TableView(part.table).frames(TOPICS[part.topic]) is None:
                found += [r for each in part.messages() if isinstance(r := read(each), Unreadable)]
        elif isinstance(record := read(part), Unreadable):
            found.append(record)
    return tuple(sorted(found, key=attrgetter("t_ns")))


def read(message: RawMessage) -> Record:
    """The typed message, or in its place why it cannot be read."""
    try:
        return decode(message.topic, message.payload)
    except msgspec.DecodeError as error:
        return Unreadable(message.t_ns, message.topic, str(error))
