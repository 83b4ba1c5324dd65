"""The door of the console (process ``dorsi-stop``): STOP by plain HTTP, everything else passed to the pages.

Promises that POST /stop reaches the guard at once, whatever the pages' process does: busy, frozen or gone. It
asks for no login and never arms. Standard library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import html
import json
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

from controller.console.settings import PAGES_SOCKET, STOP_PATH, ConsoleSettings, read_settings
from controller.console.texts import Texts, language_of, load_texts
from controller.errors import InputError
from controller.runtime import bus, process

PRIORITY = 8  # behind the controller, before everything ordinary: a busy page must not delay STOP
HEAD_MAX_BYTES = 64 * 1024
HEAD_S = 10.0  # a browser keeps spare connections open without a word
ANSWER_S = 0.3  # the guard answers within milliseconds; beyond, the person is told that it did not
PAGES_S = 3.0  # the pages answer within this, or a page with STOP alone is shown
RECONNECT_S = 0.05
HEARTBEAT_S = 0.1  # the guard takes 500 ms without one as a lost console
PIPE_BYTES = 64 * 1024


class GuardLine:
    """The connection to the guard, kept up across the guard's restarts."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig
        self._sock: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._answered = asyncio.Event()
        self._state = ""

    async def keep(self) -> None:
        """Stay connected, and tell the guard that STOP can be pressed: it stops where that is lost (F10)."""
        beat_at_s = 0.0
        while True:
            if self.reach() and self._sender is not None and time.monotonic() >= beat_at_s:
                beat_at_s = time.monotonic() + HEARTBEAT_S
                self._sender.send(b'{"op":"heartbeat"}')
            await asyncio.sleep(RECONNECT_S)

    def reach(self) -> bool:
        """Connect where there is a guard and no connection."""
        if self._sock is not None:
            return True
        try:
            sock = bus.connect(self._rig, "guard", timeout_s=0.0)
        except (TimeoutError, OSError):
            return False
        self._sock, self._sender = sock, bus.Sender(sock)
        self._sender.send(json.dumps({"role": "operator", "name": "console STOP"}).encode())
        asyncio.get_running_loop().add_reader(sock.fileno(), self._hear)
        return True

    def _hear(self) -> None:
        assert self._sock is not None
        while message := bus.receive(self._sock):
            with contextlib.suppress(ValueError):
                word = json.loads(message)
                self._state = str(word.get("state", self._state))
                if word.get("reply") == "stop":
                    self._answered.set()
        if message is None:
            self._drop()

    def _drop(self) -> None:
        if self._sock is not None and self._sender is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sender.close()
        self._sock = self._sender = None

    async def stop(self, by: str) -> str:
        """Tell the guard; returns ``stopped``, ``unanswered`` or ``no guard``."""
        message = json.dumps({"op": "stop", "by": by}).encode()
        self._answered.clear()
        for _ in range(2):  # the second time over a fresh connection: the guard may have been restarted
            if not self.reach() or self._sender is None:
                return "no guard"
            if self._sender.send(message):
                break
            self._drop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._answered.wait()
                return "stopped"
        return "unanswered"


