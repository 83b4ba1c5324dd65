"""Staged unlock: after arming, open loop at low current first; feedback when the leg has answered.

Promises that feedback needs strides in which the leg moved as a stimulated one does and, where the session
asks for it, a person's act besides. An exercise has contractions in place of strides, which no sensor of the
guard sees: there a person has to look and to act. Whatever ends the arming ends the unlock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from controller.safety.judgement.limits import Caps, Effective

Counted = Literal["strides", "contractions"]

STRIDES = 3  # answered, or contractions given, since arming: one or two may be chance
# Of the comfort current. Of 12 virtual patients of a cohort 9 answered at 0.6 of it, whose comfort is 1.3 to
# 1.7 times the current of half their fibres, and one was taken for a loose electrode (F17); at 0.75 nine were
# tried, those three among them, and all did.
# No clinical source: a proposal.
SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Unlock:
    """Strides answered or contractions given since arming, and whether feedback and the whole current are
    allowed.
    """

    answered: int = 0
    full: bool = False


LOCKED = Unlock()


class Contraction(NamedTuple):
    """The first pulse of the train under way, on whichever channel, and the newest."""

    first_ns: int
    last_ns: int


def counted(caps: Caps) -> Counted:
    return "strides" if caps == "gait" else "contractions"


def ceiling_ma(effective: Effective) -> float:
    """The most current of the open-loop stage."""
    return SHARE * effective.limits.current_max_ma


@dataclass(frozen=True, slots=True)
class UnlockStage:
    """How far the staged unlock is, as it is told to screens and recorded."""

    answered: int  # strides or contractions, up to ``needed``
    needed: int
    by: str  # "strides": by itself once they have answered; "person": and somebody unlocks
    full: bool  # feedback and the whole current are allowed
    ceiling_ma: float  # the most current before
    counted: Counted = "strides"


def staged(unlock: Unlock, by: str, effective: Effective, caps: Caps) -> UnlockStage:
    answered = min(unlock.answered, STRIDES)
    return UnlockStage(answered, STRIDES, by, unlock.full, ceiling_ma(effective), counted(caps))


def stage_words(stage: UnlockStage) -> str:
    """The stage in the guard's own words, with what it waits for."""
    if stage.full:
        return "Unlocked: feedback and the whole current are allowed."
    verb = "answered" if stage.counted == "strides" else "given"
    done = f"{stage.answered} of {stage.needed} {stage.counted} {verb}"
    waits = f"{done}; then a person unlocks" if stage.by == "person" else done
    return f"Staged unlock: open loop at no more than {stage.ceiling_ma:g} mA, {waits}."


def refusal(unlock: Unlock, caps: Caps) -> str:
    """Why a person cannot unlock now; empty where they can."""
    if unlock.full:
        return "it is unlocked already"
    if unlock.answered < STRIDES:
        answered = f"{unlock.answered} of {STRIDES}"
        return (
            f"the leg has answered {answered} strides"
            if caps == "gait"
            else f"{answered} contractions were given"
        )
    return ""
