"""Starting the real `dorsi` command with all its processes, and reading what they left."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.record import records
from controller.record.reader import messages

ATTEMPTS = 3
STALL_S = 0.03  # half of what the guard allows a controller: beyond, a trip is the machine's doing
STARVED_S = 0.25  # half of what it allows the recorder, which has no real-time priority
AFTERMATH_NS = 500_000_000  # what waited in a standstill is dealt with in it
STALL_WATCH = r"""
import os, select, sys, time, tty
if sys.argv[1] != "ordinary":
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except OSError:
        pass
there, here = os.openpty()
tty.setraw(here)
os.write(1, b"began\n")
parent = os.getppid()
while os.getppid() == parent:
    before_ns = time.monotonic_ns()
    time.sleep(0.004)
    if sys.argv[1] == "terminal":
        os.write(there, b".")
        os.read(here, 1)
    late_s = (time.monotonic_ns() - before_ns) / 1e9 - 0.004
    if late_s > float(sys.argv[2]):
        os.write(1, f"{before_ns} {late_s}\n".encode())
"""
WALKING_S = 150.0  # until pulses flow: an arm that is off, on a slow machine that still compiles the patient


Meanwhile = Callable[["subprocess.Popen[str]", Path], None]


@dataclass(frozen=True)
class LoggedPulse:
    """A line of the emulated stimulator's pulse log."""

    t_ns: int
    channel: int
    points: tuple[tuple[int, float], ...]
    packet: int


def start(*arguments: str, module: str = "controller.cli") -> subprocess.Popen[str]:
    """`dorsi ARGUMENTS` as a process of its own; another ``module`` may change what its rig meets."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 400.0) -> tuple[int, str]:
    output, _ = process.communicate(timeout=timeout_s)
    return process.returncode, output


class StallWatch:
    """Whether this machine, not the rig, stood still or had no time for an ordinary process.

    Processes that only sleep and look: one of real-time priority, one of none, and one that sends itself a
    byte by a terminal, which the kernel hands on at ordinary priority (drivers/links/input_watch.py).
    """

    def __enter__(self) -> StallWatch:
        self._log = tempfile.NamedTemporaryFile("a")
        self.spans_ns: list[tuple[int, int]] = []  # of the standstills so far, CLOCK_MONOTONIC
        limits = (("real-time", STALL_S), ("terminal", STALL_S), ("ordinary", STARVED_S))
        self._processes = [
            subprocess.Popen([sys.executable, "-c", STALL_WATCH, kind, str(limit_s)], stdout=self._log)
            for kind, limit_s in limits
        ]
        while len(self._lines()) < len(limits):
            assert all(process.poll() is None for process in self._processes)
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._look()
        self._log.close()

    def stood_still(self, since_ns: int = 0) -> bool:
        """Whether a standstill ended after ``since_ns`` (CLOCK_MONOTONIC)."""
        self._look()
        return any(end_ns > since_ns for _, end_ns in self.spans_ns)

    def excuses(self, t_ns: int) -> bool:
        """Whether what happened at ``t_ns`` came in a standstill or within half a second after one."""
        self._look()
        return any(begin_ns <= t_ns <= end_ns + AFTERMATH_NS for begin_ns, end_ns in self.spans_ns)

    def _look(self) -> None:
        if not self._log.closed:
            lines = [line.split() for line in self._lines() if line != "began\n"]
            self.spans_ns = [(int(begin), int(begin) + round(float(late_s) * 1e9)) for begin, late_s in lines]

    def _lines(self) -> list[str]:
        """Whole ones, read from a place of our own: that of the open file moves with each of its writers."""
        written = Path(self._log.name).read_text(encoding="ascii").splitlines(keepends=True)
        return [line for line in written if line.endswith("\n")]


def undisturbed(folder: Path, *arguments: str, meanwhile: Meanwhile | None = None) -> tuple[Path, str]:
    """Run `dorsi ARGUMENTS` to a good end; its results and output.

    Run again only where the whole machine stood still meanwhile: the guard is right to trip then.
    """
    for attempt in range(ATTEMPTS):
        target = folder / f"attempt{attempt}" / "run"  # what is kept of a person lies beside it
        target.parent.mkdir()
        with StallWatch() as watch:
            process = start(*arguments, "--out", str(target))
            if meanwhile is not None:
                meanwhile(process, target)
            code, output = finish(process)
        if code == 0:
            return target, output
        if not watch.stood_still():
            break
    raise AssertionError(output)


def children(pid: int) -> dict[str, int]:
    """The process names below ``pid``, as ``ps`` shows them."""
    listing = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, int] = {}
    for line in listing.splitlines()[1:]:
        child, parent, name = line.split(None, 2)
        if int(parent) == pid:
            found[name.split()[0]] = int(child)
    return found


def pulse_log(folder: Path) -> list[LoggedPulse]:
    path = folder / "pulses.jsonl"
    if not path.exists():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    lines = [json.loads(line) for line in whole]  # the last one may still be being written
    return [
        LoggedPulse(line["t_ns"], line["channel"], tuple(map(tuple, line["points"])), line["packet"])
        for line in lines
    ]


def wait_for_pulses(process: subprocess.Popen[str], folder: Path, count: int) -> None:
    """Until the stimulator has given ``count`` pulses, or the process has ended."""
    deadline = time.monotonic() + WALKING_S
    while time.monotonic() < deadline:
        if len(pulse_log(folder)) >= count:
            return
        if process.poll() is not None:
            return  # ended before it walked: its exit code tells
        time.sleep(0.02)
    raise AssertionError(f"no {count} pulses within {WALKING_S} s")


MOMENT_NS = 500_000_000  # the emulated device stands still for 100 ms at times, with its machine


def recorded_pulses(recording: Path) -> list[records.Pulse]:
    verdicts = (message.record for message in messages(recording, ("guard/verdict",)))
    return [
        pulse for verdict in verdicts if isinstance(verdict, records.GuardVerdict) for pulse in verdict.pulses
    ]


def assert_every_pulse_is_accounted_for(folder: Path) -> None:
    """Each executed pulse is the one the guard recorded: order, packet, channel, current, width, moment.

    The last one recorded may be on its way while the emulated device is switched off.
    """
    executed = pulse_log(folder)
    recorded = recorded_pulses(folder / "session.mcap")
    assert len(recorded) - len(executed) in (0, 1)
    for pulse, told in zip(executed, recorded, strict=False):
        (width_us, current_ma), _, (width_back_us, current_back_ma) = pulse.points
        assert (pulse.packet, pulse.channel) == (told.packet, told.channel)
        assert (width_us, current_ma) == (told.width_us, told.current_ma)
        assert (width_back_us, current_back_ma) == (width_us, -current_ma)
        assert abs(pulse.t_ns - told.t_ns) < MOMENT_NS
