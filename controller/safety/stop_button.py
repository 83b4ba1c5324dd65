"""A STOP button on USB that types a key, read from the kernel's event device by the guard itself.

Any key of the chosen device is STOP, whatever it types. A button that has gone is reported as gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

EVENT = struct.Struct("@llHHi")  # struct input_event, linux/input.h: time, type, code, value
EV_KEY = 0x01
PRESSED = 1  # 0 released, 2 repeated
EVIOCGRAB = 0x40044590  # the key is STOP and does not type as well


class StopButton:
    """Never waits. Raises OSError at the start where the device cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # only an event device can be grabbed
            fcntl.ioctl(self._fd, EVIOCGRAB, 1)

    def fileno(self) -> int:
        return self._fd

    def pressed(self) -> bool | None:
        """Whether a key was pressed since the last call; ``None`` when the button has gone."""
        try:
            data = os.read(self._fd, 64 * EVENT.size)
        except BlockingIOError:
            return False
        except OSError:
            return None
        if not data:
            return None
        whole = len(data) - len(data) % EVENT.size
        return any(
            kind == EV_KEY and value == PRESSED for _, _, kind, _, value in EVENT.iter_unpack(data[:whole])
        )

    def close(self) -> None:
        os.close(self._fd)
