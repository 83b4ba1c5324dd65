"""OYMotion gForcePro+: the SDK's bytes, the sensor contract, commands and pieces, 1000 Hz over GATT."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emg import gforce
from drivers.emg.gforce import COMMAND, DATA, GForce
from drivers.emulated.gforce import EmulatedGForce
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink
from drivers.links.bumble_backend import bumble_backend
from drivers.rotation_clock import DOUBTFUL
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

PERIOD_NS = 16_000_000
VOLTS_PER_COUNT = 2.5 / 1200 / 127


@pytest.mark.parametrize(
    ("data", "channel", "decoded"),
    # Layouts of gForceSDKPython and LibEMG
    [
        ("4f80000000", COMMAND, {"op": 0x4F, "name": "set data switch", "flags": 128}),
        (
            "3fe803ff008008",
            COMMAND,
            {
                "op": 0x3F,
                "name": "set EMG",
                "rate_hz": 1000,
                "channel_mask": 255,
                "batch_bytes": 128,
                "bits": 8,
            },
        ),
        ("08", COMMAND, {"op": 8, "name": "battery"}),
        ("00", COMMAND, {"op": 0, "name": "protocol version"}),
        ("1d", COMMAND, {"op": 0x1D, "name": "power off"}),
        ("000850", COMMAND, {"code": 0, "result": "ok", "op": 8, "name": "battery", "level_percent": 80}),
        ("004f", COMMAND, {"code": 0, "result": "ok", "op": 0x4F, "name": "set data switch"}),
        ("023f", COMMAND, {"code": 2, "result": "bad parameter", "op": 0x3F, "name": "set EMG"}),
        (
            "0006312e382e36",
            COMMAND,
            {"code": 0, "result": "ok", "op": 6, "name": "firmware revision", "text": "1.8.6"},
        ),
        ("ff0167466f", COMMAND, {"remaining": 1, "data": "67466f"}),
        (
            "08" + "80ff007f81010000" * 16,
            DATA,
            {"bits": 8, "samples": [[0, 127, -128, -1, 1, -127, -128, -128]] * 16},
        ),
        (
            "08" + "0008ff0f0000010800000000ff07ff0f" * 8,
            DATA,
            {"bits": 12, "samples": [[0, 2047, -2048, 1, -2048, -2048, -1, 2047]] * 8},
        ),
        ("01" + struct.pack("<3i", 65536, -32768, 0).hex(), DATA, {"acc_g": [1.0, -0.5, 0.0]}),
        ("04" + struct.pack("<3f", 10.0, -20.0, 0.5).hex(), DATA, {"euler_deg": [10.0, -20.0, 0.5]}),
        ("05" + struct.pack("<4f", 1.0, 0.0, -0.5, 0.5).hex(), DATA, {"quat": [1.0, 0.0, -0.5, 0.5]}),
    ],
)
def test_bytes_of_the_sdk(data: str, channel: str, decoded: dict[str, object]) -> None:
    assert decode("oymotion-gforcepro", data, channel) == decoded


@pytest.mark.parametrize(
    ("data", "channel", "words"),
    [
        ("", COMMAND, "0 bytes"),
        ("", DATA, "0 bytes"),
        ("4f80", COMMAND, "must be 4"),
        ("3fe803", COMMAND, "must be 6"),
        ("e803ff0080083f", COMMAND, "operation 232 is not documented"),  # as the SDK sends it: operation last
        ("000865", COMMAND, "allowed: one byte up to 100 %"),
        ("ff01", DATA, "needs 3"),
        ("08" + "80" * 127, DATA, "128 bytes, must be 129"),
        ("05" + "00" * 15, DATA, "must be 17"),
        ("050000c07f" + "00" * 12, DATA, "not finite"),
        ("0c", DATA, "data type 12"),
        ("08", None, "channel none"),
    ],
)
def test_what_is_wrong_is_named(data: str, channel: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gforce.decode(bytes.fromhex(data), channel)


def test_commands_are_those_of_the_layout() -> None:
    assert gforce.switch_command(gforce.SWITCH_EMG).hex() == "4f80000000"
    assert gforce.set_emg_command(gforce.EmgSettings(1000, 0xFF, 128, 8)).hex() == "3fe803ff008008"


@given(st.binary(min_size=1, max_size=300).filter(lambda data: data[0] != 0xFF), st.integers(2, 100))
def test_pieces_join_to_what_was_taken_apart(data: bytes, room: int) -> None:
    parts = [data[at : at + room] for at in range(0, len(data), room)]
    pieces = gforce.Pieces()
    for left, part in zip(range(len(parts) - 1, 0, -1), parts, strict=False):
        assert pieces.take(bytes((0xFF, left)) + part) is None
    assert pieces.take(b"\xff\x00" + parts[-1]) == data
    assert pieces.take(data) == data


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_any_pieces_never_raise_but_value_errors(parts: list[bytes]) -> None:
    pieces = gforce.Pieces()
    for part in parts:
        with contextlib.suppress(ValueError):
            pieces.take(part)


def test_a_missing_piece_is_told_and_the_next_frame_is_whole() -> None:
    pieces = gforce.Pieces()
    assert pieces.take(b"\xff\x02abc") is None
    with pytest.raises(ValueError, match="piece 0, expected 1"):
        pieces.take(b"\xff\x00ghi")
    assert pieces.take(b"\xff\x01abc") is None
    with pytest.raises(ValueError, match="last pieces missing, from 0"):
        pieces.take(b"\x08abc")
    assert pieces.take(b"\x08abc") == b"\x08abc"


@pytest.mark.parametrize(("bits", "rate_hz", "samples"), [(8, 1000, 16), (8, 650, 16), (12, 500, 8)])
def test_volts_and_times_of_a_frame(bits: gforce.Bits, rate_hz: int, samples: int) -> None:
    sensor = GForce("arm", "", rate_hz=rate_hz, bits=bits)
    top = (2**bits - 1).to_bytes(bits // 8 + bits % 8 // 4, "little")
    frame = sensor.accept(b"\x08" + top * (128 // len(top)), 10**9)
    assert frame.volts == ((pytest.approx(2.5 / 1200),) * 8,) * samples
    assert frame.rate_hz == rate_hz
    assert frame.arrival_ns - frame.t_ns == round((samples - 1) * 1e9 / rate_hz)


@pytest.mark.parametrize(("bits", "rate_hz"), [(12, 1000), (12, 650), (8, 200)])
def test_what_the_armband_cannot_do_is_refused(bits: gforce.Bits, rate_hz: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        GForce("arm", "", rate_hz=rate_hz, bits=bits)


class TestContract(SensorContract):
    period_ns = PERIOD_NS

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return GForce("arm", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        return EmulatedGForce(lambda _t_ns: None if silent.is_set() else [0.0] * 8, name="sensor under test")

    def frame(self, count: int) -> bytes:
        return b"\x08" + bytes((count + n) % 256 for n in range(128))

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> EmgFrame:
        assert isinstance(sensor, GForce)
        return sensor.accept(data, arrival_ns)

    def test_a_lost_notification_shows_as_a_jump(self) -> None:
        """No frame is numbered: two that are lost show within two seconds, by the lateness of the rest."""
        kept = [count for count in range(400) if count not in (100, 101)]
        samples = self.stream([(count, self.frame(count)) for count in kept])
        assert all(sample.valid for sample in samples)
        late = [
            (sample.seq, sample.reason)
            for count, sample in zip(kept, samples, strict=True)
            if sample.seq != 16 * count
        ]
        assert all(kept.index(102) * 16 <= seq <= 16 * 225 for seq, _ in late)
        assert {reason for _, reason in late[15:]} == {DOUBTFUL}  # from 200 ms on


class Keeping(GForce):
    """Keeps every frame as it came, a list for every connection."""

    def __init__(self, name: str, backend: BleBackend) -> None:
        super().__init__("arm", name, backend)
        self.came: list[list[bytes]] = []

    async def _start(self, link: BleLink) -> None:
        self.came.append([])
        await super()._start(link)

    def accept(self, data: bytes, arrival_ns: int) -> EmgFrame:
        self.came[-1].append(data)
        return super().accept(data, arrival_ns)


async def stream(
    peripheral: EmulatedGForce, conditions: RadioConditions, frames: int
) -> tuple[list[EmgFrame], list[list[bytes]]]:
    got: list[EmgFrame] = []
    async with VirtualRadio(conditions) as radio:
        await radio.add(peripheral)
        backend = bumble_backend(radio.hci_address)
        async with asyncio.timeout(60), Keeping(peripheral.name, backend) as sensor:
            assert await sensor.battery_percent() == 80
            async for frame in sensor:
                got.append(frame)
                if len(got) >= frames:
                    break
        await backend.aclose()
    return got, sensor.came


@pytest.mark.parametrize("mtu_max", [247, 100])
async def test_a_thousand_samples_a_second_of_eight_channels_lose_none(mtu_max: int) -> None:
    """Channel 0 counts the samples that were taken; at the smaller MTU every frame comes in two pieces."""
    taken = itertools.count()

    def source(_t_ns: int) -> list[float]:
        return [(next(taken) % 200 - 100) * VOLTS_PER_COUNT, *(channel * 1e-4 for channel in range(1, 8))]

    conditions = RadioConditions(jitter_ms=4.0, burst=0.02, burst_ms=100.0, seed=1)
    frames, came = await stream(EmulatedGForce(source, mtu_max=mtu_max), conditions, 125)
    assert sum(len(connection) for connection in came) >= 100
    for connection in came:
        rows = [row for data in connection for row in gforce.unpack_emg(data, 8)]
        assert [row[0] for row in rows] == [(rows[0][0] + 100 + k) % 200 - 100 for k in range(len(rows))]
    valid = [frame for frame in frames if frame.valid]
    assert len(valid) > 60
    for before, frame in itertools.pairwise(valid):
        assert before.seq < frame.seq
        assert before.t_ns <= frame.t_ns <= frame.arrival_ns
        for row in frame.volts:
            assert row[1:] == pytest.approx([n * 1e-4 for n in range(1, 8)], abs=VOLTS_PER_COUNT / 2)


async def test_the_armband_refuses_what_it_cannot_do_and_the_driver_says_so() -> None:
    async def ask() -> list[dict[str, object]]:
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        got = []
        async with VirtualRadio() as radio:
            await radio.add(EmulatedGForce(lambda _t_ns: None, name="armband"))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(30), BleLink("armband", backend) as link:
                await link.notify(COMMAND, lambda data, _arrival_ns: answers.put_nowait(data))
                for command in ("06", "46", "3fe803ff00800c", "3f", "4f", "26", "3ff401ff00800c", "46"):
                    await link.write(COMMAND, bytes.fromhex(command))
                    got.append(gforce.decode(await answers.get(), COMMAND))
            await backend.aclose()
        return got

    name, before, fast, short, switch, unknown, slow, after = await ask()
    assert name["text"] == "1.8.6"
    assert (before["rate_hz"], before["bits"]) == (650, 8)
    assert [answer["code"] for answer in (fast, short, switch, unknown, slow)] == [2, 2, 2, 1, 0]
    assert (after["rate_hz"], after["bits"]) == (500, 12)


class Refusing(EmulatedGForce):
    """An older armband without EMG settings."""

    def _set_emg(self, payload: bytes) -> int:
        return gforce.UNSUPPORTED


class Mute(EmulatedGForce):
    def notify(self, characteristic: object, value: bytes) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "words", "transient"), [(Refusing, "not supported", False), (Mute, "no answer", True)]
)
async def test_a_command_that_fails_is_an_error(
    kind: type[EmulatedGForce], words: str, transient: bool
) -> None:
    with pytest.raises(DeviceError, match=f"set EMG: {words}") as caught:
        await stream(kind(lambda _t_ns: None), RadioConditions(), 1)
    assert caught.value.transient is transient
