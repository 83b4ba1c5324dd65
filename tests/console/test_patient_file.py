"""What the set-up found, in the patient file: numbers changed in place, everything else as it was."""

from __future__ import annotations

import asyncio
import re
import stat
import tomllib
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from controller.config.console_settings import ConsoleSettings
from controller.config.session import load_session
from controller.console.i18n import load_texts
from controller.console.live.feed import Feed
from controller.console.setup.patient_file import Edit, look, rewritten, write
from controller.console.setup.progress import STEPS, SetupState, save
from controller.console.setup.routes import SetupPages
from controller.console.tuning.controller_link import TuningLink
from controller.errors import ConfigError, InputError
from tests.core.control.numbers import DEMO

PATIENT = DEMO.parent.parent / "patients" / "virtual.toml"
THRESHOLDS = {"sensory": 8.0, "motor": 14.5, "comfort": 32.0}
IDENTIFIED = {"muscle.i50_ma": 27.123456, "muscle.delay_ms": 33.0, "ankle.passive_factor": 1.25}
CHANGED = {
    "[limits]\ncurrent_max_ma": 32.0, "[muscle]\ni50_ma": 27.12, "delay_ms": 33.0, "passive_factor": 1.25,
}  # fmt: skip


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    path = tmp_path / "patients" / "virtual.toml"
    path.parent.mkdir()
    path.write_bytes(PATIENT.read_bytes())
    path.chmod(0o640)
    return path


def test_the_numbers_change_in_place_and_every_other_byte_stays(patient: Path) -> None:
    before = patient.read_text()
    found = look(patient, THRESHOLDS, IDENTIFIED)
    assert found.edits == (
        Edit("thresholds.sensory_ma", None, 8.0),
        Edit("thresholds.motor_ma", None, 14.5),
        Edit("thresholds.comfort_ma", None, 32.0),
        Edit("muscle.i50_ma", 28.0, 27.12),
        Edit("muscle.delay_ms", 30.0, 33.0),
        Edit("ankle.passive_factor", 1.0, 1.25),
        Edit("limits.current_max_ma", 50.0, 32.0),
    )
    kept = write(patient, found)
    assert kept.read_text() == before
    wanted = before.replace("current_max_ma = 50.0 ", "current_max_ma = 32.0 ")
    wanted = wanted.replace("i50_ma = 28.0 ", "i50_ma = 27.12 ").replace("delay_ms = 30.0", "delay_ms = 33.0")
    wanted = wanted.replace("passive_factor = 1.0 ", "passive_factor = 1.25 ")
    wanted += "\n[thresholds]\nsensory_ma = 8.0\nmotor_ma = 14.5\ncomfort_ma = 32.0\n"
    assert patient.read_text() == wanted
    assert stat.S_IMODE(patient.stat().st_mode) == 0o640
    assert sorted(path.name for path in patient.parent.iterdir()) == sorted([patient.name, kept.name])


def test_the_next_session_accepts_the_file_and_nothing_is_left_to_change(patient: Path) -> None:
    session = patient.parent.parent / "sessions" / "demo.toml"
    session.parent.mkdir()
    session.write_bytes(DEMO.read_bytes())
    write(patient, look(patient, THRESHOLDS, IDENTIFIED))
    loaded = load_session(session).patient
    assert loaded.limits.current_max_ma == 32.0
    assert loaded.muscle.i50_ma == 27.12
    assert loaded.thresholds is not None
    assert loaded.thresholds.motor_ma == 14.5
    assert look(patient, THRESHOLDS, IDENTIFIED).edits == ()


def test_a_comfort_maximum_never_loosens_the_ceiling(patient: Path) -> None:
    found = look(patient, {"comfort": 60.0}, {})
    assert [edit.key for edit in found.edits] == ["thresholds.comfort_ma"]


@pytest.mark.parametrize(
    ("identified", "what"),
    [
        ({"muscle.i50_ma": 400.0}, "5 to 120"),
        ({"muscle.sigma": 0.0}, "0.05"),
        ({"muscle.nothing": 1.0}, "unknown key"),
    ],
)
def test_a_number_no_session_would_take_changes_nothing(
    patient: Path, identified: dict[str, float], what: str
) -> None:
    before = patient.read_bytes()
    with pytest.raises(ConfigError, match=what):
        write(patient, look(patient, {}, identified))
    assert patient.read_bytes() == before
    assert [path.name for path in patient.parent.iterdir()] == [patient.name]


def test_a_file_changed_since_it_was_looked_at_is_left_alone(patient: Path) -> None:
    found = look(patient, THRESHOLDS, {})
    patient.write_text(patient.read_text().replace("70.0", "71.0"))
    with pytest.raises(InputError, match="changed meanwhile"):
        write(patient, found)
    assert "71.0" in patient.read_text()


