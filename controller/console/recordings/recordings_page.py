"""The pages of recordings: the list with its search and order, one recording, any number side by side.

Promises only what ``summary.json`` says; a folder without one is listed as not summed up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from controller.analysis.summary import ArmSummary, Latency, Spread
from controller.console.i18n import Texts
from controller.console.recordings.exercise_recording import done_words, muscles_html
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.session_figures import session_figures
from controller.console.render import NOTHING, render

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


@dataclass(frozen=True, slots=True)
class Row:
    """One recording in the list, arm by arm where it has more than one."""

    item: Recorded
    when: str
    modes: str
    strides: Sequence[str]
    errors: Sequence[str]
    trips: Sequence[int]


def list_html(texts: Texts, items: Sequence[Recorded], search: str, order: str = "when") -> Markup:
    """The list with its search; any of it to be compared."""
    rows = [_row(texts, item) for item in in_order(items, order)]
    return render("recordings/list", texts, rows=rows, search=search, order=order, orders=ORDERS)


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


def _row(texts: Texts, item: Recorded) -> Row:
    modes, trips = ", ".join(_walked(texts, arm) for arm in item.arms), [arm.trips for arm in item.arms]
    if item.exercise is not None:
        modes, trips = done_words(texts, item.exercise), [item.exercise.trips]
    return Row(
        item=item,
        when=day_words(texts, item),
        modes=modes or texts.get("sessions.running"),
        strides=[_counted(texts, arm) for arm in item.arms],
        errors=[short_text(texts, arm.swing_pitch_rmse_deg) for arm in item.arms],
        trips=trips,
    )


def short_text(texts: Texts, value: Spread | None) -> str:
    """The median alone."""
    return value_text(texts, None if value is None else value.median, "°")


def detail_html(texts: Texts, item: Recorded, links: Markup = NOTHING, pictures: Markup = NOTHING) -> Markup:
    """One recording: ``links`` to its files, ``pictures``, the figures, a column an arm or a row a muscle."""
    figures = muscles_html(texts, item.exercise) if item.exercise else _figures_html(texts, [item])
    return render("recordings/detail", texts, item=item, links=links, pictures=pictures, figures=figures)


def pictures_html(report: Path) -> Markup:
    """The pictures of a report with their captions; nothing else of it, and nothing where there is none.

    They stand in the page, as a frame would take the keys that STOP listens to.
    """
    try:
        return NOTHING.join(map(Markup, PICTURE.findall(report.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError):
        return NOTHING


def compare_html(texts: Texts, items: Sequence[Recorded]) -> Markup:
    """Two recordings or more, side by side."""
    figures = _figures_html(texts, items) if len(items) > 1 else None
    return render("recordings/compare", texts, figures=figures)


def _figures_html(texts: Texts, items: Sequence[Recorded]) -> Markup:
    columns = [(item, arm) for item in items for arm in item.arms]
    return render(
        "recordings/figures",
        texts,
        arms=[f"{day_words(texts, item)} {_mode(texts, arm.mode)}" for item, arm in columns],
        rows=[
            [
                texts.get(f"sessions.{name}"),
                *(value_text(texts, getattr(arm, name), unit) for _, arm in columns),
            ]
            for name, unit in FIGURES
        ],
    )


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
