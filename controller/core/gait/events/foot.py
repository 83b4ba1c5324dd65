"""Gait events of a foot from its sagittal rate, inclination, rest and contact transients.

Contact is what physics shows first: the transient of landing, the toe-down slap, or rest.
"""

from __future__ import annotations

from math import inf

from controller.core.gait.events.limb import LIFT_TILT_RAD, STOOD_S, TIP_EARLY, LimbEvents
from controller.core.gait.sagittal_frame import GRAVITY_MPS2, SagittalFrame
from controller.core.signals import GaitEvent
from drivers.interface import Vec3

TERMINAL_SHARE = 0.6  # a transient is contact when the rate has fallen below this share of its peak
SLAP_SHARE = 0.25  # of the usual swing peak, toe-down: the foot falls flat after heel contact
SOFT_SHARE = 0.5  # of the shake that means contact by itself, while the foot falls flat
SOFT_MPS2 = 13.0  # nor less than the softest landing on record
SLAP_S = 0.08  # a dropped foot also turns toe-down before it lands, more briefly
REFRACTORY_S = 0.08
STANCE_MIN_S = 0.3  # without rest; a forefoot landing turns the toes up again within it
SWING_MIN_NS = 160_000_000  # on stairs feet swing for 190 ms and more; a spastic foot jerks sooner
REST_RATE_RPS = 0.6
REST_ACC_MPS2 = 2.0
REST_LEAST, REST_MOST = (GRAVITY_MPS2 - REST_ACC_MPS2) ** 2, (GRAVITY_MPS2 + REST_ACC_MPS2) ** 2
REST_S = 0.04
REST_IN_SWING_S = 0.1  # a slow swing passes through stillness for less
HIDDEN_NS = 130_000_000  # contact found so soon after a gap happened in it
HEEL_FIRST_RAD = 0.1  # 6 deg toe-up
HEEL_NS = 50_000_000  # the heel's cushion yields no longer than this before the sensor is shaken
HEEL_OFF_RATE_RPS = 0.6
HEEL_OFF_TILT_RAD = 0.05  # 3 deg
TOES_UP_RAD = 0.1  # 6 deg over its lowest rest in this stance: a foot on its heel falls flat first
ROLLED_TILT_RAD = (
    0.15  # 9 deg, of a foot that rolls on through stance and never rests: from where it was slowest
)
LOADED_S = 0.15  # after contact the foot is flat, or nearly
PUSH_SHARE = 0.2  # of the usual swing peak, toe-down: a push-off
SWING_SHARE = 0.25
PUSH_END_SHARE = 0.5  # of the push-off's peak: swing begins, toe-off itself when the turning reverses
TOE_OFF_NS = 5_000_000  # the toes leave the ground just before the foot's turning reverses
SOLE_NS = 18_000_000  # from touch to shake through a shoe: between motion capture (8) and light barriers (25)


