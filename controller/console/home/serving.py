"""The service on the network: its socket, its end by a signal, its folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from controller.console.home.service import Service, ServiceSettings
from controller.errors import InputError
from controller.runtime.process_group import lock_folder, sweep


class _Server(uvicorn.Server):
    """A signal ends it, and nothing but it: what it has started is to be ended in order."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for the service. Raises InputError where something else listens there."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen()  # who comes before the pages are there waits
    except OSError as error:
        sock.close()
        raise InputError(f"{host}:{port}", "port", error.strerror, "a free one, with --port") from None
    return sock


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """For the token, and for what sessions said when they began; gone with the service.

    What a killed one left, the next service or rig removes.
    """
    sweep(Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix="dorsi-"))
    lock = lock_folder(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def serve(settings: ServiceSettings, sock: socket.socket, folder: Path) -> None:
    """Until SIGINT or SIGTERM; then the session that lives is ended and summed up."""
    asyncio.run(_serve(settings, sock, folder))


async def _serve(settings: ServiceSettings, sock: socket.socket, folder: Path) -> None:
    service, place = Service(settings, folder), settings.place
    config = uvicorn.Config(
        service.app(),
        ssl_certfile=place.cert_file,
        ssl_keyfile=place.key_file,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    try:
        await _Server(config).serve(sockets=[sock])
    finally:
        await service.close()
