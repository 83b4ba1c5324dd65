"""The closed loop in virtual time against the same loop at an earlier commit, turn about in one run.

Prints the processor time of a tick (core, body, sensors, link) as a ratio to commit ``BEFORE``: the walk of a
study, which keeps pulses and strides, and the rehearsal, which keeps all. A checkout without that commit
says so. Usage: loop.py [seconds walked] [rounds].
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
BEFORE = "62d540c"
SECONDS, ROUNDS = 60, 3
MODES = ("off", "trapezoid", "feedback", "learning")
BODY = """
import json, sys, time
from pathlib import Path
from models.cohort import cohort_patient
from models.patient import VirtualPatient
try:
    from controller.config.core_params import core_params
    from controller.config.session import load_session
    from controller.simulation.closed_loop import Rehearsal, TICK_S
    from controller.simulation.walk import Walk
except ImportError: # as it was named then
    from controller.config import core_params, load_session
    from controller.rehearsal import Rehearsal, TICK_S
    Walk = None
seconds, session, mode = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
member = cohort_patient(3, 2)
params = core_params(load_session(session), mode)
def patient():
    return VirtualPatient(member.params, member.seed, member.schedule(1e4))
def rehearsed(until_s):
    loop = Rehearsal(params, patient())
    begun = time.process_time()
    loop.walk(until_s)
    return loop, time.process_time() - begun
def walked(until_s):
    loop = Walk(params, patient())
    begun = time.process_time()
    while loop.ticks * TICK_S < until_s:
        loop.piece()
    return loop, time.process_time() - begun
told = {}
for name, walk in (("rehearsal", rehearsed), ("walk", walked if Walk else rehearsed)):
    walk(2.0)
    loop, spent_s = walk(seconds)
    told[name] = 1e6 * spent_s / loop.ticks, len(loop.pulses)
print(json.dumps(told))
"""


def measured(tree: Path, seconds: float, mode: str) -> dict[str, tuple[float, int]]:
    """Microseconds a tick and pulses, of the rehearsal and of the walk, in a process of that tree."""
    session = tree / "configs" / "sessions" / "demo.toml"
    words = [sys.executable, "-c", BODY, str(seconds), str(session), mode]
    done = subprocess.run(words, cwd=tree, env=_path(tree), capture_output=True, text=True, check=True)
    told: dict[str, tuple[float, int]] = json.loads(done.stdout)
    return told


def _path(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    packed = subprocess.run(["git", "-C", str(HERE), "archive", BEFORE], capture_output=True, check=False)
    if packed.returncode:
        print(f"commit {BEFORE} is not in this checkout: nothing to compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        print(f"processor time of a tick, {seconds:g} s of life, least of {rounds} rounds, turn about")
        for mode in MODES:
            before, now, kept = [], [], []
            for _ in range(rounds):
                before.append(measured(Path(folder), seconds, mode)["rehearsal"])
                told = measured(HERE, seconds, mode)
                now.append(told["walk"])
                kept.append(told["rehearsal"])
            least = [min(us for us, _ in each) for each in (before, now, kept)]
            print(
                f"{mode:9} at {BEFORE} {least[0]:6.1f} us; walk of a study {least[1]:6.1f} us, "
                f"{least[0] / least[1]:.2f} times faster; rehearsal {least[2]:6.1f} us, "
                f"{least[0] / least[2]:.2f} times; {1e6 / 200 / least[1]:.0f} times real time",
                flush=True,
            )


if __name__ == "__main__":
    main()
