"""Who may open the pages: the right host name, no foreign origin, and the token, on this computer too.

Promises that another site open in the same browser can neither read nor arm, and that no page sees a request
before its body is there, whole and of a form's size. STOP is not its business.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.config.console_settings import ConsoleSettings, cookie_name, is_loopback, is_token
from controller.console.i18n import COOKIE, Texts, choose
from controller.console.layout import STATIC, login_page

COOKIE_DAYS = 365
FIRST_PAGES = ("/", "/setup", "/checklist", "/walker")  # where the way in may lead
BODY_MAX_BYTES = 64 * 1024  # no form of the console has a tenth of it
CHARSET = re.compile(r"charset=(?!\"?utf-?8\"?\s*(?:;|$))", re.IGNORECASE)  # any but UTF-8
BODY_S = 2.5  # before the door takes the pages for dead


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
        if refusal is None and scope["type"] == "http":
            await self._with_body(scope, receive, send)
        elif refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                more = True
                while more:
                    part = await receive()
                    if part["type"] != "http.request":
                        return  # gone
                    body += part.get("body", b"")
                    if len(body) > BODY_MAX_BYTES:
                        await TOO_LARGE(scope, receive, send)
                        return
                    more = part.get("more_body", False)
        except TimeoutError:
            await TOO_SLOW(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def received() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, received, send)

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Why a request is not let in; None where it is."""
        headers = connection.headers
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = _hostname(f"//{hosts[0]}") if len(hosts) == 1 else ""
        if not host or (is_loopback(self._settings.host) and not is_loopback(host)):
            return Response("unknown host", status_code=421)  # a foreign name that points here, or none
        if any(not _hostname(origin) or urlsplit(origin).netloc != hosts[0] for origin in origins):
            return Response("foreign origin", status_code=403)
        if CHARSET.search(headers.get("content-type", "")):
            return Response("forms are UTF-8", status_code=415)  # others can say half characters
        cookie = connection.cookies.get(cookie_name(headers.get("host", "")), "")
        if self._token is None or is_token(cookie, self._token):
            return None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        path = connection.url.path
        if is_token(bearer, self._token) or path in ("/enter", "/login") or path.startswith(f"{STATIC}/"):
            return None
        texts = self._texts[choose(connection.cookies.get(COOKIE, ""), headers.get("accept-language", ""))]
        return HTMLResponse(login_page(texts, wrong=False, to=first_page(path)), status_code=401)


def first_page(asked: str) -> str:
    """Where to go once let in."""
    return asked if asked in FIRST_PAGES else "/"


TOO_LARGE = Response(
    f"The form has more than {BODY_MAX_BYTES // 1024} kB. Nothing of it was taken. Go back and type less.",
    413,
)
TOO_SLOW = Response(
    "The form did not arrive in time. Nothing of it was taken. Go back and send it again.", 408
)


def _hostname(address: str) -> str:
    """The host that an address names; empty where it names none."""
    try:
        return urlsplit(address).hostname or "" if address.isascii() else ""
    except ValueError:
        return ""
