"""What every stimulator driver promises the guard; a driver's tests inherit this and provide the ``rig``."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, DeviceError, Stimulator, StimulatorNotice

GivenPulse = tuple[int, int, list[tuple[int, float]]]  # CLOCK_MONOTONIC ns, channel, [(us, mA), ...]


@dataclass(frozen=True, slots=True)
class Rig:
    """A driver, not yet open, in front of a device of its kind."""

    stimulator: Stimulator
    pulses: list[GivenPulse]  # what the device really gave, in order
    vanish: Callable[[], None]  # the cable is pulled
    stalled: Callable[[], AbstractContextManager[None]]  # within, the device neither reads nor answers
    intrude: Callable[[], None]  # another program has the device give a pulse of 60 mA on channel 2


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that must happen; generous, because a machine may be busy."""
    deadline_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.001)


def notices_until(
    stimulator: Stimulator, enough: Callable[[list[StimulatorNotice]], bool]
) -> list[StimulatorNotice]:
    """Everything the driver reports until ``enough`` of it is there."""
    notices: list[StimulatorNotice] = []

    def polled() -> bool:
        notices.extend(stimulator.poll())
        return enough(notices)

    until(polled)
    return notices


class StimulatorContract:
    """Each test gets a fresh ``rig``; the rig closes driver and device afterwards."""

    def test_capability_sheet_is_complete(self, rig: Rig) -> None:
        sheet = rig.stimulator.capability
        assert sheet.channels > 0
        assert 0 < sheet.current_step_ma <= sheet.current_max_ma
        assert 0 < sheet.width_min_us < sheet.width_max_us
        assert sheet.rate_max_hz > 0
        assert len(sheet.own_watchdog.split()) >= 3  # in words

    def test_nothing_works_before_open(self, rig: Rig) -> None:
        with pytest.raises(DeviceError):
            rig.stimulator.pulse(0, 10.0, 200.0)
        with pytest.raises(DeviceError):
            rig.stimulator.fileno()
        assert rig.stimulator.poll() == []
        rig.stimulator.stop()
        rig.stimulator.close()
        assert rig.pulses == []

    def test_open_gives_no_pulse(self, rig: Rig) -> None:
        rig.stimulator.open()
        assert rig.stimulator.fileno() >= 0
        assert rig.pulses == []

    def test_a_pulse_is_given_once_and_balanced_and_acknowledged(self, rig: Rig) -> None:
        rig.stimulator.open()
        before_ns = time.monotonic_ns()
        number = rig.stimulator.pulse(0, 10.0, 200.0)
        assert number is not None
        assert number >= 0
        (notice,) = notices_until(rig.stimulator, bool)
        assert (notice.fault, notice.channel, notice.code) == (False, 0, 0)
        ((t_ns, channel, points),) = rig.pulses
        assert before_ns <= t_ns <= notice.t_ns
        assert channel == 0
        assert sum(time_us * current_ma for time_us, current_ma in points) == 0.0
        assert max(current_ma for _, current_ma in points) == 10.0

    def test_a_burst_is_given_whole_alternating_and_one_cycle_beyond_is_refused(self, rig: Rig) -> None:
        rig.stimulator.open()
        most = rig.stimulator.capability.cycles_max
        for cycles in (0, -1, most + 1):
            with pytest.raises(DeviceError, match="cycles"):
                rig.stimulator.pulse(0, 10.0, 200.0, cycles)
        assert rig.stimulator.pulse(0, 10.0, 200.0, most) is not None
        (notice,) = notices_until(rig.stimulator, bool)
        assert not notice.fault
        ((_, _, points),) = rig.pulses
        phases = [point for point in points if point[1]]
        assert phases == [(200, 10.0), (200, -10.0)] * most

    def test_every_channel_reaches_its_own_output(self, rig: Rig) -> None:
        rig.stimulator.open()
        channels = list(range(rig.stimulator.capability.channels))
        for channel in channels:
            rig.stimulator.pulse(channel, 5.0, 100.0)
        notices = notices_until(rig.stimulator, lambda got: len(got) == len(channels))
        assert not any(notice.fault for notice in notices)
        assert [channel for _, channel, _ in rig.pulses] == channels

    @pytest.mark.parametrize("silly", [math.nan, math.inf, -math.inf, -0.5, 1e9])
    def test_a_silly_current_or_width_is_refused_and_nothing_is_given(self, rig: Rig, silly: float) -> None:
        rig.stimulator.open()
        with pytest.raises(DeviceError, match="current_ma"):
            rig.stimulator.pulse(0, silly, 200.0)
        with pytest.raises(DeviceError, match="width_us"):
            rig.stimulator.pulse(0, 10.0, silly)
        least_ma = rig.stimulator.capability.current_step_ma
        rig.stimulator.pulse(0, least_ma, 200.0)  # the next good one is the first to arrive
        until(lambda: bool(rig.pulses))
        assert max(current_ma for _, current_ma in rig.pulses[0][2]) == least_ma

    def test_limits_are_included_and_one_step_beyond_is_refused(self, rig: Rig) -> None:
        sheet = rig.stimulator.capability
        rig.stimulator.open()
        rig.stimulator.pulse(sheet.channels - 1, sheet.current_max_ma, sheet.width_min_us)
        rig.stimulator.pulse(0, 0.0, sheet.width_max_us)
        for channel, current_ma, width_us in (
            (sheet.channels, 1.0, 200.0),
            (-1, 1.0, 200.0),
            (0, sheet.current_max_ma + sheet.current_step_ma, 200.0),
            (0, 1.0, sheet.width_max_us + 1.0),
            (0, 1.0, sheet.width_min_us - 1.0),
        ):
            with pytest.raises(DeviceError, match="allowed"):
                rig.stimulator.pulse(channel, current_ma, width_us)
        assert not any(notice.fault for notice in notices_until(rig.stimulator, lambda got: len(got) == 2))
        assert len(rig.pulses) == 2

    def test_a_channel_has_at_most_one_pulse_without_an_answer(self, rig: Rig) -> None:
        rig.stimulator.open()
        with rig.stalled():
            assert rig.stimulator.pulse(0, 10.0, 200.0) is not None
            assert [rig.stimulator.pulse(0, 10.0, 200.0) for _ in range(20)] == [None] * 20
            left_out = rig.stimulator.poll()
        assert [(one.fault, one.channel, one.code) for one in left_out] == [(False, 0, LEFT_OUT)] * 20
        notices_until(rig.stimulator, bool)
        assert len(rig.pulses) == 1  # what waited in the line, at the stall's end
        until(lambda: rig.stimulator.pulse(0, 10.0, 200.0) is not None)  # and it goes on
        until(lambda: len(rig.pulses) == 2)

    def test_a_stop_in_a_stall_leaves_at_most_the_one_pulse_already_written(self, rig: Rig) -> None:
        rig.stimulator.open()
        with rig.stalled():
            for _ in range(5):
                rig.stimulator.pulse(0, 10.0, 200.0)
                rig.stimulator.pulse(1, 10.0, 200.0)
            rig.stimulator.stop()
            with pytest.raises(DeviceError):
                rig.stimulator.pulse(0, 10.0, 200.0)
        rig.stimulator.open()  # answered in order: nothing that came before is on its way any more
        channels = [channel for _, channel, _ in rig.pulses]
        assert len(channels) == len(set(channels)) <= 2
        assert not any(notice.fault for notice in rig.stimulator.poll())

    def test_an_answer_to_a_command_that_was_not_sent_from_here_is_a_fault(self, rig: Rig) -> None:
        rig.stimulator.open()
        rig.stimulator.pulse(0, 10.0, 200.0)
        assert not any(notice.fault for notice in notices_until(rig.stimulator, bool))
        rig.intrude()
        (notice,) = notices_until(rig.stimulator, bool)
        assert (notice.fault, notice.code) == (True, FOREIGN_ANSWER)
        assert notice.channel in (2, None)  # some devices' answers do not name it
        assert max(current_ma for _, current_ma in rig.pulses[-1][2]) == 60.0

    def test_stop_is_idempotent_and_nothing_follows_until_opened_again(self, rig: Rig) -> None:
        rig.stimulator.open()
        rig.stimulator.pulse(0, 10.0, 200.0)
        until(lambda: len(rig.pulses) == 1)
        for _ in range(3):
            rig.stimulator.stop()
        with pytest.raises(DeviceError):
            rig.stimulator.pulse(0, 10.0, 200.0)
        assert not any(notice.fault for notice in rig.stimulator.poll())
        rig.stimulator.open()
        rig.stimulator.pulse(1, 10.0, 200.0)
        until(lambda: len(rig.pulses) == 2)

    def test_a_vanished_device_is_a_permanent_error_and_can_still_be_closed(self, rig: Rig) -> None:
        rig.stimulator.open()
        rig.vanish()
        calls: tuple[Callable[[], object], ...] = (
            rig.stimulator.poll,
            lambda: rig.stimulator.pulse(0, 10.0, 200.0),
            rig.stimulator.stop,
        )
        for call in calls:
            with pytest.raises(DeviceError) as caught:
                call()
            assert not caught.value.transient
        rig.stimulator.close()

    def test_open_on_a_vanished_device_is_an_error_that_may_be_retried(self, rig: Rig) -> None:
        rig.vanish()
        with pytest.raises(DeviceError) as caught:
            rig.stimulator.open()
        assert caught.value.transient

    def test_close_is_idempotent_and_leaves_no_handle(self, rig: Rig) -> None:
        before = len(os.listdir("/proc/self/fd"))
        rig.stimulator.open()
        for _ in range(2):
            rig.stimulator.close()
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(DeviceError):
            rig.stimulator.pulse(0, 10.0, 200.0)
