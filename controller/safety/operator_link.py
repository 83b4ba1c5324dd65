"""Who is connected to the guard, what operators ask of it, and what they are told."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from controller.ipc import bus
from controller.safety.guard_journal import Payload, limits_in_force, packed, unpacked
from controller.safety.judgement import on_time
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import (
    Checklist,
    Happening,
    Peer,
    Reaction,
    Request,
    Scope,
    Tighten,
)
from controller.safety.judgement.requests import refusals, unlock_stage
from controller.safety.kept_state import utc_now

if TYPE_CHECKING:
    from controller.safety.guard import Guard

BATCH = 64  # messages taken from one peer before STOP is looked for again: about 10 ms of work
OPS = ("arm", "unlock", "disarm", "stop", "acknowledge", "heartbeat", "watch")
NAME_MAX = 80  # characters of who asked for something

Role = Literal["", "controller", "operator"]


@dataclass(slots=True)
class Connection:
    """A process at the other end; without a role until it has said hello."""

    sock: socket.socket
    sender: bus.Sender
    role: Role = ""
    name: str = ""


class OperatorLink:
    """The guard's socket and everybody at it: operators, one controller, and who has not said hello yet."""

    def __init__(self, rig: Path, poller: select.poll, guard: Guard) -> None:
        self._poller = poller
        self._guard = guard
        self._server = bus.listen(rig, "guard")
        self._poller.register(self._server, select.POLLIN)
        self._connections: dict[int, Connection] = {}

    def hear(self, ready: Collection[int]) -> None:
        if self._server.fileno() in ready:
            self._accept()
        for role in ("operator", "", "controller"):  # STOP before anything that may be queued
            for fd, connection in list(self._connections.items()):
                if fd in ready and connection.role == role:
                    self._drain(connection)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # gone again already, or no descriptor left: a later round tries
            sock, _ = self._server.accept()
            sock.setblocking(False)
            self._connections[sock.fileno()] = Connection(sock, bus.Sender(sock))
            self._poller.register(sock, select.POLLIN)

    def _drain(self, connection: Connection) -> None:
        for _ in range(BATCH):
            data = bus.receive(connection.sock)
            if data is None:
                self._forget(connection)
                return
            if not data:
                return
            if connection.role != "controller":
                self._hear_operator(connection, data)
                if connection.sock.fileno() < 0:
                    return
            elif (verdict := self._guard.hear_controller(data)) is not None:
                connection.sender.send(verdict)

    def _forget(self, connection: Connection) -> None:
        self._poller.unregister(connection.sock)
        del self._connections[connection.sock.fileno()]
        connection.sender.close()
        if connection.role:
            self._guard.feed(Peer(connection.role, False))

    def close(self) -> None:
        self._server.close()
        for connection in self._connections.values():
            connection.sender.close()

    # --- what they ask ---

    def _hear_operator(self, connection: Connection, data: bytes) -> None:
        message = unpacked(data)
        op = message.get("op")
        by = str(message.get("by", connection.name or "operator"))[:NAME_MAX]
        if op == "stop":  # also from a process that has not said who it is
            self._guard.feed(Request("stop", by))
            self._answer(connection, "stop")
        elif not connection.role:
            self._hello(connection, message)
        elif op == "beat":  # not answered: the supervisor only wants to be heard
            self._guard.feed(Request("beat", by))
        elif op == "screen":
            self._guard.feed(Request("screen", by, _screen(message)))
            self._answer(connection, op, screen=_screen(message))
        elif op == "checklist":
            self._answer_whether(connection, op, Checklist(message.get("answers"), by, utc_now()))
        elif op == "tighten":
            self._answer_whether(connection, op, Tighten(message.get("current_max_ma"), by))
        elif op == "state":
            self._answer(connection, "state")
        elif isinstance(op, str) and op in OPS:
            self._request(connection, op, by, message)
        else:
            text = f"known requests: {', '.join(OPS)}, beat, checklist, tighten, state"
            self._answer(connection, str(op), ok=False, text=text)

    def _request(self, connection: Connection, op: str, by: str, message: Payload) -> None:
        wish = cast(Literal["arm", "unlock", "disarm", "acknowledge", "heartbeat", "watch"], op)
        scope = message.get("scope", "walk")
        if scope not in get_args(Scope):
            text = f"scope: found {str(scope)[:NAME_MAX]!r}, allowed: {', '.join(get_args(Scope))}"
            self._answer(connection, op, ok=False, text=text)
            return
        before = stage_of(self._guard)
        reaction = self._guard.feed(Request(wish, by, _screen(message), cast(Scope, scope)))
        watched = any(note.kind == "watch" for note in reaction.notes)
        ok = op == "heartbeat" or stage_of(self._guard) != before or watched
        self._answer(connection, op, ok=ok, text=words(reaction))

    def _answer_whether(self, connection: Connection, op: str, happening: Happening) -> None:
        reaction = self._guard.feed(happening)
        ok = all(note.kind != "refused" for note in reaction.notes)
        self._answer(connection, op, ok=ok, text=words(reaction))

    def _hello(self, connection: Connection, message: Payload) -> None:
        role = message.get("role")
        taken = any(other.role == "controller" for other in self._connections.values())
        if role == "operator" or (role == "controller" and not taken):
            connection.role = "operator" if role == "operator" else "controller"
            connection.name = str(message.get("name", role))[:NAME_MAX]
            self._guard.feed(Peer(connection.role, True))
            self._push(connection)
            return
        text = "there is a controller already" if role == "controller" else "say your role first"
        connection.sender.send(packed({"error": text}))
        self._forget(connection)

    # --- what they are told ---

    def tell_controller(self, message: bytes) -> None:
        """Now or never: what its socket does not take is dropped."""
        for connection in self._connections.values():
            if connection.role == "controller":
                connection.sender.send(message)

    def push_all(self, text: str, by: str = "") -> None:
        for connection in self._connections.values():
            if connection.role:
                self._push(connection, text, by)

    def _push(self, connection: Connection, text: str = "", by: str = "") -> None:
        message = self._state(text) | {
            "measured": self._guard.measured,
            "current_max_ma": self._guard.setup_now.rules.effective.limits.current_max_ma,
            "by": by,
        }
        connection.sender.send(packed(message))

    def _answer(
        self, connection: Connection, op: str, *, ok: bool = True, text: str = "", screen: str = ""
    ) -> None:
        guard = self._guard
        answer = {"reply": op, "ok": ok} | self._state(text)
        if op == "screen":
            answer |= self._watched(screen)
        if op == "state":
            why = refusals(guard.now_ns(), guard.setup_now, guard.known)
            answer["refusals"] = [{"code": one.code, "name": one.name, "left_s": one.left_s} for one in why]
            answer["limits"] = limits_in_force(guard.setup_now)
            clocks = zip(on_time.SPANS, guard.known.clocks, strict=True)
            answer["on_s"] = {span.name: on_time.used_s(guard.now_ns(), clock) for span, clock in clocks}
            answer["checklist"] = guard.known.checklist
        connection.sender.send(packed(answer))

    def _state(self, text: str) -> Payload:
        known = self._guard.known
        unlock = unlock_stage(self._guard.setup_now, known)
        return {
            "state": known.state.stage.value,
            "fault": known.state.fault,
            "unlocked": known.unlock.full,
            "unlock": None if unlock is None else asdict(unlock),
            "scope": known.scope,
            "text": text or known.state.detail,
        }

    def _watched(self, screen: str) -> Payload:
        """Which screen has to be heard, as the one called ``screen`` sees it, and how long it was not."""
        armed = self._guard.known.screen
        if armed is None or not self._guard.known.state.may_pulse:
            return {"watch": "nobody", "silent_ms": None}
        silent_ms = (self._guard.now_ns() - armed.beat_ns) // MS
        return {"watch": "mine" if armed.name == screen else "other", "silent_ms": silent_ms}


def stage_of(guard: Guard) -> tuple[object, ...]:
    """What operators are told anew whenever it changes."""
    known = guard.known
    return known.state, known.unlock, known.scope, guard.setup_now


def words(reaction: Reaction) -> str:
    return " ".join(note.text for note in reaction.notes)


def _screen(message: Payload) -> str:
    """The name of the screen it comes from; empty only where it comes from none."""
    name = message.get("screen")
    return "" if name is None else str(name)[:NAME_MAX] or "without a name"  # no screen beats so: gone soon
