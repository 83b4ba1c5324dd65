"""What of a blinded arm may be seen, and an arm whose label the trial's key explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from controller.analysis.arm_columns import ArmData
from controller.record.stride_state import shown
from controller.record.strides import Stride


def unblinded(arm: ArmData, key: dict[str, str]) -> ArmData:
    """With the mode that the key gives its label."""
    if arm.label not in key:
        return arm
    return replace(arm, mode=key[arm.label], label=f"{arm.label}: {key[arm.label]}", blinded=False)


def blinded(arm: ArmData) -> ArmData:
    """Without current and command, and of the guard's words only the trips."""
    hidden = np.full_like(arm.ticks.commanded_ma, np.nan)
    silent = replace(arm.ticks, commanded_ma=hidden, rung=hidden, law=hidden)
    trips = tuple(event for event in arm.guard_events if event.kind == "trip")
    return replace(
        arm,
        ticks=silent,
        pulses=(),
        sensor_to_pulse_ms=np.empty(0),
        guard_events=trips,
        blocked={},
        delivered=(),
        lessons=(),
        estimated=_veiled(arm.estimated),
        true=_veiled(arm.true),
    )


def _veiled(strides: tuple[Stride, ...]) -> tuple[Stride, ...]:
    """Why a stride does not count would tell which mode gave current, as would what it was given."""
    return tuple(
        replace(s, charge_uc=0.0, pulses=0, current_max_ma=0.0, state=shown(s.state, secret=True))
        for s in strides
    )
