"""A guard that stands still or sleeps around its judgement, as can happen on a machine under load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.pulse_schedule import PulseOrder
from controller.safety.judgement.wire import Frame, SensorStamp, encode_frame, encode_stamp
from drivers.interface import ChannelCommand
from tests.safety.rig import SESSION
from tests.safety.room import Room

ORDER = PulseOrder(0, 20.0, 300.0)
CLOSEST_NS = 19 * MS  # at 50 Hz, a millisecond nearer


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def held_up(room: Room, happens: Callable[[], None]) -> None:
    """``happens`` between the judgement of the next frame that gives a pulse and its writing."""
    send = room.guard._line.send

    def hold(pulses: Sequence[PulseOrder], made_ns: int) -> list[dict[str, object]]:
        if pulses:
            room.guard._line.send = send  # type: ignore[method-assign]  # once
            happens()
        return send(pulses, made_ns)

    room.guard._line.send = hold  # type: ignore[method-assign]  # the fault


def written_ns(room: Room) -> list[int]:
    """When each pulse had been written, by the guard's clock."""
    room.listen()
    verdicts = [data for topic, data in room.records if topic == "guard/verdict"]
    return [pulse["t_ns"] for verdict in verdicts for pulse in verdict["pulses"]]


def test_a_guard_that_stood_still_after_judging_sends_nothing_of_it_and_trips(room: Room) -> None:
    room.walk()
    given = len(room.device.pulses)

    def stand_still() -> None:
        room.now_ns += 61 * MS  # a frame may be 60 ms old

    held_up(room, stand_still)
    for _ in range(10):
        room.tick(20.0)
    assert (room.stage, room.fault) == ("tripped", "F4")
    assert len(room.device.pulses) == given


def test_no_pulse_leaves_after_waking_on_a_frame_made_before_the_sleep(room: Room) -> None:
    room.walk()
    assert room.controller is not None
    given = len(written_ns(room))
    now_ns = room.now_ns + 25 * MS  # a pulse is due
    room.controller.send(encode_stamp(SensorStamp(SESSION, "foot", now_ns, room.seq + 1, True)))
    frame = Frame(SESSION, room.seq + 1, now_ns, 60.0, (ChannelCommand(20.0, 300.0, 40.0),))
    room.controller.send(encode_frame(frame))
    room.slept_ns += 2000 * MS  # CLOCK_MONOTONIC stands still: sample and frame are as fresh as before
    room.round(25.0)
    assert (room.stage, room.fault) == ("tripped", "F15")
    assert len(written_ns(room)) == given


def test_a_sleep_between_two_frames_of_one_turn_is_seen_before_the_second(room: Room) -> None:
    room.walk()
    assert room.controller is not None
    given = len(written_ns(room))
    judge = room.guard.hear_controller
    for seq in (1, 2):
        now_ns = room.now_ns + (12 + seq) * MS
        frame = Frame(SESSION, room.seq + seq, now_ns, 60.0, (ChannelCommand(20.0, 300.0, 40.0),))
        room.controller.send(encode_frame(frame))

    def judge_and_sleep(*message: object) -> None:
        judge(*message)  # type: ignore[arg-type]
        room.slept_ns += 501 * MS
        room.now_ns += 12 * MS

    room.guard.hear_controller = judge_and_sleep  # type: ignore[method-assign]  # the fault
    room.round(14.0)
    assert room.fault == "F15"
    assert len(written_ns(room)) == given


def test_a_sleep_after_judging_lets_nothing_of_it_out(room: Room) -> None:
    room.walk()
    given = len(room.device.pulses)

    def sleep() -> None:
        room.slept_ns += 501 * MS

    held_up(room, sleep)
    for _ in range(10):
        room.tick(20.0)
    assert (room.stage, room.fault) == ("tripped", "F15")
    assert len(room.device.pulses) == given


def test_a_guard_held_up_between_its_two_clocks_takes_that_for_no_sleep(room: Room) -> None:
    room.walk()
    asleep_ns = room.guard._asleep_ns
    room.guard._asleep_ns = asleep_ns  # as measured; now once too short by a stall of 600 ms
    boot_clock = room.guard._boot_clock
    room.guard._boot_clock = lambda: boot_clock() - 600 * MS
    room.tick(20.0)
    room.guard._boot_clock = boot_clock
    room.tick(20.0)
    assert room.stage == "active"


@pytest.mark.parametrize("held_ms", [5.0, 45.0, 54.0])
def test_a_pulse_written_late_keeps_the_next_one_at_its_distance(room: Room, held_ms: float) -> None:
    room.walk()

    def hold() -> None:
        room.now_ns += round(held_ms * MS)

    before = len(written_ns(room))
    held_up(room, hold)
    for _ in range(40):
        room.tick(20.0)
    assert room.stage == "active"
    times = written_ns(room)
    assert len(times) >= before + 6  # 200 ms at 40 Hz, one of them held up
    assert min(after - earlier for earlier, after in pairwise(times)) >= CLOSEST_NS


@pytest.mark.parametrize(("after_ns", "given"), [(CLOSEST_NS, 1), (CLOSEST_NS - 1, 0), (0, 0)])
def test_the_distance_is_looked_at_once_more_before_the_writing(
    room: Room, after_ns: int, given: int
) -> None:
    room.walk()
    room.round()
    room.now_ns += 100 * MS
    sent, left_out = room.guard._line.send([ORDER], room.now_ns)
    assert (len(sent), left_out) == (1, [])
    room.answered()
    room.now_ns += after_ns
    sent, left_out = room.guard._line.send([ORDER], room.now_ns)
    assert (len(sent), left_out) == (given, [0] * (1 - given))
    told = room.events("warning")
    assert len(told) == 1 - given
    if told:
        assert "at least 19 ms are allowed" in told[0]["text"]
        assert "1 so far" in told[0]["text"]


def test_every_pulse_left_out_is_told_and_counted(room: Room) -> None:
    room.walk()
    room.round()
    room.now_ns += 100 * MS
    sent, left_out = room.guard._line.send([ORDER, ORDER, ORDER], room.now_ns)
    assert (len(sent), left_out) == (1, [0, 0])
    assert ["so far" in one["text"] for one in room.events("warning")] == [True, True]
    assert "2 so far" in room.events("warning")[1]["text"]
