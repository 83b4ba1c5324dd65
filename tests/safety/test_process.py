"""Real guard process, real child controllers, the emulated stimulator's own pulse log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.runtime import bus
from controller.safety.frames import SensorStamp
from controller.safety.guard import Guard
from controller.safety.react import Note, prepare
from controller.safety.settings import parse
from drivers.stimulators.p24 import P24
from tests.safety.rig import Bench, raw_settings

PERIOD_MS = 25.0  # 40 Hz
NOISE_MS = 150.0  # what a loaded test machine may add; the deadlines themselves hold in virtual time

CONTROLLER = """
import signal, sys, time
from pathlib import Path
from controller.runtime import bus
from controller.safety.frames import Frame, SensorStamp, encode_frame, encode_stamp
from drivers.interface import ChannelCommand

rig, silent_s, hung_s = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
sock = bus.connect(rig, "guard")
sock.send(b'{"role":"controller"}')
start = time.monotonic()
go = rig / "go"
seq = 0
mute = False

def be_mute(*_):
    global mute
    mute = True

signal.signal(signal.SIGUSR1, be_mute)
while True:
    seq += 1
    now_ns = time.monotonic_ns()
    went = go.exists()
    if not went:
        start = time.monotonic()
    since = time.monotonic() - start
    if since < silent_s and not mute:
        sock.send(encode_stamp(SensorStamp(7, "foot", now_ns, seq, True)))
    channel = ChannelCommand(20.0, 300.0, 40.0) if went else None
    sock.send(encode_frame(Frame(7, seq, now_ns, 60.0, (channel,))))
    if since > hung_s:
        (rig / "hung").write_text(str(time.monotonic_ns()))
        time.sleep(60)
    time.sleep(0.005)
