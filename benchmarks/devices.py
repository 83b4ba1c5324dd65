"""Six sensors and a stimulator over the virtual radio: `python benchmarks/devices.py [SECONDS]` (default 60).

Four inertial sensors (two of 60 Hz, two of 100 Hz) and two of EMG (500 and 200 Hz) through their own drivers,
with 1 to 150 ms of jitter and 2 % of the notifications lost, and a pulse 40 times a second on each of two
channels. The radio and the emulated devices are a process of their own; the figures are this process', which
has the drivers and, in place of the system's Bluetooth, a host stack in Python. Both run in real time, as a
rig's processes do. Ends with 1 where a sample is counted twice or a loss is not counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.ipc import process
from controller.record.live import Histogram
from drivers.catalogue import STIMULATORS, sensor_device
from drivers.interface import EmgFrame, Sample
from drivers.links.bumble_backend import bumble_backend
from drivers.stimulators.p24 import P24
from tests.chaos.air import SENSORS, Air

PULSE_S = 1 / 40
SINGLES = ("shin",)  # a Ganglion of firmware 2: each hundredth packet is one sample, not two
SETTLE_S = 6.0  # until all six stream


@dataclass
class Heard:
    """Of one sensor, since all stream."""

    received: int = 0
    lost: int = 0
    twice: int = 0
    back: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    next_seq: int | None = None
    t_ns: int = 0
    late_us: Histogram = field(default_factory=Histogram)

    def take(self, sample: Sample) -> None:
        if not sample.valid:
            self.invalid[sample.reason] += 1
            return
        count = len(sample.volts) if isinstance(sample, EmgFrame) else 1
        if self.next_seq is not None:
            self.lost += max(sample.seq - self.next_seq, 0)
            self.twice += max(self.next_seq - sample.seq, 0)
        self.back += sample.t_ns < self.t_ns
        self.next_seq, self.t_ns = sample.seq + count, sample.t_ns
        self.received += count
        self.late_us.add((sample.arrival_ns - sample.t_ns) / 1e3)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def pulses(stimulator: P24, faults: list[str]) -> None:
    """As the guard gives them: two channels, half a period apart."""
    due_s = time.monotonic()
    for count in range(10**9):
        due_s += PULSE_S / 2
        await asyncio.sleep(max(due_s - time.monotonic(), 0.0))
        faults += [notice.text for notice in stimulator.poll() if notice.fault]
        stimulator.pulse(count % 2, 20.0, 300.0)


async def measure(seconds: float, air: Air) -> bool:
    backend = bumble_backend(air.radio)
    heard = {name: Heard() for name, _, _ in SENSORS}
    stimulator = P24(air.port, ack_timeout_ms=2000.0)
    await asyncio.to_thread(stimulator.open)
    faults: list[str] = []

    async def listen(name: str, device: str) -> None:
        async with sensor_device(device).open(name, name, backend) as sensor:
            async for sample in sensor:
                heard[name].take(sample)

    tasks = [asyncio.create_task(listen(name, device)) for name, device, _ in SENSORS]
    tasks.append(asyncio.create_task(pulses(stimulator, faults)))
    await asyncio.sleep(SETTLE_S)
    if any(one.received < 50 for one in heard.values()):
        raise SystemExit(f"not all stream: { ({name: one.received for name, one in heard.items()}) }")
    before, heard = air.tell("account"), {name: Heard() for name, _, _ in SENSORS}
    begin_s, cpu_s, memory_mb = time.monotonic(), time.process_time(), resident_mb()
    await asyncio.sleep(seconds)
    cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - begin_s
    memory = (memory_mb, resident_mb())
    after = air.tell("account")
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    stimulator.close()
    await backend.aclose()
    good = True
    print(f"{'sensor':8s}{'device':20s}{'samples':>9s}{'lost':>7s}{'by radio':>10s}{'twice':>7s}{'back':>6s}"
          f"{'late ms 50 %':>14s}{'99 %':>7s}  invalid")  # fmt: skip
    for name, device, samples in SENSORS:
        one = heard[name]
        sent = [entry for entry in (before[name], after[name]) if isinstance(entry, list)]
        by_radio = (sent[1][1] - sent[0][1]) * samples
        at_half, at_99 = ((one.late_us.quantile(share) or 0.0) / 1e3 for share in (0.5, 0.99))
        print(f"{name:8s}{device:20s}{one.received:9d}{one.lost:7d}{by_radio:10d}{one.twice:7d}{one.back:6d}"
              f"{at_half:14.1f}{at_99:7.1f}  {dict(one.invalid) or '-'}")  # fmt: skip
        edge = 2 * samples  # lost beside the beginning or the end is counted a notification later
        single = by_radio // 25 if name in SINGLES else 0
        good = good and not one.twice and not one.back and -edge - single <= one.lost - by_radio <= edge
    given = int(str(after["pulses"])) - int(str(before["pulses"]))
    print(f"pulses {given / took_s:.1f} a second of 80, faults {len(faults)}: {faults[:2]}")
    share = 100 * cpu_s / took_s
    print(f"of one core {share:.0f} %, memory {memory[0]:.1f} to {memory[1]:.1f} MB in {took_s:.0f} s")
    print("no sample twice, every loss counted" if good else "NOT as it should be")
    return good


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    assert STIMULATORS["hasomed-p24"].capability.rate_max_hz >= 1 / PULSE_S
    process.go_real_time(process.CONTROLLER_PRIORITY)
    air = Air()
    try:
        return 0 if asyncio.run(measure(seconds, air)) else 1
    finally:
        air.close()


if __name__ == "__main__":
    sys.exit(main())
