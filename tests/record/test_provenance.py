"""A recording that replays otherwise says by which program it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.record.provenance import PACKAGES, changed, program
from tests.record.made import tick, write
from tests.record.test_replay_core import SESSION_FILE


def test_by_the_program_that_made_it_nothing_is_another() -> None:
    assert changed(program()) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("commit", "abc", "commit abc, now "),
        ("commit", "", "commit not told, now "),
        ("host", "Plan9 4, Python 2.7", "Plan9 4, Python 2.7, now "),
        ("arithmetic", "x86_64 with X86_V3", "processor and BLAS x86_64 with X86_V3, now "),
        ("versions", json.dumps(json.loads(program()["versions"]) | {"vqf": "1.0"}), "vqf 1.0, now "),
    ],
)
def test_what_is_another_is_named_and_nothing_else(key: str, value: str, said: str) -> None:
    (phrase,) = changed(program() | {key: value})
    assert phrase.startswith(said)


@pytest.mark.parametrize("versions", ["", "[]", "{", '"\\ud800"', "null"])
def test_a_head_that_says_no_versions_is_told_of_all(versions: str) -> None:
    phrases = changed(program() | {"versions": versions})
    assert [phrase.split(" not told")[0] for phrase in phrases] == list(PACKAGES)


def test_replay_names_both_programs_where_a_decision_differs(tmp_path: Path) -> None:
    made = tick(0)
    odd = replace(made, decision=replace(made.decision, reason="by another program"))
    params = msgspec.json.encode(core_params(load_session(SESSION_FILE), "feedback")).decode()
    path = write(tmp_path / "a.mcap", ("tick", 0, odd), session={"core_params": params, "commit": "abc"})
    result = CliRunner().invoke(app, ["replay", str(path)])
    words = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "different: tick 0" in words
    assert "made by another program: commit abc, now" in words
    assert "What to do: replay it with the program that made it" in words


@pytest.mark.parametrize("cut", [True, False])
def test_replay_and_export_say_where_a_recording_was_cut_off(tmp_path: Path, cut: bool) -> None:
    params = msgspec.json.encode(core_params(load_session(SESSION_FILE), "feedback")).decode()
    whole = write(tmp_path / "whole.mcap", *[("tick", 0, tick(0))] * 40, session={"core_params": params})
    path = tmp_path / "a.mcap"
    path.write_bytes(whole.read_bytes()[: -8 if cut else None])  # MCAP's magic at the end
    for arguments in (["replay", str(path)], ["export", str(path), str(tmp_path / "out"), "--to", "csv"]):
        result = CliRunner().invoke(app, arguments)
        words = " ".join(result.output.split())
        assert ("The recording has no end: it was cut off, or its session still runs." in words) == cut
