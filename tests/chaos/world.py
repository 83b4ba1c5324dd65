"""The demo's world with sensors that fail on SIGUSR1, in the way the environment's ``DORSI_CHAOS`` names.

For chaos runs only: everything else in it is the world of the demo.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Literal, get_args

from bumble.gatt import Characteristic

from controller.runtime import bus, process
from controller.runtime.plan import SensorPlan, WorldPlan, read_plan
from controller.runtime.world import World
from drivers.emulated.dot import EmulatedDot
from drivers.emulated.myo import EmulatedMyo

SensorFault = Literal["silent", "frozen", "delayed", "reordered", "duplicated", "bit-flipped"]
DELAY_S = 0.4
SEED = 4


class ChaosWorld(World):
    """The world, and what happens to the notifications of its inertial sensors from SIGUSR1 on."""

    def __init__(self, plan: WorldPlan, recorder: bus.Sender, fault: SensorFault) -> None:
        super().__init__(plan, recorder)
        self._fault = fault
        self._dice = random.Random(SEED)
        self._on = False
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin)

    def _begin(self) -> None:
        self._on = True

    def _peripheral(self, sensor: SensorPlan, number: int) -> EmulatedDot | EmulatedMyo:
        peripheral = super()._peripheral(sensor, number)
        if isinstance(peripheral, EmulatedDot):
            self._spoil(peripheral)
        return peripheral

    def _spoil(self, sensor: EmulatedDot) -> None:
        send = sensor.notify
        held: list[bytes] = []

        def notify(characteristic: Characteristic[bytes], value: bytes) -> None:
            if not self._on:
                held[:] = [value]
                send(characteristic, value)
                return
            match self._fault:
                case "silent":
                    pass
                case "frozen":
                    send(characteristic, held[0])
                case "delayed":
                    asyncio.get_running_loop().call_later(DELAY_S, send, characteristic, value)
                case "duplicated":
                    send(characteristic, value)
                    send(characteristic, value)
                case "bit-flipped":
                    bit = self._dice.randrange(8 * len(value))
                    flipped = bytearray(value)
                    flipped[bit // 8] ^= 1 << bit % 8
                    send(characteristic, bytes(flipped))
                case "reordered":
                    held.append(value)
                    if len(held) >= 4:
                        self._dice.shuffle(held)
                        for one in held:
                            send(characteristic, one)
                        held.clear()

        sensor.notify = notify  # type: ignore[method-assign]


async def _main(rig: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    name = os.environ["DORSI_CHAOS"]
    fault: SensorFault = next(one for one in get_args(SensorFault) if one == name)
    recorder = bus.Sender(bus.connect(rig, "recorder"))
    world = ChaosWorld(read_plan(rig / "world.json", WorldPlan), recorder, fault)
    process.go_real_time(process.WORLD_PRIORITY)
    process.quiet_garbage_collector()
    await world.run(stop)


def main() -> None:
    parser = argparse.ArgumentParser(prog="dorsi-world")
    parser.add_argument("--rig", type=Path, required=True)
    rig: Path = parser.parse_args().rig
    process.begin("dorsi-world")
    asyncio.run(_main(rig))


if __name__ == "__main__":
    main()