class FootEvents(LimbEvents):
    """The event machine of one foot."""

    peak_floor_rps = 0.6
    peak_share = 0.3
    excursion_share = 0.25  # the first step from standing lacks the push-off
    top_weight = 0.5  # midway: a foot's landing is hard and needs no foretelling
    margin = 10.0
    rise_ns = 80_000_000  # the heel lands first, and the slap of the forefoot shakes more
    slowing = 1.35  # of a shank alone too little is seen: it would start falsely in turns

    def __init__(self) -> None:
        super().__init__()
        self._flat = False
        self._flat_tilt = 0.0
        self._lowest_tilt = inf
        self._blow_ns = 0
        self._slowest_rps = inf  # of a stance without rest
        self._heel_off = False
        self._rest_ns: int | None = None
        self._turned_ns: int | None = None
        self._slap_ns: int | None = None
        self._toe_off_due = False
        self._lifted_ns = 0

    def _step(self, t_ns: int, acc: Vec3, frame: SagittalFrame) -> list[GaitEvent]:
        rate, tilt = frame.rate_rps, frame.inclination_rad
        if abs(rate) >= REST_RATE_RPS or not REST_LEAST < self.felt < REST_MOST:
            self._rest_ns = None
        elif self._rest_ns is None:
            self._rest_ns = t_ns
        rest_s = (t_ns - self._rest_ns) * 1e-9 if self._rest_ns is not None else 0.0
        resting = rest_s >= (REST_IN_SWING_S if self.in_swing else REST_S)
        if self._landing.follows:
            self._landing.add(t_ns, self.shake_mps2, rate / max(self._peak, 0.1))
        if self.in_swing:
            return self._swinging(t_ns, rate, tilt, resting)
        if self.since_contact_s < REFRACTORY_S:
            return []
        return self._stance(t_ns, rate, tilt, resting, rest_s)

    def _stance(self, t_ns: int, rate: float, tilt: float, resting: bool, rest_s: float) -> list[GaitEvent]:
        events: list[GaitEvent] = []
        if resting and self._rest_ns is not None:
            if not self._flat and not self._heel_off and self._contact_ns is not None:
                events.append(self._event("foot_flat", max(self._rest_ns, self._contact_ns), t_ns))
            if rest_s > STOOD_S:
                self._lowest_tilt = tilt
            self._lowest_tilt = min(self._lowest_tilt, tilt)
            toes_up = tilt > self._lowest_tilt + TOES_UP_RAD
            self._flat = True
            self._heel_off = False
            self._flat_tilt = self._lowest_tilt if toes_up else tilt
            self._tilt_min = tilt
            self._trough = 0.0
        elif self._blind(t_ns):
            self._slowest_rps = inf
        elif not self._flat and abs(rate) < self._slowest_rps and self.since_contact_s > LOADED_S:
            self._slowest_rps = abs(rate)
            self._flat_tilt = self._tilt_min = tilt
        self._tilt_min = min(self._tilt_min, tilt)
        tilted_rad = HEEL_OFF_TILT_RAD if self._flat else ROLLED_TILT_RAD
        stands = self._flat or (self.since_contact_s > STANCE_MIN_S and self._slowest_rps < inf)
        tipped = rate < -HEEL_OFF_RATE_RPS and tilt < self._flat_tilt - tilted_rad
        falls = self.since_contact_s < TIP_EARLY * self._usual_tip_s  # on its forefoot, after a soft heel
        if self.shake_mps2 > SOFT_MPS2:
            self._blow_ns = t_ns
        falls = falls or (t_ns - self._blow_ns) * 1e-9 < LOADED_S
        if stands and not self._heel_off and tipped and not falls:
            self._heel_off = True
            self._tipped()
            events.append(self._event("heel_off", t_ns, t_ns))
        if self._heel_off:
            self._trough = min(self._trough, rate)
        pushed = self._heel_off and self._trough < -max(self.peak_floor_rps, PUSH_SHARE * self._usual_peak)
        lifted = rate > max(self.peak_floor_rps, SWING_SHARE * self._usual_peak)
        lifted = lifted and (self._flat or self.since_contact_s > STANCE_MIN_S)
        if self.since_contact_s > STOOD_S and not self._heel_off:
            lifted = lifted and tilt > self._tilt_min + LIFT_TILT_RAD
        if (pushed and rate > PUSH_END_SHARE * self._trough and self._slope > 0.0) or lifted:
            self._enter_swing(t_ns, rate)
            self._toe_off_due = True
        return events

    def _swinging(self, t_ns: int, rate: float, tilt: float, resting: bool) -> list[GaitEvent]:
        was_terminal = self._mid_done
        self._swing_on(t_ns, rate, tilt)
        events: list[GaitEvent] = []
        if self._toe_off_due and (rate >= 0.0 or self._valid):
            self._toe_off_due = False
            self._lifted_ns = t_ns
            events.append(self._event("toe_off", t_ns - TOE_OFF_NS, t_ns))
        events += self._mid_swing(t_ns, rate, 0.8)
        if self._mid_done and not was_terminal:
            self._landing.begin()
        struck = rate < TERMINAL_SHARE * self._peak and self._landing.begun(
            self.shake_mps2, rate / max(self._peak, 0.1)
        )
        if rate > 0.0:
            self._turned_ns = None
        elif self._turned_ns is None:
            self._turned_ns = t_ns
        if rate > -SLAP_SHARE * max(self._peak, self._usual_peak):
            self._slap_ns = None
        else:
            soft_mps2 = max(SOFT_MPS2, SOFT_SHARE * self._landing.threshold_mps2)
            struck = struck or self.shake_mps2 > soft_mps2
            self._slap_ns = self._slap_ns or t_ns
        slap = self._slap_ns is not None and (t_ns - self._slap_ns) * 1e-9 >= SLAP_S
        early = self.gains_speed or t_ns - self._lifted_ns < SWING_MIN_NS
        if early and not self._blind(t_ns):
            struck = slap = False
        if self._valid and (struck or slap or resting):
            events.append(self._land(self._touched_ns(t_ns, tilt, struck or slap), t_ns))
            self._slap_ns = self._turned_ns = None
            self._rest_ns = None
            self._flat = self._heel_off = False
            self._slowest_rps = self._lowest_tilt = inf
        elif resting:
            self.in_swing = self._flat = self._heel_off = False
            self._trough = 0.0
            self._rest_ns = None
        return events

    def _touched_ns(self, t_ns: int, tilt: float, felt: bool) -> int:
        """When the foot touched: in the gap that hid it, when rest began, or with the heel before the
        shake.
        """
        if self._gap_ns is not None and t_ns - self._gap_ns < HIDDEN_NS:
            return self._gap_ns - self._gap_length_ns // 2
        if not felt and self._rest_ns is not None:
            return self._rest_ns
        turned_ns = self._turned_ns if self._turned_ns is not None else t_ns
        heel_first = t_ns - turned_ns <= HEEL_NS and tilt > self._flat_tilt + HEEL_FIRST_RAD
        return (turned_ns if heel_first else t_ns) - SOLE_NS
