"""The recorder as a real process: fed over the bus, killed, starved of disk, asked to end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from controller.ipc import bus
from controller.record.live import LiveStatus
from controller.record.reader import has_end, header, messages, raw_messages, tails_of
from controller.record.records import Clock, GuardEvent, Process, Record, encode
from controller.record.wall_clock import clock_due
from tests.chaos.clocked import make_clock, set_clock
from tests.record.made import SESSION, imu, tick, verdict

pytestmark = pytest.mark.real_time

Start = Callable[[Path], subprocess.Popen[bytes]]
Join = Callable[[str], socket.socket]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []
    (tmp_path / "header.json").write_bytes(msgspec.json.encode(SESSION))

    def run(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "controller.runtime.recorder", "--rig", str(tmp_path)]
        command += ["--out", str(out), "--header", str(tmp_path / "header.json")]
        processes.append(subprocess.Popen(command))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(bus.connect(tmp_path, name))


def jumps_in(out: Path) -> list[int]:
    """By how many hours the wall clock was set, as the recording shows it."""
    clocks = [message.record for message in messages(out, ("clock",))]
    leads_ns = [clock.utc_ns - clock.monotonic_ns for clock in clocks if isinstance(clock, Clock)]
    hours = [round((after - before) / 3.6e12) for before, after in pairwise(leads_ns)]
    return [jump for jump in hours if jump]


def send(sender: bus.Sender, topic: str, t_ns: int, record: Record) -> None:
    while not sender.send(bus.pack_record(topic, t_ns, encode(record))):
        assert not sender.gone
        time.sleep(0.001)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within 20 s"
        time.sleep(0.005)


def next_message(sock: socket.socket) -> bytes:
    sock.setblocking(True)
    sock.settimeout(20.0)
    return sock.recv(bus.MAX_MESSAGE_BYTES)


FIRST = 100  # ticks that fit on the small disk


def written(path: Path, topic: str) -> list[int]:
    return [message.t_ns for message in raw_messages(path) if message.topic == topic] if path.exists() else []


def test_killed_at_any_moment_it_has_lost_no_message_it_had_read(
    tmp_path: Path, start: Start, join: Join
) -> None:
    out = tmp_path / "session.mcap"
    recorder = start(out)
    sender = bus.Sender(join("recorder"))
    for seq in range(200):
        send(sender, "tick", seq, tick(seq))
    wait_for(lambda: len(written(out, "tick")) == 200, "writing of 200 ticks")
    for seq in range(200, 400):  # still under way when the end comes
        send(sender, "tick", seq, tick(seq))
    recorder.send_signal(signal.SIGKILL)
    recorder.wait()
    ticks = written(out, "tick")
    assert ticks == list(range(len(ticks)))
    assert len(ticks) >= 200
    assert header(out) == SESSION
    assert all(message.record for message in messages(out))


def test_at_the_end_it_takes_what_is_still_under_way_and_recompacts(
    tmp_path: Path, start: Start, join: Join
) -> None:
    out = tmp_path / "session.mcap"
    recorder = start(out)
    sender = bus.Sender(join("recorder"))
    other = bus.Sender(join("recorder"))
    send(sender, "tick", 0, tick(0))
    other.send(bus.pack_record("finish", 0, b"{}"))
    for seq in range(1, 50):
        send(sender, "tick", seq, tick(seq))
    sender.close()
    other.close()
    assert recorder.wait(20.0) == 0
    assert written(out, "tick") == list(range(50))
    assert b"table/tick" in out.read_bytes()
    assert has_end(out)
    assert not list(tmp_path.glob("*.sock"))
    assert not tails_of(out)


def test_it_ends_on_sigterm_though_a_peer_never_closes_and_ignores_ctrl_c(
    tmp_path: Path, start: Start, join: Join
) -> None:
    out = tmp_path / "session.mcap"
    recorder = start(out)
    sender = bus.Sender(join("recorder"))
    send(sender, "tick", 0, tick(0))
    wait_for(lambda: written(out, "tick") == [0], "writing")
    recorder.send_signal(signal.SIGINT)
    send(sender, "tick", 1, tick(1))
    wait_for(lambda: written(out, "tick") == [0, 1], "writing after Ctrl-C")
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(20.0) == 0
    assert written(out, "tick") == [0, 1]


def test_it_notes_the_clocks_and_which_process_came_and_went(tmp_path: Path, start: Start) -> None:
    out = tmp_path / "session.mcap"
    recorder = start(out)
    feeder = "import sys, pathlib, controller.ipc.bus as b; b.connect(pathlib.Path(sys.argv[1]), 'recorder')"
    peer = subprocess.Popen([sys.executable, "-c", feeder, str(tmp_path)])
    peer.wait()
    wait_for(lambda: len(written(out, "process")) == 2, "notice of the peer's end")
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(20.0) == 0
    records = [message.record for message in messages(out)]
    notes = [record for record in records if isinstance(record, Process)]
    assert [(note.pid, note.kind) for note in notes] == [(peer.pid, "connected"), (peer.pid, "gone")]
    clocks = [record for record in records if isinstance(record, Clock)]
    assert clocks
    assert abs(clocks[0].utc_ns - time.time_ns()) < 60e9


@pytest.mark.parametrize(
    ("passed_ms", "jumped_ms", "due"),
    [(0, 0, False), (999, 0, False), (1000, 0, True), (50, 50, False), (50, 51, True), (50, -51, True)],
)
def test_the_clocks_are_noted_each_second_and_when_the_wall_clock_was_set(
    passed_ms: int, jumped_ms: int, due: bool
) -> None:
    noted, later_ns = Clock(5, 7, 9), passed_ms * 10**6
    now = Clock(5 + later_ns, 7 + later_ns + jumped_ms * 10**6, 9 + later_ns)
    assert clock_due(noted, now) == due


def test_a_wall_clock_that_is_set_and_set_back_within_a_second_is_in_the_recording_twice(
    tmp_path: Path,
) -> None:
    out, wall = tmp_path / "session.mcap", tmp_path / "wall"
    (tmp_path / "header.json").write_bytes(msgspec.json.encode(SESSION))
    make_clock(wall)
    command = [sys.executable, "-m", "tests.chaos.clocked", str(wall), "controller.runtime.recorder"]
    command += ["--rig", str(tmp_path), "--out", str(out), "--header", str(tmp_path / "header.json")]
    recorder = subprocess.Popen(command)
    try:
        wait_for(lambda: bool(written(out, "clock")), "the first look at the clocks")
        for ahead_ns, jumps in ((86_400 * 10**9, [24]), (0, [24, -24])):
            set_clock(wall, ahead_ns)
            begin_s = time.monotonic()
            wait_for(lambda: jumps_in(out) == jumps, "notice of the jump")  # noqa: B023, called within the round
            assert time.monotonic() - begin_s < 0.5
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(20.0) == 0
    finally:
        recorder.kill()
        recorder.wait()
    assert jumps_in(out) == [24, -24]


def test_a_message_that_is_no_record_is_noted_and_the_next_one_is_taken(
    tmp_path: Path, start: Start, join: Join
) -> None:
    out = tmp_path / "session.mcap"
    start(out)
    sender = bus.Sender(join("recorder"))
    sender.send(b"\xff\x00")
    sender.send(b"tick soon {}")
    send(sender, "tick", 3, tick(3))
    wait_for(lambda: written(out, "tick") == [3], "writing")
    notes = [message.record for message in messages(out, ("process",))]
    assert [note.kind for note in notes if isinstance(note, Process)].count("malformed") == 2


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\x00", b'{"t_ns":1} x', b"[" * 5000 + b"]" * 5000])
def test_what_is_no_json_is_left_out_and_noted_and_the_next_one_is_taken(
    tmp_path: Path, start: Start, join: Join, payload: bytes
) -> None:
    out = tmp_path / "session.mcap"
    start(out)
    sender = bus.Sender(join("recorder"))
    message = bus.pack_record("guard/event", 1, payload)
    sender.send(message)
    sender.send(bus.pack_record("guard/event", 2, b'{"t_ns":2,"text":"half \\ud800"}'))
    send(sender, "tick", 3, tick(3))
    wait_for(lambda: written(out, "tick") == [3], "writing")
    assert written(out, "guard/event") == [2]
    kept = [each.payload for each in raw_messages(out) if each.topic == "guard/event"]
    assert json.loads(kept[0])["text"] == "half \N{REPLACEMENT CHARACTER}"
    notes = [each.record for each in messages(out, ("process",))]
    said = [note.text for note in notes if isinstance(note, Process) and note.kind == "malformed"]
    assert said == [f"sent {len(message)} bytes under 'guard/event' that no reader takes; left out"]


def test_the_live_feed_shows_the_newest_values_and_never_a_backlog(
    tmp_path: Path, start: Start, join: Join
) -> None:
    start(tmp_path / "session.mcap")
    sender = bus.Sender(join("recorder"))
    live = join("live")
    now_ns = time.monotonic_ns()
    for seq in (0, 1, 4):
        send(sender, "tick", seq, tick(seq, now_ns=now_ns, samples=(imu(seq, now_ns),), current_ma=21.5))
    send(sender, "guard/verdict", 4, verdict(4, state="active"))

    def shown() -> LiveStatus:
        return msgspec.json.decode(next_message(live), type=LiveStatus)

    status = shown()
    while status.ticks < 3 or status.guard_state != "active":
        status = shown()
    assert status.recorder == "ok"
    assert status.commanded_ma == 21.5
    assert status.applied_ma is None
    assert status.missed_ticks == 2
    assert status.lateness_p50_us == pytest.approx(100.0, rel=0.02)
    assert 0 <= status.sensor_age_ms["shank"] < 60_000


def test_a_full_disk_is_told_to_every_peer_and_stops_nothing(
    tmp_path: Path, small_disk: Path, start: Start, join: Join
) -> None:
    out = small_disk / "session.mcap"
    recorder = start(out)
    sock = join("recorder")
    sender = bus.Sender(sock)
    live = join("live")
    for seq in range(FIRST):
        send(sender, "tick", seq, tick(seq))
    deadline = time.monotonic() + 60.0
    while len(written(out, "tick")) < FIRST:  # a busy machine would have it read all in one batch
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for seq in range(FIRST, 1000):
        send(sender, "tick", seq, tick(seq))
    told = msgspec.json.decode(next_message(sock))
    assert told["recorder"] == "failed"
    assert "No space left" in told["reason"]
    late = join("recorder")
    assert msgspec.json.decode(next_message(late)) == told
    sock.setblocking(False)
    send(sender, "guard/event", 1, GuardEvent(1, "state", "tripped", "sensor silent", "F1"))
    while b'"guard_state":"tripped"' not in (message := next_message(live)):
        pass
    assert b"No space left" in message
    sock.close()
    late.close()
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(20.0) == 3
    ticks = written(out, "tick")
    assert FIRST <= len(ticks) < 1000
    assert ticks == list(range(len(ticks)))


def test_an_unwritable_place_is_told_and_the_rig_can_still_run(
    tmp_path: Path, start: Start, join: Join
) -> None:
    recorder = start(tmp_path / "no such folder" / "session.mcap")
    sock = join("recorder")
    told = msgspec.json.decode(next_message(sock))
    assert told["recorder"] == "failed"
    assert "No such file" in told["reason"]
    sock.close()
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(20.0) == 3


def test_a_rig_without_supervisor_does_not_leave_a_recorder_behind(tmp_path: Path, join: Join) -> None:
    (tmp_path / "header.json").write_bytes(msgspec.json.encode(SESSION))
    out = tmp_path / "session.mcap"
    parent = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-m', 'controller.runtime.recorder',"
        " '--rig', sys.argv[1], '--out', sys.argv[2], '--header', sys.argv[1] + '/header.json']).pid,"
        " flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path), str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    assert supervisor.stdin is not None
    recorder_pid = int(supervisor.stdout.readline())
    peer = join("recorder")
    supervisor.kill()
    supervisor.wait()
    supervisor.stdin.close()
    supervisor.stdout.close()
    peer.close()

    def gone() -> bool:
        state = Path(f"/proc/{recorder_pid}/stat")
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"

    wait_for(gone, "end of the recorder")
    assert header(out) == SESSION
