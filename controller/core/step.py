"""The control core as one function: samples in, command and reason out; same in, same bits out.

No clock, no file, no randomness. What it does not know it says (``None`` and a reason), and then it does
less.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from controller.core.control.fallback import DOUBTS, SURE, Ladder, Rung, Senses
from controller.core.control.feedforward import Curve, TorqueTable, sample, torque_table
from controller.core.control.learning import LAST_TARGET_PERCENT, ORDINARY, TURN_RAD, Learner, Moment, Reading
from controller.core.control.muscle_response import MuscleWatch
from controller.core.control.pace import Pace
from controller.core.control.pid import Pid
from controller.core.control.reference_band import beyond, half_width_rad
from controller.core.control.two_channels import Shares, Steering, share_out
from controller.core.gait.detector import GaitDetector
from controller.core.gait.event_timing import StrideTiming
from controller.core.gait.joint_range import possible_ankle_deg
from controller.core.gait.orientation import FRESH_S, SegmentOrientation
from controller.core.gait.phase_alignment import GRID, Alignment, SwingPhase, Tipping, reversal_percent
from controller.core.gait.turning import Turning
from controller.core.output.lifting_decision import Verdict, judge
from controller.core.output.pulse_shaping import THRESHOLD_FRACTION, Intensity
from controller.core.output.stimulation_window import Window
from controller.core.output.test_train import Probe
from controller.core.output.unlifted import UnliftedSwings
from controller.core.params import CoreParams, FootModel, Placement, Reference
from controller.core.signals import Applied, Decision, GaitEvent, Mode, Scope, TickInputs, View
from drivers.interface import ChannelCommand, Command, ImuSample

PRIME_EARLY_S = 0.04  # heel-off comes that much earlier in some strides
SAME = 1e-9  # of activation: nothing was moved between the channels
Law = Literal["trapezoid", "feedback", "learning"]
RUNG_FRESH_NS = 60_000_000  # a segment not seen for this long steers nothing; samples come every 17 ms
PASSES_SINCE_STEP_S = 1.0  # a longer gap between ticks is a new start for derivative and integral


@dataclass(slots=True)
class CoreState:
    """All that the core remembers between ticks."""

    mode: Mode
    orientations: dict[str, SegmentOrientation]
    detector: GaitDetector
    leading: Placement  # the sensor whose events count: the foot's if there is one
    timing: StrideTiming
    window: Window
    intensity: Intensity
    pid: Pid
    torque: TorqueTable
    alignment: Alignment
    pace: Pace
    learner: Learner
    watch: MuscleWatch
    second: Intensity | None  # of the channel that turns the foot
    steering: Steering | None
    seen_ns: dict[str, int]  # newest sample of each sensor
    reading: Reading | None = None  # the newest of the foot
    read_ns: int | None = None  # the reading that feedback has taken in
    correction_nm: float = 0.0
    damps_ankle: bool = False  # what feedback's derivative was of: the ankle, else the foot's error
    swing: SwingPhase | None = None  # the last one, over the reference
    turning: Turning = field(default_factory=Turning)
    landed: SwingPhase | None = None  # a swing that is being learned from
    lesson_part: int = 0
    carried: bool = False  # the shank swung: the torque that carries the foot on it is to be found anew
    replan: bool = False  # what the model alone commands is to be found anew, at another pace
    unsure: bool = False  # the last contact was
    shares: Shares | None = None  # of the last tick that had two channels to share between
    trusted: bool = True  # no verdict of the guard changed a pulse of this stride
    unlifted: UnliftedSwings = field(default_factory=UnliftedSwings)
    doubted: str = ""  # why this stride's angle or phase was not relied on; it teaches nothing
    newest_ns: int | None = None
    last_tick_ns: int | None = None
    ladder: Ladder = field(default_factory=Ladder)
    law: Law = "trapezoid"
    closed: bool = False  # whether feedback steers at this tick
    on_since_ns: int | None = None  # since when the channel has been on without a break
    wanted_mode: Mode | None = None
    wanted_fresh: bool = False
    scope: Scope = "walk"  # what may be asked for at this tick
    probe: Probe = field(default_factory=Probe)
    activation: float = 0.0
    demand_nm: float = 0.0
    feedforward_nm: float = 0.0
    error_rad: float = 0.0
    events: int = 0

    @staticmethod
    def initial(params: CoreParams) -> CoreState:
        placements = params.placements
        leading = next((p for p in placements if p.segment == "foot"), placements[0])
        torque = _torque(params.foot, params.reference)
        toe_off_percent = reversal_percent(params.reference.foot_pitch_deg)
        timing = StrideTiming(toe_off_percent)
        tipping = Tipping.of(params.reference.foot_pitch_deg)
        return CoreState(
            mode=params.mode,
            orientations={p.sensor: SegmentOrientation(p.segment, p.side) for p in placements},
            detector=GaitDetector(leading.segment, leading.side),
            leading=leading,
            timing=timing,
            window=Window(params.envelope),
            intensity=Intensity(params.muscle, params.pulse),
            pid=Pid(params.gains),
            torque=torque,
            alignment=Alignment(_shank_rad(params.reference), toe_off_percent, tipping),
            pace=Pace(params.reference),
            learner=Learner(params, torque, timing.percent_per_s),
            watch=MuscleWatch(params.muscle, 0.5 / params.pulse.rate_hz),
            second=second_intensity(params),
            steering=None if params.second is None else Steering(params.second),
            seen_ns=dict.fromkeys((p.sensor for p in placements), 0),
        )


def step(now_ns: int, inputs: TickInputs, params: CoreParams, state: CoreState) -> tuple[Decision, CoreState]:
    """Advance by one tick. ``state`` is taken over and returned advanced; keep a copy to go back."""
    if state.carried:
        _carry(params, state)
    elif state.replan:
        state.replan = False
        state.learner.percent_per_s = state.timing.percent_per_s
        state.learner.replan()
    else:
        _learn(state)
    events = _take_in(now_ns, inputs, params, state)
    verdict = _judge(now_ns, params, state)
    state.window.tick(now_ns, against=verdict.against, swinging=state.detector.in_full_swing)
    if verdict.doubt and state.window.state in ("pre_swing", "swing"):
        state.doubted = verdict.doubt
    _prime(now_ns, params, state, sure=not verdict.doubt)
    _switch_mode(params, state)
    _narrow(inputs.scope, state)
    tested = _test_train(now_ns, params, state, walking=not verdict.doubt)
    command, reason = tested or _decide(now_ns, verdict, params, state)
    if state.unlifted.advice and state.mode != "off":
        reason = f"{reason}; {state.unlifted.advice}"
    _remember(now_ns, command, params, state)
    state.last_tick_ns = now_ns
    state.events += len(events)
    view = _view(now_ns, verdict, params, state, tested=tested is not None)
    return Decision(command, reason, tuple(events), view), state


def _judge(now_ns: int, params: CoreParams, state: CoreState) -> Verdict:
    return judge(now_ns, state.detector, params.readiness, level=state.alignment.level)


def _take_in(now_ns: int, inputs: TickInputs, params: CoreParams, state: CoreState) -> list[GaitEvent]:
    """Feed every valid sample at its own time; returns the events of the leading sensor.

    A sample from later than now would stay the newest for good and is none.
    """
    events: list[GaitEvent] = []
    for reading in inputs.imu:
        made = reading.valid and reading.t_ns <= now_ns
        if made and reading.sensor in state.orientations and _finite(reading):
            events += _take_sample(now_ns, reading, params, state)
    for applied in inputs.applied:
        _take_verdict(applied, state)
    if inputs.mode is not None:
        state.wanted_mode, state.wanted_fresh = inputs.mode, inputs.fresh
    if inputs.probe is not None:
        state.probe.ask(now_ns, inputs.probe)
    return events


def _finite(reading: ImuSample) -> bool:
    """One value that is no number would stay in every filter for good."""
    return all(map(math.isfinite, (*reading.acc_mps2, *reading.gyr_rps)))


def _take_sample(now_ns: int, reading: ImuSample, params: CoreParams, state: CoreState) -> list[GaitEvent]:
    orientation = state.orientations[reading.sensor]
    orientation.update(reading.t_ns, reading.acc_mps2, reading.gyr_rps)
    state.seen_ns[reading.sensor] = max(reading.t_ns, state.seen_ns[reading.sensor])
    if orientation.aligned:
        _observe(reading.t_ns, orientation, state)
    if reading.sensor != state.leading.sensor:
        return []
    state.newest_ns = reading.t_ns
    events = state.detector.update(reading.t_ns, reading.acc_mps2, reading.gyr_rps)
    against = _judge(now_ns, params, state).against if events else ""
    for event in events:
        for orientation in state.orientations.values():
            orientation.note(event)
        state.timing.note(event)
        state.window.note(event, now_ns, against=against)
        if event.kind == "toe_off":
            state.pid.reset_measurement()
            state.correction_nm = state.pid.integral_nm
            state.alignment.begin_swing(event.t_ns, state.timing.stride_s, state.timing.percent_per_s)
        elif event.kind == "initial_contact":
            state.unsure = event.confidence < SURE
            _count_swing(state)
            state.turning.contact(state.orientations[state.leading.sensor].heading_rad)
            if state.steering is not None:
                usual = _usual_swing(state.timing)
                state.steering.close(ordinary=usual and not state.unsure and state.trusted)
            _follow_pace(against, state)
            _close_swing(state)
            if state.landed is None:
                state.ladder.doubt(doubtful=state.unsure)
    return events


def _observe(t_ns: int, orientation: SegmentOrientation, state: CoreState) -> None:
    """A segment's angle at its own time, for phase and learning."""
    pitch_rad, rate_rps = orientation.pitch_rad, orientation.pitch_rate_rps
    if pitch_rad is None or rate_rps is None:
        return
    if orientation.segment == "shank":
        state.alignment.observe(t_ns, pitch_rad, rate_rps, swinging=state.timing.swinging)
    else:
        state.reading = Reading(t_ns, pitch_rad, rate_rps, _carrying_rad(t_ns, pitch_rad, state))
        state.learner.observe(state.reading)
        state.alignment.tipping.observe(t_ns, pitch_rad)
        if state.steering is not None and orientation.roll_rad is not None:
            _observe_roll(t_ns, math.degrees(orientation.roll_rad), state.steering, state)


