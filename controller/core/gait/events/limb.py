"""What the event machines of foot and shank share: the leg's usual step, contact transients, stopping, no
lock-up.

Every threshold is a share of what this leg did in its last swings, with a floor below which nobody walks; the
memory fades while no step comes, so no state can lock up.
"""

from __future__ import annotations

from math import exp

from controller.core.gait.contact_transient import Landing, Shake, blend
from controller.core.gait.sagittal_frame import GRAVITY_MPS2, SagittalFrame
from controller.core.signals import EventKind, GaitEvent
from drivers.interface import Vec3

TYPICAL_SHARE = 0.7
SLOPE_TAU_S = 0.015
FADE_START_S = 2.5  # longer than the slowest stride of stroke walking
FADE_TAU_S = 2.0
GAP_S = 0.1
BLIND_NS = 500_000_000  # a swing with a gap in it shows its peak or its excursion, not always both
STOP_RATE_SHARE = 0.15  # of the usual swing peak: a limb that hangs still
STOP_RATE_FLOOR_RPS = 0.25
STOP_SWING_S = 0.2  # still for so long in mid-swing is a stop
REST_MPS2 = 1.0  # of the acceleration's size from gravity: a limb that hangs still in a swing still brakes
STOP_STANCE_S = 2.5  # the clock stops sooner where it knows the stride
TIP_LATE = 0.2  # later than the usual time from contact to heel-off by this share of it: the limb stands
TIP_SPREADS = 3.0  # nor within so many of this leg's usual deviations
TIPS_MIN = 3  # strides before it is judged
SPREAD_FIRST = 0.1  # of the usual time, until strides have shown this leg's own
SPREAD_ODD = 0.15
SPREAD_LEARN = 0.2
TIP_FIRST_S = 1.2  # the first stance on record may have been a halt
TIP_LEARN = 1.6  # of the usual time, at most, is learned from a stance
REST_LEAST, REST_MOST = (GRAVITY_MPS2 - REST_MPS2) ** 2, (GRAVITY_MPS2 + REST_MPS2) ** 2
TIP_EARLY = 0.4  # of the usual time from contact to heel-off: the limb lands, whatever it does
STOOD_S = 1.5  # since contact: a limb that stands is not off the ground by one quick or slow turn
LIFT_TILT_RAD = 0.03  # 2 deg: a jolt turns a limb as fast as a swing begins, but not as far
UNKNOWN = 0.5  # confidence where no recent swing tells