@pytest.mark.parametrize(
    "odd",
    ["muscle = { i50_ma = 28.0 }", '[muscle]\n"i50_ma" = 28.0', "[muscle]\nnote = '''\ni50_ma = 3\n'''\n"],
)
def test_toml_in_another_shape_is_refused_and_not_spoilt(patient: Path, odd: str) -> None:
    patient.write_text(odd)
    with pytest.raises(InputError):
        write(patient, look(patient, {}, {"muscle.i50_ma": 30.0}))
    assert patient.read_text() == odd


def test_a_file_that_is_gone_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        look(tmp_path / "none.toml", {}, {})
    (tmp_path / "bad.toml").write_bytes(b"\xff[")
    with pytest.raises(InputError):
        look(tmp_path / "bad.toml", {}, {})


def test_a_disk_that_says_no_leaves_the_file_as_it_was(
    patient: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = patient.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(patient, look(patient, THRESHOLDS, {}))
    assert patient.read_bytes() == before
    assert [path.name for path in patient.parent.iterdir()] == [patient.name]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_line_ends_last_lines_and_sub_tables_are_kept(end: str) -> None:
    text = end.join(["# top", "[a]", "x = 1 # one", "", "[a.b]", "x = 2", "[[c]]", "x = 3"])
    if not end:
        text = "[a]\nx = 1 # one"
    new = rewritten(text, {"a.x": 1.5, "a.y": 2.0})
    table = tomllib.loads(new)
    assert (table["a"]["x"], table["a"]["y"]) == (1.5, 2.0)
    assert "x = 1.5 # one" in new
    if end:
        assert (table["a"]["b"]["x"], table["c"][0]["x"]) == (2, 3)


def asked(work: Callable[[httpx.AsyncClient], Coroutine[object, object, None]], app: FastAPI) -> None:
    """In a loop of its own: the browser tests of this folder keep one in this thread."""

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            await work(client)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, ask()).result()


def pages(rig: Path, patient: Path, *, virtual: bool = False) -> tuple[FastAPI, SetupPages]:
    """The set-up of a session in which everything was found."""
    settings = ConsoleSettings(
        "127.0.0.1", 0, str(rig), session="s1", pseudonym="P1", virtual=virtual,
        patient_file="" if virtual else str(patient),
    )  # fmt: skip
    state = SetupState("s1", "AB", list(STEPS), thresholds=dict(THRESHOLDS), identified=dict(IDENTIFIED))
    save(rig / "profiles" / "P1" / "setup.json", state)
    feed = Feed(rig, settings, lambda _: None)
    texts = load_texts()
    made = SetupPages(rig, settings, feed, TuningLink(rig), texts_of=lambda _: texts["en"])
    app = FastAPI()
    made.routes(app)
    return app, made


def digest_in(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]+)"', page)
    assert found is not None
    return found.group(1)


def test_it_is_shown_confirmed_written_and_in_the_trail(tmp_path: Path, patient: Path) -> None:
    app, made = pages(tmp_path, patient)

    async def work(client: httpx.AsyncClient) -> None:
        assert 'href="/setup/file"' in (await client.get("/setup")).text
        page = (await client.get("/setup/file")).text
        assert "<td>50</td><td><b>32</b></td>" in page
        stale = await client.post("/setup/file", data={"digest": "0" * 64})
        assert stale.status_code == 409
        assert "changed meanwhile" in stale.text
        written = await client.post("/setup/file", data={"digest": digest_in(page)})
        assert written.status_code == 200
        assert "Written. It holds from the next session on." in written.text
        assert "does not hold already" in written.text

    asked(work, app)
    assert "current_max_ma = 32.0 " in patient.read_text()
    (entry,) = made.trail()
    assert (entry.kind, entry.by) == ("setup", "AB")
    assert "limits.current_max_ma 50 -> 32" in entry.text


def test_what_a_virtual_body_gave_goes_into_no_patient_file(tmp_path: Path, patient: Path) -> None:
    before = patient.read_bytes()
    app, _ = pages(tmp_path, patient, virtual=True)

    async def work(client: httpx.AsyncClient) -> None:
        page = (await client.get("/setup/file")).text
        assert "belongs into no patient file" in page
        assert "<button" not in page.split("<main>")[1]
        assert (await client.post("/setup/file", data={"digest": ""})).status_code == 409

    asked(work, app)
    assert patient.read_bytes() == before


def test_what_was_measured_is_not_standard_any_more_and_thresholds_measure_no_muscle(patient: Path) -> None:
    patient.write_text(
        patient.read_text().replace("[patient]\n", "[patient]\nmodel = 'standard' # not theirs\n")
    )
    write(patient, look(patient, THRESHOLDS, {}))
    assert tomllib.loads(patient.read_text())["patient"]["model"] == "standard"
    write(patient, look(patient, {}, {"muscle.i50_ma": 27.0}))
    assert tomllib.loads(patient.read_text())["patient"]["model"] == "measured"
    assert "not theirs" not in patient.read_text()
