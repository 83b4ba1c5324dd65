"""Maps a device's own clock to host monotonic time from arrivals that come late, in bursts, but never early.

Pure: arrival times are arguments. Promises a time that never goes back and is never later than the arrival;
refuses to follow single late arrivals: only the earliest ones (the lower envelope) tell the offset. A stamp
far from what its arrival allows moves nothing until the next one confirms it: its bits may have flipped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

BUCKET_NS = 500_000_000  # one envelope point per half second: a radio delivers at least one promptly in it
WINDOW_BUCKETS = 60  # 30 s: long against a burst, short against the thermal drift of a crystal
FIT_SPAN_NS = 3_000_000_000  # below this span the slope would follow jitter, not drift
DRIFT_MAX = 1500e-6  # a wristband was captured at up to 982 ppm from its host (ttktjmt/mudraka, Apache-2.0)
SLEW = 1e-3  # correction per device time beside the drift: spacing stays true to 0.1 %
EARLY_DOUBT_NS = 20_000_000  # earlier than this by one stamp alone: a flipped bit, or all before it were late
EARLY_RESET_NS = 200_000_000  # a sample cannot arrive before it was made: earlier than this, the clock jumped
LATE_RESET_NS = 2_000_000_000  # later than any radio queue
OUTSIDE_BUCKETS = 60  # half a minute beyond the bound: the slope of one window may be a change of the radio's
OUTSIDE = (
    "clock outside bound: it runs more than 1,500 ppm off this computer's, times may be milliseconds off"
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """``t_ns`` on the host's monotonic clock; ``device_ns`` unwrapped, going on across a device reset.

    Where ``doubtful``, the stamp says nothing yet: ``t_ns`` is the arrival, ``device_ns`` follows from it.
    ``reason`` says in words what a sample that is mapped all the same has to be told with, or is empty.
    """

    t_ns: int
    device_ns: int
    reset: bool
    doubtful: bool = False
    reason: str = ""


class DeviceClock:
    """Offset and drift of one device clock that counts ``tick_ns`` steps and wraps at ``wrap``.

    The offset is the line under all (device time, arrival - device time) points of the last 30 s, at the
    edge of their lower convex hull; its slope is held to +-1,500 ppm. The applied offset moves with it and,
    to come to the line, by at most 0.1 % of device time more, but at once down where a sample would be
    mapped past its arrival. Before the first prompt arrival the times are late by that sample's own delay.
    A slope beyond the bound for half a minute is told (``OUTSIDE``); 10 ms of jitter hide 300 ppm.
    """

    def __init__(self, *, wrap: int = 2**32, tick_ns: int = 1000) -> None:
        self._span_ns = wrap * tick_ns
        self._tick_ns = tick_ns
        self._raw_ns: int | None = None
        self._doubted: tuple[int, int, int] | None = None  # stamp, arrival, device time of one not confirmed
        self._device_ns = 0
        self._arrival_ns = 0
        self._t_ns = 0
        self._offset_ns = 0.0
        self._envelope: deque[tuple[int, int]] = deque(maxlen=WINDOW_BUCKETS)
        self._line = (0.0, 0.0)  # slope, offset at device time 0
        self._outside = 0  # refits in a row whose slope was beyond the bound

    def map(self, stamp: int, arrival_ns: int) -> Mapped:
        """Device time stamp to host time, given when it arrived (ns, monotonic, not decreasing)."""
        arrival_ns = max(arrival_ns, self._arrival_ns)
        self._arrival_ns = arrival_ns
        raw_ns = stamp * self._tick_ns
        doubted, self._doubted = self._doubted, None
        reset = False
        if self._raw_ns is None:
            self._restart(0, arrival_ns)
        else:
            elapsed_ns = arrival_ns - round(self._offset_ns) - self._device_ns
            step_ns = self._unwrapped(raw_ns - self._raw_ns, elapsed_ns)
            reset = not -EARLY_RESET_NS <= elapsed_ns - step_ns <= LATE_RESET_NS
            if reset or step_ns - elapsed_ns > EARLY_DOUBT_NS:
                device_ns = self._device_ns + max(elapsed_ns, 0)
                if doubted is None or not self._goes_on(doubted, raw_ns, arrival_ns):
                    self._doubted = (raw_ns, arrival_ns, device_ns)
                    self._t_ns = arrival_ns
                    return Mapped(arrival_ns, device_ns, reset=False, doubtful=True)
            if reset and doubted is not None:
                raw_before_ns, arrival_before_ns, device_before_ns = doubted
                self._restart(device_before_ns, arrival_before_ns)
                since_ns = arrival_ns - arrival_before_ns
                step_ns = self._unwrapped(raw_ns - raw_before_ns, since_ns)
            self._follow(self._device_ns + step_ns, arrival_ns)
        self._raw_ns = raw_ns
        self._t_ns = max(self._t_ns, min(round(self._device_ns + self._offset_ns), arrival_ns))
        reason = OUTSIDE if self._outside >= OUTSIDE_BUCKETS else ""
        return Mapped(self._t_ns, self._device_ns, reset, reason=reason)

    def _unwrapped(self, step_ns: int, elapsed_ns: int) -> int:
        """The step that is nearest to the time elapsed, by whole turns of the counter."""
        half = self._span_ns // 2
        return (step_ns - elapsed_ns + half) % self._span_ns - half + elapsed_ns

    def _goes_on(self, doubted: tuple[int, int, int], raw_ns: int, arrival_ns: int) -> bool:
        """Whether this stamp follows the doubted one as the arrivals do."""
        elapsed_ns = arrival_ns - doubted[1]
        late_ns = elapsed_ns - self._unwrapped(raw_ns - doubted[0], elapsed_ns)
        return -EARLY_DOUBT_NS <= late_ns <= LATE_RESET_NS

    def _restart(self, device_ns: int, arrival_ns: int) -> None:
        self._device_ns = device_ns
        offset = arrival_ns - device_ns
        self._envelope.clear()
        self._envelope.append((device_ns, offset))
        self._offset_ns = float(offset)
        self._line = (0.0, float(offset))
        self._outside = 0

    def _follow(self, device_ns: int, arrival_ns: int) -> None:
        step_ns = max(device_ns - self._device_ns, 0)
        self._device_ns = device_ns
        offset = arrival_ns - device_ns
        point = (device_ns, offset)
        newest = self._envelope[-1]
        if newest[0] // BUCKET_NS == device_ns // BUCKET_NS:
            if offset < newest[1]:
                self._envelope[-1] = point
        elif device_ns > newest[0]:
            self._envelope.append(point)
            slope = _lower_slope(self._envelope)
            self._outside = self._outside + 1 if abs(slope) > DRIFT_MAX else 0
            slope = min(max(slope, -DRIFT_MAX), DRIFT_MAX)
            self._line = slope, min(offset - slope * device for device, offset in self._envelope)
        slope, base = self._line
        limit = SLEW * step_ns
        expected = self._offset_ns + slope * step_ns
        error = base + slope * device_ns - expected
        self._offset_ns = min(expected + min(max(error, -limit), limit), float(offset))


def _lower_slope(points: deque[tuple[int, int]]) -> float:
    """Slope of the line under all points that is closest to them on average; 0 where the span is short."""
    if points[-1][0] - points[0][0] < FIT_SPAN_NS:
        return 0.0
    hull: list[tuple[int, int]] = []
    for point in points:
        while len(hull) >= 2 and _clockwise(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    middle = (points[0][0] + points[-1][0]) / 2
    left, right = next(side for side in pairwise(hull) if side[0][0] <= middle <= side[1][0])
    return (right[1] - left[1]) / (right[0] - left[0])


def _clockwise(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
