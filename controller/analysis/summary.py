"""The figures of a recording, arm by arm, as ``summary.json`` holds them.

Promises figures of the true body where it is virtual, of the core's own estimates otherwise. Refuses to
invent: what is not known is null, never NaN and never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from controller.analysis.arm_columns import ArmData, Floats, rung_changes, rung_seconds
from controller.analysis.arms import read_arms


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 90th percentile over strides."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of a delay in milliseconds."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """The figures of one arm. Angles in degrees; None where they are not known.

    ``charge_per_stride_uc`` is the median over strides of the phase charge (current times width) of all
    pulses of a stride, in microcoulomb. ``sensor_to_pulse_ms`` runs from the arrival of the newest
    inertial sample a tick used to the writing of the pulse that tick caused; ``tick_ms`` from the tick's
    deadline to the frame handed to the guard.
    """

    mode: str
    seed: int | None
    seconds: float
    strides: int
    true_strides: int | None
    ankle_at_initial_contact_deg: Spread | None
    foot_pitch_at_initial_contact_deg: Spread | None
    peak_swing_dorsiflexion_deg: Spread | None
    swing_pitch_rmse_deg: Spread | None
    charge_per_stride_uc: float | None
    sensor_to_pulse_ms: Latency | None
    tick_ms: Latency | None
    missed_ticks: int
    samples_lost: int
    trips: int
    label: str = ""  # of the arm, where not the mode itself
    wash_out_strides: int = 0  # asked for at the beginning, and again after each stop
    counted_strides: int = 0  # those that the figures over strides are made of
    left_out_strides: dict[str, int] = field(default_factory=dict)  # the others by their state
    armed: bool = True  # False: the guard never was, and nothing could be given
    rungs_s: dict[str, float] = field(default_factory=dict)  # on each rung while current might flow
    rung_changes: int = 0
    unlifted_swings: int | None = None  # swings without pulses before their contact; None where blinded
    blinded: bool = False  # then the mode is the label and what gives it away is not known
    current_ma: Spread | None = None  # the largest of a stride, over strides with pulses; None where blinded
    cadence_spm: Spread | None = None  # steps a minute


@dataclass(frozen=True, slots=True)
class Summary:
    """``summary.json``."""

    arms: tuple[ArmSummary, ...]


def summarise(path: Path, *, unblind: bool = False) -> Summary:
    """The figures of a recording, whole or cut. Raises InputError as the reader does."""
    return Summary(tuple(summarise_arm(arm) for arm in read_arms(path, unblind=unblind)))


def summarise_arm(arm: ArmData) -> ArmSummary:
    """The figures of one arm."""
    strides = arm.best
    return ArmSummary(
        mode=arm.mode,
        seed=arm.seed,
        seconds=arm.seconds,
        strides=arm.strides,
        true_strides=len(arm.true) if arm.virtual else None,
        ankle_at_initial_contact_deg=_spread(s.ankle_at_initial_contact_deg for s in strides),
        foot_pitch_at_initial_contact_deg=_spread(s.foot_pitch_at_initial_contact_deg for s in strides),
        peak_swing_dorsiflexion_deg=_spread(s.peak_swing_dorsiflexion_deg for s in strides),
        swing_pitch_rmse_deg=_spread(s.swing_pitch_rmse_deg for s in strides),
        charge_per_stride_uc=_median(stride.charge_uc for stride in strides) if not arm.blinded else None,
        sensor_to_pulse_ms=_latency(arm.sensor_to_pulse_ms),
        tick_ms=_latency((arm.ticks.lateness_us + arm.ticks.duration_us) / 1e3),
        missed_ticks=arm.missed_ticks,
        samples_lost=arm.samples_lost,
        trips=arm.trips,
        label=arm.label,
        wash_out_strides=arm.wash_out_strides,
        counted_strides=len(arm.best),
        left_out_strides={str(state): count for state, count in arm.left_out.items()},
        armed=arm.armed,
        rungs_s={rung: spent for rung, spent in rung_seconds(arm.ticks).items() if spent > 0.0},
        rung_changes=len(rung_changes(arm.ticks)),
        unlifted_swings=None if arm.blinded else arm.unlifted_swings,
        blinded=arm.blinded,
        current_ma=None if arm.blinded else _spread(s.current_max_ma for s in strides if s.pulses),
        cadence_spm=_spread(stride.cadence_spm for stride in strides),
    )


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.median(known)) if known else None


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(float(np.median(known)), float(np.percentile(known, 90))) if known else None


def _latency(values_ms: Floats) -> Latency | None:
    if values_ms.size == 0:
        return None
    p50, p99 = np.percentile(values_ms, [50, 99])
    return Latency(float(p50), float(p99), float(values_ms.max()))
