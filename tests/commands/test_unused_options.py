"""What a person names on the command line is used or refused, before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
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
