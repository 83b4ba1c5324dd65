"""The pictures of an exercise session: the current of each muscle over it, and the month at a glance."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from datetime import date

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from controller.analysis.dose_book import MuscleDay
from controller.analysis.exercise_trace import ExerciseTrace, Floats, PulseTrace
from controller.analysis.report.figures import COLUMN_INCHES, INK, STYLE, Picture, missing
from controller.core.signals import Phase

# Okabe and Ito's palette, as for the arms of a walk
MUSCLE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#22262b", "#8a8f98")
SHADES: Mapping[Phase, tuple[str, str]] = {  # of a phase without contraction: colour, words
    "rest": ("#eef2f6", "rest"),
    "set_rest": ("#d9e4ee", "long rest"),
    "paused": ("#f6e3c5", "paused"),
    "attempt": ("#e4f1ea", "waiting for a try"),
    "waiting": ("#f5d9cf", "not armed"),
}
BINS = 1500  # over the session: more than a page shows
BIN_MIN_S = 0.05  # twice the interval of the quickest pulses, so that a train is a line
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
SMALLEST = 0.15  # radius of a day with one contraction; a full day's is FULL
FULL = 0.46


def draw_exercise(trace: ExerciseTrace, days: Sequence[MuscleDay], today: str) -> tuple[Picture, ...]:
    """``days`` are a person's, of any month; ``today`` is the session's, empty where it is not known."""
    with mpl.rc_context(STYLE):
        made = [
            Picture(
                "Current of each muscle over the session",
                "The highest current of the pulses that left, over the time since the first tick. Shaded: no "
                "contraction was on.",
                _timeline(trace),
            )
        ]
        if today:
            month = date.fromisoformat(today).strftime("%B %Y")
            made.append(
                Picture(
                    f"{month} at a glance",
                    "A dot a day: its area is the number of contractions, which stands in it. Filled: at "
                    "least what that day's programmes prescribe, or none is prescribed. Framed: the day of "
                    "this session.",
                    _month([one for one in days if one.day[:7] == today[:7]], date.fromisoformat(today)),
                )
            )
    return tuple(made)


def _timeline(trace: ExerciseTrace) -> Figure:
    figure = Figure(figsize=(2 * COLUMN_INCHES, 1.6 + 1.5 * len(trace.muscles)), layout="constrained")
    rows = figure.subplots(len(trace.muscles), 1, squeeze=False, sharex=True)
    minutes = trace.seconds > 180.0
    unit_s = 60.0 if minutes else 1.0
    seen: dict[str, Patch] = {}
    for number, one in enumerate(trace.muscles):
        axes: Axes = rows[number][0]
        for span in trace.spans:
            if shade := SHADES.get(span.phase):
                axes.axvspan(span.begin_s / unit_s, span.end_s / unit_s, color=shade[0], linewidth=0)
                seen[shade[1]] = Patch(color=shade[0], label=shade[1])
        tint = MUSCLE_COLOURS[number % len(MUSCLE_COLOURS)]
        t_s, most_ma = envelope(one, trace.seconds)
        axes.fill_between(t_s / unit_s, most_ma, step="post", color=tint, linewidth=0, alpha=0.9)
        axes.set_title(one.plan.muscle, color=tint)
        axes.set_ylabel("mA")
        axes.set_ylim(0.0, max(1.0, 1.08 * float(one.current_ma.max(initial=0.0))))
        axes.set_xlim(0.0, max(trace.seconds, 1.0) / unit_s)
        if not one.t_s.size:
            missing(axes, "no pulse")
    rows[-1][0].set_xlabel("min" if minutes else "s")
    if seen:
        figure.legend(handles=list(seen.values()), loc="outside lower center", ncols=len(seen))
    return figure


def envelope(one: PulseTrace, seconds: float) -> tuple[Floats, Floats]:
    """The highest current within each bin of the session; 0 where no pulse left."""
    width_s = max(seconds / BINS, BIN_MIN_S, 2.2 / max(one.plan.rate_hz, 1.0))
    count = int(seconds / width_s) + 1
    most_ma = np.zeros(count)
    bins = np.clip((one.t_s / width_s).astype(int), 0, count - 1)
    np.maximum.at(most_ma, bins, one.current_ma)
    return np.arange(count, dtype=np.float64) * width_s, most_ma


def _month(days: Sequence[MuscleDay], today: date) -> Figure:
    muscles = sorted({one.muscle for one in days}) or ["no muscle"]
    weeks = calendar.Calendar().monthdatescalendar(today.year, today.month)
    figure = Figure(figsize=(3.4 * max(2, len(muscles)), 1.6 + 0.46 * len(weeks)), layout="constrained")
    panels = figure.subplots(1, max(2, len(muscles)), squeeze=False)[0]
    full = max([one.prescribed or 0 for one in days] + [one.contractions for one in days] + [1])
    for number, axes in enumerate(panels):
        axes.set_axis_off()
        if number >= len(muscles):
            continue
        tint = MUSCLE_COLOURS[number % len(MUSCLE_COLOURS)]
        axes.set_title(muscles[number], color=tint)
        given = {one.day: one for one in days if one.muscle == muscles[number]}
        for column, word in enumerate(WEEKDAYS):
            axes.text(column, -0.9, word, ha="center", va="center", fontsize=7.5, color="#5b626b")
        for row, week in enumerate(weeks):
            for column, day in enumerate(week):
                if day.month == today.month:
                    _day(axes, (column, row), day, given.get(day.isoformat()), (full, tint, day == today))
        axes.set_xlim(-0.6, 6.6)
        axes.set_ylim(len(weeks) - 0.4, -1.3)
        axes.set_aspect("equal")
    return figure


def _day(
    axes: Axes,
    place: tuple[int, int],
    day: date,
    given: MuscleDay | None,
    look: tuple[int, str, bool],
) -> None:
    """One day of the calendar; ``look``: the contractions of a full dot, the colour, whether it is framed."""
    (column, row), (full, tint, framed) = place, look
    if framed:
        frame = mpl.patches.Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.2
        )
        axes.add_patch(frame)
    if given is None or not given.contractions:
        axes.text(column, row, f"{day.day}", ha="center", va="center", fontsize=7.5, color="#9aa0a8")
        return
    reached = given.prescribed is None or given.contractions >= given.prescribed
    radius = max(SMALLEST, FULL * (given.contractions / full) ** 0.5)
    dot = mpl.patches.Circle(
        (column, row), radius, facecolor=tint if reached else "white", edgecolor=tint, linewidth=1.4
    )
    axes.add_patch(dot)
    words = "white" if reached and radius > 0.3 else INK
    axes.text(
        column, row, f"{given.contractions}", ha="center", va="center", fontsize=7, color=words, weight="bold"
    )
