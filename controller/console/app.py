"""The console's pages (process ``dorsi-console``): state, alarms, charts, tiles, arming; recordings.

Promises never to stand between a person and STOP: that is the door's (process ``dorsi-stop``). Listens on a
Unix socket only the door can reach.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI, Form, Request, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup

from controller.config.console_settings import (
    PAGES_SOCKET,
    ConsoleSettings,
    read_settings,
    read_token,
)
from controller.console import layout
from controller.console.access import Entry
from controller.console.entrance import Entrance
from controller.console.exercise.routes import ExercisePages
from controller.console.gait_pages import GaitPages
from controller.console.hold_button import HoldButton
from controller.console.i18n import COOKIE, Texts, Therapy, choose, load_texts
from controller.console.live.blinded_view import WholeView, assessors
from controller.console.live.browser_messages import Json
from controller.console.live.browsers import Browsers, Said, Sees
from controller.console.live.feed import Feed
from controller.console.live.walker_view import walkers
from controller.console.recordings.file_jobs import Desk
from controller.console.recordings.routes import RecordingPages
from controller.errors import InputError
from controller.ipc import process
from controller.untrusted import clean

GOODBYE_S = 0.3  # for the browsers to be led back; the supervisor waits ten seconds
MESSAGE_MAX_BYTES = 1 << 20  # of a browser's live socket; the pages send it a few hundred
STATIC = Path(__file__).parent / "static"


class Console:
    """The pages, and the browsers that look at the live one."""

    def __init__(self, rig: Path, settings: ConsoleSettings, token: str | None) -> None:
        self._rig = rig
        self._settings = settings
        therapy: Therapy = "walk" if settings.exercise is None else "exercise"
        self._texts = load_texts(therapy, home_port=settings.home_port)
        self._feed = Feed(rig, settings, self._broadcast)
        self._browsers = Browsers(self._hear)
        self._token = token
        self._pages: GaitPages | ExercisePages
        self._whole = WholeView(token, blinded=settings.blinded)
        if settings.exercise is None:
            self._pages = GaitPages(rig, settings, self._feed, self._whole, texts_of=self._of)
        else:
            self._pages = ExercisePages(rig, settings, settings.exercise, self._feed, texts_of=self._of)
        self._whole.note = self._pages.note
        self._desk = Desk(lambda: self._feed.may_pulse)
        self._recordings = RecordingPages(
            Path(settings.runs), self._desk, texts_of=self._of, frame=self._framed
        )
        self._entrance = Entrance(token, secure=settings.scheme == "https", texts_of=self._of)

    async def run(self) -> None:
        """Until SIGTERM."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._routes(app)
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
        tasks = [asyncio.create_task(self._feed.run()), asyncio.create_task(self._pages.run())]
        await _Server(config, self._goodbye).serve()
        for task in tasks:
            task.cancel()
        await self._pages.close()
        await self._desk.close()

    async def _goodbye(self) -> None:
        """The session is over and the supervisor ends this process: lead the browsers back to the service."""
        if self._settings.home_port is None:
            return
        path = f"/ended/{self._settings.session}"
        self._broadcast({"onward": {"port": self._settings.home_port, "path": path}})
        await asyncio.sleep(GOODBYE_S)

    # --- live ---

    def _broadcast(self, news: Json) -> None:
        sees: tuple[Sees, ...] = ("whole", "assessor", "walker")
        self._browsers.tell({one: partial(_news_for, one, news) for one in sees})

    def _hear(self, said: Said, button: HoldButton) -> None:
        if said.event != "hold":
            self._feed.request(said.event)
        elif button.held(said.what):
            self._feed.arm(screen=clean(said.screen))

    def _live_page(self, request: Request) -> Response:
        texts = self._of(request)
        page = layout.live_page(texts, self._pages.draw(texts, request), self._pages.scripts)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    async def _live(self, socket: WebSocket) -> None:
        """A page that was drawn for an assessor stays so, whatever its browser has opened since."""
        asked = socket.query_params.get("view")
        sees: Sees = "whole" if self._whole.sees(socket) and asked != "assessor" else "assessor"
        sees = "walker" if asked == "walker" else sees
        await self._browsers.serve(socket, _news_for(sees, self._feed.snapshot()), sees)

    def _of(self, request: Request) -> Texts:
        return self._texts[
            choose(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
        ]

    def _framed(self, request: Request, title: str, body: Markup) -> str:
        return layout.whole_page(self._of(request), "/sessions", title, body, with_state=True)

    # --- pages without live data ---

    def _routes(self, app: FastAPI) -> None:
        app.mount(layout.STATIC, StaticFiles(directory=STATIC))
        app.get("/")(self._live_page)
        app.websocket("/live")(self._live)
        self._pages.routes(app)
        self._recordings.routes(app)
        self._entrance.routes(app)
        self._whole.routes(app, self._of)

        @app.get("/home")
        def home(request: Request) -> Response:
            """Back to the service that started this session, by the host's name that this browser uses."""
            port = self._settings.home_port
            address = f"{self._settings.scheme}://{_host(request)}:{port}/"
            return Response(status_code=404) if port is None else RedirectResponse(address, status_code=303)

        @app.post("/alarms/acknowledge")
        def acknowledge() -> Response:
            self._feed.request("acknowledge")
            return Response(status_code=204)

        @app.post("/watch")
        def watch(screen: str = Form()) -> Response:
            self._feed.watch(clean(screen))
            return Response(status_code=204)


class _Server(uvicorn.Server):
    """Says goodbye before it ends."""

    def __init__(self, config: uvicorn.Config, goodbye: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._goodbye = goodbye
        self._ending: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._begin_ending, sig)

    def _begin_ending(self, sig: int) -> None:
        self._ending = self._ending or asyncio.create_task(self._end(sig))

    async def _end(self, sig: int) -> None:
        try:
            await self._goodbye()
        finally:
            super().handle_exit(sig, None)


def _news_for(sees: Sees, news: Json) -> Json:
    if sees == "whole":
        return news
    return walkers(news) if sees == "walker" else assessors(news)


def _host(request: Request) -> str:
    """The name by which a browser reaches this computer, as it stands in an address."""
    name = request.url.hostname or "127.0.0.1"
    return f"[{name}]" if ":" in name else name


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
