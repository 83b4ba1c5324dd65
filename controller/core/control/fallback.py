"""How much the control may rely on: five rungs, down at once, up only when a new window opens.

Promises that a change of rung while pulses run moves the current no faster than it may rise. Refuses to climb
within a stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rung = Literal["two sensors", "one sensor", "learned command", "trapezoid", "off"]
RUNGS: tuple[Rung, ...] = ("two sensors", "one sensor", "learned command", "trapezoid", "off")

BLEND_NS = 200_000_000  # 40 mA at 1 mA a tick: time enough for any change of law
SURE = 0.35  # a contact less certain than this is a doubt
DOUBTS = 2  # this many in a row, and the phase is not believed any more


@dataclass(frozen=True, slots=True)
class Senses:
    """What can be relied on now."""

    events: bool  # the sensor that shows the events is fresh
    phase: bool  # and the events make ordinary strides
    foot: bool  # the foot's pitch is known and fresh
    shank: bool


def reach(senses: Senses) -> Rung:
    """The highest rung these senses carry."""
    if not senses.events:
        return "off"
    if not senses.phase:
        return "trapezoid"
    if not senses.foot:
        return "learned command"
    return "two sensors" if senses.shank else "one sensor"


@dataclass(slots=True)
class Ladder:
    """Where on the ladder this window is; ``blend_until_ns`` while a change is being smoothed."""

    rung: Rung = "off"
    opened_ns: int | None = None
    blend_until_ns: int = 0
    doubts: int = 0

    def stand(self, now_ns: int, opened_ns: int, senses: Senses) -> Rung:
        """The rung to use at this tick of the window that opened at ``opened_ns``."""
        reached = reach(senses)
        if opened_ns != self.opened_ns:
            self.opened_ns, self.rung = opened_ns, reached
        elif RUNGS.index(reached) > RUNGS.index(self.rung):
            self.rung = reached
            self.blend_until_ns = now_ns + BLEND_NS
        return self.rung

    def doubt(self, *, doubtful: bool) -> None:
        """Take what one event or stride says about the phase."""
        self.doubts = self.doubts + 1 if doubtful else 0

    def blending(self, now_ns: int) -> bool:
        """Whether a change of rung is fresh: the current then moves no faster than it may rise."""
        return now_ns < self.blend_until_ns
