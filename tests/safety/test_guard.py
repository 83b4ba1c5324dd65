"""The guard's process in one piece and in its own time: every way in, every way it can be left alone.

Deadlines in real time are in ``test_process.py``; here no test depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.ipc import bus
from controller.safety import guard as guard_module
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import PulseLeft, Trouble
from controller.safety.judgement.wire import Frame, SensorStamp, encode_frame, encode_stamp
from controller.safety.kept_file import KeptFile
from controller.safety.kept_state import IN_FLIGHT
from controller.safety.operator_link import BATCH
from tests.safety.rig import SESSION
from tests.safety.room import MakeRoom, Room


@pytest.fixture
def room(room_of: MakeRoom) -> Room:
    return room_of()


@pytest.fixture
def button(tmp_path: Path) -> Iterator[int]:
    """A pipe that carries the bytes of key events, as the kernel's event device of a button does."""
    os.mkfifo(tmp_path / "button")
    writer = os.open(tmp_path / "button", os.O_RDWR)
    yield writer
    os.close(writer)


def key(value: int, kind: int = 1) -> bytes:
    """struct input_event: a key (kind 1) released, pressed or repeated (value 0, 1, 2)."""
    return struct.pack("@llHHi", 0, 0, kind, 28, value)


def strength(room: Room) -> list[float]:
    return [points[0][1] for _, points in room.device.pulses]


# --- who may say what ---


def test_stop_is_obeyed_and_only_a_person_leads_back(room: Room) -> None:
    room.walk()
    assert room.ask("stop")["state"] == "tripped"
    count = len(room.device.pulses)
    for _ in range(20):
        room.tick(20.0)
    assert not room.ask("arm")["ok"]
    assert room.ask("stop")["state"] == "tripped"
    assert len(room.device.pulses) == count
    assert room.ask("acknowledge")["state"] == "off"
    for _ in range(120):
        room.tick()
    answer = room.ask("arm")
    assert answer["ok"], answer["text"]


def test_stop_needs_no_introduction(room: Room) -> None:
    room.walk()
    stranger = room.join(None)
    stranger.send(b'{"op":"stop"}')
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F11")
    assert room.heard(stranger)[-1]["reply"] == "stop"


def test_stop_is_read_before_a_controllers_queue(room: Room) -> None:
    room.walk()
    assert room.controller is not None
    assert room.operator is not None
    for _ in range(100):
        room.seq += 1
        room.controller.send(encode_frame(Frame(SESSION, room.seq, room.now_ns, 60.0, (None,))))
    room.operator.send(b'{"op":"stop"}')
    room.verdicts()
    room.round()
    kinds = {verdict.state for verdict in room.verdicts()}
    assert kinds == {"tripped"}


def test_not_even_a_full_queue_keeps_the_guard_from_looking_for_stop(room: Room) -> None:
    room.walk()
    assert room.controller is not None
    for _ in range(BATCH + 10):
        room.seq += 1
        room.controller.send(encode_frame(Frame(SESSION, room.seq, room.now_ns, 60.0, (None,))))
    room.verdicts()
    room.round()
    assert len(room.verdicts()) == BATCH


def test_an_operator_who_talks_nonsense_is_answered_and_changes_nothing(room: Room) -> None:
    room.complete()
    assert room.operator is not None
    room.heard(room.operator)
    for data in (b"\xff{", b"[1]", b'{"op":"dance"}', b'{"op":7}', b"[" * 5000):
        room.operator.send(data)
    room.round()
    answers = room.heard(room.operator)
    assert len(answers) == 5
    assert not any(answer["ok"] for answer in answers)
    assert all("known requests" in answer["text"] for answer in answers)
    assert room.stage == "off"


def test_a_second_controller_is_turned_away_and_a_stranger_asked_who_it_is(room: Room) -> None:
    room.walk()
    second = room.join({"role": "controller"})
    assert room.heard(second) == [{"error": "there is a controller already"}, {"closed": True}]
    stranger = room.join({"op": "arm"})
    assert room.heard(stranger) == [{"error": "say your role first"}, {"closed": True}]
    assert room.stage == "active"


