"""How the live charts look; the data comes to the browser as increments and is drawn there."""

from __future__ import annotations

from typing import Any

from controller.console.texts import Texts

Rows = tuple[float, float | None, float | None]  # of the vertical axis: lowest, highest, step

SHOWN_S = 8
BAND_DEG = 5.0  # as the report draws it
PITCH_DEG: Rows = (-80, 40, 40)  # a normal foot goes from -65 to 25
FOOT, REFERENCE, ANKLE, DELIVERED = "#0b57a4", "#5b6570", "#00695c", "#6a1b9a"
UNITS = {"pitch": "°", "ankle": "°", "current": "mA", "phase": "%", "overlay": "°", "overlay_current": "mA"}

Options = dict[str, Any]  # Any: an ECharts option is an open JSON document


def options(name: str, texts: Texts, reference_deg: tuple[float, ...]) -> Options:
    """The ECharts options of chart ``name``, without data."""
    t = texts.get
    match name:
        case "pitch":
            foot = _line(t("chart.foot"), FOOT)
            foot["markLine"] = {
                "silent": True,
                "symbol": "none",
                "animation": False,
                "lineStyle": {"color": "#8a949d", "width": 1},
                "label": {"show": False},
                "data": [],
            }
            return _strip([foot, _line(t("chart.reference"), REFERENCE, dashed=True)], PITCH_DEG)
        case "ankle":
            return _strip([_line(t("chart.ankle_line"), ANKLE)], (-40, 20, 20))
        case "current":
            wished = _line(t("chart.set"), REFERENCE, dashed=True)
            given = {**_line(t("chart.delivered"), DELIVERED), "step": "end", "areaStyle": {"opacity": 0.18}}
            return _strip([wished, given], (0, None, None))
        case "phase":
            return _strip([_line(t("chart.phase_line"), FOOT)], (0, 100, 50))
        case "overlay":
            return _overlay(texts, reference_deg)
        case _:
            return _frame([], (0, 100), (0, None, None), legend=False, axis=t("chart.percent"))


def _line(name: str, colour: str, *, dashed: bool = False) -> Options:
    return {
        "type": "line",
        "name": name,
        "showSymbol": False,
        "silent": True,
        "data": [],
        "itemStyle": {"color": colour},
        "lineStyle": {"color": colour, "width": 2, "type": "dashed" if dashed else "solid"},
    }


def _strip(series: list[Options], rows: Rows) -> Options:
    return _frame(series, (-SHOWN_S, 0), rows, legend=len(series) > 1, axis="s")


def _overlay(texts: Texts, reference_deg: tuple[float, ...]) -> Options:
    band: list[Options] = []
    if reference_deg:
        whole = len(reference_deg) - 1
        at = [100.0 * index / whole for index in range(whole + 1)]
        low = [[x, y - BAND_DEG] for x, y in zip(at, reference_deg, strict=True)]
        wide = [[x, 2 * BAND_DEG] for x in at]
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
    return _frame(band, (0, 100), PITCH_DEG, legend=False, axis=texts.get("chart.percent"))


def _frame(
    series: list[Options],
    across: tuple[float, float],
    rows: Rows,
    *,
    legend: bool,
    axis: str,
) -> Options:
    quiet = {"color": "#4a5661", "fontSize": 13}
    low, high, step = rows
    vertical: Options = {"type": "value", "min": low, "axisLabel": quiet, "axisLine": {"onZero": False}}
    if step is not None:
        vertical["interval"] = step
    if high is not None:
        vertical["max"] = high
    return {
        "animation": False,
        "grid": {"left": 44, "right": 12, "top": 30 if legend else 10, "bottom": 34},
        "legend": {"show": legend, "top": 0, "right": 0, "textStyle": {"fontSize": 13, "color": "#14202b"}},
        "xAxis": {
            "type": "value",
            "min": across[0],
            "max": across[1],
            "name": axis,
            "nameLocation": "middle",
            "nameGap": 20,
            "nameTextStyle": quiet,
            "axisLabel": quiet,
            "axisLine": {"onZero": False},
            "splitLine": {"show": False},
        },
        "yAxis": vertical,
        "series": series,
    }
