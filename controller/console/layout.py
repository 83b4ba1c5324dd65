"""The console's HTML: the bar with STOP on every page, and the live page's fixed parts.

Promises that STOP is plain HTML, first on the page, and that every text from outside is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from controller.config.console_settings import STOP_PATH, ConsoleSettings
from controller.console.i18n import LANGUAGES, Texts, Therapy

STRIPS = ("pitch", "ankle", "current", "emg", "phase")
OVERLAYS = ("overlay", "overlay_current")
CHARTS = (*STRIPS, *OVERLAYS)
TILES: tuple[tuple[str, str], ...] = (  # name, unit
    ("current", "mA"),
    ("cadence", "unit.cadence"),
    ("ankle_contact", "°"),
    ("pitch_contact", "°"),
    ("error", "°"),
    ("pace", "m/s"),
    ("gain", "%"),
    ("late", "ms"),
    ("reflex", "Nm·s/rad"),
    ("response", "%"),
    ("strides", ""),
    ("unlifted", ""),
    ("stride_time", "s"),
    ("symmetry", "%"),
    ("charge", "µC"),
    ("dose", "mC"),
    ("age", "ms"),
    ("latency", "ms"),
    ("ticks", ""),
    ("signal", "%"),
    ("battery", "%"),
)
NAVIGATION: dict[Therapy, tuple[tuple[str, str], ...]] = {
    "walk": (
        ("/", "live"),
        ("/tuning", "tuning"),
        ("/audit", "audit"),
        ("/setup", "setup"),
        ("/profiles", "profiles"),
        ("/sessions", "sessions"),
    ),
    "exercise": (
        ("/", "live"),
        ("/checklist", "checklist"),
        ("/programmes", "programmes"),
        ("/audit", "audit"),
        ("/sessions", "sessions"),
    ),
    "home": (("/", "home"), ("/sessions", "sessions")),
}
BACK = ("/home", "home")  # to the service that started the session
STOP_WORDS = (
    "pressed",
    "unreachable",
    "hint",
    "deaf",
    "deaf_hint",
    "deaf_over",
    "other",
    "silent",
)  # its script's
STATIC = "/console-static"
PAGE_WORDS = (
    "state",
    "setup.live",
    "arm.",
    "refusal.",
    "question.",
    "unlock.",
)  # what the script of the pages says
HEAD = f'<link rel="stylesheet" href="{STATIC}/console.css">'
HOME_HEAD = f'<link rel="stylesheet" href="{STATIC}/home.css"><script src="{STATIC}/home.js" defer></script>'


def bar(texts: Texts, here: str, *, with_state: bool) -> str:
    """The fixed bar: STOP, the guard's state, the way to the other page."""
    t = texts.get
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == here else ""}>{escape(t(f"page.{name}"))}</a>'
        for path, name in (*NAVIGATION[texts.therapy], *([BACK] if texts.served else []))
    )
    if texts.therapy == "home":  # no session, so nothing to stop
        return f'<header id="bar" class="home"><strong>Dorsi</strong><nav>{links}</nav></header>'
    state = (
        '<div id="state" class="state-waiting" role="status">'
        '<span id="state-shape" class="shape"></span>'
        f'<strong id="state-word">{escape(t("state.waiting"))}</strong>'
        f'<span id="state-text">{escape(t("state_text.waiting"))}</span></div>'
    )
    data = " ".join(f'data-{key}="{escape(t(f"stop.{key}"))}"' for key in STOP_WORDS)
    return (
        f'<header id="bar"><form method="post" action="{STOP_PATH}" target="stop-answer">'
        f'<button id="stop" type="submit" autofocus>{escape(t("stop.label"))}'
        f"<small>{escape(t('stop.hint'))}</small></button></form>"
        f'<div id="side">{state if with_state else ""}'
        f'<p id="stop-word" role="status" {data}>{escape(t("stop.ready"))}</p>'
        f'<iframe id="answer" name="stop-answer" title="{escape(t("stop.label"))}" tabindex="-1"></iframe>'
        f"</div><nav>{links}</nav>"
        '<p id="stop-deaf" role="alert"></p><p id="stop-watch" role="status" hidden><span></span> '
        f'<button type="button" class="button small">{escape(t("stop.take_over"))}</button></p></header>'
        f'<script src="{STATIC}/stop.js"></script>'
    )


def footer(texts: Texts) -> str:
    languages = " ".join(
        f'<a href="/language/{language}" hreflang="{language}" lang="{language}">{name}</a>'
        for language, name in zip(LANGUAGES, ("English", "Deutsch"), strict=True)
        if language != texts.language
    )
    return f"<footer><span>Dorsi. {escape(texts.get('page.disclaimer'))}</span>{languages}</footer>"


