"""What a stimulator measured during one pulse, beside what was asked of it: charge given, or the skin's load.

The time base of the P24's samples is doubtful (the example of science-mode-4 0.0.23 finds it longer than the
pulse), so only their size is used: the plateau of the rectified samples. Charge is that current over the
width asked for, which the device's own clock makes. Not verified on hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from drivers.interface import MeasuredPulse, Quantity

PLATEAU = 0.5  # of the largest sample: what lies above is pulse, what lies below gap, edge or pause
PLATEAU_SAMPLES_MIN = 3  # fewer are a spike
CURRENT_MIN_MA = 2.0  # a weaker pulse lies within the noise: a 100th of the range of 130 mA and more


def measured_pulse(
    quantity: Quantity, samples: Sequence[float], current_ma: float, width_us: float, cycles: int
) -> MeasuredPulse | None:
    """``samples`` are rectified, mA or V; the pulse is as it was sent. ``None``: nothing can be told."""
    if current_ma < CURRENT_MIN_MA or not samples:
        return None
    largest = max(samples)
    plateau = [sample for sample in samples if sample > PLATEAU * largest]
    if len(plateau) < PLATEAU_SAMPLES_MIN:
        return None
    size = median(plateau)
    asked_uc = current_ma * width_us * cycles * 1e-3  # mA times us is nC
    if quantity == "current":
        return MeasuredPulse(current_ma, width_us, cycles, asked_uc, charge_uc=asked_uc * size / current_ma)
    return MeasuredPulse(current_ma, width_us, cycles, asked_uc, load_ohm=1e3 * size / current_ma)
