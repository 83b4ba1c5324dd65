"""Electrodes that are loose, or plugged in at the wrong muscle, told in words.

Loose: the mains rules what is left after cleaning. Wrong muscle: in walking tibialis anterior works in swing
and gastrocnemius in stance (Perry 1992); under stimulation the muscle under the pads answers loudest.
"""

from __future__ import annotations

from collections import deque

MAINS_SHARE_MAX = 0.5  # of the power that is left; the person's own activity has a few per cent there
MAINS_MAX_V = 100e-6  # amplitude beside a muscle of some 5 uV at rest (assumed)
MAINS_BATCHES = 5  # of the canceller's, 0.1 s at 1 kHz
LOOSE = "electrode loose or off: mains rules the signal"
STRIDES_NEEDED = 5
SWAPPED_OVER = 1.3  # times as active in the other's phase as in its own
ANSWERS_NEEDED = 10


class MainsShare:
    """Share of the mains in what is left, over the last tenth of a second."""

    def __init__(self) -> None:
        self._batches: deque[tuple[complex, float, int]] = deque(maxlen=MAINS_BATCHES)
        self.share = 0.0

    def take(self, at_mains: complex, power: float, samples: int) -> None:
        """Sum of samples turned back by the mains' phase, sum of their squares, their number."""
        self._batches.append((at_mains, power, samples))
        total = sum([power for _, power, _ in self._batches])
        if len(self._batches) == MAINS_BATCHES and total > 0.0:
            line = abs(sum([one for one, _, _ in self._batches]))
            self.share = 2.0 * line * line / (sum([count for _, _, count in self._batches]) * total)


class SwapCheck:
    """Whether tibialis anterior's and gastrocnemius' electrodes are swapped; feed envelopes in walking."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, bool], tuple[float, int]] = {}
        self._swings = 0
        self._swinging = False

    def take(self, *, swinging: bool, tibialis_v: float, gastrocnemius_v: float) -> None:
        """Both envelopes at one moment of a walk, and whether that leg swings."""
        self._swings += swinging and not self._swinging
        self._swinging = swinging
        for name, volts in (("tibialis", tibialis_v), ("gastrocnemius", gastrocnemius_v)):
            sum_v, count = self._sums.get((name, swinging), (0.0, 0))
            self._sums[name, swinging] = sum_v + volts, count + 1

    def _mean_v(self, name: str, *, swinging: bool) -> float:
        sum_v, count = self._sums.get((name, swinging), (0.0, 0))
        return sum_v / count if count else 0.0

    @property
    def finding(self) -> str:
        """In words; '' where nothing speaks for it or too little was seen."""
        if self._swings <= STRIDES_NEEDED:
            return ""
        tibialis = self._mean_v("tibialis", swinging=True), self._mean_v("tibialis", swinging=False)
        calf = self._mean_v("gastrocnemius", swinging=True), self._mean_v("gastrocnemius", swinging=False)
        if tibialis[1] > SWAPPED_OVER * tibialis[0] and calf[0] > SWAPPED_OVER * calf[1]:
            return (
                "electrodes of tibialis anterior and gastrocnemius seem swapped: the first works in stance, "
                "the second in swing; swap the two leads"
            )
        return ""


class AnswerCheck:
    """Whether the muscle under the pads answers loudest; feed M-waves of a pulse at both electrodes."""

    def __init__(self, stimulated: str, neighbour: str) -> None:
        self._names = stimulated, neighbour
        self._louder: deque[bool] = deque(maxlen=ANSWERS_NEEDED)

    def take(self, stimulated_v: float, neighbour_v: float) -> None:
        self._louder.append(neighbour_v > 2.0 * stimulated_v)

    @property
    def finding(self) -> str:
        if len(self._louder) < ANSWERS_NEEDED or not all(self._louder):
            return ""
        first, second = self._names
        return f"the answer to pulses is twice as large at {second} as at {first}: electrodes may be swapped"
