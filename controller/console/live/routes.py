"""What the browser asks for on the main screen of a walk: strength by taps, undo, pause and go on.

Every tap is answered in words where it is not taken. Nothing here arms, and pausing needs no name.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from controller.console.forms import fields, remember, remembered
from controller.console.i18n import Texts
from controller.console.live.browser_messages import Json
from controller.console.live.strength import Answer, Bound, Strength
from controller.console.tuning.controller_link import TuningLink
from controller.runtime.tuning import BY_MAX


class WalkRoutes:
    """The main screen's handlers, for all browsers."""

    def __init__(self, strength: Strength, link: TuningLink, *, texts_of: Callable[[Request], Texts]) -> None:
        self._strength = strength
        self._link = link
        self._texts_of = texts_of

    def routes(self, app: FastAPI) -> None:
        app.post("/walk/tap")(self.tap)
        app.post("/walk/undo")(self.undo)
        app.post("/walk/pause")(self.pause)
        app.post("/walk/go_on")(self.go_on)

    async def tap(self, request: Request) -> Response:
        """One tap of plus or minus; with ``by``, the initials are kept for the taps after it."""
        form = await fields(request)
        taps = {"1": 1, "-1": -1}.get(form.get("taps", ""))
        if taps is None:
            return Response(status_code=422)
        by = form.get("by") or remembered(request)
        return self._answered(request, self._strength.tap(form.get("key", ""), taps, by), form.get("by", ""))

    async def undo(self, request: Request) -> Response:
        form = await fields(request)
        answer = self._strength.undo(form.get("by") or remembered(request))
        return self._answered(request, answer, form.get("by", ""))

    async def pause(self, request: Request) -> Response:
        return await self._pause(request, paused=True)

    async def go_on(self, request: Request) -> Response:
        return await self._pause(request, paused=False)

    async def _pause(self, request: Request, *, paused: bool) -> Response:
        why = await self._link.pause(paused=paused, by=remembered(request) or "console")
        texts = self._texts_of(request)
        known = texts.words.get(f"pause.why_{why.replace(' ', '_')}")  # a refusal may be of another's wish
        words = (known or texts.get("pause.why_unanswered")) if why else ""
        return JSONResponse({"said": words, "code": why})

    def _answered(self, request: Request, answer: Answer, by: str) -> Response:
        told: Json = {"said": said(self._texts_of(request), answer), "code": answer.code}
        response = JSONResponse(told)
        if 0 < len(by) <= BY_MAX:
            remember(response, by)
        return response


def said(texts: Texts, answer: Answer) -> str:
    """The answer in words, with what binds; empty where the tap was taken."""
    if not answer.code:
        return ""
    most, why = "", ""
    if answer.bound is not None:
        bound = answer.bound
        most, why = texts.figure(bound.most), bound_words(texts, bound)
        if answer.code == "most":
            most += bound.unit
    return texts.get(f"strength.{answer.code}").format(most=most, why=why)


def bound_words(texts: Texts, bound: Bound) -> str:
    """What holds it there: the limit and who set it."""
    who = texts.words.get(f"who.{bound.who}", bound.who)
    own = texts.words.get(f"strength.bound_{bound.limit or 'range'}")
    limit = texts.words.get(f"limit.{bound.limit}", bound.limit)
    return f"{limit}, {who}" if own is None else own.replace("{who}", who)
