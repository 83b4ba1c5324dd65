"""Odd hosts, giant and endless bodies, half characters: refused in words or mended, and nothing dies of it.

The real door and the real pages behind it; the rig is not there.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from controller.console.access import BODY_MAX_BYTES
from controller.safety.judgement.contraindications import QUESTIONS
from tests.console.door import TOKEN, Opened, opened, pages_of

PATIENCE_S = 60.0
GROWTH_MB = 48  # beside 200 MB that are sent
FORM = "application/x-www-form-urlencoded"
HALF = "\\ud800"  # becomes half a character where a form may choose how it is read
MENDED = "\N{REPLACEMENT CHARACTER}"

pytestmark = pytest.mark.timeout(300)


class Pages:
    """Door and pages, and a browser that is logged in and has no manners."""

    def __init__(self, door: Opened, process: subprocess.Popen[bytes]) -> None:
        self.door = door
        self.process = process
        self.cookie = f"Cookie: dorsi_token_{door.port}={TOKEN}\r\n"
        self.host = f"Host: 127.0.0.1:{door.port}\r\n"

    def raw(self, *sent: bytes) -> tuple[int, str]:
        """Status and body of what is answered; status 0 where the door closed without a word."""
        answer = b""
        with self.door.connect() as sock:
            sock.settimeout(PATIENCE_S)
            try:
                for part in sent:
                    sock.sendall(part)
            except ConnectionError:
                pass  # it does not listen any more; it may have spoken
            try:
                while data := sock.recv(65536):
                    answer += data
            except ConnectionError:
                pass
        head, _, body = answer.partition(b"\r\n\r\n")
        return (int(head.split(b" ", 2)[1]) if head else 0), body.decode()

    def get(self, path: str, hosts: bytes | None = None, more: str = "") -> tuple[int, str]:
        named = self.host.encode() if hosts is None else hosts
        return self.raw(
            b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), named, (self.cookie + more).encode())
        )

    def post(self, path: str, body: bytes, kind: str = FORM, length: int | None = None) -> tuple[int, str]:
        head = f"POST {path} HTTP/1.1\r\n{self.host}{self.cookie}Content-Type: {kind}\r\n"
        size = len(body) if length is None else length
        return self.raw(f"{head}Content-Length: {size}\r\n\r\n".encode(), body)

    def type_in(self, path: str, **fields: str) -> tuple[int, str]:
        return self.post(path, urllib.parse.urlencode(fields).encode())

    def most_mb(self) -> int:
        """The most memory that either process has ever had."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in (self.process.pid, self.door.pid)]
        return max(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024 for status in statuses)

    def well(self) -> bool:
        return self.process.poll() is None and self.get("/setup")[0] == 200

    def complaints(self) -> str:
        return (self.door.rig / "pages.log").read_text()


def multipart(**fields: str) -> bytes:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    return ("".join(parts) + "--x--\r\n").encode()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with opened(tmp_path_factory.mktemp("pages")) as door, pages_of(door) as process:
        yield Pages(door, process)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (b"", 421),
        (b"Host:\r\n", 421),
        (b"Host: evil.example\r\n", 421),  # a name that its owner let point here
        (b"Host: 127.0.0.1@evil.example\r\n", 421),
        (b"Host: 127.0.0.1\r\nHost: evil.example\r\n", 421),
        (b"Host: evil.example\r\nHost: 127.0.0.1\r\n", 421),
        (b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n", 421),
        (b"Host: [\r\n", 421),
        (b"Host: \xff\r\n", 421),
        (b"Host: 127.0.0.1:\xb2\r\n", 421),
        ("Host: 127.0.0.1\N{ACCOUNT OF}\r\n".encode(), 421),
        (b"Host: " + b"a" * 60_000 + b"\r\n", 421),
        (b"Host: " + b"a" * 70_000 + b"\r\n", 431),
    ],
)
def test_a_host_that_is_not_this_computer_named_once_is_refused(
    pages: Pages, hosts: bytes, status: int
) -> None:
    found, said = pages.get("/setup", hosts)
    assert found == status
    assert "Traceback" not in said
    assert pages.well()


@pytest.mark.parametrize("origin", ["http://[", "null", "http://evil.example", "\N{ACCOUNT OF}://x"])
def test_an_odd_origin_is_a_foreign_one(pages: Pages, origin: str) -> None:
    assert pages.get("/setup", more=f"Origin: {origin}\r\n")[0] == 403


def test_a_form_of_the_greatest_size_is_read_and_one_above_is_refused_in_words(pages: Pages) -> None:
    room = BODY_MAX_BYTES - len("by=")
    assert pages.post("/setup/patient", b"by=" + b"a" * room)[0] == 409  # read, and no name
    status, said = pages.post("/setup/patient", b"by=" + b"a" * (room + 1))
    assert status == 413
    assert "Nothing of it was taken" in said


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "application/octet-stream"])
@pytest.mark.parametrize("path", ["/setup/patient", "/tuning/propose", "/login", "/watch", "/nowhere"])
def test_giant_bodies_take_no_memory(pages: Pages, path: str, kind: str) -> None:
    before_mb = pages.most_mb()
    head = f"POST {path} HTTP/1.1\r\n{pages.host}{pages.cookie}Content-Type: {kind}\r\n"
    million = b"f4240\r\n" + b"a" * 1_000_000 + b"\r\n"
    status, _ = pages.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *[million] * 200)
    assert status in (0, 413)  # 0: it was still sending when the door closed
    assert pages.most_mb() - before_mb < GROWTH_MB
    assert pages.well()


