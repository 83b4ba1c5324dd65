"""The guard's verdicts of hours in little space: what varies in arrays, what repeats once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from controller.record.records import GuardVerdict, Pulse
from drivers.interface import ChannelCommand


class _Said(NamedTuple):
    state: str
    verdict: str
    reason: str
    channels: tuple[ChannelCommand | None, ...]
    purpose: str
    scope: str
    left_out: tuple[int, ...]


class Verdict(NamedTuple):
    """As :class:`controller.record.records.GuardVerdict`, without what no finding needs."""

    frame_seq: int
    t_ns: int
    received_ns: int
    pulses: tuple[Pulse, ...]
    state: str
    verdict: str
    reason: str
    channels: tuple[ChannelCommand | None, ...]
    purpose: str
    scope: str
    left_out: tuple[int, ...]


class Verdicts:
    """Verdicts in the order they were recorded."""

    def __init__(self) -> None:
        self._times = array("q")  # of each: frame_seq, t_ns, received_ns
        self._said_of = array("L")
        self._said: list[_Said] = []
        self._known: dict[_Said, int] = {}
        self._pulses: dict[int, tuple[Pulse, ...]] = {}  # of the few that gave any

    def append(self, given: GuardVerdict) -> None:
        said = _Said(
            given.state, given.verdict, given.reason, given.channels, given.purpose, given.scope,
            given.left_out,
        )  # fmt: skip
        place = self._known.setdefault(said, len(self._said))
        if place == len(self._said):
            self._said.append(said)
        if given.pulses:
            self._pulses[len(self._said_of)] = given.pulses
        self._said_of.append(place)
        self._times.extend((given.frame_seq, given.t_ns, given.received_ns))

    def __len__(self) -> int:
        return len(self._said_of)

    def __iter__(self) -> Iterator[Verdict]:
        times = iter(self._times)
        for place, (said, seq, t_ns, received_ns) in enumerate(
            zip(self._said_of, times, times, times, strict=True)
        ):
            yield Verdict(seq, t_ns, received_ns, self._pulses.get(place, ()), *self._said[said])

    def pulsing(self) -> Iterator[Verdict]:
        """Those that gave pulses."""
        for place, pulses in self._pulses.items():
            seq, t_ns, received_ns = self._times[3 * place : 3 * place + 3]
            yield Verdict(seq, t_ns, received_ns, pulses, *self._said[self._said_of[place]])

    @property
    def first_ns(self) -> int:
        """When the first one's frame was received."""
        return self._times[2]

    @property
    def last_ns(self) -> int:
        return self._times[-1]


class Numbers:
    """Many whole numbers, of which most follow on each other: as ranges."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}  # of each range: its begin, its last
        self._begin = self._last = -2

    def add(self, number: int) -> None:
        if number != self._last + 1:
            self._begin = number
        self._last = number
        self._ends[self._begin] = max(number, self._ends.get(self._begin, number))

    def add_range(self, first: int, last: int) -> None:
        """All from ``first`` to ``last``."""
        self.add(first)
        self._last = last
        self._ends[self._begin] = max(last, self._ends[self._begin])

    def __contains__(self, number: int) -> bool:
        return any(begin <= number <= last for begin, last in self._ends.items())