def test_who_has_not_said_a_role_is_told_nothing_and_missed_by_nobody(room: Room) -> None:
    room.walk()
    stranger = room.join(None)
    room.ask("stop")
    assert room.heard(stranger) == []
    stranger.close()
    room.round()
    room.round()
    assert room.fault == "F11"


def test_everybody_is_told_of_a_trip_at_once(room: Room) -> None:
    room.walk()
    witness = room.join({"role": "operator", "name": "witness"})
    assert [word["state"] for word in room.heard(witness)] == ["active"]
    room.ask("stop")
    assert [(word["state"], word["fault"]) for word in room.heard(witness)] == [("tripped", "F11")]


def test_a_heartbeat_is_answered_and_the_state_told_with_what_forbids_arming(room: Room) -> None:
    room.complete()
    assert room.ask("heartbeat")["ok"]
    told = room.ask("state")
    assert told["ok"]
    assert {"code": "frame", "name": "", "left_s": None} in told["refusals"]
    assert told["limits"]["current_max_ma"] == {"value": 40.0, "set_by": "session"}
    assert told["on_s"] == {"bout": 0.0, "session": 0.0}  # nothing has been armed


def test_a_stamp_that_is_damaged_or_of_another_session_counts_for_nothing(room: Room) -> None:
    room.complete()
    assert room.controller is not None
    good = SensorStamp(SESSION, "foot", room.now_ns, 1, True)
    damaged = bytearray(encode_stamp(good))
    damaged[9] ^= 1
    room.controller.send(bytes(damaged))
    room.controller.send(encode_stamp(SensorStamp(SESSION + 1, "foot", room.now_ns, 1, True)))
    room.round()
    assert room.guard.known.sensors["foot"].valid_ns is None
    room.controller.send(encode_stamp(good))
    room.round()
    assert room.guard.known.sensors["foot"].valid_ns == room.now_ns


def test_bytes_that_are_no_frame_are_recorded_and_not_answered(room: Room) -> None:
    room.complete()
    assert room.controller is not None
    room.controller.send(b"\x01nonsense")
    room.round()
    assert room.verdicts() == []
    room.listen()
    assert room.records[-1][1]["verdict"] == "blocked"


# --- the end of somebody ---


def test_the_end_of_the_controller_silences_at_once(room: Room) -> None:
    room.walk()
    assert room.controller is not None
    room.controller.close()
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F3")


def test_the_end_of_the_last_operator_silences_at_once(room: Room) -> None:
    room.walk()
    assert room.operator is not None
    room.operator.close()
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F10")


def test_a_silent_controller_and_a_silent_sensor_trip_in_the_guards_own_time(room_of: MakeRoom) -> None:
    room = room_of().walk()
    room.round(59.0)
    assert room.stage == "active"
    room.round(2.0)
    assert room.fault == "F4"


def test_a_silent_sensor_trips_though_the_controller_goes_on(room: Room) -> None:
    room.walk()
    for _ in range(30):  # 150 ms
        room.tick(20.0, sampled=False)
    assert room.stage == "active"
    room.tick(20.0, sampled=False)
    assert room.fault == "F1"


@pytest.mark.parametrize("told", ["by the kernel's signal", "by another parent"])
def test_the_guard_ends_when_the_program_that_started_it_is_gone(room: Room, told: str) -> None:
    room.walk()
    if told == "by another parent":
        room.guard._parent = 0
    else:  # sent as the first of the parent's threads dies, while the parent still has its number
        room.guard._signals.append(signal.SIGHUP)
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F10")
    assert room.guard._ended


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGTERM, True), (signal.SIGINT, False)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_is_stop(room: Room, number: signal.Signals, ends: bool) -> None:
    room.walk()
    room.guard._signals.append(number)
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F11")
    assert number.name in room.events("stop")[0]["text"]
    assert room.guard._ended == ends


def test_sigterm_while_nothing_may_leave_ends_without_a_trip(room: Room) -> None:
    room.complete()
    room.guard._signals.append(signal.SIGTERM)
    room.round()
    assert room.stage == "off"
    assert room.guard._ended


# --- the clock ---


