"""A person's own swings without pulses, laid over the reference by the core, and their lift."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.config.person_schema import LIFT_PERCENT
from controller.core.control.reference import swing_pitch_deg
from controller.core.core import Core
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.params import Reference
from drivers.interface import Command

Curve = NDArray[np.float64]

REST_NS = 500_000_000  # a muscle is quiet this long after its last pulse


@dataclass(slots=True)
class OwnSwings:
    """Foot pitch (101,) in deg of every swing without a pulse, laid over the reference by the core itself."""

    curves: list[Curve] = field(default_factory=list)
    _last: SwingPhase | None = None
    _pulsed_ns: int | None = None

    def watch(self, now_ns: int, command: Command, core: Core) -> None:
        """One step of the core."""
        if any(channel is not None for channel in command.channels):
            self._pulsed_ns = now_ns
        swing = core.gait.swing
        if swing is None or swing is self._last or core.gait.reading is None:
            return
        self._last = swing
        if self._pulsed_ns is None or swing.toe_off_ns - self._pulsed_ns > REST_NS:
            self.curves.append(swing_pitch_deg(core.laws.strides.learner.memory.readings, swing))

    @property
    def settled(self) -> list[Curve]:
        """All but the first."""
        return self.curves[1:]


def lifts_deg(normal: Reference, own: Reference) -> tuple[float, ...]:
    """By how much ``own`` lies above ``normal``, as a patient file holds it."""
    above = np.subtract(own.foot_pitch_deg, normal.foot_pitch_deg)
    grid = np.linspace(0.0, 100.0, len(above))
    return tuple(round(float(value), 1) + 0.0 for value in np.interp(LIFT_PERCENT, grid, above))
