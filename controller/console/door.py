"""The door of the console (process ``dorsi-stop``): STOP by plain HTTP, everything else passed to the pages.

Promises that POST /stop reaches the guard at once, whatever the pages' process does: busy, frozen or gone. It
asks for no login and never arms. Standard library alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import html
import json
import signal
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

from controller.config.console_settings import (
    DOOR_PATH,
    PAGES_SOCKET,
    SCREEN_MAX,
    SCREEN_PATH,
    STOP_PATH,
    ConsoleSettings,
    read_settings,
    read_token,
    shows_token,
)
from controller.console.door_queue import Lobby, Rank, Visitor
from controller.console.guard_line import OPEN_S, GuardLine
from controller.console.i18n import Texts, language_of, load_texts
from controller.errors import InputError
from controller.ipc import process
from controller.untrusted import clean

PRIORITY = 8  # behind the controller, before everything ordinary: a busy page must not delay STOP
HEAD_MAX_BYTES = 64 * 1024
HEAD_S = 3.0  # from the connection to the end of the request's head, TLS included; a spare one opens anew
BACKLOG = 1024  # connections the kernel keeps until they are taken: beyond, a STOP would wait a second
TAKEN_AT_ONCE = 4  # then the loop turns: reading takes some turns, and no flood may push out a STOP by then
CLOSING_S = 1.0
AGAIN_ACCEPT_S = 0.05
PROVE_S = 0.3  # how often the door tries itself
PAGES_S = 3.0  # the pages answer within this, or a page with STOP alone is shown
AGAIN_S = 2  # that page tries again so often where the pages are not there
AGAIN_SLOW_S = 10  # and where they are and do not answer: each try is more work for them
PIPE_BYTES = 64 * 1024


class Door:
    """The listening sockets: STOP is answered here, the rest is carried to the pages and back."""

    def __init__(
        self, rig: Path, settings: ConsoleSettings, texts: dict[str, Texts], token: str | None
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._texts = texts
        self._token = token
        self._tls = _tls(settings)
        self._guard = GuardLine(rig)
        self._lobby = Lobby()
        self._tasks: dict[Visitor, asyncio.Task[None]] = {}

    async def run(self) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor ends the rig, in order
        settings = self._settings
        try:
            listening = _listen(settings.host, settings.port)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise SystemExit(f"dorsi-stop: cannot listen at {where}: {_why_deaf(error)}") from None
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = listening[0].getsockname()
        working = [
            asyncio.create_task(self._guard.keep()),
            asyncio.create_task(self._prove(address[0], address[1])),
            *(asyncio.create_task(self._take(one)) for one in listening),
        ]
        print(json.dumps({"url": f"{settings.scheme}://{host}:{address[1]}"}), flush=True)
        await ended.wait()
        await _ended(*working, *self._tasks.values())
        for one in listening:
            one.close()

    async def _prove(self, host: str, port: int) -> None:
        """Try the door from outside, as a browser would: while that fails, the guard hears no heartbeat."""
        tls = None
        if self._tls is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # it only asks itself
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(OPEN_S):
                    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
                    try:
                        writer.write(f"GET {DOOR_PATH} HTTP/1.1\r\n\r\n".encode())
                        if (await reader.readline()).startswith(b"HTTP/1.1 204"):
                            self._guard.proven()
                    finally:
                        writer.transport.abort()
            await asyncio.sleep(PROVE_S)

    async def _take(self, listening: socket.socket) -> None:
        """Let in whoever comes, and the oldest silent one out where there are too many."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listening)
                for _ in range(TAKEN_AT_ONCE):
                    self._let_in(sock, str(peer[0]))
                    sock, peer = listening.accept()
                self._let_in(sock, str(peer[0]))
                await asyncio.sleep(0)
            except BlockingIOError:
                pass
            except OSError as error:  # gone again already; or out of descriptors, which pass
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    await asyncio.sleep(AGAIN_ACCEPT_S)

    def _let_in(self, sock: socket.socket, address: str) -> None:
        sock.setblocking(False)
        visitor = Visitor(address)
        if (leaving := self._lobby.enter(visitor)) is not None:
            self._tasks[leaving].cancel()
        task = asyncio.create_task(self._serve(visitor, sock))
        self._tasks[visitor] = task
        task.add_done_callback(lambda _: self._gone(visitor, sock))

    def _gone(self, visitor: Visitor, sock: socket.socket) -> None:
        self._lobby.leave(visitor)
        del self._tasks[visitor]
        sock.close()

    async def _serve(self, visitor: Visitor, sock: socket.socket) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(HEAD_S):
                reader, writer = await _streams(sock, self._tls)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError:
                    head = b""
            if head:
                visitor.rank = Rank.KNOWN if shows_token(head, self._token) else Rank.SPEAKING
                await self._answer(visitor, head, reader, writer)
            else:
                writer.write(_response("431 Request Header Fields Too Large", "", ""))
            await writer.drain()
            writer.close()
            async with asyncio.timeout(CLOSING_S):
                await writer.wait_closed()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError):
            pass  # gone, or silent for too long
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _answer(
        self, visitor: Visitor, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, _, rest = head.partition(b" ")
        path, _, query = rest.split(b" ", 1)[0].partition(b"?")
        if method == b"POST" and path == STOP_PATH.encode():
            await self._stop(head, writer)
        elif method == b"POST" and path == SCREEN_PATH.encode():
            name = clean(parse_qs(query.decode("latin-1")).get("name", [""])[0])[:SCREEN_MAX]
            await self._screen(name if visitor.rank is Rank.KNOWN else "", writer)
        elif path == DOOR_PATH.encode():
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        else:
            await self._pass_on(head, reader, writer)

    async def _screen(self, name: str, writer: asyncio.StreamWriter) -> None:
        """Whether a STOP posted now would be taken; with the token it is a beat of that screen too (F26)."""
        told: Mapping[str, object] = {}
        if not name:  # strangers do not reach the guard by this way
            works = self._guard.answers
        elif works := isinstance(answer := await self._guard.screen(name), Mapping):
            assert isinstance(answer, Mapping)
            told = {key: answer.get(key) for key in ("watch", "silent_ms")}
        body = json.dumps({"stop": works, **told}).encode()
        status = "200 OK" if works else "503 Service Unavailable"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
            + body
        )

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
            self._alone(head, writer, AGAIN_S)
            return
        upgrade = b"\r\nupgrade: websocket" in head.lower()
        pages_writer.write(head if upgrade else _closing(head))
        carrying = [asyncio.create_task(_carry(reader, pages_writer))]
        try:
            first = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAGES_S):
                    first = await pages_reader.read(PIPE_BYTES)
            if first:
                writer.write(first)
                outward = asyncio.create_task(_carry(pages_reader, writer))
                carrying.append(outward)
                await asyncio.wait(carrying if upgrade else (outward,), return_when="FIRST_COMPLETED")
            else:
                self._alone(head, writer, AGAIN_SLOW_S)
        finally:
            await _ended(*carrying)
            pages_writer.close()

    def _alone(self, head: bytes, writer: asyncio.StreamWriter, again_s: int) -> None:
        """The pages do not answer: STOP alone, and another try in a while; the screen goes on to be heard."""
        texts = self._texts[language_of(head)]
        style = "font:1.3rem sans-serif;margin:2rem"
        button = "width:100%;min-height:128px;font:bold 3rem sans-serif;color:#fff;background:#b3001b"
        where = "" if head.startswith(b"GET ") else ";url=/"
        body = (
            f"<meta http-equiv=refresh content='{again_s}{where}'><body style='{style}'>"
            f"<form method=post action={STOP_PATH}><button autofocus style='{button}'>STOP</button></form>"
            f"<p>{html.escape(texts.get('stop.alone'))}<script>const beat = () => "
            f"fetch('{SCREEN_PATH}?name=' + localStorage.dorsiScreen, {{ method: 'POST' }})"
            ".catch(() => null); setInterval(beat, 1000); beat();</script>"
        )
        writer.write(_response("503 Service Unavailable", body, texts.language))


