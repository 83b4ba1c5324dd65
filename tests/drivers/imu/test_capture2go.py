"""SensorStim Capture2Go: the SDK's bytes, the sensor contract, cut streams, real time over GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emulated.capture2go import EmulatedCapture2Go, _quat_bits
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.imu import capture2go as c2g
from drivers.imu import capture2go_packages as packages
from drivers.imu.capture2go import Capture2Go
from drivers.interface import DeviceError, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 10_000_000
NAME = "IMU_ab1234"
MIDDLE = 0x7FFFF << 40 | 0x7FFFF << 20 | 0x7FFFF  # a quaternion of hardly more than w


def near(value: object) -> object:
    """The vectors are rounded to eight digits."""
    if isinstance(value, list):
        return [near(one) for one in value]
    return pytest.approx(value, abs=1e-8) if isinstance(value, float) else value


def vectors() -> list[dict[str, object]]:
    every = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    return [vector for vector in every if vector["device"] == "capture2go"]


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    mine = [vector for vector in vectors() if not str(vector["name"]).startswith("BLE notification 2")]
    assert len(mine) > 10
    for vector in mine:
        decoded = decode("capture2go", vector["hex"], vector["channel"])
        for key, value in vector["decoded"].items():
            assert decoded[key] == near(value), (vector["name"], key)


@needs_reference
def test_a_package_cut_by_notifications_is_joined() -> None:
    """The second notification of the vectors tells its package with the first alone."""
    stream = c2g.Stream()
    found = []
    for vector in vectors():
        if vector["channel"]:
            _, rest = c2g.split(bytes.fromhex(str(vector["hex"])))
            found += [packages.NAMES[header] for header, _ in stream.feed(rest)]
    assert found == ["DataStatus"]


@needs_reference
def test_commands_of_the_vectors_are_packed_to_the_same_bytes() -> None:
    for vector in vectors():
        if vector["dir"] == "tx":
            header, payload = c2g.unpack(bytes.fromhex(str(vector["hex"])))
            assert c2g.pack(header, payload).hex() == vector["hex"]
    start = c2g.pack(packages.START_REAL_TIME, bytes((c2g.MODE_FULL, 50)))
    assert start.hex() == "022a7141e10260010232"


def package(header: int, payload: bytes) -> bytes:
    body = struct.pack("<H", header) + payload
    return struct.pack("<BIB", 2, zlib.crc32(body), len(payload)) + body


def full(stamp_ns: int, flags: int = 0, quat: int = MIDDLE) -> bytes:
    counts = (100, -200, 300, 0, 0, 2048, 320, -160, 640)
    return package(0x0247, struct.pack("<q9hQhB", stamp_ns, *counts, quat, 0, flags))


@pytest.mark.parametrize(
    ("header", "payload", "decoded"),
    # Layouts of the vendor's protocol document
    [
        (
            0x0231,
            struct.pack("<q48hQhB", 7, *(16384, 0, -16384) * 8, *(0, 2048, 0) * 8, MIDDLE, 0, 1),
            "packed",
        ),
        (0x0221, struct.pack("<q72hQhB", 7, *(0,) * 48, *(16, -16, 32) * 8, MIDDLE, 0, 0), "magnetic"),
        (0x0251, struct.pack("<q6hQhB", 7, 0, 0, 0, 2048, 0, 0, MIDDLE, 16384, 4), "fixed"),
    ],
)
def test_packed_and_fixed_samples(header: int, payload: bytes, decoded: str) -> None:
    told = c2g.decode(package(header, payload), None)
    assert told["ns"] == 7
    if decoded == "packed":
        assert (
            told["gyr_rads"]
            == [[pytest.approx(math.radians(1000)), 0.0, pytest.approx(-math.radians(1000))]] * 8
        )
        assert told["acc_ms2"] == [[0.0, pytest.approx(9.81), 0.0]] * 8
        assert told["errorFlags"] == 1
    elif decoded == "magnetic":
        assert told["mag_uT"] == [[1.0, -1.0, 2.0]] * 8
        assert told["name"] == "DataFullPacked200Hz"
    else:
        assert told["acc_ms2"] == [pytest.approx(9.81), 0.0, 0.0]
        assert told["delta_rad"] == pytest.approx(math.pi / 2)
        assert "mag_uT" not in told


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (b"\x02\x00", None, "2 bytes, needs 8"),
        (b"\x03" + full(1)[1:], None, "begins with 03"),
        (full(1)[:-1], None, "its length byte says 45"),
        (full(1)[:-1] + b"\x55", None, "checksum"),
        (full(1) + b"\x00", None, "1 bytes too many"),
        (package(0x0201, bytes(18)), None, "18 bytes, must be 19"),
        (package(0x0150, b"\x01"), None, "1 bytes, must be 0"),
        (package(0x0287, struct.pack("<qQhB", 0, 0xFFFFF << 40 | 0xFFFFF, 0, 0)), None, "three components"),
        (b"", c2g.NOTIFY, "0 bytes"),
        (b"\xfb" + full(1) * 4, c2g.NOTIFY, "4 real-time packages, allowed: up to 3"),
        (b"\xfe" + full(1)[:20], c2g.NOTIFY, "length byte"),
        (b"\x00", "2a19", "channel 2a19"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        c2g.decode(data, channel)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: math.hypot(*q) > 0.1))
def test_quaternions_come_back_with_their_sign_or_the_other(values: list[float]) -> None:
    length = math.hypot(*values)
    quat: Quat = tuple(value / length for value in values)  # type: ignore[assignment]
    told, rest, disturbed = packages.unpack_quat(_quat_bits(quat))
    assert not rest
    assert not disturbed
    sign = math.copysign(1.0, sum(a * b for a, b in zip(quat, told, strict=True)))
    assert all(abs(sign * a - b) < 3e-6 for a, b in zip(quat, told, strict=True))


@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_a_stream_cut_anywhere_with_garbage_before_it_gives_its_packages(seed: int, sizes: list[int]) -> None:
    chance = random.Random(seed)
    sent = [(0x0400 + n, chance.randbytes(size)) for n, size in enumerate(sizes)]
    data = chance.randbytes(chance.randrange(5)).replace(b"\x02", b"") + b"".join(
        package(*one) for one in sent
    )
    stream, got = c2g.Stream(), []
    while data:
        cut = chance.randrange(1, 30)
        got += list(stream.feed(data[:cut]))
        data = data[cut:]
    assert got == sent


@given(st.binary(max_size=300))
def test_any_stream_never_raises(data: bytes) -> None:
    list(c2g.Stream().feed(data))


def test_flags_of_the_device() -> None:
    assert Capture2Go("foot", "").accept(full(0), 10**9).reason == ""
    clipped = Capture2Go("foot", "").accept(full(0, flags=0x02), 10**9)
    assert clipped.valid
    assert "clipped" in clipped.reason
    wrong = Capture2Go("foot", "").accept(full(0, flags=0x10), 10**9)
    assert not wrong.valid
    assert "processing" in wrong.reason


class TestContract(SensorContract):
    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return Capture2Go("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedCapture2Go(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return full(1_700_000_000_000_000_000 + count * PERIOD_NS)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, Capture2Go)
        return sensor.accept(data, arrival_ns)

    def test_no_flipped_bit_is_a_valid_sample(self) -> None:
        frame = self.frame(0)
        for bit in range(8 * len(frame)):
            broken = bytearray(frame)
            broken[bit // 8] ^= 1 << bit % 8
            (sample,) = self.stream([(0, bytes(broken))])
            assert not sample.valid


def motion(t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    """Rate x counts 5 ms for 2 s, so that a value tells its instant."""
    return (0.5, -0.5, 0.5, -0.5), (0.0, -1.5, 9.81), (t_ns // 5_000_000 % 400 * 0.01, 1.0, -2.0)


async def test_stream_over_gatt_with_loss() -> None:
    async def collect() -> list[ImuSample]:
        samples: list[ImuSample] = []
        conditions = RadioConditions(jitter_ms=4.0, burst=0.05, burst_ms=60.0, loss=0.05, seed=2)
        async with VirtualRadio(conditions) as radio:
            await radio.add(EmulatedCapture2Go(motion, drift_ppm=80.0))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), Capture2Go("foot", NAME, backend) as sensor:
                async for sample in sensor:
                    samples.append(sample)
                    if len(samples) >= 300:
                        break
            await backend.aclose()
        return samples

    samples = [sample for sample in (await collect()) if sample.valid]
    assert len(samples) > 200
    lost = 0
    for before, sample in itertools.pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        assert sample.acc_mps2 == pytest.approx((0.0, -1.5, 9.81), abs=0.0025)
        assert sample.quat_wxyz == pytest.approx((0.5, -0.5, 0.5, -0.5), abs=1e-5)
        lost += sample.seq - before.seq - 1
        climbed = round((sample.gyr_rps[0] - before.gyr_rps[0]) / 0.01) % 400
        assert abs((climbed / 2 - (sample.seq - before.seq) + 100) % 200 - 100) <= 1
    assert lost >= 3  # of a seeded 5 %


async def test_the_device_answers_its_commands() -> None:
    async def talk() -> list[dict[str, object]]:
        coming: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        stream = c2g.Stream()

        def take(data: bytes, _arrival_ns: int) -> None:
            for one in stream.feed(c2g.split(data)[1]):
                coming.put_nowait(one)

        told = []
        async with VirtualRadio() as radio:
            await radio.add(EmulatedCapture2Go(lambda _t_ns: None))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(30), BleLink(NAME, backend) as link:
                await link.notify(c2g.NOTIFY, take)
                for command in (
                    package(0x0070, b""),
                    package(0x0170, struct.pack("<q", 5_000_000_000)),
                    package(0x0172, struct.pack("<4q", 42, 0, 0, 0)),
                    package(0x0999, b""),
                    package(0x0070, b"")[:-1] + b"\x01",
                ):
                    await link.write(c2g.WRITE, command)
                    header, payload = await coming.get()
                    told.append(packages.decode_payload(header, payload))
            await backend.aclose()
        return told

    info, set_time, trip, unknown, broken = await talk()
    assert info["serial"] == "ab1234"
    assert set_time == {"ns": 5_000_000_000}
    assert trip["hostSend_ns"] == 42
    assert 5_000_000_000 <= trip["sensorReceive_ns"] <= trip["sensorSend_ns"]  # type: ignore[operator]
    assert unknown == {"errorCode": 0xFD, "error": "unknown command", "command": "0x999"}
    assert broken["error"] == "broken package"


class Refusing(EmulatedCapture2Go):
    """A device that is recording."""

    async def _start(self, mode: bytes) -> None:
        self._answer(packages.SENSOR_ERROR, struct.pack("<BH", 0xFB, packages.START_REAL_TIME))


async def test_a_command_in_the_wrong_state_is_an_error() -> None:
    async def open_it() -> None:
        async with VirtualRadio() as radio:
            await radio.add(Refusing(lambda _t_ns: None))
            backend = bumble_backend(radio.hci_address)
            try:
                async with asyncio.timeout(30), Capture2Go("foot", NAME, backend):
                    pass
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="CmdStartRealTimeStreaming: wrong state"):
        await open_it()
