"""Single test trains at a set current on a leg that stands still: for finding thresholds, a person says when.

Promises one train a request, by a soft ramp, with an end of its own. Refuses to begin or go on while the leg
walks, the control law itself asks for current, or the mode is off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.core.signals import ProbeRequest

RISE_S = 0.5  # soft: nobody should start at it
FALL_S = 0.2
ANSWER_NS = 1_500_000_000  # after a train the foot still falls back
SHANK_STILL_RAD = math.radians(10.0)  # a seated leg turns by less, a step by more (assumed)


def train_s(hold_s: float) -> float:
    """The length of a train that is held for so long."""
    return RISE_S + hold_s + FALL_S


@dataclass(slots=True)
class Probe:
    """The train under way, and how the last one ended."""

    number: int = 0
    current_ma: float = 0.0
    hold_s: float = 0.0
    since_ns: int | None = None
    ended: str = ""  # of request ``number``, in words; empty while it runs
    _answers_until_ns: int = 0
    _shank_rad: float | None = None  # as the first of these trains began

    def ask(self, now_ns: int, request: ProbeRequest) -> None:
        self.number, self.current_ma, self.ended = request.number, request.current_ma, ""
        self.hold_s = request.hold_s
        self.since_ns = now_ns if request.current_ma > 0.0 else None
        if self.since_ns is None:
            self.ended = "stopped"

    def wanted_ma(self, now_ns: int, *, hindered: str) -> float | None:
        """The current of this tick; ``None`` where no train runs. ``hindered`` says why none may."""
        if self.since_ns is None:
            return None
        age_s = (now_ns - self.since_ns) / 1e9
        if hindered:
            self._end(hindered)
            self._answers_until_ns = 0  # the leg's steps count again at once
            return None
        left_s = train_s(self.hold_s) - age_s
        if left_s <= 0.0:
            self._end("given")
            return None
        return self.current_ma * min(1.0, age_s / RISE_S, left_s / FALL_S)

    def answers(self, now_ns: int) -> bool:
        """Whether what the foot does may be its answer to a train: a turn like a swing's, where it hangs."""
        return self.since_ns is not None or now_ns < self._answers_until_ns

    def watch(self, now_ns: int, shank_rad: float | None) -> bool:
        """Whether the shank has turned since these trains began: the leg moves. Asked at every tick."""
        if not self.answers(now_ns):
            self._shank_rad = shank_rad
            return False
        if self.since_ns is not None:
            self._answers_until_ns = now_ns + ANSWER_NS
        if shank_rad is None or self._shank_rad is None or abs(shank_rad - self._shank_rad) < SHANK_STILL_RAD:
            return False
        self._answers_until_ns = 0
        return True

    def _end(self, how: str) -> None:
        self.since_ns, self.ended = None, how
