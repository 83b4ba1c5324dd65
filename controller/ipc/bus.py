"""The local bus: whole messages between the processes of one rig, over Unix sequenced-packet sockets.

Every process listens at ``<rig directory>/<name>.sock``. A message arrives whole or not at all, the end of
a peer is seen at once (end of file), and nobody ever waits for a reader: what a full socket would not
take is kept within bounds or dropped and counted.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from pathlib import Path

MAX_MESSAGE_BYTES = 128 * 1024  # below Linux' default socket buffer of 208 KiB
CONNECT_RETRY_S = 0.01
KEEP_RECORDS_BYTES = 1 << 20  # two to three seconds of records; a recorder slower than that has failed


def listen(rig: Path, name: str) -> socket.socket:
    """The non-blocking listening socket of process ``name``."""
    path = rig / f"{name}.sock"
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    server.listen(16)
    server.setblocking(False)
    return server


def connect(rig: Path, name: str, *, timeout_s: float = 20.0) -> socket.socket:
    """A non-blocking connection to process ``name``; waits for it to come up.

    Raises TimeoutError, naming the process that did not come up.
    """
    path = str(rig / f"{name}.sock")
    deadline = time.monotonic() + timeout_s
    while True:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if time.monotonic() >= deadline:
                raise TimeoutError(f"process {name!r} did not come up within {timeout_s:g} s") from None
            time.sleep(CONNECT_RETRY_S)
        else:
            client.setblocking(False)
            return client


def receive(sock: socket.socket) -> bytes | None:
    """The next whole message; ``b""`` when there is none yet, ``None`` when the peer is gone."""
    try:
        data = sock.recv(MAX_MESSAGE_BYTES)
    except BlockingIOError:
        return b""
    except ConnectionError:
        return None
    return data or None


class Sender:
    """Sends without ever waiting; counts what was dropped because the reader was slow or gone.

    Up to ``keep_bytes`` of what a slow reader has not taken yet are kept and go first with the next message:
    for records, which want to be whole. Commands keep nothing, as a late one is worse than none.
    """

    def __init__(self, sock: socket.socket, *, keep_bytes: int = 0) -> None:
        self._sock = sock
        self._keep_bytes = keep_bytes
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self.dropped = 0
        self.gone = False

    def send(self, message: bytes) -> bool:
        """Whether the message was taken or kept; one that no reader could take whole is dropped."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.dropped += 1
            return False
        self._forward()
        if not self._kept and self._try(message):
            return True
        if self.gone or self._kept_bytes + len(message) > self._keep_bytes:
            self.dropped += 1
            return False
        self._kept.append(message)
        self._kept_bytes += len(message)
        return True

    @property
    def behind(self) -> bool:
        """Whether the reader has not taken what was sent before."""
        return bool(self._kept)

    def close(self, *, wait_s: float = 0.0) -> None:
        """Hand over what is kept, for at most ``wait_s``, and close."""
        deadline = time.monotonic() + wait_s
        self._forward()
        while self._kept and not self.gone and time.monotonic() < deadline:
            time.sleep(CONNECT_RETRY_S)
            self._forward()
        with contextlib.suppress(OSError):
            self._sock.close()

    def _forward(self) -> None:
        while self._kept and self._try(self._kept[0]):
            self._kept_bytes -= len(self._kept.popleft())

    def _try(self, message: bytes) -> bool:
        try:
            self._sock.send(message)
        except BlockingIOError:
            return False
        except OSError:
            self.gone = True
            return False
        return True


def pack_record(topic: str, t_ns: int, payload_json: bytes) -> bytes:
    """A message for the recorder: topic and time ahead of the JSON, so that it need not be parsed."""
    return b"%b %d %b" % (topic.encode("ascii"), t_ns, payload_json)


def unpack_record(message: bytes) -> tuple[str, int, bytes]:
    """Reverse of :func:`pack_record`. Raises ValueError on anything else."""
    topic, t_ns, payload = message.split(b" ", 2)
    return topic.decode("ascii"), int(t_ns), payload
