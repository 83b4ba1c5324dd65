"""An event loop in which waiting takes no time: minutes of radio and back-off in some seconds.

Sockets are real; only where nothing is ready does the clock go on to the next timer. ``time.monotonic`` and
``time.monotonic_ns`` follow it while the loop runs, so that drivers that read them live in the same time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
IDLE_S = 5.0  # nothing is due and nothing comes for so long of real time: it will never go on


class _Selector(selectors.DefaultSelector):
    def __init__(self, now_ns: list[int]) -> None:
        super().__init__()
        self._now_ns = now_ns

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(IDLE_S)
            if not ready:
                raise RuntimeError("everybody waits for ever")
            return ready
        self._now_ns[0] += max(round(timeout * 1e9), 1)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """``now_ns`` is a list of one number: its clock."""

    def __init__(self, now_ns: list[int]) -> None:
        self._now_ns = now_ns
        super().__init__(_Selector(now_ns))

    def time(self) -> float:
        return self._now_ns[0] / 1e9


def run(monkeypatch: pytest.MonkeyPatch, work: Coroutine[Any, Any, T]) -> T:  # Any: as asyncio.run has it
    """As ``asyncio.run``, in virtual time."""
    now_ns = [10**12]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(time, "monotonic", lambda: now_ns[0] / 1e9)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(now_ns)) as runner:
        return runner.run(work)
