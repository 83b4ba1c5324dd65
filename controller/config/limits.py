"""What the limits in force leave the pulses of each channel: what is planned with and refused by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.config.section import CURRENT_STEP_MA
from controller.config.session import Session
from controller.safety.judgement.limits import Limits, charge_uc, density_rms_ma_cm2, energy_mj


@dataclass(frozen=True, slots=True)
class PulseOutput:
    """What a channel's pulses are and through what they go, beside their current."""

    width_us: float  # the widest
    rate_hz: float
    area_cm2: float  # of the electrode
    cycles: int = 1  # of a burst


def first_output(session: Session) -> PulseOutput:
    stimulator = session.file.stimulator
    return PulseOutput(stimulator.width_us, stimulator.rate_hz, stimulator.electrode_area_cm2)


def second_output(session: Session) -> PulseOutput | None:
    second, rate_hz = session.file.second_channel, session.file.stimulator.rate_hz
    return None if second is None else PulseOutput(second.width_us, rate_hz, second.electrode_area_cm2)


def current_ceilings(limits: Limits, output: PulseOutput) -> tuple[tuple[float, str], ...]:
    """The largest current in mA that each limit leaves pulses of this width, rate, electrode and cycles."""
    per_ma = density_rms_ma_cm2(1.0, output.width_us, output.rate_hz, output.area_cm2, output.cycles)
    return (
        (limits.current_max_ma, "current_max_ma"),
        (limits.charge_max_uc / charge_uc(1.0, output.width_us), "charge_max_uc"),
        (limits.density_rms_max_ma_cm2 / per_ma, "density_rms_max_ma_cm2"),
        (math.sqrt(limits.energy_max_mj / energy_mj(1.0, output.width_us, output.cycles)), "energy_max_mj"),
    )


def broken_by(limits: Limits, output: PulseOutput, current_ma: float) -> tuple[str, ...]:
    """The limits that such a pulse would break, by the guard's own sums."""
    width_us = output.width_us
    density = density_rms_ma_cm2(current_ma, width_us, output.rate_hz, output.area_cm2, output.cycles)
    found = (
        (current_ma, "current_max_ma"),
        (charge_uc(current_ma, width_us), "charge_max_uc"),
        (density, "density_rms_max_ma_cm2"),
        (energy_mj(current_ma, width_us, output.cycles), "energy_max_mj"),
    )
    return tuple(name for value, name in found if value > getattr(limits, name))


def plannable_ma(limits: Limits, output: PulseOutput) -> float:
    """The largest current the core may ask for: what no limit blocks, at a step of the stimulator."""
    binding_ma, name = min(current_ceilings(limits, output))
    if name == "current_max_ma":
        return binding_ma
    steps = math.floor(binding_ma / CURRENT_STEP_MA + 1e-9)  # a quotient may fall short of the whole number
    if broken_by(limits, output, steps * CURRENT_STEP_MA):
        steps -= 1
    return steps * CURRENT_STEP_MA
