"""A sensor described in TOML: file and built-in driver decode alike; a wrong file is refused by its key."""

from __future__ import annotations

import asyncio
import copy
import itertools
import shutil
import struct
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.commands.sensor import Account, account, listen, open_sensor, rows_of
from controller.config.session import device_texts, load_session
from controller.errors import ConfigError
from controller.runtime.session_facts import sensor_plans
from drivers import own_device
from drivers.catalogue import sensor_device
from drivers.decode import decode
from drivers.devices import Body
from drivers.emg import gforce, myo, npg_lite
from drivers.emulated.dot import EmulatedDot
from drivers.emulated.npg_lite import EmulatedNpgLite
from drivers.emulated.own import EmulatedOwn
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.imu import movella_dot, thingy52, witmotion
from drivers.interface import EmgFrame, ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend
from drivers.links.bumble_backend import bumble_backend
from drivers.own_sensor import OwnSensor
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "devices"
FILES = sorted(FOLDER.glob("*.toml"))


def file_of(name: str) -> str:
    return str(FOLDER / f"{name}.toml")


def own(name: str, sensor: str = "sensor", backend: BleBackend | None = None) -> OwnSensor:
    return OwnSensor(own_device.load(FOLDER / f"{name}.toml"), "sensor", sensor, backend)


def dot_frame(stamp: int, acc: tuple[float, ...], gyr: tuple[float, ...]) -> bytes:
    return struct.pack("<I10f", stamp, 0.5, -0.5, 0.5, -0.5, *acc, *gyr)


def npg_frame(first: int, counts: list[int]) -> bytes:
    rows = [counts[3 * n : 3 * n + 3] for n in range(10)]
    return b"".join(struct.pack(">B3H", (first + n) % 256, *row) for n, row in enumerate(rows))


i16s = st.lists(st.integers(-32768, 32767), min_size=9, max_size=9)
reals = st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 3)
FRAMES: dict[str, tuple[str, str, st.SearchStrategy[bytes]]] = {
    "thingy52": ("thingy52", thingy52.RAW, i16s.map(lambda one: struct.pack("<9h", *one))),
    "wt901ble": ("witmotion-wt901ble", witmotion.NOTIFY,
                 i16s.map(lambda one: b"\x55\x61" + struct.pack("<9h", *one))),
    "movella_dot": ("movella-dot", movella_dot.PAYLOAD_LONG,
                    st.builds(dot_frame, st.integers(0, 2**32 - 1), reals, reals)),
    "myo": ("myo", myo.EMG[2], st.binary(min_size=16, max_size=16)),
    "npg_lite": ("npg-lite", npg_lite.DATA,
                 st.builds(npg_frame, st.integers(0, 255),
                           st.lists(st.integers(0, 4095), min_size=30, max_size=30))),
    # a sample of 128 or more, so that 8 bits are told from 12
    "gforcepro": ("oymotion-gforcepro", gforce.DATA,
                  st.binary(min_size=127, max_size=127).map(lambda one: b"\x08\x80\xff" + one[1:])),
}  # fmt: skip


def test_there_are_six_files_and_each_has_its_frames_here() -> None:
    assert {path.stem for path in FILES} == set(FRAMES)


@pytest.mark.parametrize("name", sorted(FRAMES))
@given(st.data())
def test_file_and_driver_decode_alike(name: str, data: st.DataObject) -> None:
    protocol, channel, frames = FRAMES[name]
    frame = data.draw(frames).hex()
    told = decode(file_of(name), frame, channel)
    known = decode(protocol, frame, channel)
    assert told
    for key, value in told.items():
        if isinstance(value, float) or (isinstance(value, list) and isinstance(value[0], float)):
            assert value == pytest.approx(known[key], rel=1e-12), key
        else:
            assert value == known[key], key


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_another_length_or_characteristic_is_refused(name: str) -> None:
    _, channel, _ = FRAMES[name]
    frame = bytes(own_device.load(FOLDER / f"{name}.toml").frame_bytes)
    for wrong in (frame[:-1], frame + b"\0", b""):
        with pytest.raises(ValueError, match=r"bytes, must be"):
            decode(file_of(name), wrong.hex(), channel)
    with pytest.raises(ValueError, match="channel"):
        decode(file_of(name), frame.hex(), "00001234-0000-1000-8000-00805f9b34fb")


