"""What process chaos does to a rig, how it is repaired, and what the fault table promises for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.chaos.rig import ChaosRig

HOLD_S = 1.2  # of a fault that must change nothing: most of a stride
KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
Act = Callable[[ChaosRig], None]
Needs = Literal["", "broker", "console", "disk"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done and how it is repaired; which trips name it rightly; by when pulses have ended.

    No ``names``: walking goes on, with current, save where one of ``may_trip`` ends it. ``may_walk`` leaves
    both open. ``deadline_ms`` comes on top of a pulse period.
    """

    what: str
    begin: Act
    end: Act
    names: tuple[str, ...] = ()
    deadline_ms: float | None = None
    hold_s: float = HOLD_S
    may_walk: bool = False
    may_trip: tuple[str, ...] = ()
    needs: Needs = ""
    recorder_fails: bool = False


def _send(name: str, number: signal.Signals) -> Act:
    return lambda rig: rig.send(name, number)


def _tell(word: str) -> Act:
    return lambda rig: rig.tell_world(word)


def _nothing(_: ChaosRig) -> None:
    pass


def _broker(number: signal.Signals) -> Act:
    def act(rig: ChaosRig) -> None:
        assert rig.broker is not None
        rig.broker.send_signal(number)

    return act


def _new_broker(rig: ChaosRig) -> None:
    assert rig.broker is not None
    rig.broker.wait()
    rig.start_broker()


def _new_recorder(rig: ChaosRig) -> None:
    rig.start_recorder()
    rig.start_controller()


def _new_guard(rig: ChaosRig) -> None:
    rig.start_guard()
    rig.start_controller()


def _heal_and_restart(rig: ChaosRig) -> None:
    """Wrong stamps leave a sensor's clock wrong until it connects anew; till then the guard refuses."""
    rig.tell_world("")
    if rig.trips:
        rig.start_controller()


def _pause_guard(rig: ChaosRig) -> None:
    rig.send("guard", STOP)
    time.sleep(0.5)
    rig.send("guard", CONT)


def _ballast(rig: ChaosRig) -> Path:
    return rig.recordings[-1].path.parent / "ballast"


def _fill_disk(rig: ChaosRig) -> None:
    with contextlib.suppress(OSError), _ballast(rig).open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(1 << 20))
    with contextlib.suppress(OSError), _ballast(rig).open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(512))


def _free_disk(rig: ChaosRig) -> None:
    _ballast(rig).unlink()
    _new_recorder(rig)


def _hogs(rig: ChaosRig) -> None:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
    rig.watch(HOLD_S, until_trip=False)
    for hog in hogs:
        hog.kill()
        hog.wait()


def _clock(ahead_s: float) -> Act:
    return lambda rig: rig.set_wall_clock(ahead_s)


def _press_stop(rig: ChaosRig) -> None:
    rig.ask(op="stop", by="chaos")


SAFE_MS = 170.0  # F1
FROZEN_MS = SAFE_MS + 170.0  # ten samples at 60 Hz before a frozen value counts as one (F2)
DOOR_MS = 520.0  # F10
BEAT_MS = 1020.0  # F23
RECORDER_MS = 600.0  # F12 where it hangs or says that it cannot write

FAULTS = (
    Fault("controller killed", _send("controller", KILL), ChaosRig.start_controller, ("F3",), 10.0),
    Fault("controller stopped", _send("controller", STOP), _send("controller", CONT), ("F4",), 60.0),
    Fault("guard killed", _send("guard", KILL), _new_guard, ("F16",), 0.0, hold_s=0.3),
    Fault("guard stopped", _pause_guard, _nothing, ("F4",), 0.0),
    Fault("STOP pressed", _press_stop, _nothing, ("F11",), 100.0),
    Fault("serial line vanished", _tell("unplugged"), _tell(""), ("F19",), 10.0),
    Fault("sensor silent", _tell("silent"), _tell(""), ("F1",), SAFE_MS),
    Fault("sensor frozen", _tell("frozen"), _tell(""), ("F1",), FROZEN_MS),
    Fault("sensor delayed", _tell("delayed"), _tell(""), ("F1",), SAFE_MS),
    # What comes after a later sample is too late for anybody: of each hand half is lost. Four gaps in 100 ms
    # are F2, and where that lasts F1: once in 30 to 75 s of one sensor. Bluetooth LE keeps the order.
    Fault("sensor reordered", _tell("reordered"), _tell(""), may_trip=("F1",)),
    Fault("sensor duplicated", _tell("duplicated"), _tell("")),
    Fault("sensor bit-flipped", _tell("bit-flipped"), _heal_and_restart, ("F1", "F17", "F21"), may_walk=True),
    Fault("clock set back 1 h", _clock(-3600.0), _clock(0.0)),
    Fault("clock set forward 1 d", _clock(86400.0), _clock(0.0)),
    Fault("processor hogs", _hogs, _nothing, hold_s=0.0),
    Fault("recorder stopped", _send("recorder", STOP), _send("recorder", CONT), ("F12",), RECORDER_MS),
    Fault("recorder killed", _send("recorder", KILL), _new_recorder, ("F12",), 10.0, recorder_fails=True),
    Fault("disk full", _fill_disk, _free_disk, ("F12",), RECORDER_MS, needs="disk", recorder_fails=True),
    Fault("broker killed", _broker(KILL), _new_broker, needs="broker"),
    Fault("broker stopped", _broker(STOP), _broker(CONT), needs="broker"),
    Fault(
        "console door killed", _send("stop", KILL), ChaosRig.start_door, ("F10",), DOOR_MS, needs="console"
    ),
    Fault(
        "console door stopped", _send("stop", STOP), _send("stop", CONT), ("F10",), DOOR_MS, needs="console"
    ),
    Fault("console pages killed", _send("console", KILL), ChaosRig.start_pages, needs="console"),
    Fault("console pages stopped", _send("console", STOP), _send("console", CONT), needs="console"),
)
SUPERVISOR = (
    Fault("supervisor killed", _nothing, _nothing, ("F10",), DOOR_MS),
    Fault("supervisor stopped", _nothing, _nothing, ("F23",), BEAT_MS),
)
