"""Strides from the live trace: the figures and curves of each, and the charge of the last minute.

Promises figures of whole strides between two initial contacts, in bounded space. Refuses to make a stride of
a pause or of a gap in the data.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.core.signals import GaitEvent
from controller.record.live import TracePoint
from controller.safety.limits import DOSE_WINDOW_S

STRIDE_MAX_NS = 3_000_000_000  # a longer pause between initial contacts is a stop
GAP_MAX_NS = 200_000_000  # two points further apart: the curve between them would be invented
PERCENTS = tuple(range(0, 101, 2))
KEPT_NS = round(DOSE_WINDOW_S * 1e9)


@dataclass(frozen=True, slots=True)
class StrideFigures:
    """One stride from contact to contact. Degrees, mA, microcoulomb; curves one value per two percent."""

    number: int
    end_ns: int
    duration_s: float
    swing_percent: float
    foot_pitch_at_contact_deg: float | None
    ankle_at_contact_deg: float | None
    swing_error_deg: float | None  # r.m.s. of pitch against reference
    charge_uc: float
    pitch_deg: tuple[float | None, ...]
    applied_ma: tuple[float, ...]


class Strides:
    """Takes trace and events as they come; gives each stride when it is complete."""

    def __init__(self) -> None:
        self._points: deque[TracePoint] = deque()
        self._contact_ns: int | None = None
        self._number = 0

    def take(self, points: Sequence[TracePoint], events: Sequence[GaitEvent]) -> list[StrideFigures]:
        """The strides these events complete."""
        for point in points:
            if self._points and point.charge_uc < self._points[-1].charge_uc:
                self._points.clear()  # the arm's counters began anew
                self._contact_ns, self._number = None, 0
            self._points.append(point)
        while self._points and self._points[-1].t_ns - self._points[0].t_ns > KEPT_NS:
            self._points.popleft()
        found: list[StrideFigures] = []
        for event in events:
            if event.kind != "initial_contact":
                continue
            begin_ns, self._contact_ns = self._contact_ns, event.t_ns
            if begin_ns is not None and 0 < event.t_ns - begin_ns <= STRIDE_MAX_NS:
                stride = self._stride(begin_ns, event.t_ns)
                if stride is not None:
                    found.append(stride)
        return found

    @property
    def minute_uc(self) -> float:
        """The charge of the last minute, as the dose limit sums it."""
        return self._points[-1].charge_uc - self._points[0].charge_uc if self._points else 0.0

    def _stride(self, begin_ns: int, end_ns: int) -> StrideFigures | None:
        points = list(self._points)
        times_ns = [point.t_ns for point in points]
        first, last = bisect_left(times_ns, begin_ns), bisect_right(times_ns, end_ns)
        inside = points[first:last]
        if len(inside) < 2 or first == 0:
            return None
        if max(b.t_ns - a.t_ns for a, b in pairwise(inside)) > GAP_MAX_NS:
            return None
        self._number += 1
        errors = [
            point.foot_pitch_deg - point.reference_pitch_deg
            for point in inside
            if point.swing and point.foot_pitch_deg is not None and point.reference_pitch_deg is not None
        ]
        at = [first + _nearest(times_ns[first:last], _at(begin_ns, end_ns, percent)) for percent in PERCENTS]
        return StrideFigures(
            number=self._number,
            end_ns=end_ns,
            duration_s=(end_ns - begin_ns) / 1e9,
            swing_percent=100.0 * sum(point.swing for point in inside) / len(inside),
            foot_pitch_at_contact_deg=inside[-1].foot_pitch_deg,
            ankle_at_contact_deg=inside[-1].ankle_deg,
            swing_error_deg=math.sqrt(sum(e * e for e in errors) / len(errors)) if errors else None,
            charge_uc=inside[-1].charge_uc - points[first - 1].charge_uc,
            pitch_deg=tuple(points[index].foot_pitch_deg for index in at),
            applied_ma=tuple(points[index].applied_ma or 0.0 for index in at),
        )


def _at(begin_ns: int, end_ns: int, percent: int) -> int:
    return begin_ns + (end_ns - begin_ns) * percent // 100


def _nearest(times_ns: Sequence[int], t_ns: int) -> int:
    right = min(bisect_left(times_ns, t_ns), len(times_ns) - 1)
    left = max(0, right - 1)
    return left if t_ns - times_ns[left] <= times_ns[right] - t_ns else right
