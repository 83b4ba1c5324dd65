"""What pages and lists say of exercise programmes: plain facts, without the files they come from.

Standard library alone: the console's door reads them with its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.safety.judgement.limits import Caps


@dataclass(frozen=True, slots=True)
class ContractionFacts:
    """One muscle's pulses and contraction; ``on_s`` is ramps and hold."""

    muscle: str
    width_us: float
    rate_hz: float
    on_s: float
    carrier_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a programme could not begin: a ``code`` with its values, for a screen to say; ``text`` is the line
    of a check, in English. Without a code the text is all there is.

    ``found`` and ``allowed`` are in the code's unit, ``more`` is its own; ``set_by``: whose limit binds.
    """

    text: str
    code: str = ""
    muscle: str = ""
    found: float = 0.0
    allowed: float = 0.0
    set_by: str = ""
    more: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgrammeFacts:
    """One programme; a file that cannot be read has its name alone.

    ``cannot`` is why a session with this stimulator would not begin.
    """

    name: str
    title: str
    kind: str
    aim: str
    source: str
    minutes: float | None  # where nobody pauses; None where no session could be made of it
    repetitions: int
    warm_up: int
    set_of: int | None  # a longer rest after so many
    contractions: tuple[ContractionFacts, ...]
    cannot: tuple[Reason, ...] = ()
    contractions_per_day: int | None = None
    minutes_per_day: float | None = None
    days_per_week: int | None = None


@dataclass(frozen=True, slots=True)
class IntensityFacts:
    """The largest current of one muscle, and what holds it there: ``comfort``, or a limit and who set it.

    ``earlier_today`` are the contractions of today's sessions before this one, by the dose book.
    """

    muscle: str
    most_ma: float
    bound_by: str
    set_by: str = ""
    earlier_today: int = 0


@dataclass(frozen=True, slots=True)
class ExerciseFacts:
    """What an exercise session's pages are told; ``programmes`` are those there are, for this stimulator."""

    programme: ProgrammeFacts
    intensities: tuple[IntensityFacts, ...]
    programmes: tuple[ProgrammeFacts, ...]
    stimulator: str
    caps: Caps = "exercise"  # of the guard: with the muscles, which answers of the checklist forbid it


def exercise_facts(told: Mapping[str, Any]) -> ExerciseFacts:  # Any: JSON values
    """From JSON. Raises KeyError or TypeError where it is not what ``asdict`` made."""
    return ExerciseFacts(
        programme=_programme(told["programme"]),
        intensities=tuple(IntensityFacts(**one) for one in told["intensities"]),
        programmes=tuple(_programme(one) for one in told["programmes"]),
        stimulator=str(told["stimulator"]),
        caps=told["caps"],
    )


def _programme(told: Mapping[str, Any]) -> ProgrammeFacts:
    contractions = tuple(ContractionFacts(**one) for one in told["contractions"])
    cannot = tuple(Reason(**{**one, "more": tuple(one["more"])}) for one in told["cannot"])
    return ProgrammeFacts(**{**told, "contractions": contractions, "cannot": cannot})