Change = Callable[[dict[str, Any]], object]
WRONG: list[tuple[Change, str]] = [
    (lambda t: t["device"].pop("name"), "device.name: is missing, allowed: text"),
    (lambda t: t["device"].update(kind="ecg"), "device.kind: found 'ecg', allowed: imu, emg"),
    (lambda t: t["device"].update(rate_hz=0), "device.rate_hz: found 0, allowed: 1 to 10000"),
    (lambda t: t["device"].update(rate_hz=float("nan")), "device.rate_hz"),
    (lambda t: t["device"].update(rate_hz=True), "device.rate_hz"),
    (lambda t: t["device"].update(rat_hz=1), r"device.rat_hz: unknown key \(did you mean 'rate_hz'"),
    (lambda t: t.pop("frame"), "frame: found None, allowed: a table"),
    (lambda t: t.update(extra={}), "extra: unknown key"),
    (lambda t: t["bluetooth"].update(data=[]), "bluetooth.data"),
    (lambda t: t["bluetooth"].update(data=["12"]), "bluetooth.data: found '12', allowed: a UUID"),
    (lambda t: t["bluetooth"].update(start=[{"to": "ff01"}]), r"start\[0\].bytes: is missing"),
    (lambda t: t["bluetooth"].update(start=[{"to": "ff01", "bytes": "0"}]), "hexadecimal"),
    (lambda t: t["frame"].update(bytes=17), "so that its 6 bytes end within 17"),
    (lambda t: t["frame"].update(bytes=0), "frame.bytes: found 0"),
    (lambda t: t["frame"].update(byte_order="middle"), "little, big"),
    (lambda t: t["frame"]["fields"][0].update(type="i12"), r"fields\[0\].type: found 'i12'"),
    (lambda t: t["frame"]["fields"][0].update(count=2), r"fields\[0\].count: found 2, allowed: 3 for acc"),
    (lambda t: t["frame"]["fields"][0].pop("si"), r"fields\[0\].si: is missing"),
    (lambda t: t["frame"]["fields"][1].update(means="acc"), "one that means gyr is needed"),
    (lambda t: t["frame"]["fields"][1].update(key="acc_g"), "a key is used twice"),
    (lambda t: t["frame"]["fields"][2].update(means="time", si=1.0, count=1), "u8, u16, u24, u32"),
    (lambda t: t["frame"].pop("fields"), "frame.fields: is missing"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_file_is_refused_by_its_key(change: Change, words: str, tmp_path: Path) -> None:
    table = tomllib.loads((FOLDER / "thingy52.toml").read_text())
    assert own_device.parse(copy.deepcopy(table)).kind == "imu"
    change(table)
    with pytest.raises(ValueError, match=words):
        own_device.parse(table)


@pytest.mark.parametrize(
    "text", ["", "device = 1", "\ufeff[device", "x = " + "[" * 5000, "[device]\nname = 1"]
)
def test_a_file_that_is_none_names_itself(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"mine\.toml: "):
        decode(str(path), "00")
    with pytest.raises(ValueError, match=r"none\.toml: is no file"):
        decode(str(tmp_path / "none.toml"), "00")
    with pytest.raises(ValueError, match="is no file"):
        own_device.load(tmp_path)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["device", "bluetooth", "frame", "name", "rows", "fields"]), inner
            )
        ),
        max_leaves=6,
    )
)
def test_any_table_is_a_description_or_a_value_error(table: object) -> None:
    made = None
    try:
        made = own_device.parse(table)
    except ValueError:
        return
    assert made.frame_bytes > 0


