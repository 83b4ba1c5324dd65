"""Who sees what in a blinded trial: the assessor without what tells the arm, the safety person all.

The assessor's is the usual one. The whole view opens at one browser once somebody there gives the console's
token again, and the audit trail names who did. STOP, alarms and arming are the same in both.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import HTTPConnection

from controller.console import layout
from controller.console.forms import fields, remember, remembered
from controller.console.i18n import Texts
from controller.console.live.browser_messages import Json
from controller.console.render import render
from controller.runtime.tuning import BY_MAX

COOKIE = "dorsi_whole_view"
# Of the feed's words: what current, charge, learning, delay and unlock would tell of the arm.
SECRET_WORDS: Mapping[str, object] = {
    "set_ma": None, "applied_ma": None, "dose_left_uc": None, "latency_ms": None, "reason": "",
    "believed_gain": None, "believed_late_ms": None, "believed_reflex_nms": None, "response_share": None,
    "load_ohm": None, "delivered_share": None, "unlifted_swings": None, "then": None, "answered": None,
    "needed": None, "strength": None, "assisted": None, "seated": None,
}  # fmt: skip
SECRET_COLUMNS = (4, 5, 7)  # of a point of the trace: asked for and given, mA; EMG with its artefacts
SECRET_FIGURES: Mapping[str, object] = {"charge_uc": None, "applied_ma": []}
SECRET_ALARMS = ("F8", "F27", "F28")  # that pass by themselves, and come only where there is current
LIKE_ARMED = ("active", "ramp")  # in an arm without current the guard stays armed
PAGES = ("/tuning", "/test", "/audit", "/profiles", "/walk/tap", "/walk/undo")  # the whole view's alone


def assessors(news: Json) -> Json:
    """The feed's news without what tells the arm."""
    kept = {key: SECRET_WORDS.get(key, value) for key, value in news.items()}
    if news.get("state") in LIKE_ARMED:
        kept["state"] = "armed"
    if "mode" in news:  # before the first arm it is not the label's yet
        kept["mode"] = news.get("arm") or "unknown"
    alarms, points, strides = news.get("alarms"), news.get("points"), news.get("strides")
    if isinstance(alarms, list):
        kept["alarms"] = [alarm for alarm in alarms if alarm["fault"] not in SECRET_ALARMS]
    if isinstance(points, list):
        kept["points"] = [_point(point) for point in points]
    if isinstance(strides, list):
        kept["strides"] = [{**stride, **SECRET_FIGURES} for stride in strides]
    return kept


def _point(point: list[float | None]) -> list[float | None]:
    return [None if column in SECRET_COLUMNS else value for column, value in enumerate(point)]


class WholeView:
    """Which browsers see the whole view of a session; where it is not ``blinded`` all do."""

    def __init__(self, token: str | None, *, blinded: bool) -> None:
        self._token = token
        self.note: Callable[[str, str], None] = lambda text, by: None  # what was done, and by whom
        self.blinded = blinded
        self._opened: set[str] = set()

    def sees(self, connection: HTTPConnection) -> bool:
        return not self.blinded or connection.cookies.get(COOKIE, "") in self._opened

    def keeps_back(self, request: Request) -> bool:
        """Whether this page is not for this browser."""
        path = request.url.path
        return any(path == page or path.startswith(f"{page}/") for page in PAGES) and not self.sees(request)

    def open(self, answer: Response, token: str, by: str) -> bool:
        """Let the browser that gets ``answer`` see all, where the token is right and somebody signs."""
        right = self._token is None or hmac.compare_digest(
            token.encode(errors="replace"), self._token.encode()
        )
        if not right or not 0 < len(by) <= BY_MAX:
            return False
        name = secrets.token_urlsafe(16)
        self._opened.add(name)
        answer.set_cookie(COOKIE, name, httponly=True, samesite="strict")
        self.note("whole view of a blinded trial opened", by)
        return True

    def close(self, request: Request, answer: Response) -> None:
        self._opened.discard(request.cookies.get(COOKIE, ""))
        answer.delete_cookie(COOKIE)

    def routes(self, app: FastAPI, texts_of: Callable[[Request], Texts]) -> None:
        """The door to the whole view, in its pages' place and by itself; nothing where all see all."""
        if not self.blinded:
            return

        def page(request: Request, *, wrong: bool = False, status: int = 200) -> Response:
            texts = texts_of(request)
            body = door_html(texts, remembered(request), wrong=wrong)
            title = texts.get("blinded.title")
            return HTMLResponse(layout.whole_page(texts, "/whole-view", title, body, with_state=True), status)

        async def opened(request: Request) -> Response:
            form = await fields(request)
            answer = RedirectResponse("/", status_code=303)
            if not self.open(answer, form.get("token", ""), form.get("by", "")):
                return page(request, wrong=True, status=403)
            remember(answer, form["by"])
            return answer

        async def closed(request: Request) -> Response:
            answer = RedirectResponse("/", status_code=303)
            self.close(request, answer)
            return answer

        async def keep_back(request: Request, call: RequestResponseEndpoint) -> Response:
            return page(request, status=403) if self.keeps_back(request) else await call(request)

        async def door(request: Request) -> Response:
            return page(request)

        app.get("/whole-view")(door)
        app.post("/whole-view")(opened)
        app.post("/whole-view/close")(closed)
        app.middleware("http")(keep_back)


def door_html(texts: Texts, by: str, *, wrong: bool) -> Markup:
    """What stands in the whole view's place, and the way to it."""
    return render("live/whole_view", texts, by=by, by_max=BY_MAX, wrong=wrong)


def line_html(texts: Texts, *, whole: bool) -> Markup:
    """On the main screen of a blinded trial: which view this is, and the way to the other one."""
    return render("live/blinded_line", texts, whole=whole)
