"""MbientLab MetaMotion: messages of the SDK's tests, the sensor contract, two streams made one, GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emulated.metamotion import EmulatedMetaMotion
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.imu import metamotion as mm
from drivers.imu.metamotion import COMMAND, NOTIFY, MetaMotion
from drivers.interface import ZERO3, DeviceError, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend
from drivers.links.bumble_backend import bumble_backend
from drivers.rotation_clock import DOUBTFUL
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 30_000_000  # between notifications
START_NS = 10**9


def near(value: object) -> object:
    """The vectors are rounded."""
    if isinstance(value, list):
        return [near(one) for one in value]
    return pytest.approx(value, abs=6e-4) if isinstance(value, float) else value


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "mbientlab-metamotion"]
    assert len(mine) > 5
    for vector in mine:
        span = re.search(r"\+-(\d+)", vector["name"])
        mode = int(span[1]) if span else None
        decoded = decode("mbientlab-metamotion", vector["hex"], vector["channel"], mode)
        for key, value in vector["decoded"].items():
            assert decoded[key] == near(value), (vector["name"], key)


@pytest.mark.parametrize(
    ("data", "channel", "mode", "decoded"),
    # Layouts of MetaWear-SDK-Cpp
    [
        (b"\x03\x04" + struct.pack("<3h", 2048, -1024, 0), NOTIFY, 16, {"acc_g": [1.0, -0.5, 0.0]}),
        (b"\x13\x05" + struct.pack("<3h", 164, -328, 0), NOTIFY, 2000, {"gyr_dps": [10.0, -20.0, 0.0]}),
        (
            b"\x13\x05" + struct.pack("<9h", *(0, 328, 0) * 3),
            NOTIFY,
            1000,
            {"gyr_dps": [[0.0, 10.0, 0.0]] * 3},
        ),
        (
            b"\x03\x04" + struct.pack("<3h", 2048, -1024, 0),
            NOTIFY,
            None,
            {"counts": [2048, -1024, 0], "range": "not in the bytes; --mode one of 2, 4, 8, 16 (g)"},
        ),
        (
            b"\x19\x07" + struct.pack("<4f", 1.0, 0.0, -0.5, 0.25),
            NOTIFY,
            None,
            {"quat_wxyz": [1.0, 0.0, -0.5, 0.25]},
        ),
        (
            b"\x19\x04" + struct.pack("<3f", 1000.0, -500.0, 250.0) + b"\x03",
            NOTIFY,
            None,
            {"acc_g": [1.0, -0.5, 0.25], "accuracy": 3},
        ),
        (
            b"\x03\x80\x01\x02",
            NOTIFY,
            None,
            {"module": "accelerometer", "register": 0, "present": True, "implementation": 1, "revision": 2},
        ),
        (b"\x15\x80", NOTIFY, None, {"module": "magnetometer", "register": 0, "present": False}),
        (
            b"\x03\x03\x28\x0c",
            COMMAND,
            None,
            {"module": "accelerometer", "register": 3, "read": False, "data": "280c"},
        ),
        (b"\x11\xcc", COMMAND, None, {"module": "settings", "register": 0x4C, "read": True, "data": ""}),
    ],
)
def test_messages(data: bytes, channel: str, mode: int | None, decoded: dict[str, object]) -> None:
    assert mm.decode(data, channel, mode) == decoded


@pytest.mark.parametrize(
    ("data", "channel", "mode", "words"),
    [
        (b"\x03", NOTIFY, None, "1 bytes, needs 2"),
        (b"\x77\x01", NOTIFY, None, "module 0x77, known"),
        (b"\x03\x04" + bytes(6), NOTIFY, 3, "range 3 g, allowed: 2, 4, 8, 16"),
        (b"\x19\x07" + bytes(15), NOTIFY, None, "15 bytes, must be 16"),
        (b"\x19\x07" + struct.pack("<4f", 1, 0, 0, math.nan), NOTIFY, None, "not finite"),
        (b"\x11\x8c\x65\x00\x10", NOTIFY, None, "up to 100 %"),
        (b"\x03\x04", "2a19", None, "channel 2a19"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str, mode: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mm.decode(data, channel, mode)


def counts(*vectors: tuple[int, int, int]) -> bytes:
    return b"".join(struct.pack("<3h", *vector) for vector in vectors)


def test_the_acceleration_is_taken_between_its_neighbours_in_time() -> None:
    """The rates come 4 ms after the accelerations, which rise by 100 counts a sample."""
    sensor = MetaMotion("foot", "")
    got: list[ImuSample] = []
    for k in range(20):
        at_ns = START_NS + k * PERIOD_NS
        rise = [300 * k + 100 * n for n in range(3)]
        got += sensor.accept_acc(counts(*((n, 0, 2048) for n in rise)), at_ns)
        got += sensor.accept_gyr(counts(*((164, 0, n) for n in range(3))), at_ns + 4_000_000)
    assert [sample.seq for sample in got] == list(range(len(got)))
    assert len(got) == 20 * 3 - 1  # the last rate waits for the next acceleration
    assert all(sample.valid for sample in got)
    per_count = 9.80665 / 2048
    for sample in got:
        assert sample.gyr_rps[0] == pytest.approx(math.radians(10.0))
        assert sample.acc_mps2[2] == pytest.approx(9.80665)
        assert sample.acc_mps2[0] / per_count == pytest.approx(100 * sample.seq + 40)


def test_times_stand_still_where_an_earlier_notification_was_late() -> None:
    sensor = MetaMotion("foot", "")
    got = []
    for k, late_ns in enumerate([20_000_000, 0, 0]):
        got += sensor.accept_acc(counts(*((0, 0, 2048),) * 3), START_NS + k * PERIOD_NS + late_ns)
        got += sensor.accept_gyr(counts(*((1, 2, 3),) * 3), START_NS + k * PERIOD_NS + late_ns)
    assert len(got) == 9
    assert all(before.t_ns <= sample.t_ns for before, sample in itertools.pairwise(got))


def test_a_rate_whose_acceleration_does_not_come_is_invalid() -> None:
    sensor = MetaMotion("foot", "")
    rates = counts(*((1, 2, 3),) * 3)
    got = [one for k in range(20) for one in sensor.accept_gyr(rates, START_NS + k * PERIOD_NS)]
    assert len(got) == 3 * 15  # each after 150 ms
    assert {(sample.valid, sample.reason) for sample in got} == {(False, mm.NO_ACCELERATION)}


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=20), st.integers(0, 200)), max_size=40))
def test_any_two_streams_never_raise_or_go_back(plan: list[tuple[bool, bytes, int]]) -> None:
    sensor = MetaMotion("foot", "")
    now_ns, last_ns, last_seq = START_NS, 0, -1
    for acc, data, wait_ms in plan:
        now_ns += wait_ms * 1_000_000
        whole = data.ljust(18, b"\1")[:18] if len(data) % 2 else data
        for sample in (sensor.accept_acc if acc else sensor.accept_gyr)(whole, now_ns):
            if sample.valid:
                assert last_ns <= sample.t_ns <= now_ns
                assert sample.seq > last_seq
                last_ns, last_seq = sample.t_ns, sample.seq


class TestContract(SensorContract):
    """A frame is a notification of the rate beside one of the acceleration; its last sample counts."""

    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return MetaMotion("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedMetaMotion(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return counts(*((count, -count, n) for n in range(3)))

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, MetaMotion)
        sensor.accept_acc(counts(*((0, 0, 2048),) * 3), arrival_ns)
        got = sensor.accept_gyr(data, arrival_ns)
        return (
            got[-1] if got else ImuSample("foot", 0, arrival_ns, 0, ZERO3, ZERO3, valid=False, reason="waits")
        )

    def test_a_lost_notification_shows_as_a_jump(self) -> None:
        """None is numbered: two that are lost show within two seconds, by the lateness of the rest."""
        kept = [count for count in range(300) if count not in (100, 101)]
        samples = self.stream([(count, self.frame(count)) for count in kept])
        assert all(sample.valid for sample in samples)
        late = [n for n, sample in zip(kept, samples, strict=True) if sample.seq != 3 * n + 2]
        assert late
        assert min(late) == 102
        assert max(late) < 180
        assert samples[-1].reason == DOUBTFUL


def motion(t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    """Acceleration x and rate x climb together for 2 s, so that they tell whether they belong together."""
    place = t_ns // 10_000_000 % 200 / 200
    return (1.0, 0.0, 0.0, 0.0), (place * 20, -1.5, 9.81), (place * 20, 1.0, -2.0)


@pytest.mark.parametrize("board_s", [False, True])
async def test_stream_over_gatt(board_s: bool) -> None:
    async def collect() -> list[ImuSample]:
        samples: list[ImuSample] = []
        async with VirtualRadio(RadioConditions(jitter_ms=4.0, seed=8)) as radio:
            await radio.add(EmulatedMetaMotion(motion, board_s=board_s))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), MetaMotion("foot", "MetaWear", backend) as sensor:
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
        assert sample.acc_mps2[1:] == pytest.approx((-1.5, 9.81), abs=0.005)
        assert sample.gyr_rps[1:] == pytest.approx((1.0, -2.0), abs=0.001)
    # Of one instant both are the same, 0.1 a sample; a machine that stands still can cost some notifications.
    apart = [abs(sample.acc_mps2[0] - sample.gyr_rps[0]) for sample in samples]
    assert sorted(apart)[len(apart) // 2] < 1.5


class Older(EmulatedMetaMotion):
    """A board with an accelerometer that no MetaMotion has."""

    def _read(self, module: int, register: int) -> None:
        self.notify(self._told, bytes((module, register, 0, 0)))


async def test_a_board_of_other_chips_is_refused() -> None:
    async def open_it() -> None:
        async with VirtualRadio() as radio:
            await radio.add(Older(motion))
            backend = bumble_backend(radio.hci_address)
            try:
                async with asyncio.timeout(30), MetaMotion("foot", "MetaWear", backend):
                    pass
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="known implementations: 1, 4") as caught:
        await open_it()
    assert not caught.value.transient
