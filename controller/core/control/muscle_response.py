"""What the identified muscle should be doing now, from the currents really commanded.

Promises a torque that lags the commands as the model says; refuses nothing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from controller.core.params import MuscleModel

LONGEST_STEP_S = 0.5


@dataclass(slots=True)
class MuscleWatch:
    """The Hammerstein muscle's second-order lag behind its delay, stepped by real elapsed time."""

    muscle: MuscleModel
    hold_s: float
    torque_nm: float = 0.0
    _first_nm: float = 0.0
    _now_nm: float = 0.0  # command that has passed the delay
    _last_ns: int | None = None
    _queue: deque[tuple[int, float]] = field(default_factory=deque)

    def note(self, now_ns: int, command_nm: float) -> float:
        """Take the command of this tick; returns the torque in Nm expected now."""
        if self._last_ns is not None:
            self._advance(self._last_ns, now_ns)
        self._last_ns = now_ns
        self._queue.append((now_ns + int((self.muscle.delay_s + self.hold_s) * 1e9), command_nm))
        return self.torque_nm

    def _advance(self, from_ns: int, to_ns: int) -> None:
        at_ns = from_ns
        while self._queue and self._queue[0][0] <= to_ns:
            due_ns, command_nm = self._queue.popleft()
            self._lag((due_ns - at_ns) / 1e9)
            at_ns, self._now_nm = max(at_ns, due_ns), command_nm
        self._lag((to_ns - at_ns) / 1e9)

    def _lag(self, dt_s: float) -> None:
        if dt_s <= 0.0:
            return
        dt_s = min(dt_s, LONGEST_STEP_S)
        decay = math.exp(-self.muscle.bandwidth_rps * dt_s)
        drag = self.muscle.bandwidth_rps * dt_s * decay
        self.torque_nm = decay * self.torque_nm + drag * self._first_nm + (1.0 - decay - drag) * self._now_nm
        self._first_nm = decay * self._first_nm + (1.0 - decay) * self._now_nm
