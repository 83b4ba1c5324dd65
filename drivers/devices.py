"""What an entry of the catalogue says of a device, and what its emulated peer gets and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from drivers.interface import Quantity, Quat, Sensor, Stimulator, StimulatorCapability, Vec3

if TYPE_CHECKING:
    from drivers.emulated.radio import Peripheral
    from drivers.links.ble import BleBackend

Decode = Callable[[bytes, str | None], dict[str, object]]  # payload, UUID of the characteristic
DecodeMode = Callable[[bytes, str | None, int], dict[str, object]]  # and the payload mode it was sent in
BLUETOOTH_BASE = "0000{}-0000-1000-8000-00805f9b34fb"  # of numbers that Bluetooth assigns
OnPulse = Callable[[int, int, list[tuple[int, float]]], None]  # time ns, output, points in us and mA


@dataclass(frozen=True, slots=True)
class Body:
    """What an emulated sensor feels at a time in ns; None where it measures nothing."""

    imu: Callable[[int], tuple[Quat, Vec3, Vec3] | None]  # orientation, acceleration m/s2, rate rad/s
    emg: Callable[[int], list[float] | None]  # volts of every channel


class StimulatorPeer(Protocol):
    """An emulated stimulator on a serial port of its own."""

    port: str

    def fileno(self) -> int: ...
    def service(self) -> None: ...
    def tend(self) -> None: ...
    def close(self) -> None: ...


class Streaming(Protocol):
    """An emulated sensor on the network rather than the radio; it sends while ``run`` runs."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a device's sample is, and where in it its stamp lies.

    The driver stamps a sample with the time that its values hold for: an instant's own, the middle of an
    interval. So the core takes both for instants: a mean differs from the middle's value by a 24th of the
    curvature times the interval squared.
    """

    values: Literal["instant", "interval mean"]
    stamp: Literal["instant", "start", "middle", "end", "host"]  # host: it has no clock of its own
    source: str  # where that is from; "unverified" where nobody says it


@dataclass(frozen=True, slots=True)
class Advertised:
    """How a device shows itself before it is connected; one of the three that fits is enough.

    A name may be changed by its owner, a service be shared with an example sketch: a guess, until connected.
    """

    names: tuple[str, ...] = ()  # what its name begins with; capitals do not matter
    services: tuple[str, ...] = ()
    makers: tuple[int, ...] = ()  # companies' numbers, as Bluetooth assigns them


@dataclass(frozen=True, slots=True)
class SensorDevice:
    name: str  # in session files
    protocol: str  # for `dorsi decode`
    title: str
    what: str  # for the docs: kind, link, rate
    verified: str  # for the docs: against what
    kind: Literal["imu", "emg"]  # what it is used for
    rate_hz: float  # of its samples
    sampling: Sampling
    decode: Decode | None  # None: it sends values, not bytes
    open: Callable[[str, str, BleBackend | None], Sensor]  # name, address, radio
    emulate: Callable[[str, int, Body], Peripheral | Streaming]  # advertised name, number on the radio
    advertised: Advertised
    maker: str = ""  # who sells it; empty: one's own
    size_assumed: bool = False  # its EMG's volts rest on a gain that the maker does not tell
    decode_mode: DecodeMode | None = None  # where bytes alone do not tell what they are
    emg_channels: int = 0  # the most it has
    link: Literal["ble", "lsl"] = "ble"
    uuid_base: str = BLUETOOTH_BASE  # its characteristics' UUIDs, with a place for four digits


@dataclass(frozen=True, slots=True)
class StimulatorDevice:
    name: str  # in session files
    protocol: str  # for `dorsi decode`
    title: str
    what: str
    verified: str
    short: str  # on its case
    usb: tuple[int, int]  # vendor and product, as the port shows itself
    capability: StimulatorCapability
    decode: Decode
    open: Callable[[str, Quantity | None], Stimulator]  # port, what it shall measure of each pulse
    emulate: Callable[[Path, OnPulse], StimulatorPeer]  # its pulse log


@dataclass(frozen=True, slots=True)
class BytesDevice:
    """A device known by its bytes alone: `dorsi decode` reads it, no session may use it, and why."""

    name: str  # as a session file would call it
    protocol: str  # for `dorsi decode`
    title: str
    what: str
    verified: str
    refused: str  # why no session may use it, in words that end a sentence
    decode: Decode
    uuid_base: str = BLUETOOTH_BASE
    advertised: Advertised | None = None  # None: not by Bluetooth LE
