"""The first moment of a rig's process: from here on it ends with the one that started it.

``python -m controller.runtime.child PARENT MODULE ARGUMENTS`` runs ``python -m MODULE ARGUMENTS``, unless
PARENT is gone already. What takes long to import is imported after that.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def command(module: str, *arguments: str) -> list[str]:
    """How this process starts ``python -m module arguments``."""
    return [sys.executable, "-m", "controller.runtime.child", str(os.getpid()), module, *arguments]


def main() -> None:
    parent, module = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel could be asked to tell
        raise SystemExit(f"{module}: the program that started it is gone")
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
