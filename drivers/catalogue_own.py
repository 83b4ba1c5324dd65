"""A sensor of one's own, described in TOML, as an entry of the catalogue: see :mod:`drivers.catalogue`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.devices import Advertised, Body, Sampling, SensorDevice
from drivers.interface import Sensor
from drivers.own_device import OwnDevice, load

if TYPE_CHECKING:
    from drivers.emulated.radio import Peripheral
    from drivers.links.ble import BleBackend

SUFFIX = ".toml"


def own_sensor(file: str) -> SensorDevice:
    """ValueError names the file and what is wrong in it."""
    device = load(Path(file))

    def opened(name: str, address: str, backend: BleBackend | None) -> Sensor:
        from drivers.own_sensor import OwnSensor

        return OwnSensor(device, name, address, backend)

    def emulated(name: str, number: int, body: Body) -> Peripheral:
        from drivers.emulated.own import EmulatedOwn

        return EmulatedOwn(device, body, name=name, address=f"0E:5D:00:00:00:{number:02X}")

    return SensorDevice(
        name=file,
        protocol=file,
        title=device.name,
        what="described in a file",
        verified="by whoever wrote the file",
        kind=device.kind,
        rate_hz=device.rate_hz,
        sampling=Sampling("instant", "host", "as its file is read; it has no word for means"),
        decode=device.decode,
        open=opened,
        emulate=emulated,
        advertised=Advertised(),
        emg_channels=_emg_channels(device),
    )


def _emg_channels(device: OwnDevice) -> int:
    fields = (*device.fields, *(() if device.rows is None else device.rows.fields))
    return sum(field.count for field in fields if field.means == "emg")