def _observe_roll(t_ns: int, roll_deg: float, steering: Steering, state: CoreState) -> None:
    timing = state.timing
    if timing.swinging:
        steering.in_swing(t_ns, roll_deg)
    elif not timing.swinging and timing.initial_contact_ns is not None:
        steering.in_stance(roll_deg, (t_ns - timing.initial_contact_ns) / 1e9 / timing.stride_s)


def _count_swing(state: CoreState) -> None:
    """Whether the swing that has just ended was lifted, where it was to be."""
    timing = state.timing
    if state.mode == "off" or state.scope != "walk":
        return
    if timing.toe_off_ns is None or timing.initial_contact_ns is None:
        return
    if timing.toe_off_ns < timing.initial_contact_ns:
        state.unlifted.close(timing.toe_off_ns, timing.initial_contact_ns, state.on_since_ns)


def _usual_swing(timing: StrideTiming) -> bool:
    """Whether the swing that has just ended was about as long as the last ones."""
    if timing.toe_off_ns is None or timing.initial_contact_ns is None:
        return False
    swing_s = (timing.initial_contact_ns - timing.toe_off_ns) / 1e9
    return ORDINARY[0] <= swing_s / timing.swing_s <= ORDINARY[1]


def _close_swing(state: CoreState) -> None:
    """The foot has landed: where its events lay, and what the swing teaches."""
    timing = state.timing
    if timing.toe_off_ns is None or timing.initial_contact_ns is None:
        return
    if timing.initial_contact_ns <= timing.toe_off_ns:
        return
    swing = state.alignment.settle(timing.toe_off_ns, timing.initial_contact_ns, timing.last_stride_s)
    if state.alignment.level:
        state.carried = True
    timing.toe_off_percent = state.alignment.toe_off_percent
    timing.contact_percent = state.alignment.contact_percent
    state.swing = swing
    state.landed, state.lesson_part = (swing if state.mode == "learning" else None), 0
    if state.landed is not None and state.doubted:
        state.landed, state.learner.frozen = None, f"lifted open loop: {state.doubted}"
    state.doubted = ""


