"""What was identified, as a picture: each test beside its fit, and the recruitment curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from models.free_foot import FreeFootResult, FreeFootTest
from models.identification import Fitted, IdentificationResult, MuscleNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_identification(result: IdentificationResult, path: Path) -> None:
    """Fit against data of the three tests and the recruitment curve, as an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    for axis, name in zip(axes.flat[:3], ("ramp", "train", "sweep"), strict=True):
        fitted: Fitted = getattr(result, name)
        axis.plot(fitted.t_s, fitted.measured_nm, color="0.6", lw=0.8, label="measured")
        axis.plot(fitted.t_s, fitted.modelled_nm, lw=1.5, label=f"model, fit {fitted.fit_percent:.0f} %")
        axis.set(title=name, xlabel="time (s)", ylabel="torque, dorsiflexion + (Nm)")
        axis.legend()
    marks = (
        ("felt", result.marks.sensory_ma),
        ("moves", result.marks.motor_ma),
        ("accepted", result.marks.comfort_ma),
    )
    _draw_recruitment(axes[1, 1], result, 1.3 * result.marks.comfort_ma, marks)
    figure.savefig(path, dpi=100)


def plot_free_foot(result: FreeFootResult, test: FreeFootTest, path: Path) -> None:
    """The hanging foot's answers beside the model's, and the recruitment curve, as an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    for number, (begin, end) in enumerate(zip(test.begins, (*test.begins[1:], test.t_s.size), strict=True)):
        part = slice(begin, end)
        words = ("measured", f"model, fit {result.fit_percent:.0f} %") if number == 0 else (None, None)
        left.plot(test.t_s[part], test.pitch_deg[part], color="0.6", lw=1.2, label=words[0])
        left.plot(test.t_s[part], result.pitch_deg[part], color="tab:blue", lw=1.0, label=words[1])
    left.set(title="test trains", xlabel="time (s)", ylabel="foot pitch, toes up + (deg)")
    left.legend()
    _draw_recruitment(right, result, 1.3 * float(test.current_ma.max()), ())
    right.axvline(float(test.current_ma.max()), ls=":", color="0.4")
    figure.savefig(path, dpi=100)


def _draw_recruitment(
    axes: Axes, numbers: MuscleNumbers, top_ma: float, marks: Sequence[tuple[str, float]]
) -> None:
    current = np.linspace(1.0, top_ma, 200)
    z = np.log(current / numbers.i50_ma.value) / numbers.sigma.value
    axes.plot(current, ndtr(z), lw=1.5)
    axes.axvspan(numbers.i50_ma.low, numbers.i50_ma.high, alpha=0.2)
    for label, value in marks:
        axes.axvline(value, ls=":", color="0.4")
        axes.text(value, 1.02, label, rotation=45, fontsize=8)
    axes.set(title="recruitment at 300 us", xlabel="current (mA)", ylabel="fraction", ylim=(0, 1.15))
