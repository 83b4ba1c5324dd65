"""The ready programmes: each can be read, is an example that decides nothing, and names its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.commands.exercise import PROGRAMMES
from controller.config.exercise_schema import ProgrammeFile
from controller.config.loader import read_file

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
