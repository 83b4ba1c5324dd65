"""The PID loop on foot pitch: its turn once for every reading, at the reading's own time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.core.control.cells import LAST_TARGET_PERCENT
from controller.core.control.pid import Pid
from controller.core.control.reference_band import beyond, half_width_rad
from controller.core.gait.estimator import GaitEstimate, Reading
from controller.core.params import Gains, Learning, Reference, sample


@dataclass(slots=True)
class FeedbackLoop:
    """``error_rad`` is how far the foot is below its reference, beyond the band; torques in Nm of the
    identified muscle.
    """

    pid: Pid
    tick_s: float
    error_rad: float = 0.0
    correction_nm: float = 0.0
    read_ns: int | None = None  # the reading that has been taken in
    damps_ankle: bool = False  # what the derivative was of: the ankle, else the foot's error

    def reconfigure(self, gains: Gains) -> None:
        """The integral stays, within its new bound."""
        pid, bound_nm = self.pid, gains.torque_max_nm
        pid.gains = gains
        pid.integral_nm = min(bound_nm, max(-bound_nm, pid.integral_nm))

    def begin_swing(self) -> None:
        self.pid.reset_measurement()
        self.correction_nm = self.pid.integral_nm

    def take(self, gait: GaitEstimate, reference: Reference) -> float:
        """The correction by the newest reading."""
        reading = gait.reading
        if reading is None or reading.t_ns == self.read_ns:
            return self.correction_nm
        passed_s = (reading.t_ns - self.read_ns) / 1e9 if self.read_ns is not None else self.tick_s
        self.read_ns = reading.t_ns
        percent = gait.phase.command_percent_at(reading.t_ns)
        if percent is None:
            return self.correction_nm
        held = min(percent, LAST_TARGET_PERCENT)
        error_rad = math.radians(sample(reference.foot_pitch_deg, held)) - reading.foot_rad
        self.error_rad = beyond(error_rad, half_width_rad(reference, held))
        # what is damped is the ankle; without a shank the foot against its target, whose own motion is no
        # error
        by_ankle = reading.shank_rad is not None
        if by_ankle != self.damps_ankle:
            self.damps_ankle = by_ankle
            self.pid.reset_measurement()  # the derivative must not see the jump from the one to the other
        damped_rad = -error_rad if reading.shank_rad is None else reading.foot_rad - reading.shank_rad
        self.correction_nm = self.pid.update(self.error_rad, damped_rad, passed_s)
        return self.correction_nm

    def beside(
        self, reading: Reading, percent: float, percent_per_s: float, reference: Reference, learning: Learning
    ) -> float:
        """Proportional and rate feedback beside a learned command, for a reading at a phase."""
        here, there = (
            sample(reference.foot_pitch_deg, min(p, LAST_TARGET_PERCENT)) for p in (percent, percent + 0.5)
        )
        rate_rps = math.radians(there - here) * 2.0 * percent_per_s
        half_rad = half_width_rad(reference, min(percent, LAST_TARGET_PERCENT))
        self.error_rad = beyond(math.radians(here) - reading.foot_rad, half_rad)
        self.pid.proportional_nm = learning.kp_nm_per_rad * self.error_rad
        self.pid.derivative_nm = learning.kp_nm_per_rad * learning.td_s * (rate_rps - reading.foot_rate_rps)
        return self.pid.proportional_nm + self.pid.derivative_nm
