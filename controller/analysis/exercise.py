"""The figures of an exercise session, from its recording: what each muscle did and was given.

One definition for summary, report and dose book. Refuses a recording of another therapy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import msgspec

from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import ExerciseView
from controller.errors import InputError
from controller.record.reader import header, messages
from controller.record.records import Clock, GuardEvent, GuardVerdict, Tick
from controller.record.wall_clock import WallClock, utc
from controller.safety.judgement.states import Stage


@dataclass(frozen=True, slots=True)
class MuscleDose:
    """What one muscle was given, in repetitions broken off too, which are no ``contractions``.

    ``charge_mc`` is the sum of the charges of the phases of one sign, of all cycles of a burst; ``on_s`` the
    time with current, ``current_ma`` the highest that was given. ``own_share`` of the movement and
    ``support``, of the current, are means over the repetitions given whole.
    """

    muscle: str
    contractions: int
    pulses: int
    charge_mc: float
    on_s: float
    current_ma: float
    set_ma: float  # the full intensity as it was set last
    own_share: float | None = None  # the person's own; None where no support is withdrawn as it grows
    support: float | None = None  # None where it is not withdrawn


@dataclass(frozen=True, slots=True)
class ExerciseSummary:
    """One session of one programme. ``seconds`` runs from the first tick that was armed to the last, and
    ``begin_utc`` is when that first one was, or the first of all; None where the clock was not set.

    A repetition is given whole, broken off (by STOP, a pause, the guard, the recording's end), or missed
    where the person's try did not come. One broken off begins anew, one missed does not.
    """

    programme: str
    title: str
    seconds: float
    repetitions: int  # given whole, the warm-up's too
    planned: int
    whole: bool  # all that were planned were given
    broken_off: int
    missed: int
    trips: int
    muscles: tuple[MuscleDose, ...]
    begin_utc: str | None = None


@dataclass(slots=True)
class _Tally:
    pulses: int = 0
    charge_uc: float = 0.0
    on_ns: int = 0
    most_ma: float = 0.0


@dataclass(slots=True)
class _Assisted:
    """The person's own share and the support, repetition by repetition."""

    own: list[float] = field(default_factory=list)
    supports: list[float] = field(default_factory=list)
    _known: bool = False  # whether the signal was to be relied on in this repetition

    def take(self, seen: ExerciseView, before: ExerciseView | None) -> None:
        known = any(one.activation is not None for one in seen.emg)
        if seen.phase == "on":
            self._known = known or (self._known and before is not None and before.phase == "on")
        elif before is not None and before.phase == "on" and seen.given > before.given:
            support = next((one.support for one in before.emg if one.support is not None), None)
            own = next((one.own_share for one in seen.emg if one.own_share is not None), None)
            if support is not None:
                self.supports.append(support)
            if own is not None and self._known:
                self.own.append(own)


def is_exercise(path: Path) -> bool:
    """Whether a recording is of a programme."""
    return b'"control"' in header(path).get("core_params", "").encode()[:4000]


def params_of(path: Path, head: Mapping[str, str]) -> ExerciseParams:
    """The programme's numbers, from the head of a recording.

    Raises InputError where it is of another therapy.
    """
    try:
        return msgspec.json.decode(head.get("core_params", "").encode(), type=ExerciseParams)
    except msgspec.DecodeError as error:
        raise InputError(
            str(path), "core_params", str(error), "the recording of an exercise session"
        ) from None


def summarise_exercise(path: Path) -> ExerciseSummary:
    """Raises InputError where the recording is not of an exercise session, or as the reader does."""
    params = params_of(path, header(path))
    tallies = [_Tally() for _ in params.muscles]
    seen: ExerciseView | None = None
    assisted = _Assisted()
    first_ns = last_ns = before_ns = trips = begin_ns = 0
    wall = WallClock()
    for message in messages(path, ("tick", "guard/verdict", "guard/event", "clock")):
        record = message.record
        if isinstance(record, Tick):
            if (view := record.decision.view.exercise) is not None:
                assisted.take(view, seen)
                seen = view
            armed = seen is not None and seen.phase != "waiting"
            if armed:
                first_ns = first_ns or record.now_ns
                last_ns = record.now_ns
            for tally, channel in zip(tallies, record.decision.command.channels, strict=False):
                if channel is not None and before_ns:
                    tally.on_ns += record.now_ns - before_ns
            begin_ns = begin_ns or record.now_ns
            before_ns = record.now_ns
        elif isinstance(record, GuardVerdict) and record.state != Stage.CONTACT.value:
            for pulse in record.pulses:  # those that test the electrodes, too weak to feel, are no dose
                tally = tallies[pulse.channel]
                tally.pulses += 1
                tally.charge_uc += pulse.charge_uc
                tally.most_ma = max(tally.most_ma, pulse.current_ma)
        elif isinstance(record, GuardEvent):
            trips += record.kind == "trip"
        elif isinstance(record, Clock):
            wall.take(record)
    begin = utc(first_ns or begin_ns, wall.offset_ns)
    views = {} if seen is None else {one.muscle: one for one in seen.muscles}
    return ExerciseSummary(
        programme=params.name,
        title=params.title,
        seconds=(last_ns - first_ns) / 1e9,
        repetitions=0 if seen is None else seen.given,
        planned=params.course.total,
        whole=seen is not None and seen.given >= params.course.total,
        broken_off=0 if seen is None else seen.broken_off + (seen.phase == "on"),
        missed=0 if seen is None else seen.missed,
        trips=trips,
        muscles=tuple(
            MuscleDose(
                muscle=plan.muscle,
                contractions=views[plan.muscle].contractions if plan.muscle in views else 0,
                pulses=tally.pulses,
                charge_mc=tally.charge_uc / 1e3,
                on_s=tally.on_ns / 1e9,
                current_ma=tally.most_ma,
                set_ma=views[plan.muscle].set_ma if plan.muscle in views else plan.current_ma,
                own_share=mean(assisted.own) if assisted.own else None,
                support=mean(assisted.supports) if assisted.supports else None,
            )
            for plan, tally in zip(params.muscles, tallies, strict=True)
        ),
        begin_utc=None if begin is None else begin.isoformat(timespec="seconds"),
    )