class TestContract(SensorContract):
    """A Movella DOT by its file, in front of the emulated one."""

    period_ns = 16_666_667
    battery_percent = None

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return own("movella_dot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedDot(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        stamp = (2**32 - 100_000 + count * 16_667) % 2**32
        return dot_frame(stamp, (0.0, 0.0, 9.81), (float(count), 0.0, 0.0))

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample | EmgFrame:
        assert isinstance(sensor, OwnSensor)
        return sensor.accept(0, data, arrival_ns)[-1]


def test_si_units_of_an_inertial_sensor() -> None:
    (sample,) = own("thingy52").accept(0, struct.pack("<9h", 0, 0, 1024, 32, 0, 0, 0, 0, 0), 10**9)
    assert isinstance(sample, ImuSample)
    assert sample.acc_mps2 == pytest.approx((0.0, 0.0, 9.80665))
    assert sample.gyr_rps == pytest.approx((0.0174533, 0.0, 0.0), rel=1e-5)
    assert sample.quat_wxyz is None


def test_a_counter_of_samples_tells_what_is_lost_and_volts_are_around_zero() -> None:
    sensor = own("npg_lite")
    frames: list[EmgFrame] = []
    for n in range(60):
        if n in (30, 31):
            continue
        (frame,) = sensor.accept(0, npg_frame(10 * n % 256, [2048] * 30), 10**9 + n * 20_000_000)
        assert isinstance(frame, EmgFrame)
        frames.append(frame)
    assert all(frame.valid for frame in frames)
    steps = [b.seq - a.seq for a, b in itertools.pairwise(frames)]
    assert sorted(set(steps)) == [10, 30]
    assert steps.index(30) == 29
    assert frames[0].volts == ((0.0, 0.0, 0.0),) * 10


def test_characteristics_that_take_turns_tell_what_is_lost() -> None:
    sensor = own("myo")
    numbers = []
    for n in range(40):
        if n not in (20, 21):
            (frame,) = sensor.accept(n % 4, bytes(16), 10**9 + n * 10_000_000)
            assert frame.valid
            numbers.append(frame.seq)
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    assert steps == [2] * 19 + [6] + [2] * 17


async def test_the_account_of_a_sensor_over_the_radio() -> None:
    async def listened() -> Account:
        async with VirtualRadio(RadioConditions(jitter_ms=3.0, loss=0.05, seed=3)) as radio:
            await radio.add(EmulatedNpgLite(lambda _t: [1e-4, -1e-4, 0.0], name="NPG", channels=3))
            backend = bumble_backend(radio.hci_address)
            try:
                return await listen(open_sensor(file_of("npg_lite"), "NPG", backend), 1.5)
            finally:
                await backend.aclose()

    told = await listened()
    assert told.samples > 100
    assert told.lost > 0
    assert told.lost % 10 == 0
    assert told.rate_hz > 0.0
    assert dict(rows_of(told))["battery"] == "80 %"
    assert "EMG r.m.s." in told.size


def test_the_account_of_nothing_and_an_unknown_device() -> None:
    told = account([], 5.0, None)
    assert (told.samples, told.rate_hz, told.size) == (0, 0.0, "nothing valid")
    assert rows_of(told)
    with pytest.raises(ValueError, match="toaster"):
        open_sensor("toaster", "x")


MOVED: tuple[Quat, Vec3, Vec3] = ((0.5, -0.5, 0.5, -0.5), (1.0, -2.0, 9.81), (0.5, -1.0, 2.0))
VOLTS = [1e-4, -1e-4, 5e-5, 0.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_rehearsal_streams_what_the_body_does_as_the_file_describes_it(name: str) -> None:
    device = own_device.load(FOLDER / f"{name}.toml")
    peer = EmulatedOwn(
        device, Body(lambda _t: MOVED, lambda _t: VOLTS), name="own", address="0E:5D:00:00:00:01"
    )
    sent: list[bytes] = []
    peer.notify = lambda _characteristic, value: sent.append(value)  # type: ignore[method-assign]
    sensor = own(name)
    samples: list[ImuSample | EmgFrame] = []
    for frame in range(30):
        due_ns = 10**9 + round(frame * 1e9 * device.samples / device.rate_hz)
        peer._send(frame, due_ns)
        samples += sensor.accept(frame % len(device.data), sent[-1], due_ns + 2_000_000)
    assert all(sample.valid for sample in samples)
    steps = {b.seq - a.seq for a, b in itertools.pairwise(samples)}
    assert len(steps) == 1
    last = samples[-1]
    if isinstance(last, EmgFrame):
        assert [row[:2] for row in last.volts] == [pytest.approx((1e-4, -1e-4), abs=2e-5)] * len(last.volts)
        return
    assert last.acc_mps2 == pytest.approx(MOVED[1], abs=0.01)
    assert last.gyr_rps == pytest.approx(MOVED[2], abs=0.01)


def session_with(tmp_path: Path, device: str) -> Path:
    """The demo's, with this device on the foot."""
    for folder in ("sessions", "patients"):
        shutil.copytree(FOLDER.parent / folder, tmp_path / folder)
    path = tmp_path / "sessions" / "demo.toml"
    path.write_text(path.read_text().replace('device = "movella-dot"', f'device = "{device}"', 1))
    return path


def test_a_session_takes_a_device_by_its_file(tmp_path: Path) -> None:
    path = session_with(tmp_path, "mine.toml")
    (tmp_path / "sessions" / "mine.toml").write_bytes((FOLDER / "thingy52.toml").read_bytes())
    session = load_session(path)
    assert session.imus[0].device == str(tmp_path / "sessions" / "mine.toml")
    assert device_texts(session.file).startswith("# mine.toml\n")
    plan = sensor_plans(session)[0]
    device = sensor_device(plan.device)
    assert (device.kind, device.rate_hz, device.title) == ("imu", 100.0, "Thingy:52 by file")
    assert isinstance(device.open("foot", "address", None), OwnSensor)
    with pytest.raises(KeyError):
        sensor_device("toaster")


@pytest.mark.parametrize(
    ("text", "words"), [(None, "is no file of at most"), ("[device]\nname = 1", "device.name: found 1")]
)
def test_a_session_with_a_wrong_file_is_refused_by_sensor_and_key(
    tmp_path: Path, text: str | None, words: str
) -> None:
    path = session_with(tmp_path, "mine.toml")
    if text is not None:
        (tmp_path / "sessions" / "mine.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_session(path)
    (line,) = refused.value.problems
    assert line.startswith(f"{path}: sensors.device of foot: ")
    assert words in line


async def test_the_emulated_one_is_heard_over_the_radio_once_it_was_started() -> None:
    async with VirtualRadio() as radio:
        device = sensor_device(file_of("wt901ble"))
        await radio.add(device.emulate("own", 1, Body(lambda _t: MOVED, lambda _t: None)))
        backend = bumble_backend(radio.hci_address)
        try:
            told = await listen(open_sensor(file_of("wt901ble"), "own", backend), 0.7)
        finally:
            await backend.aclose()
    assert told.samples > 20
    assert "acceleration 10.0" in told.size
