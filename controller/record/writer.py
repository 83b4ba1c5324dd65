"""Writes a recording: unchunked MCAP whose file always ends after a whole message.

Promises that what was flushed survives the death of this process, and that recompaction either yields the
same messages or leaves the file as it was. Refuses to go on after the disk said no.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

from controller.record.reader import METADATA, RawMessage, header, raw_messages
from controller.record.records import schema

LIBRARY = "dorsi"
TEMPORARY_SUFFIX = ".compacting"


class _WholeBatches:
    """Collects what the MCAP writer produces and hands it to the file in one system call.

    A batch the disk did not take whole is cut off again, so that the file ends after a whole record.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._batch = bytearray()
        self._written = 0

    def write(self, data: bytes) -> int:
        self._batch += data
        return len(data)

    def tell(self) -> int:
        return self._written + len(self._batch)

    def flush(self) -> None:
        if not self._batch:
            return
        batch = memoryview(bytes(self._batch))
        self._batch.clear()
        done = 0
        try:
            while done < len(batch):
                done += os.write(self._fd, batch[done:])
        except OSError:
            os.ftruncate(self._fd, self._written)
            raise
        self._written += done

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class RecordingWriter:
    """An MCAP file being written, never over another one.

    Every method but ``close`` raises OSError when the disk says no.
    """

    def __init__(self, path: Path, session: Mapping[str, str], *, compress: bool = False) -> None:
        self._file = _WholeBatches(path)
        self._writer = Writer(self._file, use_chunking=compress, compression=CompressionType.ZSTD)
        self._channels: dict[str, int] = {}
        self._count = 0
        self._writer.start(library=LIBRARY)
        self._writer.add_metadata(METADATA, dict(session))
        self.flush()

    def add(self, topic: str, t_ns: int, payload: bytes) -> None:
        """Append one message; it is on its way to the disk after :meth:`flush`."""
        channel = self._channels.get(topic) or self._channel(topic)
        self._writer.add_message(channel, t_ns, payload, t_ns, self._count & 0xFFFFFFFF)
        self._count += 1

    def flush(self) -> None:
        """Hand everything to the operating system: from here on it survives this process."""
        self._writer.flush()

    def sync(self) -> None:
        """Hand everything to the disk: from here on it survives the machine. May take 100 ms."""
        self._file.sync()

    def finish(self) -> None:
        """Write the index and the footer."""
        self._writer.finish()
        self._file.flush()
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _channel(self, topic: str) -> int:
        text = schema(topic)
        schema_id = self._writer.register_schema(f"dorsi.{topic}", "jsonschema", text) if text else 0
        channel: int = self._writer.register_channel(topic, "json", schema_id)
        self._channels[topic] = channel
        return channel


@dataclass(slots=True)
class _Content:
    """Number of messages and a checksum over all of them, in order."""

    count: int = 0
    checksum: int = 0

    def add(self, message: RawMessage) -> None:
        self.count += 1
        head = b"%b %d " % (message.topic.encode(), message.t_ns)
        self.checksum = zlib.crc32(message.payload, zlib.crc32(head, self.checksum))


def recompact(path: Path) -> bool:
    """Rewrite a recording in compressed chunks, in place and at once; also mends a cut one.

    The copy takes the file's place only if it holds the same messages in the same order. Returns whether
    it did; raises OSError where the disk said no and InputError for a file that is no recording. In both
    cases, and after False, the recording is as it was.
    """
    copy = path.with_name(path.name + TEMPORARY_SUFFIX)
    copy.unlink(missing_ok=True)  # of one that was cut
    try:
        writer = RecordingWriter(copy, header(path), compress=True)
        try:
            content = _Content()
            for message in raw_messages(path):
                content.add(message)
                writer.add(message.topic, message.t_ns, message.payload)
            writer.finish()
        finally:
            writer.close()
        copied = _Content()
        for message in raw_messages(copy):
            copied.add(message)
        same = copied == content
        if same:
            copy.replace(path)
        return same
    finally:
        copy.unlink(missing_ok=True)
