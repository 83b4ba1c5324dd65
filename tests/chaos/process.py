"""Process chaos: a rig of real processes walks and takes every fault at random phases of the stride.

``python -m tests.chaos.process [TRIES [FAULT ...]]`` runs them, ``--table`` shows what the last runs gave.
The table and all figures go to `runs/chaos/`; ends with 1 where a promise broke. Every recording made ends
with the judge of `dorsi judge`, on the emulated stimulator's own pulse log.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

from controller.errors import InputError
from controller.record import records
from controller.record.oracle import judge_recording
from controller.record.reader import messages
from tests.chaos.rig import ChaosRig, Recording
from tests.process.rigs import STALL_S, StallWatch, children, pulse_log, wait_for_pulses

SEED = 4
OUT = Path(__file__).resolve().parents[2] / "runs" / "chaos"
STRIDE_S = 1.4  # a random moment within one
TRAIN_S = 0.2  # of a train there are so many seconds to come, mostly
PERIOD_MS = 25.0  # 40 Hz: a pulse may be on its way
PULSES_FIRST = 3  # since the arming: current flows
GOES_ON_S = 4.0  # by when there are pulses again after a fault that must change nothing; a stride and a half
AFTER_TRIP_S = 0.12  # for pulses that must not come; three periods
ATTEMPTS = 4  # of a try in which the machine itself stood still
HOLD_S = 1.2  # of a fault that must change nothing: most of a stride
TICK_S = 0.005
ENDING_S = 30.0
TMPFS = "size=64m"
CLOCK_JUMP_NS = 60_000_000_000

KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
Act = Callable[[ChaosRig], None]
Needs = Literal["", "broker", "console", "disk"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done and how it is repaired; which trips name it rightly; by when pulses have ended.

    No ``names``: walking goes on, with current. ``may_walk`` leaves both open. ``deadline_ms`` comes on top
    of a pulse period.
    """

    what: str
    begin: Act
    end: Act
    names: tuple[str, ...] = ()
    deadline_ms: float | None = None
    hold_s: float = HOLD_S
    may_walk: bool = False
    needs: Needs = ""
    recorder_fails: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """What one try showed; ``wrong`` is empty where every promise held."""

    begin_ns: int
    last_ms: float
    named: str
    wrong: tuple[str, ...] = ()


@dataclass(slots=True)
class Row:
    """One line of the table."""

    fault: str
    tries: int = 0
    repeated: int = 0  # tries given up because the machine stood still for STALL_S or longer
    worst_ms: float | None = None
    deadline_ms: float | None = None
    lost_s: float = 0.0
    unreadable: int = 0
    pulses: int = 0
    named: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)


# --- what can be done to a rig ---


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
    Fault("sensor reordered", _tell("reordered"), _tell("")),
    Fault("sensor duplicated", _tell("duplicated"), _tell("")),
    Fault("sensor bit-flipped", _tell("bit-flipped"), _tell(""), ("F1", "F17", "F21"), may_walk=True),
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
    Fault("supervisor stopped", _nothing, _nothing),
)
NAMES = [fault.what for fault in (*FAULTS, *SUPERVISOR)]


# --- one try ---


def one_try(rig: ChaosRig, fault: Fault, dice: random.Random) -> Try:
    """Walk, hurt, look, repair."""
    rig.walk(PULSES_FIRST)
    rig.forget()
    _any_moment(rig, dice)
    begin_ns = time.monotonic_ns()
    if rig.trips:
        return Try(begin_ns, 0.0, rig.trips[0], (f"false trip {rig.trips[0]} before the fault",))
    fault.begin(rig)
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
        if not _goes_on(rig):
            wrong.append("no pulse afterwards")
        wrong.extend(f"false trip {name}" for name in rig.trips)
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
            if not one.wrong or attempt == ATTEMPTS or watch.worst_s(begin_ns) < STALL_S:
                break
            row.repeated += 1
        yield one


# --- what a fault's recordings show ---


