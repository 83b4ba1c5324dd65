"""The pages of recordings: the list with its search and order, one recording, any number side by side.

Promises only what ``summary.json`` says; a folder without one is listed as not summed up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from controller.analysis.summary import ArmSummary, Latency, Spread
from controller.console.i18n import Texts
from controller.console.layout import table
from controller.console.recordings.exercise_recording import done_words, muscles_html
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.session_figures import session_figures

PICTURE = re.compile(
    r'<figure><img src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+" alt="[^"<>]*">'
    r"<figcaption>[^<>]*</figcaption></figure>"
)
FIGURES: tuple[tuple[str, str], ...] = (  # field of ArmSummary, unit
    ("seconds", "s"),
    ("strides", ""),
    ("counted_strides", ""),
    ("ankle_at_initial_contact_deg", "°"),
    ("foot_pitch_at_initial_contact_deg", "°"),
    ("peak_swing_dorsiflexion_deg", "°"),
    ("swing_pitch_rmse_deg", "°"),
    ("current_ma", "mA"),
    ("cadence_spm", "unit.cadence"),
    ("charge_per_stride_uc", "µC"),
    ("sensor_to_pulse_ms", "ms"),
    ("missed_ticks", ""),
    ("samples_lost", ""),
    ("trips", ""),
)


ORDERS = ("when", "patient", "strides", "error", "trips")  # the columns that the list can be sorted by


def day_words(texts: Texts, item: Recorded) -> str:
    """The local date and time of its beginning; its name where that does not tell."""
    if item.begun is None:
        return item.name
    return f"{item.begun:%d.%m.%Y %H:%M}" if texts.language == "de" else f"{item.begun:%Y-%m-%d %H:%M}"


def list_html(texts: Texts, items: Sequence[Recorded], search: str, order: str = "when") -> str:
    """The list with its search; any of it to be compared."""
    t = texts.get
    finder = (
        f'<form class="tools" role="search"><label>{escape(t("sessions.search"))} '
        f'<input type="search" name="q" value="{escape(search)}" '
        f'placeholder="{escape(t("sessions.search_hint"))}"></label>'
        f'<button class="button">{escape(t("sessions.search"))}</button></form>'
    )
    if not items:
        return f"{finder}<p>{escape(t('sessions.none'))}</p>"
    rows = [_row(texts, item) for item in in_order(items, order)]
    heads = [f"<span>{escape(t('sessions.compare'))}</span>"]
    for name in ("when", "patient", "modes", "strides", "error", "trips", "report"):
        word = escape(t(f"sessions.{name}"))
        mark = ' aria-current="true"' if name == order else ""
        link = f'<a class="order" href="/sessions?q={quote(search)}&order={name}"{mark}>{word}</a>'
        heads.append(link if name in ORDERS else word)
    button = f'<p class="tools"><button class="button">{escape(t("sessions.compare"))}</button></p>'
    return f'{finder}<form action="/sessions/compare">{table(heads, rows)}{button}</form>'


def in_order(items: Sequence[Recorded], order: str) -> list[Recorded]:
    """Pseudonyms from A, figures from the largest with what is unknown last; otherwise as they come."""
    if order == "patient":
        return sorted(items, key=lambda item: item.pseudonym.lower())
    if order not in ("strides", "error", "trips"):
        return list(items)
    values = [(item, _order_value(item, order)) for item in items]
    known = sorted((one for one in values if one[1] is not None), key=lambda one: -(one[1] or 0.0))
    return [item for item, _ in known] + [item for item, value in values if value is None]


def _order_value(item: Recorded, order: str) -> float | None:
    if order == "trips":
        return sum(arm.trips for arm in item.arms) if item.arms else None
    figures = session_figures(item)
    if figures is None:
        return None
    return figures.strides if order == "strides" else figures.off_target_deg


def _person_link(pseudonym: str) -> str:
    """To the person's own recordings; a dash for a recording of nobody, as one that still runs."""
    if not pseudonym:
        return "–"
    return f'<a href="/sessions?q={quote(pseudonym)}">{escape(pseudonym)}</a>'


