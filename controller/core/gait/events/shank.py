"""Gait events of a shank from its sagittal rate, inclination and contact transients.

Contact is foretold by the rate's fall towards zero, or shown by the shake of landing, whichever comes first.
"""

from __future__ import annotations

from collections import deque

from controller.core.gait.contact_transient import blend
from controller.core.gait.events.limb import LIFT_TILT_RAD, STOOD_S, TIP_EARLY, LimbEvents
from controller.core.gait.sagittal_frame import SagittalFrame
from controller.core.signals import GaitEvent
from drivers.interface import Vec3

LEAD_S = 0.010  # the rate's zero crossing is foretold this far ahead
LAG_SPREAD_S = 0.013  # a leg whose landings follow the crossing less evenly is not trusted to foretell them
WAIT_S = 0.10  # after the crossing; landing must have come by then
TERMINAL_SHARE = 0.75  # a transient is contact when the rate has fallen below this share of its peak
REFRACTORY_S = 0.15  # ringing after contact
SWING_FLOOR_RPS = 0.25  # 14 deg/s: a limb at rest turns as fast
SWING_SHARE = 0.12  # of the usual peak starts a swing
HEEL_OFF_SHARE = 0.5  # of the usual way from contact to the furthest forward lean
USUAL_LEAN_RAD = 0.7  # before a leg has shown its own: 40 deg
TIP_NS = (
    200_000_000  # the shank's rate so long before toe-off is that of its tipping: muscle and ramp need it
)
TIP_RATE_SHARE = 0.6  # of the usual one: a shank that leans on without push-off is about to turn or to halt
TIP_MIN_S = 0.25  # before any is known
TOE_OFF_SHARE = 0.6  # of the same way: below it, a reversal of the rate is not yet toe-off
BOUNCE_SHARE = (
    0.25  # of the same way: a knee that gives after contact turns the shank forward without any lean
)
BOUNCE_S = 0.45  # nor is a shank off the ground again so soon
TOE_OFF_LEAD_S = 0.03  # the reversal is foretold this far ahead
TOE_OFF_NS = 100_000_000  # the limb turns forward within it, or it was no toe-off
LANDING_NS = 40_000_000  # from contact to the blow at the shank: stance by light barriers is so much longer