def examine(row: Row, fault: Fault, tries: list[Try], kept: list[tuple[Path, Path]]) -> None:
    """Fill in the row from its tries and from the recordings with their parts of the pulse log."""
    row.tries += len(tries)
    wrong = Counter(text for one in tries for text in one.wrong)
    named = Counter(one.named for one in tries)
    if fault.deadline_ms is not None:
        row.deadline_ms = fault.deadline_ms + PERIOD_MS
        row.worst_ms = max((one.last_ms for one in tries), default=0.0)
    jumps = 0
    for recording, pulses in kept:
        try:
            row.lost_s = max(row.lost_s, _lost_s(recording, fault, tries))
            findings = judge_recording(recording, pulses)
        except InputError as error:
            row.unreadable += 1
            wrong[f"unreadable: {error}"] += 1
            continue
        row.pulses += next((finding.seen for finding in findings if finding.id == "pulses"), 0)
        wrong.update(
            f"judge: {finding.id} {finding.worst} {finding.detail}"
            for finding in findings
            if not finding.kept
        )
        jumps += _clock_jumps(recording)
    if fault.what.startswith("clock") and jumps < len(tries):
        wrong[f"{jumps} jumps of the clock in the recording"] += 1
    row.named, row.wrong = dict(named), dict(wrong)


def _lost_s(recording: Path, fault: Fault, tries: list[Try]) -> float:
    """What is missing: up to the fault where the recorder fails, else of the ticks in between."""
    ticks = [m.record for m in messages(recording, ("tick",)) if isinstance(m.record, records.Tick)]
    if fault.recorder_fails:
        last_ns = max((tick.now_ns for tick in ticks), default=0)
        ends = [one.begin_ns for one in tries if ticks and one.begin_ns > ticks[0].now_ns]
        return max(0.0, (min(ends) - last_ns) / 1e9) if ends else 0.0
    steps = (after.seq - before.seq - 1 for before, after in pairwise(ticks))
    return TICK_S * sum(step for step in steps if step > 0)


def _clock_jumps(recording: Path) -> int:
    leads = [
        m.record.utc_ns - m.record.monotonic_ns
        for m in messages(recording, ("clock",))
        if isinstance(m.record, records.Clock)
    ]
    return sum(abs(after - before) > CLOCK_JUMP_NS for before, after in pairwise(leads))


def _cut(folder: Path, kept: list[Recording]) -> list[tuple[Path, Path]]:
    """Each recording with its part of the pulse log."""
    lines = (folder / "pulses.jsonl").read_text().splitlines()
    stamped = [(int(json.loads(line)["t_ns"]), line) for line in lines]
    ends_ns = [*(recording.from_ns for recording in kept[1:]), 1 << 62]
    found = []
    for recording, end_ns in zip(kept, ends_ns, strict=True):
        part = folder / f"{recording.path.stem}.pulses.jsonl"
        inside = [line for t_ns, line in stamped if recording.from_ns <= t_ns < end_ns]
        part.write_text("".join(f"{line}\n" for line in inside))
        found.append((recording.path, part))
    return found


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
    """One rig takes these faults, a recording each (or one for each try that costs the recorder)."""
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
                if tried:
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
        cuts = _cut(folder, rig.recordings)
        for index, (fault, row) in enumerate(zip(faults, rows, strict=True)):
            end = firsts[index + 1] if index + 1 < len(firsts) else len(cuts)
            examine(row, fault, tried[index], cuts[firsts[index] : end])
    return rows


def run_supervisor(fault: Fault, wanted: int, say: Callable[[str], None]) -> list[Row]:
    """A session of its own with the real supervisor for each kill; stops follow one another in one."""
    row = Row(fault.what)
    dice = random.Random(f"{SEED} {fault.what}")
    left = wanted
    while left:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name, StallWatch() as watch:
            folder = Path(name)
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
                inside = 1 if fault.names else left
                tries = _supervisor_tries(fault, process, folder, inside, dice)
            finally:
                _end(process, pids)
            if fault.names:
                tries = [_named(fault, one, folder / "session.mcap") for one in tries]
            part = Row(fault.what)
            examine(part, fault, tries, [(folder / "session.mcap", folder / "pulses.jsonl")])
            if part.wrong and watch.worst_s(begin_ns) >= STALL_S and row.repeated < ATTEMPTS:
                row.repeated += 1
                continue
            left -= inside
            _add(row, part)
            say(f"  {fault.what}: {wanted - left} tries, last pulse after {row.worst_ms or 0.0:.0f} ms")
    return [row]


