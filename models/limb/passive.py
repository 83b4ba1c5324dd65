"""Moment that the relaxed ankle makes by itself, dorsiflexion positive.

Promises the double exponential of Riener and Edrich 1999; refuses angles no ankle or knee reaches.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.recruitment import check

Array = npt.NDArray[np.float64]


@compiled
def riener_edrich_nm(ankle_deg: float, knee_deg: float) -> float:
    """Passive moment without checks, for inner loops; dorsiflexion and knee flexion positive."""
    return -(
        math.exp(2.1016 + 0.0843 * ankle_deg - 0.0176 * knee_deg)
        - math.exp(-7.9763 - 0.1949 * ankle_deg + 0.0008 * knee_deg)
        - 1.792
    )


@compiled
def riener_edrich_curve_nm(ankle_deg: Array, knee_deg: float) -> Array:
    """The same over an array of ankle angles."""
    out = np.empty(ankle_deg.size)
    for i in range(ankle_deg.size):
        out[i] = riener_edrich_nm(ankle_deg[i], knee_deg)
    return out


# Ligament and bone end the range (assumed: 10 deg beyond the range of the published moment and 6 Nm/deg).
STOP_LOW_RAD, STOP_HIGH_RAD = math.radians(-55.0), math.radians(35.0)
STOP_NM_PER_RAD, STOP_NMS = 340.0, 3.0


@compiled
def stop_moment_nm(ankle_rad: float, ankle_rps: float) -> float:
    """Moment of the joint's end stops; 0 within the range."""
    if ankle_rad > STOP_HIGH_RAD:
        return min(0.0, -STOP_NM_PER_RAD * (ankle_rad - STOP_HIGH_RAD) - STOP_NMS * ankle_rps)
    if ankle_rad < STOP_LOW_RAD:
        return max(0.0, -STOP_NM_PER_RAD * (ankle_rad - STOP_LOW_RAD) - STOP_NMS * ankle_rps)
    return 0.0


def passive_moment_nm(
    ankle_deg: float, knee_deg: float, *, stiffness: float = 1.0, neutral_shift_deg: float = 0.0
) -> float:
    """Passive ankle moment in Nm, dorsiflexion positive (Riener and Edrich 1999, J Biomech 32:539).

    ``stiffness`` scales the moment (stroke 0.6 to 2.5, Chung 2004), ``neutral_shift_deg`` moves the
    curve towards plantarflexion when negative. Raises ValueError outside -90..60 and -20..160 deg.
    """
    check("ankle_deg", ankle_deg, -90.0, 60.0)
    check("knee_deg", knee_deg, -20.0, 160.0)
    check("stiffness", stiffness, 0.0, 10.0)
    check("neutral_shift_deg", neutral_shift_deg, -40.0, 40.0)
    return stiffness * float(riener_edrich_nm(ankle_deg - neutral_shift_deg, knee_deg))
