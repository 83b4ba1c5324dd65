"""Shimmer3R: public messages, a stream without frames, the sensor contract of its EXG driver, GATT."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emg import shimmer, shimmer_exg
from drivers.emg.shimmer_exg import CHANNELS, DIVISOR, PERIOD_NS, ShimmerExg
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.emulated.shimmer_exg import EmulatedShimmerExg
from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend
from drivers.links.bumble_backend import bumble_backend
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract, finite

pytestmark = pytest.mark.real_time


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "shimmer3"]
    assert len(mine) == 6
    for vector in mine:
        decoded = decode("shimmer3", vector["hex"], vector["channel"])
        assert {key: decoded[key] for key in vector["decoded"]} == vector["decoded"], vector["name"]


@pytest.mark.parametrize(
    ("hex_bytes", "channel", "told"),
    [
        ("ff", None, {"acknowledged": True}),
        ("01", None, {"command": "inquiry"}),
        ("074000"[:2], None, {"command": "start"}),
        ("054000", None, {"command": "set rate", "divisor": 64, "rate_hz": 512.0}),
        ("08100000", None, {"command": "set sensors", "sensors": 16}),
        ("5e01", None, {"command": "expansion power", "on": True}),
        ("6101000a02a010e1e10000000201", None,
         {"command": "set EXG registers", "chip": 1, "first": 0, "registers": "02a010e1e10000000201"}),
        ("250a", None, {"hardware": "Shimmer3R", "hw_version": 10}),
        ("8a7112", None, {"status": 18, "bits": [1, 4], "status_text": ["sensing", "streaming"]}),
        ("02400000000000000000" + "0301" + "1d1e1f", None,
         {"divisor": 64, "rate_hz": 512.0, "n_channels": 3, "buffer": 1,
          "channels": ["EXG1_STATUS", "EXG1_CH1_24BIT", "EXG1_CH2_24BIT"]}),  # seven bytes of settings: 3R
        ("00010000c0fffffe000002", "1d,1e,1f",
         {"ts": 1, "EXG1_STATUS": 0xC0, "EXG1_CH1_24BIT": -2, "EXG1_CH2_24BIT": 2}),
        ("0000000001800180", "0a,0b", {"ts": 0, "GYRO_X": -32767, "GYRO_Y": -32767}),
    ],
)  # fmt: skip
def test_messages_in_words(hex_bytes: str, channel: str | None, told: dict[str, object]) -> None:
    assert decode("shimmer3", hex_bytes, channel) == told


@pytest.mark.parametrize(
    ("hex_bytes", "channel", "words"),
    [
        ("", None, "no bytes"),
        ("00ded0b226", None, "5 bytes beginning 00, must be 6"),
        ("00ded0b22607", "1d,zz", "channels such as"),
        ("00ded0b22607", "99", "channel 99 is not known"),
        ("ff02400001ff01090201", None, "do not fit the number of channels"),
        ("ff02400001ff0109020112", None, "do not fit the number of channels"),
        ("02000001ff0109010112", None, "divisor 0"),
        ("040000", None, "divisor 0"),
        ("7a05535f5050", None, "do not fit the length"),
        ("8a", None, "ends after 8a"),
        ("ee", None, "begins with ee"),
        ("0100", None, "1 bytes, must be 0"),
        ("6101000a02", None, "do not fit the length"),
    ],
)
def test_what_is_wrong_is_named(hex_bytes: str, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode("shimmer3", hex_bytes, channel)


@given(st.binary(max_size=40))
def test_any_bytes_give_values_or_a_named_reason(data: bytes) -> None:
    reason = ""
    try:
        assert shimmer.decode(data, None)
    except ValueError as error:
        reason = str(error)
    assert not reason or ":" in reason or "channel" in reason


def test_the_registers_for_emg_are_the_vendors_with_a_converter_no_slower_than_the_samples() -> None:
    assert shimmer.set_exg(0, shimmer.emg_registers(0, 500.0)).hex() == "6100000a02a81069602000000203"
    assert shimmer.set_exg(1, shimmer.emg_registers(1, 500.0)).hex() == "6101000a02a010e1e10000000201"
    assert shimmer.emg_registers(0, 512.0)[0] == 3  # 1000 Hz


def packet(count: int, one: int = 0, two: int = 0) -> bytes:
    stamp = (count * DIVISOR) % (1 << 24)
    return (
        b"\0" + stamp.to_bytes(3, "little") + b"\xc0"
        + one.to_bytes(3, "big", signed=True) + two.to_bytes(3, "big", signed=True)
    )  # fmt: skip


@given(st.data())
def test_the_stream_comes_out_however_it_is_cut_and_goes_on_after_lost_pieces(data: st.DataObject) -> None:
    count = 60
    rng = random.Random(data.draw(st.integers(0, 999)))
    wanted = [(n * DIVISOR, (0xC0, rng.randrange(-(2**23), 2**23), 0)) for n in range(count)]
    stream = b"".join(packet(n, wanted[n][1][1]) for n in range(count))
    marks = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *marks], [*marks, len(stream)], strict=True)]
    lost = data.draw(st.sets(st.integers(0, len(pieces) - 1), max_size=2))
    splitter = shimmer.PacketSplitter(CHANNELS, DIVISOR)
    got = []
    for place, piece in enumerate(pieces):
        got += [] if place in lost else splitter.feed(piece)
    assert [one for one in got if one not in wanted] == []  # nothing is made up
    gone = sum(math.ceil((len(pieces[place]) + 10) / 11) for place in lost)
    if min(map(len, pieces)) >= 22:  # as on a radio: each piece holds a whole packet
        assert len(got) >= count - gone - 2 * len(lost) - 1
        if not lost:
            assert got == wanted[: len(got)]


def test_pieces_of_any_length_lose_nothing_but_what_was_in_a_lost_one() -> None:
    count = 300
    stream = b"".join(packet(n, n) for n in range(count))
    for size in range(22, 245):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        for lost in (None, 5):
            splitter = shimmer.PacketSplitter(CHANNELS, DIVISOR)
            got = [one for n, piece in enumerate(pieces) if n != lost for one in splitter.feed(piece)]
            numbers = [counts[1] for _, counts in got]
            assert numbers == sorted(set(numbers))
            touched = 0 if lost is None else len({at // 11 for at in range(5 * size, 6 * size)})
            assert len(numbers) >= count - touched - 2, (size, lost)


def test_a_stream_that_begins_anew_off_its_old_time_is_found_again() -> None:
    splitter = shimmer.PacketSplitter(CHANNELS, DIVISOR)
    splitter.feed(b"".join(packet(n) for n in range(5)))
    anew = [b"\0" + (7 + n * DIVISOR).to_bytes(3, "little") + packet(n, n + 1, -1)[4:] for n in range(60)]
    got = splitter.feed(b"".join(anew))
    assert len(got) >= 60 - shimmer.ASTRAY_PACKETS - 2
    assert all(counts == (0xC0, stamp // DIVISOR + 1, -1) for stamp, counts in got)


class TestContract(SensorContract):
    period_ns = 2 * PERIOD_NS
    battery_percent = None

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return ShimmerExg("leg", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        return EmulatedShimmerExg(
            lambda _t: None if silent.is_set() else [1e-3, -1e-3], name="sensor under test"
        )

    def frame(self, count: int) -> bytes:
        return packet(2 * count, count) + packet(2 * count + 1, -count)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> EmgFrame:
        assert isinstance(sensor, ShimmerExg)
        return sensor.accept(data, arrival_ns)[-1]

    def test_every_truncation_is_an_invalid_sample_with_a_reason(self) -> None:
        """A cut notification is one that the next one goes on with: what is whole in it is right."""
        frame = self.frame(3)
        for size in range(len(frame)):
            (sample,) = self.stream([(3, frame[:size])])
            assert isinstance(sample, EmgFrame)
            assert finite(sample)
            assert sample.valid or sample.reason
            assert len(sample.volts) <= size // 11


def test_volts_are_those_of_the_converter() -> None:
    sensor = ShimmerExg("leg", "")
    full = 2**23 - 1
    (frame,) = sensor.accept(packet(0, full, -full) + packet(1), 10**9)
    assert frame.volts[0] == pytest.approx((2.42 / 12, -2.42 / 12))
    assert frame.volts[1] == (0.0, 0.0)
    assert frame.t_ns == pytest.approx(10**9 - PERIOD_NS, abs=1)


def test_the_clock_wraps_after_512_s_without_a_gap() -> None:
    sensor = ShimmerExg("leg", "")
    first = (1 << 24) // DIVISOR - 20
    frames = []
    for n in range(0, 40, 2):
        arrival_ns = 10**9 + n * PERIOD_NS
        frames += sensor.accept(packet(first + n) + packet(first + n + 1), arrival_ns)
    assert all(frame.valid for frame in frames)
    assert {b.seq - a.seq for a, b in itertools.pairwise(frames)} == {2}


def test_a_lost_packet_within_a_notification_ends_the_frame() -> None:
    sensor = ShimmerExg("leg", "")
    before, after = sensor.accept(b"".join(packet(n) for n in (0, 1, 2, 5, 6)), 10**9)
    assert (len(before.volts), len(after.volts)) == (3, 2)
    assert (before.seq, after.seq) == (0, 5)


def test_a_first_piece_that_came_late_sets_no_frame_back() -> None:
    sensor = ShimmerExg("leg", "")
    frames = []
    sizes = [4, 12, 3, 17, 8, 12, 9, 20]
    at = 0
    for n, size in enumerate(sizes):
        data = b"".join(packet(at + place) for place in range(size))
        at += size
        late_ns = 18_000_000 if n == 0 else 0
        frames += sensor.accept(data, 10**9 + at * PERIOD_NS + late_ns)
    assert all(frame.valid for frame in frames)
    assert all(a.t_ns <= b.t_ns <= b.arrival_ns for a, b in itertools.pairwise(frames))


async def test_stream_over_gatt() -> None:
    async def collect() -> list[EmgFrame]:
        frames: list[EmgFrame] = []
        async with VirtualRadio(RadioConditions(jitter_ms=4.0, loss=0.02, seed=6)) as radio:
            await radio.add(
                EmulatedShimmerExg(lambda _t: [1.5e-3, -2e-3], name="Shimmer", first_stamp=2**24 - 9)
            )
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), ShimmerExg("leg", "Shimmer", backend) as sensor:
                async for frame in sensor:
                    frames.append(frame)
                    if len(frames) >= 80:
                        break
            await backend.aclose()
        return frames

    frames = [frame for frame in (await collect()) if frame.valid]
    assert len(frames) > 60
    for before, frame in itertools.pairwise(frames):
        assert frame.seq >= before.seq + len(before.volts)
        assert before.t_ns < frame.t_ns <= frame.arrival_ns
    for frame in frames:
        for row in frame.volts:
            assert row == pytest.approx((1.5e-3, -2e-3), abs=shimmer_exg.VOLTS_PER_COUNT)


async def test_a_device_without_exg_unit_is_a_permanent_error() -> None:
    async def run() -> None:
        async with VirtualRadio() as radio:
            await radio.add(EmulatedShimmerExg(lambda _t: [0.0], name="Shimmer", has_exg=False))
            backend = bumble_backend(radio.hci_address)
            try:
                await ShimmerExg("leg", "Shimmer", backend).__aenter__()
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="not those of an EXG unit") as caught:
        await run()
    assert not caught.value.transient
