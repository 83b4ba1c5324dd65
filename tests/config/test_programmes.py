"""The ready programmes: each can be read, is an example that decides nothing, and names its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.commands.config_check import objections
from controller.commands.exercise import PROGRAMMES, virtual_session_text
from controller.config.exercise import load_exercise
from controller.config.exercise_schema import ProgrammeFile
from controller.config.loader import read_file
from controller.errors import ConfigError

FILES = sorted(PROGRAMMES.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_ready_programme_is_an_example_with_a_source_and_every_figure_from_memory_says_so(
    path: Path,
) -> None:
    file, text = read_file(path, ProgrammeFile)
    source = file.programme.source
    assert "an example" in text.partition("\n[")[0].lower()
    assert source.startswith("Example")
    assert "from memory, unverified" in source or "doi" in source or "Phys Ther" in source
    assert file.programme.aim.endswith(".")


def test_no_programme_is_there_twice_under_two_names() -> None:
    titles = [read_file(path, ProgrammeFile)[0].programme.title for path in FILES]
    assert len(set(titles)) == len(titles) >= 15


REFUSED = {  # with a P24, and the words that say why and what is nearest
    "denervated_dorsiflexors": ("200000", "4095", "nothing near it"),
    "quadriceps_burst_ac_10ms": ("25 cycles", "8 cycles", "the nearest is 3.2 ms"),
    "quadriceps_doublet_5ms": ("found 5", "at least 20", "the nearest is 20 ms"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_programme_may_begin_with_the_virtual_person_or_is_refused_with_the_nearest(
    path: Path, tmp_path: Path
) -> None:
    file = tmp_path / "session.toml"
    file.write_text(virtual_session_text(path), encoding="utf-8")
    try:
        found = objections(load_exercise(file))
    except ConfigError as error:
        found = error.problems
    if path.stem in REFUSED:
        assert any(all(word in line for word in REFUSED[path.stem]) for line in found), found
        assert "refused" in path.read_text(encoding="utf-8").partition("\n[")[0].lower()
    else:
        assert found == []


def test_a_refused_programme_is_there() -> None:
    assert {path.stem for path in FILES} >= set(REFUSED)
