"""MQTT: 100 rigs at once on one Mosquitto: message rate, loss, memory, delay; on loopback, for ten seconds.

Each rig is a telemetry client of its own with streams at 10 Hz and six events a stride; one subscriber, a
process of its own, reads all. The rigs share a process, where a site has one each: where it is busy or waits
for a core all the time, the delay is its own; both are printed. Skips, and says so, without Mosquitto.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from controller.record.live import Live
from controller.telemetry.broker import LOOPBACK, free_port
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from controller.telemetry.streams import streams

RIGS = 100
SECONDS = 10.0
STREAM_HZ = 10
EVENTS_PER_S = 6  # a stride a second: five gait events and the stride itself
SETTLE_S = 5.0
# What a site should set: without the first, Nagle's waiting in the broker holds acknowledgements back for
# 40 ms; with the default of 1000, a subscriber that lags loses events.
BROKER = "allow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
BACKLOG_EVENTS = 20_000  # an hour of walking without a broker


class Heard(msgspec.Struct):
    """What the subscriber counted."""

    streams: int
    events: int
    repeated: int
    late_p50_ms: float
    late_p99_ms: float
    cpu_s: float


async def read(port: int, events: int) -> Heard:
    """Count what arrives and how late, until all ``events`` are there or none has come for a while."""
    streams, seen, late_ms = 0, Counter[tuple[str, int]](), list[float]()
    async with MqttSettings(LOOPBACK, port).client() as client:
        await client.subscribe("dorsi/#", qos=1)
        print("ready", flush=True)
        messages = aiter(client.messages)
        with contextlib.suppress(TimeoutError):
            while len(seen) < events:
                async with asyncio.timeout(SETTLE_S):
                    message = await anext(messages)
                assert isinstance(message.payload, bytes)
                topic = str(message.topic)
                if "/t/" in topic:
                    streams += 1
                elif "/event/" in topic:
                    event = msgspec.json.decode(message.payload)
                    seen[topic, event["seq"]] += 1
                    late_ms.append((time.monotonic_ns() - event["t_ns"]) / 1e6)
    late_ms.sort()
    p50_ms, p99_ms = (late_ms[int(part * len(late_ms))] for part in (0.5, 0.99))
    return Heard(streams, len(seen), seen.total() - len(seen), p50_ms, p99_ms, time.process_time())


def waited_s() -> float:
    """How long this process has been ready to run without a core."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


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
    expected = RIGS * int(SECONDS * EVENTS_PER_S)
    reader = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(port), str(expected), stdout=asyncio.subprocess.PIPE
    )
    assert reader.stdout is not None
    await reader.stdout.readline()
    chance = random.Random(1)
    rigs = [
        MqttTelemetry(MqttSettings(LOOPBACK, port, site="bench", rig=f"r{k}"), b"{}", random.Random(k))
        for k in range(RIGS)
    ]
    begin_s, cpu_s, idle_s = time.monotonic(), time.process_time(), waited_s()
    tasks = [asyncio.create_task(one.run()) for one in rigs]
    handed = await asyncio.gather(*(rig(one, chance.random()) for one in rigs))
    walked_s, cpu_s = time.monotonic() - begin_s, time.process_time() - cpu_s
    idle_s = waited_s() - idle_s
    heard = msgspec.json.decode(await reader.stdout.read(), type=Heard)
    events, offered = sum(count for _, count in handed), sum(count for count, _ in handed)
    print(f"{RIGS} rigs: {(heard.streams + heard.events) / walked_s:,.0f} messages/s for {walked_s:.1f} s")
    print(
        f"events: {events - heard.events} of {events} lost, {heard.repeated} repeated;"
        f" delay p50 {heard.late_p50_ms:.1f} ms, p99 {heard.late_p99_ms:.1f} ms"
    )
    print(f"streams: {heard.streams} of {offered} arrived; a newer value replaces one not sent yet")
    print(
        f"processor: rigs {cpu_s / walked_s:.0%} of a core, {cpu_s / walked_s / RIGS:.1%} each, and"
        f" {idle_s / walked_s:.0%} of the time waiting for one; reader {heard.cpu_s / walked_s:.0%}"
    )
    print(f"memory: broker {rss_mb(broker_pid):.1f} MB, all rigs {rss_mb('self'):.0f} MB")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    if len(sys.argv) > 1:
        print(msgspec.json.encode(asyncio.run(read(int(sys.argv[1]), int(sys.argv[2])))).decode())
    else:
        main()
