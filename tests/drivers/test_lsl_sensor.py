"""A Lab Streaming Layer stream as a sensor: real outlets of liblsl; stamps judged as Bluetooth's."""

from __future__ import annotations

import asyncio
import itertools
import math
import time

import pytest

from drivers.catalogue import SENSORS
from drivers.devices import Body
from drivers.interface import DeviceError, EmgFrame, ImuSample
from drivers.links.lsl_inlet import OFF_ITS_TIME, StreamHead
from drivers.lsl_sensor import GONE_BACK, NOT_A_NUMBER, LslSensor, emg_places, vector_places

pytest.importorskip("pylsl", reason="pylsl is not installed (extra lsl)")

from drivers.emulated.lsl_stream import EmulatedLslStream

pytestmark = pytest.mark.real_time

MOVED = ((1.0, 0.0, 0.0, 0.0), (1.0, -2.0, 9.81), (0.5, -1.0, 2.0))
IMU = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
MS = 1_000_000


def head(labels: tuple[str, ...], units: tuple[str, ...], rate_hz: float = 100.0) -> StreamHead:
    return StreamHead("lab", "IMU", rate_hz, labels, units, text=False)


def stream(stamps_s: list[float], *, kind: str = "imu", late_ms: float = 2.0) -> list[ImuSample | EmgFrame]:
    """What a sensor makes of stamps that arrive every 10 ms."""
    sensor = LslSensor("foot", "lab", "emg" if kind == "emg" else "imu")
    if kind == "emg":
        sensor._head, sensor._places = head(("a",), ("uV",)), ((0, 1e-6),)
    else:
        sensor._places = tuple((place, 1.0) for place in range(6))
    made: list[ImuSample | EmgFrame] = []
    for count, stamp in enumerate(stamps_s):
        arrival_ns = 10**9 + count * 10 * MS + round(late_ms * MS)
        made += sensor.accept([[float(count)] * 6], [stamp], arrival_ns)
    return made


def test_channels_are_found_by_their_names_and_made_si() -> None:
    assert [place for place, _ in vector_places(head(IMU, ("g",) * 3 + ("dps",) * 3), "gyr")] == [3, 4, 5]
    ((_, scale), *_) = vector_places(head(IMU, ("g",) * 3 + ("dps",) * 3), "acc")
    assert scale == 9.80665
    others = ("Gyro.Z", "Gyro.X", "Gyro.Y", "quality", "AccelX", "accelerometer y", "Acceleration_Z")
    mixed = head(others, ("deg / s",) * 3 + ("",) + ("m/s²",) * 3)
    assert [place for place, _ in vector_places(mixed, "gyr")] == [1, 2, 0]
    assert [place for place, _ in vector_places(mixed, "acc")] == [4, 5, 6]
    muscles = head(("a", "counter", "b"), ("uV", "", "mV"), 500.0)
    assert emg_places(muscles) == ((0, 1e-6), (2, 1e-3))


@pytest.mark.parametrize(
    ("labels", "units", "words"),
    [
        (IMU[:5], ("g",) * 3 + ("dps",) * 2, "0 channels gyr_z"),
        ((*IMU, "acc_x"), ("g",) * 3 + ("dps",) * 3 + ("g",), "2 channels acc_x"),
        (IMU, ("g",) * 3 + ("",) * 3, "channel gyr_x has unit none, allowed: rad/s"),
        (IMU, ("furlong",) * 6, "channel acc_x has unit furlong"),
    ],
)
def test_what_is_not_told_is_refused_not_guessed(
    labels: tuple[str, ...], units: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        (*vector_places(head(labels, units), "acc"), *vector_places(head(labels, units), "gyr"))


def test_emg_without_volts_or_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="0 channels in volts"):
        emg_places(head(("a",), ("kg",)))
    with pytest.raises(ValueError, match="irregular rate"):
        emg_places(head(("a",), ("uV",), 0.0))


@pytest.mark.parametrize("offset_s", [0.0, 1.7e9, -5000.0])
def test_any_senders_clock_is_mapped_to_this_ones(offset_s: float) -> None:
    made = stream([1.0 + offset_s + 0.01 * n for n in range(50)])
    assert all(sample.valid for sample in made)
    assert [sample.seq for sample in made] == list(range(50))
    assert all(b.t_ns - a.t_ns == pytest.approx(10 * MS, abs=0.1 * MS) for a, b in itertools.pairwise(made))
    assert all(sample.t_ns <= sample.arrival_ns for sample in made)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 5.0, -5.0])
