"""Where in the programme the person is: ready, trying, contracting, resting, paused, done.

A contraction begins only where pulses may flow and every muscle has had its least rest. A repetition is given
whole, broken off (it begins anew), or missed: a try that did not come.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import Control, Phase

READY_S = 3.0  # countdown before the first contraction and after each interruption: nobody starts at it
STILL: tuple[Phase, ...] = ("waiting", "paused", "done")  # nothing ends these but the guard or a person


@dataclass(slots=True)
class Timeline:
    """The phase and since when; ``repetition`` counts those behind, given or missed, the warm-up's too."""

    params: ExerciseParams
    control: Control = "cyclic"  # in force from the next repetition on
    phase: Phase = "waiting"
    since_ns: int = 0
    repetition: int = 0
    broken_off: int = 0  # repetitions that ended before their time
    missed: int = 0  # repetitions in which the person's try did not come
    missed_warm_up: int = 0  # of them, those of the warm-up
    answered: bool = False  # whether a pulse was given since this repetition began
    earliest_ns: int = 0  # no repetition begins before: a muscle still rests

    @property
    def given(self) -> int:
        """Repetitions that were given whole, the warm-up's too."""
        return self.repetition - self.missed

    @property
    def warming_up(self) -> bool:
        return self.repetition < self.params.course.warm_up_repetitions

    def age_s(self, now_ns: int) -> float:
        return (now_ns - self.since_ns) / 1e9

    def left_s(self, now_ns: int) -> float | None:
        """Until the next phase; None where a person or the guard decides."""
        lasts = self._lasts_s()
        if lasts is None:
            return None
        resting_s = 0.0 if self.phase == "on" else (self.earliest_ns - now_ns) / 1e9
        return max(0.0, lasts - self.age_s(now_ns), resting_s)

    def tick(self, now_ns: int, *, able: bool, tried: bool = False, try_s: float | None = None) -> None:
        """Go on. ``able``: pulses may flow; ``tried``: the person's own signal has crossed its threshold;
        ``try_s``: how long a try is waited for, None without end.
        """
        if not able:
            if self.phase not in STILL:
                self._break_off(now_ns, "waiting")
            return
        if self.phase == "waiting":
            self._enter("ready", now_ns)
        elif self.phase == "attempt":
            if tried:
                self._enter("on", now_ns)
            elif try_s is not None and self.age_s(now_ns) >= try_s:
                self._miss(now_ns)
        elif self.left_s(now_ns) == 0.0:
            self._over(now_ns)

    def pause(self, now_ns: int) -> None:
        if self.phase not in ("paused", "done"):
            self._break_off(now_ns, "paused")

    def go_on(self, now_ns: int) -> None:
        """After a pause, or a longer rest that waits for a person."""
        if self.phase in ("paused", "set_rest"):
            self._enter("ready", now_ns)

    def skip(self, now_ns: int) -> None:
        """The rest is cut short; an attempt is given up and counts as missed."""
        if self.phase in ("rest", "set_rest"):
            self._enter("ready", now_ns)
        elif self.phase == "attempt":
            self._miss(now_ns)

    def _lasts_s(self) -> float | None:
        course = self.params.course
        match self.phase:
            case "ready":
                return READY_S
            case "on":
                return self.params.repetition_s
            case "rest":
                return course.rest_s
            case "set_rest":
                return None if course.waits_after_set else course.set_rest_s
        return None

    def _over(self, now_ns: int) -> None:
        """This phase has had its time."""
        if self.phase == "on":
            silent = self.control == "emg-proportional" and not self.answered
            (self._miss if silent else self._next)(now_ns)
        else:  # a countdown, a rest
            self._enter("attempt" if self.control == "emg-triggered" else "on", now_ns)

    def _miss(self, now_ns: int) -> None:
        self.missed += 1
        self.missed_warm_up += self.warming_up
        self._next(now_ns)

    def _next(self, now_ns: int) -> None:
        """One repetition is behind, given or missed."""
        course = self.params.course
        self.repetition += 1
        worked = self.repetition - course.warm_up_repetitions
        if self.repetition >= course.total:
            self._enter("done", now_ns)
        elif course.set_repetitions and worked > 0 and worked % course.set_repetitions == 0:
            self._enter("set_rest", now_ns)
        else:
            self._enter("rest", now_ns)

    def _break_off(self, now_ns: int, phase: Phase) -> None:
        self.broken_off += self.phase == "on"
        self._enter(phase, now_ns)

    def _enter(self, phase: Phase, now_ns: int) -> None:
        self.phase, self.since_ns, self.answered = phase, now_ns, False