def _follow_pace(against: str, state: CoreState) -> None:
    """What the stride that has ended says of the pace, and the reference that goes with it; ``against`` is
    what speaks against walking."""
    timing, pace, alignment = state.timing, state.pace, state.alignment
    if timing.toe_off_ns is None or timing.initial_contact_ns is None:
        return
    straight = not against and not state.doubted and abs(state.turning.turned_rad) <= TURN_RAD
    if timing.last_stride_s is None or not straight or timing.initial_contact_ns <= timing.toe_off_ns:
        pace.interrupt()
        return
    before = pace.now
    if pace.note(timing.last_stride_s, alignment.excursion_rad(timing.toe_off_ns, timing.initial_contact_ns)):
        now = pace.now
        later = reversal_percent(now.foot_pitch_deg) - reversal_percent(before.foot_pitch_deg)
        alignment.refer(_shank_rad(now), now.foot_pitch_deg, later)
        state.learner.refer(now, _torque(state.learner.params.foot, now))
    state.replan = pace.refining or state.replan


def _torque(foot: FootModel, reference: Reference, shank_rad: Curve | None = None) -> TorqueTable:
    return torque_table(reference, foot, thigh_m=foot.thigh_m, shank_m=foot.shank_m, shank_rad=shank_rad)


def _shank_rad(reference: Reference) -> Curve:
    return np.array([math.radians(sample(reference.shank_pitch_deg, float(p))) for p in range(101)])


def _carry(params: CoreParams, state: CoreState) -> None:
    """Feed-forward on the shank as the last strides moved it, at a tick in which nothing is learned."""
    state.carried, reference = False, state.pace.now
    place = np.linspace(0.0, 100.0, len(reference.shank_pitch_deg))
    state.torque = _torque(params.foot, reference, np.interp(place, GRID, state.alignment.own_rad))


def _learn(state: CoreState) -> None:
    """What the last swing teaches, one piece a tick, so that no tick becomes long."""
    learner, swing = state.learner, state.landed
    if swing is None:
        return
    state.lesson_part += 1
    if state.lesson_part == 1:
        learner.percent_per_s = state.timing.percent_per_s
        first = state.alignment.level and state.alignment.fits == 1  # it alone showed where the events lie
        timetable = state.timing.command_percent_at if first else None
        turned_rad = state.turning.turned_rad
        learner.close(
            swing, state.timing.swing_s, trusted=state.trusted, turned_rad=turned_rad, timetable=timetable
        )
        state.trusted = True
        state.ladder.doubt(doubtful=state.unsure or learner.odd)
    elif state.lesson_part == 2:
        learner.weigh(swing)
    elif state.lesson_part == 3:
        learner.model()
    elif state.lesson_part == 4:
        learner.move()
    else:
        learner.prove()
        state.landed, state.lesson_part = None, 0


