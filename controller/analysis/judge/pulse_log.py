"""The stimulator's own pulse log against what the guard recorded: what was given, when, and what never was.

Plain figures in ms and pulses; whether they keep a promise says the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from controller.errors import InputError
from controller.untrusted import read_json

# A device answers in order, and the 64 packet numbers come round in 640 ms at the fastest (two channels at
# 50 Hz): of those recorded before it, the newest with its number is the one that was given. In a line that
# stalls nothing follows a pulse, so it may be given long after its writing.
LATE_MAX_NS = 10_000_000_000
EARLY_NS = 20_000_000  # the guard stamps after its writing: it may have been held up in between


@dataclass(frozen=True, slots=True)
class LoggedPulse:
    """One line of the stimulator's own pulse log; ``points`` are (time_us, current_ma)."""

    t_ns: int
    channel: int
    points: tuple[tuple[float, float], ...]
    packet: int

    @property
    def phases(self) -> tuple[tuple[float, float], ...]:
        """The points with current."""
        return tuple(point for point in self.points if point[1])

    @property
    def alternates(self) -> bool:
        """Whether a positive phase and a negative one follow each other, from the first to the last."""
        signs = [current_ma > 0.0 for _, current_ma in self.phases]
        return signs == [True, False] * (len(signs) // 2)


@dataclass(frozen=True, slots=True)
class SentPulse:
    """A pulse as the guard recorded it, for the device's ``output``."""

    t_ns: int
    output: int
    packet: int
    width_us: float
    current_ma: float
    cycles: int = 1

    @property
    def positive(self) -> tuple[tuple[float, float], ...]:
        """What its positive phases are in the device's log."""
        return ((self.width_us, self.current_ma),) * self.cycles


def read_pulse_log(path: Path) -> list[LoggedPulse]:
    """The pulse log of an emulated stimulator. A cut last line is the end; raises InputError on any other."""
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            raise InputError(str(path), "pulse log", "no file", "a readable file")
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start}", "bytes that are no text", "a pulse log") from None
    except OSError as error:
        raise InputError(str(path), "pulse log", error.strerror, "a readable file") from error
    pulses = []
    for number, line in enumerate(lines[:-1], 1):  # after the last line feed nothing, or a cut line
        try:
            raw: Any = read_json(line)  # Any: JSON
            points = tuple((float(time_us), float(current_ma)) for time_us, current_ma in raw["points"])
            pulses.append(LoggedPulse(int(raw["t_ns"]), int(raw["channel"]), points, int(raw["packet"])))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise InputError(str(path), f"line {number}", line[:80], "a pulse") from error
    return pulses


def deliveries(sent: Sequence[SentPulse], logged: Iterable[LoggedPulse]) -> list[int | None]:
    """For each logged pulse the place in ``sent`` of the one it was, ``None`` where it is not there.

    Both in the order of their times.
    """
    places: list[int | None] = []
    position = 0
    for one in logged:
        place, index = None, position
        while index < len(sent) and sent[index].t_ns - EARLY_NS <= one.t_ns:
            pulse = sent[index]
            if (pulse.output, pulse.packet) == (one.channel, one.packet) and (
                one.t_ns - pulse.t_ns <= LATE_MAX_NS
            ):
                place = index
            index += 1
        position = position if place is None else place + 1
        places.append(place)
    return places


def lost_in_between(
    sent: Sequence[SentPulse], places: Iterable[int | None], ends_ns: Sequence[int]
) -> list[SentPulse]:
    """Pulses that were not given, save the last of an output before an end: that one was on its way."""
    given = {place for place in places if place is not None}
    following_ns: dict[int, float] = {}
    lost = []
    for index in range(len(sent) - 1, -1, -1):
        pulse = sent[index]
        next_ns = following_ns.get(pulse.output)
        following_ns[pulse.output] = pulse.t_ns
        if index in given or next_ns is None:
            continue
        if not any(pulse.t_ns - EARLY_NS <= end_ns <= next_ns for end_ns in ends_ns):
            lost.append(pulse)
    return lost[::-1]


def distances_ms(logged: Iterable[LoggedPulse]) -> list[float]:
    """Between successive pulses of each channel, as the device gave them."""
    last_ns: dict[int, int] = {}
    found = []
    for one in logged:
        if one.channel in last_ns:
            found.append((one.t_ns - last_ns[one.channel]) / 1e6)
        last_ns[one.channel] = one.t_ns
    return found


def after_ms(logged: Iterable[LoggedPulse], end_ns: int, again_ns: float) -> list[tuple[int, float]]:
    """Channel and time of the pulses given after ``end_ns``, until a person arms again at ``again_ns``."""
    return [(one.channel, (one.t_ns - end_ns) / 1e6) for one in logged if end_ns < one.t_ns < again_ns]


def repeated(channels: Iterable[int]) -> list[int]:
    """The channels that occur more than once."""
    ordered = sorted(channels)
    return sorted({after for before, after in pairwise(ordered) if before == after})
