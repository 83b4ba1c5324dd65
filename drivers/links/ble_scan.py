"""Who advertises on Bluetooth LE: every advertisement heard, while the caller wants more."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from bleak import BleakScanner

from drivers.links.ble import FAILURES, BleBackend, translate


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One, with the scan's response where there was one; UUIDs in full and lower case."""

    address: str
    name: str  # empty: it tells none
    rssi_dbm: int
    services: tuple[str, ...]
    makers: dict[int, bytes]  # data by the company's number
    service_data: dict[str, bytes]


async def advertisements(backend: BleBackend | None = None) -> AsyncGenerator[Advertisement]:
    """Without end. :class:`DeviceError`, permanent where there is no Bluetooth here."""
    scanner = BleakScanner(backend=None if backend is None else backend.scanner)
    try:
        async with scanner:
            async for device, told in scanner.advertisement_data():
                yield Advertisement(
                    device.address,
                    told.local_name or device.name or "",
                    told.rssi,
                    tuple(uuid.lower() for uuid in told.service_uuids),
                    dict(told.manufacturer_data),
                    {uuid.lower(): data for uuid, data in told.service_data.items()},
                )
    except FAILURES as error:
        raise translate("Bluetooth", "scanning", error) from error
