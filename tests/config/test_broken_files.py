"""Every command that reads a file, given every kind of broken one: a clear refusal, exit code 2."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from drivers.catalogue import DECODERS
from models.plate_files import MARKS
from tests.record.walk import record_walk

SESSION = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
RANDOM = random.Random(3).randbytes(4096)
TEXTS: dict[str, bytes] = {
    "empty": b"",
    "random": RANDOM,
    "another kind's magic": b"\x89PNG\r\n\x1a\n" + RANDOM,
    "NUL": b"\0" * 500,
    "no UTF-8": b'[session]\nname = "M\xfcller"\ntime_s,acc_x_g\n',
    "byte order mark alone": b"\xef\xbb\xbf",
    "an unclosed quote": b'time_s,"acc_x_g\n0,1\n[session]\nname = "x\n',
    "nested": b"a = " + b"[" * 3000 + b"]" * 3000,
    "a number beyond 64 bits": b"a = 123456789012345678901234567890\n",
    "a number of 5000 digits": b"a = " + b"9" * 5000 + b"\n",
    "a number beyond doubles": b"[session]\nseconds = 1e400\n",
}
KINDS = [*TEXTS, "cut", "directory", "pipe", "gone", "not to be read"]
COMMANDS: dict[str, tuple[str, Callable[[str, Path], list[str]]]] = {
    "replay": ("mcap", lambda file, _: ["replay", file]),
    "judge": ("mcap", lambda file, _: ["judge", file]),
    "report": ("mcap", lambda file, to: ["report", file, "--out", str(to / "r.html")]),
    "report --pdf": ("mcap", lambda file, to: ["report", file, "--pdf", "--out", str(to / "r.pdf")]),
    "export csv": ("mcap", lambda file, to: ["export", file, str(to / "out"), "--to", "csv"]),
    "export parquet": ("mcap", lambda file, to: ["export", file, str(to / "out"), "--to", "parquet"]),
    "export edf": ("mcap", lambda file, to: ["export", file, str(to / "out"), "--to", "edf"]),
    "export bids": ("mcap", lambda file, to: ["export", file, str(to / "out"), "--to", "bids"]),
    "events csv": ("csv", lambda file, _: ["events", file, "--segment", "shank", "--side", "left"]),
    "events parquet": ("parquet", lambda file, _: ["events", file, "--segment", "shank", "--side", "left"]),
    "reference": ("mcap", lambda file, _: ["reference", str(SESSION), file]),
    "reference, its session": ("toml", lambda file, to: ["reference", file, str(to / "no.mcap")]),
    "tune": ("toml", lambda file, _: ["tune", file]),
    "config check": ("toml", lambda file, _: ["config", "check", file]),
    "mqtt forward": ("mcap", lambda file, _: ["mqtt", "forward", file, str(SESSION)]),
    "mqtt forward, its session": ("toml", lambda file, to: ["mqtt", "forward", str(to / "w.mcap"), file]),
    "run": ("toml", lambda file, to: ["run", file, "--out", str(to / "out"), "--yes"]),
    "demo": ("toml", lambda file, to: ["demo", "--session", file, "--out", str(to / "out")]),
}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=1).read_bytes()


def broken(folder: Path, kind: str, suffix: str, walk: bytes) -> Path:
    path = folder / f"broken.{suffix}"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "cut":
        whole = {"mcap": walk, "toml": SESSION.read_bytes(), "csv": b"time_s,acc_x_g,acc_y_g,acc_z_g,gyr_x_d"}
        path.write_bytes(whole.get(suffix, b"PAR1" + RANDOM)[:60])
    elif kind == "not to be read":
        path.write_bytes(walk)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("who runs this may read everything")
    elif kind != "gone":
        path.write_bytes(TEXTS[kind])
    return path


def refused(arguments: list[str], name: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SystemExit), f"{result.exception!r}"
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert name in "".join(result.output.split()).replace("│", ""), result.output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_broken_file_is_refused_in_words_by_every_command(
    tmp_path: Path, walk: bytes, command: str, kind: str
) -> None:
    suffix, arguments = COMMANDS[command]
    path = broken(tmp_path, kind, suffix, walk)
    (tmp_path / "w.mcap").write_bytes(walk)
    refused(arguments(str(path), tmp_path), path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_pulse_log_is_refused_by_the_judge(tmp_path: Path, walk: bytes, kind: str) -> None:
    if kind in ("gone", "empty", "byte order mark alone", "another kind's magic"):
        pytest.skip("no log, or no whole line of one, is what judging does without")
    from controller.analysis.judge.pulse_log import read_pulse_log
    from controller.errors import InputError

    path = broken(tmp_path, kind, "jsonl", walk)
    text = path.read_bytes() + b"\n" if path.is_file() else None
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(InputError, match=r"broken\.jsonl"):
        read_pulse_log(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", ["marks", "ramp", "ramp_pulses", "sweep", "holds"])
def test_a_broken_test_file_is_refused_by_identify(
    tmp_path: Path, walk: bytes, kind: str, file: str, plate_tests: Path
) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    for source in plate_tests.iterdir():
        (folder / source.name).write_bytes(source.read_bytes())
    if file == "holds" and kind == "gone":
        pytest.skip("one channel alone was held")
    (folder / f"{file}.csv").unlink()
    broken(folder, kind, "csv", walk).rename(folder / f"{file}.csv") if kind != "gone" else None
    refused(["identify", str(folder), "--out", str(tmp_path / "out")], f"{file}.csv")


@pytest.fixture(scope="module")
def plate_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.foot_plate import perform_holds, perform_tests
    from models.patient_params import PatientParams
    from models.plate_files import save_holds, save_tests

    folder = tmp_path_factory.mktemp("plate")
    save_tests(perform_tests(PatientParams(), 1), folder)
    save_holds(perform_holds(PatientParams(), 1), folder)
    assert (folder / "marks.csv").read_text().startswith(",".join(MARKS))
    return folder


@pytest.mark.parametrize("payload", ["", "zz", "0", "\N{FULLWIDTH DIGIT ONE}1", "00" * 100_000, "\ud800"])
@pytest.mark.parametrize("device", [*DECODERS, "none"])
def test_bytes_that_mean_nothing_are_refused_by_decode(device: str, payload: str) -> None:
    result = CliRunner().invoke(app, ["decode", device, payload])
    assert isinstance(result.exception, SystemExit), f"{result.exception!r}"
    assert result.exit_code == 2
