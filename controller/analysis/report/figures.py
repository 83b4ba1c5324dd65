"""The pictures of a report, as SVG: strides on their reference, a few strides in time, latency.

Promises the same axes for every arm, so that arms can be compared by eye. Refuses to draw what is not
known: an empty panel says what is missing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from controller.analysis.arm_columns import ArmData, Floats, Times
from controller.core.params import Reference
from controller.record.step_verdict import REFERENCE_BAND_DEG
from controller.record.strides import Stride

# Okabe and Ito's palette: told apart by every kind of colour vision, and in grey print
ARM_COLOURS = {
    "off": "#d55e00",
    "trapezoid": "#009e73",
    "feedback": "#0072b2",
    "learning": "#cc79a7",
    "as-needed": "#661100",
}
OTHER_COLOUR = "#cc79a7"
BLINDED_COLOURS = {"A": "#e69f00", "B": "#56b4e9", "C": "#332288", "D": "#882255"}  # none of a mode's own
REFERENCE_COLOUR = "#8a8f98"
INK = "#22262b"
EVENT_MARKS = {
    "initial_contact": ("initial contact", "v", "#22262b"),
    "foot_flat": ("foot flat", "s", "#56b4e9"),
    "heel_off": ("heel off", "D", "#e69f00"),
    "toe_off": ("toe off", "^", "#cc79a7"),
}

STRIDES_DRAWN_MAX = 60  # more would be a blot; they are taken evenly
STRIP_STRIDES = 4
STRIDE_GRID = np.linspace(0.0, 100.0, 101)
COLUMN_INCHES = 5.2
STYLE: dict[Any, Any] = {  # Any: matplotlib's own type for this lists all of its 300 keys
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a8",
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e7e9ec",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": "#4a5058",
    "ytick.color": "#4a5058",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "dorsi",  # the same recording gives the same file
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and the words that stand for it."""

    title: str
    caption: str
    figure: Figure

    def svg(self) -> bytes:
        with mpl.rc_context(STYLE):
            return as_svg(self.figure)


def draw(arms: Sequence[ArmData], reference: Reference | None) -> tuple[Picture, ...]:
    """All pictures of a recording with at least one arm."""
    band = f"Grey band: reference ± {REFERENCE_BAND_DEG:g}°. " if reference else ""
    with mpl.rc_context(STYLE):
        return (
            Picture(
                "Every stride, from initial contact to the next",
                "Thin lines: single strides; thick line: their median; dashed: the median of what the "
                f"sensors saw, where the true body is known. {band}Dotted line: median toe-off. Each dot of "
                "the two lowest rows is one pulse.",
                _strides_figure(arms, reference),
            ),
            Picture(
                "A few strides in time",
                f"{STRIP_STRIDES} strides from the middle of each arm: foot pitch with the events the "
                "controller found, and the pulses that left. Shaded: the controller took the leg to be in "
                "swing.",
                _strip_figure(arms),
            ),
            Picture(
                "Timing",
                "How often each delay occurred, on a logarithmic scale. A tick lasts from its deadline until "
                " its frame is with the guard; sensor to pulse runs from the arrival of a sample until the "
                "bytes of the pulse are written.",
                _latency_figure(arms),
            ),
        )


def colour(mode: str) -> str:
    """The colour of a mode, or of a blinded arm by its letter; the same in every picture."""
    return ARM_COLOURS.get(mode) or BLINDED_COLOURS.get(mode.split(" ", maxsplit=1)[0], OTHER_COLOUR)


