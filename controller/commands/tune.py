"""Feedback gains from the identified model, with the margins they leave.

Promises gains whose loop keeps the named margins on the model; refuses a model that no gain can serve.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from controller.core.params import CoreParams, Gains
from controller.errors import InputError
from controller.studies.loop_margins import (
    GAIN_NEEDED,
    OMEGA_RPS,
    PHASE_NEEDED_DEG,
    SENSITIVITY_ALLOWED,
    Margins,
    controller,
    margins,
    plant,
)

KP_TRIED = np.geomspace(0.5, 30.0, 60)  # Nm/rad, up to what a session file allows
TI_TRIED_S = (0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0)
TD_TRIED_S = (0.0, 0.02, 0.04, 0.06, 0.09)


def propose(core: CoreParams) -> tuple[Gains, Margins]:
    """The gains that push slow disturbances down most (largest Kp/Ti) within the margins.

    Raises InputError where none of the gains a session file allows keeps them.
    """
    best: tuple[float, Gains, Margins] | None = None
    response = plant(core)
    for td_s in TD_TRIED_S:
        for ti_s in TI_TRIED_S:
            for kp in KP_TRIED:
                gains = dataclasses.replace(core.gains, kp_nm_per_rad=float(kp), ti_s=ti_s, td_s=td_s)
                left = margins(response * controller(gains))
                if not left.enough:
                    break
                if best is None or kp / ti_s > best[0]:
                    best = (float(kp / ti_s), gains, left)
    if best is None:
        raise InputError(
            "model",
            "muscle and ankle",
            f"delay {core.muscle.delay_s * 1e3:.0f} ms, bandwidth {core.muscle.bandwidth_rps:.0f} rad/s",
            f"a model on which some gain leaves {PHASE_NEEDED_DEG:.0f} deg and a factor of {GAIN_NEEDED:g}",
        )
    return best[1], best[2]


def plot(core: CoreParams, proposed: Gains, path: Path) -> None:
    """Open loop and sensitivity of present and proposed gains, with their margins, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    size, sensitivity = figure.subplots(2, 1, sharex=True)
    hertz = OMEGA_RPS / (2.0 * math.pi)
    for name, gains in (("session file", core.gains), ("proposed", proposed)):
        loop = plant(core) * controller(gains)
        left = margins(loop)
        label = f"{name}: gain x{left.gain:.1f}, phase {left.phase_deg:.0f} deg, Ms {left.sensitivity:.2f}"
        size.loglog(hertz, np.abs(loop), label=label)
        sensitivity.semilogx(hertz, np.abs(1.0 / (1.0 + loop)))
    size.axhline(1.0, color="0.6", linewidth=0.8)
    size.set_ylabel("open loop")
    size.legend()
    sensitivity.axhline(SENSITIVITY_ALLOWED, color="0.6", linewidth=0.8, linestyle="--")
    sensitivity.set_ylabel("sensitivity")
    sensitivity.set_xlabel("frequency, Hz")
    figure.savefig(path)
