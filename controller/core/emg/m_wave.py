"""The muscle's answer to each pulse (M-wave) taken out of one EMG channel, while its size changes.

Each pulse opens a *segment* that lasts until the next. The answers to earlier pulses of the same channel
stand beside it as *references*: the last ones as they were, and means of those of like charge. ``prediction``
finds in them what this segment would be without the person's own activity. What is left of the answer to
another channel's pulse is taken off first; pulses of several channels at about the same time count as one.
Linear prediction from earlier responses: Sennels and others 1997; Gram-Schmidt filter:
Yeom and Chang 2005, 2010; differences in docs/emg.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controller.core.emg.answers import BINS, KNOWN_AFTER, NOISE_MIN_V2, Answers, shifted
from controller.core.emg.leak import Leak
from controller.core.emg.params import MWaveMethod
from controller.core.emg.prediction import Array, Flags, Prediction, References, predict, predict_together
from controller.core.signals import PulseGiven

FIT_S = 0.024  # an M-wave begins 2 to 6 ms after its pulse and lasts 10 to 20 ms
LATE_S = 0.016  # from here on little of it is left
FRAME_S = 0.040  # nothing of it is left later
FIT_SAMPLES_MIN = 8  # at 200 Hz a segment of 40 ms
SEEN_MIN = 4  # good samples in a segment
ACTIVE_MAX = 6  # pulses whose answers may reach into a segment
ALIGN_SAMPLES = 2  # by which a pulse found in the EMG may be placed wrongly
STRONGER = 1.15  # times the charge of the answers learned: what more gives is not known
OVERLAP_S = 0.020  # so long an answer that is not known yet hides what is the person's own
VOLLEY_S = 0.005  # pulses of several channels within it are one
WHOLE_SHARE = 0.4  # of a segment's samples that must be good for it to teach
NOISE_STEP = 0.2
NOISE_V = 5e-6  # of electrode and amplifier, before any is measured
USUAL_DELAY_S, USUAL_WIDTH = 0.0002, 0.05  # by which one answer differs from earlier ones
USUAL_MISS = 0.3  # of the answer's r.m.s.: by which a bridge misses
Key = tuple[int, ...]


# A sample that holds the person's own activity and noise: when, volts, and whether that is known; False: it
# may hold an M-wave.
Cleaned = tuple[int, float, bool]


@dataclass(slots=True)
class _Response:
    """The answer to one pulse: from sample ``start`` on, what is expected of it, whether it is over."""

    key: Key
    t_ns: int
    charge_nc: float
    lag_ns: int | None = None  # after another channel's pulse
    late: bool = False  # told too late: its first samples were taken for something else
    start: int | None = None  # number of its first sample
    offset: float = 0.0  # of that sample after the pulse, in samples
    prediction: Prediction | None = None
    known: bool = False  # the prediction is to be relied on
    first: int = 0  # sample from which the references are seen, and how far they reach
    reach: int = 0
    end: int | None = None  # number of the sample at which the next pulse of its channel came
    early_gain: float = 1.0
    noise_v2: float = 0.0


@dataclass(frozen=True, slots=True)
class _Segment:
    """What is to be solved: samples of a response, less what others leave in them, and its references."""

    one: _Response
    filtered: Array
    raw: Array
    good: Flags
    y: Array
    kind: Answers | None = None
    references: References | None = None
    used: Flags | None = None  # samples that the references are seen in


class MWaveFilter:
    """Removal for one EMG channel. ``peak_to_peak_v`` is the last M-wave's size, ``leak_v2`` the power that
    came with the last pulses and was not predicted; both None before any is known.

    ``ring``: factor by which the high-pass before it rings on, a sample. ``aligned``: pulse times are only
    nearly right, and each answer is shifted onto the earlier ones.
    """

    def __init__(self, rate_hz: float, method: MWaveMethod, ring: complex, *, aligned: bool = False) -> None:
        self.method, self._aligned = method, aligned
        self._ts_ns = 1e9 / rate_hz
        self._fit = max(FIT_SAMPLES_MIN, round(FIT_S * rate_hz))
        self._late = round(LATE_S * rate_hz)
        self._overlap = round(OVERLAP_S * rate_hz)
        self._frame = max(self._fit, round(FRAME_S * rate_hz))
        turns = ring ** np.arange(self._frame)
        self._ring = np.array([turns.real, turns.imag])
        widens_s = USUAL_WIDTH * np.arange(self._frame) / rate_hz
        self._moves = np.array([np.full(self._frame, USUAL_DELAY_S), widens_s])[:, 1:-1] * (
            0.5e9 / self._ts_ns
        )
        self._kinds: dict[Key, Answers] = {}
        self._active: list[_Response] = []  # oldest first; the last one's segment is open
        self._solved = True  # the open segment
        # samples kept: time, filtered, raw, good; and the number of the first of them
        self._t_ns: list[int] = []
        self._volts: list[float] = []
        self._raw: list[float] = []
        self._good: list[bool] = []
        self._first = 0
        self._sent = 0  # number of the next one to be given out
        self._charge_max_nc = 0.0
        self._noise_v2 = NOISE_V**2
        self._leak = Leak(self._late, damps=method not in ("comb", "blanking"))
        self.peak_to_peak_v: float | None = None
        self.due = False
        self.teaches = True  # while False no answer is learned

    @property
    def leak_v2(self) -> float | None:
        """Of the last pulses."""
        return self._leak.leak_v2

    def behind(self, t_ns: int) -> bool:
        """Whether a sample just given out lies behind the answers to pulses."""
        return not self._active or t_ns - self._active[-1].t_ns > LATE_S * 1e9

    def learn_anew(self) -> None:
        """Forget all answers, also of pulses whose answer is not over."""
        self._kinds.clear()
        for one in self._active:
            one.late = True

    def pulse(self, pulse: PulseGiven) -> list[Cleaned]:
        """A pulse begins a segment; returns what the one before still held."""
        charge_nc = pulse.current_ma * pulse.width_us
        newest = self._active[-1] if self._active else None
        volley = newest is not None and pulse.t_ns - newest.t_ns < VOLLEY_S * 1e9
        if newest is not None and volley and pulse.channel not in newest.key:
            newest.key = (*newest.key, pulse.channel)
            newest.charge_nc += charge_nc
            self._charge_max_nc = max(self._charge_max_nc, newest.charge_nc)
            return []
        out = self._finish_segment()
        for one in self._active:
            if pulse.channel in one.key and one.end is None:
                one.end = self._next
                self._learn(one)
        self._charge_max_nc = max(self._charge_max_nc, charge_nc)
        lag_ns = None if newest is None or pulse.channel in newest.key else pulse.t_ns - newest.t_ns
        lag_ns = None if lag_ns is None or lag_ns > FRAME_S * 1e9 else lag_ns
        self._active.append(_Response((pulse.channel,), pulse.t_ns, charge_nc, lag_ns))
        self._solved = False
        self._let_go()
        return out

    def take(self, t_ns: int, volts: float, raw: float, good: bool, *, waits: bool = False) -> list[Cleaned]:
        """One filtered sample with its raw one (NaN: bridged); returns samples now clean, oldest first.

        ``waits``: where a segment is now to be solved (``due``), that is left to :func:`solve`, and what is
        then clean to :meth:`solved`.
        """
        if not self._active:
            self._first = self._sent = self._sent + 1
            return [(t_ns, volts, True)] if good else []
        newest = self._active[-1]
        start = newest.start
        if start is None:
            start = newest.start = self._next
            newest.offset = (t_ns - newest.t_ns) / self._ts_ns
            newest.late = newest.offset > 1.0
        self._t_ns.append(t_ns)
        self._volts.append(volts)
        self._raw.append(raw)
        self._good.append(good)
        if not self._solved:
            if self._first + len(self._volts) - start < self._fit:
                return []
            if waits:
                self.due = True
                return []
            solve([self])
        return self.solved()

    def solved(self) -> list[Cleaned]:
        """Samples now clean, oldest first."""
        out = self._send()
        if self._over(self._active[0]):
            self._let_go()
        return out

    def gap(self) -> list[Cleaned]:
        """Samples are missing: all answers end here."""
        out = self._finish_segment()
        for one in self._active:
            if one.end is None:
                self._learn(one)
        self._active.clear()
        self._forget(self._sent)
        return out

    # --- segments

    @property
    def _next(self) -> int:
        """Number of the next sample."""
        return self._first + len(self._volts)

    def _over(self, one: _Response) -> bool:
        return one.start is not None and self._next - one.start >= self._frame

    def _let_go(self) -> None:
        """Forget answers that are over, and samples that nobody needs."""
        for one in self._active:
            if one.end is None and self._over(one):
                one.end = self._next
                self._learn(one)
        self._active = [one for one in self._active if not self._over(one)][-ACTIVE_MAX:]
        needed = min([one.start for one in self._active if one.start is not None] + [self._sent])
        self._forget(needed)

    def _forget(self, before: int) -> None:
        for kept in (self._t_ns, self._volts, self._raw, self._good):
            del kept[: before - self._first]
        self._first = before

    def _finish_segment(self) -> list[Cleaned]:
        if not self._solved and self._active and self._active[-1].start is not None:
            solve([self])
        self._solved = True
        return self._send()

    def _span(self, start: int, end: int) -> tuple[Array, Array, Flags]:
        """Filtered samples, raw ones, which are good: from number ``start`` to before ``end``."""
        part = slice(start - self._first, end - self._first)
        return np.array(self._volts[part]), np.array(self._raw[part]), np.array(self._good[part])

    def _expected(self, start: int, end: int, but: _Response) -> Array:
        """What the answers to all other pulses leave in these samples."""
        sum_v = np.zeros(end - start)
        for one in self._active:
            if one is not but and one.start is not None and one.prediction is not None:
                first, last = max(start, one.start), min(end, one.start + one.reach)
                if first < last:
                    sum_v[first - start : last - start] += one.prediction.volts[
                        first - one.start : last - one.start
                    ]
        return sum_v

    def _send(self) -> list[Cleaned]:
        """All samples up to now, cleaned."""
        upto = self._next
        if self._sent >= upto or not self._active:
            return []
        newest = self._active[-1]
        first, self._sent = self._sent, upto
        if newest.start is None:
            return []
        since, part = first - newest.start, first - self._first
        prediction = newest.prediction
        if prediction is None:
            left = self._volts[part:]
        else:
            until = min(upto, newest.start + newest.reach)
            if until <= first:
                return []
            left_v = np.array(self._volts[part : part + until - first])
            left_v -= prediction.volts[since : since + len(left_v)]
            if len(self._active) > 1:
                left_v -= self._expected(first, until, newest)
            left_v *= prediction.gain
            if newest.early_gain != 1.0 and since < self._late:
                left_v[: self._late - since] *= newest.early_gain
            left = left_v.tolist()
        times, good, begin = self._t_ns, self._good, max(0, newest.first - since)
        waits = [one.start + self._overlap for one in self._active if one.start is not None and not one.known]
        shown = max(waits, default=0) - first if newest.known else len(left)  # from here on it is known
        return [(times[part + i], left[i], i >= shown) for i in range(begin, len(left)) if good[part + i]]

    def segment(self) -> _Segment:
        """The open segment, as far as it has come, and what is known of its pulse."""
        self._solved, self.due = True, False
        one = self._active[-1]
        start = one.start or 0
        filtered, raw, good = self._span(start, self._next)
        y = filtered - self._expected(start, self._next, one) if len(self._active) > 1 else filtered
        one.noise_v2 = self._noise_v2
        kind = self._kinds.get(one.key)
        if kind is None or kind.count < KNOWN_AFTER or one.late:
            return _Segment(one, filtered, raw, good, y)
        chosen = kind.of_use(int(good.argmax()), one.offset)
        one.first, one.reach = chosen.first, chosen.reach
        used = good.copy()
        used[: one.first] = False
        used[one.reach :] = False
        if np.count_nonzero(used) < SEEN_MIN:
            return _Segment(one, filtered, raw, good, y)
        rows, strongest = chosen.rows, chosen.rows[chosen.strongest]
        if self._aligned:
            rows = self._align(one, rows, strongest, y, used)
        changes = self._changes(strongest, one.first)
        references = References(rows, chosen.noise_v2, changes, max(self._noise_v2, NOISE_MIN_V2))
        return _Segment(one, filtered, raw, good, y, kind, references, used)

    def conclude(self, segment: _Segment, prediction: Prediction | None) -> None:
        """Take what is expected of the open segment's pulse."""
        one, raw = segment.one, segment.raw
        if prediction is not None and segment.kind is not None and segment.used is not None:
            one.prediction = prediction
            left_v = segment.y - prediction.volts[: len(segment.y)]
            one.known = one.charge_nc <= STRONGER * segment.kind.strongest_nc[0] and segment.kind.met(
                one.lag_ns
            )
            left_v2 = (left_v * prediction.gain) ** 2
            one.noise_v2, one.early_gain = self._leak.compare(left_v2, segment.used, self._noise_v2)
            self._noise_v2 += NOISE_STEP * (one.noise_v2 - self._noise_v2)
            raw = raw - np.where(segment.good, segment.filtered - prediction.volts[: len(raw)], 0.0)
        shown = raw[np.isfinite(raw)]
        if len(shown) >= SEEN_MIN:
            self.peak_to_peak_v = float(shown.max() - shown.min())

    # --- references

    def _align(self, one: _Response, rows: Array, strongest: Array, y: Array, good: Flags) -> Array:
        """References shifted to where the strongest fits best; the pulse was so much earlier or later."""
        padded = np.pad(strongest, ALIGN_SAMPLES, mode="edge")
        lags = range(-ALIGN_SAMPLES, ALIGN_SAMPLES + 1)
        moved = np.array([padded[ALIGN_SAMPLES + lag :][: len(y)][good] for lag in lags])
        fit = moved @ y[good] / np.sqrt(np.maximum(np.einsum("ij,ij->i", moved, moved), NOISE_MIN_V2))
        best = int(np.argmax(fit))
        lag = float(lags[best])
        if 0 < best < len(fit) - 1:
            bend = fit[best - 1] - 2.0 * fit[best] + fit[best + 1]
            lag += 0.0 if bend == 0.0 else 0.5 * (fit[best - 1] - fit[best + 1]) / bend
        one.offset += lag
        return shifted(rows, np.full(len(rows), lag))

    def _changes(self, strongest: Array, first: int) -> Array:
        """What a usual change of delay and of width adds to the strongest reference (its tangents), and the
        high-pass's own ringing after a bridge that missed the true course."""
        out = np.zeros((4, self._frame))
        slope = strongest[2:] - strongest[:-2]
        np.multiply(self._moves, slope, out=out[:2, 1:-1])
        missed_v = USUAL_MISS * math.sqrt(float(strongest @ strongest) / self._frame)
        out[2:, first:] = missed_v * self._ring[:, : self._frame - first]
        return out

    def _learn(self, one: _Response) -> None:
        """Keep a whole answer, less what others left in it, as a reference for the next ones."""
        if one.start is None or one.late or not self.teaches:
            return
        end = min(self._next, one.start + self._frame)
        length, part = end - one.start, one.start - self._first
        good = self._good[part : part + length]
        if sum(good) < max(SEEN_MIN, WHOLE_SHARE * length):
            return
        samples = np.zeros(self._frame)
        samples[:length] = self._volts[part : part + length]
        if len(self._active) > 1:
            samples[:length] -= self._expected(one.start, end, one)
        at_pulse = shifted(samples[None, :], np.array([-one.offset]))[0] if one.offset else samples
        kind = self._kinds.get(one.key) or self._kinds.setdefault(one.key, Answers(self._frame))
        length = max(length, self._fit)
        kind.lags_ns.append(one.lag_ns)
        seen = good.index(True), length
        kind.add(samples, seen, one.offset, one.noise_v2)
        kind.strongest_nc = tuple(sorted((*kind.strongest_nc, one.charge_nc))[-KNOWN_AFTER:])
        place = min(BINS - 1, int(BINS * one.charge_nc / self._charge_max_nc))
        kind.mean(place, at_pulse, (math.ceil(seen[0] + one.offset), length), one.noise_v2)


def solve(filters: Sequence[MWaveFilter]) -> None:
    """The open segments of several channels; those of the same shape together."""
    alike: dict[tuple[int, ...], list[tuple[MWaveFilter, _Segment, References, Flags]]] = {}
    for one in filters:
        segment = one.segment()
        known, used = segment.references, segment.used
        if known is None or used is None:
            one.conclude(segment, None)
        elif one.method == "prediction":
            alike.setdefault((*known.rows.shape, len(used)), []).append((one, segment, known, used))
        else:
            one.conclude(segment, predict(one.method, known, segment.y, used))
    for group in alike.values():
        made = predict_together([g[2] for g in group], [g[1].y for g in group], [g[3] for g in group])
        for (one, segment, _, _), prediction in zip(group, made, strict=True):
            one.conclude(segment, prediction)
