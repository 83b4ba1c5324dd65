"""A virtual radio in a process of its own, for the end-to-end tests: ``dot`` or ``myo``, until stdin closes.

Every measured value tells the true instant of its sample, so that the test can check values and times.
"""

from __future__ import annotations

import asyncio
import sys

from drivers.emulated.dot import DeviceTime, EmulatedDot
from drivers.emulated.myo import EmulatedMyo
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.interface import Quat, Vec3

CONDITIONS = RadioConditions(jitter_ms=4.0, burst=0.05, burst_ms=120.0, loss=0.05, seed=7)
TURN_S = 64  # a time below this keeps 4 us in a 32-bit float
RAMP_NS = 2_000_000_000  # EMG channel 0 climbs its 256 counts in 2 s


def motion(t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    return (0.5, -0.5, 0.5, -0.5), (t_ns % (TURN_S * 10**9) / 1e9, -1.5, 9.8125), (1.0, -2.0, 3.0)


def muscle(t_ns: int) -> list[float]:
    ramp = (t_ns % RAMP_NS) * 256 // RAMP_NS - 128
    return [ramp * 10e-6, *(channel * 20e-6 for channel in range(1, 8))]


def device(kind: str) -> Peripheral:
    if kind == "dot":
        clock = DeviceTime(start_us=2**32 - 1_500_000, drift_ppm=80.0)  # wraps in the second second
        return EmulatedDot(motion, name="Movella DOT", clock=clock)
    return EmulatedMyo(muscle, lambda _t_ns: ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.80665), (0.5, 0.0, 0.0)))


async def main() -> None:
    async with VirtualRadio(CONDITIONS) as radio:
        await radio.add(device(sys.argv[1]))
        print(radio.hci_address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
