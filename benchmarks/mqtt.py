"""MQTT: 100 rigs at once on one Mosquitto: message rate, loss, memory, delay; on loopback, for ten seconds.

Each rig is a telemetry client of its own with streams at 10 Hz and six events a stride; one subscriber reads
all. Skips, and says so, where Mosquitto is not installed.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiomqtt
import msgspec

from controller.record.live import Live
from controller.record.recorder import streams
from controller.telemetry.broker import LOOPBACK, free_port
from controller.telemetry.client import SOCKET_OPTIONS
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry

RIGS = 100
SECONDS = 10.0
STREAM_HZ = 10
EVENTS_PER_S = 6  # a stride a second: five gait events and the stride itself
SETTLE_S = 15.0
# What a site should set: without the first, Nagle's waiting in the broker holds acknowledgements back for
# 40 ms; with the default of 1000, a subscriber that lags loses events.
BROKER = "allow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
BACKLOG_EVENTS = 20_000  # an hour of walking without a broker


class Reader:
    """Counts what arrives, and how late its events are."""

    def __init__(self) -> None:
        self.streams = 0
        self.seen: dict[str, Counter[int]] = {}
        self.late_ms: list[float] = []

    async def read(self, port: int, ready: asyncio.Event) -> None:
        async with aiomqtt.Client(LOOPBACK, port, socket_options=SOCKET_OPTIONS) as client:
            await client.subscribe("dorsi/#", qos=1)
            ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                topic = str(message.topic)
                if "/t/" in topic:
                    self.streams += 1
                elif "/event/" in topic:
                    event = msgspec.json.decode(message.payload)
                    self.seen.setdefault(topic, Counter())[event["seq"]] += 1
                    self.late_ms.append((time.monotonic_ns() - event["t_ns"]) / 1e6)

    @property
    def events(self) -> int:
        return sum(len(numbers) for numbers in self.seen.values())

    @property
    def repeated(self) -> int:
        return sum(numbers.total() - len(numbers) for numbers in self.seen.values())


def rss_mb(pid: int | str) -> float:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def rig(telemetry: MqttTelemetry, offset_s: float) -> tuple[int, int]:
    """Publish as a walking rig does; returns the streams and events handed over."""
    values = streams(Live().status(0, "ok"))
    begin_s = time.monotonic() + offset_s
    told, seq = 0, 0
    for k in range(int(SECONDS * STREAM_HZ)):
        await asyncio.sleep(max(0.0, begin_s + k / STREAM_HZ - time.monotonic()))
        for name, flat in values.items():
            telemetry.stream(name, flat)
            told += 1
        while seq < (k + 1) * EVENTS_PER_S / STREAM_HZ:
            seq += 1
            stamp = {"session": "bench", "seq": seq, "t_ns": time.monotonic_ns(), "stride_s": 1.1}
            telemetry.event("stride", msgspec.json.encode(stamp), seq)
    return told, seq


async def many(port: int, broker_pid: int) -> None:
    reader, ready = Reader(), asyncio.Event()
    reading = asyncio.create_task(reader.read(port, ready))
    await ready.wait()
    chance = random.Random(1)
    rigs = [
        MqttTelemetry(MqttSettings(LOOPBACK, port, site="bench", rig=f"r{k}"), b"{}", random.Random(k))
        for k in range(RIGS)
    ]
    tasks = [asyncio.create_task(one.run()) for one in rigs]
    begin_s = time.monotonic()
    handed = await asyncio.gather(*(rig(one, chance.random()) for one in rigs))
    walked_s = time.monotonic() - begin_s
    events = sum(count for _, count in handed)
    for _ in range(int(SETTLE_S / 0.05)):
        if reader.events == events:
            break
        await asyncio.sleep(0.05)
    late_ms = sorted(reader.late_ms)
    print(f"{RIGS} rigs: {(reader.streams + reader.events) / walked_s:,.0f} messages/s for {walked_s:.1f} s")
    print(
        f"events: {events - reader.events} of {events} lost, {reader.repeated} repeated;"
        f" delay p50 {late_ms[len(late_ms) // 2]:.1f} ms, p99 {late_ms[int(0.99 * len(late_ms))]:.1f} ms"
    )
    offered = sum(count for count, _ in handed)
    print(f"streams: {reader.streams} of {offered} arrived; a newer value replaces one not sent yet")
    print(f"memory: broker {rss_mb(broker_pid):.1f} MB, all rigs and the reader {rss_mb('self'):.0f} MB")
    for task in (*tasks, reading):
        task.cancel()
    await asyncio.gather(*tasks, reading, return_exceptions=True)


async def backlog(port: int) -> None:
    """An hour's events of one rig, kept while the broker was away, then delivered."""
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    telemetry = MqttTelemetry(MqttSettings(LOOPBACK, port, site="bench", rig="late"), b"{}", random.Random(1))
    payload = msgspec.json.encode({"session": "bench", "seq": 1, "text": "x" * 300})
    for seq in range(1, BACKLOG_EVENTS + 1):
        telemetry.event("stride", payload + b" " * (seq % 7), seq)
    grown_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb
    begin_s = time.monotonic()
    task = asyncio.create_task(telemetry.run())
    await telemetry.finish(60.0)
    await asyncio.gather(task, return_exceptions=True)
    sent = BACKLOG_EVENTS - telemetry.dropped
    print(
        f"backlog: {sent} of {BACKLOG_EVENTS} events, {sent / (time.monotonic() - begin_s):,.0f} a second;"
        f" {grown_mb:.0f} MB while waiting"
    )


def main() -> None:
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        print("skipped: mosquitto is not installed (Debian package mosquitto)")
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "mosquitto.conf"
        settings.write_text(f"listener {port} {LOOPBACK}\n{BROKER}")
        broker = subprocess.Popen(
            [mosquitto, "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(0.5)
            asyncio.run(many(port, broker.pid))
            asyncio.run(backlog(port))
        finally:
            broker.kill()
            broker.wait()


if __name__ == "__main__":
    main()
