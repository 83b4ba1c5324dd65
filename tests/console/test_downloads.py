"""A recording's page, its report as PDF and its exports, through the console's own routes."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from controller.analysis.report.page import write_report
from controller.analysis.summary import summarise
from controller.console.i18n import load_texts
from controller.console.recordings import downloads, file_jobs, recorded, recordings_page
from controller.console.recordings.file_jobs import Desk, holds, mark
from tests.analysis.test_arms import trial
from tests.record.walk import record_walk


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings: one whole, one not summed up yet, one of a blinded trial."""
    runs = tmp_path_factory.mktemp("runs")
    walk = record_walk(runs / "walk.mcap", strides=2)
    for name in ("whole", "running", "blind"):
        (runs / name).mkdir()
        if name != "blind":
            shutil.copy(walk, runs / name / "session.mcap")
    trial(runs / "blind" / "session.mcap")
    summary = summarise(runs / "whole" / "session.mcap")
    write_report(runs / "whole" / "session.mcap", runs / "whole" / "report.html")
    blind = summarise(runs / "blind" / "session.mcap")
    (runs / "whole" / "summary.json").write_bytes(msgspec.json.encode(summary))
    (runs / "blind" / "summary.json").write_bytes(msgspec.json.encode(blind))
    return runs


PATIENCE_S = 120.0
SLOW = "import sys, time, pathlib; pathlib.Path(sys.argv[-1]).with_name('begun').touch(); time.sleep(600)"


class Rig:
    """Whether it is armed, and the routes of a console beside it."""

    def __init__(self, runs: Path, *command: str) -> None:
        self.armed = False
        self.desk = Desk(lambda: self.armed, command=command)
        self._app = FastAPI()
        texts = load_texts()["en"]
        downloads.SessionFiles(
            runs, self.desk, texts_of=lambda _: texts, frame=lambda _, title, body: f"{title}{body}"
        ).routes(self._app)

    async def ask(self, path: str, method: str = "GET") -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console", timeout=60.0) as client:
            return await client.request(method, path)

    async def fetch(self, path: str) -> httpx.Response:
        """As the page's script does: until it is there."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (answer := await self.ask(path)).status_code == 202:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.2)
        return answer


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real commands at the priority of the tests: at the lowest a busy machine would never get there."""
    monkeypatch.setattr(file_jobs, "HUMBLY", ())


def in_a_loop_of_its_own(scene: Callable[[], Awaitable[None]]) -> None:
    """The browser tests of this folder keep a loop in this thread."""

    async def run() -> None:
        await scene()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result()


async def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)


def page(runs: Path, name: str) -> str:
    item = recorded.one(runs, name)
    assert item is not None
    texts = load_texts()["en"]
    pictures = recordings_page.pictures_html(runs / name / "report.html")
    return recordings_page.detail_html(texts, item, downloads.links_html(texts, item), pictures)


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
    taken = recordings_page.pictures_html(tmp_path / "report.html")
    assert taken.count("<figure>") == 1
    assert "onerror" not in taken
    assert "script" not in taken


def test_a_recording_that_is_not_summed_up_offers_nothing_and_gives_nothing(runs: Path) -> None:
    assert 'href="/sessions/running' not in page(runs, "running")

    async def scene() -> None:
        rig = Rig(runs)
        for path in ("running/report.pdf", "running/export/csv", "none/export/csv", "whole/export/xls"):
            assert (await rig.ask(f"/sessions/{path}")).status_code == 404
        assert (await rig.ask("/sessions/whole/job/csv")).status_code == 404

    in_a_loop_of_its_own(scene)


@pytest.mark.usefixtures("at_once")
def test_the_export_of_a_blinded_trial_stays_blinded(runs: Path) -> None:
    async def scene() -> None:
        archive = await Rig(runs).fetch("/sessions/blind/export/csv")
        with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
            ticks = files.read("ticks.csv")
        assert b'"A"' in ticks
        assert b"learning" not in ticks

    in_a_loop_of_its_own(scene)


@pytest.mark.usefixtures("at_once")
def test_the_report_comes_as_pdf_and_the_export_as_archive_and_both_are_kept(runs: Path) -> None:
    async def scene() -> None:
        rig = Rig(runs)
        begun = await rig.ask("/sessions/whole/report.pdf")
        assert begun.status_code == 202  # at once
        assert 'data-url="/sessions/whole/job/pdf"' in begun.text
        paper = await rig.fetch("/sessions/whole/report.pdf")
        assert paper.status_code == 200
        assert paper.content.startswith(b"%PDF-")
        archive = await rig.fetch("/sessions/whole/export/csv")
        with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
            assert any(name.endswith("strides.csv") for name in files.namelist())
        kept = sorted((runs / "whole" / "exports").iterdir())
        assert [path.name for path in kept] == ["whole-csv.zip", "whole.pdf"]
        assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
        other = Rig(runs, sys.executable, "-c", "raise SystemExit('must not run')")  # another console, later
        assert (await other.ask("/sessions/whole/report.pdf")).status_code == 200
        recording = runs / "whole" / "session.mcap"
        mark(recording, recording.stat().st_mtime_ns + 1)  # changed
        assert (await other.ask("/sessions/whole/report.pdf")).status_code == 202

    in_a_loop_of_its_own(scene)


