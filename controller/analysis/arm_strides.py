"""The strides of an arm from its gait events, ticks and pulses, and what each was given."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

import numpy as np

from controller.analysis.arm_columns import Ticks
from controller.core.signals import GaitEvent
from controller.record.records import Pulse
from controller.record.strides import Stride, TickAngles, dose, is_stride, measure


def estimated_strides(events: list[GaitEvent], ticks: Ticks, pulses: Sequence[Pulse]) -> Iterator[Stride]:
    """Strides between the initial contacts the core found, with its own angles."""
    contacts_ns = [event.t_ns for event in events if event.kind == "initial_contact"]
    toe_offs_ns = [event.t_ns for event in events if event.kind == "toe_off"]
    columns = (ticks.now_ns, ticks.foot_pitch_deg, ticks.ankle_deg, ticks.reference_pitch_deg, ticks.swing)
    for begin_ns, end_ns in pairwise(contacts_ns):
        if not is_stride(begin_ns, end_ns) or len(ticks.now_ns) == 0:
            continue
        first, last = np.searchsorted(ticks.now_ns, (begin_ns, end_ns), side="right")
        rows = zip(*(column[max(0, first - 1) : max(1, last)].tolist() for column in columns), strict=True)
        inside = _inside(begin_ns, end_ns, pulses)
        yield measure(begin_ns, end_ns, [TickAngles(*row) for row in rows], toe_offs_ns, inside)


def _inside(begin_ns: int, end_ns: int, pulses: Sequence[Pulse]) -> Sequence[Pulse]:
    """Those of a stride; ``pulses`` in order of time."""
    first, last = (bisect_left(pulses, t_ns, key=attrgetter("t_ns")) for t_ns in (begin_ns, end_ns))
    return pulses[first:last]


def with_dose(stride: Stride, pulses: Sequence[Pulse]) -> Stride:
    begin_ns, end_ns = stride.initial_contact_ns, stride.next_initial_contact_ns
    charge_uc, count, current_max_ma = dose(begin_ns, end_ns, _inside(begin_ns, end_ns, pulses))
    return replace(stride, charge_uc=charge_uc, pulses=count, current_max_ma=current_max_ma)
