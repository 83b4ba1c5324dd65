"""The control core and a virtual patient in one closed loop, without processes, radio or clock.

Promises the same walk for the same inputs, faster than life; refuses nothing. What the core learns it learns
from the patient's sensors, at their rate and late: it never sees the truth that is traced beside it.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from controller.core.control.assistance import asked_reference
from controller.core.params import CoreParams, Reference, sample
from controller.core.signals import Decision, Mode, TickInputs
from controller.record import strides as record
from controller.record.records import Pulse
from controller.simulation.loop import EPOCH_NS, LINK_S, SENSOR_HZ, TICK_S, Loop
from models.patient import TrueStride, VirtualPatient

__all__ = ["EPOCH_NS", "LINK_S", "SENSOR_HZ", "TICK_S"]  # of the loop, for those who rehearse
LATE_SWING = 0.6  # of swing; overshoot is judged after it


class BodyTick(NamedTuple):
    """The true body at one deadline; angles in degrees."""

    time_s: float
    foot_pitch_deg: float
    ankle_deg: float
    phase_percent: float
    in_swing: bool


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
class Rehearsal(Loop):
    """A closed loop that can be walked piece by piece; ``patient`` may be changed between.

    ``spoil`` sees every sample before the core does and may change it, or lose it by ``None``.
    """

    trace: list[TracePoint] = field(default_factory=list)

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
        self._stimulate(now_s, decision.command.channels)
        command = decision.command.channels[self.params.pulse.channel]
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

    def body(self) -> list[BodyTick]:
        """The true body at every deadline so far."""
        return [
            BodyTick(p.time_s, p.foot_pitch_deg, p.ankle_deg, p.phase_percent, p.in_swing) for p in self.trace
        ]

    def strides(self) -> list[Stride]:
        """The true strides so far, judged against the reference the core was given."""
        return judge(self, asked_reference(self.params))


class Walked(Protocol):
    """A loop that has been walked, whatever else it kept."""

    patient: VirtualPatient
    pulses: list[tuple[float, float, float]]

    def body(self) -> list[BodyTick]: ...


class TrueMeasure(NamedTuple):
    """One completed true stride: as the body tells it, as any stride is measured, and its swing's errors."""

    true: TrueStride
    stride: record.Stride
    swing_ns: list[int]
    errors_deg: NDArray[np.float64]  # foot pitch above the reference at these times


def measured(walk: Walked, reference: Reference) -> list[TrueMeasure]:
    """Every completed true stride against ``reference``, at the phase the body really was in."""
    body = walk.body()
    times_ns = [_ns(tick.time_s) for tick in body]
    phase = np.array([tick.phase_percent for tick in body])
    wanted = _on_grid(reference.foot_pitch_deg, phase).tolist()
    ticks = [
        record.TickAngles(t_ns, tick.foot_pitch_deg, tick.ankle_deg, wanted_deg, tick.in_swing)
        for t_ns, tick, wanted_deg in zip(times_ns, body, wanted, strict=True)
    ]
    pulses = [Pulse(_ns(time_s), 0, current_ma, width_us, 0) for time_s, current_ma, width_us in walk.pulses]
    pulses_ns = [pulse.t_ns for pulse in pulses]
    found: list[TrueMeasure] = []
    for true in walk.patient.strides():
        contacts_ns = _ns(true.initial_contact_s), _ns(true.next_initial_contact_s)
        first, last = (bisect_right(times_ns, t_ns) for t_ns in contacts_ns)
        inside = ticks[max(0, first - 1) : last]
        given = slice(*(bisect_left(pulses_ns, t_ns) for t_ns in contacts_ns))
        if not inside:
            continue
        stride = record.measure(*contacts_ns, inside, [_ns(true.toe_off_s)], pulses[given])
        swing = [tick for tick in inside if tick.swing and contacts_ns[0] <= tick.now_ns < contacts_ns[1]]
        errors_deg = np.array([tick.foot_pitch_deg - tick.reference_pitch_deg for tick in swing])
        if stride.swing_pitch_rmse_deg is None or stride.ankle_at_initial_contact_deg is None:
            continue
        found.append(TrueMeasure(true, stride, [tick.now_ns for tick in swing], errors_deg))
    return found


def judge(walk: Walked, reference: Reference) -> list[Stride]:
    """Every completed true stride against ``reference``, with what lies below and above it."""
    ankle_deg = reference.foot_pitch_deg[-1] - reference.shank_pitch_deg[-1]
    return [_judged(one, ankle_deg) for one in measured(walk, reference)]


def _judged(one: TrueMeasure, ankle_deg: float) -> Stride:
    true, stride = one.true, one.stride
    assert stride.swing_pitch_rmse_deg is not None
    assert stride.ankle_at_initial_contact_deg is not None
    toe_off_ns, contact_ns = _ns(true.toe_off_s), stride.next_initial_contact_ns
    late_ns = toe_off_ns + LATE_SWING * (contact_ns - toe_off_ns)
    late_deg = one.errors_deg[np.array(one.swing_ns) > late_ns]
    return Stride(
        end_s=true.next_initial_contact_s,
        error_rms_deg=stride.swing_pitch_rmse_deg,
        short_rms_deg=math.sqrt(float(np.mean(np.minimum(one.errors_deg, 0.0) ** 2))),
        overshoot_deg=float(late_deg.max()) if late_deg.size else 0.0,
        ankle_error_deg=abs(stride.ankle_at_initial_contact_deg - ankle_deg),
        ankle_deg=stride.ankle_at_initial_contact_deg,
        charge_uc=stride.charge_uc,
        forefoot=true.forefoot_contact,
    )


def _ns(time_s: float) -> int:
    return round(time_s * 1e9)


def _on_grid(curve: tuple[float, ...], percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """The reference at phases in percent; a late contact, beyond 100, is held against the curve's start."""
    return np.array([sample(curve, float(value)) for value in percent])


def with_mode(params: CoreParams, mode: Mode) -> CoreParams:
    """The same numbers for another arm of a trial."""
    return dataclasses.replace(params, mode=mode)
