"""The cells over which a command is learned: one percent of the stride each, from before heel-off to the
loading foot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
Matrix = NDArray[np.float64]

FIRST_PERCENT, LAST_PERCENT = 36, 104
PERCENT = np.arange(FIRST_PERCENT, LAST_PERCENT + 1.0)
CELLS = len(PERCENT)
LAST_TARGET_PERCENT = 99.5  # the curve begins again at 100; a foot that lands late is held here
HOLD_PERCENT = 97  # from here the command is held, for a late contact and the loading foot


def at(cells: Curve, percent: float) -> float:
    """The value of ``cells`` (n,) at a phase; held at both ends."""
    place = min(max(percent - FIRST_PERCENT, 0.0), CELLS - 1.001)
    low = int(place)
    share = place - low
    return float(cells[low] * (1.0 - share) + cells[low + 1] * share)


def held(command_nm: Curve) -> Curve:
    """A command (n,) whose last cells are as the one at ``HOLD_PERCENT``."""
    last = HOLD_PERCENT - FIRST_PERCENT
    return np.concatenate((command_nm[:last], np.full(CELLS - last, command_nm[last])))
