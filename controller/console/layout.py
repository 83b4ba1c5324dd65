"""The console's HTML on every page: the bar with STOP, arming, tables.

Promises that STOP is plain HTML, first on the page, and that every text from outside is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from markupsafe import Markup

from controller.config.console_settings import STOP_PATH
from controller.console.i18n import LANGUAGES, Texts, Therapy
from controller.console.render import render

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
OF_ONE = re.compile(r"/(sessions|ended|persons)/[A-Za-z0-9._-]+(/start)?")  # a recording, a session, a person
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


def bar(texts: Texts, here: str, *, with_state: bool, looks_on: bool = False) -> Markup:
    """The fixed bar: STOP, the guard's state, the way to the other page; STOP alone where it ``looks_on``."""
    return render(
        "bar",
        texts,
        here=here,
        navigation=NAVIGATION[texts.therapy],
        home_port=texts.home_port,
        stop_path=STOP_PATH,
        stop_words=STOP_WORDS,
        static=STATIC,
        with_state=with_state,
        looks_on=looks_on,
    )


def footer(texts: Texts) -> Markup:
    names = zip(LANGUAGES, ("English", "Deutsch"), strict=True)
    others = [(language, name) for language, name in names if language != texts.language]
    return render("footer", texts, other_languages=others)


def page_to_keep(address: str) -> str:
    """Of the address that a person came from, the page to go back to: one of the console's own."""
    parts = urlsplit(address)
    known = {"/walker", "/new-person", *(path for links in NAVIGATION.values() for path, _ in links)}
    if parts.path in known or OF_ONE.fullmatch(parts.path):
        return parts.path + (f"?{parts.query}" if parts.query else "")
    first = "/" + parts.path.strip("/").partition("/")[0]
    return first if first in known else "/"


def whole_page(texts: Texts, here: str, title: str, body: Markup, *, with_state: bool = False) -> Markup:
    """A page without live charts: it needs no script, but one keeps the guard's state in the bar."""
    return render(
        "page",
        texts,
        title=title,
        static=STATIC,
        bar=bar(texts, here, with_state=with_state),
        body=body,
        footer=footer(texts),
        script=page_script(texts) if with_state else "",
        with_state=with_state,
    )


def live_page(texts: Texts, content: Markup, scripts: Sequence[str]) -> Markup:
    """The page with live data, which ``scripts`` draw in this order."""
    return render(
        "live/page",
        texts,
        bar=bar(texts, "/", with_state=True),
        content=content,
        footer=footer(texts),
        scripts=scripts,
        static=STATIC,
    )


def login_page(texts: Texts, *, wrong: bool, to: str = "/") -> Markup:
    """The way in for a browser without the token, ``to`` its page; STOP is on it too and asks for nothing."""
    return whole_page(texts, "/login", texts.get("login.title"), render("login", texts, wrong=wrong, to=to))


def arm_buttons(texts: Texts) -> Markup:
    """Press and hold to arm, and in its place, once armed, the one that disarms."""
    return render("arm_buttons", texts)


def unlock_stage(texts: Texts) -> Markup:
    """How far the staged unlock is, and the button that ends it; hidden where none is under way."""
    return render("unlock_stage", texts)


def page_script(texts: Texts) -> Markup:
    """For pages with the guard's state in the bar: its words, and the script that asks for it."""
    words = {key: text for key, text in texts.words.items() if key.startswith(PAGE_WORDS)}
    told = {"language": texts.language, "texts": words, "phrases": list(texts.phrases.items())}
    return render("page_script", texts, told=told, static=STATIC)
