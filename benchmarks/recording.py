"""Recordings: what they cost while written and closed, what a death costs them, how fast they are read.

    python benchmarks/recording.py [--before CHECKOUT] [RECORDING]

Feeds the real recorder process with the messages of a walk, in real time: of RECORDING, or of a demo's walk
made first. With a checkout of an earlier commit it feeds that commit's recorder with the same messages, has
both read a walk of their own, and prints the ratios.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.core.signals import Applied, Decision, TickInputs, View
from controller.ipc import bus
from controller.record.reader import TAIL_SUFFIX, RawMessage, raw_messages
from controller.record.records import GuardVerdict, Tick, encode
from controller.record.session_writer import SEGMENT_S
from drivers.interface import ChannelCommand, Command, EmgFrame, ImuSample

KILLED_S = 15.0  # so long a recorder is fed before it is killed
HOUR_S = 3600.0
IMU, EMG, CHANNELS, EMG_FRAME = 8, 3, 8, 20  # sensors; samples of a frame: 50 frames a second and sensor
TICK_S = 0.005
LOAD_S = 10.0
HERE = Path(__file__).resolve().parents[1]
RECORDERS = ("controller.runtime.recorder", "controller.record.recorder")  # now, earlier
READERS = """
import resource, sys, time
from pathlib import Path
job, path, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
try:
    from controller.analysis.judge import judge_recording
    from controller.analysis.report.page import write_report
    from controller.analysis.export.export import export
except ImportError:
    from controller.record.oracle import judge_recording
    from controller.record.report import write_report
    from controller.record.export import export
from controller.record.replay import replay
jobs = {
    "judge": lambda: judge_recording(path, path.with_name("pulses.jsonl")),
    "replay": lambda: replay(path),
    "report": lambda: write_report(path, out / "r.html"),
    "export": lambda: export(path, "csv", out / "csv"),
}
begin = time.process_time()
jobs[job]()
print(time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one commit's recorder made of the same messages."""

    cpu_share: float
    lost: int
    written_mb_h: float  # on the disk after an hour, before the end
    closed_mb_h: float
    closing_s: float


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree)}


