"""The recordings of ``runs/``: list, search, figures, two side by side.

Promises only what ``summary.json`` says; a folder without one is listed as not summed up. Refuses any name
that is not a folder of the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import msgspec

from controller.analysis.exercise import ExerciseSummary
from controller.analysis.summary import ArmSummary, Latency, Spread, Summary
from controller.console.i18n import Texts
from controller.console.layout import table
from controller.console.recordings.exercise_recording import done_words, muscles_html, read_summary
from controller.errors import InputError
from controller.record.reader import header

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
    ("charge_per_stride_uc", "µC"),
    ("sensor_to_pulse_ms", "ms"),
    ("missed_ticks", ""),
    ("samples_lost", ""),
    ("trips", ""),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One folder of recordings; ``arms`` is empty where nothing was summed up yet."""

    name: str
    pseudonym: str
    arms: tuple[ArmSummary, ...]
    has_report: bool
    exercise: ExerciseSummary | None = None  # in place of arms, where it was one


def found(runs: Path, search: str = "") -> list[Recorded]:
    """The recordings whose name, pseudonym or modes hold every word of ``search``; the newest first."""
    if not runs.is_dir():
        return []
    words = search.lower().split()
    items = [
        _read(folder)
        for folder in sorted(runs.iterdir(), reverse=True)
        if (folder / "session.mcap").is_file()
    ]
    return [item for item in items if all(word in _haystack(item) for word in words)]


def one(runs: Path, name: str) -> Recorded | None:
    """The recording of that name; None where the list has none."""
    if not runs.is_dir():
        return None
    for folder in runs.iterdir():
        if folder.name == name and (folder / "session.mcap").is_file():
            return _read(folder)
    return None


def _haystack(item: Recorded) -> str:
    title = item.exercise.title if item.exercise else ""
    return " ".join((item.name, item.pseudonym, title, *(arm.mode for arm in item.arms))).lower()


def _read(folder: Path) -> Recorded:
    try:
        arms = msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary).arms
    except (OSError, msgspec.DecodeError):
        arms = ()
    try:
        pseudonym = header(folder / "session.mcap").get("pseudonym", "")
    except InputError:
        pseudonym = ""
    exercise = None if arms else read_summary(folder)
    return Recorded(folder.name, pseudonym, arms, (folder / "report.html").is_file(), exercise)


def list_html(texts: Texts, items: Sequence[Recorded], search: str) -> str:
    """The list with its search, two of it to be compared."""
    t = texts.get
    finder = (
        f'<form class="tools" role="search"><label>{escape(t("sessions.search"))} '
        f'<input type="search" name="q" value="{escape(search)}"></label>'
        f'<button class="button">{escape(t("sessions.search"))}</button></form>'
    )
    if not items:
        return f"{finder}<p>{escape(t('sessions.none'))}</p>"
    rows = []
    for item in items:
        path = f"/sessions/{quote(item.name)}"
        choice = (
            f'<input type="checkbox" name="run" value="{escape(item.name)}" '
            f'aria-label="{escape(t("sessions.compare"))}: {escape(item.name)}">'
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
        rows.append(
            [
                choice,
                f'<a href="{path}">{escape(item.name)}</a>',
                escape(item.pseudonym),
                escape(modes),
                " / ".join(_counted(texts, arm) for arm in item.arms),
                " / ".join(value_text(texts, arm.swing_pitch_rmse_deg, "°") for arm in item.arms),
                " / ".join(map(str, trips)),
                report,
            ]
        )
    names = ("name", "patient", "modes", "strides", "error", "trips", "report")
    heads = [
        f"<span>{escape(t('sessions.compare'))}</span>",
        *(escape(t(f"sessions.{name}")) for name in names),
    ]
    button = f'<p class="tools"><button class="button">{escape(t("sessions.compare"))}</button></p>'
    return f'{finder}<form action="/sessions/compare">{table(heads, rows)}{button}</form>'


def detail_html(texts: Texts, item: Recorded, links: str = "", pictures: str = "") -> str:
    """One recording: ``links`` to its files, ``pictures``, the figures, a column an arm or a row a muscle."""
    figures = muscles_html(texts, item.exercise) if item.exercise else _figures_html(texts, [item])
    return f"<p>{escape(item.pseudonym)}</p>{links}{pictures}{figures}{_back(texts)}"


def pictures_html(report: Path) -> str:
    """The pictures of a report with their captions; nothing else of it, and nothing where there is none.

    They stand in the page, as a frame would take the keys that STOP listens to.
    """
    try:
        return "".join(PICTURE.findall(report.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return ""


def compare_html(texts: Texts, items: Sequence[Recorded]) -> str:
    """Two recordings side by side."""
    if len(items) != 2:
        return f'<p role="status">{escape(texts.get("sessions.compare_hint"))}</p>{_back(texts)}'
    return _figures_html(texts, items) + _back(texts)


def _back(texts: Texts) -> str:
    return f'<p><a href="/sessions">{escape(texts.get("sessions.back"))}</a></p>'


def _figures_html(texts: Texts, items: Sequence[Recorded]) -> str:
    t = texts.get
    columns = [(item, arm) for item in items for arm in item.arms]
    if not columns:
        return f"<p>{escape(t('sessions.running'))}</p>"
    names = (f"{item.name}: {_mode(texts, arm.mode)}" for item, arm in columns)
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
