"""Telemetry over MQTT: the rig's state, live streams and events for dashboards; see engineering.md 5.

Promises never to make its caller wait and to come back by itself when the broker does. Refuses to keep more
than a bounded queue: the oldest event is dropped and counted, a stream keeps only its newest values.
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

import aiomqtt
import msgspec

from controller.telemetry.port import RigState

ROOT = "dorsi/1"
KEEPALIVE_S = 5  # a hung rig is shown as lost after 1.5 to 2.3 times this
QUEUED_EVENTS_MAX = 256  # a minute of walking
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 15.0
BROKER_ANSWER_S = 5.0
EVENT_QOS = 1
STREAM_QOS = 0
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

    def __post_init__(self) -> None:
        for name in (self.site, self.rig):
            if not _LEVEL.fullmatch(name):
                raise ValueError(f"site or rig {name!r}: allowed: lower-case letters, digits, - and _")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port}: allowed: 1 to 65535")

    @property
    def prefix(self) -> str:
        return f"{ROOT}/{self.site}/{self.rig}"


@dataclass(frozen=True, slots=True)
class _Event:
    topic: str
    payload: bytes


class MqttTelemetry:
    """The Telemetry port on an MQTT broker. Call it from the event loop that runs :meth:`run`."""

    def __init__(self, settings: MqttSettings, description_json: bytes, jitter: random.Random) -> None:
        self._settings = settings
        self._jitter = jitter
        self._retained: dict[str, bytes] = {
            f"{settings.prefix}/$description": description_json,
            f"{settings.prefix}/$state": b"init",
        }
        self._unsent = dict(self._retained)
        self._streams: dict[str, bytes] = {}
        self._events: deque[_Event] = deque()
        self._wake = asyncio.Event()
        self._ending = False
        self._ended = asyncio.Event()
        self.dropped = 0
        self.connections = 0

    def state(self, state: RigState) -> None:
        """The rig's state changed; retained."""
        self._retain(f"{self._settings.prefix}/$state", state.encode())

    def stream(self, name: str, values: Mapping[str, float | None]) -> None:
        """The present values of a named stream: one flat object, stamped with UTC milliseconds."""
        payload = msgspec.json.encode({"ts_ms": time.time_ns() / 1e6, **values})
        self._streams[f"{self._settings.prefix}/t/{name}"] = payload
        self._wake.set()

    def event(self, kind: str, payload_json: bytes) -> None:
        """Something happened; delivered at least once, unless the queue overflows."""
        if len(self._events) >= QUEUED_EVENTS_MAX:
            self._events.popleft()
            self.dropped += 1
        self._events.append(_Event(f"{self._settings.prefix}/event/{kind}", payload_json))
        self._wake.set()

    def summary(self, session: str, payload_json: bytes) -> None:
        """What a finished session came to; retained."""
        self._retain(f"{self._settings.prefix}/session/{session}/summary", payload_json)

    async def run(self) -> None:
        """Deliver until finished or cancelled, over as many connections as it takes."""
        backoff_s = BACKOFF_FIRST_S
        try:
            while True:
                try:
                    async with self._client() as client:
                        backoff_s = BACKOFF_FIRST_S
                        self.connections += 1
                        self._unsent = dict(self._retained)
                        await self._deliver_while_connected(client)
                except (aiomqtt.MqttError, OSError):
                    if not self._ending:
                        await asyncio.sleep(backoff_s * self._jitter.uniform(0.5, 1.0))
                        backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
                if self._ending:
                    return
        finally:
            self._ended.set()

    async def finish(self, timeout_s: float) -> None:
        """Deliver what is queued, say ``disconnected`` and end, within ``timeout_s``."""
        self.state("disconnected")
        self._ending = True
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), timeout_s)
        self.dropped += len(self._events)
        self._events.clear()

    def _client(self) -> aiomqtt.Client:
        settings = self._settings
        return aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            tls_context=ssl.create_default_context(cafile=settings.ca_file) if settings.tls else None,
            will=aiomqtt.Will(f"{settings.prefix}/$state", b"lost", qos=EVENT_QOS, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=BROKER_ANSWER_S,
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
            while self._events:
                event = self._events[0]
                await client.publish(event.topic, event.payload, qos=EVENT_QOS)
                if self._events and self._events[0] is event:  # not dropped while we waited
                    self._events.popleft()
            while self._streams:
                topic, payload = self._streams.popitem()
                await client.publish(topic, payload, qos=STREAM_QOS)
            if not self._wake.is_set():
                if self._ending:
                    return
                await self._wake.wait()


async def _until_lost(client: aiomqtt.Client) -> None:
    """The iterator over messages ends with an MqttError when the connection does; none are subscribed."""
    async for _ in client.messages:
        pass
