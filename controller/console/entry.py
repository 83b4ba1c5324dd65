"""Who may open the pages: the right host name, no foreign origin, and the token, on this computer too.

Promises that another site open in the same browser can neither read nor arm. STOP is not its business.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.console.parts import STATIC, login_page
from controller.console.settings import ConsoleSettings, cookie_name, is_loopback, is_token
from controller.console.texts import COOKIE, Texts, choose

COOKIE_DAYS = 365


class Entry:
    """An ASGI middleware around the pages."""

    def __init__(
        self, app: ASGIApp, settings: ConsoleSettings, token: str | None, texts: dict[str, Texts]
    ) -> None:
        self._app = app
        self._settings = settings
        self._token = token
        self._texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self.refusal(connection)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Why a request is not let in; None where it is."""
        headers = connection.headers
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if is_loopback(self._settings.host) and not is_loopback(host):
            return Response("unknown host", status_code=421)  # a foreign name that points here
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return Response("foreign origin", status_code=403)
        cookie = connection.cookies.get(cookie_name(headers.get("host", "")), "")
        if self._token is None or is_token(cookie, self._token):
            return None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        path = connection.url.path
        if is_token(bearer, self._token) or path in ("/enter", "/login") or path.startswith(f"{STATIC}/"):
            return None
        texts = self._texts[choose(connection.cookies.get(COOKIE, ""), headers.get("accept-language", ""))]
        return HTMLResponse(login_page(texts, wrong=False), status_code=401)
