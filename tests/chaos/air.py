"""Six sensors and a stimulator on a virtual radio of their own: ``python -m tests.chaos.air``.

The first line printed is JSON: where radio and stimulator are. Lines on stdin are commands: ``leave NAME``,
``back NAME``, ``account`` (answered by what the radio sent and lost). It ends with stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
from pathlib import Path

from controller.ipc import process
from drivers.catalogue import sensor_device
from drivers.devices import Body
from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.interface import Quat, Vec3
from drivers.links.input_watch import InputWatch

# name, device, samples in a notification
SENSORS: tuple[tuple[str, str, int], ...] = (
    ("foot", "movella-dot", 1),
    ("shank", "open-frame", 2),
    ("thigh", "movella-dot", 1),
    ("pelvis", "open-frame", 2),
    ("calf", "npg-lite", 10),
    ("shin", "openbci-ganglion", 2),
)
# an event every 15 ms, late by up to 15; one of twenty begins a silence of up to 120: 1 to 150 ms in all
CONDITIONS = RadioConditions(
    connection_interval_ms=15.0, jitter_ms=15.0, burst=0.05, burst_ms=120.0, loss=0.02
)
CALM = RadioConditions()
ROOT = Path(__file__).resolve().parents[2]


def moved(t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    turn = math.sin(2 * math.pi * (t_ns % 10**9) / 1e9)
    return (1.0, 0.0, 0.0, 0.0), (0.1 * turn, 0.0, 9.81), (turn, 0.5, -turn)


def muscles(t_ns: int) -> list[float]:
    return [1e-5 * math.sin(2 * math.pi * 50.0 * (t_ns % 10**9) / 1e9)] * 8


BODY = Body(moved, muscles)


def peripherals() -> list[Peripheral]:
    made = []
    for number, (name, device, _) in enumerate(SENSORS, 1):
        one = sensor_device(device).emulate(name, number, BODY)
        assert isinstance(one, Peripheral)
        made.append(one)
    return made


class Air:
    """The process of this module, as another sees it."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "tests.chaos.air", *options]
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        first = json.loads(self._read())
        self.radio, self.port = str(first["radio"]), str(first["port"])

    def _read(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()

    def tell(self, command: str) -> dict[str, object]:
        assert self._child.stdin is not None
        self._child.stdin.write(command + "\n")
        self._child.stdin.flush()
        told: dict[str, object] = json.loads(self._read())
        return told

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(10)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calm", action="store_true", help="no jitter and no loss")
    calm = parser.parse_args().calm
    process.go_real_time(process.WORLD_PRIORITY)
    loop = asyncio.get_running_loop()
    stimulator = EmulatedP24()
    watch = InputWatch(stimulator.fileno())

    def serve() -> None:
        stimulator.service()
        watch.taken()

    loop.add_reader(watch.fileno(), serve)
    async with VirtualRadio(CALM if calm else CONDITIONS) as radio:
        for one in peripherals():
            await radio.add(one)
        print(json.dumps({"radio": radio.hci_address, "port": stimulator.port}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, _, name = line.strip().partition(" ")
            if command == "leave":
                await radio.leave(name)
            elif command == "back":
                await radio.back(name)
            told = radio.account() | ({"pulses": stimulator.pulses_given} if command == "account" else {})
            print(json.dumps(told), flush=True)
    loop.remove_reader(watch.fileno())
    watch.close()
    stimulator.close()


if __name__ == "__main__":
    asyncio.run(main())
