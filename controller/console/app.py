"""The console's pages (process ``dorsi-console``): state, alarms, charts, tiles, arming; recordings.

Promises never to stand between a person and STOP: that is the door's (process ``dorsi-stop``). Listens on a
Unix socket only the door can reach.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from html import escape
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from nicegui import Client, ui

from controller.config.console_settings import (
    PAGES_SOCKET,
    ConsoleSettings,
    cookie_name,
    is_token,
    read_settings,
    read_token,
)
from controller.console import layout
from controller.console.access import COOKIE_DAYS, Entry
from controller.console.exercise.routes import ExercisePages
from controller.console.gait_pages import GaitPages
from controller.console.hold_button import HoldButton
from controller.console.i18n import COOKIE, LANGUAGES, Texts, choose, load_texts
from controller.console.live.browser_messages import Json
from controller.console.live.feed import Feed
from controller.console.recordings import downloads, recordings_page
from controller.console.recordings.file_jobs import Desk
from controller.errors import InputError
from controller.ipc import process
from controller.untrusted import clean

MESSAGE_MAX_BYTES = 1 << 20  # of a browser's live socket; the pages send it a few hundred
STATIC = Path(__file__).parent / "static"


class Console:
    """The pages, and the browsers that look at the live one."""

    def __init__(self, rig: Path, settings: ConsoleSettings, token: str | None) -> None:
        self._rig = rig
        self._settings = settings
        self._texts = load_texts("walk" if settings.exercise is None else "exercise")
        self._feed = Feed(rig, settings, self._broadcast)
        self._clients: set[Client] = set()
        self._token = token
        self._runs = Path(settings.runs)
        self._pages: GaitPages | ExercisePages
        if settings.exercise is None:
            self._pages = GaitPages(rig, settings, self._feed, texts_of=self._of)
        else:
            self._pages = ExercisePages(rig, settings, settings.exercise, self._feed, texts_of=self._of)
        self._desk = Desk(lambda: self._feed.may_pulse)
        self._files = downloads.SessionFiles(self._runs, self._desk, texts_of=self._of)

    async def run(self) -> None:
        """Until SIGTERM."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._routes(app)
        ui.page("/", title="Dorsi")(self._live_page)
        ui.run_with(
            app,
            title="Dorsi",
            tailwind=False,
            show_welcome_message=False,
            message_history_length=0,
            dark=False,
        )
        guarded = Entry(app, self._settings, self._token, self._texts)
        config = uvicorn.Config(
            guarded,
            uds=str(self._rig / PAGES_SOCKET),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            ws="websockets-sansio",
            ws_max_size=MESSAGE_MAX_BYTES,
        )
        tasks = [asyncio.create_task(self._feed.run()), asyncio.create_task(self._pages.link.run())]
        await uvicorn.Server(config).serve()
        for task in tasks:
            task.cancel()
        await self._pages.close()
        await self._desk.close()

    # --- live ---

    def _broadcast(self, news: Json) -> None:
        code = f"window.dorsi?.push({json.dumps(news)})"
        for client in tuple(self._clients):
            client.run_javascript(code)

    def _live_page(self, request: Request) -> None:
        texts = self._of(request)
        client = ui.context.client
        language = f'<script>document.documentElement.lang = "{texts.language}"</script>'
        ui.add_head_html(layout.HEAD + language)
        ui.add_body_html(layout.bar(texts, "/", with_state=True))
        ui.add_body_html(f"<noscript><p>{escape(texts.get('page.noscript'))}</p></noscript>")
        with ui.element("div").classes("main"):
            told = self._pages.draw(texts, request)
            ui.html(layout.footer(texts), sanitize=False)
        ui.add_body_html(told)
        button = HoldButton()

        def on_hold(told: object) -> None:
            if isinstance(told, dict) and button.held(told.get("what")):
                self._feed.arm(screen=clean(str(told.get("screen", ""))))

        ui.on("dorsi_hold", lambda event: on_hold(event.args))
        ui.on("dorsi_disarm", lambda: self._feed.request("disarm"))
        ui.on("dorsi_unlock", lambda: self._feed.request("unlock"))
        ui.on("dorsi_acknowledge", lambda: self._feed.request("acknowledge"))
        client.on_connect(lambda: self._welcome(client))
        client.on_disconnect(lambda: self._clients.discard(client))

    def _welcome(self, client: Client) -> None:
        script = "".join((STATIC / name).read_text(encoding="utf-8") for name in self._pages.scripts)
        client.run_javascript(f"if (!window.dorsi) {{ {script} }}")
        client.run_javascript(f"window.dorsi.push({json.dumps(self._feed.snapshot())})")
        self._clients.add(client)

    def _of(self, request: Request) -> Texts:
        return self._texts[
            choose(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
        ]

    def _let_in(self, request: Request, token: str, answer: Response) -> Response:
        secure = self._settings.scheme == "https"
        name = cookie_name(request.headers.get("host", ""))
        answer.set_cookie(name, token, secure=secure, httponly=True, samesite="strict")
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    # --- pages without live data ---

    def _routes(self, app: FastAPI) -> None:
        app.mount(layout.STATIC, StaticFiles(directory=STATIC))
        self._pages.routes(app)
        self._files.routes(app)

        @app.get("/language/{code}")
        def language(code: str) -> Response:
            answer = RedirectResponse("/", status_code=303)
            if code in LANGUAGES:
                answer.set_cookie(COOKIE, code, max_age=86400 * COOKIE_DAYS, samesite="strict")
            return answer

        @app.post("/watch")
        def watch(screen: str = Form()) -> Response:
            self._feed.watch(clean(screen))
            return Response(status_code=204)

        @app.get("/enter")
        def enter(request: Request, token: str = "") -> Response:
            """The printed address: the token is kept by the browser and leaves its address line."""
            if self._token is None or not is_token(token, self._token):
                return HTMLResponse(layout.login_page(self._of(request), wrong=True), status_code=403)
            # a page and no redirect: a browser sends a strict cookie along only where the way began here
            return self._let_in(request, token, HTMLResponse('<meta http-equiv="refresh" content="0;url=/">'))

        @app.post("/login")
        def login(request: Request, token: str = Form()) -> Response:
            if self._token is None or not is_token(token, self._token):
                return HTMLResponse(layout.login_page(self._of(request), wrong=True), status_code=403)
            return self._let_in(request, token, RedirectResponse("/", status_code=303))

        @app.get("/sessions")
        def session_list(request: Request, q: str = "") -> Response:
            texts = self._of(request)
            body = recordings_page.list_html(texts, recordings_page.found(self._runs, q), q)
            return HTMLResponse(_recordings(texts, texts.get("sessions.title"), body))

        @app.get("/sessions/compare")
        def compare(request: Request) -> Response:
            texts = self._of(request)
            chosen = [recordings_page.one(self._runs, name) for name in request.query_params.getlist("run")]
            body = recordings_page.compare_html(texts, [item for item in chosen if item is not None])
            return HTMLResponse(_recordings(texts, texts.get("sessions.compare"), body))

        @app.get("/sessions/{name}")
        def session(request: Request, name: str) -> Response:
            texts = self._of(request)
            found = recordings_page.one(self._runs, name)
            if found is None:
                body = f"<p>{escape(texts.get('sessions.unknown'))}</p>"
                page = _recordings(texts, texts.get("sessions.title"), body)
                return HTMLResponse(page, status_code=404)
            pictures = recordings_page.pictures_html(self._runs / found.name / "report.html")
            body = recordings_page.detail_html(texts, found, downloads.links_html(texts, found), pictures)
            return HTMLResponse(_recordings(texts, found.name, body))

        @app.get("/sessions/{name}/report.html")
        def report(name: str) -> Response:
            found = recordings_page.one(self._runs, name)
            if found is None or not found.has_report:
                return Response(status_code=404)
            return FileResponse(self._runs / found.name / "report.html", media_type="text/html")


def _recordings(texts: Texts, title: str, body: str) -> str:
    return layout.whole_page(texts, "/sessions", title, body, with_state=True)


def main() -> None:
    """``python -m controller.console.app --rig DIR --settings FILE``."""
    parser = argparse.ArgumentParser(description="The pages of the therapist's console.")
    parser.add_argument("--rig", type=Path, required=True, help="directory of the session's sockets")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the supervisor")
    arguments = parser.parse_args()
    process.begin("dorsi-console")
    try:
        settings = read_settings(arguments.settings)
        token = read_token(Path(settings.token_file)) if settings.token_file else None
    except InputError as error:
        sys.exit(f"dorsi-console: {error}")
    asyncio.run(Console(arguments.rig, settings, token).run())


if __name__ == "__main__":
    main()