def _supervisor_tries(
    fault: Fault, process: subprocess.Popen[str], folder: Path, wanted: int, dice: random.Random
) -> list[Try]:
    found = []
    for _ in range(wanted):
        time.sleep(dice.uniform(0.0, STRIDE_S))
        begin_ns = time.monotonic_ns()
        wrong = [] if process.poll() is None else ["ended before the fault"]
        if fault.names:
            process.kill()
            time.sleep(1.0)
            after = [pulse.t_ns for pulse in pulse_log(folder) if pulse.t_ns > begin_ns]
            last_ms = max(((t_ns - begin_ns) / 1e6 for t_ns in after), default=0.0)
            assert fault.deadline_ms is not None
            if last_ms > fault.deadline_ms + PERIOD_MS:
                wrong.append(f"a pulse {last_ms:.0f} ms after the fault")
            found.append(Try(begin_ns, last_ms, "-", tuple(wrong)))
            continue
        process.send_signal(STOP)
        time.sleep(HOLD_S)
        process.send_signal(CONT)
        time.sleep(GOES_ON_S / 2)
        pulses = pulse_log(folder)
        if not any(pulse.t_ns > time.monotonic_ns() - STRIDE_S * 1e9 for pulse in pulses):
            wrong.append("no pulse afterwards")
        found.append(Try(begin_ns, 0.0, "-", tuple(wrong)))
    return found


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


def _add(row: Row, part: Row) -> None:
    """Take the figures of another session with the same fault into ``row``."""
    row.tries += part.tries
    row.pulses += part.pulses
    row.unreadable += part.unreadable
    row.lost_s = max(row.lost_s, part.lost_s)
    row.deadline_ms = part.deadline_ms
    if part.worst_ms is not None:
        row.worst_ms = max(row.worst_ms or 0.0, part.worst_ms)
    row.named = dict(Counter(row.named) + Counter(part.named))
    row.wrong = dict(Counter(row.wrong) + Counter(part.wrong))


# --- the table ---


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| fault | tries | repeated | worst time to zero | deadline | recording lost | unreadable | named | "
        "broken |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        walks_on = row.deadline_ms is None
        named = ", ".join(f"{name} {count}" for name, count in sorted(row.named.items()))
        broken = "; ".join(f"{text} ({count})" for text, count in sorted(row.wrong.items())) or "-"
        lines.append(
            f"| {row.fault} | {row.tries} | {row.repeated} | "
            f"{'walks on' if walks_on else f'{row.worst_ms or 0.0:.1f} ms'} | "
            f"{'-' if walks_on else f'{row.deadline_ms:.0f} ms'} | {row.lost_s:.2f} s | {row.unreadable} | "
            f"{named} | {broken} |"
        )
    pulses, tries = sum(row.pulses for row in rows), sum(row.tries for row in rows)
    broken_rows = sum(bool(row.wrong) for row in rows)
    lines.append("")
    lines.append(f"{tries} tries, {pulses} pulses judged, {broken_rows} faults with a broken promise.")
    return "\n".join(lines)


def _load() -> dict[str, Row]:
    file = OUT / "chaos.json"
    if not file.exists():
        return {}
    rows = [Row(**raw) for raw in json.loads(file.read_text())]
    return {row.fault: row for row in rows}


def _save(rows: dict[str, Row]) -> list[Row]:
    ordered = [rows[name] for name in NAMES if name in rows]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "chaos.json").write_text(json.dumps([asdict(row) for row in ordered], indent=1))
    (OUT / "chaos.md").write_text(table(ordered) + "\n")
    return ordered


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
        print(table(list(_load().values())))
        return 0
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    words = sys.argv[2:]

    def say(text: str) -> None:
        print(text, flush=True)

    def asked(fault: Fault) -> bool:
        return not words or any(word in fault.what for word in words)

    rows = _load()
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
        _save(rows)
    say(table(made))
    say(f"{time.monotonic() - begin_s:.0f} s")
    return 1 if any(row.wrong for row in made) else 0


if __name__ == "__main__":
    sys.exit(main())
