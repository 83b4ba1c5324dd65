"""The recorder process: takes records from the rig's other processes, writes them, shows them live.

Promises that a record it has read survives its own death, and that a full disk is told to everybody and
stops nothing. Refuses to outlive its rig.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from setproctitle import setproctitle

from controller.analysis.exercise import ExerciseSummary, is_exercise, summarise_exercise
from controller.analysis.summary import Summary, summarise
from controller.errors import InputError
from controller.ipc import bus, process
from controller.record.live import Live, LiveStatus
from controller.record.numbered_events import Teller, Told
from controller.record.payload_check import sound
from controller.record.records import Clock, Process, encode
from controller.record.session_writer import SessionWriter
from controller.record.telemetry_port import Listener, Outlets, RigState, Telemetry
from controller.record.wall_clock import clock_due, clock_now
from controller.runtime.session_head import read_session
from controller.telemetry import lsl_streams
from controller.telemetry.broker_position import Position
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from controller.telemetry.streams import LIVE_PERIOD_S, description, idle_programme, streams

BATCH_MESSAGES = 256  # read from one peer before the others get their turn
GATHER_S = 0.004  # less than a tick: half of the work is waking up
SYNC_PERIOD_S = 1.0  # what the machine's death may cost
PACK_LOOK_S = 0.5
CLOCK_LOOK_S = 0.05  # a wall clock that is set and set back is seen both times
PEERS_CLOSE_S = 2.0  # how long the end waits for the other processes to close
TELEMETRY_CLOSE_S = 2.0  # how long the end waits for the broker
FINISH_TOPIC = "finish"
EXIT_NOT_RECORDED = 3
PEER_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid

TIME_END_NS = 2**63
TOPIC_SHOWN = 40  # characters of one that nobody knows

RIG_STATES: dict[str, RigState] = {"active": "active", "ramp": "active", "tripped": "tripped"}


@dataclass(frozen=True, slots=True)
class _Peer:
    sock: socket.socket
    sender: bus.Sender
    process: str
    pid: int


class Recorder:
    """Takes records until told to finish; see the module's promise."""

    def __init__(
        self,
        rig: Path,
        out: Path,
        session: dict[str, str],
        telemetry: Telemetry | None,
        outlets: Outlets | None = None,
        *,
        listener: Listener | None = None,
    ) -> None:
        self._rig = rig
        self._out = out
        self._session = session
        self._telemetry = telemetry
        self._outlets = outlets
        self._listener = listener
        self._live = Live()
        self._failure = ""
        self._writer: SessionWriter | None = None
        self._peers: dict[int, _Peer] = {}
        self._subscribers: dict[int, bus.Sender] = {}
        self._finish = asyncio.Event()
        self._peers_gone = asyncio.Event()
        self._programme = idle_programme(session.get("core_params", ""))
        self._teller = Teller(session.get("session", out.stem), session.get("mode", ""))
        self._undelivered = 0
        self._trouble = ""
        self._rig_state: RigState = "init"
        try:
            self._writer = SessionWriter(out, session)
        except OSError as error:
            self._fail(f"{out}: {error.strerror}")

    async def run(self) -> int:
        """Record until the rig is finished. Returns the process' exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._finish.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor ends the rig, in order
        servers = (bus.listen(self._rig, "recorder"), bus.listen(self._rig, "live"))
        loop.add_reader(servers[0].fileno(), self._accept_peer, servers[0])
        loop.add_reader(servers[1].fileno(), self._accept_subscriber, servers[1])
        tasks = [
            self._begin(self._watch_clocks(), "clock"),
            self._begin(self._every_second(), "sync"),
            self._begin(self._pack(), "pack"),
            self._begin(self._show(), "live"),
        ]
        if self._listener is not None:
            self._listener.listen(self._add)
        telemetry = self._begin(self._telemetry.run(), "telemetry") if self._telemetry else None
        await self._finish.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PEERS_CLOSE_S):
                if self._peers:
                    await self._peers_gone.wait()
        for server in servers:
            loop.remove_reader(server.fileno())
            server.close()
        for peer in tuple(self._peers.values()):
            self._read(peer)
            self._drop(peer)
        for task in tasks:
            task.cancel()
        if self._listener is not None:
            await self._listener.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(self._close, writer)
        if self._telemetry is not None and telemetry is not None:
            await self._end_telemetry(self._telemetry, telemetry)
        for sender in self._subscribers.values():
            sender.close()
        for name in ("recorder", "live"):
            (self._rig / f"{name}.sock").unlink(missing_ok=True)
        return EXIT_NOT_RECORDED if self._failure else 0

    # Any: what a coroutine exchanges with the event loop
    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that dies is noticed in the recording; the others go on."""
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"{task.get_name()}: {type(error).__name__}: {error}"
            self._note(Process(time.monotonic_ns(), "recorder", os.getpid(), "failed", text))

    def _accept_peer(self, server: socket.socket) -> None:
        sock, _ = server.accept()
        sock.setblocking(False)
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
        pid = PEER_CREDENTIALS.unpack(raw)[0]
        peer = _Peer(sock, bus.Sender(sock), process.name_of(pid), pid)
        self._peers[sock.fileno()] = peer
        self._peers_gone.clear()
        asyncio.get_running_loop().add_reader(sock.fileno(), self._gather, peer)
        self._note(Process(time.monotonic_ns(), peer.process, pid, "connected"))
        if self._failure:
            peer.sender.send(self._failure_message())

    def _accept_subscriber(self, server: socket.socket) -> None:
        sock, _ = server.accept()
        sock.setblocking(False)
        self._subscribers[sock.fileno()] = bus.Sender(sock)

    def _gather(self, peer: _Peer) -> None:
        """What comes within a few milliseconds is read and written together."""
        asyncio.get_running_loop().remove_reader(peer.sock.fileno())
        asyncio.get_running_loop().call_later(GATHER_S, self._read, peer)

    def _read(self, peer: _Peer) -> None:
        if peer.sock.fileno() < 0:  # dropped in the meantime
            return
        for _ in range(BATCH_MESSAGES):
            message = bus.receive(peer.sock)
            if message is None:
                self._drop(peer)
            if not message:
                break
            self._take(peer, message)
        self._flush()
        if peer.sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(peer.sock.fileno(), self._gather, peer)

    def _take(self, peer: _Peer, message: bytes) -> None:
        try:
            topic, t_ns, payload = bus.unpack_record(message)
        except ValueError:
            text = f"sent {len(message)} bytes that are no record; left out"
            self._note(Process(time.monotonic_ns(), peer.process, peer.pid, "malformed", text))
            return
        if topic == FINISH_TOPIC:
            self._finish.set()
            return
        whole = sound(payload)
        if whole is None or not 0 <= t_ns < TIME_END_NS:
            text = f"sent {len(message)} bytes under {topic[:TOPIC_SHOWN]!r} that no reader takes; left out"
            self._note(Process(time.monotonic_ns(), peer.process, peer.pid, "malformed", text))
            return
        self._add(topic, t_ns, whole)

    def _add(self, topic: str, t_ns: int, payload: bytes) -> None:
        if self._writer is not None:
            self._writer.add(topic, t_ns, payload)
        self._live.take(topic, payload)
        if self._outlets is not None:
            self._outlets.take(topic, payload)
        if self._telemetry is not None:
            self._tell(self._teller.take(topic, payload))

    def _tell(self, events: tuple[Told, ...]) -> None:
        for event in events:
            if self._telemetry is not None:
                self._telemetry.event(event.kind, event.payload_json, event.seq)

    def _note(self, record: Process | Clock) -> None:
        topic, t_ns = (
            ("clock", record.monotonic_ns) if isinstance(record, Clock) else ("process", record.t_ns)
        )
        self._add(topic, t_ns, encode(record))

    def _flush(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.flush()
        except OSError as error:
            self._fail(f"{self._out}: {error.strerror}")

    def _drop(self, peer: _Peer) -> None:
        if self._peers.pop(peer.sock.fileno(), None) is None:
            return
        asyncio.get_running_loop().remove_reader(peer.sock.fileno())
        peer.sender.close()
        self._note(Process(time.monotonic_ns(), peer.process, peer.pid, "gone"))
        if not self._peers:
            self._peers_gone.set()

    def _fail(self, reason: str) -> None:
        """Stop writing for good and tell everybody; the file keeps what was flushed."""
        self._failure = reason
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for peer in self._peers.values():
            peer.sender.send(self._failure_message())
        if self._telemetry is not None:
            why = self._failure.rpartition(": ")[2]  # without the path: it may say whose it is
            self._telemetry.event("recorder", msgspec.json.encode({"recorder": "failed", "reason": why}))

    def _failure_message(self) -> bytes:
        return msgspec.json.encode({"recorder": "failed", "reason": self._failure})

    async def _watch_clocks(self) -> None:
        """The clocks' pair once a second, and at once when the wall clock was set."""
        noted: Clock | None = None
        while True:
            clock = clock_now()
            if noted is None or clock_due(noted, clock):
                self._note(clock)
                self._flush()
                noted = clock
            await asyncio.sleep(CLOCK_LOOK_S)

    async def _every_second(self) -> None:
        parent = os.getppid()
        while True:
            self._note_undelivered()
            self._flush()
            if os.getppid() != parent and not self._peers:
                self._finish.set()  # the supervisor is dead and so is the rig
            if self._writer is not None:
                try:
                    await asyncio.to_thread(self._writer.sync)
                except OSError as error:
                    self._fail(f"{self._out}: {error.strerror}")
            await asyncio.sleep(SYNC_PERIOD_S)

    async def _pack(self) -> None:
        """At this process' priority: a lower one would keep the interpreter from the records."""
        while True:
            await asyncio.sleep(PACK_LOOK_S)
            try:
                if self._writer is not None and self._writer.turn():
                    await asyncio.to_thread(self._writer.pack)
            except OSError as error:
                self._fail(f"{self._out}: {error.strerror}")

    def _note_undelivered(self) -> None:
        if self._telemetry is None:
            return
        link = self._telemetry.link
        if link.why != self._trouble:
            self._trouble = link.why
            said = self._trouble or "the MQTT broker is back"
            self._note(Process(time.monotonic_ns(), "recorder", os.getpid(), "telemetry", said))
        if link.dropped == self._undelivered:
            return
        self._undelivered = link.dropped
        text = f"{self._undelivered} events undelivered so far"
        self._note(Process(time.monotonic_ns(), "recorder", os.getpid(), "telemetry", text))

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(LIVE_PERIOD_S)
            link = self._telemetry.link if self._telemetry else None
            status = self._live.status(time.monotonic_ns(), self._failure or "ok", link)
            message = msgspec.json.encode(status)
            for fileno, sender in tuple(self._subscribers.items()):
                sender.send(message)
                if sender.gone:
                    sender.close()
                    del self._subscribers[fileno]
            if self._telemetry is not None:
                self._publish(self._telemetry, status)

    def _publish(self, telemetry: Telemetry, status: LiveStatus) -> None:
        state: RigState = RIG_STATES.get(status.guard_state.lower(), "ready")
        if state != self._rig_state:
            self._rig_state = state
            telemetry.state(state)
        if status.exercise is None:  # before its first tick: no gait's streams either
            status = replace(status, exercise=self._programme)
        for name, values in streams(status).items():
            telemetry.stream(name, values)

    def _close(self, writer: SessionWriter) -> None:
        process.go_ordinary()  # this thread alone
        try:
            writer.finish()
        except OSError as error:
            self._failure = self._failure or f"{self._out}: {error.strerror}"
        finally:
            writer.close()

    async def _end_telemetry(self, telemetry: Telemetry, task: asyncio.Task[None]) -> None:
        self._tell(self._teller.end())
        with contextlib.suppress(InputError):
            summary = await asyncio.to_thread(_summarise, self._out)
            telemetry.summary(self._session.get("session", self._out.stem), msgspec.json.encode(summary))
        await telemetry.finish(TELEMETRY_CLOSE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _summarise(recording: Path) -> Summary | ExerciseSummary:
    process.go_ordinary()
    return summarise_exercise(recording) if is_exercise(recording) else summarise(recording)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recorder of one rig; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m controller.runtime.recorder", description=__doc__)
    parser.add_argument("--rig", type=Path, required=True, help="folder of the rig's sockets")
    parser.add_argument("--out", type=Path, required=True, help="the recording to write (MCAP)")
    parser.add_argument("--header", type=Path, required=True, help="session facts for its start (JSON)")
    parser.add_argument("--mqtt", type=Path, help="broker settings (JSON); without it nothing is published")
    parser.add_argument("--lsl", choices=("machine", "link", "site"), help="how far to tell LSL streams")
    parser.add_argument("--lsl-marker", action="append", default=[], help="an LSL stream of texts to record")
    parser.add_argument("--lsl-shown", action="append", default=[], help="an LSL stream of numbers to record")
    parser.add_argument("--name", default="rig", help="the rig, as LSL streams are called after it")
    options = parser.parse_args(arguments)
    setproctitle("dorsi-recorder")
    process.go_real_time(process.RECORDER_PRIORITY)
    session = read_session(options.header)
    settings = msgspec.json.decode(options.mqtt.read_bytes(), type=MqttSettings) if options.mqtt else None
    outlets = lsl_streams.outlets(options.name, session, options.lsl) if options.lsl else None
    listener = lsl_streams.listener(options.lsl_marker, options.lsl_shown)
    return asyncio.run(_record(options.rig, options.out, session, settings, outlets, listener=listener))


async def _record(
    rig: Path,
    out: Path,
    session: dict[str, str],
    settings: MqttSettings | None,
    outlets: Outlets | None,
    *,
    listener: Listener | None,
) -> int:
    telemetry: Telemetry | None = None
    if settings is not None:
        position = Position.beside(out, session, settings.address)
        telemetry = MqttTelemetry(settings, description(session), random.Random(), position)
    return await Recorder(rig, out, session, telemetry, outlets, listener=listener).run()


if __name__ == "__main__":
    raise SystemExit(main())
