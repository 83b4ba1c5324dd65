"""A normal reference suited to one patient: where the unstimulated foot is higher, that is the target.

Promises a curve never below the normal one. Dorsiflexors can only lift: a weak push-off or the patient's own
muscle that holds the foot above normal early in swing is no error, and clearance comes first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.core.gait.estimator import Reading
from controller.core.gait.phase_alignment import SwingPhase, smooth
from controller.core.params import Reference

Curve = NDArray[np.float64]
GRID = np.arange(101.0)
WHOLE_SHARE = 0.4  # of swing in which the foot's own height counts whole
NONE_SHARE = 0.7  # and from where it does not: the landing is the normal one
BEFORE_NS = 250_000_000  # the detector finds toe-off where the foot turns; how far it tipped is seen before
FROM_PERCENT = 36.0  # before the foot is flat in both


def swing_pitch_deg(readings: Sequence[Reading], swing: SwingPhase) -> Curve:
    """Foot pitch of one swing at every percent of the reference stride (101,), NaN outside the
    swing."""
    inside = [r for r in readings if swing.toe_off_ns - BEFORE_NS <= r.t_ns <= swing.contact_ns]
    if not inside:
        return np.full(len(GRID), np.nan)
    place = [swing.percent(r.t_ns) for r in inside]
    curve = np.interp(GRID, place, np.degrees([r.foot_rad for r in inside]), left=np.nan, right=np.nan)
    return np.asarray(curve, dtype=np.float64)


def suited(reference: Reference, unstimulated_deg: Sequence[Curve]) -> Reference:
    """``reference`` lifted to the median of the patient's own swings where those are higher.

    Raises ValueError without a swing.
    """
    if len(unstimulated_deg) == 0:
        raise ValueError("unstimulated_deg: found no swing, allowed: at least one")
    normal = np.interp(GRID, np.linspace(0.0, 100.0, len(reference.foot_pitch_deg)), reference.foot_pitch_deg)
    seen = np.stack(unstimulated_deg)
    seen = seen[np.isfinite(seen).any(axis=1)]
    if len(seen) == 0:
        return reference
    own = np.median(seen, axis=0)
    known = np.flatnonzero(np.isfinite(own))
    if len(known) == 0:
        return reference
    above = np.where(np.isfinite(own), np.maximum(0.0, own - normal), 0.0)
    first, toe_off = int(known[0]), reference.toe_off_percent
    above[:first] = above[first]  # the detector's toe-off comes late; the push-off before it was as weak
    share = (GRID - toe_off) / (100.0 - toe_off)
    late = np.clip((share - WHOLE_SHARE) / (NONE_SHARE - WHOLE_SHARE), 0.0, 1.0)
    early = np.clip((GRID - FROM_PERCENT) / (toe_off - FROM_PERCENT), 0.0, 1.0)
    weight = np.where(toe_off > GRID, smooth(early), 1.0 - smooth(late))
    lifted = normal + _rounded(above) * weight
    return dataclasses.replace(reference, foot_pitch_deg=tuple(lifted.tolist()))


def _rounded(curve: Curve) -> Curve:
    """Without corners, which no muscle could follow: mean over five percent."""
    padded = np.concatenate((np.repeat(curve[0], 2), curve, np.repeat(curve[-1], 2)))
    return np.convolve(padded, np.full(5, 0.2), mode="valid")
