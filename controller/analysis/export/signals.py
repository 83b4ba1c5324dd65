"""A recording as series of samples by source, with its events and wall clock: for EDF+ and Motion-BIDS."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from controller.analysis.export.sources import Sources
from controller.core.gait.joint_range import possible_ankle_deg, possible_pitch_deg
from controller.record import wall_clock
from controller.record.records import Clock, GuardVerdict, Pulse, Record, Tick
from drivers.interface import MICROVOLTS, EmgFrame

Floats = npt.NDArray[np.float64]
AXES = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
AXIS_UNITS = ("m/s^2",) * 3 + ("rad/s",) * 3
ANGLES, ANGLE_UNITS = ("foot_pitch", "ankle"), ("deg", "deg")
COMMAND = "command"  # a column of current: NaN where it is off
# The control core as a source, and its name where a sensor has that one.
CORE, CORE_OTHERWISE = "core", "controlcore"


@dataclass(slots=True)
class Series:
    """Samples of one source in columns; NaN where not known or not valid."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    points: tuple[str, ...] = ()  # of each column where on the body it is, by its name; empty: of the source
    nominal_hz: float | None = None  # as its driver says
    t_ns: array[int] = field(default_factory=lambda: array("q"))
    rows: array[float] = field(default_factory=lambda: array("d"))

    def add(self, t_ns: int, values: Iterable[float | None]) -> None:
        self.t_ns.append(t_ns)
        self.rows.extend(math.nan if value is None else value for value in values)

    def columns(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """Times in rising order, and the values, one row a time."""
        t_ns = np.frombuffer(self.t_ns, dtype=np.int64)
        values = np.frombuffer(self.rows, dtype=np.float64).reshape(len(t_ns), len(self.names))
        order = np.argsort(t_ns, kind="stable")
        return t_ns[order], values[order]


@dataclass(frozen=True, slots=True)
class Given:
    """A pulse that left, and when the core had decided on its frame."""

    pulse: Pulse
    decided_ns: int

    @property
    def seconds(self) -> float:
        """Of all its phases together, without the pauses between them."""
        return 2.0 * self.pulse.width_us * 1e-6 * self.pulse.cycles

    @property
    def words(self) -> str:
        burst = f" x{self.pulse.cycles}" if self.pulse.cycles > 1 else ""
        return (
            f"pulse {self.pulse.channel} {self.pulse.current_ma:.4g} mA {self.pulse.width_us:.4g} us{burst}"
        )


@dataclass(slots=True)
class Signals:
    """The series by source, the events as (time, kind, text), the facts of the recording's head.

    ``hidden`` leaves out what gives a blinded arm away.
    """

    facts: dict[str, str]
    hidden: bool = False
    imu: dict[str, Series] = field(default_factory=dict)
    emg: dict[str, Series] = field(default_factory=dict)
    core: Series = field(default_factory=lambda: Series((*ANGLES, COMMAND), (*ANGLE_UNITS, "mA")))
    events: list[tuple[int, str, str]] = field(default_factory=list)
    pulses: list[Given] = field(default_factory=list)
    phases: dict[int, float] = field(default_factory=dict)  # of the stride, percent, by the tick's time
    _wall: wall_clock.WallClock = field(default_factory=wall_clock.WallClock)

    def take(self, record: Record) -> None:
        match record:
            case Tick():
                for sample in record.inputs.imu:
                    series = self.imu.setdefault(sample.sensor, Series(AXES, AXIS_UNITS))
                    values = (*sample.acc_mps2, *sample.gyr_rps)
                    series.add(sample.t_ns, values if sample.valid else (None,) * len(AXES))
                for frame in record.inputs.emg:
                    self._take_emg(frame)
                view = record.decision.view
                if view.exercise is not None:
                    self._take_exercise(record, tuple(one.muscle for one in view.exercise.muscles))
                    return
                currents = [one.current_ma for one in record.decision.command.channels if one is not None]
                if view.phase_percent is not None:
                    self.phases[record.now_ns] = view.phase_percent
                angles = possible_pitch_deg(view.foot_pitch_deg), possible_ankle_deg(view.ankle_deg)
                if self.hidden:  # no column of a current: an empty one would say that it was off
                    self.core.names, self.core.units = ANGLES, ANGLE_UNITS
                    self.core.add(record.now_ns, angles)
                    return
                self.core.add(record.now_ns, (*angles, max(currents, default=None)))
            case GuardVerdict() if not self.hidden:
                self.pulses += (Given(pulse, record.t_ns) for pulse in record.pulses)
            case Clock():
                self._wall.take(record)
            case _:
                pass

    def _take_exercise(self, tick: Tick, muscles: tuple[str, ...]) -> None:
        """Each muscle's current in a column, in the order of the programme; no angle is known."""
        if not self.core.t_ns:
            names = tuple(f"{COMMAND}_{number}" for number in range(len(muscles)))
            self.core = Series(names, ("mA",) * len(muscles), muscles)
        channels = tick.decision.command.channels
        self.core.add(tick.now_ns, [None if one is None else one.current_ma for one in channels])

    def _take_emg(self, frame: EmgFrame) -> None:
        if not frame.volts:
            return
        channels = len(frame.volts[0])
        names = tuple(f"emg_{channel}" for channel in range(channels))
        series = self.emg.setdefault(
            frame.sensor, Series(names, ("uV",) * channels, nominal_hz=frame.rate_hz)
        )
        for index, volts in enumerate(frame.volts):
            microvolts = [volt * MICROVOLTS if frame.valid else None for volt in volts]
            series.add(frame.t_ns + round(index * 1e9 / frame.rate_hz), microvolts[: len(series.names)])

    def is_emg(self, series: Series) -> bool:
        return any(series is one for one in self.emg.values())

    def all(self) -> Iterator[tuple[str, Series]]:
        """Every source by its name; a name may come twice where a device gives both movement and EMG."""
        yield from self.imu.items()
        yield from self.emg.items()
        if self.core.t_ns:
            taken = CORE in self.imu or CORE in self.emg
            yield CORE_OTHERWISE if taken else CORE, self.core

    def utc(self, t_ns: int) -> datetime | None:
        return wall_clock.utc(t_ns, self._wall.offset_ns)


def apart(taken: set[str], wanted: str, limit: int) -> str:
    """``wanted``, at most ``limit`` characters, by a number different from those taken; it is taken then.

    Letters alone do not tell two apart by being large or small: not every file system does.
    """
    made, number = wanted[:limit], 1
    while made.casefold() in taken:
        number += 1
        made = f"{wanted[: limit - len(str(number))]}{number}"
    taken.add(made.casefold())
    return made


def measured_hz(at_s: Floats) -> float:
    """The median rate, gaps left aside."""
    steps_s = np.diff(at_s)
    steps_s = steps_s[steps_s > 0.0]
    return 1.0 / float(np.median(steps_s)) if steps_s.size else 1.0


def rate_hz(name: str, series: Series, at_s: Floats, sources: Sources) -> int:
    """The nominal rate: whole samples a second, as EDF wants them."""
    return (
        max(1, round(series.nominal_hz)) if series.nominal_hz else sources.nominal_hz(name, measured_hz(at_s))
    )
