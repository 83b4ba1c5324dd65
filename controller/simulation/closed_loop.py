"""The control core and a virtual patient in one closed loop, without processes, radio or clock.

Promises the same walk for the same inputs, faster than life; refuses nothing. What the core learns it learns
from the patient's sensors, at their rate and late: it never sees the truth that is traced beside it.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.core.core import Core
from controller.core.params import CoreParams, Reference, sample
from controller.core.signals import Decision, Mode, TickInputs
from controller.record.records import Pulse
from controller.record.strides import TickAngles, measure
from drivers.interface import ChannelCommand, ImuSample
from models.patient import VirtualPatient

TICK_S = 0.005
SENSOR_HZ = 60.0  # Movella DOT
LINK_S = 0.020  # sensor to host, as over a 30 ms connection interval
EPOCH_NS = 1_000_000_000  # any time but zero
LATE_SWING = 0.6  # of swing; overshoot is judged after it

Samples = Callable[[ImuSample], ImuSample | None]


@dataclass(frozen=True, slots=True)
class TracePoint:
    """What a tick brought, and beside it the truth; angles in degrees."""

    time_s: float
    current_ma: float | None
    width_us: float
    foot_pitch_deg: float
    ankle_deg: float
    phase_percent: float
    in_swing: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class Stride:
    """One true stride of a rehearsal, measured as any other stride; angles in degrees."""

    end_s: float
    error_rms_deg: float  # true foot pitch against the given reference, in swing
    short_rms_deg: float  # the same of what is below the reference alone
    overshoot_deg: float  # the most above the reference in late swing
    ankle_error_deg: float  # at initial contact, against the reference's ankle there
    ankle_deg: float  # at initial contact
    charge_uc: float  # one phase of every pulse
    forefoot: bool


@dataclass(slots=True)
class Rehearsal:
    """A closed loop that can be walked piece by piece; ``patient`` may be changed between.

    ``spoil`` sees every sample before the core does and may change it, or lose it by ``None``.
    """

    params: CoreParams
    patient: VirtualPatient
    spoil: Samples | None = None
    core: Core = field(init=False)
    trace: list[TracePoint] = field(default_factory=list)
    pulses: list[tuple[float, float, float]] = field(default_factory=list)  # time s, current mA, width us
    ticks: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _air: list[ImuSample] = field(default_factory=list)
    _due_s: float = 0.0
    _others_due_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.core = Core(self.params)
        self._sent = {placement.sensor: 0 for placement in self.params.placements}

    def walk(self, until_s: float) -> None:
        """Live until ``until_s`` seconds of the patient's time."""
        while self.ticks * TICK_S < until_s:
            self.tick(TickInputs(imu=self.arrivals(self.ticks * TICK_S)))

    def reconfigure(self, params: CoreParams) -> None:
        """Walk on with other settings; raises ValueError where the core does not take them now."""
        self.core.reconfigure(params)
        self.params = params

    def to_boundary(self) -> None:
        """Live until the core takes new settings."""
        while not self.core.at_boundary:
            self.tick(TickInputs(imu=self.arrivals(self.ticks * TICK_S)))

    def tick(self, inputs: TickInputs) -> Decision:
        """One deadline: step the core, pulse the muscle when a period has passed."""
        now_s = self.ticks * TICK_S
        self.patient.advance(now_s)
        now_ns = EPOCH_NS + round(now_s * 1e9)
        decision = self.core.step(now_ns, inputs)
        command = decision.command.channels[self.params.pulse.channel]
        if command is not None and now_s >= self._due_s - TICK_S / 10:
            self.patient.pulse(now_s, 0, command.current_ma, command.width_us)
            self.pulses.append((now_s, command.current_ma, command.width_us))
            self._due_s = max(self._due_s + 1.0 / command.rate_hz, now_s + 0.8 / command.rate_hz)
        for index, other in enumerate(decision.command.channels):
            if (
                index != self.params.pulse.channel
                and other is not None
                and self._pulses_now(now_s, other, index)
            ):
                self.patient.pulse(now_s, index, other.current_ma, other.width_us)
        truth = self.patient.truth()
        current_ma, width_us = (None, 0.0) if command is None else (command.current_ma, command.width_us)
        self.trace.append(
            TracePoint(
                now_s,
                current_ma,
                width_us,
                truth.foot_pitch_deg,
                truth.ankle_deg,
                truth.phase_percent,
                truth.in_swing,
                decision,
            )
        )
        self.ticks += 1
        return decision

    def _pulses_now(self, now_s: float, command: ChannelCommand, channel: int) -> bool:
        """Whether a channel beside the first pulses at this deadline."""
        due_s = self._others_due_s.get(channel, 0.0)
        if now_s < due_s - TICK_S / 10:
            return False
        self._others_due_s[channel] = max(due_s + 1.0 / command.rate_hz, now_s + 0.8 / command.rate_hz)
        return True

    def arrivals(self, now_s: float) -> tuple[ImuSample, ...]:
        """The samples that have reached the host by now, in order of their making."""
        for placement in self.params.placements:
            while (at_s := self._sent[placement.sensor] / SENSOR_HZ) <= now_s:
                number = self._sent[placement.sensor]
                self._sent[placement.sensor] += 1
                _, acc, gyr = self.patient.imu(placement.segment, at_s)
                made_ns = EPOCH_NS + round(at_s * 1e9)
                arrival_ns = made_ns + round(LINK_S * 1e9)
                made = ImuSample(placement.sensor, made_ns, arrival_ns, number, acc, gyr)
                kept = self.spoil(made) if self.spoil is not None else made
                if kept is not None:
                    self._air.append(kept)
        now_ns = EPOCH_NS + round(now_s * 1e9)
        ready = tuple([reading for reading in self._air if reading.arrival_ns <= now_ns])
        if ready:
            self._air = [reading for reading in self._air if reading.arrival_ns > now_ns]
        return ready

    def strides(self) -> list[Stride]:
        """The true strides so far, judged against the reference the core was given."""
        return judge(self, self.params.reference)


