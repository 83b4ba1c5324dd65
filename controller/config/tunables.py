"""What a therapist may change while a session runs: each setting's name in the session file, and its place.

Promises to change a whole set or nothing. Refuses a name that is no setting and a value that is not finite or
out of its range, naming name, value and range; nothing is clamped.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from controller.core.params import CoreParams
from controller.core.signals import CLOSED_LOOP, LEARNS

UNITS: tuple[tuple[str, str], ...] = (  # by the ending of the name, the longest first
    ("_nm_per_rad", "Nm/rad"),
    ("_ma_per_250ms", "mA / 250 ms"),
    ("_ma_per_frame", "mA / 5 ms"),
    ("_ma", "mA"),
    ("_nm", "Nm"),
    ("_ms", "ms"),
    ("_percent", "%"),
    ("_s", "s"),
)


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting: ``key`` as in the session file, its place in the core's numbers, and the factor there."""

    key: str
    part: Literal["gains", "envelope", "pulse", "learning", "assistance"]
    field: str
    scale: float = 1.0

    @property
    def group(self) -> str:
        return self.key.partition(".")[0]

    @property
    def unit(self) -> str:
        return next((unit for ending, unit in UNITS if self.key.endswith(ending)), "")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The range of a setting, and who set its upper end where a person or a device did."""

    low: float
    high: float
    set_by: str = ""

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (f" ({self.set_by})" if self.set_by else "")


def _same(group: str, part: Literal["gains", "learning"], *names: str) -> tuple[Knob, ...]:
    return tuple(Knob(f"{group}.{name}", part, name) for name in names)


KNOBS: tuple[Knob, ...] = (
    *_same("feedback", "gains", "kp_nm_per_rad", "ti_s", "td_s", "derivative_filter", "torque_max_nm"),
    Knob("trapezoid.current_ma", "envelope", "current_ma"),
    Knob("gait.assist_percent", "assistance", "percent"),
    Knob("limits.current_max_ma", "pulse", "current_max_ma"),
    Knob("limits.rise_max_ma_per_frame", "pulse", "rise_ma_per_tick"),
    Knob("limits.rise_max_ma_per_250ms", "pulse", "rise_ma_per_250ms"),
    Knob("trapezoid.rise_ms", "envelope", "rise_s", 1e-3),
    Knob("trapezoid.extension_ms", "envelope", "extension_s", 1e-3),
    Knob("trapezoid.fall_ms", "envelope", "fall_s", 1e-3),
    *_same(
        "learning", "learning", "step", "change", "bend", "forget", "change_max", "kp_nm_per_rad", "td_s",
        "gain_sd", "gain_drift", "gain_min", "gain_max", "dead_band",
    ),
)  # fmt: skip
USED_BY: Mapping[str, tuple[str, ...]] = {  # modes of the controller, by group
    "gait": CLOSED_LOOP,
    "feedback": ("feedback",),
    "trapezoid": ("trapezoid", *CLOSED_LOOP),
    "limits": ("trapezoid", *CLOSED_LOOP),
    "learning": LEARNS,
}
BY_KEY: Mapping[str, Knob] = {knob.key: knob for knob in KNOBS}


def values(params: CoreParams) -> dict[str, float]:
    """Every setting as it stands, in the units of its name."""
    return {knob.key: _plain(getattr(getattr(params, knob.part), knob.field) / knob.scale) for knob in KNOBS}


def _plain(value: float) -> float:
    """Without the last digits that the change of units has left."""
    return float(f"{value:.12g}")


def objections(wanted: Mapping[str, float], allowed: Mapping[str, Allowed]) -> list[str]:
    """Why these values may not be set, one line for each; empty where they may."""
    found: list[str] = []
    for key, value in wanted.items():
        bounds = allowed.get(key)
        if key not in BY_KEY or bounds is None:
            found.append(f"{key}: no setting that can be changed, allowed: {', '.join(sorted(allowed))}")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            found.append(f"{key}: found {value!r}, allowed: a number, {bounds}")
        elif not (math.isfinite(value) and bounds.low <= value <= bounds.high):
            found.append(f"{key}: found {value:g}, allowed: {bounds}")
    return found


def with_values(params: CoreParams, wanted: Mapping[str, float]) -> CoreParams:
    """The same numbers with ``wanted`` set. Raises KeyError for a name that is no setting."""
    for key, value in wanted.items():
        knob = BY_KEY[key]
        part = dataclasses.replace(getattr(params, knob.part), **{knob.field: value * knob.scale})
        params = dataclasses.replace(params, **{knob.part: part})
    return params
