"""The catalogue's inertial sensors; read them by :mod:`drivers.catalogue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.devices import Advertised, Body, Sampling, SensorDevice
from drivers.interface import Sensor

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


def _decode_movesense(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.movesense import decode

    return decode(payload, channel)


def _open_movesense(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.movesense import Movesense

    return Movesense(name, address, backend)


def _emulate_movesense(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.movesense import EmulatedMovesense

    return EmulatedMovesense(body.imu, name=name, address=f"0C:8C:DC:00:00:{number:02X}")


def _decode_open_frame(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.imu.open_frame import decode

    return decode(payload, channel)


def _open_open_frame(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.imu.open_frame import OpenFrame

    return OpenFrame(name, address, backend)


def _emulate_open_frame(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.open_frame import EmulatedOpenFrame

    return EmulatedOpenFrame(body.imu, name=name, address=f"D0:75:10:00:00:{number:02X}")


INERTIAL: tuple[SensorDevice, ...] = (
    SensorDevice(
        name="movella-dot",
        protocol="movella-dot",
        title="Movella DOT (custom mode 5)",
        maker="Movella",
        what="IMU, BLE, 60 Hz",
        verified="against the vendor's specification; no capture of a measurement is public",
        kind="imu",
        rate_hz=60.0,
        sampling=Sampling("interval mean", "end", "the maker's manual: strapdown integration at 800 Hz"),
        decode=_decode_dot,
        open=_open_dot,
        emulate=_emulate_dot,
        advertised=Advertised(names=("Movella DOT", "Xsens DOT"), makers=(0x0886,)),
        uuid_base="1517{}-4947-11e9-8646-d663bd873d93",
        decode_mode=_decode_dot_mode,
    ),
    SensorDevice(
        name="capture2go",
        protocol="capture2go",
        title="SensorStim Capture2Go (real-time channel)",
        maker="SensorStim",
        what="IMU, BLE, 100 Hz",
        verified="against bytes of the vendor's SDK; no hardware yet",
        kind="imu",
        rate_hz=100.0,
        sampling=Sampling("instant", "instant", "unverified"),
        decode=_decode_capture2go,
        open=_open_capture2go,
        emulate=_emulate_capture2go,
        advertised=Advertised(names=("IMU_",), services=("80030001-e629-4c98-9324-aa7fc0c66de7",)),
        uuid_base="8003{}-e629-4c98-9324-aa7fc0c66de7",
    ),
    SensorDevice(
        name="witmotion-wt901ble",
        protocol="witmotion-wt901ble",
        title="WitMotion WT901BLE, BWT901BLE5.0",
        maker="WitMotion",
        what="IMU, BLE, 100 Hz",
        verified="against the datasheet's example and captured frames of others",
        kind="imu",
        rate_hz=100.0,
        sampling=Sampling("instant", "host", "unverified; long frames have the time of day"),
        decode=_decode_witmotion,
        open=_open_witmotion,
        emulate=_emulate_witmotion,
        advertised=Advertised(
            names=("WT901BLE", "BWT901BLE"), services=("0000ffe5-0000-1000-8000-00805f9a34fb",)
        ),
        uuid_base="0000{}-0000-1000-8000-00805f9a34fb",
    ),
    SensorDevice(
        name="mbientlab-metamotion",
        protocol="mbientlab-metamotion",
        title="MbientLab MetaMotion R, S",
        maker="MbientLab",
        what="IMU, BLE, 100 Hz",
        verified="against messages of the vendor's tests; no hardware yet",
        kind="imu",
        rate_hz=100.0,
        sampling=Sampling("instant", "host", "unverified"),
        decode=_decode_metamotion,
        open=_open_metamotion,
        emulate=_emulate_metamotion,
        advertised=Advertised(names=("MetaWear",), services=("326a9000-85cb-9195-d9dd-464cfbbae75a",)),
        uuid_base="326a{}-85cb-9195-d9dd-464cfbbae75a",
        decode_mode=_decode_metamotion_mode,
    ),
    SensorDevice(
        name="thingy52",
        protocol="thingy52",
        title="Nordic Thingy:52",
        maker="Nordic Semiconductor",
        what="IMU, BLE, 100 Hz",
        verified="against the vendor's documentation; no capture is public",
        kind="imu",
        rate_hz=100.0,
        sampling=Sampling("instant", "host", "unverified"),
        decode=_decode_thingy52,
        open=_open_thingy52,
        emulate=_emulate_thingy52,
        advertised=Advertised(names=("Thingy",), services=("ef680100-9b35-4933-9b10-52ffa9740042",)),
        uuid_base="ef68{}-9b35-4933-9b10-52ffa9740042",
    ),
    SensorDevice(
        name="movesense",
        protocol="movesense",
        title="Movesense (IMU6)",
        maker="Movesense",
        what="IMU, BLE, 104 Hz",
        verified="against packets captured by others and the device's own log of them",
        kind="imu",
        rate_hz=104.0,
        sampling=Sampling("instant", "end", "unverified"),
        decode=_decode_movesense,
        open=_open_movesense,
        emulate=_emulate_movesense,
        advertised=Advertised(names=("Movesense",)),
        uuid_base="3480{}-7185-4d5d-b431-630e7050e8f0",
    ),
    SensorDevice(
        name="open-frame",
        protocol="open-frame",
        title="A board of one's own with Dorsi's open frame",
        what="IMU, BLE, at its own rate",
        verified="the layout is Dorsi's own; its C header compiled and read back; no board yet",
        kind="imu",
        rate_hz=100.0,
        sampling=Sampling("instant", "instant", "what the board's own firmware is to send"),
        decode=_decode_open_frame,
        open=_open_open_frame,
        emulate=_emulate_open_frame,
        advertised=Advertised(services=("d0751000-6b1c-4c5e-9a3d-5f7e2b9c4a10",)),
        uuid_base="d075{}-6b1c-4c5e-9a3d-5f7e2b9c4a10",
    ),
)
