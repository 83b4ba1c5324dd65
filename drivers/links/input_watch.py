"""Waits for a terminal's input in a thread of its own, so that a real-time loop never does.

Linux hands a terminal's input on by a kernel worker of ordinary priority. Who asks a terminal that has none,
by ``poll`` or ``read``, waits for that worker if it has something to do, whatever the asker's own priority
and though nothing was to block: with other programs at work a process of SCHED_FIFO stood still for 35 ms
(measured 2026-11-30, Linux 6.18, a pseudo-terminal; wait channel ``__flush_work``).
"""

from __future__ import annotations

import os
import select
import threading


class InputWatch:
    """``fileno()`` is readable while there is input, or the line has gone; read it, then call ``taken()``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ended = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._again = threading.Event()
        self._ready = False
        self._thread = threading.Thread(target=self._work, name="input", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return self._ready

    def fileno(self) -> int:
        return self._told

    def taken(self) -> None:
        """What was there has been read: look for more."""
        self._ready = False
        os.eventfd_read(self._told)
        self._again.set()

    def close(self) -> None:
        """Ends the thread; the watched file is no longer used after it."""
        os.eventfd_write(self._ended, 1)
        self._again.set()
        self._thread.join()
        os.close(self._told)
        os.close(self._ended)

    def _work(self) -> None:
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.register(self._ended, select.POLLIN)
        while self._ended not in {fd for fd, _ in poller.poll()}:
            os.eventfd_write(self._told, 1)
            self._ready = True  # after it: who sees this finds it told
            self._again.wait()
            self._again.clear()