def whole_page(texts: Texts, here: str, title: str, body: str, *, with_state: bool = False) -> str:
    """A page without live charts: it needs no script, but one keeps the guard's state in the bar."""
    script = page_script(texts) if with_state else ""
    home = HOME_HEAD if texts.therapy == "home" else ""
    return (
        f'<!doctype html><html lang="{texts.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Dorsi</title>{HEAD}{home}</head>"
        f"<body>{bar(texts, here, with_state=with_state)}<main><h1>{escape(title)}</h1>"
        f"{body}{footer(texts)}</main>{script}</body></html>"
    )


def login_page(texts: Texts, *, wrong: bool) -> str:
    """The way in for a browser without the token; STOP is on it too and asks for nothing."""
    fault = f'<p class="bad" role="alert">{escape(texts.get("login.wrong"))}</p>' if wrong else ""
    body = (
        f"<p>{escape(texts.get('login.how'))}</p>"
        f'{fault}<form method="post" action="/login" class="tools"><label>{escape(texts.get("login.token"))} '
        '<input type="password" name="token" autocomplete="current-password" required></label>'
        f'<button class="button">{escape(texts.get("login.enter"))}</button></form>'
    )
    return whole_page(texts, "/login", texts.get("login.title"), body)


def live_top(texts: Texts, settings: ConsoleSettings) -> str:
    """Everything above the charts of the live page."""
    t = texts.get
    who = " · ".join(
        part
        for part in (
            settings.pseudonym,
            settings.session,
            t("page.virtual") if settings.virtual else "",
            t("page.standard_model") if settings.standard_model else "",
        )
        if part
    )
    tiles = "".join(
        f'<div class="tile"><dt>{escape(t(f"tile.{name}"))}</dt><dd>'
        f'<span class="value" id="tile-{name}">–</span>'
        f'<span class="unit">{escape(t(unit) if unit.startswith("unit.") else unit)}</span></dd></div>'
        for name, unit in TILES
    )
    return (
        f'<h1 class="unseen">Dorsi: {escape(t("page.live"))}</h1>'
        f'<div id="stale" role="status"><span id="stale-words">{escape(t("page.loading"))}</span></div>'
        '<div id="alarms" role="alert"></div>'
        f'<div class="card" id="control">{arm_buttons(texts)}'
        f'<div><p>{escape(t("mode.label"))}: <strong id="mode">–</strong> · {escape(who)}</p>'
        f"{unlock_stage(texts)}"
        f'<p id="left-over" role="status" hidden>{escape(t("tuning.reset"))} '
        f'<a href="/tuning">{escape(t("page.tuning"))}</a></p>'
        '<p id="why"><span id="reason"></span></p><p id="refusals" role="status"></p>'
        '<p id="telemetry" class="quiet" role="status" hidden></p></div></div>'
        f'<dl id="tiles">{tiles}</dl>'
    )


def arm_buttons(texts: Texts) -> str:
    """Press and hold to arm, and in its place, once armed, the one that disarms."""
    t = texts.get
    return (
        '<button type="button" id="arm" aria-disabled="true">'
        f'<span id="arm-word">{escape(t("arm.label"))}</span><small>{escape(t("arm.hint"))}</small></button>'
        f'<button type="button" id="disarm" hidden>{escape(t("arm.disarm"))}</button>'
    )


def unlock_stage(texts: Texts) -> str:
    """How far the staged unlock is, and the button that ends it; hidden where none is under way."""
    label = escape(texts.get("unlock.label"))
    return (
        '<p id="stage" role="status" hidden><span id="stage-words"></span> '
        f'<button type="button" id="unlock" class="button small">{label}</button></p>'
    )


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


def live_script(texts: Texts, settings: ConsoleSettings, charts: dict[str, int]) -> str:
    """What the live page's script is told: words, language, the charts' numbers."""
    told = {
        "language": texts.language,
        "texts": dict(texts.words),
        "phrases": list(texts.phrases.items()),
        "charts": charts,
        "normal_swing_percent": settings.normal_swing_percent,
    }
    safe = json.dumps(told).replace("<", "\\u003c")  # no text may end the script element
    return f'<script type="application/json" id="dorsi-page">{safe}</script>'


def page_script(texts: Texts) -> str:
    """For pages with the guard's state in the bar: its words, and the script that asks for it."""
    words = {key: text for key, text in texts.words.items() if key.startswith(PAGE_WORDS)}
    told = {"language": texts.language, "texts": words, "phrases": list(texts.phrases.items())}
    safe = json.dumps(told).replace("<", "\\u003c")
    words_script = f'<script type="application/json" id="dorsi-page">{safe}</script>'
    return f'{words_script}<script src="{STATIC}/pages.js"></script>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are HTML already. On a narrow screen it scrolls, by the keys too."""
    head = "".join(f"<th scope=col>{cell}</th>" for cell in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="wide card" tabindex="0">{inner}</div>'
