"""Every device that Dorsi knows, one entry each: how files call it, what it is, its codec, driver and peer.

Everything that depends on a device reads it here: session files, controller, guard, `dorsi decode`, `dorsi
doctor`, console, docs. Drivers are imported where one is opened, so that no process loads what it does not
use. Only the guard opens a stimulator, and only the virtual world and tests emulate a device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from drivers.catalogue_emg import ADVERTISING_ALONE, EMG
from drivers.catalogue_imu import INERTIAL
from drivers.catalogue_lsl import STREAMS
from drivers.catalogue_own import SUFFIX, own_sensor
from drivers.catalogue_stimulators import BY_BYTES_ALONE, OPENED_BY_THE_GUARD
from drivers.devices import BytesDevice, Decode, DecodeMode, SensorDevice, StimulatorDevice

Device = TypeVar("Device", SensorDevice, StimulatorDevice, BytesDevice)


def _by_name(devices: Iterable[Device]) -> Mapping[str, Device]:
    return MappingProxyType({device.name: device for device in devices})


SENSORS: Mapping[str, SensorDevice] = _by_name((*INERTIAL, *EMG, *STREAMS))
STIMULATORS: Mapping[str, StimulatorDevice] = _by_name(OPENED_BY_THE_GUARD)
REFUSED: Mapping[str, BytesDevice] = _by_name(
    (*BY_BYTES_ALONE, *ADVERTISING_ALONE)
)  # known to `dorsi decode`, not to sessions
DECODERS: Mapping[str, Decode] = MappingProxyType(
    {sensor.protocol: sensor.decode for sensor in SENSORS.values() if sensor.decode is not None}
    | {stimulator.protocol: stimulator.decode for stimulator in STIMULATORS.values()}
    | {device.protocol: device.decode for device in REFUSED.values()}
)
MODE_DECODERS: Mapping[str, DecodeMode] = MappingProxyType(
    {sensor.protocol: sensor.decode_mode for sensor in SENSORS.values() if sensor.decode_mode is not None}
)
UUID_BASES: Mapping[str, str] = MappingProxyType(
    {sensor.protocol: sensor.uuid_base for sensor in SENSORS.values() if sensor.decode is not None}
    | {device.protocol: device.uuid_base for device in REFUSED.values()}
)


def sensor_device(name: str) -> SensorDevice:
    """The entry of a session's sensor: of the catalogue, or of one's own by its TOML file.

    KeyError: no such device. ValueError: the file is wrong.
    """
    return own_sensor(name) if name.endswith(SUFFIX) else SENSORS[name]


def is_inertial(device: str) -> bool:
    """Whether a session's sensor of this device tells how a segment moves."""
    return sensor_device(device).kind == "imu"
