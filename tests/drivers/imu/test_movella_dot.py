"""Movella DOT: the specification's bytes, the sensor contract, and a stream across two processes."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emulated.dot import EmulatedDot
from drivers.emulated.radio import Peripheral, VirtualRadio
from drivers.imu import movella_dot as dot
from drivers.imu.movella_dot import MovellaDot
from drivers.interface import DeviceError, ImuSample, SensorWord
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract
from tests.drivers.links.radio_process import TURN_S
from tests.drivers.links.world import radio_process

pytestmark = pytest.mark.real_time

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "movella-dot"]
    assert mine
    for vector in mine:
        assert dot.decode(bytes.fromhex(vector["hex"]), vector["channel"]) == vector["decoded"], vector[
            "name"
        ]


def test_frame_from_the_layout_of_the_specification() -> None:
    data = struct.pack("<I10f", 4294967040, 0.5, -0.5, 0.5, -0.5, 0.25, -1.5, 9.8125, 180.0, -90.0, 0.0)
    frame = dot.unpack_custom5(data + bytes(19))  # longer than the mode: zeros trail
    assert frame.stamp_us == 4294967040
    assert frame.quat_wxyz == (0.5, -0.5, 0.5, -0.5)
    assert frame.acc_mps2 == (0.25, -1.5, 9.8125)
    assert frame.gyr_rps == pytest.approx((math.pi, -math.pi / 2, 0.0))


@given(
    stamp=st.integers(0, 2**32 - 1),
    quat=st.tuples(float32, float32, float32, float32),
    acc=st.tuples(float32, float32, float32),
    gyr=st.tuples(*(st.floats(-40, 40, width=32),) * 3),
)
def test_frame_round_trip(stamp: int, quat: tuple, acc: tuple, gyr: tuple) -> None:
    back = dot.unpack_custom5(dot.pack_custom5(dot.Custom5(stamp, quat, acc, gyr)))
    assert (back.stamp_us, back.quat_wxyz, back.acc_mps2) == (stamp, quat, acc)
    assert back.gyr_rps == pytest.approx(gyr, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("field", range(10))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_field_that_is_not_finite_is_refused(field: int, value: float) -> None:
    values = [0.0] * 10
    values[field] = value
    data = struct.pack("<I10f", 1, *values)
    with pytest.raises(ValueError, match="finite"):
        dot.decode(data, dot.PAYLOAD_LONG)
    sample = MovellaDot("foot", "none").accept(data, 10**9)
    assert not sample.valid
    assert "finite" in sample.reason
    assert sample.acc_mps2 == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("mode", "size"),
    # sizes from the specification's table of payloads
    [
        (2, 36),
        (3, 32),
        (4, 16),
        (5, 20),
        (6, 16),
        (7, 32),
        (16, 28),
        (18, 38),
        (19, 32),
        (20, 34),
        (21, 28),
        (22, 40),
        (23, 34),
        (24, 32),
        (26, 44),
    ],
)
def test_sizes_of_the_payload_modes(mode: int, size: int) -> None:
    assert dot.mode_size(mode) == size
    assert dot.decode_measurement(bytes(size), mode)["ts_us"] == 0
    with pytest.raises(ValueError, match=f"needs {size}"):
        dot.decode_measurement(bytes(size - 1), mode)


@given(st.integers(0, 255), st.binary(max_size=40))
def test_messages_close_and_any_changed_byte_is_seen(mid: int, payload: bytes) -> None:
    frame = dot.message(mid, payload)
    assert dot.decode(frame, dot.MESSAGE_CONTROL) == {"checksum_ok": True}
    broken = bytes((frame[0] ^ 1,)) + frame[1:]
    assert dot.decode(broken, dot.MESSAGE_ACK) == {"checksum_ok": False}


def test_device_info_fields() -> None:
    data = bytes.fromhex("ccbbaacd22d4 020400 e7070701 0c0000".replace(" ", ""))
    data += struct.pack("<IQ", 7, 0x1122334455667788) + b"XS-T01"
    assert dot.decode(data, dot.DEVICE_INFO) == {
        "mac": "D4:22:CD:AA:BB:CC",
        "firmware": "2.4.0",
        "build": "2023-07-01 12:00:00",
        "softdevice": 7,
        "serial": 0x1122334455667788,
        "product": "XS-T01",
    }


def test_output_rate_command_touches_the_rate_alone() -> None:
    command = dot.output_rate_command(60)
    assert command == bytes([0x10]) + bytes(23) + bytes([60]) + bytes(7)
    for rate_hz in (0, 59, 120):
        with pytest.raises(ValueError, match="allowed"):
            dot.output_rate_command(rate_hz)


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (b"", None, "channel none"),
        (b"\x01", "15179999-4947-11e9-8646-d663bd873d93", "not a Movella DOT"),
        (b"\x01\x02\x1a", dot.MEASUREMENT_CONTROL, "action 2"),
        (b"\x01\x01", dot.MEASUREMENT_CONTROL, "needs 3"),
        (b"\x01\x03\x01\x06", dot.MESSAGE_ACK, "length byte says 6"),
        (b"\x65\x00", dot.BATTERY, "101 %"),
        (bytes(64), dot.PAYLOAD_LONG, "carries 63"),
        (bytes(32), dot.PAYLOAD_MEDIUM, "do not tell"),
        (bytes(33), dot.DEVICE_INFO, "needs 34"),
        (bytes(31), dot.DEVICE_CONTROL, "needs 32"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dot.decode(data, channel)


class TestContract(SensorContract):
    period_ns = 16_667_000

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return MovellaDot("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedDot(lambda _t_ns: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        values = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.1, 0.2, 0.3))
        return dot.pack_custom5(dot.Custom5(4294967040 + 16_667 * count, *values))

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, MovellaDot)
        return sensor.accept(data, arrival_ns)

    def test_the_same_notification_twice_is_one_sample(self) -> None:
        samples = self.stream([(0, self.frame(0)), (0, self.frame(0)), (1, self.frame(1))])
        assert [sample.valid for sample in samples] == [True, False, True]


def test_a_restarted_device_goes_on_in_sequence() -> None:
    sensor = MovellaDot("foot", "none")
    still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
    period_us = 16_667
    seqs = []
    for k in range(60):
        # It restarts half a period off its old beat: no later sample may fall between two counts.
        stamp_us = 3_000_000_000 + k * period_us if k < 30 else (k - 30) * period_us + k % 2
        arrival_ns = 10**9 + k * period_us * 1000 + (period_us * 500 if k >= 30 else 0)
        sample = sensor.accept(dot.pack_custom5(dot.Custom5(stamp_us, *still)), arrival_ns)
        assert sample.valid == (k != 30)  # its first stamp may be a damaged one
        if sample.valid:
            seqs.append(sample.seq)
    steps = {b - a for a, b in pairwise(seqs[:30])} | {b - a for a, b in pairwise(seqs[30:])}
    assert steps == {1}
    assert 2 <= seqs[30] - seqs[29] <= 3


async def test_two_dots_share_one_host_and_refuse_bad_commands() -> None:
    def still(_t_ns: int) -> tuple:
        return (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0)

    async with VirtualRadio() as radio:
        addresses = ("D4:22:CD:00:00:01", "D4:22:CD:00:00:02")
        for address in addresses:
            await radio.add(EmulatedDot(still, address=address))
        backend = bumble_backend(radio.hci_address)
        async with (
            MovellaDot("foot", addresses[0], backend, rate_hz=60) as foot,
            MovellaDot("shank", addresses[1].lower(), backend, rate_hz=30) as shank,
        ):
            for sensor, period_ns in ((foot, 1e9 / 60), (shank, 1e9 / 30)):
                samples = aiter(sensor)
                first = await anext(samples)
                for _ in range(9):
                    last = await anext(samples)
                assert last.sensor == sensor.name
                assert last.valid
                assert last.seq == first.seq + 9
                assert last.t_ns - first.t_ns == pytest.approx(9 * period_ns, rel=0.5)
        async with BleLink(addresses[0], backend) as link:
            assert dot.decode(await link.read(dot.DEVICE_INFO), dot.DEVICE_INFO)["mac"] == addresses[0]
            assert (await link.read(dot.DEVICE_CONTROL))[24] == 60
            for wrong in (b"\x01\x01", b"\x01\x02\x1a", b"\x02\x01\x1a", b"\x01\x01\x63"):
                with pytest.raises(DeviceError, match="writing"):
                    await link.write(dot.MEASUREMENT_CONTROL, wrong)
            with pytest.raises(DeviceError, match="was not found") as caught:
                await link.read(dot.HEADING_STATUS)
            assert not caught.value.transient
        await backend.aclose()


async def test_stream_across_processes_with_loss_and_bursts() -> None:
    async def collect(hci_address: str) -> tuple[list[ImuSample], int | None]:
        backend = bumble_backend(hci_address)
        samples: list[ImuSample] = []
        async with MovellaDot("foot", "Movella DOT", backend) as sensor:
            battery = await sensor.battery_percent()
            async for sample in sensor:
                samples.append(sample)
                if sample.seq >= 180:
                    break
        await backend.aclose()
        return samples, battery

    with radio_process("dot") as hci_address:
        samples, battery = await collect(hci_address)
    assert battery == 80
    assert all(sample.valid for sample in samples)
    first = samples[0]
    for before, sample in pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        said_s = (first.acc_mps2[0] + (sample.seq - first.seq) / 60) % TURN_S
        if min(said_s, TURN_S - said_s) < 1 / 60:
            continue  # the mean over its interval holds the end of the ramp and its beginning
        true_step_s = (sample.acc_mps2[0] - first.acc_mps2[0]) % TURN_S
        assert sample.seq - first.seq == round(true_step_s * 60)
        # Mapped time is never before the true instant of the sample (80 ppm aside).
        late_s = (sample.t_ns / 1e9 - sample.acc_mps2[0] + TURN_S / 2) % TURN_S - TURN_S / 2
        assert late_s > -1e-3
        assert sample.acc_mps2[1:] == (-1.5, 9.8125)
        assert sample.quat_wxyz == (0.5, -0.5, 0.5, -0.5)
        assert sample.gyr_rps == pytest.approx((1.0, -2.0, 3.0), rel=1e-6)
    # Seeded 5 % loss: of 181 notifications some are missing, and not many.
    lost = samples[-1].seq - first.seq + 1 - len(samples)
    assert 1 <= lost <= 60
    gaps_ns = [b.arrival_ns - a.arrival_ns for a, b in pairwise(samples)]
    assert min(gaps_ns) < 5_000_000  # a burst: several left at one connection event


def measured(*values: float, tail: bytes = b"", zeros: int = 0) -> bytes:
    """A measurement notification: time stamp, floats, what else there is, and zeros to fill up."""
    return struct.pack(f"<I{len(values)}f", 1_234_567, *values) + tail + bytes(zeros)


@pytest.mark.parametrize(
    ("data", "channel", "modes"),
    [
        (measured(0.12, -0.145, 9.7, zeros=4), dot.PAYLOAD_SHORT, ("4", "6")),  # acceleration, filled to 20
        (measured(10.0, -20.0, 95.5, zeros=4), dot.PAYLOAD_SHORT, ("4", "6")),  # angles, filled to 20
        (measured(0.0, 0.6, 0.8, zeros=4), dot.PAYLOAD_SHORT, ("4", "5", "6")),  # any of the three
        (measured(0.1, 0.2, 9.8, 1.0, -2.0, 3.0, zeros=12), dot.PAYLOAD_MEDIUM, ("16", "21", "22")),
        (measured(1.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, zeros=8), dot.PAYLOAD_MEDIUM, ("2", "3", "24")),
    ],
)
def test_a_measurement_filled_up_with_zeros_is_told_as_ambiguous(
    data: bytes, channel: str, modes: tuple[str, ...]
) -> None:
    """Short and medium characteristics always send their whole length; the mode is not in it."""
    with pytest.raises(ValueError, match="do not tell the payload mode") as caught:
        dot.decode(data, channel)
    for mode in modes:
        assert f"{mode} (" in str(caught.value)


def test_four_numbers_are_a_quaternion_only_where_their_length_is_one() -> None:
    taken = dot.decode(measured(0.5, -0.5, 0.5, -0.5), dot.PAYLOAD_SHORT)
    assert taken["quat_wxyz"] == [0.5, -0.5, 0.5, -0.5]
    near = dot.decode(measured(0.5 * 1.009, -0.5 * 1.009, 0.5 * 1.009, -0.5 * 1.009), dot.PAYLOAD_SHORT)
    assert "quat_wxyz" in near
    for scale in (0.98, 1.02, 9.7, 0.0):
        with pytest.raises(ValueError, match="none"):
            dot.decode(measured(0.5 * scale, -0.5 * scale, 0.5 * scale, -0.5 * scale), dot.PAYLOAD_SHORT)
        whole = measured(0.5 * scale, 0.5 * scale, 0.5 * scale, 0.5 * scale, *(1.0,) * 6)
        with pytest.raises(ValueError, match="length 1"):
            dot.decode(whole, dot.PAYLOAD_LONG)
    filled = dot.decode(measured(1.0, 0.0, 0.0, 0.0, *(1.0,) * 6, zeros=19), dot.PAYLOAD_LONG)
    assert filled["gyr_dps"] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("data", "channel", "mode", "decoded"),
    [
        (measured(0.5, -0.25, 9.75, zeros=4), dot.PAYLOAD_SHORT, 6, {"free_acc_ms2": [0.5, -0.25, 9.75]}),
        (measured(10.0, -20.0, 95.5, zeros=4), dot.PAYLOAD_SHORT, 4, {"euler_deg": [10.0, -20.0, 95.5]}),
        (
            measured(0.0, 0.6, 0.8, 0.0),
            dot.PAYLOAD_SHORT,
            5,
            {"quat_wxyz": pytest.approx([0.0, 0.6, 0.8, 0.0])},
        ),
        (
            measured(0.5, 0.25, 9.75, 1.0, -2.0, 3.0, zeros=12),
            dot.PAYLOAD_MEDIUM,
            21,
            {"acc_ms2": [0.5, 0.25, 9.75], "gyr_dps": [1.0, -2.0, 3.0]},
        ),
        (
            measured(0.5, 0.25, 9.75, 1.0, -2.0, 3.0, tail=struct.pack("<3h", 100, -200, 4096)),
            dot.PAYLOAD_MEDIUM,
            20,
            {"acc_ms2": [0.5, 0.25, 9.75], "gyr_dps": [1.0, -2.0, 3.0], "mag_counts": [100, -200, 4096]},
        ),
        (
            measured(1.0, 0.0, 0.0, 0.0, 0.5, 0.25, 9.75, tail=struct.pack("<HBB", 0x201, 3, 4), zeros=4),
            dot.PAYLOAD_MEDIUM,
            2,
            {
                "quat_wxyz": [1, 0, 0, 0],
                "free_acc_ms2": [0.5, 0.25, 9.75],
                "status": 0x201,
                "clip_counts": [3, 4],
            },
        ),
    ],
)
def test_a_measurement_of_a_told_mode(
    data: bytes, channel: str, mode: int, decoded: dict[str, object]
) -> None:
    assert dot.decode(data, channel, mode) == {"ts_us": 1_234_567} | decoded
    assert decode("movella-dot", data.hex(":"), channel, mode) == {"ts_us": 1_234_567} | decoded


@pytest.mark.parametrize(
    ("data", "channel", "mode", "words"),
    [
        (measured(0.1, 0.2, 9.8, zeros=4), dot.PAYLOAD_SHORT, 5, "not of mode 5"),
        (measured(0.1, 0.2, 9.8), dot.PAYLOAD_SHORT, 26, "mode 26, allowed on this channel: 4, 5, 6"),
        (measured(0.1, 0.2, 9.8), dot.PAYLOAD_MEDIUM, 21, "16 bytes, needs 28"),
        (measured(0.1, 0.2, 9.8), dot.PAYLOAD_MEDIUM, 17, "mode 17, allowed on this channel: 2, 3, 7"),
        (b"\x50\x00", dot.BATTERY, 26, "only a measurement"),
    ],
)
def test_a_told_mode_that_does_not_fit_is_refused(data: bytes, channel: str, mode: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dot.decode(data, channel, mode)


async def test_its_button_is_told_and_its_goodbye() -> None:
    still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
    peer = EmulatedDot(lambda _t: still, name="button")
    async with VirtualRadio() as radio:
        await radio.add(peer)
        backend = bumble_backend(radio.hci_address)
        async with asyncio.timeout(60), MovellaDot("foot", "button", backend) as sensor:
            samples = aiter(sensor)
            await anext(samples)
            assert sensor.words() == []
            for kind in (5, 6, 7, 4, 1, 99):
                peer.report(kind)
            said: list[SensorWord] = []
            while len(said) < 5:
                await anext(samples)
                said += sensor.words()
        await backend.aclose()
    assert [word.text for word in said] == [
        "button pressed once",
        "button pressed twice",
        "button pressed three times",
        "power save",
        "power off",
    ]
