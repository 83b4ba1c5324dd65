"""What the charts draw of a stride: its curves from the live trace; and the charge of the last minute.

The stride and its figures come with the live feed, measured as in report and exports
(:mod:`controller.record.strides`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from controller.record.live import TracePoint
from controller.record.strides import Stride
from controller.safety.judgement.limits import DOSE_WINDOW_S

NEAR_NS = 100_000_000  # a point further away says nothing of this instant: the curve would be invented
PERCENTS = tuple(range(0, 101, 2))
KEPT_NS = round(DOSE_WINDOW_S * 1e9)


@dataclass(frozen=True, slots=True)
class Curves:
    """One value per two percent of the stride, degrees and mA; None where no point is near, and of the
    reference where it holds nothing."""

    pitch_deg: tuple[float | None, ...]
    reference_deg: tuple[float | None, ...]
    applied_ma: tuple[float | None, ...]


class Trace:
    """The last minute of one arm's live trace."""

    def __init__(self) -> None:
        self._points: deque[TracePoint] = deque()

    def take(self, points: Sequence[TracePoint]) -> None:
        for point in points:
            if self._points and point.charge_uc < self._points[-1].charge_uc:
                self._points.clear()  # the arm's counters began anew
            self._points.append(point)
        while self._points and self._points[-1].t_ns - self._points[0].t_ns > KEPT_NS:
            self._points.popleft()

    @property
    def minute_uc(self) -> float:
        """The charge of the last minute, as the dose limit sums it."""
        return self._points[-1].charge_uc - self._points[0].charge_uc if self._points else 0.0

    def curves(self, stride: Stride) -> Curves:
        points = list(self._points)
        times_ns = [point.t_ns for point in points]
        begin_ns, end_ns = stride.initial_contact_ns, stride.next_initial_contact_ns
        wanted_ns = [begin_ns + (end_ns - begin_ns) * percent // 100 for percent in PERCENTS]
        near = [_nearest(points, times_ns, t_ns) for t_ns in wanted_ns]
        return Curves(
            tuple(None if point is None else point.foot_pitch_deg for point in near),
            tuple(None if point is None else point.reference_pitch_deg for point in near),
            tuple(None if point is None else point.applied_ma or 0.0 for point in near),
        )


def _nearest(points: Sequence[TracePoint], times_ns: Sequence[int], t_ns: int) -> TracePoint | None:
    right = bisect_left(times_ns, t_ns)
    close = points[max(0, right - 1) : right + 1]
    best = min(close, key=lambda point: abs(point.t_ns - t_ns), default=None)
    return best if best is not None and abs(best.t_ns - t_ns) <= NEAR_NS else None