def test_a_jump_is_one_invalid_sample_and_then_the_new_clock(jump_s: float) -> None:
    made = stream([1.0 + 0.01 * n + (jump_s if n >= 20 else 0.0) for n in range(40)])
    assert [n for n, sample in enumerate(made) if not sample.valid] == [20]
    assert made[20].reason == OFF_ITS_TIME
    assert all(a.t_ns <= b.t_ns for a, b in itertools.pairwise(made))


def test_a_stamp_twice_gone_back_or_no_number_is_invalid() -> None:
    stamps = [1.0 + 0.01 * n for n in range(20)]
    stamps[10] = stamps[9]
    stamps[15] = stamps[13]
    stamps[17] = math.nan
    made = stream(stamps)
    assert {n: sample.reason for n, sample in enumerate(made) if not sample.valid} == {
        10: GONE_BACK,
        15: GONE_BACK,
        17: OFF_ITS_TIME,
    }
    sensor = LslSensor("foot", "lab", "imu")
    sensor._places = tuple((place, 1.0) for place in range(6))
    for broken in ([math.nan] * 6, [math.inf] * 6, ["a"] * 6):
        (sample,) = sensor.accept([broken], [1.0], 10**9)
        assert (sample.valid, sample.reason) == (False, NOT_A_NUMBER)


def test_emg_that_comes_together_is_one_frame() -> None:
    sensor = LslSensor("arm", "lab", "emg")
    sensor._head, sensor._places = head(("a",), ("uV",), 1000.0), ((0, 1e-6),)
    for chunk in range(5):
        stamps = [1.0 + 0.001 * (10 * chunk + n) for n in range(10)]
        (frame,) = sensor.accept([[1.0]] * 10, stamps, 10**9 + chunk * 10 * MS)
        assert isinstance(frame, EmgFrame)
        assert (frame.seq, frame.rate_hz, frame.volts) == (10 * chunk, 1000.0, ((1e-6,),) * 10)


async def until(condition: object, tries: int = 1000) -> None:
    for _ in range(tries):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def test_a_real_stream_is_heard_falls_silent_and_comes_back() -> None:
    quiet = asyncio.Event()
    body = Body(lambda _t: None if quiet.is_set() else MOVED, lambda _t: None)
    name = f"test-imu-{time.monotonic_ns()}"
    sending = asyncio.create_task(EmulatedLslStream(name, body, "imu", ahead_s=1e6).run())
    got: list[ImuSample | EmgFrame] = []

    async def take(sensor: LslSensor) -> None:
        async for sample in sensor:
            got.append(sample)

    sensor = SENSORS["lsl-imu"].open("foot", name, None)
    assert isinstance(sensor, LslSensor)
    async with sensor:
        taking = asyncio.create_task(take(sensor))
        await until(lambda: sum(sample.valid for sample in got) >= 30)
        first = next(sample for sample in got if sample.valid)
        assert isinstance(first, ImuSample)
        assert first.acc_mps2 == pytest.approx(MOVED[1])
        assert first.gyr_rps == pytest.approx(MOVED[2])
        assert abs(first.arrival_ns - first.t_ns) < 10**9  # a million seconds ahead is not told as such
        quiet.set()
        await until(lambda: any("no valid data" in sample.reason for sample in got))
        count = len(got)
        quiet.clear()
        await until(lambda: sum(sample.valid for sample in got[count:]) >= 5)
        sending.cancel()
        await asyncio.wait({sending})
        count = len(got)
        again = asyncio.create_task(
            EmulatedLslStream(name, body, "imu").run()
        )  # another program, another clock
        await until(lambda: sum(sample.valid for sample in got[count:]) >= 5)
        again.cancel()
        await asyncio.wait({again})
    await taking
    valid = [sample for sample in got if sample.valid]
    assert all(a.seq < b.seq and a.t_ns <= b.t_ns for a, b in itertools.pairwise(valid))


async def test_one_of_another_kind_and_one_that_is_not_there_are_refused() -> None:
    name = f"test-emg-{time.monotonic_ns()}"
    body = Body(lambda _t: None, lambda _t: [1e-4] * 8)
    sending = asyncio.create_task(EmulatedLslStream(name, body, "emg").run())
    wrong = LslSensor("foot", name, "imu")
    with pytest.raises(DeviceError, match="0 channels acc_x") as refused:
        await wrong.__aenter__()
    assert not refused.value.transient
    async with LslSensor("arm", name, "emg") as right:
        async for frame in right:
            assert isinstance(frame, EmgFrame)
            assert frame.volts[0][0] == pytest.approx(1e-4)
            break
    nobody = LslSensor("foot", f"{name}-nobody", "imu")
    nobody.connect_timeout_s = 0.3
    with pytest.raises(DeviceError, match="no LSL stream named") as absent:
        await nobody.__aenter__()
    assert absent.value.transient
    sending.cancel()
    await asyncio.wait({sending})
