"""No event lost, none doubled: a broker gone in the middle of a session, and a recording told later."""

from __future__ import annotations

import asyncio
import random
import signal
import tracemalloc
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import msgspec
import pytest

from controller.errors import InputError
from controller.record.numbered_events import Teller, told
from controller.record.reader import header, raw_messages
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.broker_position import Position
from controller.telemetry.forward import NotDeliveredError, forward
from controller.telemetry.mqtt import IN_FLIGHT_MAX, MqttSettings, MqttTelemetry
from tests.record.walk import record_walk

pytestmark = pytest.mark.real_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.telemetry.conftest import Brokers, Mosquitto

PATIENCE_S = 60.0
# 500 strides of 1.2 s: ten minutes of walking, six events a stride
STRIDES = 500
PREFIX = "dorsi/1/lab/rig-1"


def settings(port: int) -> MqttSettings:
    return MqttSettings(LOOPBACK, port, site="lab", rig="rig-1")


@pytest.fixture
def keeping(brokers: Brokers, tmp_path: Path) -> Mosquitto:
    """A broker that keeps what a subscriber has not fetched yet, over its own end."""
    folder = tmp_path / "kept"
    folder.mkdir()
    return brokers(
        f"allow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        "max_queued_messages 0\nset_tcp_nodelay true\n"
    )


@asynccontextmanager
async def archive(port: int) -> AsyncIterator[aiomqtt.Client]:
    """A subscriber the broker keeps messages for while it is away."""
    async with aiomqtt.Client(
        LOOPBACK, port, identifier="archive", clean_session=False, max_queued_incoming_messages=0
    ) as client:
        await client.subscribe(f"{PREFIX}/event/#", qos=1)
        yield client


async def fetch(port: int, last_seq: int) -> list[int]:
    """The numbers of all events the broker kept, up to the last."""
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE_S), archive(port) as client:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            seen.append(msgspec.json.decode(message.payload)["seq"])
            if seen[-1] == last_seq:
                return seen
    raise AssertionError


async def reached(what: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE_S / 0.01)):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not reached")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=8)


