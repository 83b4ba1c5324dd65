"""What emulated stimulators share: a pseudo-terminal with a host that comes and goes, answers, a pulse log.

Shares only the packet frames with the driver; what is in them each peer reads on its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import struct
import termios
import time
import tty
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path

from drivers.stimulators.framing import Frame, FrameSplitter

PulsePoints = list[tuple[int, float]]
OnPulse = Callable[[int, int, PulsePoints], None]

READ_BYTES = 4096
TIOCGEXCL = 0x80045440  # whether a terminal is in exclusive use; Python has no name for it


class SerialPeer(ABC):
    """One device. ``service()`` does all its work: call it when ``fileno()`` is readable.

    Where it pulses by itself, ``service()`` gives every pulse that has come due since its last call, stamped
    with its due time, so call it at least as often as the log is looked at. ``on_pulse`` gets
    (CLOCK_MONOTONIC ns, channel from 0, [(time_us, current_ma), ...]).

    Faults to plant: ``mute`` (works but does not answer), ``answer_after_ns`` (works, and answers with the
    first ``service()`` after that time), ``let_in`` (a second program may open the port beside the host, as
    root may), ``vanish()``.
    """

    def __init__(
        self,
        splitter: FrameSplitter,
        pulse_log: Path | None = None,
        on_pulse: OnPulse | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.mute = False
        self.answer_after_ns = 0
        self.let_in = False
        self.pulses_given = 0
        self._on_pulse = on_pulse
        self._clock = clock
        self._log = pulse_log.open("a", buffering=1, encoding="utf-8") if pulse_log else None
        self._master, self._slave = os.openpty()  # the slave stays open here: a host may come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._closed = False
        self._answers: deque[tuple[int, bytes]] = deque()  # when each may leave
        self._splitter = splitter

    @property
    @abstractmethod
    def running_by_itself(self) -> bool:
        """Whether pulses come due without a command."""

    @abstractmethod
    def _obey(self, frame: Frame) -> None: ...

    @abstractmethod
    def _hear_broken(self) -> None:
        """A packet arrived damaged."""

    @abstractmethod
    def _pass_time(self, now_ns: int) -> None:
        """What happens by itself until now."""

    def fileno(self) -> int:
        return self._master

    def service(self) -> None:
        """Reads what is there, obeys, answers; gives the pulses that are due. Does nothing once closed."""
        self.tend()
        chunk = bytes(READ_BYTES)
        while len(chunk) == READ_BYTES and not self._closed:
            try:
                chunk = os.read(self._master, READ_BYTES)
            except BlockingIOError:
                return
            bad_before = self._splitter.bad_frames
            frames = self._splitter.feed(chunk)
            if self._splitter.bad_frames != bad_before:
                self._hear_broken()
            for frame in frames:
                self._obey(frame)
            self._answer_due()

    def tend(self) -> None:
        """The same without reading."""
        if self._closed:
            return
        self._pass_time(self._clock())
        self._forget_host()
        self._answer_due()

    def _forget_host(self) -> None:
        """A port forgets a host that was killed; this one's end stays open, and with it exclusive use.

        A host takes the lock before exclusive use and gives it back after: without the lock nobody is there.
        """
        (exclusive,) = struct.unpack("i", fcntl.ioctl(self._slave, TIOCGEXCL, bytes(4)))
        if not exclusive:
            return
        if not self.let_in:
            try:
                fcntl.flock(self._slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(self._slave, fcntl.LOCK_UN)
        fcntl.ioctl(self._slave, termios.TIOCNXCL)

    def vanish(self) -> None:
        """The cable is pulled: the line hangs up at the host's end."""
        self.close()

    def close(self) -> None:
        """Idempotent."""
        if self._closed:
            return
        self._closed = True
        os.close(self._master)
        os.close(self._slave)
        if self._log is not None:
            self._log.close()

    def _say(self, packet: bytes) -> None:
        if not self.mute:
            self._answers.append((self._clock() + self.answer_after_ns, packet))

    def _answer_due(self) -> None:
        while self._answers and self._answers[0][0] <= self._clock():
            # A host that does not read loses answers, as with a full USB buffer.
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, self._answers.popleft()[1])

    def _give(self, t_ns: int, channel: int, points: PulsePoints, packet_number: int) -> None:
        self.pulses_given += 1
        if self._log is not None:
            pulse = {"t_ns": t_ns, "channel": channel, "points": points, "packet": packet_number}
            self._log.write(json.dumps(pulse) + "\n")
        if self._on_pulse is not None:
            self._on_pulse(t_ns, channel, points)


# --- as a process of its own ---


def _link(port: str, path: Path) -> None:
    """A stable name for the port; replaces an older link, never a file."""
    if path.exists() and not path.is_symlink():
        raise SystemExit(f"{path} exists and is not a link: remove it or choose another --link")
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.symlink_to(port)
    fresh.replace(path)


async def _serve(device: SerialPeer) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_reader(device.fileno(), device.service)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.005 if device.running_by_itself else 0.1):
                await ended.wait()
        device.service()
    loop.remove_reader(device.fileno())


def arguments_of(description: str) -> argparse.ArgumentParser:
    """What every emulated stimulator takes on its command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--pulse-log", type=Path, help="file to which each pulse given is added as a JSON line"
    )
    parser.add_argument("--link", type=Path, help="stable name for the port: a link to it is made here")
    parser.add_argument(
        "--let-in", action="store_true", help="a second program may open the port, as root may"
    )
    parser.add_argument("--loose", type=int, action="append", default=[], help="channel of a loose electrode")
    return parser


def serve(device: SerialPeer, process_name: str, link: Path | None) -> None:
    """Prints the port, serves until told to end, closes."""
    from setproctitle import setproctitle

    setproctitle(process_name)
    try:
        if link is not None:
            _link(device.port, link)
        print(device.port, flush=True)
        asyncio.run(_serve(device))
    finally:
        if link is not None and link.is_symlink() and str(link.readlink()) == device.port:
            link.unlink()
        device.close()
