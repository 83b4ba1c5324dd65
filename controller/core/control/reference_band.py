"""The reference as a band: within it the foot is where it should be.

Promises no error inside the band and no step at its edge. Pure.
"""

from __future__ import annotations

import math

from controller.core.params import Reference, sample


def half_width_rad(reference: Reference, percent: float) -> float:
    """Half of the band's width at a phase; 0 where the reference is a line."""
    return math.radians(sample(reference.band_deg, percent)) if reference.band_deg else 0.0


def beyond(error_rad: float, half_rad: float) -> float:
    """What of an error lies outside the band."""
    return math.copysign(max(0.0, abs(error_rad) - half_rad), error_rad)
