"""Muscle, ankle and foot along the reference of the pace walked, over the cells.

Angles in rad, torques in Nm of dorsiflexion, stiffness in Nm/rad; curves are (n,) over ``cells.PERCENT``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.core.control.cells import CELLS, LAST_TARGET_PERCENT, PERCENT, Curve, Matrix
from controller.core.control.feedforward import TorqueTable, passive_moments_nm
from controller.core.control.reference_band import half_width_rad
from controller.core.control.reflex_estimate import feedback
from controller.core.control.swing_model import Lifted, lift, muscle_matrix
from controller.core.params import FootModel, MuscleModel, Reference, sample

START_WEIGHT = 0.2  # of the error just after toe-off, where the foot still follows the push-off
START_PERCENT = 6.0  # until the full weight
LANDING_WEIGHT = 3.0  # how the foot meets the ground counts more than where it was on the way
LANDING_PERCENT = 93.0


@dataclass(slots=True)
class AnkleModel:
    """``table`` is the torque that carries the foot along ``reference``, ``hold_s`` the mean time that pulses
    take to follow the command, ``percent_per_s`` how fast the phase runs in swing.
    """

    foot: FootModel
    reference: Reference
    table: TorqueTable
    percent_per_s: float
    hold_s: float
    _torque: Matrix | None = None  # the muscle alone, for the muscle and the times beside it
    _torque_of: tuple[MuscleModel, float, float] | None = None

    @property
    def free_percent(self) -> float:
        """Where the toe leaves the ground in the reference."""
        return self.reference.toe_off_percent

    @property
    def free_cell(self) -> int:
        return int(np.argmax(self.free_percent <= PERCENT))

    @property
    def cell_s(self) -> float:
        return 1.0 / self.percent_per_s

    @property
    def stride_s(self) -> float:
        return 100.0 / self.percent_per_s

    @property
    def foot_rad(self) -> Curve:
        return self._on_cells(self.reference.foot_pitch_deg)

    @property
    def shank_rad(self) -> Curve:
        return self._on_cells(self.reference.shank_pitch_deg)

    @property
    def ankle_rad(self) -> Curve:
        return self.foot_rad - self.shank_rad

    def demand_nm(self) -> Curve:
        """The torque that carries the foot along the reference at this pace."""
        stride_s = self.stride_s
        return np.array([self.table.at(min(float(p), 99.99), stride_s) for p in PERCENT])

    def stiffness(self, one_rad: Curve, other_rad: Curve) -> Curve:
        """Secant stiffness of ankle and gravity between two ankle angles, cell by cell."""
        foot, one_deg, other_deg = self.foot, np.degrees(one_rad), np.degrees(other_rad)
        knee = np.degrees(self._on_cells(self.reference.knee_flexion_deg))
        middle, half = (one_deg + other_deg) / 2.0, np.maximum(0.5, np.abs(other_deg - one_deg) / 2.0)
        up, down = (passive_moments_nm(middle + s * half - foot.neutral_deg, knee) for s in (1.0, -1.0))
        slope = -(up - down) / np.radians(2.0 * half) * foot.passive_factor
        return np.asarray(np.clip(slope, 2.0, 120.0), dtype=np.float64)

    def lifted(self, muscle: MuscleModel, reflex_nms: float, ankle_rad: Curve, stiffness: Curve) -> Lifted:
        """Muscle and foot about a motion of the ankle, with the calf's reflex."""
        cell_s = self.cell_s
        of = muscle, cell_s, self.hold_s
        if self._torque is None or self._torque_of != of:
            self._torque, self._torque_of = muscle_matrix(muscle, CELLS, cell_s, self.hold_s), of
        return lift(
            muscle,
            self.foot,
            stiffness,
            free=self.free_cell,
            cell_s=cell_s,
            hold_s=self.hold_s,
            torque=self._torque,
            reflex=reflex_nms * feedback(ankle_rad, cell_s) if reflex_nms > 0.0 else None,
        )

    def passive_nm(self, ankle_rad: Curve, percent: Curve) -> Curve:
        """What ankle and knee do by themselves at angles (m,) and phases (m,)."""
        knee_deg = _curve(self.reference.knee_flexion_deg, percent)
        ankle_deg = np.degrees(ankle_rad) - self.foot.neutral_deg
        return self.foot.passive_factor * passive_moments_nm(ankle_deg, knee_deg)

    def carried_nm(self, percent: Curve) -> Curve:
        """What the moving ankle takes: the fast part of the table without the foot's own inertia."""
        return _curve(self.table.carried_nm_s2, percent) / self.stride_s**2

    def beyond_band(self, error_rad: Curve) -> Curve:
        held = np.minimum(PERCENT, LAST_TARGET_PERCENT)
        half = np.array([half_width_rad(self.reference, float(p)) for p in held])
        return np.asarray(np.sign(error_rad) * np.maximum(0.0, np.abs(error_rad) - half), dtype=np.float64)

    def error_weight(self) -> Curve:
        since = (PERCENT - self.free_percent) / START_PERCENT
        weight = START_WEIGHT + (1.0 - START_WEIGHT) * np.clip(since, 0.0, 1.0)
        weight = np.where(PERCENT >= LANDING_PERCENT, LANDING_WEIGHT, weight)
        return np.where((self.free_percent <= PERCENT) & (PERCENT <= 100.0), weight, 0.0)

    def _on_cells(self, curve_deg: tuple[float, ...]) -> Curve:
        held = np.minimum(PERCENT, LAST_TARGET_PERCENT)
        return np.radians([sample(curve_deg, float(p)) for p in held])


def _curve(values: tuple[float, ...], percent: Curve) -> Curve:
    return np.asarray(np.interp(percent, np.linspace(0.0, 100.0, len(values)), values), dtype=np.float64)