class Door:
    """One listening socket: STOP is answered here, the rest is carried to the pages and back."""

    def __init__(self, rig: Path, settings: ConsoleSettings, texts: dict[str, Texts]) -> None:
        self._rig = rig
        self._settings = settings
        self._texts = texts
        self._guard = GuardLine(rig)
        self._open: set[asyncio.Task[None]] = set()  # held, as the loop itself does not hold its tasks

    async def run(self) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor ends the rig, in order
        keeper = asyncio.create_task(self._guard.keep())
        settings = self._settings
        try:
            server = await asyncio.start_server(
                self._accept, settings.host, settings.port, ssl=_tls(settings), limit=HEAD_MAX_BYTES
            )
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise SystemExit(f"dorsi-stop: cannot listen at {where}: {error.strerror}") from None
        port = server.sockets[0].getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(json.dumps({"url": f"{settings.scheme}://{host}:{port}"}), flush=True)
        await ended.wait()
        server.close()
        await _ended(keeper, *self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError):
            try:
                async with asyncio.timeout(HEAD_S):
                    head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                writer.write(_response("431 Request Header Fields Too Large", "", ""))
            else:
                method, _, rest = head.partition(b" ")
                path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
                if method == b"POST" and path == STOP_PATH.encode():
                    await self._stop(head, writer)
                else:
                    await self._pass_on(head, reader, writer)
            await writer.drain()
        with contextlib.suppress(OSError, ssl.SSLError, RuntimeError):
            writer.close()

    async def _stop(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        outcome = await self._guard.stop(f"console at {peer[0]}" if peer else "console")
        texts = self._texts[language_of(head)]
        status = "200 OK" if outcome == "stopped" else "503 Service Unavailable"
        words = texts.get(f"stop.{outcome.replace(' ', '_')}")
        body = f"<p class={outcome.split()[0]}>{html.escape(time.strftime('%H:%M:%S'))} {html.escape(words)}"
        writer.write(_response(status, body, texts.language))

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pages_reader, pages_writer = await asyncio.open_unix_connection(str(self._rig / PAGES_SOCKET))
        except OSError:
            self._alone(head, writer)
            return
        upgrade = b"\r\nupgrade: websocket" in head.lower()
        pages_writer.write(head if upgrade else _closing(head))
        inward = asyncio.create_task(_carry(reader, pages_writer))
        try:
            async with asyncio.timeout(PAGES_S):
                first = await pages_reader.read(PIPE_BYTES)
        except TimeoutError:
            first = b""
        if first:
            writer.write(first)
            outward = asyncio.create_task(_carry(pages_reader, writer))
            await asyncio.wait((outward, inward) if upgrade else (outward,), return_when="FIRST_COMPLETED")
            await _ended(outward)
        else:
            self._alone(head, writer)
        await _ended(inward)
        pages_writer.close()

    def _alone(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        """The pages are not there: STOP alone, and another try every two seconds."""
        texts = self._texts[language_of(head)]
        style = "font:1.3rem sans-serif;margin:2rem"
        button = "width:100%;min-height:128px;font:bold 3rem sans-serif;color:#fff;background:#b3001b"
        body = (
            f"<meta http-equiv=refresh content=2><body style='{style}'>"
            f"<form method=post action={STOP_PATH}><button autofocus style='{button}'>STOP</button></form>"
            f"<p>{html.escape(texts.get('stop.alone'))}"
        )
        writer.write(_response("503 Service Unavailable", body, texts.language))


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(PIPE_BYTES):
            writer.write(data)
            await writer.drain()


def _closing(head: bytes) -> bytes:
    """The request with ``Connection: close``: the next one opens a connection, and is looked at too."""
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def _response(status: str, body: str, language: str) -> bytes:
    page = f"<!doctype html><html lang='{language}'><meta charset=utf-8><title>Dorsi</title>{body}".encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode() + page


def _tls(settings: ConsoleSettings) -> ssl.SSLContext | None:
    if settings.cert_file is None or settings.key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            settings.cert_file, "certificate and key", str(error), "PEM files that belong together"
        ) from None
    return context


def main() -> None:
    """``python -m controller.console.stop --rig DIR --settings FILE``; prints its address as JSON."""
    parser = argparse.ArgumentParser(description="The console's door: STOP, and the way to its pages.")
    parser.add_argument("--rig", type=Path, required=True, help="directory of the session's sockets")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the supervisor")
    arguments = parser.parse_args()
    process.begin("dorsi-stop")
    try:
        settings = read_settings(arguments.settings)
        door = Door(arguments.rig, settings, load_texts())
    except InputError as error:
        sys.exit(f"dorsi-stop: {error}")
    process.go_real_time(PRIORITY)
    asyncio.run(door.run())


if __name__ == "__main__":
    main()
