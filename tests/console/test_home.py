"""The service's pages by their routes: persons, checklist, a new person, recordings; no rig is started."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from controller.analysis.summary import ArmSummary, Spread, Summary
from controller.config.console_settings import Place, new_token
from controller.config.loader import read_file
from controller.config.person_schema import PatientFile
from controller.console.home.rigs import Rigs, Started
from controller.console.home.service import Service, ServiceSettings
from controller.console.home.serving import own_folder
from controller.console.recordings import recorded, recordings_page
from controller.console.recordings.session_figures import session_figures
from controller.record.writer import RecordingWriter
from controller.safety.judgement.contraindications import QUESTION

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

BY = {"by": "AB"}
SEEN = {f"seen_{key}": "yes" for key in QUESTION}
NEW = {
    "pseudonym": "P021",
    "side": "right",
    "body_mass_kg": "70",
    "body_height_m": "1,75",
    "current_max_ma": "40",
    "speed_mps": "0.6",
    **dict.fromkeys(QUESTION, "no"),
}
WAITING = (sys.executable, "-c", "import time; time.sleep(600)")  # a rig that comes up slowly
# Ends at once, and says what it was asked to do.
ECHO = (sys.executable, "-c", "import sys; print('refused:', *sys.argv[1:]); sys.exit(2)")


class Clinic:
    """A service on folders of its own, and what a browser asks it for."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.patients, self.sessions = (folder / name for name in ("runs", "patients", "sessions"))
        for one in (self.runs, self.patients, self.sessions):
            one.mkdir()
        patient = (CONFIGS / "patients" / "virtual.toml").read_text().replace("P000-virtual", "P017")
        (self.patients / "P017.toml").write_text(patient)
        session = (CONFIGS / "sessions" / "training.toml").read_text()
        (self.sessions / "gait.toml").write_text(session.replace("virtual.toml", "P017.toml"))
        own = folder / "own"
        own.mkdir(mode=0o700)
        self.token = new_token(own / "token")
        place = Place("127.0.0.1", 0, str(own / "token"), None, None, 8470)
        settings = ServiceSettings(
            place, self.runs, self.patients, self.sessions, self.sessions / "gait.toml", rehearse=True
        )
        self.service = Service(settings, own)
        self.service._rigs = Rigs(self.runs, place, self.token, own, command=ECHO)

    async def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        told = {"Authorization": f"Bearer {self.token}", **headers}
        transport = httpx.ASGITransport(self.service.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as client:
            return await client.request("GET" if form is None else "POST", path, data=form, headers=told)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def arm(mode: str, toes_up_deg: float, *, strides: int = 100, **more: Any) -> ArmSummary:
    up = Spread(toes_up_deg, toes_up_deg + 1.0)
    return ArmSummary(
        mode, 1, 120.0, strides, None, None, up, None, Spread(4.0, 5.0), 250.0, None, None, 0, 0, 0,
        counted_strides=strides, **more,
    )  # fmt: skip


def recording(
    runs: Path, name: str, *arms: ArmSummary, pseudonym: str = "P017", virtual: str = "yes"
) -> None:
    folder = runs / name
    folder.mkdir(parents=True)
    writer = RecordingWriter(folder / "session.mcap", {"pseudonym": pseudonym, "virtual": virtual})
    writer.finish()
    writer.close()
    (folder / "summary.json").write_bytes(msgspec.json.encode(Summary(arms)))


def test_who_has_no_token_or_comes_from_elsewhere_sees_nothing(clinic: Clinic) -> None:
    async def work() -> None:
        for path in ("/", "/persons/P017", "/sessions", "/rig/state"):
            assert (await clinic.ask(path, Authorization="")).status_code == 401
        foreign = await clinic.ask("/training", {}, Origin="http://elsewhere.example")
        assert foreign.status_code == 403
        assert (await clinic.ask("/", Host="elsewhere.example")).status_code == 421
        page = await clinic.ask("/")
        assert page.status_code == 200
        assert "P017" in page.text
        assert 'action="/stop"' not in page.text

    run(work())


def test_the_card_tells_the_last_session_and_a_rehearsal_is_no_persons(clinic: Clinic) -> None:
    recording(clinic.runs, "20261015T090000Z", arm("feedback", 12.0, current_ma=Spread(31.0, 33.0)))
    recording(clinic.runs, "20261016T090000Z", arm("feedback", 19.0), virtual="no")

    async def work() -> None:
        page = (await clinic.ask("/", **{"Accept-Language": "en"})).text
        assert "Start as last time" in page
        assert "12.0°" in page
        assert "31.0 mA" in page
        assert "19.0°" not in page

    run(work())


def test_nothing_starts_before_every_question_was_on_the_screen(clinic: Clinic) -> None:
    async def work() -> None:
        for missing in ("seen_skin", "by"):
            form = {**BY, **SEEN, "unchanged": "yes", missing: ""}
            assert (await clinic.ask("/persons/P017/start", form)).status_code == 409
        ticked = {**BY, **dict.fromkeys(QUESTION, "no")}
        del ticked["heart"]
        assert (await clinic.ask("/persons/P017/start", ticked)).status_code == 409
        forbidding = await clinic.ask("/persons/P017/start", {**ticked, "heart": "yes"})
        assert forbidding.status_code == 409
        assert clinic.service._rigs.newest is None

    run(work())


def test_no_answer_is_preset(clinic: Clinic) -> None:
    async def work() -> None:
        page = (await clinic.ask("/persons/P017/start")).text
        assert page.count('type="radio"') >= 2 * len(QUESTION)
        assert "checked" not in page
        assert page.count("data-question=") == len(QUESTION)
        assert page.count('value="yes" id="unchanged" formnovalidate disabled') == 1

    run(work())


async def ended(clinic: Clinic) -> Started:
    """The session that was begun, once its process has ended."""
    started = clinic.service._rigs.newest
    assert started is not None
    await asyncio.wait_for(asyncio.gather(*clinic.service._rigs._watching), 30.0)
    return started


def test_the_rig_comes_up_while_the_checklist_is_asked(clinic: Clinic) -> None:
    clinic.service._rigs._command = WAITING

    async def work() -> None:
        answer = await clinic.ask("/persons/P017/begin", {})
        assert (answer.status_code, answer.headers["location"]) == (303, "/persons/P017/start")
        started = clinic.service._rigs.newest
        assert started is not None
        assert started.asking
        assert (await clinic.ask("/rig")).headers["location"] == "/persons/P017/start"
        assert (await clinic.ask("/persons/P017/begin", {})).status_code == 303
        assert clinic.service._rigs.newest is started
        other = await clinic.ask("/training", {})
        assert other.status_code == 409
        assert "one session at a time" in other.text
        answer = await clinic.ask("/persons/P017/start", {**BY, **SEEN, "unchanged": "yes"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/rig")
        assert started.given == (dict.fromkeys(QUESTION, "no"), "AB")
        assert not started.asking
        assert (await clinic.ask("/rig/state")).json() == {"next": ""}
        assert (await clinic.ask("/rig/end", {})).headers["location"] == f"/ended/{started.name}"
        await ended(clinic)
        assert (await clinic.ask("/rig/state")).json() == {"next": f"/ended/{started.name}"}

    run(work())


def test_a_session_starts_by_the_persons_files_and_its_refusal_is_shown_in_its_words(clinic: Clinic) -> None:
    async def work() -> None:
        answer = await clinic.ask("/persons/P017/start", {**BY, **SEEN, "unchanged": "yes"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/rig")
        started = await ended(clinic)
        assert started.state == "refused"
        page = (await clinic.ask(f"/ended/{started.name}")).text
        for part in ("run ", "gait.toml", "--console", "--virtual", f"--patient {clinic.patients}/P017.toml"):
            assert part in page
        assert "refused:" not in page
        assert "Try again" in page

    run(work())


def test_training_is_one_tap_and_nobodys_session(clinic: Clinic) -> None:
    async def work() -> None:
        assert 'action="/training"' in (await clinic.ask("/")).text
        answer = await clinic.ask("/training", {})
        assert (answer.status_code, answer.headers["location"]) == (303, "/rig")
        said = (await ended(clinic)).words()
        assert "--virtual" in said
        assert "--patient" not in said

    run(work())


def test_a_new_persons_file_is_private_strict_and_says_that_nothing_was_measured(clinic: Clinic) -> None:
    async def work() -> None:
        assert (await clinic.ask("/new-person", NEW)).status_code == 303
        path = clinic.patients / "P021.toml"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        file, _ = read_file(path, PatientFile)
        assert (file.patient.model, file.patient.paretic_side) == ("standard", "right")
        assert (file.limits.current_max_ma, file.patient.body_height_m) == (40.0, 1.75)
        before = path.read_bytes()
        for key, value in (
            ("pseudonym", "P021"), ("pseudonym", "../P022"), ("pseudonym", "Frau Müller"), ("side", "both"),
            ("current_max_ma", "131"), ("current_max_ma", "nan"), ("body_mass_kg", ""), ("skin", ""),
        ):  # fmt: skip
            form = {**NEW, "pseudonym": "P022", key: value}
            assert (await clinic.ask("/new-person", form)).status_code == 409, (key, value)
        assert path.read_bytes() == before
        assert sorted(one.name for one in clinic.patients.iterdir()) == ["P017.toml", "P021.toml"]
        assert "not measured with this person" in (await clinic.ask("/")).text

    run(work())


@pytest.fixture
def fifty(tmp_path: Path) -> Path:
    """Fifty recordings, one of them of October."""
    for number in range(49):
        recording(tmp_path, f"202611{number % 28 + 1:02d}T{8 + number // 28:02d}0000Z", arm("feedback", 9.0))
    recording(tmp_path, "20261015T120000Z", arm("trapezoid", 8.0, strides=70), pseudonym="P003")
    return tmp_path


def test_a_session_of_october_is_found_among_fifty_by_typing_oct(fifty: Path) -> None:
    for words in ("oct", "Oktober", "2026-10", "20261015", "P003", "october 15", "trapezoid"):
        assert [item.name for item in recorded.found(fifty, words)] == ["20261015T120000Z"], words
    assert len(recorded.found(fifty, "november")) == 49
    assert recorded.found(fifty, "a october p") == []
    assert recorded.found(fifty, "ctober") == []
    items = recorded.found(fifty)
    assert items[0].name.startswith("20261128")
    assert recordings_page.in_order(items, "strides")[-1].pseudonym == "P003"
    assert recordings_page.in_order(items, "patient")[0].pseudonym == "P003"


def test_a_sessions_figures_leave_out_what_was_off_and_weigh_by_strides(tmp_path: Path) -> None:
    off, never = arm("off", -20.0), arm("feedback", 40.0, armed=False)
    recording(
        tmp_path, "20261001T090000Z", off, arm("trapezoid", 10.0, strides=300), arm("learning", 14.0), never
    )
    (item,) = recorded.found(tmp_path)
    figures = session_figures(item)
    assert figures is not None
    assert (figures.minutes, figures.strides, figures.toes_up_deg) == (6.0, 500.0, 11.0)
    recording(tmp_path, "20261002T090000Z", never)
    assert session_figures(recorded.found(tmp_path)[0]) is None


HOSTILE = (
    "/persons/%00", "/persons/%ED%A0%80/start", "/persons/..%2f..%2fetc/start", "/ended/%2e%2e", "/ended/%00",
    "/persons/P017/start?settings=%00", "/sessions?q=%ED%A0%80&order=%00", "/sessions/" + "a" * 50_000,
    "/language/%00", "/enter?token=%00&to=//elsewhere.example", "/persons/broken",
)  # fmt: skip


def test_no_address_and_no_form_makes_the_service_stumble(clinic: Clinic) -> None:
    evil = "<script>alert(1)</script>"
    (clinic.patients / "broken.toml").write_text(f"[patient]\npseudonym = '{evil}'\n")
    (clinic.sessions / "broken.toml").write_text("[session\n")
    recording(clinic.runs, "20261015T090000Z", arm("feedback", 9.0), pseudonym=evil)

    async def work() -> None:
        for path in HOSTILE:
            assert (await clinic.ask(path)).status_code < 500, path[:60]
        for path in (
            "/persons/P017/start",
            "/persons/%00/begin",
            "/persons/%00/setup",
            "/new-person",
            "/login",
        ):
            for form in ({"by": evil, "pseudonym": evil, "settings": "%00"}, {"by": "x" * 5_000}):
                assert (await clinic.ask(path, form)).status_code < 500, path
        for path in ("/", "/sessions"):
            assert evil not in (await clinic.ask(path)).text
        led = await clinic.ask(f"/enter?token={clinic.token}&to=//elsewhere.example")
        assert "elsewhere" not in led.text

    run(work())


def test_the_services_own_folder_is_private_and_a_killed_ones_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed = tmp_path / "dorsi-abcdefgh"
    killed.mkdir(mode=0o700)
    (killed / "lock").touch()
    (killed / "token").write_text("of yesterday")
    with own_folder() as folder, own_folder() as other:
        assert not killed.exists()
        assert folder.is_dir()
        assert other.is_dir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == []
