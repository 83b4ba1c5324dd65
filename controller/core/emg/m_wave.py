"""The muscle's answer to each pulse (M-wave) taken out of one EMG channel, while its size changes.

Each pulse opens a *segment* that lasts until the next. The answers to earlier pulses of the same kind (same
stimulating channel, same pulse shortly before) stand beside it as *references*: the last ones as they were,
and means of those of like charge. ``prediction`` finds in them what this segment would be without the
person's own activity. Linear prediction from earlier responses: Sennels and others 1997; Gram-Schmidt filter:
Yeom and Chang 2005, 2010; differences in docs/emg.md.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from controller.core.emg.params import MWaveMethod
from controller.core.emg.prediction import Array, Flags, Prediction, predict
from controller.core.signals import PulseGiven

FIT_S = 0.024  # an M-wave begins 2 to 6 ms after its pulse and lasts 10 to 20 ms
LATE_S = 0.016  # from here on little of it is left
FRAME_S = 0.040  # nothing of it is left later
FIT_SAMPLES_MIN = 8  # at 200 Hz a segment of 40 ms
SEEN_MIN = 4  # good samples in a segment
RECENT = 8  # last segments kept as they are
BINS = 6  # of charge, a mean of each
MEAN_OF = 16  # segments a mean reaches back over
KNOWN_AFTER = 3  # segments of a kind
OVERLAP_S = 0.020  # a pulse so shortly before leaves its answer in this segment
OVERLAP_STEP_S = 0.0025
WHOLE_SHARE = 0.4  # of a segment's samples that must be good for it to teach
NOISE_STEP = 0.2
NOISE_V = 5e-6  # of electrode and amplifier, before any is measured
EARLY_OVER_LATE = 1.5  # in power: the person's own activity does not know of the pulse
LATE_STEP = 0.3
TAPS = np.arange(-2, 4)
Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One sample that holds the person's own activity and noise; ``known`` False: it may hold an M-wave."""

    t_ns: int
    volts: float
    known: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """A segment kept as it was; ``offset`` of its first sample after the pulse, in samples."""

    samples: Array
    length: int
    offset: float
    noise_v2: float


@dataclass(slots=True)
class _Mean:
    """A running mean of segments of like charge, on the grid that begins at the pulse."""

    samples: Array
    length: int
    noise_v2: float
    count: int = 1

    def add(self, samples: Array, length: int, noise_v2: float) -> None:
        self.count = min(self.count + 1, MEAN_OF)
        self.length = min(self.length, length)
        self.samples = self.samples + (samples - self.samples) / self.count
        self.noise_v2 += (noise_v2 - self.noise_v2) / self.count


@dataclass(slots=True)
class _Kind:
    """What pulses of one kind were answered with."""

    recent: deque[_Answer] = field(default_factory=lambda: deque(maxlen=RECENT))
    means: dict[int, _Mean] = field(default_factory=dict)
    count: int = 0


@dataclass(slots=True)
class _Segment:
    """From one pulse to the next: filtered samples, raw ones, which of them are good."""

    key: Key
    pulse: PulseGiven
    offset: float | None = None
    t_ns: list[int] = field(default_factory=list)
    volts: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    good: list[bool] = field(default_factory=list)
    sent: int = 0
    solved: bool = False
    prediction: Prediction | None = None
    reach: int = 0  # samples that the references reach
    early_gain: float = 1.0
    noise_v2: float = 0.0


def shifted(rows: Array, shift: Array) -> Array:
    """Each row at ``shift`` samples (-1 to 1) later, by Lagrange interpolation through six samples."""
    if not np.any(np.abs(shift) > 0.02):
        return rows
    weights = np.ones((len(shift), len(TAPS)))
    for i, tap in enumerate(TAPS):
        for other in TAPS:
            if other != tap:
                weights[:, i] *= (shift - other) / (tap - other)
    padded = np.pad(rows, ((0, 0), (2, 3)), mode="edge")
    width = rows.shape[1]
    out = np.zeros_like(rows)
    for i in range(len(TAPS)):
        out += weights[:, i, None] * padded[:, i : i + width]
    return out