def _take_verdict(applied: Applied, state: CoreState) -> None:
    channel = state.intensity.pulse.channel
    through = applied.channels[channel] if channel < len(applied.channels) else None
    if applied.verdict != "ok":
        if state.second is not None:
            number = state.second.pulse.channel
            other = applied.channels[number] if number < len(applied.channels) else None
            state.second.correct(*_pulse_of(other))
        state.trusted = False
        state.intensity.correct(*_pulse_of(through))


def _pulse_of(through: ChannelCommand | None) -> tuple[float, float]:
    return (through.current_ma, through.width_us) if through else (0.0, 0.0)


def _prime(now_ns: int, params: CoreParams, state: CoreState, *, sure: bool) -> None:
    """Be at the motor threshold when the heel comes off: the way there takes a tenth of a second."""
    due_ns = state.timing.heel_off_due_ns
    ahead = state.law in ("feedback", "learning") and state.mode != "off"
    rise_s = state.intensity.threshold_ma / params.pulse.rise_ma_per_tick * params.tick_s
    state.window.lead_s = rise_s + PRIME_EARLY_S if ahead else 0.0
    if due_ns is None or not sure or not ahead:
        return
    if 0 <= now_ns - due_ns + int(1e9 * (rise_s + PRIME_EARLY_S)) < int(1e9 * rise_s):
        state.window.prime(now_ns)


def _switch_mode(params: CoreParams, state: CoreState) -> None:
    """A requested mode begins between two windows: no pulses, no step in current."""
    if state.wanted_mode is None or state.window.state != "closed":
        return
    state.mode, state.wanted_mode = state.wanted_mode, None
    if state.mode == "learning":
        state.learner.carry()
    if state.wanted_fresh:
        state.wanted_fresh, state.landed, state.trusted = False, None, True
        state.pid = Pid(params.gains)
        here = dataclasses.replace(params, reference=state.pace.now)
        state.learner = Learner(here, _torque(params.foot, here.reference), state.timing.percent_per_s)
        state.steering = None if params.second is None else Steering(params.second)


def _narrow(scope: Scope, state: CoreState) -> None:
    """Take a narrower scope at once, and a wider one between two windows: no step in current."""
    if scope != "walk" or state.window.state == "closed":
        state.scope = scope


def _test_train(
    now_ns: int, params: CoreParams, state: CoreState, *, walking: bool
) -> tuple[Command, str] | None:
    """The test train that a person asked for, in place of the control law's silence; ``None`` without one."""
    steps = walking or state.detector.stepping
    hindered = "the leg is not standing still" if steps or state.window.state != "closed" else ""
    if state.mode == "off":
        hindered = "the mode is off"
    elif state.scope == "nothing":
        hindered = "nothing may be given now"
    wanted_ma = state.probe.wanted_ma(now_ns, hindered=hindered)
    if wanted_ma is None:
        return None
    state.activation = state.demand_nm = state.feedforward_nm = 0.0
    current_ma = state.intensity.move(now_ns, wanted_ma)
    return _command(
        params, (current_ma, params.pulse.width_us)
    ), f"test train of {state.probe.current_ma:g} mA"


def _decide(now_ns: int, verdict: Verdict, params: CoreParams, state: CoreState) -> tuple[Command, str]:
    state.activation = state.demand_nm = state.feedforward_nm = 0.0
    window = state.window
    if state.mode == "off":
        return _off(now_ns, params, state, "mode is off")
    if state.scope != "walk":
        state.trusted = state.trusted and window.state == "closed"  # what a stride lacks it cannot teach
        why = "test trains alone are allowed" if state.scope == "tests" else "nothing may be given now"
        return _off(now_ns, params, state, why)
    if state.newest_ns is None:
        return _off(now_ns, params, state, f"no sample from {state.leading.sensor} yet")
    age_s = (now_ns - state.newest_ns) / 1e9
    if age_s > FRESH_S:
        return _off(now_ns, params, state, f"{state.leading.sensor} sensor silent")
    if window.state == "closed":
        return _off(now_ns, params, state, window.why)
    if (now_ns - window.train_ns) / 1e9 > params.pulse.train_max_s:
        return _off(now_ns, params, state, "longest train reached")
    present_ma = state.intensity.current_ma
    if window.state == "falling" and present_ma == 0.0:
        return _off(now_ns, params, state, window.why)
    rung = state.ladder.stand(now_ns, window.opened_ns, _senses(now_ns, verdict, state))
    state.law = _law(state.mode, rung)
    if window.state == "primed":
        below_ma = state.intensity.threshold_ma - 0.5 * params.pulse.current_step_ma  # after rounding too
        state.intensity.move(now_ns, below_ma)
        state.on_since_ns = state.on_since_ns or now_ns
        return _command(params, _shaped(state.intensity, state), _second(now_ns, 0.0, state)), window.why
    state.closed = False
    if state.law == "feedback":
        wanted_ma, how = _feedback(now_ns, params, state)
    elif state.law == "learning":
        wanted_ma, how = _learning(now_ns, params, state)
    else:
        wanted_ma, how = _trapezoid(now_ns, verdict, params, state)
    wanted_ma, second = _both(now_ns, wanted_ma, params, state)
    if window.state == "falling":
        wanted_ma = _no_more(wanted_ma, state.intensity)
    wanted_ma = state.ladder.smooth(now_ns, wanted_ma, present_ma, params.pulse.rise_ma_per_tick)
    state.intensity.move(now_ns, wanted_ma)
    pulse = _shaped(state.intensity, state)
    state.on_since_ns = state.on_since_ns or now_ns
    _settle(now_ns, params, state)
    how += "" if state.steering is None else state.steering.advice
    return _command(params, pulse, _second(now_ns, second, state)), f"{window.why}; {how}"