"""


class Rig:
    """The processes of one test, all ended by :meth:`close`."""

    def __init__(self, rig: Path, *p24: str, **changes: Any) -> None:  # Any: JSON
        self.rig = rig
        self.log = rig / "pulses.jsonl"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.records: list[tuple[str, int, dict[str, Any]]] = []
        self.server = bus.listen(rig, "recorder")
        self.recorder: socket.socket | None = None
        port = rig / "p24"
        log = ("--pulse-log", str(self.log), "--link", str(port))
        self.p24 = self.start("-m", "drivers.emulated.p24", *log, *p24)
        self.until(port.exists)
        limits = rig / "limits.json"
        button = rig / "button"
        os.mkfifo(button)  # a pipe gives and loses events as the kernel's event device does
        self.button = os.open(button, os.O_RDWR)
        settings = raw_settings(
            stimulator={"device": "hasomed-p24", "port": str(port)}, stop_button=str(button), **changes
        )
        limits.write_text(json.dumps(settings))
        self.guard = self.start("-m", "controller.safety.guard", "--rig", str(rig), "--limits", str(limits))
        self.operator = bus.connect(rig, "guard")
        self.operator.send(b'{"role":"operator","name":"tester"}')

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def controller(self, silent_s: float = 1e9, hung_s: float = 1e9) -> subprocess.Popen[bytes]:
        return self.start("-c", CONTROLLER, str(self.rig), str(silent_s), str(hung_s))

    def until(self, true: Callable[[], bool], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, self.records[-5:]
            self.listen()
            time.sleep(0.005)

    def listen(self) -> None:
        if self.recorder is None:
            with contextlib.suppress(BlockingIOError):
                self.recorder, _ = self.server.accept()
                self.recorder.setblocking(False)
        while self.recorder is not None and (data := bus.receive(self.recorder)) != b"":
            if data is None:  # the guard is gone, perhaps another one comes
                self.recorder.close()
                self.recorder = None
                break
            topic, t_ns, payload = bus.unpack_record(data)
            self.records.append((topic, t_ns, json.loads(payload)))

    def ask(self, op: str) -> dict[str, Any]:
        self.operator.send(json.dumps({"op": op}).encode())
        answer: dict[str, Any] = {}

        def came() -> bool:
            while data := bus.receive(self.operator):
                message = json.loads(data)
                if message.get("reply") == op:
                    answer.update(message)
            return bool(answer)

        self.until(came)
        return answer

    def arm(self) -> None:
        self.until(lambda: bool(self.ask("arm")["ok"]))  # refused until all is there
        self.until(lambda: self.ask("state")["state"] == "armed")  # the electrodes' contact is tested first
        before = len(self.pulses())
        (self.rig / "go").touch()
        self.until(lambda: len(self.pulses()) > before + 20)

    def pulses(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def events(self, kind: str) -> list[dict[str, Any]]:
        self.listen()
        return [data for topic, _, data in self.records if topic == "guard/event" and data["kind"] == kind]

    def sent(self) -> list[dict[str, Any]]:
        self.listen()
        return [
            pulse for topic, _, data in self.records if topic == "guard/verdict" for pulse in data["pulses"]
        ]

    def close(self) -> None:
        self.guard.terminate()  # it ends in order wherever it can
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.guard.wait(2.0)
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        if self.button >= 0:
            os.close(self.button)
        for sock in (self.operator, self.server, self.recorder):
            if sock is not None:
                sock.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    try:
        yield rig
    finally:
        rig.close()


def late_ms(rig: Rig, since_ns: int) -> float:
    """How long after ``since_ns`` the last pulse left, once they have stopped."""
    time.sleep(0.3)
    return max((rig.pulses()[-1]["t_ns"] - since_ns) / 1e6, 0.0)


def trip_of(rig: Rig) -> str:
    rig.until(lambda: bool(rig.events("trip")))
    fault: str = rig.events("trip")[0]["fault"]
    return fault


def test_no_pulse_later_than_one_period_after_the_controller_is_killed(rig: Rig) -> None:
    controller = rig.controller()
    rig.arm()
    killed_ns = time.monotonic_ns()
    controller.kill()
    assert trip_of(rig) == "F3"
    assert late_ms(rig, killed_ns) <= PERIOD_MS + 10.0 + NOISE_MS
    event = next(t_ns for topic, t_ns, data in rig.records if data.get("fault") == "F3")
    assert (event - killed_ns) / 1e6 <= 10.0 + NOISE_MS


def test_no_pulse_after_the_controller_hangs(rig: Rig) -> None:
    rig.controller(hung_s=1.5)
    rig.arm()
    assert trip_of(rig) == "F4"
    hung_ns = int((rig.rig / "hung").read_text())
    assert late_ms(rig, hung_ns) <= PERIOD_MS + NOISE_MS


def test_a_silent_sensor_ends_stimulation_though_the_controller_goes_on(rig: Rig) -> None:
    controller = rig.controller(silent_s=1.5)
    rig.arm()
    assert trip_of(rig) == "F1"
    assert controller.poll() is None
    count = len(rig.pulses())
    time.sleep(0.2)
    assert len(rig.pulses()) == count


def test_stop_is_obeyed_and_only_a_person_leads_back(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    assert rig.ask("stop")["state"] == "tripped"
    (rig.rig / "go").unlink()
    assert not rig.ask("arm")["ok"]
    assert rig.ask("acknowledge")["state"] == "off"
    rig.arm()


def test_stop_needs_no_introduction(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    stranger = bus.connect(rig.rig, "guard")
    stranger.send(b'{"op":"stop"}')
    rig.until(lambda: bool(rig.events("stop")))
    stranger.close()


def key(value: int, kind: int = 1) -> bytes:
    """struct input_event: a key (kind 1) released, pressed or repeated (value 0, 1, 2)."""
    return struct.pack("@llHHi", 0, 0, kind, 28, value)


def test_any_key_of_the_button_is_stop_and_a_second_press_never_re_arms(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    os.write(rig.button, key(0) + key(2) + key(1, kind=4))  # a release, a repeat, no key at all
    time.sleep(0.1)
    assert rig.ask("state")["state"] == "active"
    pressed_ns = time.monotonic_ns()
    os.write(rig.button, key(1) + key(0))
    rig.until(lambda: bool(rig.events("stop")))
    stopped_ns = next(t_ns for topic, t_ns, data in rig.records if data.get("kind") == "stop")
    assert (stopped_ns - pressed_ns) / 1e6 <= 100.0 + NOISE_MS
    os.write(rig.button, key(1))
    time.sleep(0.1)
    assert rig.ask("state")["state"] == "tripped"


def test_a_button_that_goes_away_stops(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    os.close(rig.button)
    rig.button = -1
    assert trip_of(rig) == "F10"


def test_every_pulse_given_is_in_the_recording(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.ask("stop")
    time.sleep(0.1)
    given = [(pulse["packet"], pulse["points"][0]) for pulse in rig.pulses()]
    sent = [(pulse["packet"], [pulse["width_us"], pulse["current_ma"]]) for pulse in rig.sent()]
    assert given == sent


def test_a_recorder_that_cannot_write_stops_stimulation_and_forbids_arming(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    assert rig.recorder is not None
    rig.recorder.send(b'{"recorder":"failed","reason":"No space left on device"}')
    assert trip_of(rig) == "F12"
    (rig.rig / "go").unlink()
    rig.ask("acknowledge")
    time.sleep(0.7)  # the stimulator is opened anew
    answer = rig.ask("arm")
    assert not answer["ok"]
    assert "no recorder" in answer["text"]


def test_pulling_the_stimulators_cable_trips(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.p24.kill()
    assert trip_of(rig) == "F19"


def test_a_guard_that_was_killed_comes_back_tripped(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.guard.kill()
    rig.guard.wait()
    count = len(rig.pulses())
    time.sleep(0.2)
    assert len(rig.pulses()) <= count + 1
    limits = str(rig.rig / "limits.json")
    rig.start("-m", "controller.safety.guard", "--rig", str(rig.rig), "--limits", limits)
    rig.operator.close()
    rig.operator = bus.connect(rig.rig, "guard")
    rig.operator.send(b'{"role":"operator"}')
    answer = rig.ask("state")
    assert (answer["state"], answer["fault"]) == ("tripped", "F16")
    assert "current_ma" in answer["text"]


def test_ending_the_guard_silences_the_stimulator(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.guard.terminate()
    assert rig.guard.wait(5) == 0
    count = len(rig.pulses())
    time.sleep(0.1)
    assert len(rig.pulses()) == count
    assert not Path(rig.rig / "guard.inflight").read_text().strip()


def test_the_guard_ends_when_the_program_that_started_it_is_gone(rig: Rig, tmp_path: Path) -> None:
    rig.guard.terminate()
    rig.guard.wait(5)
    limits = str(rig.rig / "limits.json")
    script = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'controller.safety.guard', "
        f"'--rig', {str(rig.rig)!r}, '--limits', {limits!r}]); print(p.pid, flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    bus.connect(rig.rig, "guard").close()
    parent.communicate(b"\n")

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state == "Z"

    rig.until(gone)


def words(sock: socket.socket, rig: Rig) -> list[dict[str, Any]]:
    """What the guard says to this peer, until it closes or half a second passes."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        rig.listen()
        data = bus.receive(sock)
        if data is None:
            return [*found, {"closed": True}]
        if data:
            found.append(json.loads(data))
        time.sleep(0.005)
    return found


