"""Process chaos: `dorsi demo` with all its processes, each fault at random phases of walking.

``python -m tests.chaos.process [TRIES [FAULT ...]]`` prints a table: fault, tries, worst time to the last
pulse, deadline, seconds of recording lost, whether the trip was named rightly; 1 where a promise broke.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.record import records
from controller.record.oracle import judge_recording
from controller.record.reader import messages
from tests.process.rigs import STALL_S, StallWatch, children, pulse_log, start, wait_for_pulses

SEED = 4
STRIDE_S = 1.4  # a random moment within one
PAUSE_NS = 3_000_000_000  # longer than any stride is without pulses
PULSES_FIRST = 40
PERIOD_MS = 25.0  # 40 Hz
SETTLE_S = 6.0  # of walking on after a fault that must change nothing
ATTEMPTS = 4
ENDING_S = 150.0
TMPFS = "size=2500k"  # full after some seconds of walking

Do = Callable[[subprocess.Popen[str], Path], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done; which trips name it rightly (none: walking goes on); by when pulses have ended."""

    what: str
    do: Do
    names: tuple[str, ...]
    deadline_ms: float | None
    sensor: str = ""  # of the chaos world
    small_disk: bool = False
    recording_may_end: bool = False  # the recorder itself is what fails


def _pid(process: subprocess.Popen[str], name: str) -> int:
    return process.pid if name == "dorsi" else children(process.pid)[name]


