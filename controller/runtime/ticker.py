"""Absolute deadlines on an asyncio loop: a missed tick is skipped and counted, never caught up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from controller.safety.judgement.wire import FRAME_GAP_MIN_NS

OnTick = Callable[[int, int], None]  # (deadline number, deadline_ns)


def wait_ns(now_ns: int, stepped_ns: int, deadline_ns: int | None = None) -> int | None:
    """How long a step still has to wait, so that two are never closer than the guard allows (F24); 0: now.

    A step for samples that have arrived says which deadline comes next: ``None`` where that one is near
    enough to take them along.
    """
    left_ns = max(0, stepped_ns + FRAME_GAP_MIN_NS - now_ns)
    if deadline_ns is not None and deadline_ns < now_ns + left_ns + FRAME_GAP_MIN_NS:
        return None
    return left_ns


class Ticker:
    """Calls ``on_tick`` at every ``period_ns`` from the first multiple on; ``missed`` counts the skipped."""

    def __init__(self, period_ns: int, on_tick: OnTick) -> None:
        self._period_ns = period_ns
        self._on_tick = on_tick
        self._start_ns = 0
        self._number = 0
        self._handle: asyncio.TimerHandle | None = None
        self.missed = 0

    @property
    def number(self) -> int:
        """Number of the deadline that was last served."""
        return self._number

    @property
    def next_ns(self) -> int:
        """The next deadline."""
        return self._start_ns + (self._number + 1) * self._period_ns

    def start(self) -> None:
        self._start_ns = time.monotonic_ns()
        self._arm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        self._handle = asyncio.get_running_loop().call_at(self.next_ns / 1e9, self._wake)

    def _wake(self) -> None:
        due = (time.monotonic_ns() - self._start_ns) // self._period_ns
        self.missed += max(0, due - self._number - 1)
        self._number = max(due, self._number + 1)
        self._on_tick(self._number, self._start_ns + self._number * self._period_ns)
        self._arm()
