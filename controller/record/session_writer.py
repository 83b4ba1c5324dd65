"""Writes a session's recording while it runs: what is new in a plain tail, what is older in packed chunks.

Every message goes at once into a tail, an MCAP file beside the recording that always ends after a whole
message. Every few seconds a new tail begins and the one before is packed into a chunk of the recording; only
when that is on the disk is the tail removed. So what was flushed survives the death of this process in one of
the two, and the end of a session finds a few seconds to pack, however long it was.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from controller.record.message_table import Row, TableMaker, rows
from controller.record.reader import TABLE, TAIL_SUFFIX
from controller.record.records import Clock
from controller.record.writer import RecordingWriter

SEGMENT_S = 10.0  # longer packs better and is more to pack at the end
SEGMENT_BYTES = 6 << 20  # of messages
TABLE_ROWS_MIN = 32  # of a topic in a segment; fewer stay as they came, for any viewer

_PACKED = msgspec.msgpack.Encoder().encode
_CLOCK = msgspec.json.Decoder(Clock)


@dataclass(slots=True)
class Segment:
    """Messages of a few seconds, by topic, and the tail that holds them."""

    tail: Path | None = None
    topics: dict[str, list[Row]] = field(default_factory=dict)
    offset_ns: int = 0  # UTC - monotonic
    bytes: int = 0

    def add(self, row: Row) -> None:
        self.topics.setdefault(row[1], []).append(row)
        self.bytes += len(row[3])


class PackedFile:
    """An MCAP file of packed segments. Every method but ``close`` raises OSError when the disk says no."""

    def __init__(self, path: Path, session: Mapping[str, str], identity: str) -> None:
        self._writer = RecordingWriter(path, session, compress=True, identity=identity)
        self._maker = TableMaker()

    def add(self, segment: Segment) -> None:
        """Pack a segment as one chunk and have it on the disk."""
        for topic, found in segment.topics.items():
            table = self._maker.table(found) if len(found) >= TABLE_ROWS_MIN else None
            if table is not None and list(rows(topic, table)) == found:
                number, _, t_ns, _ = found[0]
                self._writer.put(TABLE + topic, number, t_ns, t_ns + segment.offset_ns, _PACKED(table))
                continue
            for number, _, t_ns, payload in found:
                self._writer.put(topic, number, t_ns, t_ns + segment.offset_ns, payload)
        self._writer.flush()
        self._writer.sync()

    def finish(self) -> None:
        """Write the index and the footer."""
        self._writer.finish()

    def close(self) -> None:
        self._writer.close()


class SessionWriter:
    """A session's recording, never over another one; see the module.

    Every method but ``close`` raises OSError when the disk says no. :meth:`pack` may run in another thread
    than the rest.
    """

    def __init__(self, path: Path, session: Mapping[str, str]) -> None:
        self._path = path
        self._identity = uuid.uuid4().hex
        self._packed = PackedFile(path, session, self._identity)
        self._packing = threading.Lock()
        self._closed = False
        self._count = 0
        self._waiting: list[Segment] = []
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._begin()

    def add(self, topic: str, t_ns: int, payload: bytes) -> None:
        """Append one message; it is on its way to the disk after :meth:`flush`."""
        if topic == "clock":
            self._offset_ns = utc_minus_monotonic_ns(payload, self._offset_ns)
            self._segment.offset_ns = self._offset_ns
        self._tail.append(topic, self._count, t_ns, t_ns + self._offset_ns, payload)
        self._segment.add((self._count, topic, t_ns, payload))
        self._count += 1

    def flush(self) -> None:
        """Hand everything to the operating system: from here on it survives this process."""
        self._tail.flush()

    def sync(self) -> None:
        """Hand everything to the disk: from here on it survives the machine. May take 100 ms."""
        self._tail.sync()

    def turn(self) -> bool:
        """Begin a new tail if this one is old or long enough; whether there is something to :meth:`pack`."""
        age_s = time.monotonic() - self._begun_s
        if self._segment.topics and (age_s >= SEGMENT_S or self._segment.bytes >= SEGMENT_BYTES):
            self._end_segment()
            self._begin()
        return bool(self._waiting)

    def pack(self) -> None:
        """Pack what earlier tails hold into the recording, and remove them."""
        with self._packing:
            while self._waiting and not self._closed:
                segment = self._waiting[0]
                self._packed.add(segment)
                if segment.tail is not None:
                    segment.tail.unlink(missing_ok=True)
                self._waiting.pop(0)

    def finish(self) -> None:
        """Pack the rest, write the index and the footer."""
        self._end_segment()
        self.pack()
        self._packed.finish()

    def close(self) -> None:
        """What is not packed stays in its tails."""
        with self._packing:
            self._closed = True
            self._tail.close()
            self._packed.close()

    def _begin(self) -> None:
        tail = self._path.with_name(f"{self._path.name}{TAIL_SUFFIX}{self._identity[:8]}-{self._count:010}")
        self._tail = RecordingWriter(tail, None, identity=self._identity)
        self._segment = Segment(tail, offset_ns=self._offset_ns)
        self._begun_s = time.monotonic()

    def _end_segment(self) -> None:
        self._tail.flush()
        self._tail.sync()
        self._tail.close()
        self._waiting.append(self._segment)


def utc_minus_monotonic_ns(clock_json: bytes, before: int) -> int:
    """What a ``clock`` message says of it; ``before`` where it says nothing that can be read."""
    try:
        clock = _CLOCK.decode(clock_json)
    except msgspec.DecodeError:
        return before
    return clock.utc_ns - clock.monotonic_ns
