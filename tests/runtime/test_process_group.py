"""Processes of a rig: one that ends unasked is named with its last words; all end with the rig."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from controller.errors import InputError
from controller.runtime.process_group import DAY_S, ProcessFailedError, Rig, sweep


def test_a_process_that_ends_unasked_is_told_by_name_and_last_words(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.start("recorder", "json.tool", "/nowhere")
        deadline = time.monotonic() + 30.0
        while rig.alive("recorder") and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(
            ProcessFailedError, match=r"dorsi-recorder ended with code \d.*it said: .*nowhere"
        ):
            rig.check()


def test_a_process_is_ended_with_the_rig(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.start("broker", "controller.telemetry.broker")
        pid = rig.pid("broker")
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# --- what a killed rig leaves ---


def test_the_folder_of_a_killed_rig_is_swept_at_the_next_start_and_a_living_ones_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = "import sys, time; from pathlib import Path; from controller.runtime.process_group import Rig\n"
    script += "rig = Rig(Path(sys.argv[1])); print(rig.path, flush=True); time.sleep(600)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script, str(tmp_path / "logs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as other:
        try:
            assert other.stdout is not None
            folder = Path(other.stdout.readline().strip())
            (folder / "mqtt.json").write_text("a password")
            with Rig(tmp_path / "logs"):
                assert folder.exists()
        finally:
            other.kill()
    assert folder.exists()
    with Rig(tmp_path / "logs") as rig:
        assert not folder.exists()
        assert rig.path.exists()
    assert not rig.path.exists()


def test_only_what_a_rig_of_this_user_left_is_swept(tmp_path: Path) -> None:
    def made(name: str, *files: str, age_s: float = 0.0) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            (folder / file).touch()
        os.utime(folder, (time.time() - age_s,) * 2)
        return folder

    unlocked = made("dorsi-aaaaaaaa", "lock")
    old = made("dorsi-bbbbbbbb", "header.json", age_s=DAY_S + 100.0)
    kept = [
        made("dorsi-cccccccc", "header.json", age_s=DAY_S - 100.0),  # may be one that is just being made
        made("dorsi-patients", "session.mcap", age_s=10 * DAY_S),  # a person's own
        made("dorsi-results-1", "lock"),
        made("other-aaaaaaaa", "lock"),
    ]
    held = made("dorsi-dddddddd", "lock")
    elsewhere = made("elsewhere", "lock")
    (tmp_path / "dorsi-eeeeeeee").symlink_to(elsewhere)
    lock = os.open(held / "lock", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    sweep(tmp_path)
    os.close(lock)
    assert not unlocked.exists()
    assert not old.exists()
    assert all(folder.exists() for folder in (*kept, held, elsewhere / "lock"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
def test_another_users_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / "dorsi-aaaaaaaa"
    folder.mkdir()
    (folder / "lock").touch()
    os.chown(folder, 12345, 12345)
    sweep(tmp_path)
    assert folder.exists()


def test_a_rigs_folder_is_its_owners_alone_and_a_place_without_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(tmp_path / "logs") as rig:
        assert stat.S_IMODE(rig.path.stat().st_mode) == 0o700
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"nowhere.*a folder that can be written"):
        Rig(tmp_path / "logs")
