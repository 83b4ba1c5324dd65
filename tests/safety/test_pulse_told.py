"""The controller hears when each pulse was written, and never holds up the guard by not listening."""

from __future__ import annotations

import contextlib
import socket

import pytest

from controller.ipc import bus
from controller.safety.judgement.wire import BadFrame, Frame, PulseTold, decode_pulse, encode_frame
from drivers.interface import ChannelCommand
from tests.safety.rig import SESSION
from tests.safety.room import MakeRoom, Room

BURST = ChannelCommand(20.0, 200.0, 40.0, 8)


def told(room: Room) -> list[PulseTold]:
    assert room.controller is not None
    found = []
    while data := bus.receive(room.controller):
        pulse = decode_pulse(data)
        if not isinstance(pulse, BadFrame):
            found.append(pulse)
    return found


def recorded(room: Room) -> list[PulseTold]:
    """What the guard wrote down of its pulses."""
    room.listen()
    return [
        PulseTold(pulse["channel"], pulse["t_ns"], pulse["current_ma"], pulse["width_us"], pulse["cycles"])
        for topic, verdict in room.records
        if topic == "guard/verdict"
        for pulse in verdict["pulses"]
    ]


def ask_for(room: Room, command: ChannelCommand, ticks: int) -> None:
    assert room.controller is not None
    for _ in range(ticks):
        room.seq += 1
        now_ns = room.now_ns + 5_000_000
        room.controller.send(encode_frame(Frame(SESSION, room.seq, now_ns, 60.0, (command,))))
        room.round(5.0)
        room.answered()


def test_every_pulse_is_told_with_the_time_of_its_writing(room_of: MakeRoom) -> None:
    room = room_of().walk()
    pulses = told(room)
    assert pulses == recorded(room)
    assert [pulse.t_ns for pulse in pulses] == room.device.given
    assert len(pulses) > 10
    assert pulses[-1] == PulseTold(0, pulses[-1].t_ns, 20.0, 300.0, 1)
    assert told(room) == []


def test_an_exercise_without_sensors_gives_bursts_and_tells_them(room_of: MakeRoom) -> None:
    room = room_of(caps="exercise", sensors=[]).arm()
    told(room)
    ask_for(room, BURST, 100)
    assert room.stage == "active"
    assert told(room) == recorded(room)[-20:]
    assert recorded(room)[-1] == PulseTold(0, room.device.given[-1], 20.0, 200.0, 8)
    assert room.device.pulses[-1] == (0, [(200, 20.0), (200, -20.0)] * 8)
    verdict = next(record for topic, record in reversed(room.records) if topic == "guard/verdict")
    assert verdict["channels"][0]["cycles"] == 8
    setup = next(record for topic, record in room.records if topic == "guard/setup")
    assert (setup["caps"], setup["on_window_s"], setup["sensors"]) == ("exercise", 120.0, [])


def test_a_burst_the_stimulator_cannot_give_never_reaches_it(room_of: MakeRoom) -> None:
    room = room_of(caps="exercise", sensors=[]).arm()
    given = len(room.device.pulses)
    ask_for(room, ChannelCommand(20.0, 200.0, 40.0, 9), 20)
    verdict = next(record for topic, record in reversed(room.records) if topic == "guard/verdict")
    assert (verdict["verdict"], verdict["limit"]) == ("blocked", "cycles_max 8 (device)")
    assert (len(room.device.pulses), room.stage) == (given, "armed")


def test_three_contractions_and_a_person_let_feedback_through_the_whole_guard(room_of: MakeRoom) -> None:
    room = room_of(caps="exercise", sensors=[], unlock="person").arm()
    for number in range(3):
        assert not room.ask("unlock")["ok"], number
        ask_for(room, BURST, 105)
        for _ in range(25):
            room.tick(None, sampled=False)
    answer = room.ask("unlock")
    assert (answer["ok"], answer["unlocked"]) == (True, True)
    assert answer["unlock"] | {"ceiling_ma": 0} == {
        "answered": 3, "needed": 3, "by": "person", "full": True, "ceiling_ma": 0, "counted": "contractions",
    }  # fmt: skip
    assert [event["text"][:33] for event in room.events("answer")] == [
        "A contraction of 0.5 s was given."
    ] * 3


@pytest.mark.parametrize("gone", [False, True])
def test_a_controller_that_does_not_read_costs_no_pulse(room_of: MakeRoom, gone: bool) -> None:
    room = room_of().walk()
    (connection,) = [one for one in room.guard._peers._connections.values() if one.role == "controller"]
    assert room.controller is not None
    with contextlib.suppress(BlockingIOError):
        while True:
            connection.sock.send(bytes(1000))
    given, dropped = len(room.device.pulses), connection.sender.dropped
    if gone:
        room.controller.shutdown(socket.SHUT_RD)
    for _ in range(20):
        room.tick(20.0)
    assert room.stage == "active"
    assert len(room.device.pulses) == given + 4
    assert connection.sender.dropped == dropped + 20 + 4  # verdicts and pulses
