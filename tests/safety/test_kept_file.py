"""What outlives the guard: whole or as before, one process at a time, and never waited for amid pulses."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.errors import InputError
from controller.safety import kept_file, kept_state
from controller.safety.guard import Guard
from controller.safety.judgement import in_force
from controller.safety.judgement.guard_types import prepare
from controller.safety.kept_file import PLACE_BYTES, InUseError, KeptFile
from controller.safety.settings import parse
from drivers.interface import ChannelCommand
from drivers.stimulators.p24 import P24
from tests.safety.rig import raw_settings
from tests.safety.room import Room

LONG_S = 20.0  # for what another thread does at once


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def stored(path: Path, *messages: dict[str, object] | None) -> None:
    """Each of them written to the disk, one after the other."""
    for message in messages:
        file = KeptFile(path)
        file.write(message, sync=True)
        assert file.close(LONG_S)


def found(path: Path) -> object:
    file = KeptFile(path)
    file.close(0.0)
    return "damaged" if file.damaged else file.found


def test_a_file_that_is_not_there_is_made_empty_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert found(path) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 2 * PLACE_BYTES  # a disk that is full later has room for it
    assert path.stat().st_blocks * 512 >= 2 * PLACE_BYTES


def test_wider_rights_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    stored(path, None)
    path.chmod(0o666)
    assert found(path) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_newest_is_found(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for number in range(12):  # past 9: numbers count, not letters
        stored(path, {"number": number})
        assert found(path) == {"number": number}
    stored(path, None)
    assert found(path) is None


def test_wherever_a_power_cut_tears_the_writing_the_new_or_the_one_before_is_found(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    stored(path, {"was": "before"})
    before = path.read_bytes()
    stored(path, {"was": "after"})
    after = path.read_bytes()
    changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert len({at // PLACE_BYTES for at in changed}) == 1  # the other place is untouched
    for at in (*changed, len(after)):
        path.write_bytes(after[:at] + before[at:])
        assert found(path) in ({"was": "before"}, {"was": "after"})
    assert found(path) == {"was": "after"}


def test_what_is_not_synced_never_takes_the_place_of_what_is(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    file = KeptFile(path)
    file.write({"armed": 1}, sync=True)
    until(lambda: b'"armed"' in path.read_bytes() and file._waiting is None and file._safe == 1)
    for current_ma in range(5):
        file.write({"current_ma": current_ma}, sync=False)
        until(lambda told=current_ma: f'"current_ma":{told}' in path.read_text("latin-1"))  # type: ignore[misc]
        assert b'"armed"' in path.read_bytes()
    assert file.close(LONG_S)
    assert found(path) == {"current_ma": 4}


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8192, b" " * 8192, b"{}", b'{"boot":"a","spans":{}}', b"\xff" * 8192, b"00000000 "],
)
def test_empty_zeroed_or_damaged_is_not_the_same_as_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kept"
    path.write_bytes(content)
    assert found(path) == "damaged"


@pytest.mark.parametrize("text", [b"3 {", b"three {}", b"3", b"", b"3 " + b"[" * 3000])
def test_a_checksum_alone_makes_no_object(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"%08x %b" % (kept_file.zlib.crc32(text), text))
    assert found(path) == "damaged"


def test_a_damaged_file_is_whole_again_once_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(bytes(8192))
    stored(path, {"a": 1})
    assert found(path) == {"a": 1}


def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    script = "import sys,time; from pathlib import Path; from controller.safety.kept_file import KeptFile\n"
    script += "file = KeptFile(Path(sys.argv[1])); print('mine', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"mine\n"
            with pytest.raises(InUseError, match="in use by another rig"):
                KeptFile(path)
        finally:
            other.kill()  # also where the file was not refused: nobody waits for its long sleep
    assert found(path) is None


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    file = KeptFile(tmp_path / "kept")
    file.write({"a": 1}, sync=True)
    assert file.close(LONG_S)
    assert file.close(LONG_S)


@pytest.fixture
def no_room() -> Iterator[Callable[[bool], None]]:
    """Lets the kernel refuse any growth or write of a file, as a full or a broken disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def refuse(yes: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]) if yes else before)

    yield refuse
    refuse(False)