class MWaveFilter:
    """Removal for one EMG channel. ``peak_to_peak_v`` is the last M-wave's size."""

    def __init__(self, rate_hz: float, method: MWaveMethod) -> None:
        self._method = method
        self._ts_ns = 1e9 / rate_hz
        self._fit = max(FIT_SAMPLES_MIN, round(FIT_S * rate_hz))
        self._late = round(LATE_S * rate_hz)
        self._frame = max(self._fit, round(FRAME_S * rate_hz))
        self._kinds: dict[Key, _Kind] = {}
        self._segment: _Segment | None = None
        self._charge_max_nc = 0.0
        self._noise_v2 = NOISE_V**2
        self._late_v2: float | None = None
        self.peak_to_peak_v: float | None = None

    def pulse(self, pulse: PulseGiven) -> list[Cleaned]:
        """A pulse begins a segment; returns what the one before still held."""
        out = self._close()
        key: Key = (pulse.channel,)
        before = self._segment
        if before is not None and pulse.t_ns - before.pulse.t_ns < OVERLAP_S * 1e9:
            apart = round((pulse.t_ns - before.pulse.t_ns) / (OVERLAP_STEP_S * 1e9))
            key = (pulse.channel, before.pulse.channel, apart)
        self._segment = _Segment(key, pulse)
        self._charge_max_nc = max(self._charge_max_nc, _charge_nc(pulse))
        return out

    def take(self, t_ns: int, volts: float, raw: float, good: bool) -> list[Cleaned]:
        """One filtered sample with its raw one; returns the samples that are now clean, oldest first."""
        segment = self._segment
        if segment is None:
            return [Cleaned(t_ns, volts, True)] if good else []
        if segment.offset is None:
            segment.offset = (t_ns - segment.pulse.t_ns) / self._ts_ns
        segment.t_ns.append(t_ns)
        segment.volts.append(volts)
        segment.raw.append(raw)
        segment.good.append(good)
        if len(segment.volts) >= self._frame:
            return self.gap()
        if not segment.solved and len(segment.volts) >= self._fit:
            self._solve(segment)
        return self._send(segment) if segment.solved else []

    def gap(self) -> list[Cleaned]:
        """The segment ends here, without a pulse."""
        out = self._close()
        self._segment = None
        return out

    def _close(self) -> list[Cleaned]:
        segment = self._segment
        if segment is None or segment.offset is None:
            return []
        if not segment.solved:
            self._solve(segment)
        out = self._send(segment)
        self._learn(segment)
        return out

    def _send(self, segment: _Segment) -> list[Cleaned]:
        out, prediction = [], segment.prediction
        for i in range(segment.sent, len(segment.volts)):
            if not segment.good[i]:
                continue
            if prediction is None:
                out.append(Cleaned(segment.t_ns[i], segment.volts[i], False))
            elif i < segment.reach:
                gain = prediction.gain * (segment.early_gain if i < self._late else 1.0)
                volts = (segment.volts[i] - float(prediction.volts[i])) * gain
                out.append(Cleaned(segment.t_ns[i], volts, True))
        segment.sent = len(segment.volts)
        return out

    def _solve(self, segment: _Segment) -> None:
        segment.solved = True
        y, good = np.array(segment.volts), np.array(segment.good)
        kind = self._kinds.get(segment.key)
        segment.noise_v2 = self._noise_v2
        if kind is not None and kind.count >= KNOWN_AFTER and np.count_nonzero(good) >= SEEN_MIN:
            rows, noise_v2 = self._references(segment, kind)
            prediction = predict(self._method, rows, noise_v2, y, good)
            left_v2 = ((y - prediction.volts[: len(y)]) * prediction.gain) ** 2
            segment.prediction = prediction
            segment.noise_v2 = self._compare(segment, left_v2, good)
            self._noise_v2 += NOISE_STEP * (segment.noise_v2 - self._noise_v2)
        self._measure(segment, y, good)

    def _compare(self, segment: _Segment, left_v2: Array, good: Flags) -> float:
        """The person's activity is as strong early in a segment as late; what is more is M-wave.

        Returns the power of the activity. M-wave taken for activity would hide the next one.
        """
        early, late = left_v2[: self._late][good[: self._late]], left_v2[self._late :][good[self._late :]]
        if len(late) == 0:
            return float(np.mean(early))
        here_v2 = float(np.mean(late))
        before_v2 = here_v2 if self._late_v2 is None else self._late_v2
        self._late_v2 = before_v2 + LATE_STEP * (here_v2 - before_v2)
        if len(early) == 0:
            return here_v2
        early_v2, most_v2 = float(np.mean(early)), EARLY_OVER_LATE * max(self._late_v2, here_v2)
        if early_v2 > most_v2 and self._method not in ("comb", "blanking"):
            segment.early_gain = math.sqrt(most_v2 / early_v2)
        return (len(early) * min(early_v2, most_v2) + len(late) * here_v2) / (len(early) + len(late))

    def _references(self, segment: _Segment, kind: _Kind) -> tuple[Array, Array]:
        """References on the segment's own grid, newest first, and the noise power each carries."""
        recent, means = list(kind.recent)[::-1], list(kind.means.values())
        rows = np.array([one.samples for one in recent] + [mean.samples for mean in means])
        offsets = np.array([one.offset for one in recent] + [0.0] * len(means))
        noise_v2 = [one.noise_v2 for one in recent] + [mean.noise_v2 / mean.count for mean in means]
        segment.reach = min([one.length for one in recent] + [mean.length for mean in means])
        return shifted(rows, (segment.offset or 0.0) - offsets), np.maximum(noise_v2, 1e-18)

    def _measure(self, segment: _Segment, y: Array, good: Flags) -> None:
        """Peak to peak of the raw answer, less what is the person's own where that is known."""
        if np.count_nonzero(good) < SEEN_MIN:
            return
        raw = np.array(segment.raw)
        if segment.prediction is not None:
            raw = raw - (y - segment.prediction.volts[: len(raw)])
        self.peak_to_peak_v = float(np.ptp(raw[good]))

    def _learn(self, segment: _Segment) -> None:
        length = len(segment.good)
        if sum(segment.good) < max(SEEN_MIN, WHOLE_SHARE * length):
            return
        kind = self._kinds.setdefault(segment.key, _Kind())
        samples, offset = np.zeros(self._frame), segment.offset or 0.0
        samples[:length] = segment.volts
        length = max(length, self._fit)
        kind.recent.append(_Answer(samples, length, offset, segment.noise_v2))
        kind.count += 1
        place = min(BINS - 1, int(BINS * _charge_nc(segment.pulse) / self._charge_max_nc))
        at_pulse = shifted(samples[None, :], np.array([-offset]))[0]
        if place in kind.means:
            kind.means[place].add(at_pulse, length, segment.noise_v2)
        else:
            kind.means[place] = _Mean(at_pulse, length, segment.noise_v2)


def _charge_nc(pulse: PulseGiven) -> float:
    return pulse.current_ma * pulse.width_us
