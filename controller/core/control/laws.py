"""What torque: the trapezoid, feedback and the learned command, and which of them may be relied on now.

The trapezoid is a current, set by a person; feedback is feed-forward ahead of the muscle's delay and PID
while the foot swings; the learned command has a proportional and rate feedback beside it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from controller.core.control.fallback import DOUBTS, Ladder, Rung, Senses
from controller.core.control.feedback import FeedbackLoop
from controller.core.control.lesson import Moment
from controller.core.control.muscle_response import MuscleWatch
from controller.core.control.pid import Pid
from controller.core.control.recruitment import REST_FRACTION, Recruitment
from controller.core.control.stride_learning import StrideLearning
from controller.core.control.two_channels import Shares, Steering, share_out
from controller.core.gait.estimator import GaitEstimate
from controller.core.params import CoreParams
from controller.core.signals import CLOSED_LOOP, LEARNS, Mode
from drivers.interface import ChannelCommand

BACK_EARLY_S = 0.02  # before it is needed a current that rested is back
SAME = 1e-9  # of activation: nothing was moved between the channels
Law = Literal["trapezoid", "feedback", "learning"]


class WindowNow(NamedTuple):
    """Of the stimulation window at this tick, what a law goes by."""

    state: str
    opened_ns: int
    share: float  # of the intensity, left by the ramp down


class LawOutput(NamedTuple):
    """What a law asks for at one tick, and what of it is which; torques in Nm of the identified muscle."""

    wanted_ma: float = 0.0  # on the first channel, at its full width
    second: float = 0.0  # activation of the second channel
    how: str = ""
    activation: float = 0.0
    demand_nm: float = 0.0
    feedforward_nm: float = 0.0
    closed: bool = False  # feedback has part in it
    blends: bool = False  # a change of law is fresh: the current moves no faster than it may rise


class Laws:
    """All control of one limb; ``law`` and the rung of ``ladder`` are those last used."""

    def __init__(self, params: CoreParams, percent_per_s: float) -> None:
        self.params = params
        self.strides = StrideLearning(params, percent_per_s)
        self.feedback = FeedbackLoop(Pid(params.gains), params.tick_s)
        self.ladder = Ladder()
        self.law: Law = "trapezoid"
        self.steering = None if params.second is None else Steering(params.second)
        self.shares: Shares | None = None  # of the last tick that had two channels to share between
        self._response = MuscleWatch(params.muscle, 0.5 / params.pulse.rate_hz)
        self.first = Recruitment.first(params)
        self._second = Recruitment.second(params)

    @property
    def expected_nm(self) -> float:
        """What the identified muscle should be doing now."""
        return self._response.torque_nm

    def reconfigure(self, params: CoreParams) -> None:
        self.params = params
        self.strides.reconfigure(params)
        self.feedback.reconfigure(params.gains)
        self._response.hold_s = 0.5 / params.pulse.rate_hz
        self.first, self._second = Recruitment.first(params), Recruitment.second(params)
        if self.steering is not None and params.second is not None:
            self.steering.model = params.second

    def begin_anew(self, percent_per_s: float) -> None:
        """Forget what was learned of the person."""
        self.strides.begin_anew(percent_per_s)
        self.feedback.pid = Pid(self.params.gains)
        self.steering = None if self.params.second is None else Steering(self.params.second)

    def leads(self, mode: Mode, gait: GaitEstimate) -> bool:
        """Whether pulses are to be at the motor threshold when the heel comes off."""
        if self.law not in CLOSED_LOOP or mode == "off":
            return False
        if mode != "as-needed" or self.law != "learning" or self.strides.needed.whole:
            return True
        phase = gait.phase
        heel_off = phase.toe_off_percent * (1.0 - phase.pre_swing_s / phase.stance_s)
        return self._is_asked(heel_off, phase.percent_per_s)

    def _is_asked(self, percent: float, percent_per_s: float) -> bool:
        """Whether more than nothing is asked for from a phase on until the current could be back."""
        pulse, least_nm = self.params.pulse, REST_FRACTION * self.params.muscle.torque_max_nm
        rise_s = self.first.threshold_ma / pulse.rise_ma_per_tick * self.params.tick_s + BACK_EARLY_S
        return self.strides.learner.most_between(percent, percent + rise_s * percent_per_s) >= least_nm

    # --- one tick

    def output(self, mode: Mode, gait: GaitEstimate, window: WindowNow, doubt: str) -> LawOutput:
        """By the law that was chosen; a primed window asks for no torque yet."""
        blends = self.ladder.blending(gait.now_ns)
        if window.state == "primed":
            return LawOutput(blends=blends)
        if self.law == "feedback":
            out = self._by_feedback(gait, window)
        elif self.law == "learning":
            out = self._learned(gait, window)
            if mode == "as-needed":
                out = self._as_needed(gait, out)
        else:
            out = self._trapezoid(mode, gait.now_ns, window, doubt)
        out = self._shared(gait, out)
        return out._replace(blends=True) if blends else out

    def choose(self, mode: Mode, gait: GaitEstimate, window: WindowNow, doubt: str) -> None:
        """Down at once, up when a window opens; a law ends the swing that it has begun."""
        begins = window.opened_ns != self.ladder.opened_ns
        phase = self.ladder.doubts < DOUBTS and not (doubt and begins)
        senses = Senses(events=True, phase=phase, foot=gait.foot_seen, shank=gait.shank_seen)
        self.law = _law(mode, self.ladder.stand(gait.now_ns, window.opened_ns, senses))

    def _trapezoid(self, mode: Mode, now_ns: int, window: WindowNow, doubt: str) -> LawOutput:
        """The set trapezoid, or as a fallback one of the mean current of the last good strides."""
        params, recruitment = self.params, self.first
        height_ma, how = params.envelope.current_ma, "trapezoid"
        if doubt:
            how = f"trapezoid, open loop: {doubt}"
        if mode != "trapezoid":
            how = "trapezoid: foot pitch not known yet"
            if self.ladder.rung == "trapezoid":
                how = f"trapezoid from the last good strides: {doubt or 'the events are uncertain'}"
            good_nm = self.strides.learner.good_nm
            if good_nm is not None:
                height_ma = recruitment.for_activation(good_nm / params.muscle.torque_max_nm)
        risen = min(1.0, (now_ns - window.opened_ns) / 1e9 / params.envelope.rise_s)
        wanted_ma = height_ma * risen * window.share
        return LawOutput(wanted_ma, how=how, activation=recruitment.activation_of(wanted_ma))

    def _by_feedback(self, gait: GaitEstimate, window: WindowNow) -> LawOutput:
        phase, table = gait.phase, self.strides.torque
        ahead = phase.command_percent_at(gait.now_ns + int(self._lead_s() * 1e9))
        feedforward_nm = table.at(min(ahead, 99.99), phase.stride_s) if ahead is not None else 0.0
        if ahead is not None and ahead < phase.toe_off_percent:
            feedforward_nm = min(feedforward_nm, table.at(phase.toe_off_percent, phase.stride_s))
        closed = window.state == "swing" and gait.reading is not None
        loop = self.feedback
        correction_nm = loop.take(gait, self.strides.reference) if closed else loop.pid.integral_nm
        demand_nm = feedforward_nm + correction_nm
        activation = min(1.0, max(0.0, demand_nm / self.params.muscle.torque_max_nm)) * window.share
        wanted_ma = self.first.for_activation(activation)
        if window.state == "falling":
            wanted_ma *= window.share
        how = f"feed-forward and feedback, {self.ladder.rung}" if closed else "feed-forward"
        return LawOutput(wanted_ma, 0.0, how, activation, demand_nm, feedforward_nm, closed)

    def _learned(self, gait: GaitEstimate, window: WindowNow) -> LawOutput:
        learner = self.strides.learner
        percent = gait.command_percent
        feedforward_nm = learner.at(percent if percent is not None else 0.0)
        seen = self.ladder.rung in ("two sensors", "one sensor")
        closed = window.state == "swing" and seen and gait.reading is not None
        how = f"learned command ({learner.learned} strides)"
        correction_nm = 0.0
        if closed:
            correction_nm = self._beside_nm(gait)
            how += f" and feedback, {self.ladder.rung}"
        elif not seen:
            how += ", open loop: foot pitch not known"
        how += learner.advice
        demand_nm = feedforward_nm + correction_nm
        activation = min(1.0, max(0.0, demand_nm / self.params.muscle.torque_max_nm))
        wanted_ma = self.first.for_activation(activation)
        if window.state == "falling":
            wanted_ma *= window.share
        return LawOutput(wanted_ma, 0.0, how, activation, demand_nm, feedforward_nm, closed)

    def _as_needed(self, gait: GaitEstimate, out: LawOutput) -> LawOutput:
        """No current where none is asked for, and with it how much of the lift is given."""
        percent, needed = gait.command_percent, self.strides.needed
        if needed.whole:
            return out._replace(how=f"{out.how}, whole lift: {needed.why}") if needed.why else out
        shares = f"{needed.mid_swing.share:.0%} of the lift in swing, {needed.landing.share:.0%} at landing"
        out = out._replace(how=f"{out.how}, {shares}")
        least_nm = REST_FRACTION * self.params.muscle.torque_max_nm
        if percent is None or out.demand_nm >= least_nm or self._is_asked(percent, gait.phase.percent_per_s):
            return out
        return out._replace(wanted_ma=0.0, activation=0.0)

    def _beside_nm(self, gait: GaitEstimate) -> float:
        """Feedback beside the learned command, and what a leaning shank asks for."""
        phase, reading, learner = gait.phase, gait.reading, self.strides.learner
        percent = None if reading is None else phase.command_percent_at(reading.t_ns)
        if reading is None or percent is None or percent < phase.toe_off_percent:
            return 0.0
        reference, learning = self.strides.reference, self.params.learning
        correction_nm = self.feedback.beside(reading, percent, phase.percent_per_s, reference, learning)
        if gait.run_rate is not None:
            answered = percent + self._lead_s() * gait.run_rate
            correction_nm += learner.for_lean_nm(answered, gait.lean_rad)
        bound_nm = self.params.gains.torque_max_nm
        return min(bound_nm, max(-bound_nm, correction_nm)) / learner.belief.gain

    def _shared(self, gait: GaitEstimate, out: LawOutput) -> LawOutput:
        """Over both channels, where there are two: the foot lifted as wanted, and turned."""
        steering, second, model = self.steering, self._second, self.params.second
        if steering is None or second is None or model is None:
            return out
        out = out._replace(how=out.how + steering.advice)
        if out.wanted_ma <= 0.0:
            return out
        first, turn_nm = self.first.activation_of(out.wanted_ma), steering.demand_nm
        most = second.activation_of(model.current_max_ma)
        self.shares = shares = share_out(steering.model.response, first, turn_nm, most)
        if gait.phase.swinging:
            steering.given(gait.now_ns + int(self._lead_s() * 1e9), shares)
        if abs(shares.first - first) < SAME:
            return out._replace(second=shares.second)
        return out._replace(wanted_ma=self.first.for_activation(shares.first), second=shares.second)

    # --- what was given

    def settle(self, out: LawOutput, given_ma: float, on_s: float, elapsed_s: float) -> None:
        """Back-calculation with the current finally commanded, in swing only; frozen elsewhere."""
        if not out.closed or self.law != "feedback" or on_s < self._response_s():
            return  # within the response the muscle cannot have answered: what is missing is no lasting error
        wanted_nm = max(0.0, out.demand_nm)
        applied_nm = self.first.activation_of(given_ma) * self.params.muscle.torque_max_nm
        if applied_nm < wanted_nm and out.demand_nm <= out.feedforward_nm:
            applied_nm = wanted_nm  # what the feed-forward alone could not get is no fault of the loop
        self.feedback.pid.settle(self.feedback.error_rad, wanted_nm, applied_nm, elapsed_s)

    def remember(
        self,
        gait: GaitEstimate,
        out: LawOutput,
        on: ChannelCommand | None,
        currents_ma: tuple[float, float],
        elapsed_s: float,
    ) -> None:
        """What the muscle was told, for learning: ``currents_ma`` of both channels, at their full widths."""
        params, second = self.params, self._second
        given = 0.0 if on is None else self.first.activation_of(currents_ma[0])
        if params.second is not None and second is not None:  # what lifted the foot, in the first's terms
            lift, lift_by_second = params.second.response.dorsiflexion_nm
            given = max(0.0, given + lift_by_second / lift * second.activation_of(currents_ma[1]))
        given_nm = given * params.muscle.torque_max_nm
        beside_nm = 0.0
        if self.law == "learning" and out.closed and on is not None:
            beside_nm = given_nm - self._learned_part_nm(given_nm, out, currents_ma[0])
        expected_nm = self._response.note(gait.now_ns, given_nm)
        charge_uc = 0.0 if on is None else on.current_ma * on.width_us * on.rate_hz * elapsed_s / 1e3
        moment = Moment(gait.now_ns, given_nm, expected_nm, beside_nm, gait.command_percent, charge_uc)
        self.strides.learner.memory.remember(moment)

    def _learned_part_nm(self, given_nm: float, out: LawOutput, given_ma: float) -> float:
        """What of a given torque was the learned command: all of it, unless a limit took something away.

        A device's steps take nothing away in the mean.
        """
        asked_ma = self.first.for_activation(out.activation)
        if given_ma > asked_ma - self.params.pulse.current_step_ma:
            return out.feedforward_nm
        taken_nm = min(0.0, out.demand_nm - out.feedforward_nm)
        return min(out.feedforward_nm, given_nm - taken_nm)

    def _lead_s(self) -> float:
        """From a command until the muscle follows: delay, the lag's mean time, half a pulse's period."""
        params = self.params
        delay_s = self.strides.learner.delay_s
        return delay_s + 2.0 / params.muscle.bandwidth_rps + 0.5 / params.pulse.rate_hz

    def _response_s(self) -> float:
        """From the first pulse until most of the torque is there: delay and twice the lag's mean time."""
        return self.params.muscle.delay_s + 4.0 / self.params.muscle.bandwidth_rps


def _law(mode: Mode, rung: Rung) -> Law:
    """What a mode does on a rung; feedback needs the foot's pitch, learning only a phase."""
    if mode == "trapezoid" or rung in ("trapezoid", "off"):
        return "trapezoid"
    if mode in LEARNS:
        return "learning"
    return "trapezoid" if rung == "learned command" else "feedback"
