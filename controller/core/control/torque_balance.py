"""The torque balance of a swing: what moved the foot, against what the model's muscle gave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.core.control.ankle_model import START_PERCENT, AnkleModel
from controller.core.control.cells import PERCENT, Curve
from controller.core.control.feedforward import GRAVITY_MPS2
from controller.core.control.lesson import Moment
from controller.core.gait.estimator import Reading
from controller.core.gait.phase_alignment import SwingPhase

NEEDED_MAX_NM = 60.0  # no ankle swings with more: an angle of it is wrong
SAMPLES_NEEDED = 8  # of a swing, to say anything about it


class Balance(NamedTuple):
    """Over the samples (m,) of a swing: time in ns, phase, which count, and the torque needed; of the model's
    muscle (k,) time and torque.
    """

    t_ns: Curve
    percent: Curve
    use: NDArray[np.bool_]
    needed_nm: Curve
    muscle_ns: Curve
    muscle_nm: Curve

    @property
    def lift_nms(self) -> float:
        """What lifted the foot, over its time."""
        seconds = (self.t_ns - self.t_ns[0]) / 1e9
        return float(np.maximum(self.needed_nm[self.use], 0.0) @ np.gradient(seconds[self.use]))


def torque_balance(
    model: AnkleModel, swing: SwingPhase, readings: list[Reading], moments: list[Moment]
) -> Balance | None:
    """``None`` where too little was seen of the swing, or no ankle can have swung so."""
    foot = model.foot
    muscle_t = np.array([m.t_ns for m in moments], dtype=np.float64)
    t = np.array([r.t_ns for r in readings], dtype=np.float64)
    place = np.array([swing.percent(r.t_ns) for r in readings])
    use = (place > model.free_percent + START_PERCENT) & (place < swing.contact_percent - 3.0)
    if int(use.sum()) < SAMPLES_NEEDED:
        return None
    pitch = np.array([r.foot_rad for r in readings])
    rate = np.array([r.foot_rate_rps for r in readings])
    seconds = (t - t[0]) / 1e9
    if not np.all(np.diff(seconds) > 0):
        return None
    shank = np.interp(place, PERCENT, shank_rad(model, place, readings))
    drag = foot.damping_nms_per_rad * (rate - np.gradient(shank, seconds))
    weight = foot.mass_kg * GRAVITY_MPS2 * foot.com_forward_m * np.cos(pitch)
    passive = model.passive_nm(pitch - shank, place)
    inertia = foot.inertia_kgm2 * np.gradient(rate, seconds)
    needed = inertia + drag + weight + model.carried_nm(place) - passive
    if not float(np.abs(needed[use]).max()) <= NEEDED_MAX_NM:  # nor with a torque that is no number
        return None
    return Balance(t, place, use, needed, muscle_t, np.array([m.torque_nm for m in moments]))


def shank_rad(model: AnkleModel, percent: Curve, readings: list[Reading]) -> Curve:
    """The shank over the cells as it was seen; the reference's where it was not."""
    known = [(p, r.shank_rad) for p, r in zip(percent, readings, strict=True) if r.shank_rad is not None]
    if len(known) < SAMPLES_NEEDED:
        return model.shank_rad
    return np.asarray(np.interp(PERCENT, [p for p, _ in known], [s for _, s in known]), dtype=np.float64)
