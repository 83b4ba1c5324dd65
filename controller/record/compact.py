"""Rewrites a recording in its lasting form: packed, with index and summary; a cut one as far as it goes."""

from __future__ import annotations

import contextlib
import fcntl
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path

from controller.errors import InputError
from controller.record.mcap_records import bytes_after_last, has_end, opened
from controller.record.reader import header, numbered_messages, tails_of
from controller.record.session_writer import (
    SEGMENT_BYTES,
    SEGMENT_S,
    PackedFile,
    Segment,
    utc_minus_monotonic_ns,
)

TEMPORARY_SUFFIX = ".compacting"
RUNS = "its session still runs"


@dataclass(slots=True)
class _Content:
    """Number of messages, the last one's time, and a checksum over all of them in order."""

    count: int = 0
    checksum: int = 0
    last_ns: int = 0

    def add(self, topic: str, t_ns: int, payload: bytes) -> None:
        self.count += 1
        self.last_ns = t_ns
        head = b"%b %d " % (topic.encode(), t_ns)
        self.checksum = zlib.crc32(payload, zlib.crc32(head, self.checksum))


@dataclass(frozen=True, slots=True)
class Mended:
    """What a mended recording holds: how many messages of how many seconds; what was cut off behind."""

    messages: int
    seconds: float
    bytes_left_out: int


def mend(path: Path) -> Mended | None:
    """Give the recording of a killed recorder its end; None for one that has it, which stays as it is.

    Raises InputError where its session still runs, or a damage within it would lose what lies behind;
    else as :func:`recompact`.
    """
    with opened(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(str(path), "recording", RUNS, "one whose recorder has ended") from None
        except OSError:
            pass  # no locks there
        if has_end(path) and not tails_of(path):
            return None
        left_out = bytes_after_last([path, *tails_of(path)][-1])
        begin_ns = next((t_ns for _, _, t_ns, _ in numbered_messages(path)), 0)
        content = _rewrite(path)
        return Mended(content.count, (content.last_ns - begin_ns) / 1e9, left_out)


def recompact(path: Path) -> int:
    """Rewrite a recording and its tails as one packed file in its place, at once; how many messages it has.

    The copy takes the file's place only if it holds the same messages in the same order. Raises OSError where
    the disk said no, InputError for a file that is no recording and ValueError where the copy would not be
    the same; the recording is then as it was, as it is where the work is interrupted.
    """
    return _rewrite(path).count


def _rewrite(path: Path) -> _Content:
    copy = path.with_name(path.name + TEMPORARY_SUFFIX)
    copy.unlink(missing_ok=True)  # of one that was cut
    try:
        content = _Content()
        with contextlib.closing(PackedFile(copy, header(path), uuid.uuid4().hex)) as packed:
            _copy(path, packed, content)
        copied = _Content()
        for _, topic, t_ns, payload in numbered_messages(copy):
            copied.add(topic, t_ns, payload)
        if copied != content:
            raise ValueError(f"{path}: a copy of it would hold other messages")
        tails = tails_of(path)
        copy.replace(path)
        for tail in tails:
            tail.unlink(missing_ok=True)
        return content
    finally:
        copy.unlink(missing_ok=True)


def _copy(path: Path, packed: PackedFile, content: _Content) -> None:
    segment = Segment()
    begin_ns = 0
    for count, (_, topic, t_ns, payload) in enumerate(numbered_messages(path)):
        if segment.bytes and (t_ns - begin_ns >= SEGMENT_S * 1e9 or segment.bytes >= SEGMENT_BYTES):
            packed.add(segment)
            segment = Segment(offset_ns=segment.offset_ns)
        if not segment.bytes:
            begin_ns = t_ns
        if topic == "clock":
            segment.offset_ns = utc_minus_monotonic_ns(payload, segment.offset_ns)
        segment.add((count, topic, t_ns, payload))
        content.add(topic, t_ns, payload)
    packed.add(segment)
    packed.finish()
