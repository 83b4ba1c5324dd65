"""What the judge wants to know of the core's ticks: which frames were of which mode, when samples came."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.analysis.judge.verdicts import Numbers
from controller.record.records import Tick
from controller.record.table_view import TableView
from drivers.interface import Sample

CLOSED_LOOP = ("feedback", "learning", "as-needed")  # what the sensors show has part in the current
SOURCES = ("imu", "emg")  # of samples, in a tick's inputs


@dataclass(frozen=True, slots=True)
class _Sample:
    sensor: str
    valid: bool = True


@dataclass(frozen=True, slots=True)
class _Inputs:
    imu: tuple[_Sample, ...] = ()
    emg: tuple[_Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class _View:
    mode: str


@dataclass(frozen=True, slots=True)
class _Decision:
    view: _View


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a tick says beside its numbers."""

    inputs: _Inputs
    decision: _Decision


def _times() -> array[int]:
    return array("q")


@dataclass(slots=True)
class CoreTicks:
    """The numbers of frames of mode off and of closed loop; of each sensor, when valid samples arrived and of
    when they were, in ns.
    """

    off: Numbers = field(default_factory=Numbers)
    closed_loop: Numbers = field(default_factory=Numbers)
    arrival_ns: dict[str, array[int]] = field(default_factory=dict)
    sample_ns: dict[str, array[int]] = field(default_factory=dict)

    def take(self, tick: Tick) -> None:
        mode = tick.decision.view.mode
        if mode == "off":
            self.off.add(tick.seq)
        elif mode in CLOSED_LOOP:
            self.closed_loop.add(tick.seq)
        samples: tuple[Sample, ...] = (*tick.inputs.imu, *tick.inputs.emg)
        for sample in samples:
            if sample.valid:
                self._heard(sample.sensor, [sample.arrival_ns], [sample.t_ns])

    def _heard(self, sensor: str, arrival_ns: Iterable[int], sample_ns: Iterable[int]) -> None:
        self.arrival_ns.setdefault(sensor, _times()).extend(arrival_ns)
        self.sample_ns.setdefault(sensor, _times()).extend(sample_ns)

    def take_table(self, view: TableView, wanted: NDArray[np.bool_]) -> bool:
        """Take the ``wanted`` rows of a table of ticks; False where that cannot be, and nothing is taken."""
        frames = view.frames(_Frame)
        if frames is None:
            return False
        found = _samples(view, frames, wanted)
        if found is None:
            return False
        for sensor, arrival_ns, sample_ns in found:
            self._heard(sensor, arrival_ns.tolist(), sample_ns.tolist())
        seqs = view.integers("seq")
        modes = [frame.decision.view.mode for frame in frames]
        for numbers, named in ((self.off, ("off",)), (self.closed_loop, CLOSED_LOOP)):
            of_mode = np.array([mode in named for mode in modes])[view.frame_of]
            _add(numbers, seqs[of_mode & wanted])
        return True


def _add(numbers: Numbers, seqs: NDArray[np.int64]) -> None:
    if len(seqs):
        for run in np.split(seqs, np.flatnonzero(np.diff(seqs) != 1) + 1):
            numbers.add_range(int(run[0]), int(run[-1]))


def _samples(
    view: TableView, frames: list[_Frame], wanted: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.int64], NDArray[np.int64]]] | None:
    """Arrival and time of each valid sample of each sensor; None where they are not found by their names."""
    found = []
    for source in SOURCES:
        told = [getattr(frame.inputs, source) for frame in frames]
        for sensor in {sample.sensor for samples in told for sample in samples}:
            valid = [[sample.valid for sample in samples if sample.sensor == sensor] for samples in told]
            rows, arrival_ns = view.column(f"inputs.{source}[{sensor}].arrival_ns")
            _, sample_ns = view.column(f"inputs.{source}[{sensor}].t_ns")
            counts = np.array([len(flags) for flags in valid])[view.frame_of]
            if not len(rows) == len(sample_ns) == counts.sum():
                return None
            keep = wanted[rows]
            if not all(all(flags) for flags in valid):
                keep &= np.concatenate([valid[place] for place in view.frame_of.tolist()]).astype(bool)
            found.append((sensor, arrival_ns[keep].astype(np.int64), sample_ns[keep].astype(np.int64)))
    return found
