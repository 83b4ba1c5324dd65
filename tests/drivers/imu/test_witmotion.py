"""WitMotion WT901BLE: the datasheet's and captured bytes, the sensor contract of both frames, GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import struct

import pytest

from drivers.decode import decode
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.emulated.witmotion import EmulatedWitMotion
from drivers.imu import witmotion as wit
from drivers.imu.witmotion import NOTIFY, WRITE, WitMotion
from drivers.interface import ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from drivers.rotation_clock import DOUBTFUL
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 10_000_000
COUNTS = (2048, -1024, 0, 328, -164, 16, 8192, -16384, 0)


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "witmotion-wt901ble"]
    assert mine
    for vector in mine:
        decoded = decode("witmotion-wt901ble", vector["hex"], vector["channel"])
        for key, value in vector["decoded"].items():
            assert decoded[key] == pytest.approx(value, abs=5.1e-4), (vector["name"], key)


def short(counts: tuple[int, ...] = COUNTS) -> bytes:
    return b"\x55\x61" + struct.pack("<9h", *counts)


def long(ms: int) -> bytes:
    clock = (26, 12, 31, ms // 3_600_000, ms // 60_000 % 60, ms // 1000 % 60, ms % 1000)
    return short() + struct.pack("<6BH", *clock)


@pytest.mark.parametrize(
    ("data", "channel", "decoded"),
    # Layouts of the datasheet
    [
        (
            short().hex(),
            NOTIFY,
            {
                "acc_g": [1.0, -0.5, 0.0],
                "gyr_dps": [20.01953125, -10.009765625, 0.9765625],
                "roll_deg": 45.0,
                "pitch_deg": -90.0,
                "yaw_deg": 0.0,
            },
        ),
        (
            "55715100" + "ff7f000000800040" + "00" * 8,
            NOTIFY,
            {"register": 0x51, "quat": [32767 / 32768, 0.0, -1.0, 0.5]},
        ),
        ("55714000" + "c409" + "00" * 14, NOTIFY, {"register": 0x40, "temperature_c": 25.0}),
        (
            "55716400" + "8c01" + "00" * 14,
            NOTIFY,
            {"register": 0x64, "battery_v": 3.96, "level_percent": 100},
        ),
        (
            "55716400" + "5301" + "00" * 14,
            NOTIFY,
            {"register": 0x64, "battery_v": 3.39, "level_percent": 0},
        ),
        ("ffaa6988b5", WRITE, {"command": "unlock"}),
        ("ffaa000000", WRITE, {"command": "save", "value": 0}),
        ("ffaa030900", WRITE, {"command": "write", "register": 3, "value": 9}),
        ("ffaa276400", WRITE, {"command": "read", "register": 0x64}),
    ],
)
def test_frames_registers_and_commands(data: str, channel: str, decoded: dict[str, object]) -> None:
    assert decode("witmotion-wt901ble", data, channel) == decoded


def test_a_long_frame_tells_date_and_time() -> None:
    told = wit.decode(long(3_723_004), NOTIFY)
    assert (told["date"], told["time_ms"]) == ("2026-12-31", 3_723_004)
    assert told["acc_g"] == [1.0, -0.5, 0.0]


def test_frames_that_share_a_notification_are_split() -> None:
    registers = b"\x55\x71\x3a\x00" + bytes(16)
    assert wit.split(short() * 3 + registers) == [short()] * 3 + [registers]
    assert wit.split(long(1) + long(11)) == [long(1), long(11)]
    told = wit.decode(short() + registers, NOTIFY)["frames"]
    assert isinstance(told, list)
    assert [sorted(one)[0] for one in told] == ["acc_g", "mag_raw"]


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (b"", NOTIFY, "0 bytes, must be frames"),
        (b"\x55\x61\x00\x00\x00", NOTIFY, "5 bytes, needs 8"),
        (short() + b"\x55", NOTIFY, None),  # a cut long frame: what is there
        (short() * 2 + b"\x55", NOTIFY, "41 bytes, must be frames"),
        (b"\x55\x62" + bytes(18), NOTIFY, "begin with 5561"),
        (long(1)[:-2] + b"\xe8\x03", NOTIFY, "time 0:0:0.1000"),
        (b"\xff\xaa\x03", WRITE, "five bytes"),
        (b"\x00", None, "channel none"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str | None) -> None:
    if words is None:
        assert wit.decode(data, channel)["cut_at_bytes"] == len(data)
        return
    with pytest.raises(ValueError, match=words):
        wit.decode(data, channel)


def test_si_units() -> None:
    sample = WitMotion("foot", "").accept(short(), 10**9)
    assert sample.acc_mps2 == pytest.approx((9.80665, -4.903325, 0.0))
    assert sample.gyr_rps == pytest.approx(tuple(math.radians(n * 2000 / 32768) for n in COUNTS[3:6]))


def test_the_device_s_day_ends_without_a_gap() -> None:
    sensor = WitMotion("foot", "")
    stamps = [(wit.DAY_MS - 200 + 10 * k) % wit.DAY_MS for k in range(60)]
    samples = [sensor.accept(long(ms), 10**9 + k * PERIOD_NS) for k, ms in enumerate(stamps)]
    assert all(sample.valid for sample in samples)
    assert [sample.seq for sample in samples] == list(range(60))


class Both(SensorContract):
    period_ns = PERIOD_NS
    battery_percent = 60  # of 3.83 V
    long_frames = False

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return WitMotion("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedWitMotion(
            lambda _t: None if silent.is_set() else still,
            name="sensor under test",
            long_frames=self.long_frames,
        )

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, WitMotion)
        return sensor.accept(data, arrival_ns)


class TestLongFrames(Both):
    long_frames = True

    def frame(self, count: int) -> bytes:
        return long(1000 + 10 * count)

    def test_every_truncation_is_an_invalid_sample_with_a_reason(self) -> None:
        """But for the one to the length of a short frame, which is one."""
        for size in range(wit.LONG_BYTES):
            (sample,) = self.stream([(0, self.frame(0)[:size])])
            assert sample.valid == (size == wit.SHORT_BYTES)
            assert sample.valid or sample.reason


class TestShortFrames(Both):
    def frame(self, count: int) -> bytes:
        return short()

    def test_a_lost_notification_shows_as_a_jump(self) -> None:
        """No frame is numbered: two that are lost show within two seconds, by the lateness of the rest."""
        kept = [count for count in range(500) if count not in (150, 151)]
        samples = self.stream([(count, self.frame(count)) for count in kept])
        assert all(sample.valid for sample in samples)
        late = [count for count, sample in zip(kept, samples, strict=True) if sample.seq != count]
        assert late
        assert min(late) == 152
        assert max(late) < 350
        assert samples[-1].reason == DOUBTFUL


def motion(t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    """Rate x climbs with time for 2 s, so that a value tells its instant."""
    return (1.0, 0.0, 0.0, 0.0), (0.0, -1.5, 9.81), (t_ns // PERIOD_NS % 200 * 0.01, 1.0, -2.0)


@pytest.mark.parametrize("long_frames", [False, True])
async def test_stream_over_gatt(long_frames: bool) -> None:
    async def collect() -> list[ImuSample]:
        samples: list[ImuSample] = []
        conditions = RadioConditions(jitter_ms=4.0, loss=0.03 if long_frames else 0.0, seed=4)
        async with VirtualRadio(conditions) as radio:
            await radio.add(EmulatedWitMotion(motion, long_frames=long_frames))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), WitMotion("foot", "WT901BLE67", backend) as sensor:
                async for sample in sensor:
                    samples.append(sample)
                    if len(samples) >= 250:
                        break
            await backend.aclose()
        return samples

    samples = [sample for sample in (await collect()) if sample.valid]
    assert len(samples) > 150
    for before, sample in itertools.pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        assert sample.acc_mps2 == pytest.approx((0.0, -1.5, 9.81), abs=0.0025)
        if long_frames:
            climbed = round((sample.gyr_rps[0] - before.gyr_rps[0]) / 0.01) % 200
            assert abs((climbed - (sample.seq - before.seq) + 100) % 200 - 100) <= 1


async def test_registers_are_written_where_unlocked_and_read_back() -> None:
    async def talk() -> list[dict[str, object]]:
        coming: asyncio.Queue[bytes] = asyncio.Queue()
        told = []
        async with VirtualRadio() as radio:
            await radio.add(EmulatedWitMotion(lambda _t_ns: None))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(30), BleLink("WT901BLE67", backend) as link:
                await link.notify(NOTIFY, lambda data, _arrival_ns: coming.put_nowait(data))
                for command in ("ffaa030800", "ffaa270300", "ffaa6988b5", "ffaa030800", "ffaa270300"):
                    await link.write(WRITE, bytes.fromhex(command))
                    if command.startswith("ffaa27"):
                        told.append(wit.decode(await coming.get(), NOTIFY))
            await backend.aclose()
        return told

    locked, unlocked = await talk()
    assert locked["values"] == [6, 0, 0, 0, 0, 0, 0, 0]
    assert unlocked["values"] == [8, 0, 0, 0, 0, 0, 0, 0]
