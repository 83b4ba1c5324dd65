"""Whether a packet's number, which wraps, fits the time since the one before: a flipped bit does not.

Pure: arrival times are arguments. A number too far ahead of its time is doubted; the next one that follows it
shows that much was lost, else it cost one packet.
"""

from __future__ import annotations

# Packets held up by the radio come at once, but one after the other: a number that is further on by this much
# than the time since the one before may be wrong.
AHEAD_MAX_NS = 100_000_000
CONFIRMED_WITHIN_NS = 200_000_000  # a second packet this far behind a doubted one, or less, confirms it
OUT_OF_ORDER = "packet repeated, gone back or far ahead of its time"


class PacketOrder:
    """Judges places in a cycle of ``cycle`` samples, ``sample_ns`` apart."""

    def __init__(self, *, cycle: int, sample_ns: int) -> None:
        self._cycle = cycle
        self._sample_ns = sample_ns
        self._taken: tuple[int, int] | None = None  # place and arrival of the last packet that fitted
        self._doubted: int | None = None

    def fits(self, place: int, samples: int, arrival_ns: int) -> bool:
        """Whether the packet of so many samples, the last at ``place``, may be taken."""
        doubted, self._doubted = self._doubted, None
        if self._taken is not None:
            step_ns = self._step_ns(self._taken[0], place)
            if step_ns < samples * self._sample_ns:  # they would overlap
                return False
            ahead_ns = step_ns - (arrival_ns - self._taken[1])
            confirmed = doubted is not None and self._step_ns(doubted, place) <= CONFIRMED_WITHIN_NS
            if ahead_ns > AHEAD_MAX_NS and not confirmed:
                self._doubted = place
                return False
        self._taken = (place, arrival_ns)
        return True

    def _step_ns(self, before: int, after: int) -> int:
        return ((after - before - 1) % self._cycle + 1) * self._sample_ns
