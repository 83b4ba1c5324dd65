"""A missed tick is skipped and counted, never caught up; deadlines lie on one grid."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from controller.runtime.ticker import Ticker

PERIOD_NS = 5_000_000


def run_ticker(block_at: int | None, block_s: float, ticks: int) -> tuple[Ticker, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []

    async def main() -> Ticker:
        done = asyncio.Event()

        def on_tick(number: int, deadline_ns: int) -> None:
            seen.append((number, deadline_ns))
            if len(seen) == block_at:
                time.sleep(block_s)
            if len(seen) >= ticks:
                done.set()

        ticker = Ticker(PERIOD_NS, on_tick)
        ticker.start()
        await done.wait()
        ticker.stop()
        return ticker

    return asyncio.run(main()), seen


def test_deadlines_lie_on_one_grid_and_numbers_only_grow() -> None:
    _, seen = run_ticker(None, 0.0, 30)
    first_number, first_ns = seen[0]
    assert all(deadline - first_ns == (number - first_number) * PERIOD_NS for number, deadline in seen)
    assert all(after > before for (before, _), (after, _) in pairwise(seen))


@pytest.mark.parametrize("block_s", [0.023, 0.052])
def test_a_blocked_loop_skips_and_counts_its_ticks(block_s: float) -> None:
    ticker, seen = run_ticker(3, block_s, 12)
    skipped = sum(after - before - 1 for (before, _), (after, _) in pairwise(seen))
    assert skipped >= int(block_s * 1e9) // PERIOD_NS - 1
    assert ticker.missed >= skipped


def test_no_tick_comes_before_its_deadline() -> None:
    early: list[int] = []

    async def main() -> None:
        done = asyncio.Event()

        def on_tick(number: int, deadline_ns: int) -> None:
            if time.monotonic_ns() < deadline_ns:
                early.append(number)
            if number >= 40:
                done.set()

        ticker = Ticker(PERIOD_NS, on_tick)
        ticker.start()
        await done.wait()
        ticker.stop()

    asyncio.run(main())
    assert early == []