class LimbEvents:
    """State common to both machines; ``update`` once per sample, after the frame took it."""

    peak_floor_rps = 0.5  # 29 deg/s; the most affected shanks swing at 71 deg/s and more
    excursion_floor_rad = 0.14  # 8 deg
    peak_share = 0.4  # of the usual swing makes a swing; steps before and after a halt are shorter
    excursion_share = 0.4
    top_weight = 0.3
    margin = 2.5
    rise_ns = 60_000_000
    slowing = 1.0  # of the usual time to tipping over: by then a person may have slowed down, not stopped

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._rate_lp = 0.0
        self._slope = 0.0
        self._shaker = Shake()
        self.shake_mps2 = 0.0
        self.felt = 0.0  # squared acceleration (m^2/s^4)
        self._landing = Landing(self.top_weight, self.margin, self.rise_ns)
        self._usual_peak = 0.0
        self._usual_excursion = 0.0
        self.in_swing = False
        self._valid = False
        self._mid_done = False
        self._peak = 0.0
        self._peak_ns = 0
        self._sure = UNKNOWN
        self._excursion = 0.0
        self._tilt_min = 0.0
        self._trough = 0.0
        self._contact_ns: int | None = None
        self.since_contact_s = 1e9
        self._gap_ns: int | None = None
        self._gap_length_ns = 0
        self._still_ns: int | None = None
        self.gains_speed = False  # forward, in swing, up to the sample before
        self.tipped = True
        self._tip_s = self._usual_tip_s = self._tip_spread_s = 0.0
        self._tips = 0
        self.stopped = self.late = False
        self.still_s = 0.0  # how long the limb has been at rest
        self.faltered = False  # a toe-off that no swing followed, until the next event
        self._was_late = self._late_before = False

    def update(self, t_ns: int, acc_mps2: Vec3, frame: SagittalFrame) -> list[GaitEvent]:
        """The events this sample made certain, oldest first."""
        if self._last_ns is None:
            self._last_ns = t_ns
            self._shaker.update(0.0, acc_mps2)
            self._rate_lp = frame.rate_rps
            return []
        dt_s = (t_ns - self._last_ns) * 1e-9
        self._last_ns = t_ns
        if dt_s > GAP_S:
            self._gap_ns = t_ns
            self._gap_length_ns = round(dt_s * 1e9)
        self.shake_mps2 = self._shaker.update(dt_s, acc_mps2)
        off = frame.rate_rps - self._rate_lp
        self._slope = off / SLOPE_TAU_S
        self._rate_lp += (1.0 - exp(-dt_s / SLOPE_TAU_S)) * off
        self.since_contact_s = (t_ns - self._contact_ns) * 1e-9 if self._contact_ns is not None else 1e9
        if self.since_contact_s > FADE_START_S:
            self._sure = UNKNOWN
            fade = exp(-dt_s / FADE_TAU_S)
            self._usual_peak *= fade
            self._usual_excursion *= fade
        ax, ay, az = acc_mps2
        self.felt = ax * ax + ay * ay + az * az
        swung = self.in_swing
        events = self._step(t_ns, acc_mps2, frame)
        self.faltered = not events and (self.faltered or (swung and not self.in_swing))
        self._watch_stop(t_ns, frame.rate_rps)
        rests = abs(frame.rate_rps) < STOP_RATE_FLOOR_RPS and REST_LEAST < self.felt < REST_MOST
        self.still_s = self.still_s + dt_s if rests else 0.0
        return events

    @property
    def in_full_swing(self) -> bool:
        """The swing has reached a fair share of this leg's usual and goes on."""
        return self.in_swing and self._valid and not self.stopped

    @property
    def slowed(self) -> bool:
        """No later than a person who slows down within one stride."""
        return self.since_contact_s < self.slowing * self._usual_tip_s

    @property
    def landing_shake_mps2(self) -> float:
        """The usual peak of this leg's landings."""
        return self._landing.peak_shake_mps2

    def _tipped(self) -> None:
        """The limb has begun to tip over its toes."""
        self.tipped = True
        self._tip_s = self.since_contact_s if self.since_contact_s < STOP_STANCE_S else 0.0

    def _waits(self) -> bool:
        """It stands longer than in a stride before tipping, or swings without having done so."""
        late_s = self._usual_tip_s + max(TIP_LATE * self._usual_tip_s, TIP_SPREADS * self._tip_spread_s)
        return not self._valid if self.in_swing else self._tips >= TIPS_MIN and self.since_contact_s > late_s

    def _step(self, t_ns: int, acc: Vec3, frame: SagittalFrame) -> list[GaitEvent]:
        raise NotImplementedError

    def _watch_stop(self, t_ns: int, rate: float) -> None:
        if self.in_swing and abs(rate) < max(STOP_RATE_FLOOR_RPS, STOP_RATE_SHARE * self._usual_peak):
            if self._still_ns is None:
                self._still_ns = t_ns
            stopped = (t_ns - self._still_ns) * 1e-9 > STOP_SWING_S
        else:
            self._still_ns = None
            stopped = self.since_contact_s > STOP_STANCE_S
        waits = not self.tipped and self._waits()
        self.late = waits and not stopped and not self.in_swing
        self._was_late = self._was_late or self.late
        self.stopped = stopped or waits

    def _enter_swing(self, t_ns: int, rate: float) -> None:
        self.in_swing = True
        if self._tip_s == 0.0 and self.since_contact_s < STOP_STANCE_S:
            self._tip_s = self.since_contact_s
        self._valid = self._mid_done = False
        self._peak, self._peak_ns = rate, t_ns

    def _swing_on(self, t_ns: int, rate: float, tilt: float) -> None:
        """Follow peak and excursion; ``_valid`` once both are a fair share of this leg's usual."""
        if rate > self._peak:
            self._peak, self._peak_ns = rate, t_ns
        self._tilt_min = min(self._tilt_min, tilt)
        self._excursion = max(self._excursion if self._valid else 0.0, tilt - self._tilt_min)
        peak = self._peak > max(self.peak_floor_rps, self.peak_share * self._usual_peak)
        far = self._excursion > max(self.excursion_floor_rad, self.excursion_share * self._usual_excursion)
        self._valid = (peak and far) or (self._blind(t_ns) and (peak or far))

    def _blind(self, t_ns: int) -> bool:
        """A gap may have hidden part of the swing."""
        return self._gap_ns is not None and t_ns - self._gap_ns < BLIND_NS

    def _mid_swing(self, t_ns: int, rate: float, share: float) -> list[GaitEvent]:
        if not self._valid or self._mid_done or rate >= share * self._peak:
            return []
        self._mid_done = True
        self._judge_swing()
        return [self._event("mid_swing", self._peak_ns, t_ns)]

    def _land(self, at_ns: int, t_ns: int) -> GaitEvent:
        self._judge_swing()
        event = self._event("initial_contact", at_ns, t_ns)
        self._landing.contact(t_ns, typical=self._excursion > TYPICAL_SHARE * self._usual_excursion)
        self._usual_peak = blend(self._usual_peak, self._peak)
        self._usual_excursion = blend(self._usual_excursion, self._excursion)
        late, self._was_late = self._was_late and self._tip_s > 0.0, False  # a halt was no stride
        if late and self._late_before:
            self._usual_tip_s = 0.0  # twice running: the pace is another
        self._late_before = late
        if self._tip_s > 0.0:
            limit_s = TIP_LEARN * self._usual_tip_s if self._usual_tip_s > 0.0 else TIP_FIRST_S
            tip_s = min(self._tip_s, limit_s)
            self._tips += 1
            if self._usual_tip_s > 0.0:
                off_s = min(abs(tip_s - self._usual_tip_s), SPREAD_ODD * self._usual_tip_s)
                self._tip_spread_s += SPREAD_LEARN * (off_s - self._tip_spread_s)
            else:
                self._tip_spread_s = SPREAD_FIRST * tip_s
            self._usual_tip_s = blend(self._usual_tip_s, tip_s)
        self._tip_s = 0.0
        self.tipped = False
        self._contact_ns = t_ns
        self.since_contact_s = 0.0
        self.in_swing = False
        self._trough = 0.0
        return event

    def _judge_swing(self) -> None:
        self._sure = min(1.0, self._peak / self._usual_peak) if self._usual_peak > 0.0 else UNKNOWN

    def _event(self, kind: EventKind, t_ns: int, emitted_ns: int) -> GaitEvent:
        """An event, never dated after its emission.

        Its confidence, of whatever kind, is the peak of the last whole swing as a share of the usual one.
        """
        return GaitEvent(kind, min(t_ns, emitted_ns), emitted_ns, self._sure)
