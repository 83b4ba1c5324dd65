"""What stands under Details on the live page: tiles with every figure, charts with their table twins."""

from __future__ import annotations

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.render import render
from controller.core.control.assistance import LIFT_DEG
from controller.record.step_verdict import REFERENCE_BAND_DEG

CHARTS = {  # name, unit
    "overlay": "°",
    "overlay_current": "mA",
    "pitch": "°",
    "ankle": "°",
    "current": "mA",
    "emg": "µV",
    "phase": "%",
}
OVERLAYS = ("overlay", "overlay_current")  # of the last strides; the others are strips of the last seconds
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


def details_html(texts: Texts, settings: ConsoleSettings, *, blinded: bool) -> Markup:
    """Tiles, charts, what the scripts are told. ``blinded``: without what tells the arm."""
    shown = [
        (name, texts.get(unit) if unit.startswith("unit.") else unit)
        for name, unit in TILES
        if not (blinded and name in TELLING)
    ]
    charts = [
        (name, unit, name in OVERLAYS)
        for name, unit in CHARTS.items()
        if not (blinded and name in TELLING_CHARTS)
    ]
    told = {
        "language": texts.language,
        "texts": dict(texts.words),
        "phrases": list(texts.phrases.items()),
        "reference_pitch_deg": settings.reference_pitch_deg,
        "normal_swing_percent": settings.normal_swing_percent,
        "mode": settings.mode,
        "band_deg": REFERENCE_BAND_DEG,
        "lift_deg": LIFT_DEG,
        "blinded": blinded,
        "view": "assessor" if blinded else "",
        "says_current": not blinded,
    }
    return render("live/details", texts, tiles=shown, charts=charts, blinded=blinded, told=told)
