"""Results never go over an earlier session, and a place that cannot be written is refused in one line."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.commands.results import new_file, results_folder
from controller.errors import InputError
from controller.record.writer import RecordingWriter
from tests.record.made import SESSION

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "configs/sessions/demo.toml"
NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a recording beside."""
    monkeypatch.chdir(tmp_path)
    RecordingWriter(tmp_path / "session.mcap", SESSION).close()
    (tmp_path / "afile").touch()
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "session.mcap").write_bytes(b"precious")
    (tmp_path / "earlier" / "session.mcap.sent").write_bytes(b"3")
    return tmp_path


def wide(name: str) -> None:
    """A folder that everybody on this computer can read."""
    Path(name).mkdir()
    Path(name).chmod(0o755)


REFUSED = {
    "a report into no folder": "report session.mcap --out nodir/r.html",
    "a PDF into no folder": "report session.mcap --out nodir/r.pdf --pdf",
    "a report as a folder": "report session.mcap --out .",
    "a report over the recording": "report session.mcap --out session.mcap",
    "a picture into no folder": f"tune {DEMO} --plot nodir/x.png",
    "a picture of no kind": f"tune {DEMO} --plot x.xyz",
    "a picture over the recording": f"tune {DEMO} --plot session.mcap",
    "results in a file": "demo --mode off --seconds 5 --out afile",
    "results below a file": "demo --mode off --seconds 5 --out afile/run",
    "a demo over a recording": "demo --mode off --seconds 5 --out earlier",
    "a session over a recording": f"run {DEMO} --yes --out earlier",
    "tests over a recording": "identify --out earlier",
    "results in a file of tests": "identify --out afile",
    "results where nobody writes": "identify --out /proc/here",
    "an export into a file": "export session.mcap afile --to csv",
}


@pytest.mark.parametrize("command", REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("here")
def test_a_place_that_does_not_take_results_is_refused_in_one_line_and_nothing_is_lost(
    here: Path, command: str
) -> None:
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 2, done.output
    (line,) = [line for line in done.stderr.splitlines() if line]
    place = next(word for word in command.split()[::-1] if not word.startswith("--") and word not in ("csv",))
    assert line.startswith(f"refused: {place}: ")
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_a_place_that_the_kernel_refuses_by_itself_is_told_as_well(here: Path) -> None:
    command = [sys.executable, "-m", "controller.cli", "identify"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd="/proc", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("refused: runs/")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_refused_before_anything_starts(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(InputError, match="0 MB free"), results_folder(tmp_path / "run"):
            pass
        (tmp_path / "rest").write_bytes(bytes(256 << 10))
        with (
            pytest.raises(InputError, match=r"r\.html: file: found 'No space left on device'"),
            new_file(tmp_path / "r.html", (".html",)) as file,
        ):
            file.write_bytes(bytes(4096))
        assert [path.name for path in tmp_path.iterdir()] == ["rest"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_two_starts_in_one_second_keep_apart(here: Path) -> None:
    with results_folder(None, NOW) as first, results_folder(None, NOW) as second:
        assert first == Path("runs/20261129T120000Z")
        assert second == Path("runs/20261129T120000Z-2")
        (first / "session.mcap").touch()
    assert first.exists()
    assert not second.exists()  # it stayed empty


def test_a_folder_is_one_commands_alone(here: Path) -> None:
    with (
        results_folder(Path("mine")) as mine,
        pytest.raises(InputError, match="another command's"),
        results_folder(mine),
    ):
        pass
    assert not mine.exists()


def test_a_folder_that_a_person_made_is_used_and_kept(here: Path) -> None:
    wide("mine")
    with results_folder(Path("mine")) as mine:
        assert stat.S_IMODE(mine.stat().st_mode) == 0o700
    assert mine.exists()


@pytest.mark.parametrize("out", [None, Path("runs/P01")])
def test_runs_are_their_owners_alone_also_where_an_earlier_version_made_them_wide(
    here: Path, out: Path | None
) -> None:
    wide("runs")
    with results_folder(out) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(Path("runs").stat().st_mode) == 0o700


def test_a_folder_of_another_name_stays_as_the_person_has_it(here: Path) -> None:
    wide("study")
    with results_folder(Path("study/P01")):
        assert stat.S_IMODE(Path("study").stat().st_mode) == 0o755


def test_what_a_command_writes_is_its_owners_alone(here: Path) -> None:
    before = os.umask(0o022)
    try:
        done = CliRunner().invoke(app, ["tune", str(DEMO), "--plot", "x.png"])
        assert done.exit_code == 0, done.output
        assert stat.S_IMODE(Path("x.png").stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o077  # and so for every file and process that a command makes
    finally:
        os.umask(before)


def half_written(file: Path) -> None:
    file.write_text("half")
    raise KeyError


def test_a_file_appears_whole_or_stays_as_it_was(here: Path) -> None:
    Path("r.html").write_text("old")
    with pytest.raises(KeyError), new_file(Path("r.html"), (".html",)) as file:
        half_written(file)
    assert Path("r.html").read_text() == "old"
    with new_file(Path("r.html"), (".html",)) as file:
        file.write_text("new")
    assert Path("r.html").read_text() == "new"
    assert not list(here.glob(".*"))


def test_a_recording_is_never_written_over(here: Path) -> None:
    with pytest.raises(FileExistsError):
        RecordingWriter(here / "session.mcap", SESSION)
