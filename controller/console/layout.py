"""The console's HTML on every page: the bar with STOP, arming, tables.

Promises that STOP is plain HTML, first on the page, and that every text from outside is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from controller.config.console_settings import STOP_PATH
from controller.console.i18n import LANGUAGES, Texts, Therapy

NAVIGATION: dict[Therapy, tuple[tuple[str, str], ...]] = {
    "walk": (
        ("/", "live"),
        ("/tuning", "tuning"),
        ("/audit", "audit"),
        ("/setup", "setup"),
        ("/test", "test"),
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
STOP_WORDS = (
    "pressed",
    "unreachable",
    "hint",
    "ready",
    "deaf",
    "deaf_hint",
    "deaf_over",
    "other",
    "silent",
)  # its script's
STATIC = "/console-static"
RECORDING = re.compile(r"/sessions/[A-Za-z0-9._-]+")
PAGE_WORDS = (
    "state",
    "alarm.",
    "fault.",
    "tone.",
    "setup.live",
    "test.",
    "arm.",
    "refusal.",
    "question.",
    "unlock.",
    "mode.",
)  # what the script of the pages says
ALARMS = '<div class="main alarms"><div id="alarms" role="alert"></div></div>'
HEAD = "".join(
    f'<link rel="stylesheet" href="{STATIC}/{name}.css">' for name in ("console", "live", "recordings")
)
HOME_HEAD = f'<link rel="stylesheet" href="{STATIC}/home.css"><script src="{STATIC}/home.js" defer></script>'


def bar(texts: Texts, here: str, *, with_state: bool) -> str:
    """The fixed bar: STOP, the guard's state, the way to the other page."""
    t = texts.get
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == here else ""}>{escape(t(f"page.{name}"))}</a>'
        for path, name in NAVIGATION[texts.therapy]
    )
    if texts.home_port is not None:
        links += _home_link(texts, texts.home_port)
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
        "</div>"
        '<p id="stop-deaf" role="alert"></p><p id="stop-watch" role="status" hidden><span></span> '
        f'<button type="button" class="button small">{escape(t("stop.take_over"))}</button></p></header>'
        f"<nav>{links}</nav>"
        f'<script src="{STATIC}/stop.js"></script>'
    )


def _home_link(texts: Texts, port: int) -> str:
    """To the service that started the session, at its own port: it leads there after the session, too."""
    there = f"`${{location.protocol}}//${{location.hostname}}:{port}/`"
    return (
        f'<a href="/home" id="home-link">{escape(texts.get("page.home"))}</a>'
        f'<script>document.getElementById("home-link").href = {there}</script>'
    )


def footer(texts: Texts) -> str:
    languages = " ".join(
        f'<a href="/language/{language}" hreflang="{language}" lang="{language}">{name}</a>'
        for language, name in zip(LANGUAGES, ("English", "Deutsch"), strict=True)
        if language != texts.language
    )
    return f"<footer><span>Dorsi. {escape(texts.get('page.disclaimer'))}</span>{languages}</footer>"


def page_to_keep(address: str) -> str:
    """Of the address that a person came from, the page to go back to: one of the console's own."""
    parts = urlsplit(address)
    known = {path for links in NAVIGATION.values() for path, _ in links}
    if parts.path in known or RECORDING.fullmatch(parts.path):
        return parts.path + (f"?{parts.query}" if parts.query else "")
    first = "/" + parts.path.strip("/").partition("/")[0]
    return first if first in known else "/"


def whole_page(texts: Texts, here: str, title: str, body: str, *, with_state: bool = False) -> str:
    """A page without live charts: it needs no script, but one keeps the guard's state in the bar."""
    script = page_script(texts) if with_state else ""
    home, alarms = HOME_HEAD if texts.therapy == "home" else "", ALARMS if with_state else ""
    return (
        f'<!doctype html><html lang="{texts.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Dorsi</title>{HEAD}{home}</head>"
        f"<body>{bar(texts, here, with_state=with_state)}{alarms}<main><h1>{escape(title)}</h1>"
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


def page_script(texts: Texts) -> str:
    """For pages with the guard's state in the bar: its words, and the script that asks for it."""
    words = {key: text for key, text in texts.words.items() if key.startswith(PAGE_WORDS)}
    told = {"language": texts.language, "texts": words, "phrases": list(texts.phrases.items())}
    safe = json.dumps(told).replace("<", "\\u003c")
    words_script = f'<script type="application/json" id="dorsi-page">{safe}</script>'
    scripts = "".join(f'<script src="{STATIC}/{name}.js"></script>' for name in ("alarms", "pages"))
    return f"{words_script}{scripts}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are HTML already. On a narrow screen it scrolls, by the keys too."""
    head = "".join(f"<th scope=col>{cell}</th>" for cell in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="wide card" tabindex="0">{inner}</div>'
