"""Recording: what a session costs the recorder, what its death costs the session, and how fast it reads.

Feeds the real recorder process as a session with two inertial sensors does: 350 ticks and verdicts a second.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from controller.core.signals import Applied, Decision, TickInputs, View
from controller.ipc import bus
from controller.record.compact import recompact
from controller.record.reader import messages, raw_messages
from controller.record.records import GuardVerdict, Pulse, Record, Tick, Truth, encode
from drivers.interface import ChannelCommand, Command, ImuSample

SECONDS = 10.0
TICKS_PER_S = 350
TRUTH_EVERY = 3  # ticks
PULSE_EVERY = 9  # ticks: about 40 pulses a second


def records(seq: int, now_ns: int) -> list[tuple[str, Record]]:
    """What one tick leaves behind."""
    sample = ImuSample("foot", now_ns, now_ns, seq, (1.23456789, 2.3456789, 9.3456789), (0.123, 0.234, 0.345))
    channel = ChannelCommand(20.5, 300.0, 40.0)
    view = View(
        "feedback",
        56.789,
        True,
        seq // 400,
        12.3456789,
        98.76543,
        3.4567,
        5.6789,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        seq,
    )
    decision = Decision(Command((channel,)), "feedback: foot 2.1 deg below the reference", (), view)
    inputs = TickInputs(imu=(sample,), applied=(Applied(seq - 1, (channel,), "ok"),))
    pulses = (Pulse(now_ns + 500_000, 0, 20.5, 300.0, seq % 64),) if seq % PULSE_EVERY == 0 else ()
    made: list[tuple[str, Record]] = [
        ("tick", Tick(now_ns, seq, seq, 55.5, 123.4, inputs, decision)),
        ("guard/verdict", GuardVerdict(seq, now_ns, now_ns + 50_000, "active", "ok", "", (channel,), pulses)),
    ]
    if seq % TRUTH_EVERY == 0:
        made.append(("world/truth", Truth(now_ns, 1.2345678, 2.3456789, 3.4567, 4.5678, 0.5, 56.789, True)))
    return made


def start(rig: Path) -> tuple[subprocess.Popen[bytes], bus.Sender]:
    (rig / "header.json").write_text('{"session": "bench"}')
    command = [sys.executable, "-m", "controller.runtime.recorder", "--rig", str(rig)]
    command += ["--out", str(rig / "session.mcap"), "--header", str(rig / "header.json")]
    return subprocess.Popen(command), bus.Sender(bus.connect(rig, "recorder"))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def feed(sender: bus.Sender, seconds: float) -> int:
    """Sends in real time; returns how many messages went out."""
    begin_s = time.monotonic()
    sent = 0
    for seq in range(int(seconds * TICKS_PER_S)):
        for topic, record in records(seq, time.monotonic_ns()):
            sent += sender.send(bus.pack_record(topic, time.monotonic_ns(), encode(record)))
        time.sleep(max(0.0, begin_s + (seq + 1) / TICKS_PER_S - time.monotonic()))
    return sent


def rate(name: str, count: int, work: Callable[[], object]) -> None:
    begin_s = time.perf_counter()
    work()
    print(f"{name}: {count / (time.perf_counter() - begin_s):,.0f} messages/s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = Path(folder)
        path = rig / "session.mcap"
        recorder, sender = start(rig)
        before_s, begin_s = cpu_s(recorder.pid), time.monotonic()
        sent = feed(sender, SECONDS)
        share = (cpu_s(recorder.pid) - before_s) / (time.monotonic() - begin_s)
        time.sleep(0.2)
        written = sum(message.topic not in {"clock", "process"} for message in raw_messages(path))
        size = path.stat().st_size
        print(f"recorder: {share:.1%} of a core at {sent / SECONDS:.0f} messages/s; dropped {sender.dropped}")
        recorder.send_signal(signal.SIGKILL)
        recorder.wait()
        print(
            f"killed: {sent - written} of {sent} messages lost; {size / SECONDS * 3600 / 1e6:.0f} MB an hour"
        )
        count = sum(1 for _ in raw_messages(path))
        rate("recompaction", count, lambda: recompact(path))
        print(f"recompacted: {path.stat().st_size / SECONDS * 3600 / 1e6:.0f} MB an hour")
        rate("reading", count, lambda: sum(1 for _ in messages(path)))


if __name__ == "__main__":
    main()
