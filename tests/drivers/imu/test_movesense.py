"""Movesense: captured bytes, the sensor contract, batches in one part and in two, a stream over GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import struct

import pytest

from drivers.decode import decode
from drivers.emulated.movesense import EmulatedMovesense
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.imu import movesense
from drivers.imu.movesense import Movesense
from drivers.interface import DeviceError, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend
from drivers.links.bumble_backend import bumble_backend
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = round(1e9 / 104)
KEYS = {"ArrayAcc": "acc_ms2", "ArrayGyro": "gyr_dps", "ArrayMagn": "mag_uT"}


@needs_reference
def test_every_captured_packet_decodes_to_the_devices_own_log() -> None:
    packets = json.loads((REFERENCE / "peer_vectors_2026.json").read_text())["movesense"]["packets"]
    logged = {path: one for path, one in packets.items() if "json_entry" in one}
    assert len(logged) == 6
    for path, packet in logged.items():
        entry = packet["json_entry"]
        for hex_bytes in (packet["packet_hex"], "0205" + packet["packet_hex"]):
            if path.startswith("/Meas/Ecg") and hex_bytes.startswith("0205"):
                continue  # of odd words, a header cannot be told from data
            decoded = decode("movesense", hex_bytes, path)
            assert decoded["ts_ms"] == entry["Timestamp"]
            for key, values in entry.items():
                if key in KEYS:
                    assert decoded[KEYS[key]] == [[one["x"], one["y"], one["z"]] for one in values], path
                if key == "Samples":
                    assert decoded["ecg_mv"] == pytest.approx(values)
    hr = decode("movesense", packets["/Meas/HR"]["packet_hex"], "/Meas/HR")
    assert hr == {"heart_rate_bpm": pytest.approx(66.37, abs=0.01), "rr_ms": [904]}
    temperature = decode("movesense", packets["/Meas/Temp"]["packet_hex"], "/Meas/Temp")
    assert list(temperature) == ["ts_ms", "temperature_k"]


@needs_reference
def test_the_captured_rest_is_one_g_and_slow_read_in_blocks() -> None:
    """Read sample by sample, as another driver does, half the accelerations would be 1.7 m/s2."""
    packets = json.loads((REFERENCE / "peer_vectors_2026.json").read_text())["movesense"]["packets"]
    data = bytes.fromhex(packets["/Meas/IMU6/52"]["packet_hex"])
    _, (accs, rates) = movesense.unpack_blocks(data, "imu6")
    assert [math.hypot(*acc) for acc in accs] == pytest.approx([9.81] * 4, abs=0.1)
    assert all(math.hypot(*rate) < 2.0 for rate in rates)


@pytest.mark.parametrize(
    ("hex_bytes", "channel", "told"),
    [
        # The maker's description of the commands
        ("01052f4d6561732f494d55362f313034", movesense.WRITE,
         {"command": "subscribe", "reference": 5, "path": "/Meas/IMU6/104"}),
        ("0205", movesense.WRITE, {"command": "unsubscribe", "reference": 5}),
        ("00ff", movesense.WRITE, {"command": "hello", "reference": 255}),
        ("0105c800", movesense.NOTIFY,
         {"name": "result", "reference": 5, "result": 200, "result_text": "ok"}),
        ("0106c8005a", movesense.NOTIFY,
         {"name": "result", "reference": 6, "result": 200, "result_text": "ok", "data": "5a"}),
        ("01059401", "0002",
         {"name": "result", "reference": 5, "result": 404, "result_text": "no such path"}),
        ("0305aabb", movesense.NOTIFY, {"name": "data, second part", "reference": 5, "data": "aabb"}),
    ],
)  # fmt: skip
def test_messages_in_words(hex_bytes: str, channel: str, told: dict[str, object]) -> None:
    assert decode("movesense", hex_bytes, channel) == told


def test_a_subscription_is_the_makers_bytes() -> None:
    subscribe = movesense.command(movesense.SUBSCRIBE, 5, "/Meas/IMU6/104")
    assert subscribe.hex() == "01052f4d6561732f494d55362f313034"
    assert movesense.command(movesense.UNSUBSCRIBE, 5).hex() == "0205"


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (bytes(27), "/Meas/IMU6/52", "27 bytes, must be 4 and 24"),
        (bytes(4), "/Meas/Acc/13", "4 bytes, must be 4 and 12"),
        (struct.pack("<I3f", 0, math.nan, 0, 0), "/Meas/Acc/13", "not finite"),
        (bytes(28), "/Meas/Smell/13", "none of /Meas/acc"),
        (bytes(28), "/", "none of"),
        (b"\x09\x05", movesense.WRITE, "command 9"),
        (b"\x09\x05", movesense.NOTIFY, "message 9"),
        (b"\x01", movesense.NOTIFY, "needs 2"),
        (b"\x01\x05\xc8", movesense.NOTIFY, "needs 4"),
        (b"", None, "channel none"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        movesense.decode(data, channel)


def batch(first: int, count: int, *, t0_ms: int = 1000, rate_hz: float = 104.0, acc: float = 9.8) -> bytes:
    """Samples ``first`` to ``first + count - 1`` of a sensor at rest."""
    stamp = struct.pack("<I", t0_ms + int(first * 1000 / rate_hz))
    return stamp + struct.pack(f"<{6 * count}f", *(0.0, 0.0, acc) * count, *(1.0, 0.0, 0.0) * count)


class TestContract(SensorContract):
    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return Movesense("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedMovesense(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return batch(count, 1)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, Movesense)
        (sample,) = sensor.accept(data, arrival_ns)[-1:]
        return sample


@pytest.mark.parametrize("rate_hz", [104.0, 97.0, 112.0])
def test_a_batch_lies_evenly_between_its_stamp_and_the_one_before_whatever_the_sensors_rate(
    rate_hz: float,
) -> None:
    sensor = Movesense("foot", "")
    samples: list[ImuSample] = []
    for number in range(100):
        arrival_ns = 10**9 + round(((number + 1) * 8 - 1) * 1e9 / rate_hz) + 5_000_000
        if number not in (50, 51):
            samples += sensor.accept(batch(8 * number, 8, rate_hz=rate_hz), arrival_ns)
    assert all(sample.valid for sample in samples)
    seqs = [sample.seq for sample in samples]
    assert [b - a for a, b in itertools.pairwise(seqs)].count(1) == 8 * 98 - 2
    assert seqs[400] - seqs[399] == 17  # two batches lost
    steps = [b.t_ns - a.t_ns for a, b in itertools.pairwise(samples[8:400])]
    assert steps == pytest.approx([1e9 / rate_hz] * len(steps), rel=0.02)  # stamps are whole milliseconds


def test_a_value_beyond_the_sensors_range_is_invalid() -> None:
    sensor = Movesense("foot", "")
    (sample,) = sensor.accept(batch(0, 1, acc=161.0), 10**9)
    assert not sample.valid
    assert "range" in sample.reason
    (sample,) = sensor.accept(batch(0, 1, acc=159.0), 10**9)
    assert sample.valid


def test_batches_in_two_parts_are_joined_and_half_a_batch_is_told() -> None:
    def parts(number: int) -> tuple[bytes, bytes]:
        whole = batch(8 * number, 8)
        return b"\x02\x05" + whole[:100], b"\x03\x05" + whole[100:]  # 100: a whole number of samples too

    def heard(sensor: Movesense, *notifications: bytes) -> list[ImuSample]:
        told: list[ImuSample] = []
        for place, data in enumerate(notifications):
            told += sensor.hear(data, 10**9 + place * 40_000_000)
        return told

    sensor = Movesense("foot", "")
    assert heard(sensor, *parts(0)) == []  # the first one only shows how they come
    samples = heard(sensor, *parts(1), *parts(2))
    assert [sample.valid for sample in samples] == [True] * 16
    assert [sample.acc_mps2[2] for sample in samples] == pytest.approx([9.8] * 16)
    first, second = parts(3)
    (lost,) = heard(sensor, first, parts(4)[0])
    assert (lost.valid, "second part" in lost.reason) == (False, True)
    sensor = Movesense("foot", "")
    heard(sensor, *parts(0))
    (lost,) = heard(sensor, second)
    assert (lost.valid, "first part" in lost.reason) == (False, True)


def motion(_t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    return (1.0, 0.0, 0.0, 0.0), (0.0, -1.5, 9.75), (0.5, 1.0, -2.0)


@pytest.mark.parametrize("notification_bytes", [244, 102])
async def test_stream_over_gatt(notification_bytes: int) -> None:
    async def collect() -> list[ImuSample]:
        samples: list[ImuSample] = []
        async with VirtualRadio(RadioConditions(jitter_ms=4.0, seed=6)) as radio:
            peer = EmulatedMovesense(
                motion, name="Movesense", notification_bytes=notification_bytes, rate_error=0.03
            )
            await radio.add(peer)
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), Movesense("foot", "Movesense", backend) as sensor:
                async for sample in sensor:
                    samples.append(sample)
                    if len(samples) >= 100:
                        break
            await backend.aclose()
        return samples

    samples = [sample for sample in (await collect()) if sample.valid]
    assert len(samples) > 80
    for before, sample in itertools.pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        assert sample.acc_mps2 == pytest.approx((0.0, -1.5, 9.75))
        assert sample.gyr_rps == pytest.approx((0.5, 1.0, -2.0))


async def test_a_path_that_the_device_does_not_have_is_a_permanent_error() -> None:
    async def run() -> None:
        async with VirtualRadio() as radio:
            await radio.add(EmulatedMovesense(motion, name="Movesense"))
            backend = bumble_backend(radio.hci_address)
            sensor = Movesense("foot", "Movesense", backend)
            sensor._path = "/Meas/IMU7/104"
            try:
                await sensor.__aenter__()
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="no such path") as caught:
        await run()
    assert not caught.value.transient
