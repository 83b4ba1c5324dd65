"""What the browser asks for around recordings: the list, one of them, some side by side, their files.

Serves a session's console and the service alike; ``frame`` makes the whole page around a body.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from controller.console.i18n import Texts
from controller.console.recordings import recorded, recordings_page
from controller.console.recordings.downloads import Frame, SessionFiles, links_html
from controller.console.recordings.file_jobs import Desk
from controller.console.render import render


class RecordingPages:
    """``/sessions`` and what is below it."""

    def __init__(self, runs: Path, desk: Desk, *, texts_of: Callable[[Request], Texts], frame: Frame) -> None:
        self._runs = runs
        self._texts_of = texts_of
        self._frame = frame
        self._files = SessionFiles(runs, desk, texts_of=texts_of, frame=frame)

    def routes(self, app: FastAPI) -> None:
        app.get("/sessions")(self.list)
        app.get("/sessions/compare")(self.compare)
        app.get("/sessions/{name}")(self.one)
        app.get("/sessions/{name}/report.html")(self.report)
        self._files.routes(app)

    def list(self, request: Request, q: str = "", order: str = "when") -> Response:
        texts = self._texts_of(request)
        body = recordings_page.list_html(texts, recorded.found(self._runs, q), q, order)
        return HTMLResponse(self._frame(request, texts.get("sessions.title"), body))

    def compare(self, request: Request) -> Response:
        texts = self._texts_of(request)
        chosen = [recorded.one(self._runs, name) for name in request.query_params.getlist("run")]
        body = recordings_page.compare_html(texts, [item for item in chosen if item is not None])
        return HTMLResponse(self._frame(request, texts.get("sessions.compare"), body))

    def one(self, request: Request, name: str) -> Response:
        texts = self._texts_of(request)
        item = recorded.one(self._runs, name)
        if item is None:
            body = render("line", texts, words=texts.get("sessions.unknown")) + render(
                "recordings/back", texts
            )
            return HTMLResponse(self._frame(request, texts.get("sessions.title"), body), status_code=404)
        pictures = recordings_page.pictures_html(self._runs / item.name / "report.html")
        body = recordings_page.detail_html(texts, item, links_html(texts, item), pictures)
        return HTMLResponse(self._frame(request, recordings_page.day_words(texts, item), body))

    def report(self, name: str) -> Response:
        item = recorded.one(self._runs, name)
        if item is None or not item.has_report:
            return Response(status_code=404)
        return FileResponse(self._runs / item.name / "report.html", media_type="text/html")
