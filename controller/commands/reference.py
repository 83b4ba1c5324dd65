"""What `dorsi reference` does: a walk without pulses to a reference of one's own, a picture, lines to copy.

Nothing is written into a patient file by itself: a person looks at the picture first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.config.core_params import normal_reference
from controller.config.person_schema import LIFT_PERCENT
from controller.config.session import Session
from controller.core.control.reference import GRID, suited, swing_pitch_deg
from controller.core.core import Core
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.params import Reference
from controller.core.signals import Decision
from controller.errors import InputError
from controller.record.replay import RecordedCore, rerun

Curve = NDArray[np.float64]

SWINGS_NEEDED = 5  # besides the first: of a foot whose sensor is not yet found out
REST_NS = 500_000_000  # a muscle is quiet this long after its last pulse


@dataclass(slots=True)
class OwnSwings:
    """Foot pitch (101,) in deg of every swing without a pulse, laid over the reference by the core itself."""

    curves: list[Curve] = field(default_factory=list)
    _last: SwingPhase | None = None
    _pulsed_ns: int | None = None

    def watch(self, now_ns: int, decision: Decision, core: Core) -> None:
        """One step of the core."""
        if any(channel is not None for channel in decision.command.channels):
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


def own_swings(recording: Path) -> list[Curve]:
    """The swings without pulses of a recording, by its own core stepped again.

    Raises InputError for a recording without parameters or with too few such swings.
    """
    found = OwnSwings()
    recorded: RecordedCore | None = None

    def begin(params_json: bytes) -> RecordedCore:
        nonlocal recorded
        recorded = RecordedCore(params_json)
        return recorded

    for tick, _ in rerun(recording, begin):
        assert recorded is not None
        if not isinstance(recorded.core, Core):
            raise InputError(str(recording), "therapy", "an exercise programme", "a walk")
        found.watch(tick.now_ns, tick.decision, recorded.core)
    if len(found.settled) < SWINGS_NEEDED:
        raise InputError(
            str(recording),
            "swings without pulses",
            str(len(found.settled)),
            f"{SWINGS_NEEDED} or more: walk ten strides in mode off, with a sensor on the foot",
        )
    return found.settled


def lifts_deg(normal: Reference, own: Reference) -> tuple[float, ...]:
    """By how much ``own`` lies above ``normal``, as a patient file holds it."""
    above = np.subtract(own.foot_pitch_deg, normal.foot_pitch_deg)
    grid = np.linspace(0.0, 100.0, len(above))
    return tuple(round(float(value), 1) + 0.0 for value in np.interp(LIFT_PERCENT, grid, above))


def propose(session: Session, recording: Path) -> tuple[Reference, list[Curve], tuple[float, ...]]:
    """The normal reference at the session's speed, the person's own swings, and the lift they ask for."""
    swings = own_swings(recording)
    wanted = session.patient.reference
    normal = normal_reference(wanted.speed_mps, wanted.band_deg)
    return normal, swings, lifts_deg(normal, suited(normal, swings))


def patient_lines(session: Session, lift_deg: tuple[float, ...]) -> str:
    """The ``[reference]`` table of a patient file."""
    wanted = session.patient.reference
    band = f"band_deg = {wanted.band_deg:g}\n" if wanted.band_deg > 0.0 else ""
    return f"[reference]\nspeed_mps = {wanted.speed_mps:g}\n{band}lift_deg = {list(lift_deg)}\n"


def plot(normal: Reference, swings: list[Curve], lifted: Reference, path: Path) -> None:
    """Normal pitch, the person's own swings and the proposed reference over the stride, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, swing in enumerate(swings):
        label = "own swings without pulses" if number == 0 else None
        axes.plot(GRID, swing, color="0.75", linewidth=0.8, label=label)
    grid = np.linspace(0.0, 100.0, len(normal.foot_pitch_deg))
    axes.plot(grid, normal.foot_pitch_deg, color="0.3", linestyle="--", label="normal")
    axes.plot(grid, lifted.foot_pitch_deg, color="tab:blue", label="proposed")
    axes.axvline(normal.toe_off_percent, color="0.6", linewidth=0.8)
    axes.annotate("toe-off", (normal.toe_off_percent, axes.get_ylim()[0]), (4, 4), textcoords="offset points")
    axes.set_xlabel("stride, %")
    axes.set_ylabel("foot pitch, deg (toe up +)")
    axes.legend()
    figure.savefig(path)