class ShankEvents(LimbEvents):
    """The event machine of one shank."""

    def __init__(self) -> None:
        super().__init__()
        self._crossing_ns: int | None = None
        self._rising_ns: int | None = None
        self._toe_off_ns = 0
        self._usual_lean = 0.0
        self._rates: deque[tuple[int, float]] = deque()
        self._tip_rps = self._usual_tip_rps = 0.0
        self._stance_tilt = 0.0  # the furthest back in this stance
        self._flat_done = True

    def _step(self, t_ns: int, acc: Vec3, frame: SagittalFrame) -> list[GaitEvent]:
        rate, tilt = frame.rate_rps, frame.inclination_rad
        slope = self._slope
        if not self.in_swing:
            if rate <= 0.0:
                self._landing.crossed(t_ns)
            if self._landing.follows:
                self._landing.add(t_ns, self.shake_mps2, rate / max(self._peak, 0.1))
        if self.since_contact_s < REFRACTORY_S:
            self._tilt_min = tilt
            return []
        if self.in_swing:
            return self._swinging(t_ns, rate, tilt, slope)
        return self._stance(t_ns, rate, tilt, slope)

    def _stance(self, t_ns: int, rate: float, tilt: float, slope: float) -> list[GaitEvent]:
        events: list[GaitEvent] = []
        self._tilt_min = min(self._tilt_min, tilt)
        self._trough = min(self._trough, rate)
        if rate <= 0.0:
            self._rising_ns = None
        elif self._rising_ns is None:
            self._rising_ns = t_ns
        if not self._flat_done:
            self._flat_done = True
            events.append(self._event("foot_flat", t_ns, t_ns))
            self._trough = 0.0
        self._stance_tilt = max(self._stance_tilt, tilt)  # on a stair the knee straightens before it leans
        rates, leant = self._rates, self._stance_tilt - tilt
        rates.append((t_ns, rate))
        while rates[0][0] < t_ns - TIP_NS:
            rates.popleft()
        lean = self._usual_lean if self._usual_lean > 0.0 else USUAL_LEAN_RAD
        if (not self.tipped or self.faltered) and rate < 0.0 and self._rolls_over(rate, leant, lean):
            if not self.tipped:
                self._tipped()
            events.append(self._event("heel_off", t_ns, t_ns))
        swings_at = max(SWING_FLOOR_RPS, SWING_SHARE * self._usual_peak)
        lifting = slope > 0.0 and self._trough < -swings_at and rate + TOE_OFF_LEAD_S * slope >= 0.0
        lifting = lifting and leant > TOE_OFF_SHARE * lean
        upright = leant < BOUNCE_SHARE * lean  # and then it takes a swing to be believed
        if upright:
            swings_at = max(self.peak_floor_rps, self.peak_share * self._usual_peak)
        elif self.faltered or self.since_contact_s > STOOD_S:  # or it sways
            swings_at = max(self.peak_floor_rps, swings_at)
        turns = rate > swings_at
        early = not self.tipped and self.since_contact_s < self._usual_tip_s
        if early and leant < TOE_OFF_SHARE * lean:  # a knee that gives while the shank leans over the foot
            turns = turns and tilt > self._tilt_min + LIFT_TILT_RAD
        bounces = upright and self.since_contact_s < BOUNCE_S
        if lifting or (turns and not bounces):
            ahead_s = min(TOE_OFF_LEAD_S, -rate / slope) if lifting and rate < 0.0 else 0.0
            at_ns = t_ns + round(ahead_s * 1e9) if rate < 0.0 or self._rising_ns is None else self._rising_ns
            events.append(self._event("toe_off", at_ns, t_ns))
            self._tip_rps = max(0.0, -rates[0][1])
            rates.clear()
            self._enter_swing(t_ns, rate)
            self._toe_off_ns = t_ns
            self._crossing_ns = None
        return events

    def _rolls_over(self, rate: float, leant: float, lean: float) -> bool:
        """The shank turns forward over its foot as fast as it usually does, and has come as far."""
        far = rate < -TIP_RATE_SHARE * self._usual_tip_rps and leant > HEEL_OFF_SHARE * lean
        return far and self.since_contact_s > max(TIP_MIN_S, TIP_EARLY * self._usual_tip_s)

    def _swinging(self, t_ns: int, rate: float, tilt: float, slope: float) -> list[GaitEvent]:
        was_valid = self._valid
        self._swing_on(t_ns, rate, tilt)
        if not self._valid:
            if rate <= 0.0 and t_ns - self._toe_off_ns > TOE_OFF_NS:
                self.in_swing = False
                self._trough = 0.0
            return []
        events = self._mid_swing(t_ns, rate, 0.9)
        landing, rate_share = self._landing, rate / self._peak
        if not was_valid:
            landing.begin()
        landing.add(t_ns, self.shake_mps2, rate_share)
        if rate_share < TERMINAL_SHARE and landing.begun(self.shake_mps2, rate_share):
            return [*events, self._contact(t_ns - LANDING_NS, t_ns, tilt)]
        if rate + LEAD_S * min(slope, 0.0) <= 0.0:
            ahead_s = min(LEAD_S, max(0.0, rate / -slope)) if slope < 0.0 else 0.0
            if self._crossing_ns is None:
                hidden_ns = self._gap_length_ns // 2 if self._gap_ns == t_ns else 0
                self._crossing_ns = t_ns + round(ahead_s * 1e9) - hidden_ns
                landing.crossed(self._crossing_ns)
            wait_s = WAIT_S if landing.lag_spread_s > LAG_SPREAD_S and landing.clear else 0.0
            if (t_ns - self._crossing_ns) * 1e-9 >= wait_s - LEAD_S:
                at_ns = self._crossing_ns + round(max(0.0, landing.lag_s) * 1e9)
                return [*events, self._contact(at_ns - LANDING_NS, t_ns, tilt)]
        return events

    def _contact(self, at_ns: int, t_ns: int, tilt: float) -> GaitEvent:
        lean = self._stance_tilt - self._tilt_min
        if self._contact_ns is not None and lean > 0.0:
            self._usual_lean = blend(self._usual_lean, lean)
        self._stance_tilt = tilt
        self._usual_tip_rps = blend(self._usual_tip_rps, self._tip_rps)
        self._rates.clear()
        self._flat_done = False
        return self._land(at_ns, t_ns)
