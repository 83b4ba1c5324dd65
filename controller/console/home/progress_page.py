"""A person over the weeks: a small curve for each figure, and all of them as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from urllib.parse import quote

from controller.console.home.home_page import figure_words
from controller.console.i18n import Texts
from controller.console.layout import table
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.recordings_page import day_words, value_text
from controller.console.recordings.session_figures import UNITS, SessionFigures, session_figures

TRENDS = ("toes_up_deg", "cadence_spm", "charge_uc", "minutes")
COLUMNS = ("minutes", "strides", "toes_up_deg", "off_target_deg", "current_ma", "cadence_spm", "charge_uc")
WIDTH, HEIGHT = 520, 200  # of a curve, in its own units
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 16, 30
SPAN_MIN = 1e-6  # of a figure that never changed

Told = tuple[Recorded, SessionFigures]


def progress_html(texts: Texts, pseudonym: str, sessions: Sequence[Recorded]) -> str:
    """``sessions`` are this person's, the newest first."""
    t = texts.get
    told = [(item, figures) for item in sessions if (figures := session_figures(item)) is not None]
    links = (
        f'<div class="tools"><form method="post" action="/persons/{quote(pseudonym)}/begin">'
        f'<button class="button">{escape(t("home.start"))}</button></form>'
        f'<a class="button second" href="/sessions?q={quote(pseudonym)}">'
        f"{escape(t('page.sessions'))}</a></div>"
    )
    if not told:
        return f"{links}<p>{escape(t('home.no_progress'))}</p>"
    curves = "".join(_curve(texts, name, told[::-1]) for name in TRENDS)
    heads = [escape(t("sessions.when")), *(escape(t(f"figure.{name}")) for name in COLUMNS)]
    rows = [
        [
            f'<a href="/sessions/{quote(item.name)}">{escape(day_words(texts, item))}</a>',
            *(figure_words(texts, figures, name) for name in COLUMNS),
        ]
        for item, figures in told
    ]
    return f'{links}<div class="trends">{curves}</div>{table(heads, rows)}'


def _curve(texts: Texts, name: str, told: Sequence[Told]) -> str:
    """One figure over the days, the oldest first; days without it have no point."""
    points = [
        (item.begun, float(value))
        for item, figures in told
        if item.begun is not None and (value := getattr(figures, name)) is not None
    ]
    title = f"<h2>{escape(texts.get(f'figure.{name}'))}</h2>"
    if not points:
        return f'<section class="card">{title}<p>–</p></section>'
    days = [begun for begun, _ in points]
    low, high = min(value for _, value in points), max(value for _, value in points)
    places = [(_x(begun, days), _y(value, low, high)) for begun, value in points]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>' for x, y in places)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    heights = {_y(high, low, high): high, _y(low, low, high): low}
    scale = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">'
        f"{escape(value_text(texts, value, ''))}</text>"
        for y, value in heights.items()
    )
    ends = f'<text x="{LEFT}" y="{HEIGHT - 6}">{_day(texts, days[0])}</text>'
    if len(points) > 1:
        ends += f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{_day(texts, days[-1])}</text>'
    newest = escape(value_text(texts, points[-1][1], UNITS[name]))
    return (
        f'<section class="card">{title}<p class="big">{newest}</p>'
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{scale}'
        f'<polyline points="{line}"/>{dots}{ends}</svg></section>'
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
