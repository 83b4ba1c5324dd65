"""The pictures that show learning: the error of every stride, and what changed between the first strides.

Promises strides numbered from the beginning of their arm, wash-out included and marked. Refuses to draw a
blinded arm's current.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from controller.analysis.arm_columns import ArmData, Floats
from controller.analysis.report.figures import (
    COLUMN_INCHES,
    INK,
    STRIDE_GRID,
    STYLE,
    Picture,
    arm_title,
    colour,
    missing,
    panels,
    reference_band,
    resampled,
)
from controller.core.params import Reference
from controller.record.strides import Stride

GOOD_DEG = 3.0  # the error below which a stride follows its reference (a proposal)
CHOSEN = (1, 2, 3, 10, 60)  # strides of an arm that are drawn one by one
PAUSE_NS = 150_000_000  # longer than the period of the slowest rate a session may have (10 Hz)
SHADES = ("#c9ccd1", "#f0c05a", "#e08e45", "#c2477f", "#3b2a7a")  # light to dark: early to late


def progress(arms: Sequence[ArmData], reference: Reference | None) -> tuple[Picture, ...]:
    """Error by stride, and single strides over the reference; none of an arm without strides."""
    walked = [arm for arm in arms if arm.walked]
    if not walked:
        return ()
    with mpl.rc_context(STYLE):
        pictures = [
            Picture(
                "Error by stride",
                "Each mark is one swing: foot pitch against the reference, r.m.s. from toe-off to initial "
                "contact, in the order walked. Hollow: in no figure (wash-out, stopped, staged unlock, "
                "another law). "
                f"Dashed: {GOOD_DEG:g}°.",
                _errors_figure(walked),
            )
        ]
        steered = [arm for arm in walked if arm.mode != "off"]
        if steered:
            numbers = ", ".join(str(number) for number in CHOSEN)
            pictures.append(
                Picture(
                    f"Strides {numbers} of each arm",
                    "Foot pitch over the reference's band, and the current that was given. Where an arm's "
                    "strides differ, something was learned.",
                    _chosen_figure(steered, reference),
                )
            )
    return tuple(pictures)


def _errors_figure(arms: Sequence[ArmData]) -> Figure:
    figure = Figure(figsize=(2 * COLUMN_INCHES, 3.0), layout="constrained")
    axes = figure.subplots()
    for arm in arms:
        errors = np.array([_known(stride.swing_pitch_rmse_deg) for stride in arm.walked])
        number = np.arange(1, errors.size + 1)
        counts = np.array([stride.state == "counted" for stride in arm.walked])
        tint = colour(arm.mode)
        axes.plot(number, errors, color=tint, linewidth=1.2, alpha=0.8, label=arm.label)
        axes.plot(number[counts], errors[counts], "o", color=tint, markersize=4)
        axes.plot(number[~counts], errors[~counts], "o", color=tint, markersize=4, markerfacecolor="white")
    axes.axhline(GOOD_DEG, color=INK, linewidth=0.9, linestyle="--")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("stride of the arm")
    axes.set_ylabel("swing foot pitch error (°)")
    figure.legend(loc="outside right center")
    return figure


def _chosen_figure(arms: Sequence[ArmData], reference: Reference | None) -> Figure:
    figure, rows = panels(arms, (3.0, 1.8))
    for column, arm in enumerate(arms):
        pitch, current = (row[column] for row in rows)
        arm_title(pitch, arm)
        if reference is not None:
            reference_band(pitch, np.array(reference.foot_pitch_deg))
        drawn = [(number, arm.walked[number - 1]) for number in CHOSEN if number <= len(arm.walked)]
        for number, stride in drawn:
            shade = SHADES[CHOSEN.index(number)]
            _draw_stride(pitch, current, arm, stride, shade)
        if arm.blinded:
            missing(current, "blinded")
        current.set_xlim(0, 100)
        current.set_xlabel("stride (%)")
    rows[0][0].set_ylabel("foot pitch (°), toe up +")
    rows[1][0].set_ylabel("current (mA)")
    rows[1][0].set_ylim(bottom=0)
    handles = [
        Line2D([], [], color=shade, linewidth=1.8, label=f"stride {number}")
        for number, shade in zip(CHOSEN, SHADES, strict=True)
        if any(number <= len(arm.walked) for arm in arms)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _draw_stride(pitch: Axes, current: Axes, arm: ArmData, stride: Stride, shade: str) -> None:
    t_ns, values = (
        (arm.truth.t_ns, arm.truth.foot_pitch_deg)
        if len(arm.truth.t_ns)
        else (arm.ticks.now_ns, arm.ticks.foot_pitch_deg)
    )
    for curve in resampled([stride], t_ns, values):
        pitch.plot(STRIDE_GRID, curve, color=shade, linewidth=1.6)
    percent, given_ma = _pulses(arm, stride)
    if percent.size:
        current.plot(percent, given_ma, ".-", color=shade, markersize=3, linewidth=1.0)


def _pulses(arm: ArmData, stride: Stride) -> tuple[Floats, Floats]:
    """Where in the stride (%) each pulse lay, and its current (mA); a gap where pulses paused."""
    begin_ns, end_ns = stride.initial_contact_ns, stride.next_initial_contact_ns
    inside = [pulse for pulse in arm.pulses if begin_ns <= pulse.t_ns < end_ns]
    times_ns = np.array([pulse.t_ns for pulse in inside], dtype=np.int64)
    pauses = np.flatnonzero(np.diff(times_ns) > PAUSE_NS) + 1
    percent = 100.0 * (times_ns - begin_ns) / (end_ns - begin_ns)
    given_ma = np.array([pulse.current_ma for pulse in inside])
    return np.insert(percent, pauses, np.nan), np.insert(given_ma, pauses, np.nan)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value