def test_what_the_disk_refuses_is_told_and_tried_again(
    tmp_path: Path, no_room: Callable[[bool], None]
) -> None:
    path = tmp_path / "kept"
    file = KeptFile(path)
    no_room(True)
    file.write({"a": 1}, sync=True)
    until(lambda: bool(file.trouble))
    no_room(False)
    until(lambda: not file.trouble)
    assert file.close(LONG_S)
    assert found(path) == {"a": 1}


def test_a_disk_that_refuses_to_the_end_is_told_at_the_end(
    tmp_path: Path, no_room: Callable[[bool], None]
) -> None:
    file = KeptFile(tmp_path / "kept")
    no_room(True)
    file.write({"a": 1}, sync=True)
    until(lambda: bool(file.trouble))
    closed = file.close(LONG_S)
    no_room(False)
    assert not closed
    assert file.trouble == "File too large"
    assert found(tmp_path / "kept") is None


def test_half_a_place_is_a_full_disk(tmp_path: Path, no_room: Callable[[bool], None]) -> None:
    file = KeptFile(tmp_path / "kept")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PLACE_BYTES + 100, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            file._store(b"{}", sync=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.close(LONG_S)


class SlowDisk:
    """Stands in for a disk that does not answer: no part of a real one can be made to on any machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = threading.Event()
        self.asked = threading.Event()
        sync = os.fdatasync

        def wait(fd: int) -> None:
            if threading.current_thread() is not threading.main_thread():
                self.asked.set()
                self.answers.wait(LONG_S)
            sync(fd)

        monkeypatch.setattr(kept_file.os, "fdatasync", wait)


def test_a_disk_that_does_not_answer_delays_no_pulse_and_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    monkeypatch.setattr(kept_state, "DISK_TAKES_S", 0.05)
    files = {"rest_file": str(tmp_path / "rest"), "in_flight_file": str(tmp_path / "in-flight")}
    room = Room(tmp_path, **files)
    room.walk()
    assert disk.asked.wait(LONG_S)
    given = len(room.device.pulses)
    for _ in range(40):
        room.tick(20.0)
    assert len(room.device.pulses) > given
    assert room.ask("stop")["state"] == "tripped"
    room.run(orphaned=False)  # ends though the disk still does not answer, and says so
    warnings = [event["text"] for event in room.events("warning") if "is not kept" in event["text"]]
    assert sorted(Path(text.split()[0]).name for text in warnings) == ["in-flight", "rest"]
    assert "the disk did not answer" in warnings[0]
    disk.answers.set()
    for file in room.guard._kept.files:
        assert file._writer is not None
        file._writer.join(LONG_S)
    room.close()


def test_a_disk_that_refuses_is_told_once_and_stops_nothing(
    tmp_path: Path, no_room: Callable[[bool], None]
) -> None:
    room = Room(tmp_path, rest_file=str(tmp_path / "rest"))
    try:
        room.walk()
        assert room.guard._kept.rest is not None
        no_room(True)
        for _ in range(240):  # on-times are kept every second
            room.tick(20.0 if room.seq % 80 < 40 else None)
        until(lambda: all(file.trouble for file in room.guard._kept.files))
        room.tick()
        no_room(False)
        assert room.stage == "active"
        texts = [
            event["text"] for event in room.events("warning") if "is not kept: File too" in event["text"]
        ]
        assert len(texts) == 2
        assert "Nothing was stopped" in texts[0]
    finally:
        no_room(False)
        room.close()


def test_off_and_arming_go_to_the_disk_itself_and_a_new_current_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fdatasync
    monkeypatch.setattr(kept_file.os, "fdatasync", lambda fd: (synced.append(fd), sync(fd)))
    room = Room(tmp_path, rest_file=str(tmp_path / "rest"), in_flight_file=str(tmp_path / "in-flight"))
    try:
        rest, in_flight = room.guard._kept.rest, room.guard._kept.in_flight
        assert rest is not None
        room.arm()
        until(lambda: {rest._fd, in_flight._fd} <= set(synced))
        room.walk_on()
        until(lambda: b'"current_ma":20.0' in (tmp_path / "in-flight").read_bytes())
        synced.clear()
        for current_ma in (19.0, 18.0):
            room.tick(current_ma)
            words = f'"current_ma":{current_ma}'.encode()
            until(lambda words=words: words in (tmp_path / "in-flight").read_bytes())  # type: ignore[misc]
        assert in_flight._fd not in synced
        synced.clear()
        room.ask("stop")
        until(lambda: {rest._fd, in_flight._fd} <= set(synced))
    finally:
        room.close()
    assert found(tmp_path / "in-flight") is None
    kept = found(tmp_path / "rest")
    assert isinstance(kept, dict)
    assert kept["spans"]["bout"]["used_ns"] > 200_000_000


def test_files_that_are_in_use_are_refused_in_words_and_let_go_of(tmp_path: Path) -> None:
    rest, flight = str(tmp_path / "rest"), str(tmp_path / "in-flight")
    held = KeptFile(Path(rest))
    with pytest.raises(InputError, match=r"rest.*in use by another rig.*end the other one first"):
        guard_of(tmp_path, rest_file=rest, in_flight_file=flight)
    assert found(Path(flight)) is None  # nobody holds it any more
    held.close(0.0)
    held = KeptFile(Path(flight))
    with pytest.raises(InputError, match="in use by another rig"):
        guard_of(tmp_path, rest_file=rest, in_flight_file=flight)
    held.close(0.0)
    with pytest.raises(InputError, match=r"No such file or directory.*a file that can be written"):
        guard_of(tmp_path, in_flight_file=str(tmp_path / "nowhere" / "in-flight"))


def guard_of(tmp_path: Path, **changes: str) -> Guard:
    stimulator = P24("/dev/null")
    return Guard(tmp_path, prepare(parse(raw_settings(**changes), "test"), stimulator.capability), stimulator)


# --- in words ---


def test_what_was_in_force_is_said_with_channel_current_width_and_rate() -> None:
    kept = in_force.kept("2026-11-29T10:00:00+00:00", "active", (ChannelCommand(20.0, 300.0, 40.0), None))
    assert in_force.words(kept, ("dorsiflexion", "eversion")) == (
        "armed at 2026-11-29T10:00:00+00:00, in force was active: dorsiflexion 20.0 mA, 300.0 us, 40.0 Hz"
    )
    second = in_force.kept("then", "ramp", (None, ChannelCommand(1.0, 2.0, 3.0)))
    assert in_force.words(second, ("a",)) == "armed at then, in force was ramp: 2 1.0 mA, 2.0 us, 3.0 Hz"
    both = in_force.kept("then", "active", (ChannelCommand(1.0, 2.0, 3.0), ChannelCommand(4.0, 5.0, 6.0)))
    assert in_force.words(both, ("a", "b")).endswith(": a 1.0 mA, 2.0 us, 3.0 Hz, b 4.0 mA, 5.0 us, 6.0 Hz")
    for nothing in ((), (None, None)):
        assert in_force.words(in_force.kept("then", "armed", nothing), ("a",)) == (
            "armed at then, in force was armed: no current"
        )


@pytest.mark.parametrize("found", [None, 3, [], {}, {"channels": 3}])
def test_anything_else_was_not_in_force_and_is_told_as_such(found: object) -> None:
    assert in_force.words(found, ("a",)) == in_force.UNREADABLE


def test_a_foreign_channel_is_shown_as_it_is() -> None:
    assert in_force.words({"channels": [20]}, ()) == "armed at None, in force was None: 1 20"
