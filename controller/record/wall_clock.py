"""The wall clock of a recording: what UTC its monotonic times stand for, where that is known.

A rig without a battery-backed clock says 1970 or 1980 until the network sets it: such a time is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from controller.record.records import Clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Older than this software, or than anybody's who reads it: a clock that was not set.
SET_FROM_NS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 10**9
SET_UNTIL_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def offset_ns(clock: Clock) -> int | None:
    """UTC minus monotonic, nanoseconds; None where the wall clock was not set."""
    if not SET_FROM_NS <= clock.utc_ns < SET_UNTIL_NS:
        return None
    return clock.utc_ns - clock.monotonic_ns


def first_offset_ns(clocks: Iterable[Clock]) -> int | None:
    """That of the first pair whose wall clock was set: what came before it is dated by it too."""
    return next((told for clock in clocks if (told := offset_ns(clock)) is not None), None)


def utc(t_ns: int, offset: int | None) -> datetime | None:
    """A monotonic time as UTC; None where the offset is not known."""
    try:
        return None if offset is None else EPOCH + timedelta(microseconds=(t_ns + offset) // 1000)
    except OverflowError:
        return None
