"""The way in with the token, and the choice of a language: of a session's console and of the service."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from controller.config.console_settings import cookie_name, is_token
from controller.console import layout
from controller.console.access import COOKIE_DAYS, first_page
from controller.console.i18n import COOKIE, LANGUAGES, Texts


class Entrance:
    """``/enter``, ``/login``, ``/language/<code>``."""

    def __init__(self, token: str | None, *, secure: bool, texts_of: Callable[[Request], Texts]) -> None:
        self._token = token
        self._secure = secure
        self._texts_of = texts_of

    def routes(self, app: FastAPI) -> None:
        app.get("/enter")(self.enter)
        app.post("/login")(self.login)
        app.get("/language/{code}")(self.language)

    async def enter(self, request: Request, token: str = "", to: str = "/") -> Response:
        """The printed address: the token is kept by the browser and leaves its address line."""
        if self._token is None or not is_token(token, self._token):
            return self._wrong(request)
        # a page and no redirect: a browser sends a strict cookie along only where the way began here
        page = f'<meta http-equiv="refresh" content="0;url={first_page(to)}">'
        return self._let_in(request, token, HTMLResponse(page))

    async def login(self, request: Request, token: str = Form(), to: str = Form("/")) -> Response:
        if self._token is None or not is_token(token, self._token):
            return self._wrong(request, to)
        return self._let_in(request, token, RedirectResponse(first_page(to), status_code=303))

    async def language(self, request: Request, code: str) -> Response:
        """The page that a person came from, in another language."""
        answer = RedirectResponse(layout.page_to_keep(request.headers.get("referer", "")), status_code=303)
        if code in LANGUAGES:
            answer.set_cookie(COOKIE, code, max_age=86400 * COOKIE_DAYS, samesite="strict")
        return answer

    def _wrong(self, request: Request, to: str = "/") -> Response:
        page = layout.login_page(self._texts_of(request), wrong=True, to=first_page(to))
        return HTMLResponse(page, status_code=403)

    def _let_in(self, request: Request, token: str, answer: Response) -> Response:
        name = cookie_name(request.headers.get("host", ""))
        answer.set_cookie(name, token, secure=self._secure, httponly=True, samesite="strict")
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-store"
        return answer
