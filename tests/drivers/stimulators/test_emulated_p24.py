"""The emulated P24 judges for itself, and the public science-mode-4 library can drive it as it stands."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.p24 import EmulatedP24
from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators.framing import Frame
from drivers.stimulators.p24 import P24
from drivers.stimulators.sciencemode4 import Command, MidLevelChannel, Point, new_splitter
from tests.drivers.contract_stimulator import GivenPulse, until
from tests.drivers.stimulators.served import ServedP24

pytestmark = pytest.mark.real_time

PULSE = (Point(200, 20.0), Point(100, 0.0), Point(200, -20.0))
LOGGED = [(200, 20.0), (100, 0.0), (200, -20.0)]


class Bench:
    """The device with a clock turned by hand and a host's end of the line."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.pulses: list[GivenPulse] = []
        self.device = EmulatedP24(
            on_pulse=lambda *pulse: self.pulses.append(pulse), clock=lambda: self.now_ns
        )
        self._host = os.open(self.device.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._number = 0

    def close(self) -> None:
        os.close(self._host)
        self.device.close()

    def send(self, raw: bytes) -> list[Frame]:
        os.write(self._host, raw)
        self.device.service()
        try:
            return new_splitter().feed(os.read(self._host, 65536))
        except BlockingIOError:
            return []

    def ask(self, command: int, data: bytes = b"") -> sm4.Reply:
        self._number = (self._number + 1) % 64
        (frame,) = self.send(sm4.encode(self._number, command, data))
        assert frame.packet_number == self._number
        return sm4.read_reply(frame)

    def after_ms(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1e6)
        self.device.service()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def _config(channel: int, *points: Point) -> bytes:
    return sm4.ll_channel_config(channel, points)


def test_no_pulse_without_initialisation(bench: Bench) -> None:
    assert bench.ask(Command.LL_CHANNEL_CONFIG, _config(0, *PULSE)).result == 7
    assert bench.ask(Command.LL_STOP).result == 7
    assert bench.ask(Command.ML_UPDATE, sm4.ml_update({0: MidLevelChannel(20.0, PULSE)})).result == 7
    assert bench.pulses == []


def test_levels_exclude_each_other(bench: Bench) -> None:
    assert bench.ask(Command.LL_INIT, sm4.ll_init()).result == 0
    assert bench.ask(Command.ML_INIT, sm4.ml_init()).result == 7
    assert bench.ask(Command.LL_STOP).result == 0
    assert bench.ask(Command.ML_INIT, sm4.ml_init()).result == 0
    assert bench.ask(Command.LL_INIT, sm4.ll_init()).result == 7
    assert bench.ask(Command.LL_CHANNEL_CONFIG, _config(0, *PULSE)).result == 7
    assert bench.ask(Command.STIM_STATUS) == sm4.StimStatus(0, 2, 6)
    assert bench.ask(Command.RESET).result == 0
    assert bench.ask(Command.STIM_STATUS) == sm4.StimStatus(0, 0, 1)


def test_current_limit_is_included_and_a_step_beyond_is_refused(bench: Bench) -> None:
    bench.ask(Command.LL_INIT, sm4.ll_init())
    assert bench.ask(Command.LL_CHANNEL_CONFIG, _config(5, Point(20, 130.0), Point(20, -130.0))).result == 0
    for half_ma in (300 + 261, 300 - 261):  # 130.5 mA either way
        beyond = bytes((0x80,)) + (20 << 20 | half_ma << 10).to_bytes(4, "big")
        assert bench.ask(Command.LL_CHANNEL_CONFIG, beyond).result == 2
    assert [(channel, points) for _, channel, points in bench.pulses] == [(5, [(20, 130.0), (20, -130.0)])]


def test_data_that_does_not_add_up_is_refused(bench: Bench) -> None:
    bench.ask(Command.LL_INIT, sm4.ll_init())
    good = _config(0, *PULSE)
    for data in (b"", good[:-1], good + b"\0", b"\x82", b"\x02\0"):
        assert bench.ask(Command.LL_CHANNEL_CONFIG, data).result == 2
    assert bench.ask(Command.LL_CHANNEL_CONFIG, b"\x02").result == 0  # not to be executed
    assert bench.ask(Command.LL_INIT, b"").result == 2
    assert bench.pulses == []


def test_points_shorter_than_10_us_act_as_10_us(bench: Bench) -> None:
    bench.ask(Command.LL_INIT, sm4.ll_init())
    bench.ask(Command.LL_CHANNEL_CONFIG, _config(0, Point(9, 1.0), Point(11, -1.0)))
    assert bench.pulses[0][2] == [(10, 1.0), (11, -1.0)]


def test_second_is_not_overspent_and_recovers(bench: Bench) -> None:
    bench.ask(Command.LL_INIT, sm4.ll_init())
    long = _config(0, *[Point(4000, 1.0)] * 16)  # 64,060 us: 15 fit below a second, 16 do not
    assert [bench.ask(Command.LL_CHANNEL_CONFIG, long).result for _ in range(16)] == [0] * 15 + [2]
    bench.after_ms(999.999)
    assert bench.ask(Command.LL_CHANNEL_CONFIG, long).result == 2
    bench.after_ms(0.001)
    assert bench.ask(Command.LL_CHANNEL_CONFIG, long).result == 0


def test_damaged_and_unknown_packets_are_answered_as_such(bench: Bench) -> None:
    packet = bytearray(sm4.encode(1, Command.LL_INIT, b"\0"))
    packet[-2] ^= 1
    assert bench.send(bytes(packet)) == [Frame(0, sm4.GENERAL_ERROR, b"\x01")]
    assert bench.send(sm4.encode(7, 200)) == [Frame(7, sm4.UNKNOWN_COMMAND, b"\x0b")]


def test_general_questions_are_answered(bench: Bench) -> None:
    assert bench.ask(Command.DEVICE_ID) == sm4.DeviceId(0, "EMULATED24")
    assert isinstance(bench.ask(Command.BATTERY), sm4.Battery)
    assert isinstance(bench.ask(Command.EXT_VERSION), sm4.ExtendedVersion)
    assert bench.ask(Command.VERSION_STIM).result == 0


# --- mid level: it pulses by itself ---


def _start_mid_level(bench: Bench, channels: dict[int, MidLevelChannel], *, stop_all: bool = False) -> None:
    assert bench.ask(Command.ML_INIT, sm4.ml_init(stop_all_on_error=stop_all)).result == 0
    assert bench.ask(Command.ML_UPDATE, sm4.ml_update(channels)).result == 0


def test_mid_level_pulses_at_its_period_and_pauses_after_two_silent_seconds(bench: Bench) -> None:
    _start_mid_level(bench, {0: MidLevelChannel(20.0, PULSE)})
    bench.after_ms(5000)
    assert [t_ns for t_ns, _, _ in bench.pulses] == list(range(0, 2_000_000_000, 20_000_000))
    paused = bench.ask(Command.ML_GET_CURRENT_DATA, sm4.ml_get_current_data())
    assert paused == sm4.CurrentData(0, (False,) * 8, (0,) * 8)
    bench.after_ms(1000)
    assert len(bench.pulses) == 100  # a keep-alive does not wake it
    bench.ask(Command.ML_UPDATE, sm4.ml_update({0: MidLevelChannel(20.0, PULSE)}))
    bench.after_ms(39)
    assert len(bench.pulses) == 102  # an update does, and nothing is caught up


def test_mid_level_goes_on_while_asked(bench: Bench) -> None:
    _start_mid_level(bench, {2: MidLevelChannel(25.0, PULSE), 6: MidLevelChannel(50.0, PULSE)})
    for _ in range(3):
        bench.after_ms(1500)
        data = bench.ask(Command.ML_GET_CURRENT_DATA, sm4.ml_get_current_data())
        assert isinstance(data, sm4.CurrentData)
        assert [n for n, running in enumerate(data.running) if running] == [2, 6]
    assert [sum(c == channel for _, c, _ in bench.pulses) for channel in (2, 6)] == [181, 91]
    assert bench.ask(Command.ML_STOP).result == 0
    bench.after_ms(1000)
    assert len(bench.pulses) == 272


def test_mid_level_ramps_up(bench: Bench) -> None:
    _start_mid_level(bench, {0: MidLevelChannel(20.0, PULSE, ramp_pulses=3)})
    bench.after_ms(99)
    assert [points[0][1] for _, _, points in bench.pulses] == [5.0, 10.0, 15.0, 20.0, 20.0]


@pytest.mark.parametrize(("stop_all", "left_running"), [(False, [1]), (True, [])])
def test_mid_level_electrode_error_ends_its_channel_or_all(
    bench: Bench, stop_all: bool, left_running: list[int]
) -> None:
    bench.device.loose_electrodes.add(0)
    _start_mid_level(bench, {n: MidLevelChannel(20.0, PULSE) for n in (0, 1)}, stop_all=stop_all)
    bench.after_ms(100)
    data = bench.ask(Command.ML_GET_CURRENT_DATA, sm4.ml_get_current_data())
    assert isinstance(data, sm4.CurrentData)
    assert data.errors == (1,) + (0,) * 7
    assert [n for n, running in enumerate(data.running) if running] == left_running
    assert {channel for _, channel, _ in bench.pulses} == set(left_running)


def test_mid_level_refuses_what_it_cannot_give(bench: Bench) -> None:
    bench.ask(Command.ML_INIT, sm4.ml_init())
    long = tuple([Point(4000, 1.0)] * 16)
    overspent = sm4.ml_update({n: MidLevelChannel(100.0, long) for n in (0, 1)})  # 2 x 640 ms a second
    for data in (
        b"",
        b"\x01",
        b"\x01\x00\x00\x00",
        sm4.ml_update({0: MidLevelChannel(20.0, PULSE)})[:-1],
        overspent,
    ):
        assert bench.ask(Command.ML_UPDATE, data).result == 2
    assert bench.ask(Command.ML_GET_CURRENT_DATA, b"\x02").result == 2
    bench.after_ms(100)
    assert bench.pulses == []


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(sm4.encode, st.integers(0, 63), st.sampled_from(Command), st.binary(max_size=20)),
        ),
        max_size=8,
    )
)
def test_whatever_arrives_never_raises_and_no_pulse_breaks_a_limit(packets: list[bytes]) -> None:
    bench = Bench()
    try:
        bench.send(sm4.encode(0, Command.LL_INIT, b"\0"))
        for packet in packets:
            bench.send(packet)
            bench.after_ms(10)
        for _, channel, points in bench.pulses:
            assert 0 <= channel < 8
            assert 1 <= len(points) <= 16
            assert all(10 <= time_us <= 4095 and abs(current_ma) <= 130 for time_us, current_ma in points)
    finally:
        bench.close()


