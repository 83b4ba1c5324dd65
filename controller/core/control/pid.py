"""PID with derivative on measurement, back-calculation and bumpless start, in torque units.

Refuses nothing: its caller gives finite numbers. The integral moves only when told to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core.params import Gains


@dataclass(slots=True)
class Pid:
    """One loop. After Astrom and Hagglund: parallel of proportional, integral and filtered derivative.

    ``integral_nm`` survives from swing to swing, so that a slow offset is learned over the strides.
    """

    gains: Gains
    integral_nm: float = 0.0
    derivative_nm: float = 0.0
    proportional_nm: float = 0.0
    _measured_rad: float | None = field(default=None)

    def reset_measurement(self) -> None:
        """A new swing: the derivative must not see the jump since the last one."""
        self._measured_rad = None
        self.derivative_nm = 0.0

    def update(self, error_rad: float, measured_rad: float, dt_s: float) -> float:
        """Torque in Nm for this error; the integral is left to :meth:`settle`."""
        gains = self.gains
        self.proportional_nm = gains.kp_nm_per_rad * error_rad
        if self._measured_rad is not None and dt_s > 0:
            spread_s = gains.td_s + gains.derivative_filter * dt_s
            keep = gains.td_s / spread_s if spread_s > 0 else 0.0
            slope = (
                gains.kp_nm_per_rad * gains.td_s * gains.derivative_filter / spread_s if spread_s > 0 else 0.0
            )
            self.derivative_nm = keep * self.derivative_nm - slope * (measured_rad - self._measured_rad)
        self._measured_rad = measured_rad
        return self._bounded(self.proportional_nm + self.integral_nm + self.derivative_nm)

    def settle(self, error_rad: float, wanted_nm: float, applied_nm: float, dt_s: float) -> None:
        """Move the integral: by the error, and back by what the limits, the guard and the steps took away."""
        gains = self.gains
        tracking_s = (gains.ti_s * gains.td_s) ** 0.5 if gains.td_s > 0 else gains.ti_s
        rate_nm_per_s = gains.kp_nm_per_rad * error_rad / gains.ti_s + (applied_nm - wanted_nm) / tracking_s
        self.integral_nm = self._bounded(self.integral_nm + rate_nm_per_s * dt_s)

    def _bounded(self, torque_nm: float) -> float:
        bound = self.gains.torque_max_nm
        return min(bound, max(-bound, torque_nm))
