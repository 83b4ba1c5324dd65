"""A second screen for the person who walks: was the foot lifted, toes up, steps, time; STOP and nothing else.

It is told what these need alone, the same in every arm of a trial, blinded or not, and has no message of its
own. A tone when the heel comes off is its browser's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from controller.console import layout
from controller.console.i18n import Texts
from controller.console.live.blinded_view import assessors
from controller.console.live.browser_messages import Json
from controller.console.live.main_screen import MARKS
from controller.console.render import render

WALKER_PATH = "/walker"
WORDS = ("state", "scope", "paused", "on_s", "stride_count", "data_age_ms", "whole")
OF_A_STEP = ("verdict", "landing_deg", "target_deg")
SCRIPT_WORDS = ("verdict.", "walker.", "main.")


def walkers(news: Json) -> Json:
    """The feed's news for the person who walks; ``heel_off_ms``: how long ago the newest of them came off."""
    if "onward" in news:  # there the session's figures are, and the next walk
        return {"over": True}
    cut = assessors(news)
    kept: Json = {word: cut[word] for word in WORDS if word in cut}
    steps, events = cut.get("strides"), cut.get("events")
    if isinstance(steps, list):
        kept["strides"] = [{name: step[name] for name in OF_A_STEP} for step in steps]
    if isinstance(events, list):
        off_s = [t_s for t_s, kind in events if kind == "heel_off"]
        kept["heel_off_ms"] = round((time.monotonic() - max(off_s)) * 1e3) if off_s else None
    return kept


def routes(app: FastAPI, texts_of: Callable[[Request], Texts]) -> None:
    def page(request: Request) -> Response:
        return HTMLResponse(walker_page(texts_of(request)), headers={"Cache-Control": "no-store"})

    app.get(WALKER_PATH)(page)


def walker_page(texts: Texts) -> str:
    told = {
        "language": texts.language,
        "texts": {key: text for key, text in texts.words.items() if key.startswith(SCRIPT_WORDS)},
        "phrases": [],
        "view": "walker",
    }
    return render(
        "live/walker",
        texts,
        bar=layout.bar(texts, WALKER_PATH, with_state=False, looks_on=True),
        footer=layout.footer(texts),
        marks=MARKS,
        static=layout.STATIC,
        told=told,
    )
