"""Why the guard does not arm: a code and what it names for whoever shows it, and the guard's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RefusalCode = Literal[
    "unanswered",  # a question of the checklist, named
    "checklist",  # an answer that forbids stimulation, its question named
    "state",
    "controller",
    "recorder",
    "button",
    "stimulator",
    "frame",
    "current",
    "sensor",  # named
    "bout",
    "session",
    "heartbeat",
    "supervisor",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """``text`` is for the guard's notes, in English; a screen makes its own words of the others."""

    code: RefusalCode
    text: str
    name: str = ""
    left_s: float | None = None  # of a rest


def joined(why: tuple[Refusal, ...]) -> str:
    return "; ".join(one.text for one in why)