def test_a_body_that_never_ends_is_given_up_and_holds_up_nobody(pages: Pages) -> None:
    waiting: list[socket.socket] = []
    for _ in range(20):
        sock = pages.door.connect()
        sock.settimeout(PATIENCE_S)
        sock.sendall(
            f"POST /setup/patient HTTP/1.1\r\n{pages.host}{pages.cookie}Content-Type: {FORM}\r\n"
            "Content-Length: 1000\r\n\r\nby=".encode()
        )
        waiting.append(sock)
    assert pages.well()
    for sock in waiting:
        status = int(sock.recv(65536).split(b" ", 2)[1])
        assert status in (408, 503)  # 503: the door gave the pages up, on a busy machine
        sock.close()


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "punycode", "undefined", "utf-16", "\xff"])
def test_a_form_in_another_script_than_utf_8_is_refused(pages: Pages, charset: str) -> None:
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    for path in ("/setup/patient", "/login", "/watch", "/profiles/save", "/setup/checklist"):
        body = multipart(by=HALF, token=HALF, screen=HALF, name=HALF, pacemaker=HALF)
        assert pages.post(path, body, kind)[0] == 415
    for charset in ("utf-8", "UTF-8", '"utf-8"', "utf-8; x=y"):
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        assert pages.post("/setup/patient", multipart(by="AB"), kind)[0] == 303


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("A%00B", f"A{MENDED}B"),
        ("%ED%A0%80A", f"{3 * MENDED}A"),  # half a surrogate pair: none of its bytes is text
        ("%C5%BDi%C5%BEek%F0%9F%98%80", "\u017di\u017eek\U0001f600"),
    ],
)
def test_a_name_typed_is_kept_as_text_that_every_reader_can_hold(pages: Pages, typed: str, kept: str) -> None:
    assert pages.post("/setup/patient", f"by={typed}".encode())[0] == 303
    held = (pages.door.rig / "profiles" / "unnamed" / "setup.json").read_text(encoding="utf-8")
    assert json.loads(held)["by"] == kept
    assert pages.well()


def test_an_answer_that_is_none_of_the_checklists_is_not_taken(pages: Pages) -> None:
    answers = {question.key: "no" for question in QUESTIONS}
    for wrong in ("no\0", "\ufffd", "no" * 10_000, ""):
        assert pages.type_in("/setup/checklist", **{**answers, QUESTIONS[0].key: wrong})[0] == 409
    assert pages.type_in("/setup/checklist", **answers)[0] == 303


def test_whatever_a_browser_says_over_the_live_socket_pages_and_stop_go_on(pages: Pages) -> None:
    address = f"ws://127.0.0.1:{pages.door.port}/live"
    cookie = {"Cookie": pages.cookie.removeprefix("Cookie: ").strip()}
    before_mb = pages.most_mb()
    for words in (
        "", "\0", "42", "null", "[" * 100_000, '{"event":5}', '{"event":"arm"}', '{"event":"hold","what":{}}',
        '{"event":"hold","what":"held","screen":"\\ud800"}',
        '{"event":"hold","screen":"' + "x" * 100_000 + '"}',
        b'{"event":"disarm"}', b"\xff\xff", "9" * 100_000, "x" * 30_000_000,
    ):  # fmt: skip
        try:
            with connect(address, additional_headers=cookie, open_timeout=PATIENCE_S) as talking:
                talking.recv(timeout=PATIENCE_S)
                talking.send(words)
                talking.send('{"event":"hold","what":"up"}')
        except (WebSocketException, ConnectionError):
            pass  # thrown out
        assert pages.well()
    assert pages.most_mb() - before_mb < GROWTH_MB
    assert pages.door.ask("POST", "/stop")[0] == 503  # there is no guard: and it says so


def test_no_path_is_odd_enough_for_a_fault_of_the_program(pages: Pages) -> None:
    before = len(pages.complaints())
    for path in (
        "/sessions/%00", "/sessions/%ED%A0%80", "/sessions/a%00/report.html", "/sessions?q=%00%ED%A0%80",
        "/sessions/compare?run=%00", "/setup?step=%00", "/language/%00", "/enter?token=%ED%A0%80",
        "/profiles/%00.toml", "/profiles?with=%00", "/tuning/proposal/" + "9" * 5000, "/%ff",
        "/sessions/" + "a" * 50_000, "/sessions/%2e%2e%2f/report.html", "/static/%00",
    ):  # fmt: skip
        assert pages.get(path)[0] in (200, 303, 403, 404, 422), path
    for path in ("/setup/level", "/setup/effect", "/setup/hold", "/setup/virtual", "/setup/file",
                 "/setup/train", "/tuning/propose", "/tuning/undo", "/profiles/save", "/profiles/%00/propose",
                 f"/tuning/proposal/{10**30}/apply", "/watch", "/login"):  # fmt: skip
        fields = dict.fromkeys(("by_ma", "effect", "what", "version", "screen", "token"), "\x00" + "9" * 5000)
        assert pages.type_in(path, by="\0", name="\0", **fields)[0] in (204, 303, 403, 404, 409, 422, 503)
    assert "ASGI application" not in pages.complaints()[before:]
