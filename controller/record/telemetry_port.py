"""What telemetry promises to the recorder: to take a value at once and never to make anybody wait.

Nothing that decides depends on it; what it cannot deliver it drops, oldest first, and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

RigState = Literal["init", "ready", "active", "tripped", "disconnected"]
Scope = Literal["machine", "link", "site"]  # how far LSL streams are told


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """How the way out is. ``behind`` is the number of events not delivered yet, all of them recorded.

    ``kind`` and ``why`` say what is wrong where there is no connection, for words of one's own and in ours.
    """

    connected: bool
    behind: int
    dropped: int = 0  # of them, left to ``dorsi mqtt forward``
    kind: str = ""
    why: str = ""


class Outlets(Protocol):
    """Streams for recorders of other makes, from the records as they pass. No call blocks, none raises."""

    def take(self, topic: str, payload: bytes) -> None:
        """One record."""
        ...


class Listener(Protocol):
    """Streams of recorders of other makes, into the recording. No call blocks, none raises."""

    def listen(self, keep: Callable[[str, int, bytes], None]) -> None:
        """From now on each thing heard goes to ``keep``: topic, time, payload."""
        ...

    async def close(self) -> None: ...


class Telemetry(Protocol):
    """A way to tell the world outside the rig. No call blocks, none raises."""

    @property
    def link(self) -> BrokerLink:
        """How the way out is at the moment."""
        ...

    def state(self, state: RigState) -> None:
        """The rig's state changed."""
        ...

    def stream(self, name: str, values: Mapping[str, float | None]) -> None:
        """The present values of a named stream; replaces what was not sent yet."""
        ...

    def event(self, kind: str, payload_json: bytes, seq: int | None = None) -> None:
        """Something happened; ``seq`` is its number in the session."""
        ...

    def summary(self, session: str, payload_json: bytes) -> None:
        """What a finished session came to."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled."""
        ...

    async def finish(self, timeout_s: float) -> None:
        """Deliver what is queued, say ``disconnected`` and end."""
        ...
