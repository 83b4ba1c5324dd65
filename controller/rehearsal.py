"""The control core and a virtual patient in one closed loop, without processes, radio or clock.

Promises the same walk for the same inputs, faster than life; refuses nothing. What the core learns it learns
from the patient's sensors, at their rate and late: it never sees the truth that is traced beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.core.feedforward import sample
from controller.core.params import CoreParams, Reference
from controller.core.signals import Decision, Mode, TickInputs
from controller.core.step import CoreState, step
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
    """One true stride of a rehearsal; angles in degrees, error against the given reference."""

    end_s: float
    error_rms_deg: float  # true foot pitch against the reference, toe-off to initial contact
    short_rms_deg: float  # the same of what is below the reference alone
    overshoot_deg: float  # the most above the reference in late swing
    ankle_error_deg: float  # at initial contact, against the reference's ankle there
    ankle_deg: float  # at initial contact
    charge_uc: float  # one phase of every pulse since the last contact
    forefoot: bool


@dataclass(slots=True)
class Rehearsal:
    """A closed loop that can be walked piece by piece; ``patient`` and ``params`` may be changed between.

    ``spoil`` sees every sample before the core does and may change it, or lose it by ``None``.
    """

    params: CoreParams
    patient: VirtualPatient
    spoil: Samples | None = None
    state: CoreState = field(init=False)
    trace: list[TracePoint] = field(default_factory=list)
    pulses: list[tuple[float, float, float]] = field(default_factory=list)  # time s, current mA, width us
    ticks: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _air: list[ImuSample] = field(default_factory=list)
    _due_s: float = 0.0
    _others_due_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = CoreState.initial(self.params)
        self._sent = {placement.sensor: 0 for placement in self.params.placements}

    def walk(self, until_s: float) -> None:
        """Live until ``until_s`` seconds of the patient's time."""
        while self.ticks * TICK_S < until_s:
            self.tick(TickInputs(imu=self.arrivals(self.ticks * TICK_S)))

    def tick(self, inputs: TickInputs) -> Decision:
        """One deadline: step the core, pulse the muscle when a period has passed."""
        now_s = self.ticks * TICK_S
        self.patient.advance(now_s)
        now_ns = EPOCH_NS + round(now_s * 1e9)
        decision, self.state = step(now_ns, inputs, self.params, self.state)
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
    time_s = np.array([point.time_s for point in walk.trace])
    pitch = np.array([point.foot_pitch_deg for point in walk.trace])
    phase = np.array([point.phase_percent for point in walk.trace])
    swing = np.array([point.in_swing for point in walk.trace])
    pulse_s = np.array([pulse[0] for pulse in walk.pulses])
    charge_uc = np.array([pulse[1] * pulse[2] / 1e3 for pulse in walk.pulses])
    wanted = _on_grid(reference.foot_pitch_deg, phase)
    ankle_deg = reference.foot_pitch_deg[-1] - reference.shank_pitch_deg[-1]
    strides: list[Stride] = []
    for true in walk.patient.strides():
        inside = (time_s >= true.toe_off_s) & (time_s < true.next_initial_contact_s) & swing
        if not inside.any():
            continue
        error = pitch[inside] - wanted[inside]
        share = (time_s[inside] - true.toe_off_s) / (true.next_initial_contact_s - true.toe_off_s)
        late = error[share > LATE_SWING]
        given = (pulse_s >= true.initial_contact_s) & (pulse_s < true.next_initial_contact_s)
        contact = int(np.searchsorted(time_s, true.next_initial_contact_s)) - 1
        ankle = walk.trace[contact].ankle_deg
        strides.append(
            Stride(
                end_s=true.next_initial_contact_s,
                error_rms_deg=math.sqrt(float(np.mean(error**2))),
                short_rms_deg=math.sqrt(float(np.mean(np.minimum(error, 0.0) ** 2))),
                overshoot_deg=float(late.max()) if late.size else 0.0,
                ankle_error_deg=abs(ankle - ankle_deg),
                ankle_deg=ankle,
                charge_uc=float(charge_uc[given].sum()) if given.size else 0.0,
                forefoot=true.forefoot_contact,
            )
        )
    return strides


def _on_grid(curve: tuple[float, ...], percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """The reference at phases in percent; a late contact, beyond 100, is held against the curve's start."""
    return np.array([sample(curve, float(value)) for value in percent])


def with_mode(params: CoreParams, mode: Mode) -> CoreParams:
    """The same numbers for another arm of a trial."""
    return dataclasses.replace(params, mode=mode)
