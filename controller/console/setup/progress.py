"""How far the guided set-up of a session is: what a person confirmed, step by step, kept in a file.

Promises that it can be left and taken up again, also by another browser. What holds for one day alone is
asked again in a new session; thresholds and numbers found before are kept to look at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from controller.safety.judgement.arming_refusals import Refusal
from controller.safety.judgement.contraindications import QUESTIONS, objections

Step = Literal["patient", "checklist", "sensors", "electrodes", "thresholds", "tests", "walk"]
STEPS: tuple[Step, ...] = (
    "patient", "checklist", "sensors", "electrodes", "thresholds", "tests", "walk",
)  # fmt: skip
Mark = Literal["sensory", "motor", "comfort"]
EFFECTS = ("nothing", "felt", "moved", "enough", "too_strong", "again")
ENDING = ("enough", "too_strong")  # may be said while the train runs, and end it
MARKS: tuple[Mark, ...] = ("sensory", "motor", "comfort")
Pad = Literal["nerve", "muscle"]
PADS: tuple[Pad, ...] = ("nerve", "muscle")
WALKED = ("dorsiflexion", "eversion")  # channels of gait assist, of which this set-up is
FIRST_MA = 4.0
UNFELT_STEP_MA, STEP_MA, FINE_MA = (
    2.0,
    1.0,
    0.5,
)  # until felt, then, back from too strong
LEAST_MA = 0.5


@dataclass(slots=True)
class SetupState:
    """Everything the set-up knows. ``level_ma`` is the current of the next test train."""

    session: str
    by: str = ""
    done: list[Step] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    level_ma: float = FIRST_MA
    given_ma: float | None = None  # of the train whose effect a person has not said yet
    accepted_ma: float | None = None  # the strongest so far that was not too strong
    too_strong_ma: float | None = None  # the weakest that was
    trains: int = 0
    thresholds: dict[str, float] = field(default_factory=dict)
    identified: dict[str, float] = field(default_factory=dict)
    comfort_ma: float | None = None  # kept by a person: no session goes beyond until it is found anew
    comfort_by: str = ""
    pads: dict[Pad, tuple[int, int]] = field(default_factory=dict)  # where they sit, as marked on the drawing

    @property
    def step(self) -> Step | None:
        """The first one that is not done; ``None`` when all are."""
        return next((step for step in STEPS if step not in self.done), None)

    @property
    def most_ma(self) -> float | None:
        """The most that is given outside a search: what was kept, and below what was too strong in today's.

        None where nothing was kept and nothing was too strong.
        """
        if self.too_strong_ma is None:
            return self.comfort_ma
        today_ma = self.accepted_ma or LEAST_MA
        return today_ma if self.comfort_ma is None else min(today_ma, self.comfort_ma)

    def finish(self, step: Step) -> None:
        if step not in self.done:
            self.done.append(step)

    def reopen(self, step: Step) -> None:
        if step in self.done:
            self.done.remove(step)

    def objections(self) -> tuple[Refusal, ...]:
        """Why today's answers do not allow stimulation; empty where they do, or where none were given."""
        return objections(self.answers, WALKED, "gait") if self.answers else ()


def unanswered(answers: Mapping[str, str]) -> list[str]:
    return [question.key for question in QUESTIONS if question.key not in answers]


def say_effect(state: SetupState, effect: str, most_ma: float) -> None:
    """What a person says of the train just given; sets marks and the next train's current.

    ``effect`` is one of EFFECTS. Felt means felt and not moved; moved is felt too. Enough ends the search: no
    more than this. Too strong goes back, by half a step from what was accepted before; the search ends with
    the strongest that was accepted, and at ``most_ma`` where that is felt.
    """
    level_ma = state.given_ma
    if level_ma is None:
        return
    marks = state.thresholds
    state.given_ma = None
    if effect == "again":
        return
    if effect == "too_strong":
        state.too_strong_ma = level_ma
    else:
        state.accepted_ma = level_ma
    if effect in ("felt", "moved", "too_strong"):
        marks.setdefault("sensory", level_ma)
    if effect == "moved":
        marks.setdefault("motor", level_ma)
    next_ma = _next_ma(state, level_ma)
    at_most = effect in ("felt", "moved") and level_ma >= most_ma
    if effect == "enough" or at_most or next_ma is None:
        comfort_ma = marks["comfort"] = state.accepted_ma or level_ma
        for mark in MARKS:
            marks[mark] = min(marks.get(mark, comfort_ma), comfort_ma)
        return
    state.level_ma = min(next_ma, most_ma)


def _next_ma(state: SetupState, level_ma: float) -> float | None:
    """The current after this one; ``None`` where the strongest accepted one is found."""
    if state.too_strong_ma is None:
        return level_ma + (STEP_MA if "sensory" in state.thresholds else UNFELT_STEP_MA)
    if state.accepted_ma is None:
        return max(LEAST_MA, level_ma - STEP_MA)
    between_ma = state.too_strong_ma - FINE_MA
    return between_ma if between_ma > state.accepted_ma else None


def next_ma(state: SetupState, effect: str, most_ma: float) -> float | None:
    """What is given next where a person says this of the last train; ``None`` where the search ends."""
    tried = replace(state, thresholds=dict(state.thresholds))
    say_effect(tried, effect, most_ma)
    return None if "comfort" in tried.thresholds else tried.level_ma


def restart_search(state: SetupState) -> None:
    """Begin the search for thresholds anew."""
    state.thresholds = {}
    state.level_ma, state.given_ma, state.trains = FIRST_MA, None, 0
    state.accepted_ma = state.too_strong_ma = None


def load(path: Path, session: str) -> SetupState:
    """What is kept, as far as it holds for this session; a file that cannot be read counts for none."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        kept = msgspec.json.decode(path.read_bytes(), type=SetupState)
        if kept.session == session:
            return kept
        return SetupState(
            session,
            thresholds=kept.thresholds,
            identified=kept.identified,
            comfort_ma=kept.comfort_ma,
            comfort_by=kept.comfort_by,
            pads=kept.pads,
        )
    return SetupState(session)


def save(path: Path, state: SetupState) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(state))
    beside.replace(path)
