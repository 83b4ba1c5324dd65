"""What a dashboard sees of the rig, through a real Mosquitto."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import msgspec
import pytest

from controller.ipc import bus
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry

pytestmark = pytest.mark.real_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.telemetry.conftest import Mosquitto

PREFIX = "dorsi/1/lab/rig-1"
PATIENCE_S = 30.0
QUEUED = 256


def settings(port: int) -> MqttSettings:
    return MqttSettings(LOOPBACK, port, site="lab", rig="rig-1")


@asynccontextmanager
async def publishing(port: int) -> AsyncIterator[tuple[MqttTelemetry, asyncio.Task[None]]]:
    telemetry = MqttTelemetry(settings(port), b'{"rate_hz":10.0}', random.Random(1), queued_events_max=QUEUED)
    task = asyncio.create_task(telemetry.run())
    yield telemetry, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Watcher:
    """A dashboard: everything under the rig's prefix, in order of arrival."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.seen: list[tuple[str, bytes, bool]] = []

    async def until(self, topic: str, payload: bytes | None = None) -> tuple[str, bytes, bool]:
        """The next message of that topic (and payload)."""
        async with asyncio.timeout(PATIENCE_S):
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                name = str(message.topic).removeprefix(PREFIX + "/")
                self.seen.append((name, message.payload, bool(message.retain)))
                if name == topic and payload in (None, message.payload):
                    return self.seen[-1]
        raise AssertionError("the broker closed the connection")

    async def retained(self, *topics: str) -> list[bytes]:
        """What the broker had kept under these topics; it tells them in any order."""
        kept: dict[str, bytes] = {topic: payload for topic, payload, retain in self.seen if retain}
        async with asyncio.timeout(PATIENCE_S):
            while not kept.keys() >= set(topics):
                message = await anext(aiter(self._client.messages))
                assert isinstance(message.payload, bytes)
                if message.retain:
                    kept[str(message.topic).removeprefix(PREFIX + "/")] = message.payload
        return [kept[topic] for topic in topics]


@asynccontextmanager
async def watching(port: int) -> AsyncIterator[Watcher]:
    async with aiomqtt.Client(LOOPBACK, port) as client:
        await client.subscribe(f"{PREFIX}/#", qos=1)
        yield Watcher(client)


async def reached(what: Callable[[], bool]) -> None:
    """Looks at every turn of the loop."""
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            await scenario()

    asyncio.run(whole())


