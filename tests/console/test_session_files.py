"""A recording's page, its report as PDF and its exports, through the console's own routes."""

from __future__ import annotations

import asyncio
import io
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from controller.console import session_files, sessions
from controller.console.texts import load_texts
from controller.record.report import write_report
from controller.record.summary import summarise
from tests.record.test_arms import trial
from tests.record.walk import record_walk


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings: one whole, one not summed up yet, one of a blinded trial."""
    runs = tmp_path_factory.mktemp("runs")
    walk = record_walk(runs / "walk.mcap", strides=2)
    for name in ("whole", "running", "blind"):
        (runs / name).mkdir()
        shutil.copy(walk, runs / name / "session.mcap")
    trial(runs / "blind" / "session.mcap")
    summary = summarise(runs / "whole" / "session.mcap")
    write_report(runs / "whole" / "session.mcap", runs / "whole" / "report.html")
    blind = summarise(runs / "blind" / "session.mcap")
    (runs / "whole" / "summary.json").write_bytes(msgspec.json.encode(summary))
    (runs / "blind" / "summary.json").write_bytes(msgspec.json.encode(blind))
    return runs


Get = Callable[[str], httpx.Response]


@pytest.fixture(scope="module")
def get(runs: Path) -> Get:
    """Asks the routes for a path."""
    app = FastAPI()
    session_files.add_routes(app, runs)

    async def ask(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console", timeout=200.0) as client:
            return await client.get(path)

    def in_a_loop_of_its_own(path: str) -> httpx.Response:
        with ThreadPoolExecutor(1) as thread:  # the browser tests of this folder keep a loop in this one
            return thread.submit(lambda: asyncio.run(ask(path))).result()

    return in_a_loop_of_its_own


def page(runs: Path, name: str) -> str:
    item = sessions.one(runs, name)
    assert item is not None
    texts = load_texts()["en"]
    pictures = sessions.pictures_html(runs / name / "report.html")
    return sessions.detail_html(texts, item, session_files.links_html(texts, item), pictures)


def test_pictures_come_before_the_figures_and_every_file_is_offered(runs: Path) -> None:
    html = page(runs, "whole")
    assert 0 < html.index("<figure>") < html.index("<table")
    for path in (
        "report.html",
        "report.pdf",
        *(f"export/{kind}" for kind in ("csv", "parquet", "edf", "bids")),
    ):
        assert f'href="/sessions/whole/{path}"' in html


def test_of_a_report_nothing_but_its_pictures_is_taken(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(
        '<script>1</script><figure><img src="data:image/svg+xml;base64,AA==" alt="a" onerror="x">'
        "<figcaption>c</figcaption></figure>"
        '<figure><img src="data:image/svg+xml;base64,AA==" alt="a"><figcaption>c</figcaption></figure>'
    )
    taken = sessions.pictures_html(tmp_path / "report.html")
    assert taken.count("<figure>") == 1
    assert "onerror" not in taken
    assert "script" not in taken


def test_a_recording_that_is_not_summed_up_offers_nothing_and_gives_nothing(runs: Path, get: Get) -> None:
    assert 'href="/sessions/running' not in page(runs, "running")
    for path in ("running/report.pdf", "running/export/csv", "none/export/csv", "whole/export/xls"):
        assert get(f"/sessions/{path}").status_code == 404


def test_the_export_of_a_blinded_trial_stays_blinded(get: Get) -> None:
    archive = get("/sessions/blind/export/csv")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        ticks = files.read("ticks.csv")
    assert b'"A"' in ticks
    assert b"learning" not in ticks


def test_the_report_comes_as_pdf_and_the_export_as_archive(get: Get) -> None:
    paper = get("/sessions/whole/report.pdf")
    assert paper.status_code == 200
    assert paper.content.startswith(b"%PDF-")
    archive = get("/sessions/whole/export/csv")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert any(name.endswith("strides.csv") for name in files.namelist())
