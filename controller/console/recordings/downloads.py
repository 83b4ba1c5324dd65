"""The files of a recording for download: the report as PDF, the exports as one archive each.

Promises to answer at once: with the file where it is there, else with a page that says how far it is.
Refuses a recording that is not summed up yet; never unblinds a trial.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from controller.console.i18n import Texts
from controller.console.recordings import recorded
from controller.console.recordings.file_jobs import PATIENCE_S, Desk, Job, holds
from controller.console.recordings.recorded import Recorded
from controller.console.render import NOTHING, render

PDF = "pdf"
Frame = Callable[[Request, str, Markup], str]  # title and body into a whole page
EXPORTS = {"csv": "CSV", "parquet": "Parquet", "edf": "EDF+", "bids": "Motion-BIDS"}


def links_html(texts: Texts, item: Recorded) -> Markup:
    """What can be fetched of a recording; nothing before it is summed up."""
    if not item.arms:
        return NOTHING
    path = f"/sessions/{quote(item.name)}"
    files = [(f"{path}/report.html", texts.get("sessions.report"))] if item.has_report else []
    files.append((f"{path}/report.pdf", f"{texts.get('sessions.report')} (PDF)"))
    files += [(f"{path}/export/{kind}", name) for kind, name in EXPORTS.items()]
    return render("recordings/links", texts, files=files)


class SessionFiles:
    """``/sessions/<name>/report.pdf``, ``/sessions/<name>/export/<kind>``, and their jobs."""

    def __init__(self, runs: Path, desk: Desk, *, texts_of: Callable[[Request], Texts], frame: Frame) -> None:
        self._frame = frame
        self._runs = runs
        self._desk = desk
        self._texts_of = texts_of

    def routes(self, app: FastAPI) -> None:
        app.get("/sessions/{name}/report.pdf")(self.report_pdf)
        app.get("/sessions/{name}/export/{kind}")(self.export)
        app.get("/sessions/{name}/job/{kind}")(self.job)
        app.post("/sessions/{name}/job/{kind}/cancel")(self.cancel)
        app.post("/sessions/{name}/job/{kind}/again")(self.again)

    async def report_pdf(self, request: Request, name: str) -> Response:
        return self._file(request, name, PDF)

    async def export(self, request: Request, name: str, kind: str) -> Response:
        return self._file(request, name, kind) if kind in EXPORTS else Response(status_code=404)

    async def job(self, request: Request, name: str, kind: str) -> Response:
        """How far it is, for the page's script."""
        job = self._desk.job((name, kind))
        if job is None:
            return JSONResponse({"done": True, "progress": None}, status_code=404)
        done = job.state in ("done", "failed", "cancelled")
        words = self._words(self._texts_of(request), job)
        return JSONResponse({"done": done, "ready": job.state == "done", "progress": None, "words": words})

    async def cancel(self, name: str, kind: str) -> Response:
        self._desk.cancel((name, kind))
        return RedirectResponse(f"/sessions/{quote(name)}", status_code=303)

    async def again(self, name: str, kind: str) -> Response:
        self._desk.cancel((name, kind))
        return RedirectResponse(_path(name, kind), status_code=303)

    def _file(self, request: Request, name: str, kind: str) -> Response:
        item = recorded.one(self._runs, name)
        if item is None or not item.arms:
            return Response(status_code=404)
        recording = self._runs / item.name / "session.mcap"
        suffix = ".pdf" if kind == PDF else f"-{kind}.zip"
        target = recording.parent / "exports" / (f"{item.name}{suffix}")
        summed_up = [recording.with_name("report.pdf")] if kind == PDF else []
        job = self._desk.job((name, kind))
        making = job is not None and job.state in ("waiting", "running")
        for made in (*summed_up, target):
            if not making and holds(made, recording):
                return FileResponse(made, filename=target.name)
        if kind == PDF:
            arguments = ("report", "--pdf", "--out", "{out}", str(recording))
        else:
            arguments = ("export", "--to", kind, str(recording), "{out}")
        job = self._desk.ask(
            (name, kind), arguments, "report.pdf" if kind == PDF else kind, recording, target
        )
        texts = self._texts_of(request)
        body = _failed_html(texts, job) if job.state == "failed" else self._making_html(texts, job)
        title = f"{item.name}: {texts.get('sessions.report') + ' (PDF)' if kind == PDF else EXPORTS[kind]}"
        page = self._frame(request, title, body)
        return HTMLResponse(page, status_code=500 if job.state == "failed" else 202)

    def _making_html(self, texts: Texts, job: Job) -> Markup:
        path, words = _path(*job.key), self._words(texts, job)
        return render("recordings/making", texts, job=_job_path(*job.key), path=path, words=words)

    def _words(self, texts: Texts, job: Job) -> str:
        if job.state == "done":
            return texts.get("jobs.ready")
        if self._desk.armed():
            return texts.get("jobs.armed")
        if ahead := self._desk.ahead(job):
            return texts.get("jobs.waiting").format(count=ahead)
        return texts.get("jobs.running").format(seconds=round(job.worked_s))


def _path(name: str, kind: str) -> str:
    return f"/sessions/{quote(name)}/" + ("report.pdf" if kind == PDF else f"export/{quote(kind)}")


def _job_path(name: str, kind: str) -> str:
    return f"/sessions/{quote(name)}/job/{quote(kind)}"


def _failed_html(texts: Texts, job: Job) -> Markup:
    late = job.problem == "too long"
    why = texts.get("jobs.too_long").format(seconds=f"{PATIENCE_S:g}") if late else job.problem
    return render("recordings/failed", texts, job=_job_path(*job.key), why=why)
