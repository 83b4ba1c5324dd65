"""One feedback walk of the demo's session with the chaos world in place of the demo's.

``python -m tests.chaos.session FOLDER SECONDS``; ends as `dorsi demo` does: 0 done, 1 failed, 130 stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path

from controller.config import load_session
from controller.demo import DEMO_SESSION
from controller.runtime.rig import ProcessFailedError, Rig
from controller.runtime.supervisor import ArmPlan, Supervisor, Virtual


class _OtherWorld(Rig):
    """The same rig; only the world comes from another module."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.path = rig.path

    def start(self, name: str, module: str, *arguments: str) -> None:
        self._rig.start(name, "tests.chaos.world" if name == "world" else module, *arguments)

    def word(self, name: str, timeout_s: float) -> dict[str, object]:
        return self._rig.word(name, timeout_s)


class ChaosSupervisor(Supervisor):
    def _start_world(self, rig: Rig) -> tuple[str | None, str]:
        return super()._start_world(_OtherWorld(rig))


def main() -> int:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    supervisor = ChaosSupervisor(load_session(DEMO_SESSION), folder, Virtual(1, {}), lambda _progress: None)
    try:
        outcome = supervisor.run([ArmPlan("feedback", seconds, 1)], None)
    except ProcessFailedError as error:
        print(error)
        return 1
    if outcome.trip is not None:
        print(outcome.trip)
        return 1
    return 0 if outcome.stopped_by is None else 130


if __name__ == "__main__":
    sys.exit(main())