def _no_more(wanted_ma: float, intensity: Intensity) -> float:
    """In a ramp down a law's own curve may rise; what is sent may not, even by the device's rounding."""
    return min(wanted_ma, intensity.current_ma - 0.5 * intensity.pulse.current_step_ma)


def _shaped(intensity: Intensity, state: CoreState) -> tuple[float, float]:
    """The pulse to send, mA and us; the trapezoid of a trial is the usual one, of one width."""
    if state.mode == "trapezoid":
        return intensity.current_ma, intensity.pulse.width_us
    return intensity.shaped()


def _both(now_ns: int, wanted_ma: float, params: CoreParams, state: CoreState) -> tuple[float, float]:
    """The first channel's current and the second one's activation: the foot lifted as wanted, and turned."""
    steering, second = state.steering, state.second
    if steering is None or second is None or wanted_ma <= 0.0:
        return wanted_ma, 0.0
    first, turn_nm = state.intensity.activation_of(wanted_ma), steering.demand_nm
    most = second.activation_of(second.pulse.current_max_ma)
    shares = share_out(steering.model.response, first, turn_nm, most)
    state.shares = shares
    if state.timing.swinging:
        steering.given(now_ns + int(_lead_s(params, state) * 1e9), shares)
    if abs(shares.first - first) < SAME:
        return wanted_ma, shares.second
    return state.intensity.for_activation(shares.first), shares.second


def _second(now_ns: int, activation: float, state: CoreState) -> ChannelCommand | None:
    """The second channel's command; off where that is nearer to the wish than its threshold is."""
    if state.second is None:
        return None
    wanted_ma = state.second.for_activation(activation) if activation > THRESHOLD_FRACTION / 2 else 0.0
    if state.window.state == "falling":
        wanted_ma = _no_more(wanted_ma, state.second)
    present_ma = state.second.current_ma
    wanted_ma = state.ladder.smooth(now_ns, wanted_ma, present_ma, state.second.pulse.rise_ma_per_tick)
    state.second.move(now_ns, wanted_ma)
    current_ma, width_us = _shaped(state.second, state)
    return ChannelCommand(current_ma, width_us, state.second.pulse.rate_hz) if current_ma > 0.0 else None


def second_intensity(params: CoreParams) -> Intensity | None:
    """The second channel's current from nothing, within the limits that both channels share."""
    model = params.second
    if model is None:
        return None
    muscle = dataclasses.replace(
        params.muscle, i50_ma=model.i50_ma, sigma=model.sigma, chronaxie_us=model.chronaxie_us
    )
    pulse = dataclasses.replace(
        params.pulse,
        channel=model.channel,
        width_us=model.width_us,
        current_max_ma=model.current_max_ma,
    )
    return Intensity(muscle, pulse)


def _remember(now_ns: int, command: Command, params: CoreParams, state: CoreState) -> None:
    """What the muscle was told, for learning: in torque of the identified muscle."""
    on = command.channels[params.pulse.channel]
    given = 0.0 if on is None else state.intensity.activation_of(state.intensity.current_ma)
    if (
        params.second is not None and state.second is not None
    ):  # what the foot was lifted by, in the first's terms
        lift, lift_by_second = params.second.response.dorsiflexion_nm
        given = max(0.0, given + lift_by_second / lift * state.second.activation_of(state.second.current_ma))
    given_nm = given * params.muscle.torque_max_nm
    beside_nm = 0.0
    if state.law == "learning" and state.closed and on is not None:
        beside_nm = given_nm - _learned_part_nm(given_nm, params, state)
    expected_nm = state.watch.note(now_ns, given_nm)
    elapsed_s = _elapsed_s(now_ns, params, state)
    charge_uc = 0.0 if on is None else on.current_ma * on.width_us * on.rate_hz * elapsed_s / 1e3
    percent = _percent(now_ns, state)
    state.learner.remember(Moment(now_ns, given_nm, expected_nm, beside_nm, percent, charge_uc))


def _learned_part_nm(given_nm: float, params: CoreParams, state: CoreState) -> float:
    """What of a given torque was the learned command: all of it, unless a limit took something away.

    A device's steps take nothing away in the mean.
    """
    asked_ma = state.intensity.for_activation(state.activation)
    if state.intensity.current_ma > asked_ma - params.pulse.current_step_ma:
        return state.feedforward_nm
    taken_nm = min(0.0, state.demand_nm - state.feedforward_nm)
    return min(state.feedforward_nm, given_nm - taken_nm)


