"""Nordic Thingy:52: the documentation's bytes, the sensor contract, settings and a stream over GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.emulated.thingy52 import EmulatedThingy52
from drivers.imu import thingy52
from drivers.imu.thingy52 import Thingy52
from drivers.interface import DeviceError, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from drivers.rotation_clock import DOUBTFUL
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 10_000_000


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "thingy52"]
    assert mine
    for vector in mine:
        assert decode("thingy52", vector["hex"], vector["channel"]) == vector["decoded"], vector["name"]


@pytest.mark.parametrize(
    ("data", "channel", "decoded"),
    # Fixed-point formats of the documentation
    [
        (
            struct.pack("<4i", 2**30, 0, -(2**29), 2**29),
            thingy52.QUATERNION,
            {"quat_wxyz": [1.0, 0.0, -0.5, 0.5]},
        ),
        (
            struct.pack("<3i", 90 << 16, -(45 << 16), 1 << 15),
            thingy52.EULER,
            {"roll_pitch_yaw_deg": [90.0, -45.0, 0.5]},
        ),
        (struct.pack("<9h", *(16384, 0, 0) * 3), thingy52.ROTATION, {"rotation_matrix": [1.0, 0.0, 0.0] * 3}),
        (struct.pack("<i", 270 << 16), thingy52.HEADING, {"heading_deg": 270.0}),
        (struct.pack("<3f", 0.0, 0.5, -9.75), thingy52.GRAVITY, {"gravity_mps2": [0.0, 0.5, -9.75]}),
        (b"\x57", thingy52.BATTERY, {"level_percent": 87}),
        (
            bytes.fromhex("f401e8030a0064" + "0001"),
            thingy52.CONFIGURATION,
            {
                "step_interval_ms": 500,
                "temperature_interval_ms": 1000,
                "magnetometer_interval_ms": 10,
                "rate_hz": 100,
                "wake_on_motion": True,
            },
        ),
    ],
)
def test_characteristics(data: bytes, channel: str, decoded: dict[str, object]) -> None:
    assert thingy52.decode(data, channel) == decoded


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (bytes(17), thingy52.RAW, "17 bytes, must be 18"),
        (bytes(15), thingy52.QUATERNION, "15 bytes, must be 16"),
        (struct.pack("<3f", 0.0, math.nan, 0.0), thingy52.GRAVITY, "not finite"),
        (bytes(8), thingy52.CONFIGURATION, "8 bytes, must be 9"),
        (bytes.fromhex("f401e8030a00c90001"), thingy52.CONFIGURATION, "201 Hz, allowed: 5 to 200"),
        (b"\x65", thingy52.BATTERY, "up to 100"),
        (b"", None, "channel none"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        thingy52.decode(data, channel)


@given(st.lists(st.integers(-32768, 32767), min_size=9, max_size=9))
def test_raw_motion_in_si_units(counts: list[int]) -> None:
    sample = Thingy52("foot", "").accept(struct.pack("<9h", *counts), 10**9)
    assert sample.valid
    assert sample.acc_mps2 == pytest.approx([count / 1024 * 9.80665 for count in counts[:3]])
    assert sample.gyr_rps == pytest.approx([math.radians(count / 32) for count in counts[3:6]])


class TestContract(SensorContract):
    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return Thingy52("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedThingy52(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return struct.pack("<9h", count, -count, 1024, 0, 0, 0, 0, 0, 0)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, Thingy52)
        return sensor.accept(data, arrival_ns)

    def test_a_lost_notification_shows_as_a_jump(self) -> None:
        """None is numbered: two that are lost show within two seconds, by the lateness of the rest."""
        kept = [count for count in range(500) if count not in (150, 151)]
        samples = self.stream([(count, self.frame(count)) for count in kept])
        assert all(sample.valid for sample in samples)
        late = [count for count, sample in zip(kept, samples, strict=True) if sample.seq != count]
        assert late
        assert min(late) == 152
        assert max(late) < 350
        assert samples[-1].reason == DOUBTFUL


def motion(_t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    return (1.0, 0.0, 0.0, 0.0), (0.0, -1.5, 9.81), (0.5, 1.0, -2.0)


async def test_stream_over_gatt_at_the_rate_asked_for() -> None:
    async def collect() -> tuple[list[ImuSample], bytes]:
        samples: list[ImuSample] = []
        async with VirtualRadio(RadioConditions(jitter_ms=4.0, seed=6)) as radio:
            await radio.add(EmulatedThingy52(motion))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), Thingy52("foot", "Thingy", backend, rate_hz=50) as sensor:
                async for sample in sensor:
                    samples.append(sample)
                    if len(samples) >= 100:
                        break
            async with BleLink("Thingy", backend) as link:
                settings = await link.read(thingy52.CONFIGURATION)
            await backend.aclose()
        return samples, settings

    samples, settings = await collect()
    assert thingy52.MotionSettings.unpack(settings) == thingy52.MotionSettings(500, 500, 500, 50, 1)
    samples = [sample for sample in samples if sample.valid]
    assert len(samples) > 50
    for before, sample in itertools.pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        assert sample.acc_mps2 == pytest.approx((0.0, -1.5, 9.81), abs=0.005)
        assert sample.gyr_rps == pytest.approx((0.5, 1.0, -2.0), abs=3e-4)


async def test_settings_out_of_range_are_refused_by_the_device() -> None:
    async def write() -> None:
        async with VirtualRadio() as radio:
            await radio.add(EmulatedThingy52(motion))
            backend = bumble_backend(radio.hci_address)
            try:
                async with asyncio.timeout(30), BleLink("Thingy", backend) as link:
                    await link.write(thingy52.CONFIGURATION, bytes.fromhex("f401e8030a00c90001"))
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="writing ef680401"):
        await write()
