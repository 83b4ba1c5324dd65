"""A missed tick is skipped and counted, never caught up; deadlines lie on one grid."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.runtime.ticker import Ticker, wait_ns
from controller.safety.judgement.wire import FRAME_GAP_MIN_NS

pytestmark = pytest.mark.real_time

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


async def test_no_tick_comes_before_its_deadline() -> None:
    early: list[int] = []

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
    assert early == []


@pytest.mark.parametrize(
    ("since_us", "until_us", "left_us"),
    [
        (1000, 1000, 0),  # far enough from the last step and from the next deadline
        (5000, 999, None),  # the deadline takes the samples along
        (999, 1001, 1),
        (999, 1000, None),  # after the wait the deadline would be too near
        (0, 2000, 1000),
        (4000, -300, None),  # the deadline is late: it comes at once
    ],
)
def test_samples_wait_for_a_step_of_their_own_or_for_the_deadline(
    since_us: int, until_us: int, left_us: int | None
) -> None:
    now_ns = 10**12
    left_ns = wait_ns(now_ns, now_ns - since_us * 1000, now_ns + until_us * 1000)
    assert left_ns == (None if left_us is None else left_us * 1000)


@settings(deadline=None)
@given(
    st.lists(st.integers(1_000, 9_000_000), max_size=60),  # ns from arrival to arrival
    st.lists(st.integers(0, 4_900_000), min_size=60, max_size=60),  # ns by which each deadline is late
)
def test_no_two_steps_are_closer_than_the_guard_allows_and_no_sample_waits_beyond_its_deadline(
    gaps_ns: list[int], late_ns: list[int]
) -> None:
    events = [(n * PERIOD_NS + late, "deadline", n * PERIOD_NS) for n, late in enumerate(late_ns, 1)]
    at_ns = 0
    for gap_ns in gaps_ns:
        at_ns += gap_ns
        events.append((at_ns, "arrival", at_ns))
    steps, stepped_ns, waiting = [], -FRAME_GAP_MIN_NS, []
    end_ns = 59 * PERIOD_NS
    while events:
        events.sort()
        now_ns, kind, since_ns = events.pop(0)
        served = max((n for n, late in enumerate(late_ns, 1) if n * PERIOD_NS + late <= now_ns), default=0)
        if kind == "arrival" and since_ns not in waiting:
            waiting.append(since_ns)
        next_ns = (served + 1) * PERIOD_NS if kind == "arrival" else None
        left_ns = wait_ns(now_ns, stepped_ns, next_ns)
        if left_ns:
            events.append((now_ns + left_ns, kind, since_ns))
        elif left_ns == 0 and (kind == "deadline" or waiting):
            steps.append(now_ns)
            assert all(now_ns - arrived_ns <= PERIOD_NS + 5_000_000 for arrived_ns in waiting)
            stepped_ns, waiting = now_ns, []
    assert all(after - before >= FRAME_GAP_MIN_NS for before, after in pairwise(steps))
    assert all(arrived_ns >= end_ns for arrived_ns in waiting)
    assert len(steps) >= len(late_ns)  # no deadline is lost
