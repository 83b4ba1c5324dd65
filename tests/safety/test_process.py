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
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controller.ipc import bus, process
from controller.safety.kept_file import KeptFile
from drivers.stimulators import sciencemode4 as sm4
from tests.safety.rig import raw_settings

pytestmark = pytest.mark.real_time

PERIOD_MS = 25.0  # 40 Hz
NOISE_MS = 150.0  # what a loaded test machine may add; the deadlines themselves hold in virtual time

CONTROLLER = """
import signal, sys, time
from pathlib import Path
from controller.ipc import bus
from controller.safety.judgement.wire import Frame, SensorStamp, encode_frame, encode_stamp
from drivers.interface import ChannelCommand

rig = Path(sys.argv[1])
sock = bus.connect(rig, "guard")
sock.send(b'{"role":"controller"}')
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
    if not mute:
        sock.send(encode_stamp(SensorStamp(7, "foot", now_ns, seq, True)))
    channel = ChannelCommand(20.0, 300.0, 40.0) if go.exists() else None
    sock.send(encode_frame(Frame(7, seq, now_ns, 60.0, (channel,))))
    time.sleep(0.005)
"""


HOLDER = """
import os, signal, sys
line = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
open(sys.argv[2], "w").close()
signal.pause()
"""


PATIENCE_S = 90.0  # a guard that is traced takes more than 20 s to start among twenty other programs


