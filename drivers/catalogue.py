"""Every device that Dorsi knows, one entry each: how files call it, what it is, its codec, driver and peer.

Everything that depends on a device reads it here: session files, controller, guard, `dorsi decode`, `dorsi
doctor`, console, docs. Drivers are imported where one is opened, so that no process loads what it does not
use. Only the guard opens a stimulator, and only the virtual world and tests emulate a device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from drivers.devices import (
    Body,
    Decode,
    DecodeMode,
    OnPulse,
    SensorDevice,
    StimulatorDevice,
    StimulatorPeer,
)
from drivers.interface import Sensor, Stimulator
from drivers.stimulators import sheets

if TYPE_CHECKING:
    from drivers.emulated.radio import Peripheral
    from drivers.links.ble import BleBackend


def _decode_dot(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.movella_dot import decode

    return decode(payload, channel)


def _decode_dot_mode(payload: bytes, channel: str | None, mode: int) -> dict[str, object]:
    from drivers.imu.movella_dot import decode

    return decode(payload, channel, mode)


def _open_dot(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.movella_dot import MovellaDot

    return MovellaDot(name, address, backend)


def _emulate_dot(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.dot import EmulatedDot

    return EmulatedDot(body.imu, name=name, address=f"D4:22:CD:00:00:{number:02X}")


def _decode_capture2go(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.capture2go import decode

    return decode(payload, channel)


def _open_capture2go(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.capture2go import Capture2Go

    return Capture2Go(name, address, backend)


def _emulate_capture2go(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.capture2go import EmulatedCapture2Go

    return EmulatedCapture2Go(body.imu, name=name, address=f"C2:60:00:00:00:{number:02X}")


def _decode_witmotion(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.witmotion import decode

    return decode(payload, channel)


def _open_witmotion(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.witmotion import WitMotion

    return WitMotion(name, address, backend)


def _emulate_witmotion(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.witmotion import EmulatedWitMotion

    return EmulatedWitMotion(body.imu, name=name, address=f"E9:01:00:00:00:{number:02X}")


def _decode_thingy52(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.thingy52 import decode

    return decode(payload, channel)


def _open_thingy52(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.thingy52 import Thingy52

    return Thingy52(name, address, backend)


def _emulate_thingy52(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.thingy52 import EmulatedThingy52

    return EmulatedThingy52(body.imu, name=name, address=f"EF:68:04:00:00:{number:02X}")


def _decode_metamotion(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.metamotion import decode

    return decode(payload, channel)


def _decode_metamotion_mode(payload: bytes, channel: str | None, mode: int) -> dict[str, object]:
    from drivers.imu.metamotion import decode

    return decode(payload, channel, mode)


def _open_metamotion(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.metamotion import MetaMotion

    return MetaMotion(name, address, backend)


def _emulate_metamotion(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.metamotion import EmulatedMetaMotion

    return EmulatedMetaMotion(body.imu, name=name, address=f"E2:32:6A:00:00:{number:02X}")


def _decode_myo(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.myo import decode

    return decode(payload, channel)


def _open_myo(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.emg.myo import Myo

    return Myo(name, address, backend)


def _emulate_myo(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.myo import EmulatedMyo

    return EmulatedMyo(body.emg, name=name, address=f"C0:4D:59:00:00:{number:02X}")


def _decode_ganglion(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.ganglion import decode

    return decode(payload, channel)


def _open_ganglion(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.emg.ganglion import Ganglion

    return Ganglion(name, address, backend)


def _emulate_ganglion(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.ganglion import EmulatedGanglion

    return EmulatedGanglion(body.emg, name=name, address=f"E9:53:00:CE:00:{number:02X}")


def _decode_gforce(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.gforce import decode

    return decode(payload, channel)


def _open_gforce(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.emg.gforce import GForce

    return GForce(name, address, backend)


def _emulate_gforce(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.gforce import EmulatedGForce

    return EmulatedGForce(body.emg, name=name, address=f"F0:00:FF:E1:00:{number:02X}")


def _decode_npg(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.npg_lite import decode

    return decode(payload, channel)


def _open_npg(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.emg.npg_lite import NpgLite

    return NpgLite(name, address, backend)


def _emulate_npg(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.npg_lite import EmulatedNpgLite

    return EmulatedNpgLite(body.emg, name=name, address=f"E4:B0:63:00:00:{number:02X}")


def _decode_sm4(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.sciencemode4_words import decode

    return decode(payload, channel)


def _open_p24(port: str) -> Stimulator:
    from drivers.stimulators.p24 import P24

    return P24(port, real_time=True)


def _emulate_p24(pulse_log: Path, on_pulse: OnPulse) -> StimulatorPeer:
    from drivers.emulated.p24 import EmulatedP24

    return EmulatedP24(pulse_log, on_pulse)


def _decode_sm2(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.sciencemode2 import decode

    return decode(payload, channel)


def _open_rehastim2(port: str) -> Stimulator:
    from drivers.stimulators.rehastim2 import RehaStim2

    return RehaStim2(port, real_time=True)


def _emulate_rehastim2(pulse_log: Path, on_pulse: OnPulse) -> StimulatorPeer:
    from drivers.emulated.rehastim2 import EmulatedRehaStim2

    return EmulatedRehaStim2(pulse_log, on_pulse)


Device = TypeVar("Device", SensorDevice, StimulatorDevice)


def _by_name(devices: Iterable[Device]) -> Mapping[str, Device]:
    return MappingProxyType({device.name: device for device in devices})


SENSORS: Mapping[str, SensorDevice] = _by_name(
    (
        SensorDevice(
            name="movella-dot",
            protocol="movella-dot",
            title="Movella DOT (custom mode 5)",
            what="IMU, BLE, 60 Hz",
            verified="against the vendor's specification; no capture of a measurement is public",
            kind="imu",
            rate_hz=60.0,
            decode=_decode_dot,
            open=_open_dot,
            emulate=_emulate_dot,
            uuid_base="1517{}-4947-11e9-8646-d663bd873d93",
            decode_mode=_decode_dot_mode,
        ),
        SensorDevice(
            name="capture2go",
            protocol="capture2go",
            title="SensorStim Capture2Go (real-time channel)",
            what="IMU, BLE, 100 Hz",
            verified="against bytes of the vendor's SDK; no hardware yet",
            kind="imu",
            rate_hz=100.0,
            decode=_decode_capture2go,
            open=_open_capture2go,
            emulate=_emulate_capture2go,
            uuid_base="8003{}-e629-4c98-9324-aa7fc0c66de7",
        ),
        SensorDevice(
            name="witmotion-wt901ble",
            protocol="witmotion-wt901ble",
            title="WitMotion WT901BLE, BWT901BLE5.0",
            what="IMU, BLE, 100 Hz",
            verified="against the datasheet's example and captured frames of others",
            kind="imu",
            rate_hz=100.0,
            decode=_decode_witmotion,
            open=_open_witmotion,
            emulate=_emulate_witmotion,
            uuid_base="0000{}-0000-1000-8000-00805f9a34fb",
        ),
        SensorDevice(
            name="mbientlab-metamotion",
            protocol="mbientlab-metamotion",
            title="MbientLab MetaMotion R, S",
            what="IMU, BLE, 100 Hz",
            verified="against messages of the vendor's tests; no hardware yet",
            kind="imu",
            rate_hz=100.0,
            decode=_decode_metamotion,
            open=_open_metamotion,
            emulate=_emulate_metamotion,
            uuid_base="326a{}-85cb-9195-d9dd-464cfbbae75a",
            decode_mode=_decode_metamotion_mode,
        ),
        SensorDevice(
            name="thingy52",
            protocol="thingy52",
            title="Nordic Thingy:52",
            what="IMU, BLE, 100 Hz",
            verified="against the vendor's documentation; no capture is public",
            kind="imu",
            rate_hz=100.0,
            decode=_decode_thingy52,
            open=_open_thingy52,
            emulate=_emulate_thingy52,
            uuid_base="ef68{}-9b35-4933-9b10-52ffa9740042",
        ),
        SensorDevice(
            name="myo",
            protocol="myo",
            title="Thalmic Myo",
            what="EMG 200 Hz and IMU, BLE",
            verified="layout from the vendor's header; its gain is unverified",
            kind="emg",
            rate_hz=200.0,
            decode=_decode_myo,
            open=_open_myo,
            emulate=_emulate_myo,
            uuid_base="d506{}-a904-deb9-4748-2c7f4a124842",
            emg_channels=8,
        ),
        SensorDevice(
            name="openbci-ganglion",
            protocol="openbci-ganglion",
            title="OpenBCI Ganglion (firmware 2 and 3)",
            what="EMG 4 channels 200 Hz, BLE",
            verified="against the vendor's documentation, driver and tests; firmware 3 as BrainFlow has it",
            kind="emg",
            rate_hz=200.0,
            decode=_decode_ganglion,
            open=_open_ganglion,
            emulate=_emulate_ganglion,
            uuid_base="2d30{}-f39f-4ce6-923f-3484ea480596",
            emg_channels=4,
        ),
        SensorDevice(
            name="oymotion-gforcepro",
            protocol="oymotion-gforcepro",
            title="OYMotion gForcePro+ (8 bits)",
            what="EMG 8 channels 1000 Hz, BLE",
            verified="layout from the vendor's SDK and LibEMG; its gain is unverified",
            kind="emg",
            rate_hz=1000.0,
            decode=_decode_gforce,
            open=_open_gforce,
            emulate=_emulate_gforce,
            uuid_base="f000{}-0451-4000-b000-000000000000",
            emg_channels=8,
        ),
        SensorDevice(
            name="npg-lite",
            protocol="npg-lite",
            title="Upside Down Labs NPG Lite",
            what="EMG 3 or 6 channels 500 Hz, BLE",
            verified="layout from the vendor's firmware; its gain is unverified",
            kind="emg",
            rate_hz=500.0,
            decode=_decode_npg,
            open=_open_npg,
            emulate=_emulate_npg,
            emg_channels=6,
        ),
    )
)
STIMULATORS: Mapping[str, StimulatorDevice] = _by_name(
    (
        StimulatorDevice(
            name="hasomed-p24",
            protocol="hasomed-sm4",
            title="Hasomed P24 (ScienceMode4, low level)",
            what="stimulator, USB serial",
            verified="against bytes of the vendor's library; no hardware yet",
            short="P24",
            usb=(0x0483, 0x5740),  # STM32 virtual serial port
            capability=sheets.P24,
            decode=_decode_sm4,
            open=_open_p24,
            emulate=_emulate_p24,
        ),
        StimulatorDevice(
            name="hasomed-rehastim2",
            protocol="hasomed-rehastim2-sm2",
            title="Hasomed RehaStim2 (ScienceMode2, single pulses)",
            what="stimulator, USB serial",
            verified="against bytes made from the vendor's description; no hardware yet",
            short="RehaStim2",
            usb=(0x0403, 0x6001),  # the FTDI adapter within; other devices have one too (unverified which)
            capability=sheets.REHASTIM2,
            decode=_decode_sm2,
            open=_open_rehastim2,
            emulate=_emulate_rehastim2,
        ),
    )
)
DECODERS: Mapping[str, Decode] = MappingProxyType(
    {sensor.protocol: sensor.decode for sensor in SENSORS.values()}
    | {stimulator.protocol: stimulator.decode for stimulator in STIMULATORS.values()}
)
MODE_DECODERS: Mapping[str, DecodeMode] = MappingProxyType(
    {sensor.protocol: sensor.decode_mode for sensor in SENSORS.values() if sensor.decode_mode is not None}
)
UUID_BASES: Mapping[str, str] = MappingProxyType(
    {sensor.protocol: sensor.uuid_base for sensor in SENSORS.values()}
)


def is_inertial(device: str) -> bool:
    """Whether a session's sensor of this device tells how a segment moves."""
    return SENSORS[device].kind == "imu"
