"""The closed loop of a study: the rehearsal's pulses and strides to the bit, and nothing else is kept.

The core decides without its view; the body lives on only when it is pulsed or looked at. The rehearsal
(``closed_loop.py``) is the reference: tests hold both against each other.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from controller.core.core import Core
from controller.core.signals import TickInputs
from controller.record.stride_state import law
from controller.simulation.closed_loop import BodyTick
from controller.simulation.loop import EPOCH_NS, TICK_S, Loop
from drivers.interface import Command

LOOK_TICKS = 40  # 0.2 s between two looks at the body, which remembers a second


@dataclass(slots=True)
class Walk(Loop):
    """Walks in pieces of ``LOOK_TICKS``; between two pieces patient and spoil may be changed."""

    watch: Callable[[int, Command, Core], None] | None = None  # sees every tick
    swings: list[tuple[int, str | None]] = field(default_factory=list)  # ns and law, where the core saw swing
    _body: list[BodyTick] = field(default_factory=list)
    _looked: int = 0

    def piece(self) -> None:
        """The next ``LOOK_TICKS`` ticks; afterwards the body has lived until the last of them."""
        core, swings = self.core, self.swings
        idle = TickInputs()
        for tick in range(self.ticks, self.ticks + LOOK_TICKS):
            now_s = tick * TICK_S
            arrived = self.arrivals(now_s)
            now_ns = round(now_s * 1e9)
            choice = core.decide(EPOCH_NS + now_ns, TickInputs(imu=arrived) if arrived else idle)
            channels = choice.command.channels
            asked = any(channel is not None for channel in channels)
            if asked:
                self._stimulate(now_s, channels)
            if self.watch is not None:
                self.watch(EPOCH_NS + now_ns, choice.command, core)
            if choice.gait.phase.swinging:
                swings.append((now_ns, law(core.mode, core.laws.ladder.rung, asked=asked)))
        self.ticks += LOOK_TICKS
        self._look()

    def body(self) -> list[BodyTick]:
        """The true body at every deadline so far."""
        return self._body

    def _look(self) -> None:
        numbers = range(self._looked, self.ticks)
        times_s = np.array([number * TICK_S for number in numbers])
        seen = self.patient.true_ticks(times_s)
        self._body += [BodyTick(number * TICK_S, *row) for number, row in zip(numbers, seen, strict=True)]
        self._looked = self.ticks


def pulse_checksum(pulses: list[tuple[float, float, float]]) -> str:
    """SHA-256 over every pulse's time in s, current in mA and width in us: two walks with the same are the
    same to the bit.
    """
    return hashlib.sha256(b"".join(struct.pack("<3d", *pulse) for pulse in pulses)).hexdigest()