def _senses(now_ns: int, verdict: Verdict, state: CoreState) -> Senses:
    """What can be relied on now; the leading sensor's freshness has been seen to already."""

    def fresh(segment: str) -> bool:
        return any(
            o.segment == segment and o.aligned and now_ns - state.seen_ns[name] < RUNG_FRESH_NS
            for name, o in state.orientations.items()
        )

    begins = state.window.opened_ns != state.ladder.opened_ns  # a law ends the swing that it has begun
    doubted = verdict.doubt and begins
    phase = state.ladder.doubts < DOUBTS and not doubted
    return Senses(events=True, phase=phase, foot=fresh("foot"), shank=fresh("shank"))


def _law(mode: Mode, rung: Rung) -> Law:
    """What a mode does on a rung; feedback needs the foot's pitch, learning only a phase."""
    if mode == "trapezoid" or rung in ("trapezoid", "off"):
        return "trapezoid"
    if mode == "learning":
        return "learning"
    return "trapezoid" if rung == "learned command" else "feedback"


def _trapezoid(now_ns: int, verdict: Verdict, params: CoreParams, state: CoreState) -> tuple[float, str]:
    """The set trapezoid, or as a fallback one of the mean current of the last good strides."""
    height_ma, how = params.envelope.current_ma, "trapezoid"
    if verdict.doubt:
        how = f"trapezoid, open loop: {verdict.doubt}"
    if state.mode != "trapezoid":
        how = "trapezoid: foot pitch not known yet"
        if state.ladder.rung == "trapezoid":
            how = f"trapezoid from the last good strides: {verdict.doubt or 'the events are uncertain'}"
        good_nm = state.learner.good_nm
        if good_nm is not None:
            height_ma = state.intensity.for_activation(good_nm / params.muscle.torque_max_nm)
    risen = min(1.0, (now_ns - state.window.opened_ns) / 1e9 / params.envelope.rise_s)
    wanted_ma = height_ma * risen * state.window.share(now_ns)
    state.activation = state.intensity.activation_of(wanted_ma)
    return wanted_ma, how


def _percent(t_ns: int, state: CoreState) -> float | None:
    """The phase to command for, by the timetable of the events and in swing by the shank that is followed."""
    percent = _swing_percent(t_ns, state)
    return state.timing.command_percent_at(t_ns) if percent is None else percent


def _swing_percent(t_ns: int, state: CoreState) -> float | None:
    """Phase within a swing; ``None`` in stance."""
    timing, swing = state.timing, state.alignment.swing
    percent = timing.percent_at(t_ns)
    if percent is None or not timing.swinging:
        return None
    if swing is not None and swing.begin_ns == timing.toe_off_ns and t_ns >= swing.begin_ns:
        return min(100.0, swing.percent_at(t_ns))
    return min(100.0, percent + state.alignment.shift_percent)


def _stride_percent(now_ns: int, verdict: Verdict, state: CoreState) -> float | None:
    """The phase that steers, through stance too; ``None`` where it is not relied on."""
    steers = state.law != "trapezoid" and state.window.state != "closed"
    if state.detector.silent(now_ns) or (verdict.doubt and not steers):
        return None
    percent = _swing_percent(now_ns, state)
    return state.timing.percent_at(now_ns) if percent is None else percent


def _feedback(now_ns: int, params: CoreParams, state: CoreState) -> tuple[float, str]:
    """Feed-forward ahead of the muscle's delay, plus PID while the foot swings."""
    timing, window, muscle = state.timing, state.window, params.muscle
    ahead = _percent(now_ns + int(_lead_s(params, state) * 1e9), state)
    toe_off_percent = timing.toe_off_percent
    stride_s = 100.0 / timing.percent_per_s
    state.feedforward_nm = state.torque.at(min(ahead, 99.99), stride_s) if ahead is not None else 0.0
    if ahead is not None and ahead < toe_off_percent:
        state.feedforward_nm = min(state.feedforward_nm, state.torque.at(toe_off_percent, stride_s))
    state.closed = window.state == "swing" and state.reading is not None
    if state.closed:
        _take_reading(params, state)
    correction_nm = state.correction_nm if state.closed else state.pid.integral_nm
    state.demand_nm = state.feedforward_nm + correction_nm
    state.activation = min(1.0, max(0.0, state.demand_nm / muscle.torque_max_nm)) * window.share(now_ns)
    wanted_ma = state.intensity.for_activation(state.activation)
    if window.state == "falling":
        wanted_ma *= window.share(now_ns)
    how = f"feed-forward and feedback, {state.ladder.rung}" if state.closed else "feed-forward"
    return wanted_ma, how


def _take_reading(params: CoreParams, state: CoreState) -> None:
    """The loop's turn, once for every reading, at the reading's own time."""
    reading = state.reading
    if reading is None or reading.t_ns == state.read_ns:
        return
    passed_s = (reading.t_ns - state.read_ns) / 1e9 if state.read_ns is not None else params.tick_s
    state.read_ns = reading.t_ns
    percent = _percent(reading.t_ns, state)
    if percent is None:
        return
    target_rad = math.radians(sample(state.pace.now.foot_pitch_deg, min(percent, LAST_TARGET_PERCENT)))
    error_rad = target_rad - reading.foot_rad
    state.error_rad = beyond(error_rad, half_width_rad(state.pace.now, min(percent, LAST_TARGET_PERCENT)))
    # what is damped is the ankle; without a shank the foot against its target, whose own motion is no error
    by_ankle = reading.shank_rad is not None
    if by_ankle != state.damps_ankle:
        state.damps_ankle = by_ankle
        state.pid.reset_measurement()  # the derivative must not see the jump from the one to the other
    damped_rad = -error_rad if reading.shank_rad is None else reading.foot_rad - reading.shank_rad
    state.correction_nm = state.pid.update(state.error_rad, damped_rad, passed_s)


