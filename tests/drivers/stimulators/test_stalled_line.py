"""A stimulator on a line that stalls or answers late: what it really gives, by its own log, in virtual time.

A real pseudo-terminal, and both ends on a clock turned by hand: no figure depends on the machine.
"""

from __future__ import annotations

import math
import random
import select
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from drivers.emulated.p24 import EmulatedP24
from drivers.emulated.rehastim2 import EmulatedRehaStim2
from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, StimulatorNotice
from drivers.stimulators import pulse_line
from drivers.stimulators.p24 import P24
from drivers.stimulators.rehastim2 import RehaStim2
from tests.drivers.contract_stimulator import notices_until, until

MS = 1_000_000
STEP_NS = MS // 4
Peer = type[EmulatedP24] | type[EmulatedRehaStim2]
Driver = type[P24] | type[RehaStim2]
Kind = tuple[Peer, Driver, float, float, float, tuple[float, float]]
KINDS: dict[str, Kind] = {
    # the sheet's fastest rate; one that a session uses; when an answer is late; how long answers take
    "p24": (EmulatedP24, P24, 50.0, 40.0, 18.0, (1.0, 16.0)),
    "rehastim2": (EmulatedRehaStim2, RehaStim2, 33.0, 33.0, 24.0, (10.0, 24.0)),
}
ARRIVES_MS = 10_000  # real time; what was written is on its way in the kernel


class Line:
    """A driver that is asked for pulses at ``rate_hz`` on each of ``channels``, and its device."""

    def __init__(self, kind: str) -> None:
        peer, driver, self.fastest_hz, self.rate_hz, self.late_ms, self.answer_ms = KINDS[kind]
        self.closest_ns = round(1e9 / self.fastest_hz)
        self.period_ns = round(1e9 / self.rate_hz)
        self.grain_ns = STEP_NS if self.closest_ns % STEP_NS else 0  # what a period off the grid costs
        self.now_ns = 0
        self.given: list[tuple[int, int]] = []  # when, channel
        self.notices: list[StimulatorNotice] = []
        self.left_out = 0
        self.stalled_until_ns = 0
        self.device = peer(
            on_pulse=lambda t_ns, channel, _: self.given.append((t_ns, channel)), clock=lambda: self.now_ns
        )
        self.driver = driver(self.device.port, clock=lambda: self.now_ns)
        self._due_ns: dict[int, int] = {}
        self._unread = 0

    def open(self) -> None:
        opened = threading.Event()
        device = threading.Thread(target=self._serve, args=(opened,))
        device.start()
        try:
            self.driver.open()
        finally:
            opened.set()
            device.join()

    def _serve(self, opened: threading.Event) -> None:
        while not opened.is_set():
            select.select([self.device.fileno()], [], [], 0.001)
            self.now_ns += MS  # some call for a host now and then
            self.device.service()

    def go(self, ms: float, *, rate_hz: float = 0.0, channels: tuple[int, ...] = (0,)) -> None:
        """Time passes; pulses are asked for on an absolute schedule, as the guard does."""
        for _ in range(round(ms * MS / STEP_NS)):
            self.now_ns += STEP_NS
            self._serve_step()
            for place, channel in enumerate(channels if rate_hz else ()):
                due_ns = self._due_ns.setdefault(channel, self.now_ns + place * 3 * MS)
                if self.now_ns >= due_ns:
                    self._due_ns[channel] = due_ns + round(1e9 / rate_hz)
                    self.pulse(channel)

    def pulse(self, channel: int) -> int | None:
        number = self.driver.pulse(channel, 20.0, 300.0)
        self.left_out += number is None
        self._unread += number is not None
        self._serve_step()
        return number

    def _serve_step(self) -> None:
        """The device reads what was written and answers, unless it stalls; the driver hears what it says."""
        if self.now_ns < self.stalled_until_ns:
            return
        while self._unread:
            until(lambda: bool(select.select([self.device.fileno()], [], [], ARRIVES_MS / 1e3)[0]))
            before = len(self.given)
            self.device.service()
            self._unread -= len(self.given) - before
        self.device.service()
        due = sum(asked.channel is not None for asked in self.driver._asked.values())
        owed = len(self.device._answers)  # what it has not sent yet
        heard: list[StimulatorNotice] = []

        def all_heard() -> bool:
            heard.extend(self.driver.poll())
            return sum(asked.channel is not None for asked in self.driver._asked.values()) <= min(due, owed)

        until(all_heard)
        self.notices += heard

    def close(self) -> None:
        self.device.close()
        self.driver.close()

    def distances_ns(self, channel: int = 0) -> list[int]:
        times = [t_ns for t_ns, one in self.given if one == channel]
        return [after - before for before, after in pairwise(times)]

    def faults(self) -> list[int]:
        return [notice.code for notice in self.notices if notice.fault]


