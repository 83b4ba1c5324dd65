"""What is kept of a person: for one rig at a time, readable or refused, and open to its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from controller.errors import InputError
from controller.runtime.person_files import held
from controller.safety.kept_file import KeptFile


def test_a_second_rig_of_a_person_is_refused_in_words_and_another_persons_is_not(tmp_path: Path) -> None:
    with held(tmp_path, "P01", virtual=False):
        with (
            pytest.raises(InputError, match=r"P01\.lock.*in use by another rig.*end the other one first"),
            held(tmp_path, "P01", virtual=False),
        ):
            pass
        with held(tmp_path, "P02", virtual=False) as other:
            assert other.in_flight == tmp_path / "rest" / "P02.inflight"
    with held(tmp_path, "P01", virtual=False) as files:
        assert files.rest == tmp_path / "rest" / "P01.json"


def test_virtual_bodies_walk_at_once_each_with_a_file_of_its_own_and_have_rested(tmp_path: Path) -> None:
    with held(tmp_path, "P01", virtual=True) as first, held(tmp_path, "P01", virtual=True) as second:
        assert first.in_flight != second.in_flight
        assert first.rest is second.rest is None
        with held(tmp_path, "P01", virtual=False) as real:
            assert real.in_flight not in (first.in_flight, second.in_flight)
    with held(tmp_path, "P01", virtual=True) as again:
        assert again == first  # so that it is told what that one left


def test_the_folder_and_its_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "rest"
    folder.mkdir(mode=0o755)
    (folder / "P01.json").touch(mode=0o644)
    with pytest.raises(InputError, match="nothing that can be read"), held(tmp_path, "P01", virtual=False):
        pass
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_on_times_that_cannot_be_read_are_refused_before_anything_starts_until_a_person_decides(
    tmp_path: Path,
) -> None:
    with held(tmp_path, "P01", virtual=False) as files:
        assert files.rest is not None
    files.rest.write_bytes(bytes(8192))
    with (
        pytest.raises(InputError, match=r"P01\.json.*remove the file when they have rested"),
        held(tmp_path, "P01", virtual=False),
    ):
        pass
    files.rest.unlink()
    with held(tmp_path, "P01", virtual=False):
        assert KeptFile(files.rest).found is None


def test_a_place_where_nothing_can_be_kept_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "rest").touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InputError, match=r"rest: folder: found"), held(tmp_path, "P01", virtual=False):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