def _learning(now_ns: int, params: CoreParams, state: CoreState) -> tuple[float, str]:
    """The learned command of this phase, and beside it feedback on angle and rate while the foot swings."""
    window, learner = state.window, state.learner
    percent = _percent(now_ns, state)
    state.feedforward_nm = learner.at(percent if percent is not None else 0.0)
    seen = state.ladder.rung in ("two sensors", "one sensor")
    state.closed = window.state == "swing" and seen and state.reading is not None
    how = f"learned command ({learner.learned} strides)"
    correction_nm = 0.0
    if state.closed and state.reading is not None:
        correction_nm = _beside(state.reading, params, state)
        how += f" and feedback, {state.ladder.rung}"
    elif not seen:
        how += ", open loop: foot pitch not known"
    how += learner.advice
    state.demand_nm = state.feedforward_nm + correction_nm
    state.activation = min(1.0, max(0.0, state.demand_nm / params.muscle.torque_max_nm))
    wanted_ma = state.intensity.for_activation(state.activation)
    if window.state == "falling":
        wanted_ma *= window.share(now_ns)
    return wanted_ma, how


def _beside(reading: Reading, params: CoreParams, state: CoreState) -> float:
    """Proportional and rate feedback, and what a leaning shank asks for; Nm of the identified muscle."""
    learning = params.learning
    percent = _percent(reading.t_ns, state)
    if percent is None or percent < state.timing.toe_off_percent:
        return 0.0
    here, there = (
        sample(state.pace.now.foot_pitch_deg, min(p, LAST_TARGET_PERCENT)) for p in (percent, percent + 0.5)
    )
    rate_rps = math.radians(there - here) * 2.0 * state.timing.percent_per_s
    half_rad = half_width_rad(state.pace.now, min(percent, LAST_TARGET_PERCENT))
    state.error_rad = beyond(math.radians(here) - reading.foot_rad, half_rad)
    state.pid.proportional_nm = learning.kp_nm_per_rad * state.error_rad
    state.pid.derivative_nm = learning.kp_nm_per_rad * learning.td_s * (rate_rps - reading.foot_rate_rps)
    bound_nm = params.gains.torque_max_nm
    correction_nm = state.pid.proportional_nm + state.pid.derivative_nm
    swing = state.alignment.swing
    if swing is not None and reading.shank_rad is not None and swing.begin_ns == state.timing.toe_off_ns:
        answered = percent + _lead_s(params, state) * swing.rate
        lean_rad = swing.beyond_rad(reading.t_ns, reading.shank_rad)
        correction_nm += state.learner.for_lean_nm(answered, lean_rad)
    return min(bound_nm, max(-bound_nm, correction_nm)) / state.learner.belief.gain


def _settle(now_ns: int, params: CoreParams, state: CoreState) -> None:
    """Back-calculation with the current finally commanded, in swing only; frozen elsewhere."""
    if not state.closed or state.on_since_ns is None or state.law != "feedback":
        return
    if (now_ns - state.on_since_ns) / 1e9 < _response_s(params):
        return  # the muscle cannot have answered yet: what is missing is no lasting error
    wanted_nm = max(0.0, state.demand_nm)
    applied_nm = state.intensity.activation_of(state.intensity.current_ma) * params.muscle.torque_max_nm
    if applied_nm < wanted_nm and state.demand_nm <= state.feedforward_nm:
        applied_nm = wanted_nm  # what the feed-forward alone could not get is no fault of the loop
    state.pid.settle(state.error_rad, wanted_nm, applied_nm, _elapsed_s(now_ns, params, state))


def _lead_s(params: CoreParams, state: CoreState) -> float:
    """From a command until the muscle has followed it: delay, the lag's mean time, half a pulse's period."""
    muscle = state.learner.muscle
    return muscle.delay_s + 2.0 / muscle.bandwidth_rps + 0.5 / params.pulse.rate_hz


def _response_s(params: CoreParams) -> float:
    """From the first pulse until most of the torque is there: delay and twice the lag's mean time."""
    return params.muscle.delay_s + 4.0 / params.muscle.bandwidth_rps


def _elapsed_s(now_ns: int, params: CoreParams, state: CoreState) -> float:
    if state.last_tick_ns is None:
        return params.tick_s
    elapsed_s = (now_ns - state.last_tick_ns) / 1e9
    return elapsed_s if 0.0 < elapsed_s < PASSES_SINCE_STEP_S else params.tick_s


def _pitch_rad(now_ns: int, state: CoreState) -> float | None:
    return _segment_rad(now_ns, state, "foot")


