"""The P24 driver keeps the contract in front of an emulated P24, and says every fault in plain words."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from drivers.interface import FOREIGN_ANSWER, DeviceError, StimulatorNotice
from drivers.stimulators import p24, pulse_line
from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators.p24 import P24
from tests.drivers.contract_stimulator import Rig, StimulatorContract, notices_until, until
from tests.drivers.stimulators.served import ServedP24


@pytest.fixture
def served() -> Iterator[ServedP24]:
    device = ServedP24()
    yield device
    device.close()


@pytest.fixture
def driver(served: ServedP24, monkeypatch: pytest.MonkeyPatch) -> Iterator[P24]:
    """A patient one: a busy machine is not what is tested."""
    monkeypatch.setattr(p24, "LATE_ANSWER_MS", 5000.0)
    stimulator = P24(served.device.port, ack_timeout_ms=5000.0)
    yield stimulator
    stimulator.close()


@pytest.fixture
def rig(served: ServedP24, driver: P24) -> Rig:
    return Rig(driver, served.pulses, served.vanish, served.stalled, served.intrude)


class TestP24KeepsTheContract(StimulatorContract):
    pass


def _faults(notices: list[StimulatorNotice]) -> list[StimulatorNotice]:
    return [notice for notice in notices if notice.fault]


def test_pulse_is_the_vendors_pattern(served: ServedP24, driver: P24) -> None:
    driver.open()
    driver.pulse(2, 20.7, 300.9)  # cut down to 20.5 mA and 300 us, never up
    until(lambda: bool(served.pulses))
    assert served.pulses[0][1:] == (2, [(300, 20.5), (100, 0.0), (300, -20.5)])


def test_packet_numbers_count_up_and_wrap(served: ServedP24, driver: P24) -> None:
    driver.open()
    numbers = []
    for _ in range(70):
        numbers.append(driver.pulse(0, 1.0, 20.0))
        notices_until(driver, bool)
    assert all((after - before) % 64 == 1 for before, after in pairwise(numbers))
    assert len(served.pulses) == 70


def test_loose_electrode_is_a_fault_on_its_channel(served: ServedP24, driver: P24) -> None:
    served.device.loose_electrodes.add(3)
    driver.open()
    notices: list[StimulatorNotice] = []
    for channel, current_ma in (
        (3, 14.5),
        (3, 15.0),
        (0, 15.0),
    ):  # the first too weak for the device to notice
        driver.pulse(channel, current_ma, 200.0)
        notices += notices_until(driver, bool)
    (fault,) = _faults(notices)
    assert (fault.channel, fault.code) == (3, 10)
    assert "white, yellow connector" in fault.text
    assert "electrode error" in fault.text
    assert [channel for _, channel, _ in served.pulses] == [3, 0]


def test_command_without_answer_becomes_a_fault_after_its_time(served: ServedP24) -> None:
    now_ns = [time.monotonic_ns()]
    driver = P24(served.device.port, clock=lambda: now_ns[0])
    driver.open()
    served.device.mute = True
    driver.pulse(1, 10.0, 200.0)
    now_ns[0] += 200_000_000
    assert driver.poll() == []
    now_ns[0] += 1
    (fault,) = driver.poll()
    assert (fault.fault, fault.channel, fault.code) == (True, 1, pulse_line.NO_ANSWER)
    assert driver.poll() == []  # told once
    driver.close()


def test_an_answer_that_waits_to_be_read_is_not_late(served: ServedP24) -> None:
    now_ns = [0]
    driver = P24(served.device.port, clock=lambda: now_ns[0])
    driver.open()
    driver.pulse(1, 10.0, 200.0)
    until(lambda: bool(served.pulses))
    with served.stalled():  # the answer has been written by now
        now_ns[0] += 10_000_000_000  # the host slept
        assert [notice.fault for notice in driver.poll()] == [False]
    driver.close()


def test_stop_arrives_behind_a_packet_that_was_cut(served: ServedP24, driver: P24) -> None:
    """Cut at every place, the stop behind it still ends low level: it is sent twice."""
    packet = sm4.encode(0, 2, sm4.ll_channel_config(0, sm4.biphasic_points(10.0, 200.0)))
    for cut in range(len(packet)):
        driver.open()
        os.write(driver.fileno(), packet[:cut])
        driver.stop()
        notices_until(driver, lambda got: any(notice.text == "stop: ok" for notice in got))
        assert served.device._level == 0
    assert served.pulses == []


def test_overspent_second_is_refused_by_the_device_and_told(served: ServedP24, driver: P24) -> None:
    driver.open()
    with served.lock:
        served.device._clock = lambda: 0  # all within one second
    faults: list[StimulatorNotice] = []
    while not faults:
        driver.pulse(0, 1.0, 4095.0)
        faults = _faults(notices_until(driver, bool))
    assert faults[0].code == 2
    assert len(served.pulses) == 119  # each costs 2 x 4095 + 100 + 60 = 8350 us, and 120 are over a second


def test_one_answered_stop_settles_the_ones_before_it(served: ServedP24) -> None:
    now_ns = [0]
    driver = P24(served.device.port, clock=lambda: now_ns[0])
    driver.open()
    served.device.mute = True
    driver.stop()
    driver.stop()
    last = (driver._next_number - 1) % 64
    (notice,) = _answered(driver, served, sm4.encode(last, 5, b"\0"))
    assert (notice.fault, notice.text) == (False, "stop: ok")
    now_ns[0] += 10_000_000_000
    assert driver.poll() == []
    driver.close()


def test_stop_nobody_answers_becomes_a_fault(served: ServedP24) -> None:
    now_ns = [0]
    driver = P24(served.device.port, clock=lambda: now_ns[0])
    driver.open()
    served.device.mute = True
    driver.stop()
    now_ns[0] += 10_000_000_000
    assert {(notice.fault, notice.code) for notice in driver.poll()} == {(True, pulse_line.NO_ANSWER)}
    driver.close()


def test_restart_takes_over_a_device_left_running(served: ServedP24) -> None:
    first = P24(served.device.port)
    first.open()
    first._link.close()  # the process died: nobody said stop
    second = P24(served.device.port)
    second.open()
    second.pulse(0, 10.0, 200.0)
    until(lambda: bool(served.pulses))
    second.close()
    assert [channel for _, channel, _ in served.pulses] == [0]


def test_restart_ends_a_mid_level_train_another_host_left_running(served: ServedP24, driver: P24) -> None:
    train = sm4.MidLevelChannel(20.0, sm4.biphasic_points(10.0, 200.0))
    host = os.open(served.device.port, os.O_RDWR | os.O_NOCTTY)
    os.write(host, sm4.encode(0, 30, sm4.ml_init()) + sm4.encode(1, 32, sm4.ml_update({5: train})))
    os.close(host)
    until(lambda: len(served.pulses) >= 2)  # it pulses by itself
    driver.open()
    given = len(served.pulses)
    driver.pulse(0, 10.0, 200.0)
    until(lambda: len(served.pulses) > given)
    assert [channel for _, channel, _ in served.pulses[given:]] == [0]


def test_two_hosts_cannot_hold_the_same_device(served: ServedP24, driver: P24) -> None:
    driver.open()
    with pytest.raises(DeviceError, match="cannot be opened") as caught:
        P24(served.device.port).open()
    assert caught.value.transient


def test_close_stops_the_device(served: ServedP24, driver: P24) -> None:
    driver.open()
    driver.close()
    again = P24(served.device.port)
    until(lambda: served.device._level == 0)
    again.open()
    again.close()
    assert served.pulses == []


def test_silent_device_fails_open_in_bounded_time(served: ServedP24, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p24, "OPEN_ANSWER_S", 0.05)
    served.device.mute = True
    driver = P24(served.device.port)
    with pytest.raises(DeviceError, match="no answer to STIM_STATUS") as caught:
        driver.open()
    assert caught.value.transient
    served.device.mute = False
    monkeypatch.undo()
    driver.open()  # and may be tried again
    driver.close()


# --- answers the emulated device does not give, written by hand ---


def _answered(driver: P24, served: ServedP24, *frames: bytes) -> list[StimulatorNotice]:
    served.device.mute = True
    with served.stalled():
        os.write(served.device.fileno(), b"".join(frames))
        return driver.poll()


def test_unasked_complaints_are_faults_while_ready_and_none_after_stop(
    served: ServedP24, driver: P24
) -> None:
    driver.open()
    complaint = sm4.encode(5, sm4.GENERAL_ERROR, b"\x08")
    unknown = sm4.encode(5, sm4.UNKNOWN_COMMAND, b"\x0b")
    first, second = _answered(driver, served, complaint, unknown)
    assert (first.fault, first.code, second.fault, second.code) == (True, 8, True, FOREIGN_ANSWER)
    assert "high voltage" in first.text
    number = driver.pulse(0, 10.0, 200.0)
    assert number is not None
    (third,) = _answered(driver, served, sm4.encode(number, sm4.UNKNOWN_COMMAND, b"\x0b"))
    assert (third.fault, third.code) == (True, 11)
    assert "does not know a command" in third.text
    driver.stop()
    assert _faults(_answered(driver, served, complaint)) == []


def test_answer_for_another_channel_is_one_to_a_command_nobody_sent(served: ServedP24, driver: P24) -> None:
    driver.open()
    served.device.mute = True
    number = driver.pulse(0, 10.0, 200.0)
    assert number is not None
    foreign, own = _answered(
        driver,
        served,
        sm4.encode(number, 3, b"\x00\x01\x00"),
        sm4.encode(number, 3, b"\x00\x00\x00"),
    )
    assert (foreign.fault, foreign.channel, foreign.code) == (True, 1, FOREIGN_ANSWER)
    assert (own.fault, own.channel, own.code) == (False, 0, 0)


def test_broken_and_short_and_repeated_answers_are_told_and_never_raise(
    served: ServedP24, driver: P24
) -> None:
    driver.open()
    served.device.mute = True
    number = driver.pulse(0, 10.0, 200.0)
    assert number is not None
    good = sm4.encode(number, 3, b"\x00\x00\x00")
    broken = bytearray(good)
    broken[-2] ^= 1
    notices = _answered(driver, served, bytes(broken), good, good, sm4.encode(number, 3, b""))
    codes = [0, FOREIGN_ANSWER, pulse_line.NOT_UNDERSTOOD, pulse_line.BROKEN_ANSWERS]
    assert [notice.code for notice in notices] == codes
    assert [notice.fault for notice in notices] == [False, True, True, False]