def demo(tree: Path, folder: Path) -> Path:
    """A walk of one arm by that commit's demo."""
    command = [sys.executable, "-m", "controller.cli", "demo", "--mode", "feedback", "--seconds", "20"]
    subprocess.run([*command, "--out", str(folder)], cwd=tree, env=environment(tree), check=False,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return folder / "session.mcap"


def start(tree: Path, rig: Path) -> tuple[subprocess.Popen[bytes], bus.Sender]:
    (rig / "header.json").write_text('{"session": "bench"}')
    module = next(name for name in RECORDERS if (tree / f"{name.replace('.', '/')}.py").exists())
    command = [sys.executable, "-m", module, "--rig", str(rig), "--out", str(rig / "session.mcap")]
    command += ["--header", str(rig / "header.json")]
    process = subprocess.Popen(command, cwd=tree, env=environment(tree))
    return process, bus.Sender(bus.connect(rig, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def feed(sender: bus.Sender, told: Sequence[RawMessage], seconds: float, speed: float = 1.0) -> int:
    """Sends the first seconds in real time, or faster; how many messages went out."""
    begin_s, begin_ns, sent = time.monotonic(), told[0].t_ns, 0
    for message in told:
        at_s = (message.t_ns - begin_ns) / 1e9
        if at_s > seconds:
            break
        time.sleep(max(0.0, begin_s + at_s / speed - time.monotonic()))
        packed = bus.pack_record(message.topic, message.t_ns, message.payload)
        while not sender.send(packed):
            time.sleep(0.001)
        sent += 1
    return sent


def on_disk(rig: Path) -> int:
    return sum(entry.stat().st_size for entry in rig.glob("session.mcap*"))


def recorder(tree: Path, told: Sequence[RawMessage]) -> Figures:
    """One run that is killed, one that is closed."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Path(folder)
        process, sender = start(tree, rig)
        before_s, begin_s = cpu_s(process.pid), time.monotonic()
        sent = feed(sender, told, KILLED_S)
        share = (cpu_s(process.pid) - before_s) / (time.monotonic() - begin_s)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        topics = {message.topic for message in told} - {"clock", "process"}
        kept = sum(message.topic in topics for message in raw_messages(rig / "session.mcap"))
        lost = sum(message.topic in topics for message in told[:sent]) - kept
        written = on_disk(rig) / KILLED_S
        packed = any(rig.glob(f"*{TAIL_SUFFIX}*"))
    with tempfile.TemporaryDirectory() as folder:
        rig = Path(folder)
        seconds = (told[-1].t_ns - told[0].t_ns) / 1e9
        process, sender = start(tree, rig)
        feed(sender, told, seconds, speed=4.0)
        sender.close(wait_s=5.0)
        begin_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait()
        closing_s = time.monotonic() - begin_s
        closed = on_disk(rig) / seconds
    if packed:  # of an hour all but the tails is as when it is closed
        raw = sum(len(message.payload) + 40 for message in told) / seconds
        written = closed + 2 * SEGMENT_S * raw / HOUR_S
    return Figures(share, lost, written * HOUR_S / 1e6, closed * HOUR_S / 1e6, closing_s)


def load(seconds: float) -> Iterator[RawMessage]:
    """What 8 inertial sensors of 100 Hz and 3 of 8 channels at 1 kHz leave: a tick at each arrival."""
    per_tick = IMU * 100 // 200
    view = View("feedback", 56.7, True, 3, 12.3, 98.7, 3.4, 5.6, 0.1, 0.2, 0.3, 0.4, 0.5, 7)
    channel = ChannelCommand(20.5, 300.0, 40.0)
    for seq in range(int(seconds / TICK_S) * (1 + per_tick)):
        number, arrival = divmod(seq, 1 + per_tick)
        now_ns = round(number * TICK_S * 1e9) + arrival * 900_000
        noise = (seq * 2654435761 % 2**32) / 2**32
        imu = () if arrival == 0 else (_sample(arrival, number, now_ns, noise),)
        emg = tuple(_frame(k, number, now_ns, noise) for k in range(EMG)) if seq % 20 == 0 else ()
        inputs = TickInputs(imu=imu, emg=emg, applied=(Applied(seq - 1, (channel,), "ok"),))
        decision = Decision(Command((channel,)), "swing", (), view)
        tick = Tick(now_ns, seq, number, 100 * noise, 300 + 100 * noise, inputs, decision)
        yield RawMessage("tick", now_ns, encode(tick))
        verdict = GuardVerdict(seq, now_ns, now_ns + 50_000, "active", "ok", "", (channel,))
        yield RawMessage("guard/verdict", now_ns, encode(verdict))


def _sample(place: int, number: int, now_ns: int, noise: float) -> ImuSample:
    sensor = f"imu{place + number % 2 * IMU // 2}"
    return ImuSample(sensor, now_ns - 5_000_000, now_ns, number, (noise, 9.81, -noise), (noise, 0.1, 0.2))


def _frame(place: int, number: int, now_ns: int, noise: float) -> EmgFrame:
    row = tuple(1e-5 * noise + 1e-7 * channel for channel in range(CHANNELS))
    return EmgFrame(f"emg{place}", now_ns, now_ns, number, 1000.0, (row,) * EMG_FRAME)


def load_share(tree: Path) -> float:
    """The recorder's share of a core at that load."""
    told = list(load(LOAD_S))
    with tempfile.TemporaryDirectory() as folder:
        process, sender = start(tree, Path(folder))
        before_s, begin_s = cpu_s(process.pid), time.monotonic()
        feed(sender, told, LOAD_S)
        time.sleep(1.0)  # the packing of it
        share = (cpu_s(process.pid) - before_s) / (time.monotonic() - begin_s)
        process.kill()
        process.wait()
    return share


def reading(tree: Path, recording: Path) -> dict[str, tuple[float, float]]:
    """CPU seconds and peak memory (MB) of each job."""
    found = {}
    for job in ("judge", "replay", "report", "export"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", READERS, job, str(recording), folder]
            done = subprocess.run(command, cwd=tree, env=environment(tree), check=True, capture_output=True)
        seconds, memory_mb = done.stdout.split()[-2:]
        found[job] = float(seconds), float(memory_mb)
    return found


def compared(name: str, unit: str, now: float, before: float | None) -> None:
    """``ratio`` is what was before for one of now: more is better."""
    line = f"{name}: {now:.3g} {unit}"
    print(line if before is None else f"{line}; before {before:.3g} {unit}; ratio {before / now:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--before-recording", type=Path, help="that commit's own walk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        walk = options.recording or demo(HERE, Path(made) / "now")
        told = list(raw_messages(walk))
        seconds = (told[-1].t_ns - told[0].t_ns) / 1e9
        print(f"a walk of {seconds:.1f} s, {len(told)} messages")
        now = recorder(HERE, told)
        was = recorder(options.before, told) if options.before else None
        print(f"killed: {now.lost} messages lost")
        for name, unit in (("written_mb_h", "MB"), ("closed_mb_h", "MB"), ("cpu_share", "cores")):
            compared(name, unit, getattr(now, name), getattr(was, name) if was else None)
        compared(f"closing after {seconds:.0f} s", "s", now.closing_s, was.closing_s if was else None)
        compared(
            "recorder with 8 IMU and 3 EMG", "cores", load_share(HERE),
            load_share(options.before) if options.before else None,
        )  # fmt: skip
        jobs = reading(HERE, walk)
        earlier: dict[str, tuple[float, float]] = {}
        if options.before:
            own = options.before_recording or demo(options.before, Path(made) / "before")
            first, *_, last = raw_messages(own)
            length_s = (last.t_ns - first.t_ns) / 1e9
            earlier = {k: (s * seconds / length_s, mb) for k, (s, mb) in reading(options.before, own).items()}
        for job, (used_s, memory_mb) in jobs.items():
            before = earlier.get(job)
            compared(f"{job}, CPU", "s", used_s, before[0] if before else None)
            compared(f"{job}, memory", "MB", memory_mb, before[1] if before else None)


if __name__ == "__main__":
    main()
