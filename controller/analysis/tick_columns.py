"""A table of ticks in the columns that an arm is made of; controller.analysis.arms takes single ones, too."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.analysis.arm_columns import LAWS
from controller.core.control.fallback import RUNGS
from controller.core.gait.joint_range import ANKLE_RANGE_DEG, SEGMENT_RANGE_DEG
from controller.core.signals import EventKind, GaitEvent, Mode
from controller.record.stride_state import law
from controller.record.table_view import TableView

SILENT = "sensor silent"  # how the core's reason ends when the leading sensor is not heard
COMMAND, VIEW, EVENT = "decision.command.channels[]", "decision.view", "decision.events[]"


@dataclass(frozen=True, slots=True)
class _Sample:
    sensor: str


@dataclass(frozen=True, slots=True)
class _EmgFrame:
    sensor: str
    volts: tuple[Any, ...] = ()  # Any: only their number counts


@dataclass(frozen=True, slots=True)
class _Inputs:
    imu: tuple[_Sample, ...] = ()
    emg: tuple[_EmgFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class _Command:
    channels: tuple[dict[str, float] | None, ...]

    @property
    def asked(self) -> bool:
        return any(channel is not None for channel in self.channels)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: EventKind


@dataclass(frozen=True, slots=True)
class _View:
    mode: Mode
    swing: bool
    rung: str = "off"


@dataclass(frozen=True, slots=True)
class _Decision:
    command: _Command
    reason: str
    events: tuple[_Event, ...]
    view: _View


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a tick says beside its numbers."""

    inputs: _Inputs
    decision: _Decision


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Ticks of one table. ``rows``: the columns of arm_columns.Ticks after its first; ``seqs`` by sensor: the
    number of the first sample of each message of samples, and how many samples it has.
    """

    places: NDArray[np.int64]  # rows of the table
    now_ns: NDArray[np.int64]
    rows: NDArray[np.float64]
    strides: NDArray[np.int64]
    deadlines: NDArray[np.int64]
    frame_seqs: NDArray[np.int64]
    newest_imu_ns: NDArray[np.int64]  # 0 where no inertial sample came
    events: list[GaitEvent]
    seqs: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    mode: str  # of the last


def rung_place(rung: str, reason: str, *, stimulated: bool) -> float:
    """The rung's place; "off" only where a silent sensor ends the pulses, for a closed window is no fault."""
    if stimulated and rung in RUNGS:
        return float(RUNGS.index(rung))
    return float(RUNGS.index("off")) if reason.endswith(SILENT) else math.nan


def law_place(mode: str, rung: str, *, asked: bool) -> float:
    """The law's place; NaN where nothing was asked for."""
    steered = law(mode, rung, asked=asked)
    return math.nan if steered is None else float(LAWS.index(steered))


def tick_columns(view: TableView, wanted: NDArray[np.bool_]) -> TickColumns | None:
    """The ``wanted`` rows; None where the table cannot be taken by columns."""
    frames = view.frames(_Frame)
    if frames is None or not wanted.any():
        return None
    seqs = _seqs(view, frames, wanted)
    if seqs is None:
        return None

    def by_frame(values: Iterable[float]) -> NDArray[np.float64]:
        return np.array(list(values), dtype=np.float64)[view.frame_of]

    told = [frame.decision for frame in frames]
    rows = np.column_stack(
        (
            view.floats("lateness_us"),
            view.floats("duration_us"),
            _within(view.floats(f"{VIEW}.foot_pitch_deg"), SEGMENT_RANGE_DEG["foot"]),
            _within(view.floats(f"{VIEW}.ankle_deg"), ANKLE_RANGE_DEG),
            view.floats(f"{VIEW}.reference_pitch_deg"),
            view.floats(f"{VIEW}.phase_percent"),
            view.largest(f"{COMMAND}.current_ma", 0.0),
            by_frame(rung_place(one.view.rung, one.reason, stimulated=one.command.asked) for one in told),
            by_frame(law_place(one.view.mode, one.view.rung, asked=one.command.asked) for one in told),
            by_frame(float(one.view.swing) for one in told),
        )
    )
    newest_ns = np.zeros(len(view.frame_of), np.int64)
    for sensor in {sample.sensor for frame in frames for sample in frame.inputs.imu}:
        places, arrival_ns = view.column(f"inputs.imu[{sensor}].arrival_ns")
        np.maximum.at(newest_ns, places, arrival_ns.astype(np.int64))
    found = np.flatnonzero(wanted)
    return TickColumns(
        found,
        view.integers("now_ns")[found],
        rows[found],
        view.integers(f"{VIEW}.strides")[found],
        view.integers("deadline")[found],
        view.integers("seq")[found],
        newest_ns[found],
        _events(view, frames, wanted),
        seqs,
        frames[view.frame_of[found[-1]]].decision.view.mode,
    )


def _within(angle_deg: NDArray[np.float64], range_deg: tuple[float, float]) -> NDArray[np.float64]:
    possible = (angle_deg >= range_deg[0]) & (angle_deg <= range_deg[1])
    return np.where(possible, angle_deg, np.nan)


def _events(view: TableView, frames: list[_Frame], wanted: NDArray[np.bool_]) -> list[GaitEvent]:
    places, t_ns = view.column(f"{EVENT}.t_ns")
    _, emitted_ns = view.column(f"{EVENT}.emitted_ns")
    _, confidence = view.column(f"{EVENT}.confidence")
    several = np.flatnonzero(np.array([bool(frame.decision.events) for frame in frames])[view.frame_of])
    kinds = [one.kind for row in several for one in frames[view.frame_of[row]].decision.events]
    return [
        GaitEvent(kind, int(at_ns), int(told_ns), float(sure))
        for kind, row, at_ns, told_ns, sure in zip(
            kinds, places.tolist(), t_ns.tolist(), emitted_ns.tolist(), confidence.tolist(), strict=True
        )
        if wanted[row]
    ]


def _seqs(
    view: TableView, frames: list[_Frame], wanted: NDArray[np.bool_]
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] | None:
    found = {}
    for source in ("imu", "emg"):
        told: list[list[tuple[str, int]]] = [
            [(one.sensor, 1) for one in frame.inputs.imu]
            if source == "imu"
            else [(one.sensor, max(1, len(one.volts))) for one in frame.inputs.emg]
            for frame in frames
        ]
        for sensor in {name for samples in told for name, _ in samples}:
            counts = [[count for name, count in samples if name == sensor] for samples in told]
            places, seqs = view.column(f"inputs.{source}[{sensor}].seq")
            if len(places) != sum(len(counts[frame]) for frame in view.frame_of.tolist()):
                return None
            each = np.concatenate([counts[frame] for frame in view.frame_of.tolist()]).astype(np.int64)
            keep = wanted[places]
            found[sensor] = seqs[keep].astype(np.int64), each[keep]
    return found