def _why_deaf(error: OSError) -> str:
    """Why a port cannot be had, and what to do."""
    if error.errno != errno.EADDRINUSE:
        return error.strerror or str(error)
    return (
        "another program listens there already, most likely another Dorsi console: end that one, or choose "
        "another port (console.port in the session file, --console-port of a demo)"
    )


def _listen(host: str, port: int) -> list[socket.socket]:
    """Sockets for every address of ``host``, all at one port."""
    found: list[socket.socket] = []
    for family, kind, proto, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        sock = socket.socket(family, kind, proto)
        found.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken = port or (found[0].getsockname()[1] if len(found) > 1 else 0)
        sock.bind((address[0], taken, *address[2:]))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    return found


async def _streams(
    sock: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Once there is a first byte: a silent connection costs no handshake."""
    loop = asyncio.get_running_loop()
    spoke = asyncio.Event()
    loop.add_reader(sock, spoke.set)
    try:
        await spoke.wait()
    finally:
        loop.remove_reader(sock)
    reader = asyncio.StreamReader(limit=HEAD_MAX_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    timeouts = {} if tls is None else {"ssl_handshake_timeout": HEAD_S, "ssl_shutdown_timeout": CLOSING_S}
    own = socket.socket(fileno=sock.detach())  # the transport's from here on, whatever becomes of it
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, own, ssl=tls, **timeouts)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


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
    """``python -m controller.console.door --rig DIR --settings FILE``; prints its address as JSON."""
    parser = argparse.ArgumentParser(description="The console's door: STOP, and the way to its pages.")
    parser.add_argument("--rig", type=Path, required=True, help="directory of the session's sockets")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the supervisor")
    arguments = parser.parse_args()
    process.begin("dorsi-stop")
    try:
        settings = read_settings(arguments.settings)
        token = read_token(Path(settings.token_file)) if settings.token_file else None
        door = Door(arguments.rig, settings, load_texts(), token)
    except InputError as error:
        sys.exit(f"dorsi-stop: {error}")
    process.go_real_time(PRIORITY)
    asyncio.run(door.run())


if __name__ == "__main__":
    main()
