"""Process chaos: a rig of real processes walks and takes every fault at random phases of the stride.

``python -m tests.chaos.process [TRIES [FAULT ...]]`` runs them, ``--table`` shows what the last runs gave.
The table and all figures go to `runs/chaos/`; ends with 1 where a promise broke. Every recording made ends
with the judge of `dorsi judge`, on the emulated stimulator's own pulse log.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from controller.record import records
from controller.record.reader import messages
from tests.chaos.faults import CONT, FAULTS, KILL, STOP, SUPERVISOR, Fault, Needs
from tests.chaos.findings import OUT, PERIOD_MS, Row, Try, add, cut, examine, load, save, table
from tests.chaos.rig import ChaosRig
from tests.process.rigs import StallWatch, children, pulse_log, wait_for_pulses

SEED = 4
STRIDE_S = 1.4  # a random moment within one
TRAIN_S = 0.2  # of a train there are so many seconds to come, mostly
PULSES_FIRST = 3  # since the arming: current flows
GOES_ON_S = 4.0  # by when there are pulses again after a fault that must change nothing; a stride and a half
AFTER_TRIP_S = 0.12  # for pulses that must not come; three periods
ATTEMPTS = 4  # of a try in which the machine itself stood still
ENDING_S = 30.0
TMPFS = "size=64m"
NAMES = [fault.what for fault in (*FAULTS, *SUPERVISOR)]


def one_try(rig: ChaosRig, fault: Fault, dice: random.Random) -> Try:
    """Walk, hurt, look, repair."""
    rig.walk(PULSES_FIRST)
    rig.forget()
    _any_moment(rig, dice)
    begin_ns = time.monotonic_ns()
    if rig.trips:
        return Try(begin_ns, 0.0, rig.trips[0], (f"false trip {rig.trips[0]} before the fault",))
    fault.begin(rig)
    if fault.needs == "disk":  # it is full now, and was not while it was filled
        begin_ns = time.monotonic_ns()
    rig.watch(fault.hold_s, until_trip=bool(fault.names))
    if rig.state == "tripped":
        rig.watch(AFTER_TRIP_S, until_trip=False)
    wrong: list[str] = []
    fault.end(rig)
    if fault.names and not rig.trips:
        rig.watch(0.5, until_trip=True)  # a new guard says what it found
    named = rig.trips[0] if rig.trips else "-"
    last_ms = max(((t_ns - begin_ns) / 1e6 for t_ns in rig.since(begin_ns)), default=0.0)
    if fault.names and named not in (*fault.names, *(["-"] if fault.may_walk else [])):
        wrong.append(f"named {named}")
    if not fault.names:
        if not _goes_on(rig) and not rig.trips:
            wrong.append("no pulse afterwards")
        wrong.extend(f"false trip {name}" for name in rig.trips if name not in fault.may_trip)
        named = rig.trips[0] if rig.trips else "-"
    if fault.deadline_ms is not None and last_ms > fault.deadline_ms + PERIOD_MS:
        wrong.append(f"a pulse {last_ms:.0f} ms after the fault")
    return Try(begin_ns, last_ms, named, tuple(wrong))


def _any_moment(rig: ChaosRig, dice: random.Random) -> None:
    """A random moment of the stride; in half of the tries one of the train that flows just now."""
    rig.watch(dice.uniform(0.0, dice.choice((STRIDE_S, TRAIN_S))), until_trip=True)


def _goes_on(rig: ChaosRig) -> bool:
    """Whether there is a pulse from now on."""
    healed_ns = time.monotonic_ns()
    deadline = time.monotonic() + GOES_ON_S
    while time.monotonic() < deadline and not rig.trips:
        rig.watch(0.02, until_trip=True)
        if rig.since(healed_ns):
            return True
    return False


def tries_of(
    rig: ChaosRig, fault: Fault, wanted: int, watch: StallWatch, row: Row, dice: random.Random
) -> Iterator[Try]:
    """``wanted`` tries; one in which the machine stood still and something went wrong is done again."""
    for _ in range(wanted):
        for attempt in range(1, ATTEMPTS + 1):
            begin_ns = time.monotonic_ns()
            one = one_try(rig, fault, dice)
            if not one.wrong or attempt == ATTEMPTS or not watch.stood_still(begin_ns):
                break
            row.repeated += 1
        yield one


# --- rigs ---


@contextlib.contextmanager
def _disk(needs: Needs, folder: Path) -> Iterator[Path]:
    """Where recordings go: for a full disk a small one of its own."""
    if needs != "disk":
        yield folder
        return
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", TMPFS, "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def run_group(faults: list[Fault], wanted: int, say: Callable[[str], None]) -> list[Row]:
    """One rig takes these faults, a recording each (or one for each try that costs the recorder).

    Single tries share a recording, and the last row has what it shows.
    """
    needs = faults[0].needs
    rows = [Row(fault.what) for fault in faults]
    tried: list[list[Try]] = []
    firsts: list[int] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as name, _disk(needs, Path(name)) as disk:
        folder = Path(name)
        with (
            StallWatch() as watch,
            ChaosRig(folder, disk=disk, broker=needs == "broker", console=needs == "console") as rig,
        ):
            for fault, row in zip(faults, rows, strict=True):
                if tried and wanted > 1:
                    rig.new_recording()
                firsts.append(len(rig.recordings) - 1)
                dice = random.Random(f"{SEED} {fault.what}")
                begin_s = time.monotonic()
                found: list[Try] = []
                tried.append(found)
                try:
                    for one in tries_of(rig, fault, wanted, watch, row, dice):
                        found.append(one)
                except AssertionError as error:
                    found.append(Try(time.monotonic_ns(), 0.0, "-", (str(error),)))
                    shutil.copytree(folder, OUT / "failed" / fault.what, dirs_exist_ok=True)
                took_s = time.monotonic() - begin_s
                worst_ms = max(one.last_ms for one in found)
                say(f"  {fault.what}: {len(found)} tries, {took_s:.0f} s, last pulse after {worst_ms:.0f} ms")
        cuts = cut(folder, rig.recordings)
        if wanted == 1:
            firsts = [0] * len(firsts)
        for index, (fault, row) in enumerate(zip(faults, rows, strict=True)):
            end = firsts[index + 1] if index + 1 < len(firsts) else len(cuts)
            if fault.recorder_fails:  # one each; the last repair's shows nothing
                end = firsts[index] + len(tried[index])
            examine(row, fault, tried[index], cuts[firsts[index] : end])
    return rows


def run_supervisor(fault: Fault, wanted: int, say: Callable[[str], None]) -> list[Row]:
    """A session of its own with the real supervisor for each try."""
    row = Row(fault.what)
    dice = random.Random(f"{SEED} {fault.what}")
    left = wanted
    while left:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name, StallWatch() as watch:
            folder = Path(name) / "session"  # what is kept of a person lies beside it
            begin_ns = time.monotonic_ns()
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.session", str(folder), "600"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            pids: list[int] = []
            try:
                wait_for_pulses(process, folder, 4 * PULSES_FIRST)
                pids = list(children(process.pid).values())
                found = _supervisor_try(fault, process, folder, dice)
            finally:
                _end(process, pids)
            tries = [_named(fault, found, folder / "session.mcap")]
            part = Row(fault.what)
            examine(part, fault, tries, [(folder / "session.mcap", folder / "pulses.jsonl")])
            if part.wrong and watch.stood_still(begin_ns) and row.repeated < ATTEMPTS:
                row.repeated += 1
                continue
            left -= 1
            add(row, part)
            say(f"  {fault.what}: {wanted - left} tries, last pulse after {row.worst_ms or 0.0:.0f} ms")
    return [row]


def _supervisor_try(fault: Fault, process: subprocess.Popen[str], folder: Path, dice: random.Random) -> Try:
    time.sleep(dice.uniform(0.0, STRIDE_S))
    begin_ns = time.monotonic_ns()
    wrong = [] if process.poll() is None else ["ended before the fault"]
    process.send_signal(KILL if "killed" in fault.what else STOP)
    assert fault.deadline_ms is not None
    time.sleep(fault.deadline_ms / 1000.0 + 0.5)
    process.send_signal(CONT)
    after = [pulse.t_ns for pulse in pulse_log(folder) if pulse.t_ns > begin_ns]
    last_ms = max(((t_ns - begin_ns) / 1e6 for t_ns in after), default=0.0)
    if last_ms > fault.deadline_ms + PERIOD_MS:
        wrong.append(f"a pulse {last_ms:.0f} ms after the fault")
    return Try(begin_ns, last_ms, "-", tuple(wrong))


def _named(fault: Fault, one: Try, recording: Path) -> Try:
    """With the cause that the guard recorded, as it had nobody left to tell."""
    causes = [
        m.record.fault or "-"
        for m in messages(recording, ("guard/event",))
        if isinstance(m.record, records.GuardEvent) and m.record.kind in ("trip", "stop")
    ]
    named = causes[0] if causes else "-"
    wrong = () if named in fault.names else (f"named {named}",)
    return replace(one, named=named, wrong=one.wrong + wrong)


def _end(process: subprocess.Popen[str], pids: list[int]) -> None:
    """End a session and wait for its processes ``pids``, also where the supervisor is dead already."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_S)
    deadline = time.monotonic() + ENDING_S
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.1)


