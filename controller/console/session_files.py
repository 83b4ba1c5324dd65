"""The files of a recording for download: the report as PDF, the exports as one archive each.

Promises to make them in a process of their own at the lowest priority, one at a time, so that a running
session does not notice. Refuses a recording that is not summed up yet; never unblinds a trial.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from controller.console import sessions
from controller.console.sessions import Recorded
from controller.console.texts import Texts

EXPORTS = {"csv": "CSV", "parquet": "Parquet", "edf": "EDF+", "bids": "Motion-BIDS"}
PATIENCE_S = 600.0  # an hour's recording takes about one minute
LOWEST = 19


def links_html(texts: Texts, item: Recorded) -> str:
    """What can be fetched of a recording; nothing before it is summed up."""
    if not item.arms:
        return ""
    path = f"/sessions/{quote(item.name)}"
    files = [(f"{path}/report.html", texts.get("sessions.report"))] if item.has_report else []
    files.append((f"{path}/report.pdf", f"{texts.get('sessions.report')} (PDF)"))
    files += [(f"{path}/export/{kind}", name) for kind, name in EXPORTS.items()]
    links = "".join(
        f'<a class="button" href="{link}" target="_blank">{escape(name)}</a> ' for link, name in files
    )
    return f'<p class="tools">{links}</p>'


def add_routes(app: FastAPI, runs: Path) -> None:
    """``/sessions/<name>/report.pdf`` and ``/sessions/<name>/export/<kind>``."""
    one_at_a_time = asyncio.Lock()

    @app.get("/sessions/{name}/report.pdf")
    async def report_pdf(name: str) -> Response:
        item = sessions.one(runs, name)
        if item is None or not item.arms:
            return Response(status_code=404)
        folder = Path(tempfile.mkdtemp(prefix="dorsi-"))
        target = folder / "report.pdf"
        async with one_at_a_time:
            said = await _dorsi("report", "--pdf", "--out", str(target), str(runs / name / "session.mcap"))
        return _answer(folder, target, said, f"{name}.pdf")

    @app.get("/sessions/{name}/export/{kind}")
    async def export(name: str, kind: str) -> Response:
        item = sessions.one(runs, name)
        if item is None or not item.arms or kind not in EXPORTS:
            return Response(status_code=404)
        folder = Path(tempfile.mkdtemp(prefix="dorsi-"))
        async with one_at_a_time:
            said = await _dorsi("export", "--to", kind, str(runs / name / "session.mcap"), str(folder / kind))
            if not said:
                await asyncio.to_thread(shutil.make_archive, str(folder / "files"), "zip", folder / kind)
        return _answer(folder, folder / "files.zip", said, f"{name}-{kind}.zip")


def _answer(folder: Path, target: Path, said: str, name: str) -> Response:
    cleaning = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    if said:
        return Response(said, status_code=500, media_type="text/plain", background=cleaning)
    return FileResponse(target, filename=name, background=cleaning)


async def _dorsi(*arguments: str) -> str:
    """Run a command of ours; empty, or what it said when it failed."""
    command: Sequence[str] = ("nice", "-n", str(LOWEST), sys.executable, "-m", "controller.cli", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return f"not done within {PATIENCE_S:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return "" if process.returncode == 0 else output.decode(errors="replace") or "failed"
