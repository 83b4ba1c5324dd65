"""Gait events of a shank from its sagittal rate, inclination and contact transients.

Contact is foretold by the rate's fall towards zero or shown by the transient of landing, whichever comes
first.
"""

from __future__ import annotations

from math import exp

from controller.core.gait.frame import SagittalFrame
from controller.core.gait.machine import LimbEvents, blend
from controller.core.signals import GaitEvent
from drivers.interface import Vec3

LEAD_S = 0.025  # the rate's zero crossing is foretold this far ahead
SLOPE_TAU_S = 0.015
TRANSIENT_FLOOR_MPS2 = 4.0
TRANSIENT_SHARE = 0.35  # of this leg's usual contact transient
TERMINAL_SHARE = 0.75  # a transient is contact when the rate has fallen below this share of its peak
REFRACTORY_S = 0.15  # ringing after contact
SWING_FLOOR_RPS = 0.12
SWING_SHARE = 0.12  # of the usual peak starts a swing
HEEL_OFF_SHARE = 0.5  # of the usual way from contact to the furthest forward lean
USUAL_LEAN_RAD = 0.7  # before a leg has shown its own: 40 deg
TOE_OFF_AGE_NS = 150_000_000  # toe-off is not looked for further back


class ShankEvents(LimbEvents):
    """The event machine of one shank."""

    def __init__(self) -> None:
        super().__init__()
        self._rate_lp = 0.0
        self._usual_lean = 0.0
        self._contact_tilt = 0.0
        self._flat_done = True
        self._heel_off_done = True

    def _begin(self, t_ns: int, acc: Vec3, frame: SagittalFrame) -> None:
        self._rate_lp = frame.rate_rps

    def _step(self, t_ns: int, acc: Vec3, frame: SagittalFrame) -> list[GaitEvent]:
        rate, tilt = frame.rate_rps, frame.inclination_rad
        slope = (rate - self._rate_lp) / SLOPE_TAU_S
        self._rate_lp += (1.0 - exp(-self._dt / SLOPE_TAU_S)) * (rate - self._rate_lp)
        if self._since < REFRACTORY_S:
            self._tilt_min = tilt
            return []
        if self._swing:
            return self._swinging(t_ns, rate, tilt, slope)
        return self._stance(t_ns, rate, tilt)

    def _stance(self, t_ns: int, rate: float, tilt: float) -> list[GaitEvent]:
        events: list[GaitEvent] = []
        self._tilt_min = min(self._tilt_min, tilt)
        if rate < self._trough:
            self._trough, self._trough_ns = rate, t_ns
        if not self._flat_done:
            self._flat_done = True
            events.append(self._event("foot_flat", t_ns, t_ns))
            self._trough = 0.0
        lean = self._usual_lean if self._usual_lean > 0.0 else USUAL_LEAN_RAD
        if not self._heel_off_done and rate < 0.0 and tilt < self._contact_tilt - HEEL_OFF_SHARE * lean:
            self._heel_off_done = True
            events.append(self._event("heel_off", t_ns, t_ns))
        if rate > max(SWING_FLOOR_RPS, SWING_SHARE * self._usual_peak):
            at = self._trough_ns if self._trough < 0.0 else t_ns
            events.append(self._event("toe_off", max(at, t_ns - TOE_OFF_AGE_NS), t_ns))
            self._enter_swing(t_ns, rate)
        return events

    def _swinging(self, t_ns: int, rate: float, tilt: float, slope: float) -> list[GaitEvent]:
        self._swing_on(t_ns, rate, tilt)
        events = self._mid_swing(t_ns, rate, 0.9)
        crossing = rate + LEAD_S * min(slope, 0.0) <= 0.0
        struck = rate < TERMINAL_SHARE * self._peak and self._transient > max(
            TRANSIENT_FLOOR_MPS2, TRANSIENT_SHARE * self._usual_ring
        )
        if self._valid and (crossing or struck):
            lean = self._contact_tilt - self._tilt_min
            if self._contact_ns is not None and lean > 0.0:
                self._usual_lean = blend(self._usual_lean, lean)
            self._contact_tilt = tilt
            self._flat_done = self._heel_off_done = False
            events.append(self._land(t_ns))
        elif rate <= 0.0:
            self._swing = False
            self._trough = 0.0
        return events