def session_of_ten_minutes(walk: Path) -> list[tuple[str, bytes]]:
    """The records of a made walk, over and over: what matters here is their number."""
    records = [(message.topic, message.payload) for message in raw_messages(walk)]
    return records * (STRIDES // 16)


async def test_a_broker_gone_for_ten_minutes_of_the_session_misses_nothing(
    keeping: Mosquitto, walk: Path, tmp_path: Path
) -> None:
    records = session_of_ten_minutes(walk)

    async with archive(keeping.port):
        pass
    position = Position(tmp_path / "position", "walk", "here")
    telemetry = MqttTelemetry(settings(keeping.port), b"{}", random.Random(1), position)
    task = asyncio.create_task(telemetry.run())
    teller = Teller("walk")
    expected: list[int] = []
    strides = 0

    def pass_by(part: list[tuple[str, bytes]]) -> None:
        nonlocal strides
        for topic, payload in part:
            for event in teller.take(topic, payload):
                expected.append(event.seq)
                strides += event.kind == "stride"
                telemetry.event(event.kind, event.payload_json, event.seq)

    tenth = len(records) // 10
    pass_by(records[:tenth])
    await reached(lambda: position.sent > 0)
    keeping.stop(signal.SIGTERM)  # in the middle of the delivery
    pass_by(records[tenth : 9 * tenth])
    await reached(lambda: telemetry.trouble != "")
    keeping.start()
    pass_by(records[9 * tenth :])
    await reached(lambda: position.sent == expected[-1])
    assert telemetry.dropped == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    seen = await fetch(keeping.port, expected[-1])
    assert sorted(set(seen)) == expected == list(range(1, len(expected) + 1))
    # at most what was under way when the broker went comes twice, under the same number
    assert len(seen) - len(set(seen)) <= IN_FLIGHT_MAX
    assert list(dict.fromkeys(seen)) == expected  # in order
    assert strides > 400
    assert Position(tmp_path / "position", "walk", "here").sent == expected[-1]
    assert Position(tmp_path / "position", "another", "here").sent == 0
    assert Position(tmp_path / "position", "walk", "elsewhere").sent == 0


async def test_the_strides_of_an_hour_without_a_broker_come_once_from_a_bounded_memory(
    keeping: Mosquitto, tmp_path: Path
) -> None:
    payload = b'{"seq":%d,"rest":"' + b"x" * 400 + b'"}'
    strides = list(range(1, 3601))

    async with archive(keeping.port):
        pass
    keeping.stop(signal.SIGTERM)
    position = Position(tmp_path / "position", "walk", "here")
    telemetry = MqttTelemetry(settings(keeping.port), b"{}", random.Random(1), position)
    task = asyncio.create_task(telemetry.run())
    await reached(lambda: telemetry.trouble != "")
    tracemalloc.start()
    for seq in strides:
        telemetry.event("stride", payload % seq, seq)
        for _ in range(10):  # 10 Hz, a stride a second
            telemetry.stream("gait", {"foot_pitch_deg": 1.0})
    used_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # a payload of 400 bytes and its place in the queue; live values take no more than their newest
    assert used_bytes < len(strides) * 2 * 400
    keeping.start()
    await reached(lambda: position.sent == strides[-1])
    assert telemetry.dropped == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await fetch(keeping.port, strides[-1]) == strides


async def test_the_recording_brings_after_what_was_not_delivered_and_nothing_twice(
    keeping: Mosquitto, walk: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "session.mcap"
    recording.write_bytes(walk.read_bytes())
    events = [event.seq for event in told(recording)]
    Position.beside(recording, header(recording), settings(keeping.port).address).advance(40)

    async with archive(keeping.port):
        pass
    steps: list[int] = []
    sent = await forward(recording, settings(keeping.port), patience_s=PATIENCE_S, progress=steps.append)
    assert sent == len(events) - 40
    assert steps[-1] == sent
    again = await forward(recording, settings(keeping.port), patience_s=PATIENCE_S, progress=steps.append)
    assert again == 0
    assert await fetch(keeping.port, events[-1]) == events[40:]
    async with aiomqtt.Client(LOOPBACK, keeping.port) as client:  # a running rig's state is not touched
        await client.subscribe("dorsi/#")
        await client.publish("dorsi/1/mark", b"")
        async for message in client.messages:
            assert str(message.topic) == "dorsi/1/mark"
            break


async def test_forwarding_without_a_broker_says_why_and_how_far(mosquitto: Mosquitto, walk: Path) -> None:
    mosquitto.stop()
    with pytest.raises(NotDeliveredError, match=r"nobody listens.*0 events sent"):
        await forward(walk, settings(mosquitto.port), patience_s=0.5, progress=lambda _: None)


async def test_forwarding_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").write_bytes(b"no")
    with pytest.raises(InputError, match="MCAP magic"):
        await forward(tmp_path / "x.mcap", settings(1), patience_s=0.1, progress=lambda _: None)


async def test_a_broker_that_never_had_a_recording_gets_all_of_it_whatever_another_has(
    keeping: Mosquitto, walk: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "session.mcap"
    recording.write_bytes(walk.read_bytes())
    events = [event.seq for event in told(recording)]
    Position.beside(recording, header(recording), "10.0.0.5:1883/lab/rig-1").advance(events[-1])

    async with archive(keeping.port):
        pass
    sent = await forward(recording, settings(keeping.port), patience_s=PATIENCE_S, progress=lambda _: None)
    assert sent == len(events)
    assert await fetch(keeping.port, events[-1]) == events
    assert Position.beside(recording, header(recording), "10.0.0.5:1883/lab/rig-1").sent == events[-1]
    assert Position.beside(recording, header(recording), settings(keeping.port).address).sent == events[-1]


def test_another_recording_in_the_place_of_one_that_was_sent_is_sent_whole(tmp_path: Path) -> None:
    """The file beside it holds the first one's numbers."""
    recording = tmp_path / "session.mcap"
    for identity in ({"id": "a", "session": "P01"}, {"session": "P01"}):
        Position.beside(recording, identity, "here:1").advance(58)
        assert Position.beside(recording, identity, "here:1").sent == 58
        assert Position.beside(recording, {**identity, "id": "b"}, "here:1").sent == 0


async def test_that_a_broker_has_all_is_said_only_of_one_that_answers(
    mosquitto: Mosquitto, walk: Path
) -> None:
    last = [event.seq for event in told(walk)][-1]
    Position.beside(walk, header(walk), settings(mosquitto.port).address).advance(last)
    assert await forward(walk, settings(mosquitto.port), patience_s=5, progress=lambda _: None) == 0
    mosquitto.stop()
    with pytest.raises(NotDeliveredError, match="nobody listens"):
        await forward(walk, settings(mosquitto.port), patience_s=0.5, progress=lambda _: None)
    walk.with_name(walk.name + ".sent").unlink()


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b'{"session":"s","sent":3}',  # as before positions belonged to a broker
        b'{"recording":"s","sent":{"here":"3"}}',
        b'{"recording":"s","sent":{"here":-3}}',
        b'{"recording":"s","sent":{"here":1e400}}',
        b'{"recording":"\xff","sent":{"here":3}}',
        b'{"recording":"\\ud800","sent":{"here":3}}',
        b'{"recording":"s","more":' + b"[" * 50_000,
        b" " * 70_000 + b'{"recording":"s","sent":{"here":3}}',
    ],
)
def test_a_damaged_position_begins_anew(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "p").write_bytes(stored)
    assert Position(tmp_path / "p", "s", "here").sent == 0


async def test_a_queue_that_overflowed_leaves_the_position_before_the_gap(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    position = Position(tmp_path / "p", "s", "here")
    telemetry = MqttTelemetry(
        settings(mosquitto.port), b"{}", random.Random(1), position, queued_events_max=4
    )
    for seq in range(1, 7):
        telemetry.event("e", b"{}", seq)
    assert telemetry.dropped == 2
    task = asyncio.create_task(telemetry.run())
    await telemetry.finish(PATIENCE_S)
    await task
    assert position.sent == 0
