"""Process chaos in real time: each fault at random moments, and the worst time to the last pulse.

``python -m tests.safety.chaos [TRIES]``: a real guard, a small controller, the emulated stimulator and
its pulse log. Prints one line a fault; ends with 1 where a deadline or a name was missed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.safety.faults import FAULTS
from tests.safety.test_process import PERIOD_MS, Rig, key

SEED = 4
QUIET_S = 0.25


@dataclass(frozen=True, slots=True)
class Chaos:
    """What is done, the fault that has to be named, and how long pulses may go on."""

    what: str
    do: Callable[[Rig, subprocess.Popen[bytes]], object]
    fault: str
    pulses_ms: float
    tries: int = 1000  # no more than this: what cannot be repaired in a running rig


def lose_recorder(rig: Rig, _: subprocess.Popen[bytes]) -> None:
    rig.listen()
    if rig.recorder is not None:
        rig.recorder.close()
        rig.recorder = None


def press(rig: Rig, _: subprocess.Popen[bytes]) -> None:
    os.write(rig.button, key(1))


# A pulse due at the moment of the fault may still leave within one period; then the reaction's own deadline.
CHAOS = (
    Chaos("controller killed", lambda _, c: c.send_signal(signal.SIGKILL), "F3", 10.0),
    Chaos("controller stopped", lambda _, c: c.send_signal(signal.SIGSTOP), "F4", 60.0),
    Chaos("sensor silent", lambda _, c: c.send_signal(signal.SIGUSR1), "F1", 170.0),
    Chaos("recorder gone", lose_recorder, "F12", 10.0),
    Chaos("STOP by message", lambda rig, _: rig.operator.send(b'{"op":"stop"}'), "F11", 100.0),
    Chaos("STOP by button", press, "F11", 100.0),
    Chaos("STOP by signal", lambda rig, _: rig.guard.send_signal(signal.SIGINT), "F11", 100.0),
    Chaos("stimulator killed", lambda rig, _: rig.p24.send_signal(signal.SIGKILL), "F19", 10.0, tries=1),
)


def try_once(rig: Rig, chaos: Chaos, dice: random.Random) -> tuple[float, float, str]:
    """Time to the last pulse, time to the trip (ms), and its name."""
    (rig.rig / "go").unlink(missing_ok=True)
    controller = rig.controller()
    if rig.ask("state")["state"] == "tripped":
        rig.ask("acknowledge")
    rig.arm()
    time.sleep(dice.uniform(0.0, 0.5))
    known = len(rig.records)
    begin_ns = time.monotonic_ns()
    chaos.do(rig, controller)
    rig.until(lambda: rig.ask("state")["state"] == "tripped")
    answer = rig.ask("state")
    time.sleep(QUIET_S)
    last_ns = rig.pulses()[-1]["t_ns"]
    rig.listen()
    trips = [t_ns for _, t_ns, data in rig.records[known:] if data.get("kind") in ("trip", "stop")]
    controller.kill()
    controller.wait()
    trip_ms = (trips[0] - begin_ns) / 1e6 if trips else float("nan")
    return max(0.0, (last_ns - begin_ns) / 1e6), trip_ms, str(answer["fault"])


def main() -> int:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    dice = random.Random(SEED)
    missed = 0
    print("fault               tries  last pulse, worst  allowed     trip, worst  named")
    for chaos in CHAOS:
        with tempfile.TemporaryDirectory() as name:
            rig = Rig(Path(name))
            try:
                got = [try_once(rig, chaos, dice) for _ in range(min(tries, chaos.tries))]
            finally:
                rig.close()
        last_ms, trip_ms = max(one[0] for one in got), max(one[1] for one in got)
        names = {one[2] for one in got}
        allowed_ms = chaos.pulses_ms + PERIOD_MS
        kept = last_ms <= allowed_ms and names == {chaos.fault}
        missed += not kept
        print(
            f"{chaos.what:20}{len(got):5}{last_ms:15.1f} ms{allowed_ms:9.0f} ms{trip_ms:11.1f} ms  "
            f"{'/'.join(sorted(names))} {FAULTS[chaos.fault].happened}{'' if kept else '  MISSED'}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
