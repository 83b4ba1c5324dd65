"""The catalogue's EMG sensors; read them by :mod:`drivers.catalogue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.devices import Advertised, Body, BytesDevice, Sampling, SensorDevice
from drivers.interface import Sensor

if TYPE_CHECKING:
    from drivers.emulated.radio import Peripheral
    from drivers.links.ble import BleBackend


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


def _decode_shimmer(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.shimmer import decode

    return decode(payload, channel)


def _open_shimmer(name: str, address: str, backend: BleBackend | None) -> Sensor:
    from drivers.emg.shimmer_exg import ShimmerExg

    return ShimmerExg(name, address, backend)


def _emulate_shimmer(name: str, number: int, body: Body) -> Peripheral:
    from drivers.emulated.shimmer_exg import EmulatedShimmerExg

    return EmulatedShimmerExg(body.emg, name=name, address=f"00:06:66:00:00:{number:02X}")


def _decode_umyo(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.emg.umyo import decode

    return decode(payload, channel)


CONVERSIONS = Sampling("instant", "host", "an ADC's conversions, counted; no clock is sent")

EMG: tuple[SensorDevice, ...] = (
    SensorDevice(
        name="myo",
        protocol="myo",
        title="Thalmic Myo",
        maker="Thalmic",
        what="EMG 200 Hz and IMU, BLE",
        verified="layout from the vendor's header; its gain is unverified",
        size_assumed=True,
        kind="emg",
        rate_hz=200.0,
        sampling=CONVERSIONS,
        decode=_decode_myo,
        open=_open_myo,
        emulate=_emulate_myo,
        advertised=Advertised(services=("d5060001-a904-deb9-4748-2c7f4a124842",)),
        uuid_base="d506{}-a904-deb9-4748-2c7f4a124842",
        emg_channels=8,
    ),
    SensorDevice(
        name="openbci-ganglion",
        protocol="openbci-ganglion",
        title="OpenBCI Ganglion (firmware 2 and 3)",
        maker="OpenBCI",
        what="EMG 4 channels 200 Hz, BLE",
        verified="against the vendor's documentation, driver and tests; firmware 3 as BrainFlow has it",
        kind="emg",
        rate_hz=200.0,
        sampling=CONVERSIONS,
        decode=_decode_ganglion,
        open=_open_ganglion,
        emulate=_emulate_ganglion,
        advertised=Advertised(names=("Ganglion-",)),
        uuid_base="2d30{}-f39f-4ce6-923f-3484ea480596",
        emg_channels=4,
    ),
    SensorDevice(
        name="oymotion-gforcepro",
        protocol="oymotion-gforcepro",
        title="OYMotion gForcePro+ (8 bits)",
        maker="OYMotion",
        what="EMG 8 channels 1000 Hz, BLE",
        verified="layout from the vendor's SDK and LibEMG; its gain is unverified",
        size_assumed=True,
        kind="emg",
        rate_hz=1000.0,
        sampling=CONVERSIONS,
        decode=_decode_gforce,
        open=_open_gforce,
        emulate=_emulate_gforce,
        advertised=Advertised(names=("gForce",)),
        uuid_base="f000{}-0451-4000-b000-000000000000",
        emg_channels=8,
    ),
    SensorDevice(
        name="npg-lite",
        protocol="npg-lite",
        title="Upside Down Labs NPG Lite",
        maker="Upside Down Labs",
        what="EMG 3 or 6 channels 500 Hz, BLE",
        verified="layout from the vendor's firmware; its gain is unverified",
        size_assumed=True,
        kind="emg",
        rate_hz=500.0,
        sampling=CONVERSIONS,
        decode=_decode_npg,
        open=_open_npg,
        emulate=_emulate_npg,
        advertised=Advertised(names=("NPG-",)),  # its service is that of an example sketch of its chip
        emg_channels=6,
    ),
    SensorDevice(
        name="shimmer3r-exg",
        protocol="shimmer3",
        title="Shimmer3R EXG (24 bits)",
        maker="Shimmer",
        what="EMG 2 channels 512 Hz, BLE",
        verified="against messages of a public library's tests and the vendor's web client; no hardware yet",
        kind="emg",
        rate_hz=512.0,
        sampling=CONVERSIONS,
        decode=_decode_shimmer,
        open=_open_shimmer,
        emulate=_emulate_shimmer,
        advertised=Advertised(names=("Shimmer3R-",)),
        emg_channels=2,
    ),
)
ADVERTISING_ALONE: tuple[BytesDevice, ...] = (
    BytesDevice(
        name="umyo",
        protocol="umyo",
        title="Ultimate Robotics uMyo",
        what="EMG spectrum, BLE advertisements, by its bytes alone",
        verified="layout from the maker's library; no hardware yet",
        refused="its advertisements hold a spectrum of the EMG, not its samples",
        decode=_decode_umyo,
        advertised=Advertised(names=("uMyo",)),
    ),
)
