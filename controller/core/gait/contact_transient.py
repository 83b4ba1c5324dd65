"""How one leg lands: the shake of contact against that of swing, and its delay after the rate's zero
crossing.

Promises a threshold between both that follows this leg and this strap; refuses to judge before it saw a
landing.
"""

from __future__ import annotations

from math import exp, log, sqrt

from drivers.interface import Vec3

LEARN = 0.4  # a new stride's weight: two thirds of a change are known after two strides
TRACK_TAU_S = 0.008  # smooth swing is foretold within it, the blow of landing is not
GAP_S = 0.05  # nothing is foretold over a gap
FIRST_THRESHOLD_MPS2 = 8.0  # until a landing was seen; the softest on record peaks at 13
FLOOR_MPS2 = 1.0
WINDOW_NS = 130_000_000  # after the crossing or contact, the landing's peak is in
FIRST_RATE_SHARE = 0.4  # landing may come while the limb still swings this fast, until seen
RATE_MARGIN = 0.25  # above the usual: a blow much earlier in swing is no landing
LAG_LEARN = 0.2  # slower: the lag goes into every estimate
LAG_ODD_S = 0.03  # more is an odd stride, not this leg's spread
LAG_START_S = 0.03  # elderly and stroke legs: -0.02 to 0.05 s
LAG_SPREAD_START_S = 0.008


class Shake:
    """What a constant-trend tracker did not foresee of the acceleration: little in swing, much at landing."""

    def __init__(self) -> None:
        self._level: Vec3 | None = None
        self._trend: Vec3 = (0.0, 0.0, 0.0)

    def update(self, dt_s: float, acc: Vec3) -> float:
        """The unforeseen part of this sample, m/s^2."""
        if self._level is None or dt_s > GAP_S:
            self._level, self._trend = acc, (0.0, 0.0, 0.0)
            return 0.0
        q = exp(-dt_s / TRACK_TAU_S)
        gain, trend_gain = 1.0 - q * q, (1.0 - q) * (1.0 - q) / dt_s
        (lx, ly, lz), (tx, ty, tz) = self._level, self._trend
        px, py, pz = lx + tx * dt_s, ly + ty * dt_s, lz + tz * dt_s
        ex, ey, ez = acc[0] - px, acc[1] - py, acc[2] - pz
        self._level = (px + gain * ex, py + gain * ey, pz + gain * ez)
        self._trend = (tx + trend_gain * ex, ty + trend_gain * ey, tz + trend_gain * ez)
        return sqrt(ex * ex + ey * ey + ez * ez)


class Landing:
    """Learns from each landing, after the fact: where the peak was, what came before it, and when it
    began.
    """

    def __init__(self, top_weight: float, margin: float, rise_ns: int) -> None:
        """``top_weight`` of the landing's peak against the swing on a log scale, at most ``margin`` times
        the swing. A landing begins at most ``rise_ns`` before its peak.
        """
        self._rise_ns = rise_ns
        self._top_weight = top_weight
        self._margin = margin
        self._trace: list[tuple[int, float, float]] = []
        self._crossing_ns: int | None = None
        self._close_ns: int | None = None
        self._typical = True
        self.follows = False  # from terminal swing until the landing's peak is in
        self._swing_shake = 0.0
        self.peak_shake_mps2 = 0.0
        self.lag_s = LAG_START_S
        self.lag_spread_s = LAG_SPREAD_START_S
        self.rate_share = FIRST_RATE_SHARE
        self.seen = 0
        self._onsets = 0

    @property
    def threshold_mps2(self) -> float:
        """Shake that means contact on this leg."""
        if self._swing_shake <= 0.0:
            return FIRST_THRESHOLD_MPS2
        ratio = max(1.0, self.peak_shake_mps2 / max(self._swing_shake, 1e-3))
        return max(FLOOR_MPS2, self._swing_shake * min(self._margin, exp(self._top_weight * log(ratio))))

    def begun(self, shake_mps2: float, rate_share: float) -> bool:
        """Whether this shake, at this rate over the swing's peak, is the beginning of a landing."""
        return shake_mps2 > self.threshold_mps2 and rate_share < self.rate_share + RATE_MARGIN and self.clear

    @property
    def clear(self) -> bool:
        """The landing stands out from the swing."""
        return self.seen == 0 or self.peak_shake_mps2 > 4.0 * self._swing_shake

    def begin(self) -> None:
        """A terminal swing begins."""
        self._trace = []
        self._crossing_ns = self._close_ns = None
        self.follows = True

    def add(self, t_ns: int, shake_mps2: float, rate_share: float) -> None:
        """One sample while it ``follows`` a landing; ``rate_share`` is the rate over its swing peak."""
        if self._close_ns is None or t_ns <= self._close_ns:
            self._trace.append((t_ns, shake_mps2, rate_share))
            return
        if self._typical:
            self._learn()
        self._trace = []
        self._close_ns = None
        self.follows = False

    def crossed(self, t_ns: int) -> None:
        """The rate fell to zero, foretold or seen."""
        if self._crossing_ns is None:
            self._crossing_ns = t_ns

    def contact(self, t_ns: int, *, typical: bool) -> None:
        """Contact was announced: the landing's peak comes within the window. Odd strides teach nothing."""
        if not self.follows:
            return
        self._close_ns = t_ns + WINDOW_NS
        self._typical = typical or self.seen == 0

    def _learn(self) -> None:
        peak_ns, peak, _ = max(self._trace, key=lambda step: step[1], default=(0, 0.0, 0.0))
        before = [step for step in self._trace if step[0] < peak_ns - self._rise_ns]
        late = [shake for _, shake, rate_share in before if rate_share < self.rate_share + RATE_MARGIN]
        self._swing_shake = drift(
            self._swing_shake, max(late or [step[1] for step in before[-3:]], default=0.0)
        )
        self.peak_shake_mps2 = blend(self.peak_shake_mps2, peak)
        self.seen += 1
        for t_ns, shake, rate_share in self._trace:
            if t_ns >= peak_ns - self._rise_ns and shake > self.threshold_mps2:
                self._learn_onset(t_ns, rate_share)
                break

    def _learn_onset(self, t_ns: int, rate_share: float) -> None:
        self._onsets += 1
        self.rate_share += (1.0 if self._onsets == 1 else LEARN) * (rate_share - self.rate_share)
        if self._crossing_ns is None:
            return
        off_s = min(LAG_ODD_S, max(-LAG_ODD_S, (t_ns - self._crossing_ns) * 1e-9 - self.lag_s))
        if self._onsets > 2:
            self.lag_spread_s += LAG_LEARN * (abs(off_s) - self.lag_spread_s)
        self.lag_s += LAG_LEARN * off_s


def blend(usual: float, new: float) -> float:
    """The usual value after one more stride; the first counts whole."""
    return usual + LEARN * (new - usual) if usual > 0.0 else new


def drift(usual: float, new: float) -> float:
    """The usual size after one more stride, on a log scale; one odd stride, as in a turn, moves it little."""
    if usual <= 0.0 or new <= 0.0:
        return max(usual, new)
    return usual * exp(LEARN * log(min(2.0, max(0.5, new / usual))))
