"""One arm of a recording in columns: ticks, true body, strides, pulses, and its rungs of the ladder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np
import numpy.typing as npt

from controller.core.control.fallback import RUNGS, Rung
from controller.core.signals import GaitEvent, Mode, View
from controller.record.records import Delivered, GuardEvent, Pulse
from controller.record.stride_state import (
    STATES,
    StrideState,
)
from controller.record.strides import Stride

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
LAWS = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Ticks:
    """The ticks of an arm as columns; NaN where the core did not know."""

    now_ns: Times
    lateness_us: Floats
    duration_us: Floats
    foot_pitch_deg: Floats
    ankle_deg: Floats
    reference_pitch_deg: Floats
    phase_percent: Floats
    commanded_ma: Floats
    rung: Floats  # index in core.ladder.RUNGS while current may flow or a sensor's silence ends it, else NaN
    law: Floats  # index in LAWS of what steered; NaN where nothing was asked for
    swing: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TruthTrace:
    """The virtual body of an arm as columns; empty where the body is real."""

    t_ns: Times
    foot_pitch_deg: Floats
    ankle_deg: Floats
    in_swing: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ArmData:
    """One arm of a trial."""

    mode: str
    label: str
    seed: int | None
    begin_ns: int
    end_ns: int
    ticks: Ticks
    truth: TruthTrace
    strides: int  # as the core counted them
    estimated: tuple[Stride, ...]  # from the core's own events and angles
    true: tuple[Stride, ...]  # from the virtual body
    gait_events: tuple[GaitEvent, ...]
    pulses: tuple[Pulse, ...]
    sensor_to_pulse_ms: Floats
    guard_events: tuple[GuardEvent, ...]
    blocked: dict[str, int]  # frames the guard did not let through, by reason
    missed_ticks: int
    samples_lost: int
    trips: int
    wash_out_strides: int = 0
    armed: bool = True  # whether the guard ever was, where it was heard at all
    blinded: bool = False
    unlifted_swings: int = 0  # as commanded
    delivered: tuple[Delivered, ...] = ()  # what the stimulator measured of the pulses
    lessons: tuple[View, ...] = ()  # what the core believed at the end of each stride

    @property
    def virtual(self) -> bool:
        return len(self.truth.t_ns) > 0 or bool(self.true)

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.begin_ns) / 1e9

    @property
    def walked(self) -> tuple[Stride, ...]:
        """The true strides where the body is virtual, else the estimated ones."""
        return self.true if self.virtual else self.estimated

    @property
    def best(self) -> tuple[Stride, ...]:
        """Those of them that count."""
        return tuple(stride for stride in self.walked if stride.state == "counted")

    @property
    def left_out(self) -> dict[StrideState, int]:
        """How many of them do not count, by why."""
        counts = Counter(stride.state for stride in self.walked)
        return {state: counts[state] for state in STATES if state != "counted" and counts[state]}


@dataclass(frozen=True, slots=True)
class RungChange:
    """A change of rung on the fallback ladder; ``step_ma`` is what the commanded current did at its tick."""

    t_ns: int
    before: Rung
    after: Rung
    current_ma: float
    step_ma: float


def rung_seconds(ticks: Ticks) -> dict[Rung, float]:
    """How long each rung was stood on, in the ticks in which current might flow; rungs in their order."""
    passed_s = np.diff(ticks.now_ns, append=ticks.now_ns[-1:]) / 1e9
    return {rung: float(passed_s[ticks.rung == place].sum()) for place, rung in enumerate(RUNGS)}


def rung_changes(ticks: Ticks) -> tuple[RungChange, ...]:
    """Every change of rung, up and down, with the step of the current in that tick."""
    known = np.flatnonzero(np.isfinite(ticks.rung))
    changes: list[RungChange] = []
    for before, at in pairwise(known):
        if ticks.rung[before] != ticks.rung[at]:
            current_ma = float(ticks.commanded_ma[at])
            step_ma = current_ma - float(ticks.commanded_ma[at - 1])
            names = RUNGS[int(ticks.rung[before])], RUNGS[int(ticks.rung[at])]
            changes.append(RungChange(int(ticks.now_ns[at]), *names, current_ma, step_ma))
    return tuple(changes)
