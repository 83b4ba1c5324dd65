"""The whole guard on a stimulator line that stalls, and with a second program on its port.

Judged by the emulated device's own log, in the guard's own time: nothing depends on the machine.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import pytest

from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.frame_check import MS
from drivers.stimulators import sciencemode4 as sm4
from tests.drivers.contract_stimulator import until
from tests.safety.room import MakeRoom, Room

CLOSEST_NS = 20 * MS  # the rig's rate limit is 50 Hz
FOREIGN_MA = 60.0  # the rig's session allows 40


@pytest.fixture
def room(room_of: MakeRoom) -> Room:
    return room_of()


def stall(room: Room, ms: float) -> int:
    """The device neither reads nor answers for ``ms`` of walking; how many pulses it had given before."""
    before = len(room.device.given)
    with room.device.stalled():
        for _ in range(round(ms / 5.0)):
            room.tick(20.0)
    room.answered()
    return before


def verdicts(room: Room) -> list[dict[str, Any]]:
    room.listen()
    return [data for topic, data in room.records if topic == "guard/verdict"]


@pytest.mark.parametrize("ms", [60.0, 120.0, 190.0])
def test_a_stall_releases_one_pulse_and_the_walk_goes_on(room: Room, ms: float) -> None:
    room.walk()
    for phase in range(5):  # of the stall against the pulses, which come every five ticks
        before = stall(room, ms)
        assert len(room.device.given) - before <= 1
        for _ in range(21 + phase):
            room.tick(20.0)
        assert len(room.device.given) - before >= 3
    assert (room.stage, room.fault) == ("active", None)
    times = room.device.given
    assert min(after - earlier for earlier, after in pairwise(times)) >= CLOSEST_NS


def test_what_was_left_out_is_told_and_recorded(room: Room) -> None:
    room.walk()
    left_out = sum(len(one["left_out"]) for one in verdicts(room))
    assert left_out == 0
    stall(room, 120.0)
    for _ in range(20):
        room.tick(20.0)
    left_out = sum(len(one["left_out"]) for one in verdicts(room))
    assert left_out in (4, 5)  # of the five or six that were due
    assert sum(len(one["pulses"]) for one in verdicts(room)) == len(room.device.given)
    (told,) = room.events("warning")
    assert "answers late" in told["text"]


@pytest.mark.parametrize("ms", [240.0, 1000.0])
def test_a_stall_that_lasts_trips_and_releases_no_more_than_one_pulse(room: Room, ms: float) -> None:
    room.walk()
    before = stall(room, ms)
    assert (room.stage, room.fault) == ("tripped", "F19")
    for _ in range(20):
        room.tick(20.0)
    assert len(room.device.given) - before <= 1
    assert room.fault == "F19"  # the late answer is to a command of our own


@pytest.mark.parametrize("ms", [5.0, 60.0, 190.0])
def test_after_stop_in_a_stall_nothing_comes_but_what_was_written_before(room: Room, ms: float) -> None:
    room.walk()
    before = len(room.device.given)
    with room.device.stalled():
        for _ in range(round(ms / 5.0)):
            room.tick(20.0)
        assert room.ask("stop")["state"] == "tripped"
        written = sum(len(one["pulses"]) for one in verdicts(room)) - before
        assert written <= 1
        for _ in range(200):
            room.tick(20.0)
    room.answered()
    for _ in range(20):
        room.tick(20.0)
    assert len(room.device.given) - before <= written  # the stop may overtake it in the line
    assert (room.stage, room.fault) == ("tripped", "F11")


# --- a second program on the port ---


def intrude(room: Room, number: int) -> None:
    """A program of root's gives a pulse of 60 mA on channel 2; the device has given and answered it."""
    given = len(room.device.given)
    room.device.let_in_now()
    line = os.open(room.device.port, os.O_RDWR | os.O_NOCTTY)
    os.write(line, sm4.encode(number, 2, sm4.ll_channel_config(2, sm4.biphasic_points(FOREIGN_MA, 200.0))))
    until(lambda: len(room.device.given) > given)
    os.close(line)


def test_a_pulse_of_another_program_trips_within_its_deadline(room: Room) -> None:
    room.walk()
    intruded_ns = room.now_ns
    intrude(room, 60)
    until(lambda: _heard(room))
    assert (room.stage, room.fault) == ("tripped", "F25")
    deadline_ms = FAULTS["F25"].deadline_ms
    assert deadline_ms is not None
    assert (room.now_ns - intruded_ns) / MS <= deadline_ms
    assert room.device.pulses[-1][1][0][1] == FOREIGN_MA
    given = len(room.device.given)
    for _ in range(20):
        room.tick(20.0)
    assert len(room.device.given) == given
    assert room.ask("acknowledge")["state"] == "off"


def _heard(room: Room) -> bool:
    room.round()
    return room.stage == "tripped"


@pytest.mark.parametrize("ahead", range(3))
def test_its_packet_number_does_not_help_it(room: Room, ahead: int) -> None:
    """Also one that is on its way from here is then answered twice."""
    room.walk()
    number = room.stimulator._next_number
    while room.stimulator._next_number == number:
        room.tick(20.0)
    intrude(room, (number + ahead) % sm4.PACKET_NUMBERS)
    until(lambda: _heard(room))
    assert room.fault == "F25"


def test_an_answer_from_before_the_opening_trips_nothing(room: Room) -> None:
    late = sm4.encode(17, 3, b"\0\0\0")
    os.write(room.device.fileno(), late)
    room.device._answers.append((0, late))  # and one that comes while the driver opens
    room.walk()
    assert room.events("trip") == []
    assert room.events("warning") == []


def test_a_foreign_pulse_while_off_is_told_and_the_output_stage_switched_off(room: Room) -> None:
    room.complete()
    room.round()
    intrude(room, 60)

    def told() -> bool:
        room.round()
        return bool(room.events("warning"))

    until(told)
    (warning,) = room.events("warning")
    assert warning["fault"] == "F25"
    assert room.stage == "off"
    until(lambda: room.device._level == 0)
    for _ in range(120):  # it opens again by itself
        room.tick()
    assert room.guard.known.link