def as_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def panels(arms: Sequence[ArmData], heights: Sequence[float]) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a row for each height (inches) and a column for each arm; rows share their axes."""
    figure = Figure(figsize=(COLUMN_INCHES * max(len(arms), 1), sum(heights)), layout="constrained")
    grid = figure.subplots(
        len(heights), len(arms), squeeze=False, sharey="row", sharex="col", height_ratios=list(heights)
    )
    return figure, [list(row) for row in grid]


def arm_title(axes: Axes, arm: ArmData, *, above_points: float = 6.0) -> None:
    axes.set_title(arm.label, color=colour(arm.mode), pad=above_points)


def missing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#80868f")


def _strides_figure(arms: Sequence[ArmData], reference: Reference | None) -> Figure:
    figure, rows = panels(arms, (3.1, 2.3, 1.5, 1.0))
    pitch_deg = ankle_deg = None
    if reference is not None:
        pitch_deg = np.array(reference.foot_pitch_deg)
        ankle_deg = pitch_deg - np.array(reference.shank_pitch_deg)
    for column, arm in enumerate(arms):
        pitch, ankle, current, width = (row[column] for row in rows)
        arm_title(pitch, arm)
        ticks, truth = arm.ticks, arm.truth
        true = (truth.foot_pitch_deg, truth.ankle_deg) if arm.virtual else (None, None)
        for axes, normal, body_deg, seen_deg in (
            (pitch, pitch_deg, true[0], ticks.foot_pitch_deg),
            (ankle, ankle_deg, true[1], ticks.ankle_deg),
        ):
            if normal is not None:
                reference_band(axes, normal)
            _overlay(axes, arm, body_deg, seen_deg)
            toe_off = _toe_off_percent(arm.best)
            if toe_off is not None:
                axes.axvline(toe_off, color="#6b7178", linewidth=0.9, linestyle=":")
        _stride_pulses(current, arm, [pulse.current_ma for pulse in arm.pulses])
        _stride_pulses(width, arm, [pulse.width_us for pulse in arm.pulses])
        width.set_xlim(0, 100)
        width.set_xlabel("stride (%)")
    labels = ("foot pitch (°), toe up +", "ankle (°), dorsiflexion +", "current (mA)", "width (µs)")
    for row, label in zip(rows, labels, strict=True):
        row[0].set_ylabel(label)
    rows[2][0].set_ylim(bottom=0)
    rows[3][0].set_ylim(0, 1.1 * max((pulse.width_us for arm in arms for pulse in arm.pulses), default=300.0))
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK, linewidth=2.2, label="median"),
        Line2D([], [], color=INK, linewidth=0.6, alpha=0.6, label="one stride"),
    ]
    if any(arm.virtual for arm in arms):
        handles.append(
            Line2D([], [], color=INK, linewidth=1.3, linestyle="--", label="as the sensors saw it")
        )
    if reference is not None:
        handles.append(Patch(color=REFERENCE_COLOUR, alpha=0.28, label="reference"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def reference_band(axes: Axes, normal: Floats) -> None:
    percent = np.linspace(0.0, 100.0, normal.size)
    low, high = normal - REFERENCE_BAND_DEG, normal + REFERENCE_BAND_DEG
    axes.fill_between(percent, low, high, color=REFERENCE_COLOUR, alpha=0.28, linewidth=0)
    axes.plot(percent, normal, color=REFERENCE_COLOUR, linewidth=1.0)


def _overlay(axes: Axes, arm: ArmData, body_deg: Floats | None, seen_deg: Floats) -> None:
    """Strides of the body where it is known, else as the core saw them; medians on top."""
    strides = _evenly(arm.best)
    seen = resampled(strides, arm.ticks.now_ns, seen_deg)
    if body_deg is not None:
        main = resampled(strides, arm.truth.t_ns, body_deg)
        if len(seen):
            median = np.median(seen, axis=0)
            axes.plot(STRIDE_GRID, median, color=INK, linewidth=1.3, linestyle="--", zorder=4)
    else:
        main = seen
    if not len(main):
        missing(axes, "not known" if strides else "no whole stride")
        return
    axes.plot(STRIDE_GRID, main.T, color=colour(arm.mode), linewidth=0.6, alpha=0.35)
    axes.plot(STRIDE_GRID, np.median(main, axis=0), color=colour(arm.mode), linewidth=2.2, zorder=3)


def _stride_pulses(axes: Axes, arm: ArmData, values: Sequence[float]) -> None:
    """One dot a pulse: ``values`` (one for each of the arm's pulses) over the stride."""
    times_ns = np.array([pulse.t_ns for pulse in arm.pulses], dtype=np.int64)
    strides = _evenly(arm.best)
    drawn = 0
    for stride in strides:
        first, last = np.searchsorted(times_ns, [stride.initial_contact_ns, stride.next_initial_contact_ns])
        percent = 100 * (times_ns[first:last] - stride.initial_contact_ns) / _duration_ns(stride)
        axes.plot(percent, values[first:last], ".", color=colour(arm.mode), markersize=3, alpha=0.55, mew=0)
        drawn += int(last - first)
    if not drawn:
        missing(axes, "no pulse" if strides else "no whole stride")


def _strip_figure(arms: Sequence[ArmData]) -> Figure:
    figure, rows = panels(arms, (2.6, 1.3))
    for column, arm in enumerate(arms):
        pitch, current = (row[column] for row in rows)
        arm_title(pitch, arm, above_points=16.0)  # room for the event marks
        strides = arm.best
        middle = max(0, len(strides) // 2 - STRIP_STRIDES // 2)
        chosen = strides[middle : middle + STRIP_STRIDES]
        current.set_xlabel("time (s)")
        if not chosen:
            missing(pitch, "no whole stride")
            continue
        _strip(pitch, current, arm, (chosen[0].initial_contact_ns, chosen[-1].next_initial_contact_ns))
    rows[0][0].set_ylabel("foot pitch (°)")
    rows[1][0].set_ylabel("current (mA)")
    rows[1][0].set_ylim(bottom=0)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=mark_colour, marker=mark, linestyle="", markersize=5, label=name)
        for name, mark, mark_colour in EVENT_MARKS.values()
    ]
    handles.append(Patch(color="#dfe6ee", label="swing"))
    handles.append(Line2D([], [], color=REFERENCE_COLOUR, linewidth=1.4, label="target"))
    if any(arm.virtual for arm in arms):
        handles.append(
            Line2D([], [], color=INK, linewidth=1.0, linestyle="--", label="as the sensors saw it")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _strip(pitch: Axes, current: Axes, arm: ArmData, span_ns: tuple[int, int]) -> None:
    ticks, truth = arm.ticks, arm.truth

    def seconds(t_ns: Times | Sequence[int]) -> Floats:
        return (np.asarray(t_ns, dtype=np.int64) - arm.begin_ns) / 1e9

    first, last = np.searchsorted(ticks.now_ns, span_ns)
    time_s = seconds(ticks.now_ns[first:last])
    for axes in (pitch, current):
        axes.fill_between(
            time_s,
            0,
            1,
            where=ticks.swing[first:last].tolist(),
            transform=axes.get_xaxis_transform(),
            color="#dfe6ee",
            linewidth=0,
            zorder=0,
        )
    pitch.plot(time_s, ticks.reference_pitch_deg[first:last], color=REFERENCE_COLOUR, linewidth=1.4)
    seen_style = "--" if arm.virtual else "-"
    pitch.plot(time_s, ticks.foot_pitch_deg[first:last], color=INK, linewidth=1.0, linestyle=seen_style)
    if arm.virtual:
        a, b = np.searchsorted(truth.t_ns, span_ns)
        pitch.plot(seconds(truth.t_ns[a:b]), truth.foot_pitch_deg[a:b], color=colour(arm.mode), linewidth=1.8)
    for kind, (_, mark, mark_colour) in EVENT_MARKS.items():
        times_ns = [e.t_ns for e in arm.gait_events if e.kind == kind and span_ns[0] <= e.t_ns < span_ns[1]]
        if not times_ns:
            continue  # an empty mark would stretch the picture to the page's corner
        pitch.plot(
            seconds(times_ns),
            [1.04] * len(times_ns),
            mark,
            color=mark_colour,
            markersize=5,
            transform=pitch.get_xaxis_transform(),
            clip_on=False,
        )
    pulses = [pulse for pulse in arm.pulses if span_ns[0] <= pulse.t_ns < span_ns[1]]
    if pulses:
        times_s = seconds([pulse.t_ns for pulse in pulses])
        current.vlines(times_s, 0, [p.current_ma for p in pulses], color=colour(arm.mode), linewidth=1.0)
    else:
        missing(current, "no pulse")
    pitch.set_xlim(*seconds(span_ns))


def _latency_figure(arms: Sequence[ArmData]) -> Figure:
    figure = Figure(figsize=(2 * COLUMN_INCHES, 2.5), layout="constrained")
    panels = figure.subplots(1, 2)
    delays_ms = {
        "tick": [(arm.ticks.lateness_us + arm.ticks.duration_us) / 1e3 for arm in arms],
        "sensor to pulse": [arm.sensor_to_pulse_ms for arm in arms],
    }
    for axes, (name, columns) in zip(panels, delays_ms.items(), strict=True):
        known = [(arm, delays) for arm, delays in zip(arms, columns, strict=True) if delays.size]
        axes.set_title(name)
        axes.set_xlabel("ms")
        axes.set_ylabel("times")
        if not known:
            missing(axes, "none")
            continue
        edges = np.linspace(0.0, max(float(delays.max()) for _, delays in known) * 1.02, 60)
        for arm, delays in known:
            label = f"{arm.label}: 99 % within {np.percentile(delays, 99):.2f} ms"
            axes.hist(delays, edges, histtype="stepfilled", color=colour(arm.mode), alpha=0.4)
            axes.hist(delays, edges, histtype="step", color=colour(arm.mode), linewidth=1.2, label=label)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.8, top=30 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper right")
    return figure


def _evenly(strides: Sequence[Stride]) -> list[Stride]:
    step = max(1, -(-len(strides) // STRIDES_DRAWN_MAX))
    return list(strides[::step])


def _duration_ns(stride: Stride) -> int:
    return stride.next_initial_contact_ns - stride.initial_contact_ns


def resampled(strides: Sequence[Stride], t_ns: Times, values: Floats) -> Floats:
    """(strides, 101) values over the stride; a stride the values do not cover is left out."""
    known = np.isfinite(values)
    t_ns, values = t_ns[known], values[known]
    curves = [
        np.interp(stride.initial_contact_ns + STRIDE_GRID / 100 * _duration_ns(stride), t_ns, values)
        for stride in strides
        if t_ns.size
        and t_ns[0] <= stride.initial_contact_ns + _duration_ns(stride) // 50
        and t_ns[-1] >= stride.next_initial_contact_ns - _duration_ns(stride) // 50
    ]
    return np.array(curves).reshape(-1, STRIDE_GRID.size)


def _toe_off_percent(strides: Sequence[Stride]) -> float | None:
    percent = [100.0 - stride.swing_percent for stride in strides if stride.swing_percent is not None]
    return float(np.median(percent)) if percent else None
