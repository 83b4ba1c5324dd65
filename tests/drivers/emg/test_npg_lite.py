"""NPG Lite: the firmware's bytes, the sensor contract, gaps across the counter's wrap, 500 Hz over GATT."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emg import npg_lite
from drivers.emg.npg_lite import BATTERY, CONTROL, DATA, VOLTS_PER_COUNT, NpgLite
from drivers.emulated.npg_lite import EmulatedNpgLite
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from drivers.packet_order import OUT_OF_ORDER
from drivers.rotation_clock import DOUBTFUL
from tests.data import REFERENCE, needs_reference
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 20_000_000
NAME = "NPG-Lite-3CH:1A:2B"


@needs_reference
def test_every_reference_vector_decodes_to_its_values() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = [vector for vector in vectors if vector["device"] == "npg-lite"]
    assert mine
    for vector in mine:
        decoded = decode("npg-lite", vector["hex"], vector["channel"])
        assert {key: decoded[key] for key in vector["decoded"]} == vector["decoded"], vector["name"]


@pytest.mark.parametrize(
    ("data", "channel", "decoded"),
    [
        (b"START", CONTROL, {"command": "START"}),
        (b"stop\n", CONTROL, {"command": "STOP"}),
        (b"NPG-LITE", CONTROL, {"answer": "NPG-LITE"}),
        (b"RUNNING", CONTROL, {"answer": "RUNNING"}),
        (b"UNKNOWN COMMAND", CONTROL, {"answer": "UNKNOWN COMMAND"}),
        (b"\x57", BATTERY, {"level_percent": 87}),
    ],
)
def test_texts_and_battery(data: bytes, channel: str, decoded: dict[str, object]) -> None:
    assert npg_lite.decode(data, channel) == decoded


def frame(first: int, channels: int = 3) -> bytes:
    return b"".join(
        bytes(((first + n) % 256,)) + b"".join((2048 + n + c).to_bytes(2, "big") for c in range(channels))
        for n in range(10)
    )


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        (b"", DATA, "0 bytes, must be 70 or 130"),
        (frame(0)[:63], DATA, "63 bytes"),
        (frame(0)[:7] + frame(9)[7:], DATA, "counter 10 after 0"),
        (frame(0)[:-2] + b"\x10\x00", DATA, "a count of 4096"),
        (b"GO", CONTROL, "control 'GO', allowed: START"),
        (b"\x65", BATTERY, "allowed: one byte up to 100"),
        (b"", BATTERY, "battery: nothing"),
        (b"\x00", None, "channel none"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        npg_lite.decode(data, channel)


@given(st.integers(0, 255), st.sampled_from([3, 6]))
def test_samples_of_any_counter_and_number_of_channels(first: int, channels: int) -> None:
    sample = NpgLite("arm", "").accept(frame(first, channels), 10**9)
    assert sample.valid
    assert sample.volts == tuple(tuple((n + c) * VOLTS_PER_COUNT for c in range(channels)) for n in range(10))
    assert sample.arrival_ns - sample.t_ns == 9 * npg_lite.SAMPLE_NS


def test_a_number_that_does_not_fit_its_time_costs_one_notification() -> None:
    sensor = NpgLite("arm", "")
    firsts = [10 * k for k in range(30)]
    firsts[12] = (firsts[12] + 100) % 256
    frames = [sensor.accept(frame(first), 10**9 + k * PERIOD_NS) for k, first in enumerate(firsts)]
    assert [one.valid for one in frames] == [True] * 12 + [False] + [True] * 17
    assert frames[12].reason == OUT_OF_ORDER
    assert frames[13].seq == frames[11].seq + 20


class TestContract(SensorContract):
    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return NpgLite("arm", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        return EmulatedNpgLite(lambda _t_ns: None if silent.is_set() else [0.0] * 3, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return frame(10 * count)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> EmgFrame:
        assert isinstance(sensor, NpgLite)
        return sensor.accept(data, arrival_ns)


def sawtooth(t_ns: int) -> list[float]:
    """Channel 0 climbs a count a sample for 2 s, so that a value tells its sample."""
    return [
        t_ns // npg_lite.SAMPLE_NS % 1000 * VOLTS_PER_COUNT,
        *(n * 10 * VOLTS_PER_COUNT for n in range(1, 6)),
    ]


@pytest.mark.parametrize("channels", [3, 6])
async def test_stream_over_gatt_with_loss(channels: int) -> None:
    async def collect() -> list[EmgFrame]:
        frames: list[EmgFrame] = []
        conditions = RadioConditions(jitter_ms=4.0, burst=0.05, burst_ms=60.0, loss=0.05, seed=5)
        async with VirtualRadio(conditions) as radio:
            await radio.add(EmulatedNpgLite(sawtooth, channels=channels, name=NAME))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), NpgLite("arm", NAME, backend) as sensor:
                assert await sensor.battery_percent() == 80
                async for one in sensor:
                    frames.append(one)
                    if len(frames) >= 150:
                        break
            await backend.aclose()
        return frames

    frames = [one for one in (await collect()) if one.valid]
    assert len(frames) > 80
    assert {one.reason for one in frames} <= {"", DOUBTFUL}
    lost = 0
    for before, one in itertools.pairwise(frames):
        assert one.seq > before.seq
        assert before.t_ns <= one.t_ns <= one.arrival_ns
        assert [len(row) for row in one.volts] == [channels] * 10
        lost += (one.seq - before.seq) // 10 - 1
        climbed = round((one.volts[0][0] - before.volts[0][0]) / VOLTS_PER_COUNT) % 1000
        off = (climbed - (one.seq - before.seq)) % 1000
        # whole cycles of half a second a machine that stands still can cost
        assert min(off % 256, -off % 256, (off - 1000) % 256, (1000 - off) % 256) <= 1
    assert lost >= 2  # of a seeded 5 %


async def test_another_board_with_the_same_identifiers_is_refused() -> None:
    async def open_it() -> None:
        async with VirtualRadio() as radio:
            await radio.add(EmulatedNpgLite(sawtooth, name=NAME, identity=b"HELLO"))
            backend = bumble_backend(radio.hci_address)
            try:
                async with asyncio.timeout(30), NpgLite("arm", NAME, backend):
                    pass
            finally:
                await backend.aclose()

    with pytest.raises(DeviceError, match="is no NPG Lite: it answers 'HELLO'") as caught:
        await open_it()
    assert not caught.value.transient


async def test_the_board_answers_its_commands() -> None:
    async def talk() -> list[bytes]:
        answers = []
        async with VirtualRadio() as radio:
            await radio.add(EmulatedNpgLite(sawtooth, name=NAME))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(30), BleLink(NAME, backend) as link:
                for command in (b"whoru", b"STATUS", b"START", b"status ", b"STOP", b"STATUS", b"HELP"):
                    await link.write(CONTROL, command)
                    answers.append(await link.read(CONTROL))
            await backend.aclose()
        return answers

    who, stopped, _, running, _, again, unknown = await talk()
    assert (who, stopped, running, again, unknown) == (
        b"NPG-LITE",
        b"STOPPED",
        b"RUNNING",
        b"STOPPED",
        b"UNKNOWN COMMAND",
    )
