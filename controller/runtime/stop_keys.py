"""STOP from the terminal a session was started from: its keys and its signals."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence

STOP_KEYS = b" \x1b"  # space, escape
UNLOCK_KEYS = b"uU"
ACKNOWLEDGE_KEYS = b"aA"  # of what the session before left (F16); any other trip ends the session
SIGNALS: Mapping[int, str] = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTSTP: "Ctrl-Z",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the end of its terminal",
}
END = signal.SIGUSR1  # the session's planned end: as at the end of its schedule, and no STOP


@contextlib.contextmanager
def keyboard() -> Iterator[int | None]:
    """The keyboard, key by key, where there is one."""
    if not sys.stdin.isatty():
        yield None
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield terminal
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def stop_signals(halt: Callable[[str], None], end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, Ctrl-Z and SIGTERM are STOP: told to the guard from the signal handler itself.

    Ctrl-Z would leave a rig that nobody hears, and the guard a second to find out (F23). Of the signals
    that whoever started this has had ignored, SIGHUP alone stays so (nohup): a script's ``&`` has Ctrl-C
    ignored. END comes from who started it, once; one that comes late ends nothing.
    """

    def on_signal(number: int, _frame: object) -> None:
        halt(SIGNALS[number])
        if number == signal.SIGHUP:
            _let_go(terminal)

    terminal = [stream for stream in (0, 1, 2) if os.isatty(stream)]
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    obeyed = [number for number in SIGNALS if number != signal.SIGHUP or not ignored]
    before = {number: signal.signal(number, on_signal) for number in obeyed}
    signal.signal(END, lambda *_: end())
    try:
        yield
    finally:
        signal.signal(END, signal.SIG_IGN)
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # a terminal that was let go
                signal.signal(number, handler)


def _let_go(terminal: Sequence[int]) -> None:
    """What is left to say goes nowhere and stops nothing: the session is closed, judged and reported."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a shell repeats it
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in terminal:
        os.dup2(nowhere, stream)
    os.close(nowhere)
