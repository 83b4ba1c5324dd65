"""Where compiled code is kept: a user's own place, and none that anybody else could write into."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from models.jit import cache_folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A cache folder and a temporary one."""
    cache, temporary = tmp_path / "cache", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return cache, temporary


def test_the_code_lies_in_the_users_cache_by_a_digest_of_the_sources(places: tuple[Path, Path]) -> None:
    folder = cache_folder()
    assert folder is not None
    assert folder.parent == places[0] / "dorsi"
    assert folder == cache_folder()
    assert folder.stat().st_mode & 0o077 == 0


def test_where_the_home_cannot_be_written_it_is_a_temporary_place_and_without_that_none(
    places: tuple[Path, Path],
) -> None:
    cache, temporary = places
    cache.write_text("no folder")  # as a home that may only be read: no folder can be made
    folder = cache_folder()
    assert folder is not None
    assert folder.parent.parent == temporary
    folder.parent.chmod(0o777)  # somebody else could have put code there
    assert cache_folder() is None
    temporary.rename(temporary.with_name("gone"))
    temporary.write_text("no folder")
    assert cache_folder() is None
