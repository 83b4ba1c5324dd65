"""What an exercise session tells the world: each change of its phase, and each contraction once it is over.

A contraction is told when its pulses are complete, with what they were; one that was broken off says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.core.signals import ExerciseView, Phase
from controller.record.records import Pulse

SETTLED_NS = 100_000_000  # after the end of a contraction, for the verdicts on its last frames


@dataclass(frozen=True, slots=True)
class PhaseTold:
    """The programme has come to another phase; ``repetition`` counts those behind, given whole or missed, the
    warm-up's too.
    """

    t_ns: int
    phase: Phase
    repetition: int
    repetitions: int
    warming_up: bool
    broken_off: int
    missed: int


@dataclass(frozen=True, slots=True)
class ContractionTold:
    """One muscle's part of one repetition. ``charge_uc`` is of the phases of one sign, of all cycles.

    A repetition that was broken off begins anew: its number comes again.
    """

    t_ns: int  # when its repetition began
    muscle: str
    repetition: int  # from 1
    seconds: float  # from its first pulse to its last
    pulses: int
    charge_uc: float
    current_max_ma: float
    width_us: float | None  # of its last pulse; None where there was none
    whole: bool  # with a pulse at least
    warming_up: bool


@dataclass(slots=True)
class _Repetition:
    """One that is on, or over and waiting for its last pulses."""

    begin_ns: int
    view: ExerciseView
    end_ns: int | None = None
    whole: bool = False
    pulses: list[Pulse] = field(default_factory=list)


class Contractions:
    """Follows one session's ticks and verdicts, in their order."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._on: _Repetition | None = None
        self._over: deque[_Repetition] = deque()

    def take_pulses(self, pulses: tuple[Pulse, ...]) -> None:
        """Pulses that left; those of an electrode test, before the first contraction, belong to none."""
        for pulse in pulses:
            known = [*self._over, *([self._on] if self._on else [])]
            mine = [one for one in known if one.begin_ns <= pulse.t_ns]
            if mine:
                mine[-1].pulses.append(pulse)

    def take_tick(self, now_ns: int, view: ExerciseView) -> Iterator[PhaseTold | ContractionTold]:
        if view.phase != self._phase:
            if self._on is not None:
                self._on.end_ns = now_ns
                self._on.whole = view.given > self._on.view.given
                self._over.append(self._on)
                self._on = None
            if view.phase == "on":
                self._on = _Repetition(now_ns, view)
            self._phase = view.phase
            yield PhaseTold(
                now_ns,
                view.phase,
                view.repetition,
                view.repetitions,
                view.warming_up,
                view.broken_off,
                view.missed,
            )
        while self._over and now_ns - (self._over[0].end_ns or 0) > SETTLED_NS:
            yield from _told(self._over.popleft())

    def end(self) -> Iterator[ContractionTold]:
        """What was still waiting, or on, when the records ended."""
        while self._over:
            yield from _told(self._over.popleft())
        if self._on is not None:
            yield from _told(self._on)
            self._on = None


def _told(one: _Repetition) -> Iterator[ContractionTold]:
    for channel, muscle in enumerate(one.view.muscles):
        mine = [pulse for pulse in one.pulses if pulse.channel == channel]
        yield ContractionTold(
            one.begin_ns,
            muscle.muscle,
            one.view.repetition + 1,
            (mine[-1].t_ns - mine[0].t_ns) / 1e9 if mine else 0.0,
            len(mine),
            sum(pulse.charge_uc for pulse in mine),
            max((pulse.current_ma for pulse in mine), default=0.0),
            mine[-1].width_us if mine else None,
            one.whole and bool(mine),
            one.view.warming_up,
        )
