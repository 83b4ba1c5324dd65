"""Telemetry over MQTT: the rig's state, live streams and events for dashboards. Topics: docs/mqtt.md.

Promises never to make its caller wait, to come back by itself when the broker does, and to bring every
numbered event once and in order. Refuses to keep more than a bounded queue; a stream keeps its newest values.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import msgspec

from controller.record.telemetry_port import BrokerLink, RigState
from controller.telemetry.broker_position import Position
from controller.telemetry.client import Client
from controller.telemetry.connection_trouble import Trouble, explain
from controller.untrusted import clean

ROOT = "dorsi/1"
# Six events a stride, one stride a second, the longest session (4 h): 86,400. About 400 bytes each.
QUEUED_EVENTS_MAX = 100_000
IN_FLIGHT_MAX = 8  # events sent before the first is acknowledged; aiomqtt warns above 10
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 15.0
EVENT_QOS = 1
STREAM_QOS = 0
LEVEL_MAX = 120  # characters; a broker takes 65,535 bytes of a whole topic
_LEVEL = re.compile(r"[a-z0-9][a-z0-9_-]*")  # ASCII: Grafana has had trouble with anything else


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and what this rig is called there. Names carry a pseudonym, never a person."""

    host: str
    port: int = 1883
    site: str = "site"
    rig: str = "rig"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    client_certificate_file: str | None = None
    client_key_file: str | None = None

    def __post_init__(self) -> None:
        for name in (self.site, self.rig):
            if not _LEVEL.fullmatch(name):
                raise ValueError(f"site or rig {name!r}: allowed: lower-case letters, digits, - and _")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port}: allowed: 1 to 65535")
        if (self.client_certificate_file is None) != (self.client_key_file is None):
            raise ValueError("client_certificate_file and client_key_file: allowed: both or neither")
        if self.client_certificate_file is not None and not self.tls:
            raise ValueError("client_certificate_file: allowed: only with tls")

    @property
    def prefix(self) -> str:
        return f"{ROOT}/{self.site}/{self.rig}"

    @property
    def address(self) -> str:
        """This rig at this broker, as its position in a recording is kept."""
        return f"{self.host.lower()}:{self.port}/{self.site}/{self.rig}"

    def tls_context(self) -> ssl.SSLContext | None:
        """How to check the broker and to show who we are. Raises OSError for files that do not serve."""
        if not self.tls:
            return None
        for file in (self.ca_file, self.client_certificate_file, self.client_key_file):
            if file is not None:
                Path(file).open("rb").close()  # ssl's own error does not name the file
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.client_certificate_file is not None:
            context.load_cert_chain(self.client_certificate_file, self.client_key_file)
        return context

    def client(self, will: aiomqtt.Will | None = None) -> Client:
        """A connection, not opened yet. Raises OSError for certificate files that do not serve."""
        return Client(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            tls_context=self.tls_context(),
            will=will,
        )


def level(name: str) -> str:
    """A name as one level of a topic: what parts levels or stands for many of them is replaced."""
    return re.sub(r"[#+/$\x00-\x1f\x7f]", "_", clean(name))[:LEVEL_MAX] or "_"


@dataclass(frozen=True, slots=True)
class _Event:
    topic: str
    payload: bytes
    seq: int | None


