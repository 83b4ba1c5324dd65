"""The mended client: a connection that does not come about leaves no socket behind, however it ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import aiomqtt
import pytest

from controller.telemetry import client as module
from controller.telemetry.client import Client

LOOPBACK = "127.0.0.1"
SOON_S = 5.0
TOPIC = b"dorsi/1/lab/rig/t/x"


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
async def test_who_gives_up_connecting_hangs_up(silent: socket.socket, wait_s: float) -> None:
    task = asyncio.create_task(connect(silent))
    await asyncio.sleep(wait_s)
    await asyncio.sleep(0)  # the connecting has begun
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(hung_up, silent)


async def test_a_broker_that_does_not_answer_in_time_is_hung_up_on(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)

    with pytest.raises(aiomqtt.MqttError, match="timed out"):
        await connect(silent)
    assert await asyncio.to_thread(hung_up, silent)


def packet(payload_bytes: int) -> bytes:
    """A PUBLISH at most once, as a broker sends it (MQTT 3.1.1, 3.3)."""
    rest = 2 + len(TOPIC) + payload_bytes
    length, left = bytearray(), rest
    while True:
        length.append(left % 128 | (0x80 if left > 127 else 0))
        left //= 128
        if not left:
            break
    return b"\x30" + bytes(length) + len(TOPIC).to_bytes(2) + TOPIC + b"x" * payload_bytes


@pytest.mark.parametrize(("over_bytes", "taken"), [(0, True), (1, False), (1 << 30, False)])
async def test_a_message_is_taken_up_to_256_kib_and_no_further(
    silent: socket.socket, over_bytes: int, taken: bool
) -> None:
    """What lies behind the header of a larger one is not even sent: it is refused by its length."""
    most = module.PACKET_BYTES_MAX - 2 - len(TOPIC)
    assert module.PACKET_BYTES_MAX == 256 * 1024
    whole = packet(most + min(over_bytes, 1))
    if over_bytes > 1:  # a claim of 1 GB is beyond what a packet may have; the most is 256 MiB less one
        whole = b"\x30\xff\xff\xff\x7f" + len(TOPIC).to_bytes(2) + TOPIC

    def serve() -> None:
        theirs, _ = silent.accept()
        with theirs:
            theirs.settimeout(SOON_S)
            theirs.recv(4096)
            theirs.sendall(b"\x20\x02\x00\x00")
            with contextlib.suppress(OSError):
                theirs.sendall(whole)
                while theirs.recv(4096):
                    pass

    async def read() -> int:
        async with asyncio.timeout(4 * SOON_S), Client(LOOPBACK, silent.getsockname()[1]) as client:
            serving.append(client)
            async for message in client.messages:
                return len(bytes(message.payload))  # type: ignore[arg-type]
        return 0

    serving: list[Client] = []
    with ThreadPoolExecutor(1) as thread:
        thread.submit(serve)
        if taken:
            assert await read() == most
            assert serving[0].too_large_bytes == 0
        else:
            with pytest.raises(aiomqtt.MqttError):
                await read()
            assert serving[0].too_large_bytes > module.PACKET_BYTES_MAX
