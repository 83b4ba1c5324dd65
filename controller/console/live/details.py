"""What stands under Details on the live page: tiles with every figure, charts with their table twins."""

from __future__ import annotations

import json
from html import escape

from nicegui import ui

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.live.charts import UNITS, options
from controller.core.control.assistance import LIFT_DEG
from controller.record.step_verdict import REFERENCE_BAND_DEG

STRIPS = ("pitch", "ankle", "current", "emg", "phase")
OVERLAYS = ("overlay", "overlay_current")
TILES: tuple[tuple[str, str], ...] = (  # name, unit
    ("current", "mA"),
    ("cadence", "unit.cadence"),
    ("pitch_contact", "°"),
    ("ankle_contact", "°"),
    ("error", "°"),
    ("pace", "m/s"),
    ("strides", ""),
    ("unlifted", ""),
    ("stride_time", "s"),
    ("symmetry", "%"),
    ("gain", "%"),
    ("response", "%"),
    ("late", "ms"),
    ("reflex", "Nm·s/rad"),
    ("charge", "µC"),
    ("dose", "mC"),
    ("load", "Ω"),
    ("delivered", "%"),
    ("age", "ms"),
    ("latency", "ms"),
    ("ticks", ""),
    ("signal", "%"),
    ("battery", "%"),
)
TELLING = (
    "current",
    "charge",
    "dose",
    "load",
    "delivered",
    "gain",
    "response",
    "late",
    "reflex",
    "latency",
    "unlifted",
)
TELLING_CHARTS = ("current", "emg", "overlay_current")  # of these two lists the arm could be told


def draw_details(texts: Texts, settings: ConsoleSettings, *, blinded: bool) -> dict[str, int]:
    """Draws them into NiceGUI's page; returns the charts' numbers by name. ``blinded``: without what tells
    the arm.
    """
    charts: dict[str, int] = {}
    heading = f"<h2>{escape(texts.get('main.details'))}</h2>"
    with ui.element("details").classes("card details"):
        with ui.element("summary"):
            ui.html(heading, sanitize=False)
        ui.html(tiles(texts, blinded=blinded), sanitize=False)
        with ui.element("div").classes("charts"):
            for name in (*OVERLAYS, *STRIPS):
                if blinded and name in TELLING_CHARTS:
                    continue
                with ui.element("section").classes("card"):
                    ui.html(chart_title(texts, name, UNITS[name]), sanitize=False)
                    if name in OVERLAYS:
                        shape = options(name, texts, settings.reference_pitch_deg)
                        chart = ui.echart(shape).classes("chart tall").props("aria-hidden=true")
                        charts[name] = chart.id
                    else:
                        ui.html(strip(name), sanitize=False)
                    ui.html(twin(texts, name), sanitize=False)
    return charts


def tiles(texts: Texts, *, blinded: bool) -> str:
    t = texts.get
    shown = [tile for tile in TILES if not (blinded and tile[0] in TELLING)]
    cells = "".join(
        f'<div class="tile"><dt>{escape(t(f"tile.{name}"))}</dt><dd>'
        f'<span class="value" id="tile-{name}">–</span>'
        f'<span class="unit">{escape(t(unit) if unit.startswith("unit.") else unit)}</span></dd></div>'
        for name, unit in shown
    )
    why = "" if blinded else f'<p id="why">{escape(t("main.why"))}: <span id="reason"></span></p>'
    return f'{why}<dl id="tiles">{cells}</dl><p id="streams" class="quiet"></p>'


def chart_title(texts: Texts, name: str, unit: str) -> str:
    note = ""
    if f"chart.note_{name}" in texts.words:
        note = f'<p class="quiet">{escape(texts.get(f"chart.note_{name}"))}</p>'
    return f"<h2>{escape(texts.get(f'chart.{name}'))} <small>({unit})</small></h2>{note}"


def strip(name: str) -> str:
    """Where a live strip is drawn; its table twin is what can be read aloud."""
    return f'<canvas class="chart" id="strip-{name}" aria-hidden="true"></canvas>'


def twin(texts: Texts, name: str) -> str:
    """The chart once more as a table, for those who cannot see it."""
    return (
        f'<details class="twin" id="twin-{name}"><summary>{escape(texts.get("chart.table"))}</summary>'
        f'<div class="wide"><table aria-label="{escape(texts.get(f"chart.{name}"))}">'
        "<thead></thead><tbody></tbody></table></div></details>"
    )


def live_script(texts: Texts, settings: ConsoleSettings, charts: dict[str, int], *, blinded: bool) -> str:
    """What the live page's scripts are told: words, language, the charts' numbers."""
    told = {
        "language": texts.language,
        "texts": dict(texts.words),
        "phrases": list(texts.phrases.items()),
        "charts": charts,
        "normal_swing_percent": settings.normal_swing_percent,
        "mode": settings.mode,
        "band_deg": REFERENCE_BAND_DEG,
        "lift_deg": LIFT_DEG,
        "blinded": blinded,
        "says_current": not blinded,
    }
    safe = json.dumps(told).replace("<", "\\u003c")  # no text may end the script element
    return f'<script type="application/json" id="dorsi-page">{safe}</script>'
