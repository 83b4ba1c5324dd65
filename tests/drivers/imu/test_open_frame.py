"""The open frame: layout, checks, the C header compiled and read back, the sensor contract, GATT."""

from __future__ import annotations

import asyncio
import itertools
import math
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.emulated.open_frame import EmulatedOpenFrame
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.imu import open_frame
from drivers.imu.open_frame import OpenFrame
from drivers.interface import ImuSample, Quat, Vec3
from drivers.links.ble import BleBackend
from drivers.links.bumble_backend import bumble_backend
from tests.drivers.contract_sensor import Sensor, SensorContract

pytestmark = pytest.mark.real_time

HEADER = Path(__file__).resolve().parents[3] / "drivers" / "imu" / "dorsi_frame.h"
# By hand from the header: version 1, number 7, one sample, 8 g and 500 deg/s, 1 s, 5 ms; 1 g and -125 deg/s
FRAME = "010701 0a 40420f00 8813 0000 0000 0010 00e0 0000 0000"


def test_the_layout_is_that_of_the_header() -> None:
    body = bytes.fromhex(FRAME)
    frame = body + bytes((open_frame.crc8(body),))
    assert (
        open_frame.pack(7, 1_000_000, 5000, [(0, 0, 4096, -8192, 0, 0)], acc_range_g=8, gyr_range_dps=500)
        == frame
    )
    assert decode("open-frame", frame.hex()) == {
        "sequence": 7,
        "ts_us": 1_000_000,
        "between_us": 5000,
        "acc_range_g": 8,
        "gyr_range_dps": 500,
        "clipped": False,
        "values": "instants",
        "acc_g": [[0.0, 0.0, 1.0]],
        "gyr_dps": [[-125.0, 0.0, 0.0]],
    }
    assert open_frame.crc8(b"123456789") == 0xF4  # the check value of CRC-8 in every catalogue of CRCs
    assert decode("open-frame", "57", "2a19") == {"level_percent": 87}