def groups(faults: list[Fault]) -> list[list[Fault]]:
    """Faults that can share a rig: as many as need the same processes; few enough for a fresh muscle."""
    found: list[list[Fault]] = []
    for fault in faults:
        if found and found[-1][0].needs == fault.needs and len(found[-1]) < 5:
            found[-1].append(fault)
        else:
            found.append([fault])
    return found


def main() -> int:
    if "--table" in sys.argv:
        print(table(list(load().values())))
        return 0
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    words = sys.argv[2:]

    def say(text: str) -> None:
        print(text, flush=True)

    def asked(fault: Fault) -> bool:
        return not words or any(word in fault.what for word in words)

    rows = load()
    begin_s = time.monotonic()
    made: list[Row] = []
    jobs: list[Callable[[], list[Row]]] = []
    for group in groups([fault for fault in FAULTS if asked(fault)]):
        jobs.append(partial(run_group, group, wanted, say))
    for fault in SUPERVISOR:
        if asked(fault):
            jobs.append(partial(run_supervisor, fault, wanted, say))
    for job in jobs:
        for row in job():
            rows[row.fault] = row
            made.append(row)
            if row.wrong:
                say(f"  {row.fault}: {row.wrong}")
        save(rows, NAMES)
    say(table(made))
    say(f"{time.monotonic() - begin_s:.0f} s")
    return 1 if any(row.wrong for row in made) else 0


if __name__ == "__main__":
    sys.exit(main())
