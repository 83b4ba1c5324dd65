"""The catalogue's Lab Streaming Layer streams as sensors; read them by :mod:`drivers.catalogue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.devices import Advertised, Body, Sampling, SensorDevice
from drivers.interface import Sensor

if TYPE_CHECKING:
    from drivers.emulated.lsl_stream import EmulatedLslStream
    from drivers.links.ble import BleBackend


def _open_imu(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.lsl_sensor import LslSensor

    return LslSensor(name, address, "imu")


def _open_emg(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.lsl_sensor import LslSensor

    return LslSensor(name, address, "emg")


def _emulate_imu(name: str, number: int, body: Body) -> EmulatedLslStream:
    from drivers.emulated.lsl_stream import EmulatedLslStream

    return EmulatedLslStream(name, body, "imu")


def _emulate_emg(name: str, number: int, body: Body) -> EmulatedLslStream:
    from drivers.emulated.lsl_stream import EmulatedLslStream

    return EmulatedLslStream(name, body, "emg")


STAMPED = Sampling("instant", "instant", "as its sender stamps it; LSL does not say")
VERIFIED = "against liblsl, whose streams it reads; a sender's own stamps are its own matter"

STREAMS: tuple[SensorDevice, ...] = (
    SensorDevice(
        name="lsl-imu",
        protocol="",
        title="Any LSL stream with acceleration and rate",
        what="IMU, network, at its own rate",
        verified=VERIFIED,
        kind="imu",
        rate_hz=100.0,
        sampling=STAMPED,
        decode=None,
        open=_open_imu,
        emulate=_emulate_imu,
        advertised=Advertised(),
        link="lsl",
    ),
    SensorDevice(
        name="lsl-emg",
        protocol="",
        title="Any LSL stream in volts",
        what="EMG up to 16 channels, network, at its own rate",
        verified=VERIFIED,
        kind="emg",
        rate_hz=500.0,
        sampling=STAMPED,
        decode=None,
        open=_open_emg,
        emulate=_emulate_emg,
        advertised=Advertised(),
        link="lsl",
        emg_channels=16,
    ),
)
