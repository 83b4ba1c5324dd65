"""The values that pass through the control core: what goes in at a tick, what comes out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.interface import ChannelCommand, Command, EmgFrame, ImuSample

EventKind = Literal["initial_contact", "foot_flat", "heel_off", "toe_off", "mid_swing"]
GaitMode = Literal["off", "trapezoid", "feedback", "learning", "as-needed"]
Mode = Literal[GaitMode, "programme"]  # an exercise programme is its session's one mode beside off
LEARNS: tuple[Mode, ...] = ("learning", "as-needed")  # a command is learned from stride to stride
CLOSED_LOOP: tuple[Mode, ...] = ("feedback", *LEARNS)  # what the sensors show has part in the current
Purpose = Literal["off", "test_train", "open_loop", "feedback"]
# What may be asked of the guard: whatever the mode gives, what no sensor shapes, single test trains alone, or
# nothing for now.
Scope = Literal["walk", "open_loop", "tests", "nothing"]
# Where in an exercise programme the person is. waiting: pulses may not flow yet; ready: a countdown;
# attempt: the person tries, no pulses yet; on: a contraction; set_rest: the longer rest after a set.
Phase = Literal["waiting", "ready", "attempt", "on", "rest", "set_rest", "paused", "done"]
# What begins a repetition and shapes its current: the clock alone; the person's own try, and then the clock;
# the person's muscle signal throughout.
Control = Literal["cyclic", "emg-triggered", "emg-proportional"]


@dataclass(frozen=True, slots=True)
class GaitEvent:
    """A gait event of one limb.

    ``t_ns`` is the estimated time of the event itself, ``emitted_ns`` the time of the last sample the
    decision needed; both on the sample clock. ``confidence`` is between 0 and 1.
    """

    kind: EventKind
    t_ns: int
    emitted_ns: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What the guard let through for an earlier frame; ``None`` where it sent nothing."""

    frame_seq: int
    channels: tuple[ChannelCommand | None, ...]
    verdict: Literal["ok", "reduced", "blocked"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PulseGiven:
    """A pulse written to the stimulator: on which channel of a frame, when (monotonic), how strong.

    More ``cycles`` than one are a burst of alternating current.
    """

    channel: int
    t_ns: int
    current_ma: float
    width_us: float
    cycles: int = 1


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Give one train of this current, ``hold_s`` long between its ramps; 0 mA ends the train.

    ``number`` tells one request from the next.
    """

    number: int
    current_ma: float
    hold_s: float = 1.0  # long enough to feel and to see


@dataclass(frozen=True, slots=True)
class ExerciseRequest:
    """What a person wants of a running programme; ``muscle`` and ``current_ma`` belong to an intensity."""

    op: Literal["pause", "go_on", "skip", "intensity"]
    muscle: str = ""
    current_ma: float = 0.0


@dataclass(frozen=True, slots=True)
class TickInputs:
    """All that reached the controller since the last tick, in order of arrival."""

    imu: tuple[ImuSample, ...] = ()
    emg: tuple[EmgFrame, ...] = ()
    applied: tuple[Applied, ...] = ()
    pulses: tuple[PulseGiven, ...] = ()
    mode: Mode | None = None  # a request to change the mode at the next stride boundary
    probe: ProbeRequest | None = None  # a test train, on a leg that stands
    fresh: bool = False  # with it: forget there what was learned before
    scope: Scope = "walk"
    exercise: tuple[ExerciseRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One tick's outcome: the command, the reason in plain words, and what the core believes."""

    command: Command
    reason: str
    events: tuple[GaitEvent, ...]
    view: View

    @property
    def purpose(self) -> Purpose:
        """What the command's current is for, or would be."""
        if self.view.mode == "off":
            return "off"
        if self.view.test_train:
            return "test_train"
        proportional = self.view.exercise is not None and self.view.exercise.control == "emg-proportional"
        return "feedback" if proportional or self.view.mode in CLOSED_LOOP else "open_loop"


@dataclass(frozen=True, slots=True)
class MuscleView:
    """One muscle of an exercise programme: what is commanded now and what its full intensity is set to."""

    muscle: str
    current_ma: float
    set_ma: float
    contractions: int  # of repetitions given whole, in which it was given a pulse


@dataclass(frozen=True, slots=True)
class EmgView:
    """What one muscle's own signal says: ``activation`` and ``threshold`` as shares of the person's largest
    signal; None where ``quality`` says why it is not to be relied on.
    """

    muscle: str
    activation: float | None
    threshold: float
    quality: str
    triggered: bool
    own_share: float | None = None  # of the last movement, where support is withdrawn as it grows
    support: float | None = None  # share of the current that is given now, where it is withdrawn
    loop_gain: float | None = None  # proportional: of stimulation heard as effort; None until it is known
    m_wave_v: float | None = None  # peak to peak, of the last pulse


@dataclass(frozen=True, slots=True)
class ExerciseView:
    """Where in its programme the exercise core is; ``left_s`` is None where a person or the guard decides."""

    control: Control
    phase: Phase
    left_s: float | None
    repetition: int  # behind, given whole or missed, the warm-up's too
    repetitions: int  # of the whole programme
    warming_up: bool
    broken_off: int  # repetitions that ended before their time; each begins anew
    missed: int  # repetitions in which the person's try did not come
    muscles: tuple[MuscleView, ...]
    emg: tuple[EmgView, ...] = ()
    missed_warm_up: int = 0  # of the missed ones, those of the warm-up
    held: str = ""  # why the guard gave less than was asked for, in this repetition or the last

    @property
    def given(self) -> int:
        """Repetitions given whole, the warm-up's too."""
        return self.repetition - self.missed


@dataclass(frozen=True, slots=True)
class View:
    """What the core believes at this tick; recorded, shown, and compared bit for bit by replay.

    Angles in degrees: foot pitch toe-up +, ankle dorsiflexion +. ``None`` where it is not known.
    """

    mode: Mode
    phase_percent: float | None  # of the stride, 0 at initial contact: the one that steers
    swing: bool
    strides: int
    foot_pitch_deg: float | None
    foot_pitch_rate_dps: float | None
    ankle_deg: float | None
    reference_pitch_deg: float | None
    feedforward: float
    proportional: float
    integral: float
    derivative: float
    activation: float
    fingerprint: int  # checksum of the whole internal state
    rung: str = "off"  # of the fallback ladder, as used in the last window
    believed_gain: float = 1.0  # of the muscle, against the identified one
    believed_late_ms: float = 0.0  # how much later than in the first strides the muscle answers
    believed_reflex_nms: float = 0.0  # Nm for each rad/s by which the ankle is lifted faster than 30 deg/s
    response_share: float | None = None  # of the rested muscle's torque for a charge
    limit_share: float | None = None  # of the last swing learned from, at the highest current allowed
    strides_learned: int = 0
    not_learned: str = ""  # why the last stride taught nothing
    learning_bound: float | None = None  # most that a command's distance from its limit can grow in a stride
    stride_error_deg: float | None = None  # r.m.s. of the last swing learned from
    toe_clearance_mm: float | None = None  # least of the last swing, as estimated; in mode as-needed
    support_swing: float | None = None  # as-needed: share of the lift that is given in mid-swing
    support_landing: float | None = None  # and at the landing
    inversion_deg: float | None = None  # of the foot as it landed last; with a second channel
    eversion_demand_nm: float | None = None
    eversion_lost_nm: float | None = None  # what the channels could not give beside the dorsiflexion
    reference_speed_mps: float | None = None  # that the reference is for; None where it follows no pace
    pace_stride_s: float | None = None  # the stride time believed to be the pace; None until the own is known
    unlifted_swings: int = 0  # since the start, as commanded
    unlifted_advice: str = ""  # where they are too many, in words
    test_train: bool = False  # a test train that a person asked for runs
    exercise: ExerciseView | None = None  # in a programme; then nothing above is known but the mode
    volition: float | None = None  # of the last swing: the shin's own activation, share of the person's most
    emg_agreement: float | None = None  # share of the time in which shin and calf see the phase that steers
    emg_finding: str = ""  # what is wrong with the electrodes, in words
