"""The RehaStim2 driver keeps the contract in front of an emulated one, which keeps to the description."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.interface import DeviceError, StimulatorNotice
from drivers.stimulators import pulse_line, rehastim2
from drivers.stimulators import sciencemode2 as sm2
from drivers.stimulators.rehastim2 import BEGAN_ANEW, ERROR_CODE, RehaStim2
from drivers.stimulators.sciencemode2 import Command, ListPulse
from tests.drivers.contract_stimulator import Rig, StimulatorContract, notices_until, until
from tests.drivers.stimulators.served import ServedRehaStim2

MS = 1_000_000


@pytest.fixture
def served() -> Iterator[ServedRehaStim2]:
    device = ServedRehaStim2()
    yield device
    device.close()


@pytest.fixture
def driver(served: ServedRehaStim2, monkeypatch: pytest.MonkeyPatch) -> Iterator[RehaStim2]:
    """A patient one: a busy machine is not what is tested."""
    monkeypatch.setattr(rehastim2, "LATE_ANSWER_MS", 5000.0)
    monkeypatch.setattr(rehastim2, "OPEN_ANSWER_S", 10.0)
    stimulator = RehaStim2(served.device.port, ack_timeout_ms=5000.0)
    yield stimulator
    stimulator.close()


@pytest.fixture
def rig(served: ServedRehaStim2, driver: RehaStim2) -> Rig:
    return Rig(driver, served.pulses, served.vanish, served.stalled, served.intrude)


class TestRehaStim2KeepsTheContract(StimulatorContract):
    pass


class Bench:
    """Driver and device on one clock turned by hand."""

    def __init__(self, served: ServedRehaStim2) -> None:
        self.now_ns = time.monotonic_ns()
        self.served = served
        with served.lock:
            served.device._clock = lambda: self.now_ns
        self.driver = RehaStim2(served.device.port, clock=lambda: self.now_ns)

    def open(self) -> None:
        """Opens while time passes: the device calls for a host every 500 ms."""
        with ThreadPoolExecutor() as pool:
            opening = pool.submit(self.driver.open)
            while not opening.done():
                self.now_ns += 20 * MS
                time.sleep(0.001)
            opening.result()

    def go(self, ms: float, *, polled: bool = True) -> list[StimulatorNotice]:
        """Time passes in steps of 20 ms, in which the guard polls."""
        told: list[StimulatorNotice] = []
        for _ in range(round(ms / 20)):
            self.now_ns += 20 * MS
            if polled:
                told += self.driver.poll()
            if self.driver._written_ns == self.now_ns:
                until(lambda: self.served.device._heard_ns == self.now_ns)
            with self.served.lock:
                self.served.device.service()
        return told


@pytest.fixture
def bench(served: ServedRehaStim2, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(rehastim2, "OPEN_ANSWER_S", 10.0)
    made = Bench(served)
    yield made
    made.driver.close()


def test_odd_and_broken_numbers_are_cut_down_to_what_the_device_can(
    served: ServedRehaStim2, driver: RehaStim2
) -> None:
    """The emulated device gives an odd current 1 mA stronger; it is never asked for one."""
    driver.open()
    for channel, (current_ma, width_us) in enumerate(((25.9, 300.9), (1.99, 20.0), (126.0, 500.0))):
        driver.pulse(channel, current_ma, width_us)
    notices_until(driver, lambda got: len(got) == 3)
    assert [points for _, _, points in served.pulses] == [
        [(300, 24.0), (100, 0.0), (300, -24.0)],
        [(20, 0.0), (100, 0.0), (20, -0.0)],
        [(500, 126.0), (100, 0.0), (500, -126.0)],
    ]


def test_a_host_that_polls_is_kept_and_one_that_does_not_is_forgotten_after_1200_ms(bench: Bench) -> None:
    bench.open()
    assert [notice for notice in bench.go(3000) if notice.fault] == []
    assert bench.served.device.has_host
    bench.driver.pulse(0, 10.0, 200.0)
    bench.go(1180, polled=False)
    assert bench.served.device.has_host
    bench.go(60, polled=False)
    assert not bench.served.device.has_host
    assert len(bench.served.pulses) == 1  # and none came by itself


def test_a_device_that_begins_anew_is_a_fault_and_can_be_opened_again(bench: Bench) -> None:
    bench.open()
    bench.go(1300, polled=False)
    told = bench.driver.poll()
    assert (BEGAN_ANEW, True) in [(notice.code, notice.fault) for notice in told]
    bench.driver.stop()
    bench.open()
    assert bench.driver.pulse(0, 10.0, 200.0) is not None
    until(lambda: len(bench.served.pulses) == 1)


@pytest.mark.parametrize(("error", "words"), [(1, "emergency switch"), (2, "electrode error")])
def test_what_the_device_reports_is_a_fault_in_words(
    served: ServedRehaStim2, driver: RehaStim2, error: int, words: str
) -> None:
    driver.open()
    with served.lock:
        served.device.emergency = error == 1
        served.device.loose_electrodes.add(3)
    driver.pulse(3, 10.0, 200.0)
    told = notices_until(driver, lambda got: any(notice.fault for notice in got))
    (fault,) = [notice for notice in told if notice.fault]
    assert (fault.code, words in fault.text) == (ERROR_CODE + error, True)
    assert served.pulses == []


def test_another_version_is_refused_for_good(served: ServedRehaStim2, driver: RehaStim2) -> None:
    with served.lock:
        served.device.version = 2
    with pytest.raises(DeviceError, match="version 02") as caught:
        driver.open()
    assert not caught.value.transient
    assert not served.device.has_host


def test_a_silent_device_is_an_error_that_may_be_retried(
    served: ServedRehaStim2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehastim2, "OPEN_ANSWER_S", 0.1)
    driver = RehaStim2(served.device.port)
    served.device.mute = True
    with pytest.raises(DeviceError, match="no answer to GetStimulationMode") as caught:
        driver.open()
    assert caught.value.transient


def _list(served: ServedRehaStim2) -> None:
    """Another host starts a list of 50 Hz on channel 1 and dies."""
    line = os.open(served.device.port, os.O_RDWR | os.O_NOCTTY)
    for packet in (
        sm2.encode(0, Command.INIT_ACK, b"\0"),
        sm2.encode(1, Command.INIT_LIST, sm2.init_list((0,), 20.0)),
        sm2.encode(2, Command.START_LIST, sm2.start_list((ListPulse(300, 20),))),
    ):
        os.write(line, packet)
    until(lambda: served.device.running_by_itself)
    os.close(line)


def test_a_list_that_another_host_left_running_ends_when_the_driver_opens(
    served: ServedRehaStim2, driver: RehaStim2
) -> None:
    _list(served)
    driver.open()
    assert not served.device.running_by_itself
    with served.lock:
        given = len(served.pulses)
    driver.pulse(1, 10.0, 200.0)
    notices_until(driver, bool)
    assert [channel for _, channel, _ in served.pulses[given:]] == [1]


def test_a_list_gives_pulses_until_1200_ms_after_its_hosts_last_packet(bench: Bench) -> None:
    _list(bench.served)
    began_ns = bench.now_ns
    bench.go(2000, polled=False)
    stamps = [t_ns - began_ns for t_ns, _, _ in bench.served.pulses]
    assert stamps == [20 * MS * n for n in range(60)]  # the one due at 1200 ms is not given


@pytest.mark.parametrize(
    ("command", "data", "result"),
    [
        (Command.SINGLE_PULSE, b"\x08\x00\xc8\x0a", -2),  # channel 9
        (Command.SINGLE_PULSE, b"\x00\x00\x13\x0a", -2),  # 19 us
        (Command.SINGLE_PULSE, b"\x00\x01\xf5\x0a", -2),  # 501 us
        (Command.SINGLE_PULSE, b"\x00\x00\xc8\x7f", -2),  # 127 mA, given as 128
        (Command.SINGLE_PULSE, b"\x00\x00\xc8", -2),
        (Command.START_LIST, b"", -3),
        (Command.STOP_LIST, b"", -3),
        (Command.INIT_LIST, bytes((0, 1, 0, 13, 0, 13, 0)), -2),  # 7.5 ms
        (Command.INIT_LIST, bytes((0, 1, 0, 12, 0, 14, 0)), -2),  # groups of 7.5 ms
    ],
)
def test_the_emulated_device_refuses_what_its_description_refuses(
    served: ServedRehaStim2, driver: RehaStim2, command: Command, data: bytes, result: int
) -> None:
    driver.open()
    (answer,) = [driver._ask(command, data)]
    assert sm2.signed(answer.data[0]) == result
    assert served.pulses == []


def test_broken_answers_are_told_and_never_raise(served: ServedRehaStim2, driver: RehaStim2) -> None:
    driver.open()
    packet = sm2.encode(0, Command.SINGLE_PULSE + 1, b"\0")
    with served.lock:
        for bytes_ in (packet[:-2], b"\xf0\x0f", sm2.encode(3, 37), sm2.encode(99, Command.UNKNOWN)):
            os.write(served.device._master, bytes_)
    told = notices_until(driver, lambda got: len(got) >= 3)
    assert {notice.code for notice in told} >= {pulse_line.NOT_UNDERSTOOD, pulse_line.BROKEN_ANSWERS}