def test_state_and_description_are_retained_for_whoever_comes_later(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        async with publishing(mosquitto.port) as (telemetry, _):
            telemetry.state("ready")
            async with watching(mosquitto.port) as first:
                await first.until("$state", b"ready")
            async with watching(mosquitto.port) as late:
                assert await late.retained("$state", "$description") == [b"ready", b'{"rate_hz":10.0}']

    run(scenario)


def test_streams_are_flat_floats_with_a_time_and_are_not_retained(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        async with publishing(mosquitto.port) as (telemetry, _):
            async with watching(mosquitto.port) as watcher:
                await watcher.until("$state")
                telemetry.stream("gait", {"foot_pitch_deg": 1.0, "ankle_deg": None})
                _, payload, _ = await watcher.until("t/gait")
                assert b'"foot_pitch_deg":1.0' in payload  # never 1: readers type by the first value
                assert msgspec.json.decode(payload)["ankle_deg"] is None
                assert msgspec.json.decode(payload)["ts_ms"] > 1.7e12
                telemetry.event("after", b"{}")
                await watcher.until("event/after")
            async with watching(mosquitto.port) as late:
                await late.until("$state")
                telemetry.event("mark", b"{}")
                await late.until("event/mark")
                assert "t/gait" not in [topic for topic, _, _ in late.seen]

    run(scenario)


def test_the_end_says_disconnected_and_keeps_the_summary(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        async with publishing(mosquitto.port) as (telemetry, task):
            telemetry.summary("s1", b'{"arms":[]}')
            await telemetry.finish(PATIENCE_S)
            await task  # ended by itself
        async with watching(mosquitto.port) as watcher:
            kept = await watcher.retained("$state", "session/s1/summary")
            assert kept == [b"disconnected", b'{"arms":[]}']

    run(scenario)


RIG = """
import asyncio, random, sys
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
async def main():
    settings = MqttSettings("127.0.0.1", int(sys.argv[1]), site="lab", rig="rig-1")
    telemetry = MqttTelemetry(settings, b"{}", random.Random(1))
    telemetry.state("active")
    await telemetry.run()
asyncio.run(main())
"""


def test_a_killed_rig_is_shown_as_lost(mosquitto: Mosquitto) -> None:
    rig = subprocess.Popen([sys.executable, "-c", RIG, str(mosquitto.port)])

    async def scenario() -> None:
        async with watching(mosquitto.port) as watcher:
            await watcher.until("$state", b"active")
            rig.send_signal(signal.SIGKILL)
            await watcher.until("$state", b"lost")
        async with watching(mosquitto.port) as late:
            assert await late.until("$state") == ("$state", b"lost", True)

    try:
        run(scenario)
    finally:
        rig.kill()
        rig.wait()


def test_it_comes_back_after_the_broker_did_and_brings_what_happened_meanwhile(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        async with publishing(mosquitto.port) as (telemetry, _):
            async with watching(mosquitto.port) as watcher:
                await watcher.until("$state")
            mosquitto.stop()
            telemetry.event("meanwhile", b"1")
            telemetry.state("tripped")
            mosquitto.start()
            async with watching(mosquitto.port) as watcher:
                await watcher.until("event/meanwhile", b"1")
            async with watching(mosquitto.port) as late:
                # this broker forgot everything: state and description were told anew
                assert await late.retained("$state", "$description") == [b"tripped", b'{"rate_hz":10.0}']
            assert telemetry.connections == 2
            assert telemetry.dropped == 0

    run(scenario)


def test_without_a_broker_the_oldest_events_go_and_nobody_waits(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        mosquitto.stop()
        async with publishing(mosquitto.port) as (telemetry, task):
            for count in range(QUEUED + 10):
                telemetry.event("e", b"%d" % count)
                telemetry.stream("gait", {"n": float(count)})
            assert telemetry.dropped == 10
            await asyncio.sleep(0.1)
            assert not task.done()
            task.cancel()  # until the watcher is there, to see the first of them
            await asyncio.gather(task, return_exceptions=True)
            mosquitto.start()
            async with watching(mosquitto.port) as watcher:
                again = asyncio.create_task(telemetry.run())
                await watcher.until("event/e", b"%d" % (QUEUED + 9))
                events = [int(payload) for topic, payload, _ in watcher.seen if topic == "event/e"]
                assert events == list(range(10, QUEUED + 10))
                streams = [payload for topic, payload, _ in watcher.seen if topic == "t/gait"]
                assert len(streams) == 1  # only the newest values
                assert b'"n":265.0' in streams[0]
            assert not again.done()
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)

    run(scenario)


def test_a_cancelled_client_ends_wherever_it_was(mosquitto: Mosquitto) -> None:
    """The moment of the broker's answer is the one where a cancellation has been lost: many moments."""

    async def scenario() -> None:
        for turns in range(120):
            telemetry = MqttTelemetry(settings(mosquitto.port), b"{}", random.Random(1))
            telemetry.event("e", b"{}")
            task = asyncio.create_task(telemetry.run())
            if turns >= 20:
                await reached(lambda made=telemetry: made.connections > 0)
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            task.cancel()
            async with asyncio.timeout(5.0):
                await asyncio.wait([task])
            assert task.cancelled()

    run(scenario)


def test_finishing_without_a_broker_ends_in_time(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        mosquitto.stop()
        async with publishing(mosquitto.port) as (telemetry, _):
            telemetry.event("e", b"{}")
            await telemetry.finish(0.2)
            assert telemetry.dropped == 1

    run(scenario)


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "a+b", "#", "müller", "-x"])
def test_a_site_or_rig_that_would_break_the_topics_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: lower-case"):
        MqttSettings("localhost", site=name)
    with pytest.raises(ValueError, match="allowed: lower-case"):
        MqttSettings("localhost", rig=name)


def test_a_password_never_shows() -> None:
    assert "secret" not in repr(MqttSettings("localhost", username="u", password="secret"))


def test_the_recorder_publishes_what_it_records_and_leaves_the_summary(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    from controller.record.records import GuardEvent, encode

    (tmp_path / "header.json").write_bytes(b'{"session":"s1"}')
    (tmp_path / "mqtt.json").write_bytes(msgspec.json.encode(settings(mosquitto.port)))
    command = [sys.executable, "-m", "controller.runtime.recorder", "--rig", str(tmp_path)]
    command += ["--out", str(tmp_path / "s.mcap"), "--header", str(tmp_path / "header.json")]
    command += ["--mqtt", str(tmp_path / "mqtt.json")]
    recorder = subprocess.Popen(command)

    async def scenario() -> None:
        async with watching(mosquitto.port) as watcher:
            await watcher.until("$state", b"ready")
            sock = await asyncio.to_thread(bus.connect, tmp_path, "recorder")
            trip = GuardEvent(1, "trip", "tripped", "foot sensor silent", "F1")
            bus.Sender(sock).send(bus.pack_record("guard/event", 1, encode(trip)))
            _, payload, _ = await watcher.until("event/guard_event")
            assert msgspec.json.decode(payload, type=GuardEvent) == trip
            await watcher.until("$state", b"tripped")
            await watcher.until("t/timing")
            sock.close()
            recorder.send_signal(signal.SIGTERM)
            _, payload, _ = await watcher.until("session/s1/summary")
            assert msgspec.json.decode(payload)["arms"][0]["trips"] == 1
            await watcher.until("$state", b"disconnected")

    try:
        run(scenario)
        assert recorder.wait(PATIENCE_S) == 0
    finally:
        recorder.kill()
        recorder.wait()
