"""How the overlays of the last strides look; the browser adds each stride when it is complete."""

from __future__ import annotations

from typing import Any

from controller.console.i18n import Texts
from controller.record.step_verdict import REFERENCE_BAND_DEG

Rows = tuple[float, float | None, float | None]  # of the vertical axis: lowest, highest, step

PITCH_DEG: Rows = (-80, 40, 40)  # a normal foot goes from -65 to 25
UNITS = {
    "pitch": "°",
    "ankle": "°",
    "current": "mA",
    "emg": "µV",
    "phase": "%",
    "overlay": "°",
    "overlay_current": "mA",
}

Options = dict[str, Any]  # Any: an ECharts option is an open JSON document


def options(name: str, texts: Texts, reference_deg: tuple[float, ...]) -> Options:
    """The ECharts options of an overlay, without strides."""
    if name == "overlay":
        return _overlay(texts, reference_deg)
    return _frame([], (0, None, None), axis=texts.get("chart.percent"))


def _overlay(texts: Texts, reference_deg: tuple[float, ...]) -> Options:
    band: list[Options] = []
    if reference_deg:
        whole = len(reference_deg) - 1
        at = [100.0 * index / whole for index in range(whole + 1)]
        low = [[x, y - REFERENCE_BAND_DEG] for x, y in zip(at, reference_deg, strict=True)]
        wide = [[x, 2 * REFERENCE_BAND_DEG] for x in at]
        shared = {
            "type": "line",
            "silent": True,
            "showSymbol": False,
            "stack": "band",
            "stackStrategy": "all",
        }
        none = {"opacity": 0}
        band = [
            {**shared, "id": "low", "name": "", "data": low, "lineStyle": none},
            {
                **shared,
                "id": "band",
                "name": texts.get("chart.band"),
                "data": wide,
                "lineStyle": none,
                "itemStyle": {"color": "#c3ccd4"},
                "areaStyle": {"color": "#c3ccd4", "opacity": 0.7},
            },
        ]
    return _frame(band, PITCH_DEG, axis=texts.get("chart.percent"))


def _frame(series: list[Options], rows: Rows, *, axis: str) -> Options:
    quiet = {"color": "#4a5661", "fontSize": 13}
    low, high, step = rows
    line = {"onZero": False}
    vertical: Options = {"type": "value", "min": low, "axisLabel": quiet, "axisLine": line}
    if step is not None:
        vertical["interval"] = step
    if high is not None:
        vertical["max"] = high
    return {
        "animation": False,
        "grid": {"left": 44, "right": 12, "top": 10, "bottom": 38},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": 100,
            "name": axis,
            "nameLocation": "middle",
            "nameGap": 22,
            "nameTextStyle": quiet,
            "axisLabel": quiet,
            "axisLine": line,
            "splitLine": {"show": False},
        },
        "yAxis": vertical,
        "series": series,
    }
