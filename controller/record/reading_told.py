"""How far a recording is read, told to a person who waits for what is made of it.

Whatever reads recordings within :func:`reading_told` tells by itself; nothing between them hands it on. A
recording that is read more than once begins at 0 % again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import IO

Tell = Callable[[int], None]  # per cent of the file, each once in a reading

_TELL: ContextVar[Tell | None] = ContextVar("tell", default=None)


@contextlib.contextmanager
def reading_told(tell: Tell) -> Iterator[None]:
    """Have ``tell`` called at each further per cent that is read."""
    before = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(before)


class Reading:
    """One reading of an open file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._tell = _TELL.get()
        self._bytes = max(1, os.fstat(stream.fileno()).st_size) if self._tell else 1
        self._percent = 0  # a look at a recording's beginning is not told

    def ended(self) -> None:
        """What follows is index and summary."""
        self.reached(self._bytes)

    def reached(self, position_bytes: int) -> None:
        percent = min(100, 100 * position_bytes // self._bytes)
        if self._tell is not None and percent > self._percent:
            self._percent = percent
            self._tell(percent)
