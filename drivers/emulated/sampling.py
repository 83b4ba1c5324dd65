"""What emulated sensors share: the sources of their values, and sampling at deadlines of their own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from drivers.interface import Quat, Vec3

ImuSource = Callable[[int], "tuple[Quat, Vec3, Vec3] | None"]  # host ns -> quat, m/s2, rad/s; None is silence
EmgSource = Callable[[int], "Sequence[float] | None"]  # host ns -> volts of every channel; None is silence

LATE_MAX_S = 0.5  # a host that stalled longer than this does not get the missed samples made up


async def sample(send: Callable[[int, int], None], due_after_ns: Callable[[int], int]) -> None:
    """Calls ``send(count, due_ns)`` for ever, ``due_after_ns(count)`` after the start, whatever happens.

    ``due_after_ns`` rises with ``count``. After a long stall the counts whose time is over are left out.
    """
    start_ns = time.monotonic_ns()
    count = 0
    while True:
        due_ns = start_ns + due_after_ns(count)
        wait_s = (due_ns - time.monotonic_ns()) / 1e9
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif wait_s < -LATE_MAX_S:
            count += 1
            continue
        send(count, due_ns)
        count += 1
