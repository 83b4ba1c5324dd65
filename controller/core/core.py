"""The control core: samples in, command and reason out; same in, same bits out.

No clock, no file, no randomness. What it does not know it says (``None`` and a reason), and then it does
less. The stages are ``gait`` (where the leg is), ``control`` (what torque) and ``output`` (what pulse).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from controller.core.control.fallback import SURE
from controller.core.control.laws import LawOutput, Laws
from controller.core.control.learning import ORDINARY, TURN_RAD
from controller.core.emg.walking import WalkingEmg
from controller.core.gait.estimator import GaitEstimate, GaitEstimator, Seen
from controller.core.gait.orientation import FRESH_S
from controller.core.output.lifting_decision import Verdict, judge
from controller.core.output.stimulation import Stimulation
from controller.core.params import CoreParams, objection
from controller.core.signals import LEARNS, Applied, Decision, GaitEvent, Mode, Scope, TickInputs
from controller.core.view import fingerprint, view
from drivers.interface import Command, ImuSample

PASSES_SINCE_STEP_S = 1.0  # a longer gap between ticks is a new start for derivative and integral


class Choice(NamedTuple):
    """What a tick decided, before it is shown."""

    command: Command
    reason: str
    events: list[GaitEvent]
    gait: GaitEstimate
    verdict: Verdict
    out: LawOutput
    tested: bool


class Core:
    """Owns parameters and state. ``step`` advances by one tick; a copy or a pickle goes on as it would.

    ``gait``, ``laws`` and ``output`` are the stages; ``mode`` is the one in force.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.mode: Mode = params.mode
        self.gait = GaitEstimator(params.placements, params.reference)
        self.laws = Laws(params, self.gait.clock.percent_per_s)
        self.output = Stimulation(params)
        self.emg = None if params.emg is None else WalkingEmg(params.emg)
        self.laws.strides.withdraw(withdraws=self.mode == "as-needed")
        self._scope: Scope = "walk"  # what may be asked for at this tick
        self._wanted_mode: Mode | None = None
        self._wanted_fresh = False
        self._estimate: GaitEstimate | None = None  # of the last tick
        self._last_tick_ns: int | None = None
        self._events = 0

    @property
    def at_boundary(self) -> bool:
        """Whether new parameters may be taken: between two stimulation windows."""
        return self.output.at_boundary

    @property
    def switching(self) -> bool:
        """A requested mode has not begun yet."""
        return self._wanted_mode is not None

    def reconfigure(self, params: CoreParams) -> None:
        """Take new parameters, from the next tick on; what was seen and learned of the walk stays.

        Raises ValueError amid a window, and where the parameters need a new session.
        """
        if why := objection(self.params, params):
            raise ValueError(why)
        if not self.at_boundary:
            raise ValueError("a stimulation window is open: new parameters begin between two of them")
        self.params = params
        self.laws.reconfigure(params)
        self.output.reconfigure(params)

    def step(self, now_ns: int, inputs: TickInputs) -> Decision:
        """Advance by one tick, and show what is believed."""
        made = self.decide(now_ns, inputs)
        mark = fingerprint(self.gait, self.laws, self.output, self.mode, self._events)
        if self.emg is not None:
            mark ^= self.emg.mark
        seen = view(
            self.mode,
            made.gait,
            self.laws,
            self.output,
            phase_percent=self._phase_percent(made.gait, made.verdict),
            out=made.out,
            mark=mark,
            tested=made.tested,
            emg=self.emg,
        )
        return Decision(made.command, made.reason, tuple(made.events), seen)

    def decide(self, now_ns: int, inputs: TickInputs) -> Choice:
        """The same tick without the view and its checksum, which nothing here reads: for studies."""
        elapsed_s = self._elapsed_s(now_ns)
        self._work_between_strides()
        events = self._take_in(now_ns, inputs)
        gait = self._estimate = self.gait.at(now_ns)
        verdict = self._judge(now_ns)
        window = self.output.window
        window.tick(now_ns, against=verdict.against, swinging=self.gait.detector.in_full_swing)
        if verdict.doubt and window.state in ("pre_swing", "swing"):
            self.laws.strides.doubted = verdict.doubt
        self.output.prime(gait, ahead=self.laws.leads(self.mode, gait), sure=not verdict.doubt)
        self._switch_mode()
        self._narrow(inputs.scope)
        command, reason, out, tested = self._stimulate(gait, verdict, elapsed_s)
        if self.output.unlifted.advice and self.mode != "off":
            reason = f"{reason}; {self.output.unlifted.advice}"
        self._remember(gait, out, command, elapsed_s)
        self._events += len(events)
        if self.emg is not None:
            swinging, walking = gait.phase.swinging, not verdict.doubt
            self.emg.step(now_ns, inputs.emg, inputs.pulses, swinging=swinging, walking=walking)
        self._last_tick_ns = now_ns
        return Choice(command, reason, events, gait, verdict, out, tested)

    # --- taking in

    def _work_between_strides(self) -> None:
        if self._estimate is None:
            return
        doubtful = self.laws.strides.work(self._estimate)
        if doubtful is not None:
            self.laws.ladder.doubt(doubtful=doubtful)

    def _take_in(self, now_ns: int, inputs: TickInputs) -> list[GaitEvent]:
        """Feed every valid sample at its own time; returns the events of the leading sensor.

        A sample from later than now would stay the newest for good and is none.
        """
        events: list[GaitEvent] = []
        for sample in inputs.imu:
            made = sample.valid and sample.t_ns <= now_ns
            if made and sample.sensor in self.gait.orientations and _finite(sample):
                events += self._take_sample(now_ns, sample)
        for applied in inputs.applied:
            self._take_verdict(applied)
        if inputs.mode is not None:
            self._wanted_mode, self._wanted_fresh = inputs.mode, inputs.fresh
        if inputs.probe is not None:
            self.output.test_train.ask(now_ns, inputs.probe)
        return events

    def _take_sample(self, now_ns: int, sample: ImuSample) -> tuple[GaitEvent, ...]:
        seen = self.gait.take(sample)
        if seen.reading is not None:
            self.laws.strides.learner.memory.observe(seen.reading)
            self._observe_roll(seen)
        if self.output.test_train.answers(now_ns) and self.gait.leading.segment == "foot":
            return seen.events  # of a hanging foot: nothing is learned of it, and no window opens
        against = self._judge(now_ns).against if seen.events else ""
        for event in seen.events:
            self.gait.note(event)
            self.output.window.note(event, now_ns, against=against)
            if event.kind == "toe_off":
                self.laws.feedback.begin_swing()
            elif event.kind == "initial_contact":
                self._land(event, against)
        return seen.events

    def _observe_roll(self, seen: Seen) -> None:
        steering = self.laws.steering
        if steering is None or seen.roll_rad is None:
            return
        if seen.swinging:
            steering.in_swing(seen.t_ns, math.degrees(seen.roll_rad))
        elif seen.since_contact is not None:
            steering.in_stance(math.degrees(seen.roll_rad), seen.since_contact)

    def _land(self, contact: GaitEvent, against: str) -> None:
        """The foot has landed: was its swing lifted, at what pace was the stride, and what do they teach?

        ``against`` is what speaks against walking.
        """
        strides, clock, unsure = self.laws.strides, self.gait.clock, contact.confidence < SURE
        unlifted = self.output.unlifted.count
        meant = self.mode != "off" and self._scope == "walk" and not self.gait.detector.goes_elsewhere
        if clock.swung_ns is not None and meant:
            self.output.unlifted.close(*clock.swung_ns, self.output.on_since_ns)
        if self.laws.steering is not None:
            usual = self._usual_swing()
            self.laws.steering.close(ordinary=usual and not unsure and strides.trusted)
        if clock.toe_off_ns is not None:
            straight = not against and not strides.doubted and abs(self.gait.turning.turned_rad) <= TURN_RAD
            straight = straight and clock.swung_ns is not None
            before, stride_s = strides.pace.now, clock.last_stride_s if straight else None
            moved = strides.follow_pace(stride_s, self.gait.excursion_rad() if stride_s else None)
            if moved is not None:
                self.gait.refer(before, moved)
        swing = self.gait.end_swing()
        if swing is not None:
            strides.land(
                swing,
                unsure=unsure,
                teaches=self.mode in LEARNS,
                heel_off_ns=clock.heel_off_ns,
                unlifted=self.output.unlifted.count > unlifted,
            )
        if not strides.learning:
            self.laws.ladder.doubt(doubtful=unsure)

    def _usual_swing(self) -> bool:
        """Whether the swing that has just ended was about as long as the last ones."""
        clock = self.gait.clock
        if clock.toe_off_ns is None or clock.initial_contact_ns is None:
            return False
        swing_s = (clock.initial_contact_ns - clock.toe_off_ns) / 1e9
        return ORDINARY[0] <= swing_s / clock.swing_s <= ORDINARY[1]

    def _take_verdict(self, applied: Applied) -> None:
        if applied.verdict != "ok":
            self.laws.strides.trusted = False
            self.output.correct(applied)

    # --- deciding

    def _judge(self, now_ns: int) -> Verdict:
        return judge(now_ns, self.gait.detector, self.params.readiness, level=self.gait.level)

    def _switch_mode(self) -> None:
        """A requested mode begins between two windows: no pulses, no step in current."""
        if self._wanted_mode is None or self.output.window.state != "closed":
            return
        self.mode, self._wanted_mode = self._wanted_mode, None
        self.laws.strides.withdraw(withdraws=self.mode == "as-needed")
        if self.mode in LEARNS:
            self.laws.strides.learner.carry()
        if self._wanted_fresh:
            self._wanted_fresh = False
            self.laws.begin_anew(self.gait.clock.percent_per_s)

    def _narrow(self, scope: Scope) -> None:
        """Take a narrower scope at once, and a wider one between two windows: no step in current."""
        if scope != "walk" or self.output.window.state == "closed":
            self._scope = scope

    def _stimulate(
        self, gait: GaitEstimate, verdict: Verdict, elapsed_s: float
    ) -> tuple[Command, str, LawOutput, bool]:
        """The command, its reason, what the law asked for, and whether it is a test train's."""
        now_ns, output, laws = gait.now_ns, self.output, self.laws
        train = output.test(now_ns, self._hinders_test(gait, verdict))
        if train is not None:
            return train, f"test train of {output.test_train.current_ma:g} mA", LawOutput(), True
        why = self._why_off(gait) or output.why_not(now_ns)
        if why:
            return output.off(now_ns), why, LawOutput(), False
        window = output.now(now_ns)
        laws.choose(self.mode, gait, window, verdict.doubt)
        out = laws.output(self.mode, gait, window, verdict.doubt)
        command = output.give(now_ns, out, usual=self.mode == "trapezoid")
        on_s = (now_ns - (output.on_since_ns or now_ns)) / 1e9
        laws.settle(out, output.first.current_ma, on_s, elapsed_s)
        reason = f"{output.window.why}; {out.how}" if out.how else output.window.why
        return command, reason, out, False

    def _why_off(self, gait: GaitEstimate) -> str:
        """Why nothing may be given, whatever the window; empty where it may."""
        if self.mode == "off":
            return "mode is off"
        if self._scope != "walk":
            if self.output.window.state != "closed":
                self.laws.strides.trusted = False  # what a stride lacks it cannot teach
            return "test trains alone are allowed" if self._scope == "tests" else "nothing may be given now"
        leading = self.gait.leading.sensor
        if gait.newest_ns is None:
            return f"no sample from {leading} yet"
        return f"{leading} sensor silent" if (gait.now_ns - gait.newest_ns) / 1e9 > FRESH_S else ""

    def _hinders_test(self, gait: GaitEstimate, verdict: Verdict) -> str:
        turned = self.output.test_train.watch(gait.now_ns, gait.shank_rad)
        if self.mode == "off":
            return "the mode is off"
        if self._scope == "nothing":
            return "nothing may be given now"
        walking = not verdict.doubt or self.gait.detector.stepping or self.output.window.state != "closed"
        return "the leg is not standing still" if walking or turned else ""

    # --- remembering

    def _remember(self, gait: GaitEstimate, out: LawOutput, command: Command, elapsed_s: float) -> None:
        first, second = self.output.first, self.output.second
        on = command.channels[first.pulse.channel]
        currents_ma = first.current_ma, 0.0 if second is None else second.current_ma
        self.laws.remember(gait, out, on, currents_ma, elapsed_s)

    def _elapsed_s(self, now_ns: int) -> float:
        if self._last_tick_ns is None:
            return self.params.tick_s
        elapsed_s = (now_ns - self._last_tick_ns) / 1e9
        return elapsed_s if 0.0 < elapsed_s < PASSES_SINCE_STEP_S else self.params.tick_s

    def _phase_percent(self, gait: GaitEstimate, verdict: Verdict) -> float | None:
        """The phase that steers, through stance too; ``None`` where it is not relied on."""
        steers = self.laws.law != "trapezoid" and self.output.window.state != "closed"
        if self.gait.detector.silent(gait.now_ns) or (verdict.doubt and not steers):
            return None
        return gait.command_percent if gait.phase.swinging else gait.phase.percent_at(gait.now_ns)


def _finite(sample: ImuSample) -> bool:
    """One value that is no number would stay in every filter for good."""
    return all(map(math.isfinite, (*sample.acc_mps2, *sample.gyr_rps)))