def test_an_operator_who_talks_nonsense_is_answered_and_changes_nothing(rig: Rig) -> None:
    for data in (b"\xff{", b"[1]", b'{"op":"dance"}', b'{"op":7}', b"[" * 5000):
        rig.operator.send(data)
    answers = [word for word in words(rig.operator, rig) if "reply" in word]
    assert len(answers) == 5
    assert not any(answer["ok"] for answer in answers)
    assert all("known requests" in answer["text"] for answer in answers)
    assert rig.ask("state")["state"] == "off"


def test_a_second_controller_is_turned_away_and_a_stranger_asked_who_it_is(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    second = bus.connect(rig.rig, "guard")
    second.send(b'{"role":"controller"}')
    assert words(second, rig) == [{"error": "there is a controller already"}, {"closed": True}]
    stranger = bus.connect(rig.rig, "guard")
    stranger.send(b'{"op":"arm"}')
    assert words(stranger, rig) == [{"error": "say your role first"}, {"closed": True}]
    second.close()
    stranger.close()
    assert rig.ask("state")["state"] == "active"


def test_the_end_of_the_recorder_stops_stimulation(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    assert rig.recorder is not None
    rig.recorder.close()
    rig.recorder = None
    rig.until(lambda: rig.ask("state")["fault"] == "F12")


def test_a_stimulator_that_does_not_open_is_told_and_forbids_arming(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.p24.kill()
    assert trip_of(rig) == "F19"
    (rig.rig / "go").unlink()
    rig.ask("acknowledge")
    rig.until(lambda: bool(rig.events("warning")))
    assert "does not open" in rig.events("warning")[0]["text"]
    assert "stimulator is not open" in rig.ask("arm")["text"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stimulator": {"device": "toaster", "port": "/dev/null"}}, "stimulator.device: found 'toaster'"),
        ({"limits": [{"who": "session", "limits": {"current_max_ma": 131.0}}]}, "set by compiled"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_before_anything_starts(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    limits = tmp_path / "limits.json"
    limits.write_text(json.dumps(raw_settings(**changes)))
    command = ["-m", "controller.safety.guard", "--rig", str(tmp_path), "--limits", str(limits)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / "guard.sock").exists()


def motion(number: int) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Sample ``number`` of a foot that drops: one stride in 60 samples, rest, heel off, and flat again."""
    place = number % 60
    rate_rps = 0.0 if place < 18 or place >= 42 else 5.0 if place < 30 else -5.0
    return (0.0, 0.0, 9.81), (0.0, rate_rps, 0.0)


def test_a_leg_that_does_not_answer_trips(tmp_path: Path) -> None:
    """The guard class on real sockets, strides as fast as it hears them."""
    setup = prepare(
        parse(raw_settings(sensors=[{"name": "foot", "segment": "foot"}]), "test"),
        P24("/dev/null").capability,
    )
    guard = Guard(tmp_path, setup, P24("/dev/null"))
    guard._known = Bench(sensors=[{"name": "foot", "segment": "foot"}]).active().known
    notes: list[Note] = []
    guard._tell = notes.append  # type: ignore[method-assign]
    begin_ns = time.monotonic_ns()
    for number in range(16 * 60):
        if number > 90 and 30 < number % 60 < 40:
            guard._plausibility.pulse(30.0)
        t_ns = begin_ns + round(number / 60 * 1e9)
        guard._hear_sensor(SensorStamp(7, "foot", t_ns, number + 10**6, True, number, motion(number)))
    assert [(note.kind, note.fault) for note in notes][:2] == [("warning", "F17"), ("trip", "F17")]
    assert guard._known.state.fault == "F17"
    guard._end()


def test_a_railed_sensor_counts_as_silent(tmp_path: Path) -> None:
    setup = prepare(parse(raw_settings(), "test"), P24("/dev/null").capability)
    guard = Guard(tmp_path, setup, P24("/dev/null"))
    now_ns = time.monotonic_ns()
    guard._hear_sensor(SensorStamp(7, "foot", now_ns, 1, True, 1, ((0.0, 0.0, 9.81), (35.0, 0.0, 0.0))))
    assert guard._known.sensors["foot"].valid_ns is None
    guard._hear_sensor(SensorStamp(7, "foot", now_ns, 2, True, 2, ((0.0, 0.0, 9.81), (30.0, 0.0, 0.0))))
    assert guard._known.sensors["foot"].valid_ns == now_ns
    guard._end()