def test_a_computer_that_slept_trips_and_one_that_did_not_does_not(room: Room) -> None:
    room.walk()
    room.slept_ns += 500 * MS
    room.tick(20.0)
    assert room.stage == "active"
    room.slept_ns += 501 * MS
    room.tick(20.0)
    assert (room.stage, room.fault) == ("tripped", "F15")
    assert "0.5 s" in room.events("trip")[0]["text"]


def test_sleep_while_nothing_may_leave_is_no_fault_then_nor_later(room: Room) -> None:
    room.complete()
    room.slept_ns += 3600_000 * MS
    room.round()
    assert room.stage == "off"


def test_the_guard_waits_no_longer_than_the_next_deadline(room: Room) -> None:
    assert room.guard._wait_ms() == guard_module.IDLE_MS
    room.walk()
    assert room.guard._wait_ms() == guard_module.WATCH_MS
    room.now_ns += 55 * MS
    assert room.guard._wait_ms() == pytest.approx(5.0)
    room.now_ns += 55 * MS
    assert room.guard._wait_ms() == 0.0


# --- after a crash ---


def test_what_was_in_force_before_a_crash_is_shown_and_needs_a_person(room_of: MakeRoom) -> None:
    crashed = room_of().walk()
    crashed.close()  # not in order: the loop did not end, an exception ended it
    for _ in range(2):  # nobody acknowledges: the guard after it is told once more
        after = room_of()
        after.run()
        state = after.guard.known.state
        assert (state.stage.value, state.fault) == ("tripped", "F16")
        assert "in force was active: tibialis anterior 20.0 mA, 300.0 us, 40.0 Hz" in state.detail
        after.close()
    last = room_of()
    last.guard.feed(Trouble("F16"))
    last.complete()
    assert last.ask("acknowledge")["state"] == "off"
    last.close()
    assert in_flight(last) is None


def in_flight(room: Room) -> object:
    """What the next guard would find in force."""
    file = KeptFile(room.rig / IN_FLIGHT)
    file.close(0.0)
    assert not file.damaged
    return file.found


def test_a_guard_that_loses_its_rig_amid_pulses_leaves_its_trip_to_the_next_one(room_of: MakeRoom) -> None:
    room = room_of().walk()
    room.run()  # its parent is gone, and whoever would have been told
    assert room.fault == "F10"
    again = room_of()
    again.run()
    assert again.fault == "F16"


@pytest.mark.parametrize(("after_ms", "told"), [(0.0, True), (999.0, True), (1000.0, False)])
def test_a_dying_rig_takes_its_operator_away_before_its_guard_hears_of_it_and_the_next_one_tells_that_too(
    room_of: MakeRoom, after_ms: float, told: bool
) -> None:
    room = room_of().walk()
    assert room.operator is not None
    room.operator.close()
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F10")
    room.round(after_ms)
    room.run()
    again = room_of()
    again.run()
    state = again.guard.known.state
    assert state.fault == ("F16" if told else "F10")
    assert ("in force was active: tibialis anterior 20.0 mA" in state.detail) == told


def test_an_orderly_end_leaves_nothing_in_force(room_of: MakeRoom) -> None:
    room = room_of().walk()
    room.run(orphaned=False)
    assert room.fault == "F11"
    assert in_flight(room) is None
    again = room_of()
    again.run()
    assert again.fault == "F10"  # its parent is gone; nothing of F16


def test_a_ramp_that_the_end_cuts_short_leaves_nothing_in_force(room_of: MakeRoom) -> None:
    room = room_of().walk()
    assert room.ask("disarm")["state"] == "ramp"
    room.guard._ended = True  # what the loop does is tested elsewhere; here, that it ends in a ramp
    room.run()
    assert room.stage == "ramp"
    assert in_flight(room) is None


def test_what_was_in_force_and_cannot_be_read_is_no_reason_to_go_on(room_of: MakeRoom) -> None:
    room = room_of()
    room.close()
    (room.rig / IN_FLIGHT).write_bytes(bytes(8192))  # what a power cut may leave
    after = room_of()
    after.run()
    state = after.guard.known.state
    assert (state.fault, state.detail) == ("F16", "what was in force cannot be read")


