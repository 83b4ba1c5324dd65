"""The screen from which a person armed, and the time since it was last heard (F26).

A screen is a browser on one device, known by a name it has drawn by lot. Its own page sends a beat once a
second, through the door that also takes STOP: a beat shows that STOP pressed there would have arrived.
Arming from the terminal has no screen; the supervisor's beats stand for it (F23).
"""

from __future__ import annotations

from typing import NamedTuple

from controller.safety.judgement.frame_check import MS

# A hidden page's timers run at 1 Hz, and a tablet changes its Wi-Fi station in some seconds: three beats in a
# row may be lost without a word. Five are worth a warning.
WARN_NS = 5_000 * MS
GONE_NS = (
    10_000 * MS
)  # some seven strides with nobody at STOP; twice the warning, so that somebody can take over


class Screen(NamedTuple):
    """``name`` as the browser gave it; ``warned`` since its last beat."""

    name: str
    beat_ns: int
    warned: bool = False


def beaten(now_ns: int, name: str, screen: Screen | None) -> Screen | None:
    """A beat of ``name``: it counts only where that screen armed or took over."""
    return Screen(name, now_ns) if screen is not None and screen.name == name else screen


def warning(now_ns: int, screen: Screen | None) -> str:
    """What to warn of, once for each silence; empty where there is nothing."""
    if screen is None or screen.warned or now_ns - screen.beat_ns <= WARN_NS:
        return ""
    left_s = (GONE_NS - WARN_NS) / 1e9
    return f"not heard for {WARN_NS / 1e9:g} s, {left_s:g} s are left to take over from another screen"


def gone(now_ns: int, screen: Screen | None) -> str:
    """Why the screen counts as gone; empty where it does not."""
    if screen is None or now_ns - screen.beat_ns <= GONE_NS:
        return ""
    return f"not heard for {GONE_NS / 1e9:g} s"
