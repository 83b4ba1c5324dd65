"""A person over the weeks: a small curve for each figure, and all of them as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from controller.analysis.session_figures import SessionFigures
from controller.console.home.home_page import figure_words
from controller.console.i18n import Texts
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.recordings_page import day_words, value_text
from controller.console.recordings.session_figures import UNITS, session_figures
from controller.console.render import render

TRENDS = ("toes_up_deg", "cadence_spm", "charge_uc", "minutes")
COLUMNS = ("minutes", "strides", "toes_up_deg", "off_target_deg", "current_ma", "cadence_spm", "charge_uc")
WIDTH, HEIGHT = 520, 200  # of a curve, in its own units
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 16, 30
SPAN_MIN = 1e-6  # of a figure that never changed

Told = tuple[Recorded, SessionFigures]


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure over the days: its newest value, and where its curve and its scale are drawn."""

    newest: str
    places: Sequence[tuple[float, float]]
    scale: Sequence[tuple[float, str]]
    first_day: str
    last_day: str


def progress_html(texts: Texts, pseudonym: str, sessions: Sequence[Recorded]) -> Markup:
    """``sessions`` are this person's, the newest first."""
    told = [(item, figures) for item in sessions if (figures := session_figures(item)) is not None]
    return render(
        "home/progress",
        texts,
        pseudonym=pseudonym,
        trends=[(name, _trend(texts, name, told[::-1])) for name in TRENDS],
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        heads=[texts.get("sessions.when"), *(texts.get(f"figure.{name}") for name in COLUMNS)],
        rows=[
            (item.name, day_words(texts, item), [figure_words(texts, figures, name) for name in COLUMNS])
            for item, figures in told
        ],
    )


def _trend(texts: Texts, name: str, told: Sequence[Told]) -> Trend | None:
    """One figure over the days, the oldest first; days without it have no point."""
    points = [
        (item.begun, float(value))
        for item, figures in told
        if item.begun is not None and (value := getattr(figures, name)) is not None
    ]
    if not points:
        return None
    days = [begun for begun, _ in points]
    low, high = min(value for _, value in points), max(value for _, value in points)
    heights = {_y(high, low, high): high, _y(low, low, high): low}
    return Trend(
        newest=value_text(texts, points[-1][1], UNITS[name]),
        places=[(_x(begun, days), _y(value, low, high)) for begun, value in points],
        scale=[(y, value_text(texts, value, "")) for y, value in heights.items()],
        first_day=_day(texts, days[0]),
        last_day=_day(texts, days[-1]),
    )


def _x(begun: datetime, days: Sequence[datetime]) -> float:
    span_s = (days[-1] - days[0]).total_seconds()
    share = 0.5 if span_s <= 0.0 else (begun - days[0]).total_seconds() / span_s
    return LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16)


def _y(value: float, low: float, high: float) -> float:
    share = 0.5 if high - low < SPAN_MIN else (value - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _day(texts: Texts, day: datetime) -> str:
    return f"{day:%d.%m.%y}" if texts.language == "de" else f"{day:%Y-%m-%d}"