@pytest.fixture(params=KINDS)
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    line = Line(request.param)
    line.open()
    yield line
    line.close()


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_answers_of_a_usb_line_cost_no_pulse(line: Line, share: float) -> None:
    """As late as the vendor says, changing with each answer, on two channels, up to the fastest rate."""
    rate_hz = share * line.fastest_hz
    dice = random.Random(2)
    for _ in range(400):
        line.device.answer_after_ns = round(dice.uniform(*line.answer_ms) * MS)
        line.go(5.0, rate_hz=rate_hz, channels=(0, 5))
    assert line.left_out == 0
    for channel in (0, 5):
        steps_ns = [distance - round(1e9 / rate_hz) for distance in line.distances_ns(channel)]
        assert max(map(abs, steps_ns)) <= (STEP_NS if round(1e9 / rate_hz) % STEP_NS else 0)
        assert len(line.distances_ns(channel)) >= 2.0 * rate_hz - 2
    assert line.faults() == []


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_step_after_its_time_an_answer_is_late_and_the_next_pulse_keeps_its_distance_from_it(
    line: Line, left_out: int
) -> None:
    after_ms = line.late_ms + left_out * STEP_NS / MS
    line.device.answer_after_ns = round(after_ms * MS)
    assert line.pulse(0) is not None
    line.go((math.ceil(line.closest_ns / STEP_NS) - 1) * STEP_NS / MS)
    assert (line.pulse(0) is None) == bool(left_out)
    if left_out:
        line.go(after_ms)  # a period after the answer, one step less, and then that step
        assert line.pulse(0) is None
        line.go(0.25)
        assert line.pulse(0) is not None
        assert [notice.code for notice in line.notices].count(LEFT_OUT) == 2


@pytest.mark.parametrize("stall_ms", [0.5, 10.0, 17.0, 18.0, 19.0, 25.0, 45.0, 60.0, 120.0, 190.0])
def test_a_stall_releases_at_most_one_pulse_of_a_channel_and_the_next_keeps_away(
    line: Line, stall_ms: float
) -> None:
    """At every phase of the stall against the pulses; by the device's log."""
    for phase in range(10):
        line.go(150.0 + 2.5 * phase, rate_hz=line.rate_hz, channels=(0, 1))
        begin_ns = line.now_ns
        line.stalled_until_ns = begin_ns + round(stall_ms * MS)
        line.go(stall_ms, rate_hz=line.rate_hz, channels=(0, 1))
        line.go(150.0, rate_hz=line.rate_hz, channels=(0, 1))
        for channel in (0, 1):
            released = [t for t, one in line.given if one == channel and t == line.stalled_until_ns]
            assert len(released) <= 1
    assert line.faults() == []
    late_ns = round(line.late_ms * MS)
    for channel in (0, 1):
        # a pulse written in the last 18 or 24 ms of a stall cannot be told from one that was given at once
        short = stall_ms * MS < line.period_ns + late_ns + 2 * STEP_NS
        least_ns = (line.period_ns - late_ns if short else line.closest_ns) - line.grain_ns
        assert min(line.distances_ns(channel)) >= least_ns


def test_a_line_that_stands_still_takes_no_pulse_of_any_channel(line: Line) -> None:
    line.stalled_until_ns = 1 << 62
    assert line.pulse(0) is not None
    line.go(line.late_ms)
    assert line.pulse(1) is not None
    line.go(0.25)
    assert line.pulse(2) is None


def test_the_dead_line_is_told_in_time_and_its_late_answer_is_ours(line: Line) -> None:
    line.stalled_until_ns = line.now_ns + 240 * MS
    assert line.pulse(0) is not None
    line.go(200.0)
    assert line.driver.poll() == []
    line.now_ns += 1
    (told,) = line.driver.poll()
    assert (told.fault, told.channel, told.code) == (True, 0, pulse_line.NO_ANSWER)
    line.go(60.0)
    (late,) = notices_until(line.driver, bool) if not line.notices else line.notices
    assert (late.fault, late.channel, late.code) == (False, 0, pulse_line.LATE)
    assert "late answer" in late.text
    assert len(line.given) == 1


@pytest.mark.parametrize("stopped_ms", [1.0, 30.0, 150.0, 230.0, 1000.0])
def test_after_a_stop_in_a_stall_nothing_comes_but_what_was_written_before(
    line: Line, stopped_ms: float
) -> None:
    line.go(100.0, rate_hz=line.rate_hz, channels=(0, 1))
    line.stalled_until_ns = 1 << 62
    line.go(stopped_ms, rate_hz=line.rate_hz, channels=(0, 1))
    line.driver.stop()
    before = list(line.given)
    line.go(1000.0)
    line.stalled_until_ns = 0
    until(lambda: bool(select.select([line.device.fileno()], [], [], ARRIVES_MS / 1e3)[0]))
    line._unread = 0
    line.go(100.0)
    after = [channel for _, channel in line.given[len(before) :]]
    assert len(after) == len(set(after)) <= 2
    assert FOREIGN_ANSWER not in [notice.code for notice in line.notices]
    assert [code for code in line.faults() if code != pulse_line.NO_ANSWER] == []
