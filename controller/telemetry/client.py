"""aiomqtt's client, mended where a broker hangs up before it answers and where a caller is cancelled.

Promises that such an end is noticed at once and carries what TLS said (with TLS 1.3 a refused certificate of
ours shows only at the first reading), that a cancelled call ends, and that a connection that did not come
about leaves no socket open. Refuses to watch a closed socket, and a message larger than PACKET_BYTES_MAX.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import aiomqtt
import paho.mqtt.client as paho

ANSWER_S = 5.0
PACKET_BYTES_MAX = 256 * 1024  # what rigs publish is a few KiB; a broker may send 256 MiB in one piece
QUEUED_MAX = 1000  # messages that wait to be looked at; more are left out
KEEPALIVE_S = 5  # a hung rig is shown as lost after 1.5 to 2.3 times this
# Without it, Nagle's waiting on one side and delayed acknowledgement on the other cost 40 ms a batch.
SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

T = TypeVar("T")


class _Ear(logging.Handler):
    """Keeps the newest error that the MQTT library logs and does not hand on; prints nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        for word in record.args or ():
            if isinstance(word, BaseException):
                self.error = word


class Client(aiomqtt.Client):
    """One connection to a broker."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        tls_context: ssl.SSLContext | None = None,
        will: aiomqtt.Will | None = None,
    ) -> None:
        self._ear = _Ear()
        self._thread = threading.get_ident()
        self._given_up = False  # nobody waits for the connection any more
        logger = logging.Logger("mqtt", logging.WARNING)
        logger.addHandler(self._ear)
        super().__init__(
            host,
            port,
            username=username,
            password=password,
            tls_context=tls_context,
            will=will,
            keepalive=KEEPALIVE_S,
            timeout=ANSWER_S,
            socket_options=SOCKET_OPTIONS,
            max_queued_incoming_messages=QUEUED_MAX,
            logger=logger,
        )
        self.too_large_bytes = 0  # of a message that was not taken, and ended the connection
        self._receive: Callable[[int], bytes] = self._client._sock_recv
        self._client._sock_recv = self._receive_bounded  # type: ignore[method-assign]

    def _receive_bounded(self, bufsize: int) -> bytes:
        """Without this, a message is read whole before anybody can say that it is too large."""
        if bufsize > PACKET_BYTES_MAX:
            self.too_large_bytes = bufsize
            raise OSError(errno.EMSGSIZE, f"a message of {bufsize} bytes, allowed: {PACKET_BYTES_MAX}")
        return self._receive(bufsize)

    async def __aenter__(self) -> Self:
        self._given_up = False
        try:
            return await super().__aenter__()
        except BaseException:
            self._given_up = True
            self._loop.call_soon(self._hang_up)
            raise

    def _client_connect(self) -> None:
        """In a thread of its own, which goes on where its caller is cancelled."""
        super()._client_connect()
        if self._given_up:
            self._loop.call_soon_threadsafe(self._hang_up)

    def _hang_up(self) -> None:
        """Close a socket that nobody will use: aiomqtt keeps it, and watches it, until it is collected."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket) and sock.fileno() >= 0:
            self._on_socket_close(self._client, None, sock)
            self._loop.remove_writer(sock.fileno())
            sock.close()

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109
        """Without this, a cancellation that meets the awaited answer is lost and the caller goes on for ever.

        It is a defect of asyncio.wait_for before Python 3.12: python/cpython issue 86296.
        """
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    # Any: what aiomqtt's own callbacks take and pass by
    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: Any,
        properties: Any = None,
    ) -> None:
        """Without this, aiomqtt waits for the answer of a broker that is gone until its time is over."""
        if not self._connected.done():
            error = aiomqtt.MqttError("it hung up without an answer")
            error.__cause__ = self._ear.error
            self._connected.set_exception(error)
            self._connected.exception()  # nobody may be waiting yet
        elif not self._connected.cancelled():
            super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        """Write at the loop's next turn, and go on when the socket takes more.

        Called in the connecting thread first; the loop may read an end and close the socket before it gets
        here. aiomqtt watches the number of the closed socket then, which may be another's by now: its loop
        turns without end on a file that is always ready. It also wakes and watches anew for every packet.
        Where the loop was the faster one, paho hands on a socket that it has let go of meanwhile: None.
        """
        if sock is None:
            return
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._write, client, sock)
        else:
            self._loop.call_soon_threadsafe(self._write, client, sock)

    def _write(self, client: paho.Client, sock: Any) -> None:
        try:
            if sock.fileno() >= 0 and not self._connected.done():
                client.loop_read()  # a refusal that is there already says more than a failed writing
            if sock.fileno() >= 0:
                client.loop_write()
        except OSError as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)
        if client.want_write() and sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._write, client, sock)