PROGRAM = """
#include <stdio.h>
#include "dorsi_frame.h"
int main(void) {
  static dorsi_frame frame;
  int16_t acc[3] = {0, -32768, 4096}, gyr[3] = {-8192, 1, 0};
  size_t size, at;
  int n;
  if (dorsi_frame_end(&frame) != 0) return 1;
  dorsi_frame_begin(&frame, 255, DORSI_ACC_8G | DORSI_GYR_500 | DORSI_MEANS, 4294967290u, 65000);
  for (n = 0; n < 25; n++) dorsi_frame_add(&frame, acc, gyr);
  size = dorsi_frame_end(&frame);
  for (at = 0; at < size; at++) printf("%02x", frame.bytes[at]);
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
@pytest.mark.parametrize("language", ["c", "c++"])
def test_a_sketch_that_includes_the_header_sends_what_is_read_here(language: str, tmp_path: Path) -> None:
    source = tmp_path / "sketch.c"
    source.write_text(PROGRAM)
    standard = "c99" if language == "c" else "c++11"
    made = subprocess.run(
        ["cc", "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic",
         f"-I{HEADER.parent}", str(source), "-o", str(tmp_path / "sketch")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if language == "c++" and "cc1plus" in made.stderr:
        pytest.skip("no C++ compiler here")
    assert made.returncode == 0, made.stderr
    sent = subprocess.run([str(tmp_path / "sketch")], check=True, capture_output=True, text=True).stdout
    frame = open_frame.unpack(bytes.fromhex(sent))
    assert (frame.sequence, frame.first_us, frame.between_us) == (255, 4294967290, 65000)
    assert (frame.acc_range_g, frame.gyr_range_dps, frame.clipped, frame.means) == (8, 500, True, True)
    assert frame.acc_g == ((0.0, -8.0, 1.0),) * open_frame.SAMPLES_MAX  # the rest did not fit
    assert frame.gyr_dps[0] == pytest.approx((-125.0, 500 / 32768, 0.0))
    row = (0, -32768, 4096, -8192, 1, 0)
    built = open_frame.pack(255, 4294967290, 65000, [row] * 19, acc_range_g=8, gyr_range_dps=500, means=True)
    assert built.hex() == sent


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({0: 2}, "version 2"),
        ({2: 2}, "with 2 samples"),
        ({2: 0}, "with 0 samples"),
        ({3: 5 << 2}, "flags"),
        ({3: 0x80}, "flags"),
        ({8: 0, 9: 0}, "0 us"),
    ],
)
def test_a_frame_that_makes_no_sense_is_refused_though_its_crc_is_right(
    change: dict[int, int], words: str
) -> None:
    body = bytearray(open_frame.pack(1, 2, 3, [(0,) * 6])[:-1])
    for place, value in change.items():
        body[place] = value
    with pytest.raises(ValueError, match=words):
        open_frame.unpack(bytes(body) + bytes((open_frame.crc8(bytes(body)),)))


def test_no_flipped_bit_makes_a_sample() -> None:
    frame = open_frame.pack(1, 1000, 5000, [(1, 2, 3, 4, 5, 6)] * 3)
    for bit in range(8 * len(frame)):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"version|frame|crc"):
            open_frame.unpack(bytes(broken))


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(1, 65535), st.data())
def test_round_trip(sequence: int, first_us: int, between_us: int, data: st.DataObject) -> None:
    count = st.integers(-32768, 32767)
    rows = data.draw(st.lists(st.tuples(*[count] * 6), min_size=1, max_size=19))
    frame = open_frame.unpack(open_frame.pack(sequence, first_us, between_us, rows))
    assert (frame.sequence, frame.first_us, frame.between_us) == (sequence, first_us, between_us)
    assert [tuple(round(v * 2048) for v in one) for one in frame.acc_g] == [row[:3] for row in rows]
    assert frame.clipped == any(value in (-32768, 32767) for row in rows for value in row)


class TestContract(SensorContract):
    period_ns = 10_000_000

    def sensor(self, address: str, backend: BleBackend | None) -> Sensor:
        return OpenFrame("foot", address, backend)

    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        return EmulatedOpenFrame(lambda _t: None if silent.is_set() else still, name="sensor under test")

    def frame(self, count: int) -> bytes:
        first_us = (2**32 - 100_000 + count * 10_000) % 2**32  # the board's clock wraps within
        return open_frame.pack(count % 256, first_us, 5000, [(0, 0, 2048, 0, 0, count)] * 2)

    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample:
        assert isinstance(sensor, OpenFrame)
        return sensor.accept(data, arrival_ns)[-1]


def test_a_repeated_frame_with_a_new_time_is_told() -> None:
    sensor = OpenFrame("foot", "")
    sensor.accept(open_frame.pack(5, 0, 5000, [(0,) * 6]), 10**9)
    (again,) = sensor.accept(open_frame.pack(5, 5000, 5000, [(0,) * 6]), 10**9 + 5_000_000)
    assert (again.valid, again.reason) == (False, open_frame.SEQUENCE_BROKEN)


def test_a_first_frame_that_came_late_sets_no_sample_back() -> None:
    sensor = OpenFrame("foot", "")
    samples: list[ImuSample] = []
    for n in range(20):
        late_ns = 18_000_000 if n == 0 else 2_000_000
        frame = open_frame.pack(n, 20_000 * n, 5000, [(0,) * 6] * 4)
        samples += sensor.accept(frame, 10**9 + 20_000_000 * n + late_ns)
    assert all(sample.valid for sample in samples)
    assert all(a.t_ns <= b.t_ns <= b.arrival_ns for a, b in itertools.pairwise(samples))
    assert samples[-1].t_ns - samples[-2].t_ns == pytest.approx(5_000_000, abs=50_000)


def motion(_t_ns: int) -> tuple[Quat, Vec3, Vec3]:
    return (1.0, 0.0, 0.0, 0.0), (0.0, -1.5, 200.0), (0.5, 1.0, -2.0)


async def test_stream_over_gatt_with_a_clock_that_drifts_and_a_clipped_value_told() -> None:
    async def collect() -> list[ImuSample]:
        samples: list[ImuSample] = []
        async with VirtualRadio(RadioConditions(jitter_ms=4.0, seed=6)) as radio:
            board = EmulatedOpenFrame(
                motion, rate_hz=200.0, samples=4, drift_ppm=100.0, started_us=2**32 - 50_000
            )
            await radio.add(board)
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), OpenFrame("foot", "Own board", backend) as sensor:
                assert await sensor.battery_percent() == 80
                async for sample in sensor:
                    samples.append(sample)
                    if len(samples) >= 120:
                        break
            await backend.aclose()
        return samples

    samples = [sample for sample in (await collect()) if sample.valid]
    assert len(samples) > 100
    for before, sample in itertools.pairwise(samples):
        assert sample.seq > before.seq
        assert before.t_ns <= sample.t_ns <= sample.arrival_ns
        assert sample.reason == open_frame.CLIPPED_WORDS
        assert sample.acc_mps2 == pytest.approx((0.0, -1.5, 16 * 9.80665), abs=0.006)
        assert sample.gyr_rps == pytest.approx((0.5, 1.0, -2.0), abs=math.radians(2000 / 32768))
    assert struct.calcsize("<4BIH") == 10
