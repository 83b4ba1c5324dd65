"""What a study can measure of a stride: every name once, with unit and meaning; the data dictionary.

The values are those of ``controller/record/strides.py``, so that study, report and export agree. What a
virtual body alone can tell is marked; in recordings of persons it is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from controller.record.strides import Stride


@dataclass(frozen=True, slots=True)
class Measure:
    """One value a stride; ``of`` takes it from a stride as recorded, None for what no recording holds."""

    name: str
    unit: str
    meaning: str
    worse: Literal["more", "less"]  # where a person is served badly
    of: Callable[[Stride], float | None] | None = None


MEASURES: tuple[Measure, ...] = (
    Measure(
        "swing_pitch_rmse_deg",
        "deg",
        "foot pitch against the person's reference, r.m.s. over the swing",
        "more",
        lambda s: s.swing_pitch_rmse_deg,
    ),
    Measure("charge_uc", "µC", "charge of one phase of all its pulses", "more", lambda s: s.charge_uc),
    Measure("pulses", "", "pulses of the stride", "more", lambda s: float(s.pulses)),
    Measure("current_max_ma", "mA", "largest current of the stride", "more", lambda s: s.current_max_ma),
    Measure(
        "ankle_at_initial_contact_deg",
        "deg",
        "ankle angle as the foot lands, dorsiflexion +",
        "less",
        lambda s: s.ankle_at_initial_contact_deg,
    ),
    Measure(
        "foot_pitch_at_initial_contact_deg",
        "deg",
        "foot pitch as the foot lands, toe up +",
        "less",
        lambda s: s.foot_pitch_at_initial_contact_deg,
    ),
    Measure(
        "peak_swing_dorsiflexion_deg",
        "deg",
        "largest ankle angle in swing, dorsiflexion +",
        "less",
        lambda s: s.peak_swing_dorsiflexion_deg,
    ),
    Measure("duration_s", "s", "from one initial contact to the next", "more", lambda s: s.duration_s),
    Measure("swing_percent", "%", "share of the stride in swing", "less", lambda s: s.swing_percent),
    Measure("toe_clearance_mm", "mm", "least height of the sole in mid-swing; virtual bodies alone", "less"),
    Measure("forefoot_contact", "", "1 where the ball met the ground first; virtual bodies alone", "more"),
    Measure(
        "cleared",
        "",
        "1 where the sole stayed off the ground in mid-swing and the heel landed first; virtual bodies alone",
        "less",
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
NAMES = tuple(BY_NAME)
GIVEN = ("charge_uc", "pulses", "current_max_ma")  # what was given: not known while an arm is blinded


def values(stride: Stride, **virtual: float) -> tuple[float | None, ...]:
    """A stride's value of every measure, in their order; ``virtual`` are those that no recording holds."""
    return tuple(
        measure.of(stride) if measure.of is not None else virtual.get(measure.name) for measure in MEASURES
    )
