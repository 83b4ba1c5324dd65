"""Single test trains at a set current on a leg that stands still: for finding thresholds, a person says when.

Promises one train a request, by a soft ramp, with an end of its own. Refuses to begin or go on while the leg
walks, the control law itself asks for current, or the mode is off.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.signals import ProbeRequest

RISE_S = 0.5  # soft: nobody should start at it
FALL_S = 0.2


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
            return None
        left_s = train_s(self.hold_s) - age_s
        if left_s <= 0.0:
            self._end("given")
            return None
        return self.current_ma * min(1.0, age_s / RISE_S, left_s / FALL_S)

    def _end(self, how: str) -> None:
        self.since_ns, self.ended = None, how
