"""A long walk with nothing wrong in it: no growth of memory, handles or tasks, no blocked frame, no trip.

``python -m tests.chaos.soak real MINUTES`` walks one rig of real processes with console, browser and broker;
``python -m tests.chaos.soak virtual HOURS`` walks cohort patients of one hour each under core and guard in
virtual time. Both keep the bout's pause, print what they measured, and end with 1 where something grew, was
blocked or tripped. The figures go to `runs/soak/`.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from controller.analysis.judge import judge_recording
from controller.ipc import process
from controller.record import records
from controller.record.reader import messages
from controller.record.replay import replay
from controller.safety.judgement.guard_types import Request
from controller.safety.judgement.states import Stage
from models.cohort import cohort_patient
from models.patient import VirtualPatient
from tests.chaos import counted
from tests.chaos.findings import OUT as CHAOS_OUT
from tests.chaos.rig import ChaosRig
from tests.chaos.virtual import GuardedWalk, guarded_walk
from tests.process.rigs import StallWatch

OUT = CHAOS_OUT.with_name("soak")
BOUT_S = 28 * 60.0  # the guard's own limit is half an hour
PAUSE_S = 75.0  # and a minute's rest after it
LOOK_S = 10.0
WARM_SHARE = 0.2  # of the time; caches fill, the recorder's buffers and the browser settle
GROWTH_MAX_MB = 4.0  # between the first and the last fifth after that: beyond what an allocator scatters
HANDLES_MAX = 2  # a browser's socket comes and goes
TASKS_MAX = 2  # likewise
STATE_GROWTH_MAX = 1.05  # of the pickled state of core and guard, which breathes with the stride
VIRTUAL_LOOK_S = 300.0


@dataclass(frozen=True, slots=True)
class Look:
    """One process at one time."""

    time_s: float
    pss_mb: float
    handles: int
    threads: int
    tasks: int


@dataclass(slots=True)
class Soaked:
    """What a long walk showed; ``wrong`` is empty where nothing was."""

    minutes: float
    pulses: int = 0
    figures: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


# --- real processes ---


def _look(pid: int, folder: Path, time_s: float) -> Look:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    pss_kb = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    told = counted.path(folder, pid)
    tasks = int(told.read_text().split()[0]) if told.exists() else 0
    threads = len(os.listdir(f"/proc/{pid}/task"))
    os.kill(pid, signal.SIGUSR2)  # for the next look
    return Look(time_s, pss_kb / 1024, len(os.listdir(f"/proc/{pid}/fd")), threads, tasks)


def _grown(name: str, looks: list[Look]) -> tuple[str, list[str]]:
    """The process in words, and what of it grew."""
    warm = looks[round(WARM_SHARE * len(looks)) :]
    fifth = max(1, len(warm) // 5)
    first, last = warm[:fifth], warm[-fifth:]
    wrong = []
    words = []
    for what, limit in (
        ("pss_mb", GROWTH_MAX_MB),
        ("handles", HANDLES_MAX),
        ("threads", HANDLES_MAX),
        ("tasks", TASKS_MAX),
    ):
        before, after = (statistics.median(getattr(look, what) for look in part) for part in (first, last))
        words.append(f"{what} {before:.1f} to {after:.1f}")
        if after - before > limit:
            wrong.append(f"{name}: {what} grew from {before:.1f} to {after:.1f}")
    return ", ".join(words), wrong


@contextlib.contextmanager
def _browser(url: str, folder: Path) -> Iterator[None]:
    """A real one with the live page open; none where Chromium is not there."""
    if shutil.which("chromium") is None or not url:
        yield
        return
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    with (folder / "browser.log").open("wb") as log:
        browser = subprocess.Popen(
            [*command, f"--user-data-dir={folder / 'browser'}", url], stdout=log, stderr=log
        )
        try:
            yield
        finally:
            browser.kill()
            browser.wait()


def soak_real(minutes: float) -> Soaked:
    """One rig walks; its person rests it when the bout is over."""
    told = Soaked(minutes)
    looks: dict[str, list[Look]] = {}
    with tempfile.TemporaryDirectory(prefix="soak-") as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        watch = stack.enter_context(StallWatch())
        rig = stack.enter_context(ChaosRig(folder / "rig", broker=True, console=True))
        stack.enter_context(_browser(rig.address, folder))
        rig.walk(1)
        begin_s = time.monotonic()
        bout_s = begin_s
        next_s = begin_s
        excused = 0
        while (now_s := time.monotonic()) - begin_s < 60 * minutes:
            if now_s - bout_s > BOUT_S:
                rig.ask(op="disarm", by="soak")
                rig.watch(PAUSE_S, until_trip=True)
                if not rig.trips:
                    rig.walk(1)
                bout_s = time.monotonic()
            rig.watch(1.0, until_trip=True)
            if rig.trips:
                if not watch.excuses(time.monotonic_ns() - 10**9):
                    told.wrong.append(f"trip {rig.trips[0]} after {(now_s - begin_s) / 60:.1f} min")
                excused += 1
                rig.forget()
                rig.walk(1)
            if now_s >= next_s:
                next_s = now_s + LOOK_S
                for name in rig.rig.names():
                    look = _look(rig.rig.pid(name), rig.rig.path, now_s - begin_s)
                    looks.setdefault(name, []).append(look)
                print(
                    f"\r  {(now_s - begin_s) / 60:.1f} of {minutes:g} min, {len(rig.pulses.look())} pulses",
                    end="",
                )
        print()
        rig.ask(op="disarm", by="soak")
        rig.watch(1.0, until_trip=False)
        told.pulses = len(rig.pulses.look())
        recording = rig.recordings[0].path
        for name in ("controller", "guard", "recorder"):
            rig.rig.end(name)
        told.figures["machine"] = f"stood still {len(watch.spans_ns)} times; {excused} trips"
        _read(recording, folder / "rig" / "pulses.jsonl", told, watch)
    for name, of_one in looks.items():
        words, wrong = _grown(name, of_one)
        told.figures[name] = words
        told.wrong.extend(wrong)
    return told


def _read(recording: Path, pulses: Path, told: Soaked, watch: StallWatch) -> None:
    """Judge and replay the recording; count what was blocked while current could flow.

    What the machine did by standing still is counted, but is no fault of the rig's.
    """
    blocked: Counter[str] = Counter()
    excused = 0
    for message in messages(recording, ("guard/verdict",)):
        verdict = message.record
        if not isinstance(verdict, records.GuardVerdict) or verdict.state not in ("armed", "active"):
            continue
        if verdict.verdict == "blocked":
            stalled = watch.excuses(verdict.received_ns)
            excused += stalled
            blocked[re.sub(r"[0-9.]+", "#", verdict.reason)] += not stalled
    told.figures["blocked in standstills"] = str(excused)
    told.wrong.extend(f"{count} frames blocked: {reason}" for reason, count in blocked.items() if count)
    broken = [finding for finding in judge_recording(recording, pulses) if not finding.kept]
    told.wrong.extend(f"judge: {finding.id} {finding.worst} {finding.detail}" for finding in broken)
    replayed = replay(recording)
    if not replayed.identical:
        told.wrong.append(f"replay differs: {replayed.first_difference}")
    told.figures["recording"] = f"{recording.stat().st_size / 1e6:.1f} MB"


# --- virtual time ---


def soak_patient(number: int, seconds: float) -> Soaked:
    """One cohort patient walks, rests when the bout is over, walks on; the mode by its number."""
    process.quiet_garbage_collector()
    told = Soaked(seconds / 60)
    walk = guarded_walk(cohort_patient(number), ("trapezoid", "feedback", "learning")[number % 3], seconds)
    sizes: list[int] = []
    until_s, bout_end_s = 0.0, BOUT_S
    while until_s < seconds:
        until_s = min(until_s + VIRTUAL_LOOK_S, seconds, bout_end_s)
        walk.walk(until_s)
        sizes.append(state_bytes(walk))
        if until_s >= bout_end_s:
            walk.feed(until_s, Request("disarm"))
            bout_end_s = until_s + PAUSE_S + BOUT_S
            walk.rest_until_s = until_s = until_s + PAUSE_S
            walk.walk(until_s)
    told.pulses = walk.given
    told.wrong.extend(walk.wrong[:5])
    told.wrong.extend(f"trip {name}" for name in walk.trips)
    told.wrong.extend(f"{count} frames blocked: {reason}" for reason, count in walk.blocked.items())
    if walk.known.state.stage is not Stage.ACTIVE and walk.known.state.stage is not Stage.ARMED:
        told.wrong.append(f"guard ended {walk.known.state.stage.value}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told.figures[f"patient {number}"] = (
        f"{walk.given} pulses, state {min(sizes)} to {max(sizes)}, at the end {sizes[-1]} bytes, "
        f"peak {peak_mb:.0f} MB"
    )
    if state_grew(sizes):
        told.wrong.append(f"state grew: {sizes} bytes")
    return told


def state_grew(sizes: list[int]) -> bool:
    """Whether the smallest of the last third lies above the largest of the first."""
    third = max(1, len(sizes) // 3)
    return min(sizes[-third:]) > STATE_GROWTH_MAX * max(sizes[:third])


def state_bytes(walk: GuardedWalk) -> int:
    """Size of all that core and guard remember."""
    known = walk.known._replace(sensors=dict(walk.known.sensors))
    return len(pickle.dumps((walk.core, known)))


def soak_virtual(hours: float) -> Soaked:
    """One patient an hour, on all processors."""
    VirtualPatient.compile()
    told = Soaked(60 * hours)
    count = max(1, round(hours))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for number, one in enumerate(pool.map(soak_patient, range(count), [3600.0 * hours / count] * count)):
            told.pulses += one.pulses
            told.figures.update(one.figures)
            told.wrong.extend(f"patient {number}: {text}" for text in one.wrong)
            print(f"  patient {number}: {'; '.join(one.wrong) or 'nothing wrong'}", flush=True)
    return told


def main() -> int:
    kind, amount = sys.argv[1], float(sys.argv[2])
    told = soak_real(amount) if kind == "real" else soak_virtual(amount)
    for name, words in told.figures.items():
        print(f"  {name}: {words}")
    for text in told.wrong:
        print(f"  WRONG {text}")
    print(f"{kind}: {told.minutes:g} minutes, {told.pulses} pulses, {len(told.wrong)} things wrong")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{kind}.json").write_text(json.dumps(asdict(told), indent=1))
    return 1 if told.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