class MqttTelemetry:
    """The Telemetry port on an MQTT broker. Call it from the event loop that runs :meth:`run`.

    Without a description it speaks of a session past: the rig's retained state is not touched.
    """

    def __init__(
        self,
        settings: MqttSettings,
        description_json: bytes | None,
        jitter: random.Random,
        position: Position | None = None,
        queued_events_max: int = QUEUED_EVENTS_MAX,
    ) -> None:
        self._settings = settings
        self._position = position
        self._queued_events_max = queued_events_max
        self._jitter = jitter
        self._retained: dict[str, bytes] = {}
        if description_json is not None:
            self._retained[f"{settings.prefix}/$description"] = description_json
            self._retained[f"{settings.prefix}/$state"] = b"init"
        self._present = description_json is not None
        self._unsent = dict(self._retained)
        self._streams: dict[str, bytes] = {}
        self._events: deque[_Event] = deque()
        self._under_way: deque[_Event] = deque()
        self._wake = asyncio.Event()
        self._ending = False
        self._ended = asyncio.Event()
        self.dropped = 0
        self.connections = 0
        self._connected = False
        self._trouble: Trouble | None = None

    @property
    def trouble(self) -> str:
        """Why nothing gets out at the moment, in words for the user; empty when all is well."""
        return self._trouble.text if self._trouble else ""

    @property
    def link(self) -> BrokerLink:
        """How the connection is, and how much waits for it."""
        behind = len(self._events) + len(self._under_way)
        kind = self._trouble.kind if self._trouble else ""
        return BrokerLink(self._connected, behind, self.dropped, kind, self.trouble)

    def state(self, state: RigState) -> None:
        """The rig's state changed; retained."""
        self._retain(f"{self._settings.prefix}/$state", state.encode())

    def stream(self, name: str, values: Mapping[str, float | None]) -> None:
        """The present values of a named stream: one flat object, stamped with UTC milliseconds."""
        payload = msgspec.json.encode({"ts_ms": time.time_ns() / 1e6, **values})
        self._streams[f"{self._settings.prefix}/t/{name}"] = payload
        self._wake.set()

    def event(self, kind: str, payload_json: bytes, seq: int | None = None) -> None:
        """Something happened. ``seq`` is its number in the session; what the broker has is not sent again.

        A full queue drops its oldest event; the recording still has it, see ``dorsi mqtt forward``.
        """
        if seq is not None and self._position is not None and seq <= self._position.sent:
            return
        if len(self._events) >= self._queued_events_max:
            self._events.popleft()
            self.dropped += 1
            self._position = None  # it stays before the gap, so that forwarding begins there
        self._events.append(_Event(f"{self._settings.prefix}/event/{kind}", payload_json, seq))
        self._wake.set()

    def summary(self, session: str, payload_json: bytes) -> None:
        """What a finished session came to; retained."""
        self._retain(f"{self._settings.prefix}/session/{level(session)}/summary", payload_json)

    async def run(self) -> None:
        """Deliver until finished or cancelled, over as many connections as it takes."""
        backoff_s = BACKOFF_FIRST_S
        try:
            while True:
                try:
                    async with self._client() as client:
                        backoff_s = BACKOFF_FIRST_S
                        self.connections += 1
                        self._connected, self._trouble = True, None
                        self._unsent = dict(self._retained)
                        await self._deliver_while_connected(client)
                except (aiomqtt.MqttError, OSError) as error:
                    self._connected = False
                    self._trouble = explain(error, self._settings.host, self._settings.port)
                    if not self._ending:
                        await asyncio.sleep(backoff_s * self._jitter.uniform(0.5, 1.0))
                        backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
                if self._ending:
                    return
        finally:
            self._connected = False
            self._ended.set()

    async def finish(self, timeout_s: float) -> None:
        """Deliver what is queued, say ``disconnected`` and end, within ``timeout_s``."""
        self.state("disconnected")
        self._ending = True
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        self.dropped += len(self._events) + len(self._under_way)
        self._events.clear()

    def _client(self) -> Client:
        topic = f"{self._settings.prefix}/$state"
        return self._settings.client(
            aiomqtt.Will(topic, b"lost", qos=EVENT_QOS, retain=True) if self._present else None
        )

    def _retain(self, topic: str, payload: bytes) -> None:
        self._retained[topic] = payload
        self._unsent[topic] = payload
        self._wake.set()

    async def _deliver_while_connected(self, client: aiomqtt.Client) -> None:
        """Returns when all is delivered and the end was asked for; raises MqttError at once on a loss."""
        tasks = {asyncio.create_task(self._deliver(client)), asyncio.create_task(_until_lost(client))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _deliver(self, client: aiomqtt.Client) -> None:
        while True:
            self._wake.clear()
            while self._unsent:
                topic = next(iter(self._unsent))
                await client.publish(topic, self._unsent.pop(topic), qos=EVENT_QOS, retain=True)
            await self._deliver_streams(client)
            await self._deliver_events(client)
            if not self._wake.is_set() and not self._unsent:
                if self._ending:
                    return
                await self._wake.wait()

    async def _deliver_events(self, client: aiomqtt.Client) -> None:
        """Oldest first, several under way; those without an acknowledgement go back into the queue."""
        sendings: deque[asyncio.Task[None]] = deque()
        try:
            while sendings or (self._events and not self._unsent):
                # a change of state goes before the rest of a backlog
                while self._events and not self._unsent and len(sendings) < IN_FLIGHT_MAX:
                    self._under_way.append(self._events.popleft())
                    sendings.append(asyncio.create_task(self._send(client, self._under_way[-1])))
                await sendings[0]
                sendings.popleft()
                event = self._under_way.popleft()
                if self._position is not None and event.seq is not None:
                    self._position.advance(event.seq)
                await self._deliver_streams(client)
        finally:
            # before anything is awaited: the loss of the connection may be told twice, by error and by cancel
            self._events.extendleft(reversed(self._under_way))
            self._under_way.clear()
            for sending in sendings:
                sending.cancel()
            await asyncio.gather(*sendings, return_exceptions=True)

    async def _deliver_streams(self, client: aiomqtt.Client) -> None:
        while self._streams:
            topic, payload = self._streams.popitem()
            await client.publish(topic, payload, qos=STREAM_QOS)

    async def _send(self, client: aiomqtt.Client, event: _Event) -> None:
        await client.publish(event.topic, event.payload, qos=EVENT_QOS)


async def _until_lost(client: aiomqtt.Client) -> None:
    """The iterator over messages ends with an MqttError when the connection does; none are subscribed."""
    async for _ in client.messages:
        pass