# --- an independent host: the public science-mode-4 library ---


@pytest.mark.filterwarnings("ignore")  # the library leaves its own warnings behind
async def test_the_public_library_drives_low_and_mid_level() -> None:
    science_mode = pytest.importorskip("science_mode_4")
    low_level = pytest.importorskip("science_mode_4.low_level")
    mid_level = pytest.importorskip("science_mode_4.mid_level")
    protocol = pytest.importorskip("science_mode_4.protocol")

    logging.getLogger("science_mode_4").setLevel(logging.CRITICAL)
    served = ServedP24()
    connection = science_mode.SerialPortConnection(served.device.port)
    connection.open()

    async def drive() -> None:
        host = science_mode.DeviceP24(connection)
        await host.initialize()
        assert host.get_layer_general().device_id == "EMULATED24"
        points = [protocol.ChannelPoint(time_us, current_ma) for time_us, current_ma in LOGGED]

        low = host.get_layer_low_level()
        await low.init(low_level.LowLevelMode.NO_MEASUREMENT, low_level.LowLevelHighVoltageSource.STANDARD)
        for connector in protocol.Connector:
            for channel in protocol.Channel:
                low.send_channel_config(True, channel, connector, points)
        until(lambda: len(served.pulses) == 8)
        await low.stop()
        assert [pulse[1:] for pulse in served.pulses] == [(channel, LOGGED) for channel in range(8)]

        mid = host.get_layer_mid_level()
        await mid.init(False)
        await mid.update([None, mid_level.MidLevelChannelConfiguration(True, 0, 20, points)])
        until(lambda: len(served.pulses) >= 12)
        running = await mid.get_current_data()
        assert running.is_stimulation_active_per_channel == [False, True] + [False] * 6
        await mid.stop()
        assert [pulse[1:] for pulse in served.pulses[8:]] == [(1, LOGGED)] * (len(served.pulses) - 8)
        periods_ns = {b[0] - a[0] for a, b in zip(served.pulses[8:], served.pulses[9:], strict=False)}
        assert periods_ns == {20_000_000}

    try:
        await drive()
    finally:
        connection.close()
        served.close()


