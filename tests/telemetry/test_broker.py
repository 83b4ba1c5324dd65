"""The demo's own broker: up on loopback, gone with the process that started it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import aiomqtt
import pytest

from controller.telemetry.broker import LOOPBACK

pytestmark = pytest.mark.real_time


async def test_it_prints_its_port_carries_a_message_and_ends_on_sigterm() -> None:
    broker = subprocess.Popen(
        [sys.executable, "-m", "controller.telemetry.broker"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert broker.stdout is not None
        port = int(broker.stdout.readline())

        async def exchange() -> bytes:
            async with asyncio.timeout(20.0), aiomqtt.Client(LOOPBACK, port) as client:
                await client.subscribe("dorsi/#")
                await client.publish("dorsi/1/demo/virtual/t/gait", b"1.0")
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    return message.payload
            raise AssertionError

        assert await exchange() == b"1.0"
        broker.send_signal(signal.SIGTERM)
        _, errors = broker.communicate(timeout=20.0)
        assert broker.returncode == 0
        assert errors == b""
    finally:
        broker.kill()
        broker.communicate()
