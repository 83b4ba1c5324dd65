"""Counts and times the notifications of a device that has no counter but rotates its characteristics.

Pure: arrival times are arguments. The rotation tells the count modulo one cycle. Whole cycles are told by
time alone: a lost cycle and a host that stood still look the same, as later arrivals are late by that much,
until one arrives promptly. What cannot be told yet is ``doubtful``; a loss that was none is taken back.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass

from drivers.clock import DeviceClock

# In one second at least one notification of a live link is prompt, so what all of them are late is lost time.
LATENESS_WINDOW_NS = 1_000_000_000
PROMPT_WINDOWS = (
    5  # windows over which the promptest arrival is remembered: 1,500 ppm of drift are 7.5 ms in it
)
CONFIRM_NS = (
    10_000_000_000  # without an arrival too early for it, a loss was one: no host stands still so long
)
NEVER_NS = 2**62
DOUBT_AFTER_NS = 200_000_000  # without a prompt arrival; a burst of a healthy radio is over by then
# Why a sample's place in time may be wrong, or is not told
DOUBTFUL = "notifications late or lost: place in time uncertain by whole cycles of the device's numbering"
REPEATED = "counted anew: what was taken for lost was only late"


@dataclass(frozen=True, slots=True)
class Counted:
    """Place of one notification: ``count`` since the first, ``t_ns`` on the host's monotonic clock.

    ``doubtful``: both may be wrong by whole cycles. ``repeated``: a loss was taken back, and until the count
    has caught up with what was told before, it stands still. ``reason`` says in words what a sample with
    this place has to be told with, or is empty.
    """

    count: int
    t_ns: int
    doubtful: bool = False
    repeated: bool = False
    reason: str = ""


class RotationClock:
    """Count and host time of notifications on ``cycle`` characteristics in turn, ``period_ns`` apart.

    The count never goes back, the time neither. Lateness is measured against the promptest arrival of the
    last seconds; when a whole second was late by a cycle or more, that much counts as lost. An arrival that
    would then be too early by more than half a cycle proves that the host was late: the loss is taken back.
    """

    def __init__(self, *, period_ns: int, cycle: int) -> None:
        self._period_ns = period_ns
        self._cycle = cycle
        self._cycle_ns = cycle * period_ns
        self._clock = DeviceClock(wrap=2**62, tick_ns=1)
        self._kept_clock = self._clock  # as it was before a loss was assumed
        self._count: int | None = None
        self._told = Counted(-1, 0)
        self._slot = 0
        self._arrival_ns = 0
        self._window_ns, self._in_window = NEVER_NS, 0  # least (arrival - count x period) of this window
        self._prompt_ns: deque[int] = deque(maxlen=PROMPT_WINDOWS)  # of each window before
        self._assumed = 0  # cycles taken for lost and not confirmed
        self._assumed_ns = 0  # since when
        self._timely_ns = 0  # when the last prompt notification arrived

    def restart(self) -> None:
        """The device starts its rotation anew; the next count follows from the time that passed.

        That is a guess, off by what the last arrival was late: what was known of offset and drift is not of
        the new count, and would be left at a millisecond a second.
        """
        self._clock = DeviceClock(wrap=2**62, tick_ns=1)
        self._slot = -1
        self._prompt_ns.clear()
        self._assumed = 0
        self._begin_window()

    def step(self, slot: int, arrival_ns: int) -> Counted:
        """The notification that came on characteristic ``slot`` (0 to ``cycle`` - 1)."""
        if self._count is None:
            self._count = slot
        elif self._slot < 0:
            self._count += max(round((arrival_ns - self._arrival_ns) / self._period_ns), 1)
        else:
            self._count += (slot - self._slot - 1) % self._cycle + 1
        self._slot, self._arrival_ns = slot, arrival_ns
        count = self._judged(self._count, arrival_ns)
        self._count = count
        mapped = self._clock.map(count * self._period_ns, arrival_ns)
        t_ns = max(mapped.t_ns, self._told.t_ns)
        repeated = count <= self._told.count
        doubtful = self._assumed > 0 or arrival_ns - self._timely_ns > DOUBT_AFTER_NS
        reason = DOUBTFUL if doubtful else mapped.reason
        self._told = Counted(max(count, self._told.count), t_ns, doubtful, repeated, reason)
        return self._told

    def _judged(self, count: int, arrival_ns: int) -> int:
        """``count`` with whole cycles added that are lost, or taken back that were not."""
        offset_ns = arrival_ns - count * self._period_ns
        prompt_ns = min(self._prompt_ns, default=None)
        if prompt_ns is None or offset_ns - prompt_ns <= self._cycle_ns / 2:
            self._timely_ns = arrival_ns
        if self._assumed and prompt_ns is not None:
            early = round((prompt_ns - offset_ns) / self._cycle_ns)
            if early > 0:
                return self._take_back(count, min(early, self._assumed), arrival_ns)
            if arrival_ns - self._assumed_ns > CONFIRM_NS:
                self._assumed = 0
                self._begin_window()
        self._window_ns = min(self._window_ns, offset_ns)
        self._in_window += 1
        if self._in_window * self._period_ns < LATENESS_WINDOW_NS:
            return count
        least_ns = self._window_ns
        self._begin_window()
        lost = 0 if prompt_ns is None else round((least_ns - prompt_ns) / self._cycle_ns)
        if lost > 0:
            if not self._assumed:
                self._kept_clock = copy.deepcopy(self._clock)
            self._assumed, self._assumed_ns = self._assumed + lost, arrival_ns
            return count + lost * self._cycle
        if not self._assumed:  # what may be wrong by a cycle is no measure of promptness
            self._prompt_ns.append(least_ns)
        return count

    def _take_back(self, count: int, cycles: int, arrival_ns: int) -> int:
        """The host was late: the clock goes on from where it was before."""
        self._assumed -= cycles
        self._assumed_ns = arrival_ns
        self._timely_ns = arrival_ns
        self._clock = copy.deepcopy(self._kept_clock)
        self._begin_window()
        return count - cycles * self._cycle

    def _begin_window(self) -> None:
        self._window_ns, self._in_window = NEVER_NS, 0