def test_a_guard_whom_nobody_joined_ends_in_order(room: Room) -> None:
    room.server.close()
    room.run()
    assert in_flight(room) is None


# --- the recorder ---


def test_every_pulse_given_is_in_the_recording(room: Room) -> None:
    room.walk()
    room.ask("stop")
    sent = [
        (pulse["current_ma"], pulse["width_us"])
        for topic, data in room.records
        if topic == "guard/verdict"
        for pulse in data["pulses"]
    ]
    room.close()
    given = [(points[0][1], float(points[0][0])) for _, points in room.device.pulses]
    assert given == sent
    assert len(given) > 10


def test_the_recording_begins_with_what_verdicts_are_judged_by(room: Room) -> None:
    room.complete()
    topic, told = room.records[0]
    assert topic == "guard/setup"
    assert told["session"] == SESSION
    assert told["limits"]["current_max_ma"] == {"value": 40.0, "set_by": "session"}
    assert told["checklist"]["pacemaker"] == "no"
    assert told["stimulator"]["name"] == room.stimulator.capability.name


def test_a_recorder_that_cannot_write_stops_stimulation_and_forbids_arming(room: Room) -> None:
    room.walk()
    assert room.recorder is not None
    room.recorder.send(b'{"recorder":"writes"}')  # nothing the guard knows
    room.tick(20.0)
    assert room.stage == "active"
    room.recorder.send(b'{"recorder":"failed","reason":"No space left on device"}')
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F12")
    room.ask("acknowledge")
    assert "no recorder" in room.ask("arm")["text"]


def test_the_end_of_the_recorder_stops_stimulation_and_the_next_one_is_found(room: Room) -> None:
    room.walk()
    assert room.recorder is not None
    room.recorder.close()
    room.recorder = None
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F12")
    room.round(guard_module.RETRY_NS / MS)
    room.listen()
    assert [topic for topic, _ in room.records[-2:]] == ["guard/setup", "guard/event"]
    assert room.records[-1][1]["fault"] == "F12"  # what no recorder heard


def test_a_recorder_that_takes_nothing_stops_stimulation_after_half_a_second(room: Room) -> None:
    room.walk()
    room.recorder_reads = False
    begin_ns = room.now_ns
    while room.stage == "active":
        room.tick(1.0)
    late_ms = (room.now_ns - begin_ns) / MS
    assert room.fault == "F12"
    assert 500.0 < late_ms < 1000.0  # half a second, and what its socket took before
    room.recorder_reads = True
    room.ask("acknowledge")
    for _ in range(100):
        room.tick()
    assert room.ask("arm")["ok"]


def test_without_a_recorder_the_guard_looks_for_one_every_half_second(room: Room) -> None:
    room.server.close()
    (room.rig / "recorder.sock").unlink()
    room.round()
    assert not room.guard.known.recorder
    room.server = bus.listen(room.rig, "recorder")
    room.round(499.0)
    assert not room.guard.known.recorder
    room.round(1.0)
    assert room.guard.known.recorder


# --- the stimulator ---


def test_pulling_the_stimulators_cable_trips(room: Room) -> None:
    room.walk()
    room.device.hang_up()
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F19")


def test_a_pulse_that_the_line_does_not_take_trips(room: Room) -> None:
    room.walk()
    room.device.hang_up()
    room.tick(20.0, ms=26.0)  # a pulse is due, and the frame is judged before the line is looked at
    assert room.fault == "F19"
    verdicts = [data for topic, data in room.records if topic == "guard/verdict"]
    assert verdicts[-1]["pulses"] == []


def test_stop_is_stop_though_the_stimulator_does_not_take_it(room: Room) -> None:
    room.walk()
    room.device.hang_up()
    assert room.ask("stop")["state"] == "tripped"
    assert "did not take the stop command" in room.events("warning")[-1]["text"]


def test_a_pulse_the_stimulator_refuses_trips(room: Room) -> None:
    room.walk()
    room.device.loose_electrodes.add(0)
    for _ in range(12):
        room.tick(20.0)
    assert (room.stage, room.fault) == ("tripped", "F20")


