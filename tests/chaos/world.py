"""The demo's world with sensors that fail and a stimulator whose cable comes out, as a test tells it.

The word in the rig's file ``chaos``, read at SIGUSR1, says how; none of the words heals it. For chaos runs
only: everything else in it is the world of the demo.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
from pathlib import Path
from typing import Literal, get_args

from bumble.gatt import Characteristic

from controller.ipc import bus, process
from controller.runtime.plan import SensorPlan, WorldPlan, read_plan
from controller.runtime.virtual_world import World
from drivers.devices import Streaming
from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.radio import Peripheral

Fault = Literal["silent", "frozen", "delayed", "reordered", "duplicated", "bit-flipped", "unplugged"]
CHAOS = "chaos"  # the file with the word
PORT = "p24"  # the stimulator's port keeps this name, as a link by id does when a cable comes back
DELAY_S = 0.4
REORDERED = 4  # samples in each hand that is shuffled
SEED = 4


class ChaosWorld(World):
    """The world, and what happens to its sensors and its serial line on demand."""

    def __init__(self, rig: Path, plan: WorldPlan, recorder: bus.Sender) -> None:
        super().__init__(plan, recorder, rig)
        self._fault: Fault | None = None
        self._dice = random.Random(SEED)
        self._plug()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._told)

    def _told(self) -> None:
        word = (self._rig / CHAOS).read_text()
        before, self._fault = self._fault, next((one for one in get_args(Fault) if one == word), None)
        loop = asyncio.get_running_loop()
        if self._fault == "unplugged":
            loop.remove_reader(self._stimulator.fileno())
            self._stimulator.vanish()
        elif before == "unplugged":
            self._stimulator = EmulatedP24(Path(self._plan.pulse_log), self._on_pulse)
            self._plug()
            loop.add_reader(self._stimulator.fileno(), self._stimulator.service)

    def _plug(self) -> None:
        link = self._rig / PORT
        link.unlink(missing_ok=True)
        link.symlink_to(self._stimulator.port)
        self._stimulator.port = str(link)

    def _emulated(self, sensor: SensorPlan, number: int) -> Peripheral | Streaming:
        emulated = super()._emulated(sensor, number)
        assert isinstance(emulated, Peripheral)  # only what comes by radio is spoiled here
        self._spoil(emulated)
        return emulated

    def _spoil(self, sensor: Peripheral) -> None:
        send = sensor.notify
        last: list[bytes] = []
        hand: list[bytes] = []

        def notify(characteristic: Characteristic[bytes], value: bytes) -> None:
            if self._fault != "frozen":
                last[:] = [value]
            if self._fault != "reordered":
                hand.clear()
            match self._fault:
                case "silent":
                    pass
                case "frozen":
                    send(characteristic, last[0])
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
                    hand.append(value)
                    if len(hand) == REORDERED:
                        self._dice.shuffle(hand)
                        for one in hand:
                            send(characteristic, one)
                        hand.clear()
                case _:
                    send(characteristic, value)

        sensor.notify = notify  # type: ignore[method-assign]  # the fault


async def _main(rig: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    recorder = bus.Sender(bus.connect(rig, "recorder"))
    world = ChaosWorld(rig, read_plan(rig / "world.json", WorldPlan), recorder)
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
