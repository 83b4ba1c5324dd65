"""Rewrites a recording in its lasting form: packed, with index and summary, a cut one as far as it goes."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.record.reader import header, numbered_messages, tails_of
from controller.record.session_writer import (
    SEGMENT_BYTES,
    SEGMENT_S,
    PackedFile,
    Segment,
    utc_minus_monotonic_ns,
)

TEMPORARY_SUFFIX = ".compacting"


@dataclass(slots=True)
class _Content:
    """Number of messages and a checksum over all of them, in order."""

    count: int = 0
    checksum: int = 0

    def add(self, topic: str, t_ns: int, payload: bytes) -> None:
        self.count += 1
        head = b"%b %d " % (topic.encode(), t_ns)
        self.checksum = zlib.crc32(payload, zlib.crc32(head, self.checksum))


def recompact(path: Path, progress: Callable[[int], None] = lambda _: None) -> int:
    """Rewrite a recording and its tails as one packed file in its place, at once; how many messages it has.

    The copy takes the file's place only if it holds the same messages in the same order. Raises OSError where
    the disk said no, InputError for a file that is no recording and ValueError where the copy would not be
    the same; the recording is then as it was, as it is where the work is interrupted.
    """
    copy = path.with_name(path.name + TEMPORARY_SUFFIX)
    copy.unlink(missing_ok=True)  # of one that was cut
    try:
        content = _Content()
        packed = PackedFile(copy, header(path), uuid.uuid4().hex)
        try:
            _copy(path, packed, content, progress)
        finally:
            packed.close()
        copied = _Content()
        for _, topic, t_ns, payload in numbered_messages(copy):
            copied.add(topic, t_ns, payload)
        if copied != content:
            raise ValueError(f"{path}: a copy of it would hold other messages")
        copy.replace(path)
        for tail in tails_of(path):
            tail.unlink(missing_ok=True)
        return content.count
    finally:
        copy.unlink(missing_ok=True)


def _copy(path: Path, packed: PackedFile, content: _Content, progress: Callable[[int], None]) -> None:
    segment = Segment()
    begin_ns = 0
    for count, (_, topic, t_ns, payload) in enumerate(numbered_messages(path)):
        if segment.bytes and (t_ns - begin_ns >= SEGMENT_S * 1e9 or segment.bytes >= SEGMENT_BYTES):
            packed.add(segment)
            progress(count)
            segment = Segment(offset_ns=segment.offset_ns)
        if not segment.bytes:
            begin_ns = t_ns
        if topic == "clock":
            segment.offset_ns = utc_minus_monotonic_ns(payload, segment.offset_ns)
        segment.add((count, topic, t_ns, payload))
        content.add(topic, t_ns, payload)
    packed.add(segment)
    packed.finish()
