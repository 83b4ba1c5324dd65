"""Who hears STOP is there: beats of the supervisor, what it tells the guard, what waits for the recorder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.commands.run import DEMO_SESSION
from controller.config.console_settings import ConsoleSettings
from controller.config.session import Session, load_session
from controller.runtime.person_files import PersonFiles
from controller.runtime.process_group import Rig
from controller.runtime.session_processes import Attended, SessionProcesses, Virtual
from controller.safety.judgement import in_force
from controller.safety.judgement.contraindications import objections
from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.frame_check import MS
from controller.safety.kept_file import KeptFile
from controller.safety.kept_state import IN_FLIGHT
from controller.safety.settings import GuardConfig, load
from controller.trial.schedule import ArmPlan
from drivers.interface import ChannelCommand
from tests.safety.room import Room


def beat(room: Room) -> None:
    assert room.operator is not None
    room.operator.send(b'{"op":"beat"}')


def test_a_supervisor_that_hangs_stops_stimulation_within_its_deadline(tmp_path: Path) -> None:
    room = Room(tmp_path, overseen=True)
    try:
        room.complete()
        assert "the supervisor does not answer" in room.ask("arm")["text"]
        assert room.operator is not None
        beat(room)
        room.tick()
        assert not any("reply" in word for word in room.heard(room.operator))  # a beat asks for nothing
        assert room.ask("arm")["ok"]
        for _ in range(400):  # two seconds with beats
            beat(room)
            room.tick(20.0 if room.stage in ("armed", "active") else None)
            if room.now_ns % (300 * MS) == 0:
                room.tick()
        assert room.stage == "active", room.events()
        last_ns = room.now_ns
        while room.stage == "active":
            room.tick(1.0 if (room.now_ns - last_ns) // MS % 300 < 150 else None)
        assert room.fault == "F23"
        deadline_ms = FAULTS["F23"].deadline_ms
        assert deadline_ms is not None
        assert 1000.0 < (room.now_ns - last_ns) / MS <= deadline_ms
        count = len(room.device.pulses)
        for _ in range(20):
            beat(room)
            room.tick(20.0)
        assert len(room.device.pulses) == count
    finally:
        room.close()


def test_what_a_guard_found_before_there_was_a_recorder_is_recorded_when_it_comes(tmp_path: Path) -> None:
    left = KeptFile(tmp_path / IN_FLIGHT)
    left.write(in_force.kept("then", "active", (ChannelCommand(20.0, 300.0, 40.0),)), sync=True)
    assert left.close(10.0)
    room = Room(tmp_path)
    try:
        began_ns = room.now_ns
        room.now_ns += 50 * MS
        room.run()  # a guard that starts, looks for the recorder and ends again
        room.listen()
        topics = [topic for topic, _ in room.records]
        assert topics[0] == "guard/setup"  # what it is judged by comes first
        (trip,) = room.events("trip")
        assert trip["fault"] == "F16"
        assert "20.0 mA" in trip["text"]
        assert began_ns < trip["t_ns"] <= room.now_ns
    finally:
        room.close()


class Written(Rig):
    """A rig whose processes are not started: their settings are all that is asked for."""

    def start(self, name: str, module: str, *arguments: str) -> None:
        assert (name, module) == ("guard", "controller.safety.guard")


def told(tmp_path: Path, session: Session, *, virtual: bool, attended: bool) -> GuardConfig:
    """What the supervisor tells the guard, as the guard reads it."""
    processes = SessionProcesses(
        session,
        tmp_path,
        Virtual(1, {}) if virtual else None,
        Attended(ConsoleSettings("127.0.0.1", 0, str(tmp_path)), lambda _url: None) if attended else None,
    )
    with Written(tmp_path / "logs") as rig:
        files = PersonFiles(None, tmp_path / "P01.inflight")
        processes.start_guard(rig, 7, "/dev/null", files, (ArmPlan("feedback"),))
        return load(rig.path / "guard.json")


@pytest.mark.parametrize(
    ("virtual", "attended"), [(True, False), (True, True), (False, False), (False, True)]
)
def test_a_person_at_the_console_answers_todays_checklist_there(
    tmp_path: Path, virtual: bool, attended: bool
) -> None:
    config = told(tmp_path, load_session(DEMO_SESSION), virtual=virtual, attended=attended)
    assert config.overseen
    assert config.supervised == attended
    assert bool(objections(config.checklist, config.muscles, config.caps)) == (attended and not virtual)
    assert config.stop_button is None


def test_the_sessions_stop_button_reaches_the_guard(tmp_path: Path) -> None:
    session = load_session(DEMO_SESSION)
    part = session.file.session.model_copy(update={"stop_button": "/dev/input/by-id/usb-STOP-event-kbd"})
    session = replace(session, file=session.file.model_copy(update={"session": part}))
    config = told(tmp_path, session, virtual=True, attended=False)
    assert config.stop_button == "/dev/input/by-id/usb-STOP-event-kbd"


def test_the_whole_guard_hears_the_screen_that_armed_and_says_which_it_is(tmp_path: Path) -> None:
    room = Room(tmp_path)

    def told(name: object) -> tuple[object, object]:
        word = room.ask("screen", screen=name)
        return word["watch"], word["silent_ms"]

    def walk(seconds: float) -> None:
        for _ in range(round(seconds * 200)):
            room.tick()

    try:
        room.complete()
        room.tick()
        assert told("tablet") == ("nobody", None)
        assert room.ask("arm", screen="tablet")["ok"]
        walk(3.0)
        assert told("desk") == ("other", 3000)
        assert told("tablet") == ("mine", 0)
        walk(6.0)
        assert told(None) == told("desk") == ("other", 6000)
        assert room.ask("watch", screen="desk", by="Ada")["ok"]
        refused = room.ask("watch", by="Ada")
        assert (refused["ok"], refused["text"]) == (False, "Not taken over: the screen has no name.")
        assert (told("tablet"), told("desk")) == (("other", 0), ("mine", 0))
        walk(10.0)
        assert room.stage == "armed"
        walk(0.03)
        assert room.fault == "F26"
        assert told("desk") == ("nobody", None)
        assert [event["fault"] for event in room.events() if event["kind"] == "warning"] == ["F26", "F26"]
    finally:
        room.close()


@pytest.mark.parametrize("name", ["", 5, [], {}, "x" * 5000])
def test_an_arming_from_a_screen_that_can_have_no_such_name_ends_as_one_that_is_gone(
    tmp_path: Path, name: object
) -> None:
    room = Room(tmp_path)
    try:
        room.complete()
        room.tick()
        assert room.ask("arm", screen=name)["ok"]
        for _ in range(2010):
            room.tick()
        assert room.fault == "F26"
    finally:
        room.close()
