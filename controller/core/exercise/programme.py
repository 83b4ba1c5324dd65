"""What an exercise programme asks for: muscles, pulses, contractions, rests. Plain frozen data, JSON-able.

A *repetition* is one whole movement: every muscle contracts once at its own time in it. A recording holds
these numbers whole, and replay starts from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.core.exercise.effort import EffortParams
from controller.core.signals import Control


@dataclass(frozen=True, slots=True)
class MusclePlan:
    """One stimulated muscle: its place in a frame, its pulses, and its contraction within a repetition.

    ``cycles`` above 1 is a burst of that many biphasic cycles in place of a pulse. ``doublet_ms`` is the
    first interval of the hold, shorter than the others, for the catch-like property; None: all are alike.
    """

    muscle: str
    channel: int  # of a frame; the guard knows its output on the device
    current_ma: float  # at full intensity, at the start
    current_max_ma: float  # that no limit blocks and the person was found to bear
    width_us: float
    rate_hz: float
    begin_s: float
    ramp_up_s: float
    hold_s: float
    ramp_down_s: float
    rest_least_s: float = 0.0  # between two of its contractions, however they follow each other
    cycles: int = 1
    rate_end_hz: float | None = None  # at the end of the hold; None: the rate stays
    doublet_ms: float | None = None
    motor_ma: float = 0.0  # from here on it moves: where a proportional current begins

    @property
    def lasts_s(self) -> float:
        """Length of its contraction, ramps and all."""
        return self.ramp_up_s + self.hold_s + self.ramp_down_s

    @property
    def ends_s(self) -> float:
        """When its contraction is over, within the repetition."""
        return self.begin_s + self.lasts_s

    def share(self, t_s: float) -> float:
        """Of its current, 0 to 1, at a time of the repetition: a trapezoid."""
        t_s -= self.begin_s
        left_s = self.lasts_s - t_s
        if t_s < 0.0 or left_s <= 0.0:
            return 0.0
        up = t_s / self.ramp_up_s if t_s < self.ramp_up_s else 1.0
        return min(up, left_s / self.ramp_down_s if left_s < self.ramp_down_s else 1.0)

    def held_share(self, t_s: float) -> float | None:
        """How much of the hold is over, 0 to 1; None outside it."""
        t_s -= self.begin_s + self.ramp_up_s
        return t_s / self.hold_s if 0.0 <= t_s < self.hold_s else None

    def rate_at_hz(self, t_s: float) -> float:
        """The rate at a time of the repetition."""
        held = self.held_share(t_s)
        if self.rate_end_hz is None or held is None:
            late = self.rate_end_hz is not None and t_s >= self.begin_s + self.ramp_up_s + self.hold_s
            return self.rate_end_hz if late and self.rate_end_hz is not None else self.rate_hz
        return self.rate_hz + held * (self.rate_end_hz - self.rate_hz)


@dataclass(frozen=True, slots=True)
class Course:
    """How repetitions follow each other. ``repetitions`` counts those after the warm-up."""

    repetitions: int
    rest_s: float
    warm_up_repetitions: int = 0
    warm_up_share: float = 0.5  # of the current
    set_repetitions: int | None = None  # after so many a longer rest; None: none
    set_rest_s: float = 60.0
    waits_after_set: bool = False  # until a person goes on

    @property
    def total(self) -> int:
        return self.warm_up_repetitions + self.repetitions


@dataclass(frozen=True, slots=True)
class ExerciseParams:
    """All that the exercise core is told before it starts."""

    name: str
    title: str
    control: Control
    muscles: tuple[MusclePlan, ...]
    course: Course
    tick_s: float
    lifetime_ms: float
    current_step_ma: float
    rise_ma_per_tick: float
    rise_ma_per_250ms: float
    train_max_s: float
    effort: EffortParams | None = None  # what the person's own signal has to say; None: nothing

    @property
    def channels(self) -> int:
        return len(self.muscles)

    @property
    def repetition_s(self) -> float:
        """Length of one repetition, without its rest."""
        return max(muscle.ends_s for muscle in self.muscles)

    @property
    def whole_s(self) -> float:
        """Length of the programme where nobody pauses and every try comes at once."""
        course, sets = self.course, 0
        if course.set_repetitions:
            sets = max(0, math.ceil(course.repetitions / course.set_repetitions) - 1)
        rests_s = (course.total - 1 - sets) * course.rest_s + sets * course.set_rest_s
        return course.total * self.repetition_s + rests_s