# --- in a loop, and as a process of its own ---


async def test_serves_inside_an_event_loop(tmp_path: Path) -> None:
    log = tmp_path / "pulses.jsonl"

    async def run() -> int | None:
        device = EmulatedP24(log)
        loop = asyncio.get_running_loop()
        loop.add_reader(device.fileno(), device.service)
        driver = P24(device.port)
        await asyncio.to_thread(driver.open)
        answered = asyncio.Event()
        loop.add_reader(driver.fileno(), answered.set)
        number = driver.pulse(3, 12.0, 250.0)
        await asyncio.wait_for(answered.wait(), 10)
        assert [notice.fault for notice in driver.poll()] == [False]
        loop.remove_reader(driver.fileno())
        assert len(log.read_text().splitlines()) == 1  # there as soon as it is given
        loop.remove_reader(device.fileno())
        driver.close()
        device.close()
        return number

    number = await run()
    (line,) = log.read_text().splitlines()
    pulse = json.loads(line)
    assert set(pulse) == {"t_ns", "channel", "points", "packet"}
    assert (pulse["channel"], pulse["packet"]) == (3, number)
    assert pulse["points"] == [[250, 12.0], [100, 0.0], [250, -12.0]]


def test_serves_as_a_process_and_tidies_up_when_told_to_end(tmp_path: Path) -> None:
    log, link = tmp_path / "pulses.jsonl", tmp_path / "p24"
    link.symlink_to("/nonexistent")  # left by an earlier run
    with subprocess.Popen(
        [sys.executable, "-m", "drivers.emulated.p24", "--pulse-log", log, "--link", link],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert str(link.readlink()) == port
            driver = P24(str(link))
            driver.open()
            for _ in range(3):
                until(lambda: driver.pulse(0, 10.0, 200.0) is not None)
            until(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
            driver.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert not link.is_symlink()


def test_link_never_replaces_a_file(tmp_path: Path) -> None:
    precious = tmp_path / "notes"
    precious.write_text("keep")
    command = [sys.executable, "-m", "drivers.emulated.p24", "--link", str(precious)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode != 0
    assert "is not a link" in done.stderr
    assert precious.read_text() == "keep"


def test_vanished_device_does_nothing_more(bench: Bench) -> None:
    bench.device.vanish()
    bench.device.vanish()
    bench.device.service()
    assert bench.device.pulses_given == 0