def test_a_stimulator_that_does_not_open_is_told_and_forbids_arming(room_of: MakeRoom) -> None:
    room = room_of(stimulator={"device": "hasomed-p24", "port": "/dev/nowhere"}).complete()
    assert "does not open" in room.events("warning")[0]["text"]
    assert "stimulator is not open" in room.ask("arm")["text"]


@pytest.mark.parametrize("odd_ns", [None, 10**13, 2**63 - 1])
def test_strides_without_response_are_warned_of_and_trip(room_of: MakeRoom, odd_ns: int | None) -> None:
    """Strides as fast as the guard hears them: rest, heel off, and flat again, with current as without.

    One stamp from the far future switches nothing off.
    """
    room = room_of(sensors=[{"name": "foot", "segment": "foot"}]).walk()
    begin_ns = room.now_ns
    for number in range(16 * 60):
        place = number % 60
        rate_rps = 0.0 if place < 18 or place >= 42 else 5.0 if place < 30 else -5.0
        if number > 90 and 30 < place < 40:
            room.guard.feed(PulseLeft(0, 30.0))
        t_ns = room.now_ns = begin_ns + round(number / 60 * 1e9)
        motion = ((0.0, 0.0, 9.81), (0.0, rate_rps, 0.0))
        if odd_ns is not None and number == 80:
            odd = SensorStamp(SESSION, "foot", odd_ns, room.seq + number, True, 1, motion)
            room.guard.feed(odd)
        seq = room.seq + 1 + number
        room.guard.feed(SensorStamp(SESSION, "foot", t_ns, seq, True, number, motion))
    told = [event for event in room.events() if event["fault"] == "F17"]
    assert [event["kind"] for event in told] == ["warning", "trip"]
    assert room.fault == "F17"


def test_a_railed_sensor_counts_as_silent(room: Room) -> None:
    room.complete()
    for seq, rate_rps, valid_ns in ((1, 35.0, None), (2, 30.0, room.now_ns)):
        motion = ((0.0, 0.0, 9.81), (rate_rps, 0.0, 0.0))
        room.guard.feed(SensorStamp(SESSION, "foot", room.now_ns, seq, True, seq, motion))
        assert room.guard.known.sensors["foot"].valid_ns == valid_ns


# --- the STOP button ---


def test_any_key_of_the_button_is_stop_and_a_second_press_never_re_arms(
    room_of: MakeRoom, button: int, tmp_path: Path
) -> None:
    room = room_of(button=tmp_path / "button").walk()
    os.write(button, key(0) + key(2) + key(1, kind=4))  # a release, a repeat, no key at all
    room.tick(20.0)
    assert room.stage == "active"
    os.write(button, key(1) + key(0))
    room.tick(20.0)
    assert (room.stage, room.fault) == ("tripped", "F11")
    assert room.events("stop")[0]["text"].count("STOP button") == 1
    os.write(button, key(1))
    room.tick(20.0)
    assert room.stage == "tripped"
    room.ask("acknowledge")
    os.write(button, key(1))
    room.tick()
    assert room.stage == "tripped"


def test_a_button_that_is_not_there_forbids_arming_until_it_is(room_of: MakeRoom, tmp_path: Path) -> None:
    path = tmp_path / "button"
    room = room_of(button=path).complete()
    assert "STOP button is not there" in room.ask("arm")["text"]
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    room.round(guard_module.RETRY_NS / MS)
    assert "STOP button" not in room.ask("arm")["text"]
    os.close(writer)


def test_a_button_that_goes_away_stops(room_of: MakeRoom, tmp_path: Path) -> None:
    path = tmp_path / "button"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    room = room_of(button=path).walk()
    os.close(writer)
    room.round()
    assert (room.stage, room.fault) == ("tripped", "F10")
    assert "STOP button is gone" in room.events("trip")[0]["text"]


# --- the machine ---


def test_without_a_free_descriptor_nobody_comes_in_and_nothing_stops(room: Room) -> None:
    room.walk()
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    room.peers.append(peer)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        peer.connect(str(room.rig / "guard.sock"))
        room.round()
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert taken
    peer.setblocking(False)
    assert room.stage == "active"
    peer.send(b'{"role":"operator"}')
    room.round()
    room.round()
    assert room.heard(peer)[0]["state"] == "active"
