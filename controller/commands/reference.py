"""What `dorsi reference` does: a walk without pulses to a reference of one's own, a picture, lines to copy.

Nothing is written into a patient file by itself: a person looks at the picture first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from controller.analysis.own_swings import Curve, OwnSwings, lifts_deg
from controller.config.core_params import normal_reference
from controller.config.session import Session
from controller.core.control.reference import GRID, suited
from controller.core.core import Core
from controller.core.params import Reference
from controller.errors import InputError
from controller.record.replay import RecordedCore, rerun

SWINGS_NEEDED = 5  # besides the first: of a foot whose sensor is not yet found out


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
        found.watch(tick.now_ns, tick.decision.command, recorded.core)
    if len(found.settled) < SWINGS_NEEDED:
        raise InputError(
            str(recording),
            "swings without pulses",
            str(len(found.settled)),
            f"{SWINGS_NEEDED} or more: walk ten strides in mode off, with a sensor on the foot",
        )
    return found.settled


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
