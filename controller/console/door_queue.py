"""Who waits at the console's door: how many in all and of one address, and whom a new one displaces.

A new connection is always let in, as it may be STOP. Where it is one too many, the oldest that has not said
what it wants goes, then the oldest that has shown no token; a browser that is logged in goes last of all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

MOST = 256  # two descriptors each, under the 1024 that a process has
MOST_OF_ADDRESS = 128  # a browser opens six for pages, and one socket a page


class Rank(IntEnum):
    """What a visitor has shown; the lowest goes first."""

    SILENT = 0  # no whole request yet
    SPEAKING = 1  # a request without the token
    KNOWN = 2  # a request with it


@dataclass(slots=True, eq=False)
class Visitor:
    """One connection; ``address`` is its host."""

    address: str
    rank: Rank = Rank.SILENT


class Lobby:
    """The visitors in the order of their coming."""

    def __init__(self, most: int = MOST, most_of_address: int = MOST_OF_ADDRESS) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._visitors: dict[Visitor, None] = {}
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._visitors)

    def enter(self, visitor: Visitor) -> Visitor | None:
        """Let ``visitor`` in; returns whoever has to go for it, and is out already."""
        leaving: Visitor | None = None
        if self._of_address[visitor.address] >= self._most_of_address:
            leaving = self._first([one for one in self._visitors if one.address == visitor.address])
        elif len(self._visitors) >= self._most:
            leaving = self._first(list(self._visitors))
        if leaving is not None:
            self.leave(leaving)
        self._visitors[visitor] = None
        self._of_address[visitor.address] += 1
        return leaving

    def leave(self, visitor: Visitor) -> None:
        """Idempotent."""
        if visitor in self._visitors:
            del self._visitors[visitor]
            self._of_address[visitor.address] -= 1
            if not self._of_address[visitor.address]:
                del self._of_address[visitor.address]

    def _first(self, among: list[Visitor]) -> Visitor:
        """The lowest rank; of these the address that has most here; of these the oldest."""
        return min(among, key=lambda one: (one.rank, -self._of_address[one.address]))
