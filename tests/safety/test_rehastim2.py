"""The guard in front of a RehaStim2: its limits hold there too, and what it reports ends the walk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.stimulators.pulse_line import PulseLine
from drivers.stimulators.rehastim2 import RehaStim2
from tests.safety.rig import SESSION_LIMITS
from tests.safety.room import Room, ServedRehaStim2

MS = 1_000_000


class RehaStim2Room(Room):
    device: ServedRehaStim2

    def __init__(self, rig: Path) -> None:
        limits = SESSION_LIMITS | {"rate_max_hz": 33.0}
        super().__init__(rig, limits=[{"who": "session", "limits": limits}])
        self.rate_hz = 33.0

    def make_device(self) -> ServedRehaStim2:
        return ServedRehaStim2(lambda: self.now_ns)

    def make_driver(self, port: str) -> PulseLine:
        return RehaStim2(port, clock=lambda: self.now_ns)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[RehaStim2Room]:
    made = RehaStim2Room(tmp_path)
    yield made
    made.close()


def strongest(room: RehaStim2Room) -> list[float]:
    return [max(current_ma for _, current_ma in points) for _, points in room.device.pulses]


def test_a_walk_gives_even_currents_never_above_what_was_asked_at_the_rate_asked_for(
    room: RehaStim2Room,
) -> None:
    room.walk(21.0)
    assert strongest(room)[-3:] == [20.0] * 3
    assert all(current_ma % 2.0 == 0.0 and current_ma <= 21.0 for current_ma in strongest(room))
    assert max(after - before for before, after in pairwise(strongest(room))) <= 8.0  # 1 mA each 5 ms
    gaps_ms = [(after - before) / MS for before, after in pairwise(room.device.given)]
    assert min(gaps_ms) >= 30.0  # of ticks of 5 ms
    assert sum(gaps_ms) / len(gaps_ms) >= 1000.0 / 33.0 - 0.5


def test_a_frame_at_more_than_the_device_can_gives_no_pulse(room: RehaStim2Room) -> None:
    room.walk()
    given = len(room.device.pulses)
    room.rate_hz = 34.0
    for _ in range(20):
        room.tick(20.0)
    assert len(room.device.pulses) == given
    room.rate_hz = 33.0
    for _ in range(20):
        room.tick(10.0)
    assert len(room.device.pulses) > given


@pytest.mark.parametrize("fault", ["emergency", "loose"])
def test_what_it_reports_ends_the_walk(room: RehaStim2Room, fault: str) -> None:
    room.walk()
    given = len(room.device.pulses)
    if fault == "emergency":
        room.device.emergency = True
    else:
        room.device.loose_electrodes.add(0)
    for _ in range(20):
        room.tick(20.0)
    assert room.stage == "tripped", room.events()
    assert len(room.device.pulses) == given
    for _ in range(20):
        room.tick(20.0)
    assert len(room.device.pulses) == given


def test_a_cable_that_is_pulled_ends_the_walk(room: RehaStim2Room) -> None:
    room.walk()
    room.device.hang_up()
    room.round(5.0)
    assert room.stage == "tripped"
