"""Writes a file of messages: MCAP that always ends after a whole message, or after a whole chunk.

Promises that what was flushed survives the death of this process. Refuses to go on after the disk said no.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from mcap.opcode import Opcode
from mcap.writer import CompressionType, Writer

from controller.record.mcap_records import MESSAGE_HEAD, RECORD_HEAD
from controller.record.reader import IDENTITY, METADATA, TABLE
from controller.record.records import schema

LIBRARY = "dorsi"
CHUNK_BYTES = 1 << 30  # never by itself: a chunk is what is added between two flushes


class _WholeBatches:
    """Collects what the MCAP writer produces and hands it to the file in one system call.

    A batch the disk did not take whole is cut off again, so that the file ends after a whole record.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # nobody mends what is being written; not every disk has locks
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class RecordingWriter:
    """An MCAP file being written, never over another one.

    Every method but ``close`` raises OSError when the disk says no.
    """

    def __init__(
        self, path: Path, session: Mapping[str, str] | None, *, compress: bool = False, identity: str = ""
    ) -> None:
        self._file = _WholeBatches(path)
        self._writer = Writer(
            self._file, chunk_size=CHUNK_BYTES, use_chunking=compress, compression=CompressionType.ZSTD
        )
        self._channels: dict[str, int] = {}
        self._count = 0
        self._writer.start(library=LIBRARY)
        if session is not None:
            self._writer.add_metadata(METADATA, dict(session))
        if identity:
            self._writer.add_metadata(IDENTITY, {"id": identity})
        self.flush()

    def add(self, topic: str, t_ns: int, payload: bytes) -> None:
        """Append one message; it is on its way to the disk after :meth:`flush`."""
        self.put(topic, self._count, t_ns, t_ns, payload)

    def put(self, topic: str, number: int, t_ns: int, log_ns: int, payload: bytes) -> None:
        """As :meth:`add`, with the message's number in its recording and, for viewers, its time in UTC."""
        channel = self._channels.get(topic) or self._channel(topic)
        self._writer.add_message(channel, max(log_ns, 0), payload, t_ns, number & 0xFFFFFFFF)
        self._count = number + 1

    def append(self, topic: str, number: int, t_ns: int, log_ns: int, payload: bytes) -> None:
        """As :meth:`put`, in a tenth of its time, to a file without chunks that is never finished."""
        channel = self._channels.get(topic)
        if channel is None:
            channel = self._channel(topic)
            self._writer.flush()
        head = RECORD_HEAD.pack(Opcode.MESSAGE, MESSAGE_HEAD.size + len(payload))
        self._file.write(
            head + MESSAGE_HEAD.pack(channel, number & 0xFFFFFFFF, max(log_ns, 0), t_ns) + payload
        )

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
        text = schema(topic.removeprefix(TABLE))
        schema_id = self._writer.register_schema(f"dorsi.{topic}", "jsonschema", text) if text else 0
        encoding = "msgpack" if topic.startswith(TABLE) else "json"
        channel: int = self._writer.register_channel(topic, encoding, schema_id)
        self._channels[topic] = channel
        return channel