def _hit(name: str, number: signal.Signals, go_on_s: float | None = None) -> Do:
    """Send ``number`` to a process; with ``go_on_s`` let it go on after so long."""

    def do(process: subprocess.Popen[str], _: Path) -> None:
        pid = _pid(process, name)
        os.kill(pid, number)
        if go_on_s is not None:
            time.sleep(go_on_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return do


def _broker(number: signal.Signals) -> Do:
    def do(process: subprocess.Popen[str], _: Path) -> None:
        listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
        for line in listing.stdout.splitlines()[1:]:
            pid, parent, name = line.split(None, 2)
            if int(parent) == process.pid and "broker" in name:
                os.kill(int(pid), number)
                return
        raise AssertionError(f"no broker among {listing.stdout}")

    return do


def _hogs(_: subprocess.Popen[str], __: Path) -> None:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
    time.sleep(3.0)
    for hog in hogs:
        hog.kill()
        hog.wait()


def _nothing(_: subprocess.Popen[str], __: Path) -> None:
    pass


KILL, STOP, USR1 = signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1
SAFE_MS = 170.0  # F1
FAULTS = (
    Fault("controller killed", _hit("dorsi-controller", KILL), ("F3",), 10.0),
    Fault("controller stopped", _hit("dorsi-controller", STOP, 0.5), ("F4",), 60.0),
    Fault("recorder killed", _hit("dorsi-recorder", KILL), ("F12",), 10.0, recording_may_end=True),
    Fault("recorder stopped", _hit("dorsi-recorder", STOP, 3.0), ("F12",), 600.0),
    Fault("supervisor killed", _hit("dorsi", KILL), ("F10",), 520.0),
    Fault("supervisor stopped", _hit("dorsi", STOP, 2.0), (), None),
    Fault("guard killed", _hit("dorsi-guard", KILL), (), 0.0),
    Fault("guard stopped", _hit("dorsi-guard", STOP, 0.5), ("F4", "F14", "F1", "F6"), 0.0),
    Fault("STOP (SIGINT)", _hit("dorsi", signal.SIGINT), ("F11",), 100.0),
    Fault("broker killed", _broker(KILL), (), None),
    Fault("broker stopped", _broker(STOP), (), None),
    Fault("disk full", _nothing, ("F12",), None, small_disk=True, recording_may_end=True),
    Fault("world and serial line gone", _hit("dorsi-world", KILL), ("F19",), 10.0),
    Fault("processor hogs", _hogs, (), None),
    Fault("sensor silent", _hit("dorsi-world", USR1), ("F1",), SAFE_MS, sensor="silent"),
    Fault("sensor frozen", _hit("dorsi-world", USR1), ("F1",), SAFE_MS + 170.0, sensor="frozen"),
    Fault("sensor delayed", _hit("dorsi-world", USR1), ("F1",), SAFE_MS, sensor="delayed"),
    Fault("sensor reordered", _hit("dorsi-world", USR1), (), None, sensor="reordered"),
    Fault("sensor duplicated", _hit("dorsi-world", USR1), (), None, sensor="duplicated"),
    Fault("sensor bit-flipped", _hit("dorsi-world", USR1), ("F1", "F21", "F17"), None, sensor="bit-flipped"),
)


@dataclass(frozen=True, slots=True)
class Try:
    """What one try showed; ``wrong`` is empty where every promise held."""

    last_ms: float | None
    lost_s: float
    named: str
    wrong: tuple[str, ...]


@contextlib.contextmanager
def _folder(small: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        if small:
            subprocess.run(["mount", "-t", "tmpfs", "-o", TMPFS, "tmpfs", name], check=True)
        try:
            yield folder
        finally:
            if small:
                subprocess.run(["umount", "-l", name], check=True)


def _begin(fault: Fault, out: Path, seconds: float) -> subprocess.Popen[str]:
    if not fault.sensor:
        return start("demo", "--seconds", f"{seconds:g}", "--mode", "feedback", "--out", str(out))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.session", str(out), f"{seconds:g}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DORSI_CHAOS": fault.sensor},
    )


def try_once(fault: Fault, dice: random.Random) -> Try | None:
    """One session with the fault in it; ``None`` where the machine itself stood still."""
    with _folder(fault.small_disk) as folder, StallWatch() as watch:
        out = folder / "run"
        goes_on = not fault.names and fault.deadline_ms is None
        process = _begin(fault, out, 60.0 if not goes_on else SETTLE_S + 8.0)
        try:
            wait_for_pulses(process, out, PULSES_FIRST)
            time.sleep(dice.uniform(0.0, STRIDE_S))
            if process.poll() is not None or pulse_log(out)[-1].t_ns < time.monotonic_ns() - PAUSE_NS:
                return None  # tripped before the fault
            begin_ns = time.monotonic_ns()
            fault.do(process, out)
            output, _ = process.communicate(timeout=ENDING_S)
            found = _found(fault, out, process.returncode, output, begin_ns)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
    return None if found.wrong and watch.worst_s >= STALL_S and "processor" not in fault.what else found


def _found(fault: Fault, out: Path, code: int, output: str, begin_ns: int) -> Try:
    wrong: list[str] = []
    recording = out / "session.mcap"
    _await_whole(recording)
    pulses = pulse_log(out)
    last_ms = None
    if fault.deadline_ms is not None:
        last_ms = max(0.0, (max(pulse.t_ns for pulse in pulses) - begin_ns) / 1e6)
        if last_ms > fault.deadline_ms + PERIOD_MS:
            wrong.append(f"last pulse after {last_ms:.0f} ms")
    events = [message.record for message in messages(recording, ("guard/event",))]
    named = [
        e.fault or "" for e in events if isinstance(e, records.GuardEvent) and e.kind in ("trip", "stop")
    ]
    if fault.names and not fault.recording_may_end and named[:1] not in ([[name] for name in fault.names]):
        wrong.append(f"named {named}")
    if fault.recording_may_end and named and named[0] not in fault.names:
        wrong.append(f"named {named}")
    if not fault.names and fault.deadline_ms is None and (code != 0 or named):
        wrong.append(f"ended with {code}, {named}: {' '.join(output.split())[-300:]}")
    ticks = [m.record for m in messages(recording, ("tick",))]
    last_tick_ns = max((tick.now_ns for tick in ticks if isinstance(tick, records.Tick)), default=0)
    lost_s = max(0.0, (begin_ns - last_tick_ns) / 1e9) if not fault.small_disk else 0.0
    wrong.extend(
        f"oracle: {finding.id} {finding.worst} {finding.detail}"
        for finding in judge_recording(recording, None if fault.small_disk else out / "pulses.jsonl")
        if not finding.kept
    )
    return Try(last_ms, lost_s, "/".join(named) or "-", tuple(wrong))


def _await_whole(recording: Path) -> None:
    """After a killed supervisor the recorder still closes the file: until its size rests."""
    size = -1
    while recording.stat().st_size != size:
        size = recording.stat().st_size
        time.sleep(0.5)


def chaos(fault: Fault, tries: int, dice: random.Random) -> list[Try]:
    """``tries`` sessions; one disturbed by the machine is repeated, up to ATTEMPTS times."""
    got = []
    for _ in range(tries):
        one = next((found for _ in range(ATTEMPTS) if (found := try_once(fault, dice)) is not None), None)
        got.append(one or Try(None, 0.0, "-", ("this machine stood still at every attempt",)))
    return got


def row(fault: Fault, got: list[Try]) -> str:
    last = max((one.last_ms for one in got if one.last_ms is not None), default=None)
    deadline = "-" if fault.deadline_ms is None else f"{fault.deadline_ms + PERIOD_MS:.0f} ms"
    names = ", ".join(sorted({one.named for one in got}))
    wrong = "; ".join(sorted({text for one in got for text in one.wrong}))
    lost_s = max(one.lost_s for one in got)
    return (
        f"{fault.what:27}{len(got):5}{'-' if last is None else f'{last:.1f} ms':>12}{deadline:>10}"
        f"{lost_s:9.2f} s  {names:8}{'  WRONG: ' + wrong if wrong else ''}"
    )


HEADER = "fault                      tries   last pulse  deadline  recording lost, trip"


def main() -> int:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    wanted = sys.argv[2:]
    broken = 0
    print(HEADER, flush=True)
    for fault in FAULTS:
        if wanted and not any(word in fault.what for word in wanted):
            continue
        got = chaos(fault, tries, random.Random(f"{SEED} {fault.what}"))
        broken += any(one.wrong for one in got)
        print(row(fault, got), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
