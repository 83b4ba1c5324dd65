"""What is asked of a preview and what it answers, as JSON between the pages and the preview's process.

Promises types alone, so that the pages need not load the models.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.params import CoreParams

PERCENTS = tuple(range(0, 101, 2))


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit of the guard as it bears on this patient: its name, who set it."""

    name: str
    value: float
    set_by: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be previewed. ``measured_error_deg`` is that of the last strides really walked."""

    params: CoreParams
    wanted: dict[str, float]
    stride_s: float
    stride_cv: float
    speed_mps: float
    measured_error_deg: float | None = None
    ceilings: tuple[Ceiling, ...] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Binding:
    """A limit that holds the current back, in how many of the strides, and for what share of the pulses."""

    limit: str
    strides: int
    share: float
    set_by: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """Ten strides in figures, and their means over the stride at ``PERCENTS``. Degrees, mA, microcoulomb."""

    error_deg: float
    ankle_contact_deg: float
    charge_uc: float
    current_max_ma: float
    errors_deg: tuple[float, ...]
    pitch_deg: tuple[float, ...]
    ankle_deg: tuple[float, ...]
    current_ma: tuple[float, ...]
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Both walks. ``predicted_error_deg`` is the proposed one's, set against what is measured now."""

    current: Walk
    proposed: Walk
    reference_deg: tuple[float, ...]
    predicted_error_deg: float


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the worker: how far it is, or the result, or why there is none."""

    number: int
    progress: float
    preview: Preview | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A line to the worker."""

    number: int
    question: Question
