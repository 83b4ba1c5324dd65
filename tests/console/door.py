"""A door of its own for a test: the real process, and what stands in for the guard at its other end."""

from __future__ import annotations

import json
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from controller.config.console_settings import PAGES_SOCKET, ConsoleSettings, write_settings
from controller.ipc import bus

TOKEN = "a-token-that-is-long-enough"
READY_S = 60.0


class GuardEnd:
    """The other end of the door's connection: hears what the guard would hear, answers STOP as it does."""

    def __init__(self, rig: Path) -> None:
        self._server = bus.listen(rig, "guard")
        self.heard: list[dict[str, object]] = []
        self.beats_s: list[float] = []  # when the heartbeats came
        self.peers = 0  # connections now
        self.mute = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        peers: list[socket.socket] = []
        while not self._ended.is_set():
            readable, _, _ = select.select([self._server, *peers], [], [], 0.05)
            for sock in readable:
                if sock is self._server:
                    peers.append(self._server.accept()[0])
                    continue
                try:
                    data = sock.recv(bus.MAX_MESSAGE_BYTES)
                except ConnectionError:
                    data = b""
                if not data:
                    peers.remove(sock)
                    sock.close()
                    continue
                word = json.loads(data)
                self.heard.append(word)
                op = word.get("op")
                if op == "heartbeat":
                    self.beats_s.append(time.monotonic())
                if op is not None and not self.mute:
                    answer = {"reply": op, "ok": True, "state": "off", "watch": "mine", "silent_ms": 7}
                    with suppress(OSError):  # a door that has not waited for it has connected anew
                        sock.send(json.dumps(answer).encode())
            self.peers = len(peers)
        for sock in (*peers, self._server):
            sock.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def ops(self) -> list[object]:
        """What was asked for, the sign of life aside."""
        return [word["op"] for word in self.heard if word.get("op", "heartbeat") != "heartbeat"]


@dataclass
class Opened:
    """The running door."""

    rig: Path
    port: int
    pid: int
    tls: bool

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        if not self.tls:
            return sock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(sock)

    def ask(self, method: str, path: str, *, token: str | None = TOKEN) -> tuple[int, str]:
        """Status and body of one request, as a browser that is logged in where there is a ``token``."""
        cookie = f"Cookie: a=b; dorsi_token_{self.port}={token}\r\n" if token else ""
        with self.connect() as sock:
            sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{cookie}\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body.decode()


@contextmanager
def pages_of(door: Opened) -> Iterator[subprocess.Popen[bytes]]:
    """The real pages behind the door, without a rig; what they complained of is in ``pages.log``."""
    command = [sys.executable, "-m", "controller.console.app", "--rig", str(door.rig)]
    with (
        (door.rig / "pages.log").open("wb") as log,
        subprocess.Popen([*command, "--settings", str(door.rig / "console.json")], stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + READY_S
            while not (door.rig / PAGES_SOCKET).exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(READY_S)


@contextmanager
def opened(folder: Path, *, token: bool = True, tls: bool = False) -> Iterator[Opened]:
    """The door's process; it has to end well and without a complaint."""
    settings = folder / "console.json"
    token_file, cert_file = folder / "token", folder / "cert.pem"
    token_file.write_text(TOKEN)
    if tls:
        certificate(cert_file)
    pem = str(cert_file) if tls else None
    write_settings(
        settings,
        ConsoleSettings("127.0.0.1", 0, str(folder), str(token_file) if token else None, pem, pem),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.console.door", "--rig", str(folder), "--settings", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])
    try:
        yield Opened(folder, port, process.pid, tls)
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)
    assert complaints == b""
    assert process.returncode == 0


def certificate(path: Path) -> None:
    """One for 127.0.0.1, signed by itself, its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dorsi test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
