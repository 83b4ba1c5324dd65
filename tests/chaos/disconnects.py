"""Sensors out of reach at random moments, in real time: ``python -m tests.chaos.disconnects [SECONDS]``.

Six sensors over a radio with jitter and loss, ten of them in turn out of reach for up to some seconds; a
ticker goes on at 200 Hz beside them. Prints how long each took to be back after its return, and how late a
tick came. Ends with 1 where one took more than five seconds. Two minutes, when no length is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time

from controller.ipc import process
from drivers.catalogue import sensor_device
from drivers.links.bumble_backend import bumble_backend
from tests.chaos.air import SENSORS, Air

BACK_S = 5.0
TIMES = 10
TICK_S = 0.005


async def main(seconds: float, air: Air) -> int:
    dice, backend = random.Random(11), bumble_backend(air.radio)
    valid_s = dict.fromkeys((name for name, _, _ in SENSORS), 0.0)
    late_s: list[float] = []

    async def listen(name: str, device: str) -> None:
        async with sensor_device(device).open(name, name, backend) as sensor:
            async for sample in sensor:
                if sample.valid:
                    valid_s[name] = time.monotonic()

    async def tick() -> None:
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + TICK_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())
            late_s.append(time.monotonic() - due_s)

    tasks = [asyncio.create_task(listen(name, device)) for name, device, _ in SENSORS]
    await asyncio.sleep(6.0)
    tasks.append(asyncio.create_task(tick()))
    worst_s = 0.0
    for _ in range(TIMES):
        name = dice.choice(list(valid_s))
        await asyncio.to_thread(air.tell, f"leave {name}")
        await asyncio.sleep(dice.uniform(0.05, 0.4) * seconds / TIMES)
        await asyncio.to_thread(air.tell, f"back {name}")
        back_s = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4 * BACK_S):
                while valid_s[name] < back_s:  # noqa: ASYNC110  # what is looked at is a time
                    await asyncio.sleep(0.01)
        took_s = time.monotonic() - back_s
        worst_s = max(worst_s, took_s)
        print(f"{name:8s} back after {took_s:.2f} s", flush=True)
        await asyncio.sleep(dice.uniform(0.1, 0.3) * seconds / TIMES)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await backend.aclose()
    ordered = sorted(late_s)
    at_99_ms, most_ms = 1e3 * ordered[int(0.99 * len(ordered))], 1e3 * ordered[-1]
    late = f"late at 99 % {at_99_ms:.1f}, most {most_ms:.1f} ms"
    print(f"slowest {worst_s:.2f} s; {len(ordered)} ticks, {late}")
    return int(worst_s > BACK_S)


if __name__ == "__main__":
    process.go_real_time(process.CONTROLLER_PRIORITY)
    air = Air()
    try:
        sys.exit(asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0, air)))
    finally:
        air.close()
