"""What was identified, as a picture: each test beside its fit, and the recruitment curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import ndtr

from models.identification import Fitted, IdentificationResult


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
    current = np.linspace(1.0, 1.3 * result.marks.comfort_ma, 200)
    z = np.log(current / result.i50_ma.value) / result.sigma.value
    axes[1, 1].plot(current, ndtr(z), lw=1.5)
    axes[1, 1].axvspan(result.i50_ma.low, result.i50_ma.high, alpha=0.2)
    for label, value in (
        ("felt", result.marks.sensory_ma),
        ("moves", result.marks.motor_ma),
        ("accepted", result.marks.comfort_ma),
    ):
        axes[1, 1].axvline(value, ls=":", color="0.4")
        axes[1, 1].text(value, 1.02, label, rotation=45, fontsize=8)
    axes[1, 1].set(title="recruitment at 300 us", xlabel="current (mA)", ylabel="fraction", ylim=(0, 1.15))
    figure.savefig(path, dpi=100)
