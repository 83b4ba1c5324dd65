"""Sensors that go out of reach at random moments: each is back soon after its return; nothing else stops."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random

import pytest

from drivers.catalogue import sensor_device
from drivers.emulated.radio import RadioConditions, VirtualRadio
from drivers.interface import EmgFrame, ImuSample
from drivers.links.ble import BleBackend, BleSensor
from drivers.links.bumble_backend import bumble_backend
from tests import virtual_loop
from tests.chaos.air import SENSORS, peripherals

BACK_S = 5.0
TICK_S = 0.02
TIMES = 10
PICKED = ("foot", "shin")  # an inertial sensor and one of EMG; all six in `make chaos`


async def broken(seed: int) -> tuple[dict[str, list[ImuSample | EmgFrame]], list[float], list[float]]:
    """Samples by sensor, seconds from each return to the next valid sample, and when a ticker ticked."""
    dice = random.Random(seed)
    loop = asyncio.get_running_loop()
    got: dict[str, list[ImuSample | EmgFrame]] = {name: [] for name in PICKED}
    ticks: list[float] = []
    took_s: list[float] = []

    async def listen(name: str, device: str, backend: BleBackend) -> None:
        async with sensor_device(device).open(name, name, backend) as sensor:
            assert isinstance(sensor, BleSensor)
            async for sample in sensor:
                got[name].append(sample)

    async def tick() -> None:
        due_s = loop.time()
        while True:
            due_s += TICK_S
            await asyncio.sleep(due_s - loop.time())
            ticks.append(loop.time() - due_s)

    async with VirtualRadio(RadioConditions(jitter_ms=15.0, loss=0.02, seed=seed)) as radio:
        for one in peripherals():
            if one.name in PICKED:
                await radio.add(one)
        backend = bumble_backend(radio.hci_address)
        picked = [(name, device) for name, device, _ in SENSORS if name in PICKED]
        tasks = [asyncio.create_task(listen(name, device, backend)) for name, device in picked]
        await asyncio.sleep(2.0)
        tasks.append(asyncio.create_task(tick()))
        for _ in range(TIMES):
            name = dice.choice(PICKED)
            await asyncio.sleep(dice.uniform(0.2, 1.0))
            await radio.leave(name)
            await asyncio.sleep(dice.choice((0.1, 0.6, 2.0)))
            await radio.back(name)
            returned_s, known = loop.time(), len(got[name])
            while not any(sample.valid for sample in got[name][known:]):
                await asyncio.sleep(0.05)
                if loop.time() - returned_s > 4 * BACK_S:
                    break
            took_s.append(loop.time() - returned_s)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await backend.aclose()
    return got, took_s, ticks


def test_each_is_back_within_five_seconds_of_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    got, took_s, ticks = virtual_loop.run(monkeypatch, broken(seed=7))
    assert len(took_s) == TIMES
    assert max(took_s) < BACK_S
    assert max(ticks) < TICK_S  # in virtual time: nobody slept where others wait
    assert len(ticks) > TIMES * 0.3 / TICK_S
    for name, samples in got.items():
        valid = [sample for sample in samples if sample.valid]
        assert all(a.seq < b.seq and a.t_ns <= b.t_ns for a, b in itertools.pairwise(valid)), name
        lost = [sample.reason for sample in samples if not sample.valid]
        assert "connection lost, reconnecting" in lost