def judge(walk: Rehearsal, reference: Reference) -> list[Stride]:
    """Every completed true stride against ``reference``, at the phase the body really was in."""
    times_ns = [_ns(point.time_s) for point in walk.trace]
    phase = np.array([point.phase_percent for point in walk.trace])
    wanted = _on_grid(reference.foot_pitch_deg, phase).tolist()
    ticks = [
        TickAngles(t_ns, point.foot_pitch_deg, point.ankle_deg, wanted_deg, point.in_swing)
        for t_ns, point, wanted_deg in zip(times_ns, walk.trace, wanted, strict=True)
    ]
    pulses = [Pulse(_ns(time_s), 0, current_ma, width_us, 0) for time_s, current_ma, width_us in walk.pulses]
    pulses_ns = [pulse.t_ns for pulse in pulses]
    ankle_deg = reference.foot_pitch_deg[-1] - reference.shank_pitch_deg[-1]
    strides: list[Stride] = []
    for true in walk.patient.strides():
        contacts_ns = _ns(true.initial_contact_s), _ns(true.next_initial_contact_s)
        first, last = (bisect_right(times_ns, t_ns) for t_ns in contacts_ns)
        inside = ticks[max(0, first - 1) : last]
        given = slice(*(bisect_left(pulses_ns, t_ns) for t_ns in contacts_ns))
        if not inside:
            continue
        toe_off_ns = _ns(true.toe_off_s)
        stride = measure(*contacts_ns, inside, [toe_off_ns], pulses[given])
        swing = [tick for tick in inside if tick.swing and contacts_ns[0] <= tick.now_ns < contacts_ns[1]]
        errors_deg = np.array([tick.foot_pitch_deg - tick.reference_pitch_deg for tick in swing])
        if stride.swing_pitch_rmse_deg is None or stride.ankle_at_initial_contact_deg is None:
            continue
        late_ns = toe_off_ns + LATE_SWING * (contacts_ns[1] - toe_off_ns)
        late_deg = errors_deg[np.array([tick.now_ns for tick in swing]) > late_ns]
        strides.append(
            Stride(
                end_s=true.next_initial_contact_s,
                error_rms_deg=stride.swing_pitch_rmse_deg,
                short_rms_deg=math.sqrt(float(np.mean(np.minimum(errors_deg, 0.0) ** 2))),
                overshoot_deg=float(late_deg.max()) if late_deg.size else 0.0,
                ankle_error_deg=abs(stride.ankle_at_initial_contact_deg - ankle_deg),
                ankle_deg=stride.ankle_at_initial_contact_deg,
                charge_uc=stride.charge_uc,
                forefoot=true.forefoot_contact,
            )
        )
    return strides


def _ns(time_s: float) -> int:
    return round(time_s * 1e9)


def _on_grid(curve: tuple[float, ...], percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """The reference at phases in percent; a late contact, beyond 100, is held against the curve's start."""
    return np.array([sample(curve, float(value)) for value in percent])


def with_mode(params: CoreParams, mode: Mode) -> CoreParams:
    """The same numbers for another arm of a trial."""
    return dataclasses.replace(params, mode=mode)
