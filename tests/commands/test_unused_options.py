"""What a person names on the command line is used or refused, before anything is begun."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from controller.cli import app
from controller.commands import run
from controller.commands.line import REFUSED
from tests.record.made import tick, write

REFUSALS = [
    (["demo", "--programme", "wrist_extension", "--mode", "off"], "--mode"),
    (["demo", "--programme", "wrist_extension", "--session", "FILE"], "--session"),
    (["demo", "--console-port", "9000"], "--console-port"),
    (["trial", "run", "FILE", "--scheduler", "tcp://10.0.0.1:8786"], "--scheduler"),
    (["trial", "run", "FILE", "--engine", "dask", "--workers", "2"], "--workers"),
    (["judge", "RECORDING", "--pulses", "FOLDER/none.jsonl"], "none.jsonl"),
    (["mqtt", "watch", "--client-key-file", "FILE"], "--client-key-file"),
    (["mqtt", "watch", "--password-file", "FILE"], "--password-file"),
    (["dose", "FOLDER", "--runs", "elsewhere"], "--runs"),
]


@pytest.mark.parametrize(("words", "named"), REFUSALS, ids=[" ".join(words) for words, _ in REFUSALS])
def test_an_option_that_would_not_be_used_is_refused(tmp_path: Path, words: list[str], named: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    recording = write(tmp_path / "session.mcap", ("tick", 0, tick(0)))
    places = {"FILE": str(file), "RECORDING": str(recording), "FOLDER": str(tmp_path)}
    line = [
        word.replace("FOLDER", str(tmp_path)) if "/" in word else places.get(word, word) for word in words
    ]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == REFUSED
    assert "refused: " in done.stderr
    assert named in done.stderr


def test_the_demo_of_a_session_file_tells_the_broker_that_the_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run.DEMO_SESSION.read_text(encoding="utf-8")
    folder = tmp_path / "configs" / "sessions"
    folder.mkdir(parents=True)
    shutil.copytree(run.DEMO_SESSION.parents[1] / "patients", folder.parent / "patients")
    file = folder / "own.toml"
    file.write_text(f'{text}\n[telemetry]\nhost = "127.0.0.1"\nport = 18830\n', encoding="utf-8")
    told: list[Mapping[str, object]] = []
    monkeypatch.setattr(run, "broker", lambda: pytest.fail("a broker of its own"))
    monkeypatch.setattr(run, "conduct", lambda *_, mqtt, **__: told.append(mqtt) or 0)
    assert run.run_demo("off", 5.0, 1, tmp_path / "out", Console(quiet=True), file=file) == 0
    assert (told[0]["host"], told[0]["port"]) == ("127.0.0.1", 18830)
