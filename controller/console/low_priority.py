"""``python -m controller.console.low_priority PROGRAM ARGUMENTS``: become it, behind everybody else.

It is gone with the process that started it. A program of its own, as a process with threads may do no such
thing between its fork and the new program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from controller.ipc.process import PR_SET_PDEATHSIG

BEHIND = 10  # the rig is real-time; at 19 one busy program beside would leave 1.5 % of a processor


def main() -> None:
    os.nice(BEHIND)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
