"""A whole rig walks while its broker is killed and comes back, and another subscriber hangs all the time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from controller.config.session import load_session
from controller.record.numbered_events import told
from controller.record.reader import messages
from controller.record.records import Process, Tick
from controller.runtime.session_processes import Virtual
from controller.runtime.supervisor import Progress, Supervisor
from controller.telemetry.broker import LOOPBACK
from controller.trial.schedule import ArmPlan
from tests.process.rigs import StallWatch
from tests.telemetry.conftest import MOSQUITTO, Mosquitto

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (Debian package mosquitto)"),
]

DEMO = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
KILLED_S, BACK_S, ENDS_S = 3.0, 5.0, 12.0  # of walking; the rig tries again at least every 4 s by then
TAKEN = 30  # of 1800 ticks: what a shared machine takes now and then; a wait for a broker would take hundreds
HANGING = """
import asyncio, aiomqtt, sys
async def main():
    async with aiomqtt.Client("127.0.0.1", int(sys.argv[1])) as client:
        await client.subscribe("dorsi/#", qos=1)
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


class Reader:
    """Subscribes to the strides, comes back as soon as the broker does, and drops what it has seen."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))
        self.seen: Counter[int] = Counter()  # by number
        self._thread.start()

    async def _read(self) -> None:
        reading = asyncio.create_task(self._keep())
        await asyncio.to_thread(self._ended.wait)
        reading.cancel()

    async def _keep(self) -> None:
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(LOOPBACK, self._port) as client:
                    await client.subscribe("dorsi/1/lab/rig-1/event/stride", qos=1)
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self.seen[msgspec.json.decode(message.payload)["seq"]] += 1
            await asyncio.sleep(0.05)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


@dataclass
class Walked:
    recording: Path
    seen: Counter[int]
    killed_ns: int
    still: bool  # whether the machine itself stood still meanwhile


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    folder = tmp_path_factory.mktemp("broker")
    broker = Mosquitto(folder, "allow_anonymous true\nmax_queued_messages 0\n")
    broker.start()
    hanging = subprocess.Popen([sys.executable, "-c", HANGING, str(broker.port)], stdout=subprocess.PIPE)
    assert hanging.stdout is not None
    hanging.stdout.readline()
    hanging.send_signal(signal.SIGSTOP)
    reader = Reader(broker.port)
    turns: list[int] = []

    def show(progress: Progress) -> None:
        if progress.note != "walking":
            return
        if not turns and progress.elapsed_s >= KILLED_S:
            turns.append(time.monotonic_ns())
            broker.stop()
        elif len(turns) == 1 and progress.elapsed_s >= BACK_S:
            turns.append(time.monotonic_ns())
            broker.start()

    mqtt = {"host": LOOPBACK, "port": broker.port, "site": "lab", "rig": "rig-1"}
    rig = Supervisor(load_session(DEMO), folder / "run", Virtual(1, {}), show)
    try:
        with StallWatch() as watch:
            outcome = rig.run((ArmPlan("trapezoid"),), mqtt, ENDS_S)
        assert outcome.trip is None or watch.stood_still(), outcome.trip
        time.sleep(0.5)  # the last ones are under way to the reader
        yield Walked(outcome.recording, reader.seen, turns[0], watch.stood_still())
    finally:
        reader.close()
        hanging.kill()
        hanging.wait()
        hanging.stdout.close()
        broker.stop()


def test_every_stride_is_with_the_reader_in_the_end(walked: Walked) -> None:
    strides = [event.seq for event in told(walked.recording) if event.kind == "stride"]
    assert len(strides) >= 4
    assert sorted(walked.seen) == strides
    assert sum(walked.seen.values()) - len(strides) <= 1  # delivered, and killed before it was acknowledged


def test_not_one_tick_more_is_missed_without_the_broker_than_with_it(walked: Walked) -> None:
    ticks = [m.record for m in messages(walked.recording, ("tick",)) if isinstance(m.record, Tick)]
    missed = {True: 0, False: 0}
    for before, now in pairwise(ticks):
        missed[now.now_ns >= walked.killed_ns] += max(0, now.deadline - before.deadline - 1)
    assert missed[True] <= missed[False] + TAKEN or walked.still, missed


def test_the_recording_says_when_the_broker_was_gone_and_back(walked: Walked) -> None:
    said = [
        message.record.text
        for message in messages(walked.recording, ("process",))
        if isinstance(message.record, Process) and message.record.kind == "telemetry"
    ]
    assert any("nobody listens" in text or "is gone" in text for text in said)
    assert said[-1] == "the MQTT broker is back"
