"""How late ticks come: our absolute deadlines against sleeping for a period, in the same run, turn about.

Prints medians, 99th percentiles and drift; no limits, as the machine may be busy with something else.
"""

from __future__ import annotations

import asyncio
import statistics
import time

from controller.ipc import process
from controller.runtime.ticker import Ticker

PERIOD_NS = 5_000_000
SECONDS = 4.0
ROUNDS = 2
WORK_S = 0.0003  # what a step of the core takes


def work() -> None:
    end = time.perf_counter() + WORK_S
    while time.perf_counter() < end:
        pass


async def deadlines() -> tuple[list[float], float, int]:
    """Lateness in ms of each tick, drift over the run in ms, missed ticks."""
    late_ms: list[float] = []

    def on_tick(_number: int, deadline_ns: int) -> None:
        late_ms.append((time.monotonic_ns() - deadline_ns) / 1e6)
        work()

    ticker = Ticker(PERIOD_NS, on_tick)
    ticker.start()
    await asyncio.sleep(SECONDS)
    ticker.stop()
    return late_ms, late_ms[-1] - late_ms[0], ticker.missed


async def sleeping() -> tuple[list[float], float, int]:
    """The same where each tick sleeps for a period after its work."""
    late_ms: list[float] = []
    start_ns = time.monotonic_ns()
    number = 0
    while time.monotonic_ns() - start_ns < SECONDS * 1e9:
        await asyncio.sleep(PERIOD_NS / 1e9)
        number += 1
        late_ms.append((time.monotonic_ns() - start_ns - number * PERIOD_NS) / 1e6)
        work()
    return late_ms, late_ms[-1] - late_ms[0], 0


def main() -> None:
    print(f"200 Hz ticks, {SECONDS:g} s a run, {process.go_real_time(process.CONTROLLER_PRIORITY)}")
    process.quiet_garbage_collector()
    medians: dict[str, list[float]] = {"deadlines": [], "sleeping": []}
    for number in range(ROUNDS):
        for name, run in (("deadlines", deadlines), ("sleeping", sleeping)):
            late_ms, drift_ms, missed = asyncio.run(run())
            medians[name].append(statistics.median(late_ms))
            p99_ms = statistics.quantiles(late_ms, n=100)[98]
            print(
                f"run {number + 1} {name:9}: late median {medians[name][-1]:8.2f} ms, p99 {p99_ms:8.2f} ms, "
                f"drift {drift_ms:8.1f} ms, missed {missed}"
            )
    ratio = statistics.median(medians["sleeping"]) / statistics.median(medians["deadlines"])
    print(f"sleeping for a period comes {ratio:.0f} times as late as absolute deadlines (median)")


if __name__ == "__main__":
    main()
