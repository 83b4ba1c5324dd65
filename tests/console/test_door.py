"""The door: STOP gets through to the guard whatever else is there; nothing foreign gets to the pages."""

from __future__ import annotations

import http.client
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.config.console_settings import (
    PAGES_SOCKET,
    ConsoleSettings,
    new_token,
    read_token,
    shows_token,
    write_settings,
)
from controller.console.access import Entry
from controller.console.i18n import load_texts
from tests.console.door import TOKEN, GuardEnd, opened

pytestmark = pytest.mark.real_time


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    with opened(tmp_path, token=False) as running:
        yield tmp_path, running.port


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_stop_reaches_the_guard_and_every_press_only_stops(door: tuple[Path, int]) -> None:
    rig, port = door
    guard = GuardEnd(rig)
    for body in (b"", b"x=1", b"\xff" * 1000):
        status, page = ask(port, "POST", "/stop", body)
        assert (status, "STOP taken" in page) == (200, True)
    guard.close()
    assert guard.ops() == ["stop", "stop", "stop"]


def test_stop_finds_a_guard_that_was_started_anew(door: tuple[Path, int]) -> None:
    rig, port = door
    for _ in range(2):
        guard = GuardEnd(rig)
        assert ask(port, "POST", "/stop?again=1")[0] == 200
        guard.close()
        assert guard.ops() == ["stop"]


def test_without_a_guard_it_says_that_nothing_can_flow(door: tuple[Path, int]) -> None:
    _, port = door
    status, page = ask(port, "POST", "/stop")
    assert status == 503
    assert "no pulse can leave" in page


def test_without_the_pages_there_is_a_page_with_stop(door: tuple[Path, int]) -> None:
    _, port = door
    status, page = ask(port, "GET", "/")
    assert status == 503
    assert "<form method=post action=/stop><button" in page


def test_pages_that_do_not_answer_hold_up_nothing(door: tuple[Path, int]) -> None:
    rig, port = door
    guard = GuardEnd(rig)
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    silent.bind(str(rig / PAGES_SOCKET))
    silent.listen(16)
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    for sock in waiting:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    before = time.monotonic()
    assert ask(port, "POST", "/stop")[0] == 200
    assert (
        time.monotonic() - before < 2.0
    )  # far below what the pages are given; the 100 ms are held in the rig
    for sock in (*waiting, silent):
        sock.close()
    guard.close()


@pytest.mark.parametrize(
    "nonsense", [b"\r\n\r\n", b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"A" * 100_000 + b"\r\n\r\n"]
)
def test_nonsense_is_answered_and_survived(door: tuple[Path, int], nonsense: bytes) -> None:
    rig, port = door
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(nonsense)
        sock.settimeout(10)
        assert sock.recv(100).startswith(b"HTTP/1.1 ")
    guard = GuardEnd(rig)
    assert ask(port, "POST", "/stop")[0] == 200
    guard.close()


def entry(host: str, token: str | None) -> Entry:
    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("only the verdict is asked for")

    return Entry(app, ConsoleSettings(host, 0, "runs"), token, load_texts())


def verdict(at: str, token: str | None, path: str = "/", **headers: str) -> int:
    """The status it refuses with; 0 where it lets in."""
    from starlette.requests import HTTPConnection

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "headers": raw, "query_string": b"", "scheme": "http"}
    answer = entry(at, token).refusal(HTTPConnection(scope))
    return 0 if answer is None else answer.status_code


def test_a_foreign_origin_or_a_foreign_name_is_refused() -> None:
    assert verdict("127.0.0.1", None, host="127.0.0.1:8470") == 0
    assert verdict("127.0.0.1", None, host="127.0.0.1:8470", origin="http://127.0.0.1:8470") == 0
    assert verdict("127.0.0.1", None, host="127.0.0.1:8470", origin="http://evil.example") == 403
    assert verdict("127.0.0.1", None, host="127.0.0.1:8470", origin="http://127.0.0.1:9999") == 403
    assert verdict("127.0.0.1", None, host="evil.example") == 421
    assert verdict("127.0.0.1", None) == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8470", "localhost:8470", "[::1]:8470"])
def test_on_this_computer_too_only_the_token_opens(host: str) -> None:
    assert verdict("127.0.0.1", TOKEN, host=host) == 401
    assert verdict("127.0.0.1", TOKEN, path="/setup/hold", host=host) == 401
    assert verdict("127.0.0.1", TOKEN, host=host, cookie=f"dorsi_token_8471={TOKEN}") == 401
    assert verdict("127.0.0.1", TOKEN, host=host, cookie=f"dorsi_token_8470={TOKEN}") == 0
    for path in ("/login", "/enter", "/console-static/stop.js"):
        assert verdict("127.0.0.1", TOKEN, path=path, host=host) == 0
    for path in ("/enter/", "/entering", "/console-static", "/login/x", "/watch"):
        assert verdict("127.0.0.1", TOKEN, path=path, host=host) == 401


@pytest.mark.parametrize(
    ("cookie", "known"),
    [
        (f"dorsi_token_8470={TOKEN}", True),
        (f"a=1; dorsi_token_8470={TOKEN}", True),
        (f'dorsi_token_8470="{TOKEN}"; b=2', True),
        (f"dorsi_token_8470={TOKEN}x", False),
        (f"xdorsi_token_8470={TOKEN}", False),
        (f"dorsi_token={TOKEN}", False),
        (f"a=dorsi_token_8470; b={TOKEN}", False),
        ("dorsi_token_8470=", False),
        ("", False),
    ],
)
def test_the_door_knows_who_is_logged_in_by_the_same_cookie(cookie: str, known: bool) -> None:
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:8470\r\nCookie: {cookie}\r\n\r\n".encode()
    assert shows_token(head, TOKEN) is known
    assert shows_token(head, None)


def test_a_token_and_what_names_it_are_for_this_user_alone(tmp_path: Path) -> None:
    token = new_token(tmp_path / "token")
    assert read_token(tmp_path / "token") == token
    (tmp_path / "console.json").touch(mode=0o644)  # whatever lay there before
    write_settings(tmp_path / "console.json", ConsoleSettings("127.0.0.1", 0, "runs"))
    for name in ("token", "console.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert new_token(tmp_path / "token") != token


def test_on_the_network_only_the_token_opens() -> None:
    host = "192.168.1.20"
    assert verdict(host, TOKEN, host=host) == 401
    assert verdict(host, TOKEN, host=host, cookie="dorsi_token=forged") == 401
    assert verdict(host, TOKEN, host=host, authorization="Bearer forged") == 401
    assert verdict(host, TOKEN, host=host, authorization=f"Bearer {TOKEN}") == 0
    assert verdict(host, TOKEN, host=host, cookie=f'dorsi_token="{TOKEN}"') == 0
    assert verdict(host, TOKEN, path="/login", host=host) == 0
