"""One feedback walk with the real supervisor, for faults of the supervisor itself.

``python -m tests.chaos.session FOLDER SECONDS``; 0 where it walked to its end, 1 where it tripped or failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from controller.runtime.process_group import ProcessFailedError
from controller.runtime.session_processes import Virtual
from controller.runtime.supervisor import Supervisor
from tests.chaos.rig import ARMS, chaos_session


def main() -> int:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    supervisor = Supervisor(chaos_session(), folder, Virtual(1, {}), lambda _progress: None)
    try:
        outcome = supervisor.run(ARMS, None, seconds)
    except ProcessFailedError as error:
        print(error)
        return 1
    print(outcome.trip or "")
    return 1 if outcome.trip is not None else 0


if __name__ == "__main__":
    sys.exit(main())