class Rig:
    """The processes of one test, all ended by :meth:`close`."""

    def __init__(self, rig: Path, *p24: str, held: bool = False, **changes: Any) -> None:  # Any: JSON
        self.rig = rig
        self.log = rig / "pulses.jsonl"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.records: list[tuple[str, int, dict[str, Any]]] = []
        self.server = bus.listen(rig, "recorder")
        self.recorder: socket.socket | None = None
        port = rig / "p24"
        log = ("--pulse-log", str(self.log), "--link", str(port))
        self.p24 = self.start("-m", "drivers.emulated.p24", *log, *p24, priority=process.WORLD_PRIORITY)
        self.until(port.exists)
        if held:
            self.holder = self.start("-c", HOLDER, str(port), str(rig / "held"))
            self.until((rig / "held").exists)
        limits = rig / "limits.json"
        button = rig / "button"
        os.mkfifo(button)  # a pipe gives and loses events as the kernel's event device does
        self.button = os.open(button, os.O_RDWR)
        settings = raw_settings(
            stimulator={"device": "hasomed-p24", "port": str(port)}, stop_button=str(button), **changes
        )
        limits.write_text(json.dumps(settings))
        self.guard = self.start("-m", "controller.safety.guard", "--rig", str(rig), "--limits", str(limits))
        self.operator = bus.connect(rig, "guard", timeout_s=PATIENCE_S)
        self.operator.send(b'{"role":"operator","name":"tester"}')

    def start(self, *arguments: str, priority: int = 0) -> subprocess.Popen[bytes]:
        """With the real-time priority that its like has in a rig, as far as this machine gives any."""
        started = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        self.processes.append(started)
        if priority:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(started.pid, os.SCHED_FIFO, os.sched_param(priority))
        return started

    def controller(self) -> subprocess.Popen[bytes]:
        """SIGUSR1 makes its sensor silent."""
        return self.start("-c", CONTROLLER, str(self.rig), priority=process.CONTROLLER_PRIORITY)

    def until(self, true: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
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
        """Armed and stimulating; a trip on the way, as a busy machine brings it, is forgotten."""
        for _ in range(5):
            if self._walks():
                return
            (self.rig / "go").unlink(missing_ok=True)
            self.ask("acknowledge")
            self.records.clear()
        raise AssertionError("no walk without a trip")

    def _walks(self) -> bool:
        self.until(lambda: bool(self.ask("arm")["ok"]))  # refused until all is there
        self.until(lambda: self.ask("state")["state"] != "contact test")
        before = len(self.pulses())
        (self.rig / "go").touch()
        self.until(lambda: len(self.pulses()) > before + 20 or self.ask("state")["state"] == "tripped")
        return bool(self.ask("state")["state"] == "active")

    def pulses(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines(keepends=True) if self.log.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be in the making

    def events(self, kind: str) -> list[dict[str, Any]]:
        self.listen()
        return [data for topic, _, data in self.records if topic == "guard/event" and data["kind"] == kind]

    def sent(self) -> list[dict[str, Any]]:
        self.listen()
        return [
            pulse for topic, _, data in self.records if topic == "guard/verdict" for pulse in data["pulses"]
        ]

    def close(self) -> None:
        for sock in (self.recorder, self.server):
            if sock is not None:
                sock.close()  # now the guard waits for nobody
        self.guard.terminate()  # it ends in order wherever it can
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.guard.wait(2.0)
        for started in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                started.send_signal(signal.SIGCONT)
                started.kill()
            started.wait()
        if self.button >= 0:
            os.close(self.button)
        self.operator.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One rig for the tests that leave it whole."""
    rig = Rig(tmp_path_factory.mktemp("rig"))
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def walking(shared: Rig) -> Iterator[subprocess.Popen[bytes]]:
    """A controller under whom the shared rig stimulates."""
    controller = shared.controller()
    shared.arm()
    yield controller
    (shared.rig / "go").unlink()
    controller.kill()
    controller.wait()
    shared.until(lambda: shared.ask("state")["state"] == "tripped")
    shared.ask("acknowledge")
    shared.records.clear()


def late_ms(rig: Rig, since_ns: int) -> float:
    """How long after ``since_ns`` the last pulse left, once they have stopped."""
    time.sleep(0.15)
    count = len(rig.pulses())
    time.sleep(0.1)
    assert len(rig.pulses()) == count
    last_ns: int = rig.pulses()[-1]["t_ns"]
    return max((last_ns - since_ns) / 1e6, 0.0)


def trip_of(rig: Rig, kind: str = "trip") -> dict[str, Any]:
    rig.until(lambda: bool(rig.events(kind)))
    return rig.events(kind)[0]


def test_no_pulse_later_than_one_period_after_the_controller_is_killed(
    shared: Rig, walking: subprocess.Popen[bytes]
) -> None:
    killed_ns = time.monotonic_ns()
    walking.kill()
    trip = trip_of(shared)
    assert trip["fault"] == "F3"
    assert (trip["t_ns"] - killed_ns) / 1e6 <= 10.0 + NOISE_MS
    assert late_ms(shared, killed_ns) <= PERIOD_MS + 10.0 + NOISE_MS


def test_no_pulse_after_the_controller_hangs(shared: Rig, walking: subprocess.Popen[bytes]) -> None:
    hung_ns = time.monotonic_ns()
    walking.send_signal(signal.SIGSTOP)
    assert trip_of(shared)["fault"] == "F4"
    assert late_ms(shared, hung_ns) <= PERIOD_MS + NOISE_MS


def test_a_silent_sensor_ends_stimulation_though_the_controller_goes_on(
    shared: Rig, walking: subprocess.Popen[bytes]
) -> None:
    silent_ns = time.monotonic_ns()
    walking.send_signal(signal.SIGUSR1)
    assert trip_of(shared)["fault"] == "F1"
    assert walking.poll() is None
    assert late_ms(shared, silent_ns) <= 170.0 + PERIOD_MS + NOISE_MS


def press(rig: Rig) -> None:
    os.write(rig.button, struct.pack("@llHHi", 0, 0, 1, 28, 1))  # struct input_event: a key goes down


WAYS_TO_STOP: dict[str, Callable[[Rig], object]] = {
    "message": lambda rig: rig.operator.send(b'{"op":"stop"}'),
    "button": press,
    "signal": lambda rig: rig.guard.send_signal(signal.SIGINT),
}


@pytest.mark.parametrize("way", WAYS_TO_STOP)
@pytest.mark.usefixtures("walking")
def test_stop_is_obeyed_within_100_ms_and_every_pulse_given_is_in_the_recording(
    shared: Rig, way: str
) -> None:
    pressed_ns = time.monotonic_ns()
    WAYS_TO_STOP[way](shared)
    stop = trip_of(shared, "stop")
    assert (stop["t_ns"] - pressed_ns) / 1e6 <= 100.0 + NOISE_MS
    assert late_ms(shared, pressed_ns) <= 100.0 + NOISE_MS
    sent = [(pulse["packet"], [pulse["width_us"], pulse["current_ma"]]) for pulse in shared.sent()]
    given = [(pulse["packet"], pulse["points"][0]) for pulse in shared.pulses()]
    assert len(sent) > 20
    if given[-1] != sent[-1]:
        sent.pop()  # the stop overtook it in the line
    assert given[-len(sent) :] == sent


@pytest.mark.parametrize(("stall_s", "stop"), [(0.12, False), (0.5, True)])  # more in test_stalled_line.py
@pytest.mark.usefixtures("walking")
def test_a_stalled_device_gives_at_most_one_late_pulse_and_none_close_to_another(
    shared: Rig, stall_s: float, stop: bool
) -> None:
    """By the device's own log; the machine may make the stall longer."""
    before = len(shared.pulses())
    shared.p24.send_signal(signal.SIGSTOP)
    time.sleep(stall_s)
    if stop:
        shared.ask("stop")
    goes_on_ns = time.monotonic_ns()
    shared.p24.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    given = shared.pulses()[before:]
    if stop:
        assert len([one for one in given if one["t_ns"] >= goes_on_ns]) <= 1
    sent = {one["packet"]: one["t_ns"] for one in shared.sent()[-60:]}
    late_ms = [(one["t_ns"] - sent[one["packet"]]) / 1e6 for one in given if one["packet"] in sent]
    gaps_ms = [(after["t_ns"] - one["t_ns"]) / 1e6 for one, after in pairwise(given)]
    assert all(
        gap_ms >= (20.0 if late > 18.0 else 2.0) for gap_ms, late in zip(gaps_ms, late_ms, strict=False)
    )


def test_a_second_program_on_the_port_is_refused_or_ends_stimulation(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "--let-in")  # as root is
    try:
        rig.controller()
        rig.arm()
        line = os.open(rig.rig / "p24", os.O_RDWR | os.O_NOCTTY)
        os.write(line, sm4.encode(63, 2, sm4.ll_channel_config(2, sm4.biphasic_points(60.0, 200.0))))
        trip = trip_of(rig)
        os.close(line)
        foreign = next(one for one in rig.pulses() if one["points"][0][1] == 60.0)
        assert trip["fault"] == "F25"
        assert (trip["t_ns"] - foreign["t_ns"]) / 1e6 <= 50.0 + NOISE_MS
        assert late_ms(rig, foreign["t_ns"]) <= 50.0 + PERIOD_MS + NOISE_MS
    finally:
        rig.close()


def test_a_port_that_another_program_has_is_not_opened_and_the_words_name_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, held=True)
    try:
        rig.until(lambda: bool(rig.events("warning")))
        words = rig.events("warning")[0]["text"]
        assert f"(process {rig.holder.pid}): close that program" in words
        assert not rig.ask("arm")["ok"]
        rig.holder.kill()
        rig.holder.wait()
        rig.controller()
        rig.arm()
    finally:
        rig.close()


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
    assert "in force was active: tibialis anterior 20.0 mA, 300.0 us, 40.0 Hz" in answer["text"]


def test_ending_the_guard_silences_the_stimulator(rig: Rig) -> None:
    rig.controller()
    rig.arm()
    rig.guard.terminate()
    assert rig.guard.wait(5) == 0
    count = len(rig.pulses())
    time.sleep(0.1)
    assert len(rig.pulses()) == count
    left = KeptFile(rig.rig / "guard.inflight")
    assert (left.found, left.damaged) == (None, False)
    left.close(0.0)


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
