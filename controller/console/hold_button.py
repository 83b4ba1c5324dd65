"""The button that arms: down, held (again and again), up; a second has to pass between."""

from __future__ import annotations

import time

HOLD_S = 0.9  # one second held, less what two messages may differ in their way here
HOLD_MAX_S = 20.0  # nobody holds longer on purpose


class HoldButton:
    """One person's press, as one page tells it."""

    def __init__(self) -> None:
        self._down_s = 0.0  # 0 while not held

    def held(self, what: object) -> bool:
        """Whether ``what`` says that the button has been held for long enough by now."""
        now_s = time.monotonic()
        if what != "held":
            self._down_s = now_s if what == "down" else 0.0
        return what == "held" and HOLD_S <= now_s - self._down_s <= HOLD_MAX_S
