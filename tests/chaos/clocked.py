"""Runs a module with a wall clock that a test sets: ``python -m tests.chaos.clocked FILE MODULE ...``.

The machine's clock stays as it is, as other programs live by it: `time.time` and `time.time_ns` are patched
here, at the process' edge, and lead by the nanoseconds in FILE. Monotonic clocks are untouched.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

from tests.chaos import counted

OFFSET = struct.Struct("<q")


def set_clock(file: Path, offset_ns: int) -> None:
    """Move the wall clock of every process that runs with ``file``."""
    with file.open("r+b") as stream:
        stream.write(OFFSET.pack(offset_ns))


def make_clock(file: Path) -> None:
    file.write_bytes(OFFSET.pack(0))


def main() -> None:
    file, module, *arguments = sys.argv[1:]
    with Path(file).open("rb") as stream:
        memory = mmap.mmap(stream.fileno(), OFFSET.size, prot=mmap.PROT_READ)
    real_s, real_ns = time.time, time.time_ns
    time.time = lambda: real_s() + OFFSET.unpack_from(memory)[0] / 1e9
    time.time_ns = lambda: real_ns() + OFFSET.unpack_from(memory)[0]
    counted.tell_on_signal(Path(file).parent)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
