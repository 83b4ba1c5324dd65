"""What the controller process runs: one therapy, whichever it is, behind the same few calls."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from controller.core.signals import Decision, TickInputs
from controller.record.records import Record


class Said(NamedTuple):
    """What a therapy wants recorded: by topic, in order."""

    topic: str
    record: Record


class Therapy(Protocol):
    """A core with what people ask of it and what the guard says to it; all decisions are the core's."""

    @property
    def params(self) -> object:
        """The core's numbers as they are now, for the recording."""

    @property
    def tick_s(self) -> float: ...

    def open(self) -> None:
        """Begin to listen to consoles."""

    def close(self) -> None: ...

    def before(self, now_ns: int) -> list[Said]:
        """What takes effect with this tick and is recorded ahead of it (F18)."""

    def wishes(self, received: TickInputs) -> TickInputs:
        """What was received, with what people and schedule ask for at this tick."""

    def step(self, now_ns: int, inputs: TickInputs) -> Decision: ...

    def after(self, now_ns: int, decision: Decision) -> list[Said]:
        """What follows from the tick."""

    @property
    def over(self) -> bool:
        """Whether all is done that was planned."""

    def hear_verdict(self, state: str) -> None:
        """The guard's state, with each of its verdicts."""

    def hear_guard(self, word: dict[str, object]) -> None:
        """A word of the guard: its state, or a lower ceiling."""

    def ended(self, now_ns: int) -> list[Said]:
        """What is recorded as the session ends."""
