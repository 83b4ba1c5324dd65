"""How long current may be on before a rest, and how long the rest: for a bout and for a session.

A rest shorter than the pause ends nothing: on-time goes on counting where it stood, whatever is restarted.
Refuses a kept past that it cannot read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from controller.safety.judgement.arming_refusals import Refusal
from controller.safety.judgement.limits import Effective

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """Which limits rule it: ``most`` on-time, then a rest of ``pause``."""

    name: Literal["bout", "session"]
    most: str
    pause: str


SPANS = (
    Span("bout", "bout_max_s", "pause_min_s"),
    Span("session", "session_max_s", "session_pause_min_s"),
)


@dataclass(frozen=True, slots=True)
class Clock:
    """On-time since the last full pause; on since ``on_ns`` (not in it yet) or off since ``off_ns``."""

    used_ns: int = 0
    on_ns: int | None = None
    off_ns: int | None = None


Clocks = tuple[Clock, ...]
FRESH: Clocks = (Clock(),) * len(SPANS)


def used_s(now_ns: int, clock: Clock) -> float:
    """On-time since the last full pause."""
    return (clock.used_ns + (0 if clock.on_ns is None else now_ns - clock.on_ns)) / SECOND_NS


def switched_on(now_ns: int, clocks: Clocks, effective: Effective) -> Clocks:
    """The clocks from now on; a full pause behind them begins a new bout or session."""
    return tuple(
        Clock(clock.used_ns if _left_s(now_ns, clock, span, effective) > 0.0 else 0, on_ns=now_ns)
        for span, clock in zip(SPANS, clocks, strict=True)
    )


def switched_off(now_ns: int, clocks: Clocks) -> Clocks:
    return tuple(Clock(round(used_s(now_ns, clock) * SECOND_NS), off_ns=now_ns) for clock in clocks)


def spent(now_ns: int, clocks: Clocks, effective: Effective) -> str:
    """The limit that on-time has gone past, with who set it; empty where none."""
    for span, clock in zip(SPANS, clocks, strict=True):
        if used_s(now_ns, clock) > getattr(effective.limits, span.most):
            return effective.named(span.most)
    return ""


def objections(now_ns: int, clocks: Clocks, effective: Effective) -> tuple[Refusal, ...]:
    """Why it is too early to arm, and how long the rest lasts; empty where it is not."""
    found = []
    for span, clock in zip(SPANS, clocks, strict=True):
        left_s = _left_s(now_ns, clock, span, effective)
        if used_s(now_ns, clock) >= getattr(effective.limits, span.most) and left_s > 0.0:
            rest = f"rest for another {_words(left_s)}, {effective.named(span.pause)}"
            text = f"{span.name} is over: {effective.named(span.most)}; {rest}"
            found.append(Refusal(span.name, text, left_s=left_s))
    return tuple(found)


def _left_s(now_ns: int, clock: Clock, span: Span, effective: Effective) -> float:
    """What is missing of the pause."""
    rested_s = 0.0 if clock.off_ns is None else (now_ns - clock.off_ns) / SECOND_NS
    return max(0.0, float(getattr(effective.limits, span.pause)) - rested_s)


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"


# What outlives the guard. Its times are of CLOCK_BOOTTIME, so no clock that a person can set decides.


def kept(now_ns: int, boot_ns: int, boot: str, clocks: Clocks) -> dict[str, object]:
    """The clocks as JSON; ``boot`` names this run of the computer. What is on counts as off from now."""
    return {
        "boot": boot,
        "spans": {
            span.name: {
                "used_ns": round(used_s(now_ns, clock) * SECOND_NS),
                "off_ns": boot_ns - (now_ns - clock.off_ns if clock.off_ns is not None else 0),
            }
            for span, clock in zip(SPANS, clocks, strict=True)
            if clock != Clock()
        },
    }


def restored(found: object, now_ns: int, boot_ns: int, boot: str) -> Clocks:
    """The clocks from :func:`kept`. Where the computer was restarted, only the rest after that counts.

    Raises ValueError on anything else.
    """
    if not isinstance(found, Mapping) or not isinstance(found.get("spans"), Mapping):
        raise ValueError("no on-times in it")
    clocks = []
    for span in SPANS:
        one = found["spans"].get(span.name)
        if one is None:
            clocks.append(Clock())
            continue
        times = [one.get(name) if isinstance(one, Mapping) else None for name in ("used_ns", "off_ns")]
        used_ns, off_ns = times
        if type(used_ns) is not int or type(off_ns) is not int or used_ns < 0:
            raise ValueError(f"{span.name}: {one!r}")
        rested_ns = boot_ns - off_ns if found.get("boot") == boot else boot_ns
        clocks.append(Clock(used_ns, off_ns=now_ns - max(0, rested_ns)))
    return tuple(clocks)
