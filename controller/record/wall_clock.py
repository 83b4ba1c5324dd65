"""The wall clock of a recording: what UTC its monotonic times stand for, where that is known.

A rig without a battery-backed clock says 1970 or 1980 until the network sets it: such a time is none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.record.records import Clock

CLOCK_PERIOD_S = 1.0  # from one noted pair of wall clock and monotonic to the next
CLOCK_JUMP_NS = 50_000_000  # since the last pair: a clock that is slewed gains half a millisecond in a second

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Older than this software, or than anybody's who reads it: a clock that was not set.
SET_FROM_NS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 10**9
SET_UNTIL_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def offset_ns(clock: Clock) -> int | None:
    """UTC minus monotonic, nanoseconds; None where the wall clock was not set."""
    if not SET_FROM_NS <= clock.utc_ns < SET_UNTIL_NS:
        return None
    return clock.utc_ns - clock.monotonic_ns


@dataclass(slots=True)
class WallClock:
    """UTC minus monotonic as it was after the clock was set for the last time: it dates a whole recording.

    A rig without a battery begins in 1970, or where it was shut down, and jumps when it is told the time.
    """

    offset_ns: int | None = None
    _last_ns: int = 0  # the newest pair's; a clock that is slewed drifts away from the one that counts

    def take(self, clock: Clock) -> None:
        if (told_ns := offset_ns(clock)) is None:
            return
        if self.offset_ns is None or abs(told_ns - self._last_ns) > CLOCK_JUMP_NS:
            self.offset_ns = told_ns
        self._last_ns = told_ns


def settled_offset_ns(clocks: Iterable[Clock]) -> int | None:
    """That of a whole recording; None where the clock was never set."""
    wall = WallClock()
    for clock in clocks:
        wall.take(clock)
    return wall.offset_ns


def utc(t_ns: int, offset: int | None) -> datetime | None:
    """A monotonic time as UTC; None where the offset is not known."""
    try:
        return None if offset is None else EPOCH + timedelta(microseconds=(t_ns + offset) // 1000)
    except OverflowError:
        return None


def clock_now() -> Clock:
    """The same instant on the three clocks."""
    return Clock(time.monotonic_ns(), time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def clock_due(noted: Clock, clock: Clock) -> bool:
    """Whether to note ``clock`` after ``noted``: a second has passed, or the wall clock was set."""
    passed_ns = clock.monotonic_ns - noted.monotonic_ns
    jumped_ns = clock.utc_ns - noted.utc_ns - passed_ns
    return passed_ns >= CLOCK_PERIOD_S * 1e9 or abs(jumped_ns) > CLOCK_JUMP_NS
