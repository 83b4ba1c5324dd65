"""What is advertising nearby, and which device of the catalogue each one is by its name, service or maker."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.catalogue import DECODERS, REFUSED, SENSORS
from drivers.devices import Advertised
from drivers.links.ble_scan import Advertisement

BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
_RULES: tuple[tuple[str, Advertised], ...] = (
    *((name, device.advertised) for name, device in SENSORS.items()),
    *((name, device.advertised) for name, device in REFUSED.items() if device.advertised is not None),
)


@dataclass(frozen=True, slots=True)
class Nearby:
    """One that advertises: the strongest rule's device, and the last that was heard of it."""

    address: str
    name: str
    rssi_dbm: int
    device: str  # as session files call it; empty: none of the catalogue
    battery: str  # in words; empty: it tells none while it advertises
    heard: int  # advertisements
    last_ns: int


def device_of(told: Advertisement) -> str:
    """Its service says most, then its name, then its maker; empty where nothing fits."""
    name = told.name.lower()
    for device, rule in _RULES:
        if any(uuid in told.services for uuid in rule.services):
            return device
    for device, rule in _RULES:
        if any(name.startswith(one.lower()) for one in rule.names):
            return device
    for device, rule in _RULES:
        if any(maker in told.makers for maker in rule.makers):
            return device
    return ""


def battery_of(told: Advertisement, device: str) -> str:
    """What an advertisement says of the battery."""
    level = told.service_data.get(BATTERY_SERVICE, b"")
    if len(level) == 1 and level[0] <= 100:
        return f"{level[0]} %"
    if device not in DECODERS:
        return ""
    for maker, rest in told.makers.items():  # a device may fill the place of the company's number, too
        try:
            decoded = DECODERS[device](maker.to_bytes(2, "little") + rest, None)
        except ValueError:
            continue
        if "battery_mv" in decoded:
            return f"{decoded['battery_mv']} mV"
    return ""


class Nearness:
    """Everything heard so far, by address."""

    def __init__(self) -> None:
        self._by_address: dict[str, Nearby] = {}

    def take(self, told: Advertisement, now_ns: int) -> None:
        """A name or a battery that one advertisement leaves out is kept from those before it."""
        before = self._by_address.get(told.address)
        device = device_of(told) or (before.device if before is not None else "")
        battery = battery_of(told, device)
        self._by_address[told.address] = Nearby(
            told.address,
            told.name or (before.name if before is not None else ""),
            told.rssi_dbm,
            device,
            battery or (before.battery if before is not None else ""),
            1 + (before.heard if before is not None else 0),
            now_ns,
        )

    def table(self) -> list[Nearby]:
        """Known devices first, then the strongest."""
        return sorted(self._by_address.values(), key=lambda one: (not one.device, -one.rssi_dbm, one.address))
