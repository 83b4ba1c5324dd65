"""How far the guided set-up of a session is: what a person confirmed, step by step, kept in a file.

Promises that it can be left and taken up again, also by another browser. What holds for one day alone is
asked again in a new session; thresholds and numbers found before are kept to look at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
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
EFFECTS = ("nothing", "felt", "moved", "enough", "again")
MARKS: tuple[Mark, ...] = ("sensory", "motor", "comfort")
WALKED = ("dorsiflexion", "eversion")  # channels of gait assist, of which this set-up is
FIRST_MA = 4.0
COARSE_MA, FINE_MA = 1.0, 0.5  # until something is felt, and from then on


@dataclass(slots=True)
class SetupState:
    """Everything the set-up knows. ``level_ma`` is the current of the next test train."""

    session: str
    by: str = ""
    done: list[Step] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    level_ma: float = FIRST_MA
    given_ma: float | None = None  # of the train whose effect a person has not said yet
    trains: int = 0
    thresholds: dict[str, float] = field(default_factory=dict)
    identified: dict[str, float] = field(default_factory=dict)
    comfort_ma: float | None = None  # kept by a person: no session goes beyond until it is found anew
    comfort_by: str = ""

    @property
    def step(self) -> Step | None:
        """The first one that is not done; ``None`` when all are."""
        return next((step for step in STEPS if step not in self.done), None)

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


def say_effect(state: SetupState, effect: str) -> None:
    """What a person says of the train just given; sets marks and the next train's current.

    ``effect`` is one of EFFECTS. Felt means felt and not moved; moved is felt too. Enough ends the search:
    no more than this.
    """
    level_ma = state.given_ma
    if level_ma is None:
        return
    marks = state.thresholds
    state.given_ma = None
    if effect == "again":
        return
    if effect == "enough":
        for mark in MARKS:
            marks.setdefault(mark, level_ma)
        marks["comfort"] = level_ma
        return
    if effect in ("felt", "moved"):
        marks.setdefault("sensory", level_ma)
    if effect == "moved":
        marks.setdefault("motor", level_ma)
    state.level_ma = level_ma + (FINE_MA if "sensory" in marks else COARSE_MA)


def restart_search(state: SetupState) -> None:
    """Begin the search for thresholds anew."""
    state.thresholds = {}
    state.level_ma, state.given_ma, state.trains = FIRST_MA, None, 0


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
        )
    return SetupState(session)


def save(path: Path, state: SetupState) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(state))
    beside.replace(path)