def _row(texts: Texts, item: Recorded) -> list[str]:
    t, path = texts.get, f"/sessions/{quote(item.name)}"
    when = day_words(texts, item)
    choice = (
        f'<label class="tick"><input type="checkbox" name="run" value="{escape(item.name)}" '
        f'aria-label="{escape(t("sessions.compare"))}: {escape(when)}"></label>'
    )
    report = (
        f'<a href="{path}/report.html" target="_blank">{escape(t("sessions.report"))}</a>'
        if item.has_report
        else "–"
    )
    modes = ", ".join(_walked(texts, arm) for arm in item.arms) or t("sessions.running")
    trips = [arm.trips for arm in item.arms]
    if item.exercise is not None:
        modes, trips = done_words(texts, item.exercise), [item.exercise.trips]
    virtual = f' <small class="quiet">{escape(t("page.virtual"))}</small>' if item.virtual else ""
    return [
        choice,
        f'<a href="{path}" title="{escape(item.name)}">{escape(when)}</a>',
        f"{_person_link(item.pseudonym)}{virtual}",
        escape(modes),
        " / ".join(_counted(texts, arm) for arm in item.arms),
        " / ".join(short_text(texts, arm.swing_pitch_rmse_deg) for arm in item.arms),
        " / ".join(map(str, trips)),
        report,
    ]


def short_text(texts: Texts, value: Spread | None) -> str:
    """The median alone."""
    return value_text(texts, None if value is None else value.median, "°")


def detail_html(texts: Texts, item: Recorded, links: str = "", pictures: str = "") -> str:
    """One recording: ``links`` to its files, ``pictures``, the figures, a column an arm or a row a muscle."""
    figures = muscles_html(texts, item.exercise) if item.exercise else _figures_html(texts, [item])
    return f"<p>{escape(item.pseudonym)} · {escape(item.name)}</p>{links}{pictures}{figures}{_back(texts)}"


def pictures_html(report: Path) -> str:
    """The pictures of a report with their captions; nothing else of it, and nothing where there is none.

    They stand in the page, as a frame would take the keys that STOP listens to.
    """
    try:
        return "".join(PICTURE.findall(report.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return ""


def compare_html(texts: Texts, items: Sequence[Recorded]) -> str:
    """Two recordings or more, side by side."""
    if len(items) < 2:
        return f'<p role="status">{escape(texts.get("sessions.compare_hint"))}</p>{_back(texts)}'
    return _figures_html(texts, items) + _back(texts)


def _back(texts: Texts) -> str:
    return f'<p><a href="/sessions">{escape(texts.get("sessions.back"))}</a></p>'


def _figures_html(texts: Texts, items: Sequence[Recorded]) -> str:
    t = texts.get
    columns = [(item, arm) for item in items for arm in item.arms]
    if not columns:
        return f"<p>{escape(t('sessions.running'))}</p>"
    names = (f"{day_words(texts, item)} {_mode(texts, arm.mode)}" for item, arm in columns)
    heads = [escape(t("sessions.figure")), *map(escape, names)]
    rows = [
        [
            f"{escape(t(f'sessions.{name}'))}",
            *(escape(value_text(texts, getattr(arm, name), unit)) for _, arm in columns),
        ]
        for name, unit in FIGURES
    ]
    return table(heads, rows)


def _walked(texts: Texts, arm: ArmSummary) -> str:
    """How an arm was walked: its mode, or that the guard was never armed in it."""
    return _mode(texts, arm.mode) if arm.armed else texts.get("sessions.not_armed")


def _counted(texts: Texts, arm: ArmSummary) -> str:
    """The strides the figures are made of, and beside them how many others there were."""
    others = sum(arm.left_out_strides.values())
    if not others:
        return str(arm.counted_strides or arm.strides)  # older summaries do not tell which strides count
    return f"{arm.counted_strides} (+{others} {texts.get('sessions.left_out')})"


def _mode(texts: Texts, mode: str) -> str:
    """A mode in words; the label of a blinded arm as it is."""
    return texts.words.get(f"mode.{mode}", mode)


def value_text(texts: Texts, value: Spread | Latency | float | str | None, unit: str) -> str:
    """A figure in words: median and 90th percentile where there are both."""
    if value is None:
        return "–"
    unit = texts.get(unit) if unit.startswith("unit.") else unit
    unit = unit if unit in ("", "°") else f" {unit}"
    match value:
        case Spread():
            text = f"{value.median:.1f}{unit} ({texts.get('sessions.p90')}: {value.p90:.1f}{unit})"
        case Latency():
            text = f"{value.p99:.1f}{unit}"
        case float():
            text = f"{value:.1f}{unit}"
        case _:
            text = f"{value}{unit}"
    return text.replace(".", ",") if texts.language == "de" else text