def _carrying_rad(t_ns: int, foot_rad: float, state: CoreState) -> float | None:
    """The shank's pitch beneath a foot's; ``None`` where it is not known or no ankle joins the two."""
    shank_rad = _segment_rad(t_ns, state, "shank")
    if shank_rad is None or possible_ankle_deg(math.degrees(foot_rad - shank_rad)) is None:
        return None
    return shank_rad


def _segment_rad(now_ns: int, state: CoreState, segment: str) -> float | None:
    for orientation in state.orientations.values():
        if orientation.segment == segment and orientation.aligned:
            return orientation.pitch_at(now_ns)
    return None


def _command(params: CoreParams, sent: tuple[float, float], second: ChannelCommand | None = None) -> Command:
    pulse, turning = params.pulse, params.second
    given: dict[int, ChannelCommand | None] = {pulse.channel: ChannelCommand(*sent, pulse.rate_hz)}
    if turning is not None:
        given[turning.channel] = second
    return Command(tuple(given.get(index) for index in range(pulse.channels)), pulse.lifetime_ms)


def _off(now_ns: int, params: CoreParams, state: CoreState, reason: str) -> tuple[Command, str]:
    state.intensity.move(now_ns, 0.0)
    if state.second is not None:
        state.second.move(now_ns, 0.0)
    state.on_since_ns = None
    return Command((None,) * params.pulse.channels, params.pulse.lifetime_ms), reason


def _view(now_ns: int, verdict: Verdict, params: CoreParams, state: CoreState, *, tested: bool) -> View:
    foot_rad = _segment_rad(now_ns, state, "foot")
    shank_rad = None if foot_rad is None else _carrying_rad(now_ns, foot_rad, state)
    percent = _percent(now_ns, state)
    swinging = state.timing.swinging
    target = (
        sample(state.pace.now.foot_pitch_deg, min(percent, 99.99))
        if swinging and percent is not None
        else None
    )
    foot = next((o for o in state.orientations.values() if o.segment == "foot"), None)
    rate_rps = foot.pitch_rate_rps if foot is not None and foot_rad is not None else None
    return View(
        mode=state.mode,
        phase_percent=_stride_percent(now_ns, verdict, state),
        swing=swinging,
        strides=state.timing.strides,
        foot_pitch_deg=None if foot_rad is None else math.degrees(foot_rad),
        foot_pitch_rate_dps=None if rate_rps is None else math.degrees(rate_rps),
        ankle_deg=None if foot_rad is None or shank_rad is None else math.degrees(foot_rad - shank_rad),
        reference_pitch_deg=target,
        reference_speed_mps=state.pace.speed_mps,
        pace_stride_s=state.pace.stride_s,
        feedforward=state.feedforward_nm,
        proportional=state.pid.proportional_nm,
        integral=state.pid.integral_nm,
        derivative=state.pid.derivative_nm,
        activation=state.activation,
        fingerprint=_fingerprint(state),
        rung=state.ladder.rung,
        believed_gain=state.learner.belief.gain,
        believed_late_ms=1e3 * state.learner.lateness.late_s,
        believed_reflex_nms=state.learner.reflex.strength,
        strides_learned=state.learner.learned,
        not_learned=state.learner.frozen,
        response_share=state.learner.fatigue.share,
        limit_share=state.learner.shortfall.limit_share,
        learning_bound=state.learner.bound,
        stride_error_deg=state.learner.error_rms_deg,
        inversion_deg=None if state.steering is None else state.steering.inversion_deg,
        eversion_demand_nm=None if state.steering is None else state.steering.demand_nm,
        eversion_lost_nm=None if state.shares is None else state.shares.lost_eversion_nm,
        unlifted_swings=state.unlifted.count,
        unlifted_advice=state.unlifted.advice,
        test_train=tested,
    )


def _fingerprint(state: CoreState) -> int:
    """A checksum over what the next tick depends on: angles, timing, window, current, loop."""
    timing, window, pid = state.timing, state.window, state.pid
    angles = [
        value
        for orientation in state.orientations.values()
        for value in (orientation.raw_rad, orientation.pitch_rad or 0.0, orientation.pitch_rate_rps or 0.0)
    ]
    numbers = struct.pack(
        f"<{len(angles) + 12}d",
        *angles,
        state.learner.belief.log_gain,
        state.learner.lateness.late_s,
        state.learner.reflex.strength,
        state.alignment.shift_percent,
        state.watch.torque_nm,
        pid.integral_nm,
        pid.derivative_nm,
        state.intensity.current_ma,
        timing.stride_s,
        timing.swing_s,
        timing.pre_swing_s,
        window.fall_s,
    )
    marks = (
        timing.heel_off_ns,
        timing.toe_off_ns,
        timing.initial_contact_ns,
        window.since_ns,
        window.opened_ns,
        window.train_ns,
        window.contact_ns,
        window.stance_s,
    )
    numbers += state.learner.command_nm.tobytes()
    if state.alignment.swing is not None:
        numbers += struct.pack("<3d", *state.alignment.swing.state)
    if state.steering is not None and state.second is not None:
        numbers += struct.pack("<2d", state.steering.demand_nm, state.second.current_ma)
    return zlib.crc32(numbers + repr((marks, window.state, state.mode, state.events)).encode())
