"""The mended client: a connection that does not come about leaves no socket behind, however it ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import aiomqtt
import pytest

from controller.telemetry import client as module
from controller.telemetry.client import Client

LOOPBACK = "127.0.0.1"
SOON_S = 5.0


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A broker that takes connections and never says a word."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(SOON_S)
        yield server


def hung_up(server: socket.socket) -> bool:
    """Whether whoever connected has closed the connection."""
    theirs, _ = server.accept()
    with theirs:
        theirs.settimeout(SOON_S)
        while theirs.recv(4096):
            pass
    return True


async def connect(server: socket.socket) -> None:
    async with Client(LOOPBACK, server.getsockname()[1]):
        pass


@pytest.mark.parametrize("wait_s", [0.0, 0.001, 0.2])
def test_who_gives_up_connecting_hangs_up(silent: socket.socket, wait_s: float) -> None:
    async def given_up() -> None:
        task = asyncio.create_task(connect(silent))
        await asyncio.sleep(wait_s)
        await asyncio.sleep(0)  # the connecting has begun
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(hung_up, silent)

    asyncio.run(given_up())


def test_a_broker_that_does_not_answer_in_time_is_hung_up_on(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)

    async def timed_out() -> None:
        with pytest.raises(aiomqtt.MqttError, match="timed out"):
            await connect(silent)
        assert await asyncio.to_thread(hung_up, silent)

    asyncio.run(timed_out())
