"""The control core of an exercise programme: gait assist's door, contractions in place of strides.

No clock, no file, no randomness. Where pulses may not flow it waits, and a repetition that was broken off
begins anew, after the rest that the limits ask of its muscles.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from controller.core.exercise.effort import Effort
from controller.core.exercise.programme import ExerciseParams, MusclePlan
from controller.core.exercise.soft_current import SAVED_S, SoftCurrent
from controller.core.exercise.timeline import Timeline
from controller.core.signals import (
    Applied,
    Control,
    Decision,
    ExerciseRequest,
    ExerciseView,
    Mode,
    MuscleView,
    PulseGiven,
    Scope,
    TickInputs,
    View,
)
from drivers.interface import ChannelCommand, Command

WORDS = {
    "waiting": "not armed: the programme waits",
    "ready": "the contraction is about to begin",
    "attempt": "waiting for the person's own try",
    "rest": "rest",
    "set_rest": "long rest after a set",
    "paused": "paused by a person",
    "done": "the programme is done",
}
SETTING_RISE_MA_PER_S = 2.0  # of a higher intensity as it takes effect, however often it is raised; proposal
RESTS = ("ready", "rest", "set_rest")  # the person is told to rest


@dataclass(slots=True)
class _Muscle:
    """One muscle at work: its intensity as set, its current, and how far its doublet is."""

    plan: MusclePlan
    soft: SoftCurrent
    set_ma: float
    full_ma: float  # the intensity in effect: it follows what is set, slowly upwards and at once downwards
    contractions: int = 0  # given whole
    answered: bool = False  # whether it was given a pulse in this repetition
    on_ns: int | None = None  # when it was last given current
    last_pulse_ns: int | None = None
    hold_pulse_ns: int | None = None  # the first pulse of this hold
    doublet_due: bool = False  # the next interval is the short one

    def begin(self) -> None:
        self.hold_pulse_ns, self.doublet_due, self.answered = None, False, False

    def note(self, pulse: PulseGiven, *, holding: bool) -> None:
        """A pulse of this muscle was given."""
        self.last_pulse_ns = pulse.t_ns
        if holding and self.hold_pulse_ns is None:
            self.hold_pulse_ns, self.doublet_due = pulse.t_ns, self.plan.doublet_ms is not None
        else:
            self.doublet_due = False

    @property
    def earliest_ns(self) -> int:
        """No repetition begins before: this muscle would have rested too little when its turn comes."""
        if self.on_ns is None:
            return 0
        return self.on_ns + round((self.plan.rest_least_s - self.plan.begin_s) * 1e9)

    def follow(self, elapsed_s: float) -> None:
        """One tick of taking effect; a late tick is not made up for."""
        rise_ma = SETTING_RISE_MA_PER_S * max(0.0, min(elapsed_s, SAVED_S))
        self.full_ma = min(self.set_ma, self.full_ma + rise_ma)

    def rate_hz(self, t_s: float) -> float:
        if self.doublet_due and self.plan.doublet_ms is not None:
            return 1e3 / self.plan.doublet_ms
        return self.plan.rate_at_hz(t_s)


@dataclass(slots=True)
class ExerciseCore:
    """Owns parameters and state. ``step`` advances by one tick; a copy or a pickle goes on as it would."""

    params: ExerciseParams
    timeline: Timeline = field(init=False)
    _muscles: tuple[_Muscle, ...] = field(init=False)
    _last_tick_ns: int | None = None
    _was_on: bool = False
    _effort: Effort | None = field(init=False)
    _held: str = ""  # why the guard gave less than was asked for in this repetition, or the last

    def __post_init__(self) -> None:
        params = self.params
        self.timeline = Timeline(params)
        self._effort = None if params.effort is None else Effort(params.effort)
        self._muscles = tuple(
            _Muscle(
                plan,
                SoftCurrent(params.current_step_ma, params.rise_ma_per_tick, params.rise_ma_per_250ms),
                plan.current_ma,
                plan.current_ma,
            )
            for plan in params.muscles
        )

    def step(self, now_ns: int, inputs: TickInputs) -> Decision:
        """Advance by one tick."""
        elapsed_s = 0.0 if self._last_tick_ns is None else (now_ns - self._last_tick_ns) / 1e9
        self._last_tick_ns = now_ns
        self._take_in(now_ns, inputs)
        tried, try_s = False, None
        if self._effort is not None:
            tried, try_s = self._effort.tried, self._effort.params.try_s
        self.timeline.control = self._control(inputs.scope)
        able = inputs.scope in ("walk", "open_loop")
        self.timeline.earliest_ns = max(muscle.earliest_ns for muscle in self._muscles)
        given = self.timeline.given
        self.timeline.tick(now_ns, able=able, tried=tried, try_s=try_s)
        on = self.timeline.phase == "on"
        self._held = "" if on and not self._was_on else self._held
        for muscle in self._muscles:
            if on and not self._was_on:
                muscle.begin()
            muscle.contractions += self.timeline.given > given and muscle.answered
        if self._was_on and not on and self._effort is not None:
            self._effort.rested(now_ns)
        self._was_on = on
        if self._effort is not None:
            self._effort.contracts(elapsed_s, on=on)
        channels = tuple(self._command(muscle, now_ns, elapsed_s) for muscle in self._muscles)
        reason = WORDS.get(self.timeline.phase) or self._words_on(now_ns)
        return Decision(Command(channels, self.params.lifetime_ms), reason, (), self._view(now_ns))

    def seen(self) -> ExerciseView:
        """Where the programme is, as of the last tick."""
        return self._exercise_view(self._last_tick_ns or 0)

    # --- taking in

    def _take_in(self, now_ns: int, inputs: TickInputs) -> None:
        for applied in inputs.applied:
            self._take_verdict(applied)
        for pulse in inputs.pulses:
            t_s = (pulse.t_ns - self.timeline.since_ns) / 1e9 if self._was_on else -1.0  # its own, not ours
            for muscle in self._muscles:
                if muscle.plan.channel == pulse.channel:
                    muscle.note(pulse, holding=muscle.plan.held_share(t_s) is not None)
                    if t_s >= 0.0:
                        muscle.answered = self.timeline.answered = True
        for request in inputs.exercise:
            self._obey(now_ns, request)
        if self._effort is not None:
            resting = self.timeline.phase in RESTS
            self._effort.take(now_ns, inputs.emg, inputs.pulses, resting=resting)

    def _take_verdict(self, applied: Applied) -> None:
        if applied.verdict == "ok":
            return
        if self._was_on:
            self._held = applied.reason
        for muscle in self._muscles:
            number = muscle.plan.channel
            through = applied.channels[number] if number < len(applied.channels) else None
            muscle.soft.correct(0.0 if through is None else through.current_ma)

    def _obey(self, now_ns: int, request: ExerciseRequest) -> None:
        match request.op:
            case "pause":
                self.timeline.pause(now_ns)
            case "go_on":
                self.timeline.go_on(now_ns)
            case "skip":
                self.timeline.skip(now_ns)
            case "intensity":
                for muscle in self._muscles:
                    if muscle.plan.muscle == request.muscle:
                        muscle.set_ma = min(max(0.0, request.current_ma), muscle.plan.current_max_ma)

    # --- deciding

    def _control(self, scope: Scope) -> Control:
        """What shapes the current: until a person has unlocked it, the signal begins contractions alone."""
        locked = scope == "open_loop" and self.params.control == "emg-proportional"
        return "emg-triggered" if locked else self.params.control

    def _t_s(self, now_ns: int) -> float:
        """Time within the repetition; before it where none is on."""
        return self.timeline.age_s(now_ns) if self.timeline.phase == "on" else -1.0

    def _command(self, muscle: _Muscle, now_ns: int, elapsed_s: float) -> ChannelCommand | None:
        """What this muscle is given now; off, which is not zero, outside its contraction."""
        t_s, plan = self._t_s(now_ns), muscle.plan
        muscle.follow(elapsed_s)
        current_ma = muscle.soft.move(elapsed_s, self._wanted_ma(muscle, t_s))
        if current_ma == 0.0:
            return None
        muscle.on_ns = now_ns
        return ChannelCommand(current_ma, plan.width_us, muscle.rate_hz(t_s), plan.cycles)

    def _wanted_ma(self, muscle: _Muscle, t_s: float) -> float:
        share, full_ma = muscle.plan.share(t_s), muscle.full_ma
        if self.timeline.warming_up:
            share *= self.params.course.warm_up_share
        if self._effort is None:
            return share * full_ma
        share *= self._effort.support
        if self.timeline.control != "emg-proportional":
            return share * full_ma
        own = self._effort.share(muscle.plan.muscle)
        motor_ma = min(muscle.plan.motor_ma, full_ma)
        return share * (motor_ma + own * (full_ma - motor_ma)) if own > 0.0 else 0.0

    # --- telling

    def _words_on(self, now_ns: int) -> str:
        t_s = self._t_s(now_ns)
        at_work = [muscle.plan.muscle for muscle in self._muscles if muscle.plan.share(t_s) > 0.0]
        said = f"contraction: {', '.join(at_work)}" if at_work else "between two muscles of a repetition"
        return f"{said}; the guard gives less: {self._held}" if self._held else said

    def _view(self, now_ns: int) -> View:
        mode: Mode = "programme"
        return View(
            mode=mode,
            phase_percent=None,
            swing=False,
            strides=0,
            foot_pitch_deg=None,
            foot_pitch_rate_dps=None,
            ankle_deg=None,
            reference_pitch_deg=None,
            feedforward=0.0,
            proportional=0.0,
            integral=0.0,
            derivative=0.0,
            activation=0.0,
            fingerprint=self._fingerprint(),
            rung=self.timeline.control,
            exercise=self._exercise_view(now_ns),
        )

    def _exercise_view(self, now_ns: int) -> ExerciseView:
        line = self.timeline
        return ExerciseView(
            control=self.timeline.control,
            phase=line.phase,
            left_s=line.left_s(now_ns),
            repetition=line.repetition,
            repetitions=self.params.course.total,
            warming_up=line.warming_up,
            broken_off=line.broken_off,
            missed=line.missed,
            missed_warm_up=line.missed_warm_up,
            held=self._held,
            emg=() if self._effort is None else self._effort.view(),
            muscles=tuple(
                MuscleView(m.plan.muscle, m.soft.current_ma, m.set_ma, m.contractions) for m in self._muscles
            ),
        )

    def _fingerprint(self) -> int:
        """A checksum over what the next tick depends on."""
        line = self.timeline
        muscles = [
            (m.soft.current_ma, m.set_ma, m.full_ma, m.on_ns, m.last_pulse_ns, m.hold_pulse_ns, m.doublet_due)
            for m in self._muscles
        ]
        answers = (line.answered, [(m.contractions, m.answered) for m in self._muscles])
        effort = None if self._effort is None else self._effort.marks
        marks = (
            line.phase,
            line.since_ns,
            line.repetition,
            line.broken_off,
            line.missed,
            muscles,
            answers,
            effort,
            self._held,
        )
        return zlib.crc32(repr(marks).encode())
