"""The command line: what it prints, what it refuses with exit code 2, and that refusing starts nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.commands import conduct
from controller.commands.line import CONFIGS
from drivers.catalogue import DECODERS
from tests.data import REFERENCE, needs_reference

SESSION = CONFIGS / "sessions" / "recording_shank.toml"
HEADER = "time_s,acc_x_g,acc_y_g,acc_z_g,gyr_x_dps,gyr_y_dps,gyr_z_dps"


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def still_recording(path: Path, *, header: str = HEADER, spoil: tuple[int, str] | None = None) -> Path:
    """Two seconds of a sensor lying still at 100 Hz; ``spoil`` replaces one data row."""
    rows = [f"{n / 100:.2f},1.0,0.001,0.002,0.1,-0.1,0.{n % 7}" for n in range(200)]
    if spoil is not None:
        rows[spoil[0]] = spoil[1]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def rounded(value: object) -> object:
    """The vectors' numbers have few digits."""
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return pytest.approx(value, abs=2e-3) if isinstance(value, float) else value


@needs_reference
def test_decode_gives_the_fields_of_every_vector_of_its_devices() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [v for v in vectors if v["device"] in DECODERS]
    assert len(mine) > 50
    for vector in mine:
        channel = ("--channel", vector["channel"]) if vector["channel"] else ()
        span = re.search(r"\+-(\d+)", vector["name"])  # a range that the bytes do not tell
        channel += ("--mode", span[1]) if span else ()
        code, output = invoke("decode", vector["device"], vector["hex"], *channel, "--json")
        assert code == 0, (vector["name"], output)
        meaning = json.loads(output)
        for key, value in vector["decoded"].items():
            if vector["name"].startswith("BLE notification 2"):
                continue  # the rest of a package that the notification before began
            assert meaning[key] == rounded(value), vector["name"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("toaster", "00"), ("toaster", "movella-dot")),
        (("hasomed-sm4", "0g"), ("HEX", "hexadecimal")),
        (("hasomed-sm4", "f0"), ("hasomed-sm4",)),
        (("hasomed-sm4", "f0815581588165816640001010f"[:-1]), ("hasomed-sm4",)),
        (("movella-dot", "0000"), ("movella-dot",)),
        (("myo", "00", "--mode", "4"), ("myo has none", "movella-dot")),
    ],
)
def test_decode_refuses_and_says_what_is_wrong(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    code, output = invoke("decode", *arguments)
    assert code == 2
    assert all(word in output for word in words)


@pytest.mark.parametrize("command", ["events", "run"])
@pytest.mark.parametrize(
    ("header", "spoil", "words"),
    [
        (HEADER.replace("acc_y_g,", ""), None, ("acc_y",)),
        (HEADER.replace("gyr_x_dps", "gyr_x_rpm"), None, ("gyr_x",)),
        (HEADER, (50, "0.50,nan,0,0,0,0,0"), ("acc_x_g", "nan", "52")),
        (HEADER, (50, "0.50,inf,0,0,0,0,0"), ("acc_x_g", "inf", "52")),
        (HEADER, (50, "0.30,1,0,0,0,0,0"), ("time_s", "0.3", "52")),
        (HEADER, (50, "0.50,one,0,0,0,0,0"), ("acc_x_g", "one", "52")),
        (HEADER, (50, "0.50,1000,0,0,0,0,0"), ("acc_x", "9806.65", "52")),
    ],
    ids=["missing column", "unit", "nan", "infinity", "time backwards", "text", "range"],
)
def test_a_bad_recording_is_refused_before_anything_starts(
    tmp_path: Path, command: str, header: str, spoil: tuple[int, str] | None, words: tuple[str, ...]
) -> None:
    file = still_recording(tmp_path / "bad.csv", header=header, spoil=spoil)
    out = tmp_path / "out"
    if command == "events":
        code, output = invoke("events", str(file), "--segment", "shank", "--side", "left")
    else:
        code, output = invoke("run", str(SESSION), "--recording", str(file), "--out", str(out))
    assert code == 2
    assert "bad.csv" in output
    assert all(word in output for word in words), output
    assert not out.exists()


def test_a_recording_for_a_sensor_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = still_recording(tmp_path / "good.csv")
    code, output = invoke("run", str(SESSION), "--recording", f"thigh={file}", "--out", str(tmp_path / "out"))
    assert code == 2
    assert "thigh" in output
    assert "shank" in output


def test_a_session_on_real_devices_starts_only_with_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conduct, "without", lambda _port, *, radio: [])  # as on a machine with all devices
    code, output = invoke("run", str(SESSION), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "--yes" in output
    assert not (tmp_path / "out").exists()


def test_standing_still_gives_no_event(tmp_path: Path) -> None:
    file = still_recording(tmp_path / "still.csv")
    arguments = ["events", str(file), "--segment", "shank", "--side", "left", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No step found" in result.stderr


def test_replay_and_report_refuse_what_is_no_recording(tmp_path: Path) -> None:
    file = tmp_path / "x.mcap"
    file.write_bytes(b"not a recording")
    for command in ("replay", "report"):
        code, output = invoke(command, str(file))
        assert code == 2
        assert "x.mcap" in output


def test_doctor_names_everything_a_session_needs() -> None:
    code, output = invoke("doctor")
    assert code == 0
    for what in ("Bluetooth", "P24", "MQTT", "clock", "scheduling", "disk"):
        assert what in output


def test_a_run_without_its_devices_says_what_is_missing_and_starts_nothing(tmp_path: Path) -> None:
    """No computer these tests run on has this port."""
    text = SESSION.read_text(encoding="utf-8").replace("/dev/ttyACM0", "/dev/ttyNONE9")
    text = text.replace("../patients/", f"{SESSION.parent.parent}/patients/")
    file = tmp_path / "session.toml"
    file.write_text(text, encoding="utf-8")
    code, output = invoke("run", str(file), "--yes", "--out", str(tmp_path / "out"))
    assert code == 2
    assert "/dev/ttyNONE9" in output
    assert "connect the stimulator by USB" in output
    assert "kept" not in output
    assert "Research software" not in output
    assert not (tmp_path / "out").exists()
