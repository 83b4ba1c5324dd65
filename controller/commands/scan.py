"""`dorsi scan`: what advertises on Bluetooth LE nearby, as a table that lives while it listens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from drivers.links.ble import BleBackend
from drivers.links.ble_scan import advertisements
from drivers.scan import Nearby, Nearness

GONE_S = 5.0  # a DOT advertises every 0.1 to 1 s: silent for longer, it sleeps, is connected, or has left


async def scan(
    seconds: float, shown: Callable[[list[Nearby]], None], backend: BleBackend | None = None
) -> list[Nearby]:
    """Listen for so long, telling ``shown`` of each change. DeviceError where there is no Bluetooth."""
    nearness = Nearness()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(advertisements(backend)) as heard:
            async for told in heard:
                nearness.take(told, time.monotonic_ns())
                shown(nearness.table())
    return nearness.table()


def table_of(nearby: list[Nearby], now_ns: int) -> Table:
    """The screen's table; a device that has fallen silent says since when."""
    table = Table("device", "name", "address", "signal", "battery", "last heard")
    for one in nearby:
        silent_s = (now_ns - one.last_ns) / 1e9
        table.add_row(
            one.device or "unknown",
            Text("".join(filter(str.isprintable, one.name)) or "none told"),
            one.address,
            f"{one.rssi_dbm} dBm",
            one.battery or "not told",
            "now" if silent_s < GONE_S else f"{silent_s:.0f} s ago",
        )
    return table
