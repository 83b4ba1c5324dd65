"""Whether a step's foot was lifted: one rule for everybody who says so of a step.

A step is the swing of a stride and the landing that ends it, judged by the foot's pitch alone (toe-up +). So
the rule holds in every arm, with current and without. Whether pulses came in time is another question, which
F27 answers (:mod:`controller.core.output.unlifted`).
"""

from __future__ import annotations

from typing import Literal

from controller.record.strides import Stride

Verdict = Literal["lifted", "low", "not_lifted"]
# Within it the foot is as wanted, on screen and in the report: about one standard deviation of a slowly
# walking, typically developing ankle, 3.7 to 8.9 deg over the stride (Schwartz 2008).
REFERENCE_BAND_DEG = 5.0
FLAT_DEG = 0.0  # at this pitch heel and toes come down together
HUNG_DEG = 2.0 * REFERENCE_BAND_DEG  # the virtual cohort's feet without current: 12 to 25 deg, a mild one 7


def target_deg(stride: Stride) -> tuple[float, float] | None:
    """How far the toes should be up when the heel lands: the band about the reference, lowest and highest."""
    reference_deg = stride.landing_reference_deg
    if reference_deg is None:
        return None
    return reference_deg - REFERENCE_BAND_DEG, reference_deg + REFERENCE_BAND_DEG


def verdict(stride: Stride) -> Verdict | None:
    """``not_lifted``: the foot lands flat or toes first, below its target; or it hung in swing, in the mean
    more than ``HUNG_DEG`` below the reference. ``low``: the heel lands first, but below the target; or the
    foot was below the band in the mean of the swing. ``lifted``: else. None where no sensor showed the
    landing, or there was no reference to hold it against.
    """
    landing_deg, target = stride.landing_pitch_deg, target_deg(stride)
    if landing_deg is None or target is None:
        return None
    short, shortfall_deg = landing_deg < target[0], stride.swing_shortfall_deg or 0.0
    if shortfall_deg > HUNG_DEG or (short and landing_deg <= FLAT_DEG):
        return "not_lifted"
    return "low" if short or shortfall_deg > REFERENCE_BAND_DEG else "lifted"