def test_the_pdf_made_when_the_session_was_summed_up_is_there_at_once(runs: Path) -> None:
    async def scene() -> None:
        rig = Rig(runs, sys.executable, "-c", SLOW)
        paper, recording = runs / "blind" / "report.pdf", runs / "blind" / "session.mcap"
        paper.write_bytes(b"%PDF-made by somebody else, unblinded for all we know")
        assert not holds(paper, recording)
        assert (await rig.ask("/sessions/blind/report.pdf")).status_code == 202
        await rig.ask("/sessions/blind/job/pdf/cancel", "POST")
        await until(lambda: rig.desk.job(("blind", "pdf")).state == "cancelled")  # type: ignore[union-attr]
        mark(paper, recording.stat().st_mtime_ns)
        assert (await rig.ask("/sessions/blind/report.pdf")).content == paper.read_bytes()
        paper.unlink()

    in_a_loop_of_its_own(scene)


def processes() -> list[tuple[int, str]]:
    """Those that make files of this test: process and state."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if SLOW.encode() in (folder / "cmdline").read_bytes():
                    stat = (folder / "stat").read_text().rpartition(")")[2].split()
                    if stat[1] == str(os.getpid()):
                        found.append((int(folder.name), stat[0]))
            except OSError:
                continue
    return found


async def the_process() -> int:
    """The one that makes a file, once there is one; while it becomes its program its words cannot be read."""
    found = processes()
    while len(found) != 1:
        await asyncio.sleep(0.02)
        found = processes()
    return found[0][0]


def test_asking_again_piles_nothing_up_and_one_is_made_at_a_time(runs: Path) -> None:
    async def scene() -> None:
        rig = Rig(runs, sys.executable, "-c", SLOW)
        for _ in range(20):
            for path in ("whole/export/edf", "whole/export/bids", "blind/export/edf"):
                answer = await rig.ask(f"/sessions/{path}")
                assert answer.status_code == 202
            await asyncio.sleep(0.01)
        await until(lambda: len(processes()) == 1)
        told = (await rig.ask("/sessions/blind/job/edf")).json()
        assert (told["done"], told["words"]) == (False, "Waiting. Files to be made before this one: 2.")
        for kind in ("edf", "bids"):
            pid = await the_process()
            await until(lambda pid=pid: os.getpriority(os.PRIO_PROCESS, pid) >= 10)
            assert (await rig.ask(f"/sessions/whole/job/{kind}/cancel", "POST")).status_code == 303
            await until(lambda pid=pid: pid not in dict(processes()))
        assert not list((runs / "whole").glob("exports/*edf*"))
        await rig.desk.close()
        await until(lambda: not processes())

    in_a_loop_of_its_own(scene)


def test_nothing_is_made_beside_a_rig_that_is_armed(runs: Path) -> None:
    async def scene() -> None:
        rig = Rig(runs, sys.executable, "-c", SLOW)
        rig.armed = True
        page = await rig.ask("/sessions/whole/export/edf")
        assert "The rig is armed" in page.text
        await asyncio.sleep(1.0)
        assert processes() == []
        rig.armed = False
        await until(lambda: len(processes()) == 1)
        rig.armed = True
        await until(lambda: [state for _, state in processes()] == ["T"])  # it stands still
        job = rig.desk.job(("whole", "edf"))
        assert job is not None
        worked_s = job.worked_s
        await asyncio.sleep(0.5)
        assert job.worked_s == worked_s
        rig.armed = False
        await until(lambda: [state == "T" for _, state in processes()] == [False])
        rig.armed = True
        await until(lambda: [state for _, state in processes()] == ["T"])
        await rig.ask("/sessions/whole/job/edf/cancel", "POST")  # also while it stands
        await until(lambda: not processes())

    in_a_loop_of_its_own(scene)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("raise SystemExit('<b>no room</b>')", "The file was not made: &lt;b&gt;no room&lt;/b&gt;."),
        ("import os; os.kill(os.getpid(), 9)", "The file was not made: its process ended with code -9."),
        ("pass", "The file was not made: nothing was made."),
    ],
)
def test_a_job_that_died_is_told_in_words_and_can_be_tried_again(runs: Path, script: str, why: str) -> None:
    async def scene() -> None:
        rig = Rig(runs, sys.executable, "-c", script)
        answer = await rig.fetch("/sessions/whole/export/parquet")
        assert answer.status_code == 500
        assert why in answer.text
        assert "Try again" in answer.text
        for _ in range(3):  # a reload begins nothing
            assert (await rig.ask("/sessions/whole/export/parquet")).status_code == 500
        again = await rig.ask("/sessions/whole/job/parquet/again", "POST")
        assert (again.status_code, again.headers["location"]) == (303, "/sessions/whole/export/parquet")
        assert (await rig.ask("/sessions/whole/export/parquet")).status_code == 202
        assert (await rig.fetch("/sessions/whole/export/parquet")).status_code == 500

    in_a_loop_of_its_own(scene)
