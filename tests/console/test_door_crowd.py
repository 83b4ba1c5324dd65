"""Silent connections do not keep STOP away; a door that is shut is not taken for an open one."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.config.console_settings import PAGES_SOCKET
from controller.console.door_queue import MOST_OF_ADDRESS
from controller.console.guard_line import HEARTBEAT_S, OPEN_S
from tests.console.door import TOKEN, GuardEnd, Opened, opened

pytestmark = pytest.mark.timeout(180)
CROWD = 1500
STOPS = 5
LATER_S = 2.0  # than without the crowd; what was found took five seconds
PATIENCE_S = 30.0


@contextmanager
def crowd(port: int, count: int) -> Iterator[Callable[[], int]]:
    """So many silent connections; what it gives ends them and returns how many the door had closed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.console.crowd", str(port), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert int(child.stdout.readline()) == count

        def closed() -> int:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.close()
            return int(child.stdout.readline())

        yield closed
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def stops_s(door: Opened) -> list[float]:
    """How long each of some STOPs took to be answered."""
    took = []
    for _ in range(STOPS):
        begin_s = time.monotonic()
        assert door.ask("POST", "/stop", token=None)[0] == 200
        took.append(time.monotonic() - begin_s)
    return took


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """The pages' end: takes what comes, and answers it as the beginning of a live connection."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(tmp_path / PAGES_SOCKET))
    server.listen(16)
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            taken.append(sock)
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield taken
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for sock in taken:
        sock.close()


@pytest.mark.real_time  # the guard's end is here: a machine that stands still for 0.3 s is no answer
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_fifteen_hundred_silent_connections_keep_neither_stop_nor_a_logged_in_screen_away(
    tmp_path: Path, pages: list[socket.socket], tls: bool
) -> None:
    guard = GuardEnd(tmp_path)
    try:
        with opened(tmp_path, tls=tls) as door, contextlib.ExitStack() as ending:
            alone_s = stops_s(door)
            live = ending.enter_context(door.connect())
            live.sendall(
                f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nUpgrade: websocket\r\n"
                f"Cookie: dorsi_token_{door.port}={TOKEN}\r\n\r\n".encode()
            )
            assert live.recv(1000).startswith(b"HTTP/1.1 101")
            with crowd(door.port, CROWD) as closed:
                beside_s = stops_s(door)
                assert max(beside_s) < max(alone_s) + LATER_S, (alone_s, beside_s)
                assert door.ask("POST", "/stop/screen?name=tablet")[0] == 200
                pages[0].sendall(b"still here")
                assert live.recv(1000) == b"still here"
                assert closed() >= CROWD - MOST_OF_ADDRESS  # the youngest may wait until their time is over
        assert guard.ops().count("stop") == 2 * STOPS
    finally:
        guard.close()


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_who_says_nothing_or_half_of_it_is_let_go_after_some_seconds(tmp_path: Path, tls: bool) -> None:
    with opened(tmp_path, tls=tls) as door:
        begun = [socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) for _ in range(3)]
        begun[1].sendall(
            b"\x16\x03\x01" if tls else b"POST /st"
        )  # the beginning of a handshake, of a request
        begun[2].sendall(b"\x16")
        begin_s = time.monotonic()
        for sock in begun:
            assert sock.recv(1) == b""
            sock.close()
        assert time.monotonic() - begin_s < PATIENCE_S / 2  # a silent handshake was kept for a minute


def test_the_guard_hears_a_heartbeat_only_while_the_door_lets_somebody_in(tmp_path: Path) -> None:
    guard = GuardEnd(tmp_path)
    try:
        with opened(tmp_path) as door:
            until(lambda: len(guard.beats_s) > 3)
            before = resource.prlimit(door.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(
                door.pid, resource.RLIMIT_NOFILE, (1, before[1])
            )  # it can take nobody in any more
            until(lambda: guard.peers == 0)  # no operator either
            beats = len(guard.beats_s)
            time.sleep(5 * HEARTBEAT_S)
            assert len(guard.beats_s) == beats
            resource.prlimit(door.pid, resource.RLIMIT_NOFILE, before)
            until(lambda: len(guard.beats_s) > beats + 3)
            assert door.ask("POST", "/stop")[0] == 200
    finally:
        guard.close()


def test_the_door_shuts_for_the_guard_no_later_than_it_says() -> None:
    assert OPEN_S <= 2.0


def test_a_beat_with_the_token_reaches_the_guard_and_says_what_it_answered(tmp_path: Path) -> None:
    guard = GuardEnd(tmp_path)
    try:
        with opened(tmp_path) as door:
            status, body = door.ask("POST", "/stop/screen?name=tablet")
            assert (status, json.loads(body)) == (200, {"stop": True, "watch": "mine", "silent_ms": 7})
            assert [word["screen"] for word in guard.heard if word.get("op") == "screen"] == ["tablet"]
    finally:
        guard.close()


@pytest.mark.parametrize("token", [None, "forged", TOKEN + "x"])
def test_without_the_token_nobody_beats_for_a_screen_but_learns_whether_stop_works(
    tmp_path: Path, token: str | None
) -> None:
    guard = GuardEnd(tmp_path)
    try:
        with opened(tmp_path) as door:
            until(lambda: door.ask("POST", "/stop/screen?name=tablet", token=token)[0] == 200)
            assert not [word for word in guard.heard if word.get("op") == "screen"]
    finally:
        guard.close()


def test_without_a_guard_that_answers_the_screen_is_told_that_stop_would_not_be_taken(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        for token in (TOKEN, None):
            status, body = door.ask("POST", "/stop/screen?name=tablet", token=token)
            assert (status, json.loads(body)) == (503, {"stop": False})
        guard = GuardEnd(tmp_path)
        try:
            until(lambda: door.ask("POST", "/stop/screen?name=tablet")[0] == 200)
            guard.mute = True
            for token in (TOKEN, None):
                until(lambda token=token: door.ask("POST", "/stop/screen?name=tablet", token=token)[0] == 503)
        finally:
            guard.close()
