"""The local bus: whole messages between the processes of one rig, over Unix sequenced-packet sockets.

Every process listens at ``<rig directory>/<name>.sock``. A message arrives whole or not at all, the end of
a peer is seen at once (end of file), and nobody ever waits for a reader: what a full socket would not
take is dropped and counted.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

MAX_MESSAGE_BYTES = 128 * 1024  # below Linux' default socket buffer of 208 KiB
CONNECT_RETRY_S = 0.01


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
    """Sends without ever waiting; counts what was dropped because the reader was slow or gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.dropped = 0
        self.gone = False

    def send(self, message: bytes) -> bool:
        try:
            self._sock.send(message)
        except BlockingIOError:
            self.dropped += 1
            return False
        except OSError:
            self.gone = True
            self.dropped += 1
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


def pack_record(topic: str, t_ns: int, payload_json: bytes) -> bytes:
    """A message for the recorder: topic and time ahead of the JSON, so that it need not be parsed."""
    return b"%b %d %b" % (topic.encode("ascii"), t_ns, payload_json)


def unpack_record(message: bytes) -> tuple[str, int, bytes]:
    """Reverse of :func:`pack_record`. Raises ValueError on anything else."""
    topic, t_ns, payload = message.split(b" ", 2)
    return topic.decode("ascii"), int(t_ns), payload
