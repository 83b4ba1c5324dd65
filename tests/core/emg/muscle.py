"""A stimulated muscle's EMG for tests: M-waves of changing size, artefact, volition and noise by equation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.core.emg.estimator import EmgEstimate, EmgEstimator
from controller.core.signals import PulseGiven
from drivers.interface import EmgFrame

Array = NDArray[np.float64]
START_NS = 1_000_000_000_000
FRAME_S = 0.010


def hermite(t_s: Array, delay_s: float = 0.0075, width_s: float = 0.0035) -> Array:
    """The M-wave H1(z) exp(-z^2) at unit peak to peak, z = (t - delay) / width."""
    z = (t_s - delay_s) / width_s
    return np.where(t_s >= 0.0, z * np.exp(-z * z), 0.0) / np.sqrt(2.0 * np.exp(-1.0))


def train(
    begin_s: float, end_s: float, rate_hz: float, current_ma: float, channel: int = 0
) -> list[PulseGiven]:
    times_s = np.arange(begin_s, end_s, 1.0 / rate_hz)
    return [PulseGiven(channel, START_NS + round(t * 1e9), current_ma, 300.0) for t in times_s]


def answers(pulses: Sequence[PulseGiven], seconds: float, rate_hz: float, full_v: float) -> Array:
    """M-waves and artefacts of pulses, as large as ``full_v`` peak to peak at 30 mA."""
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    volts = np.zeros_like(t_s)
    for pulse in pulses:
        since_s = t_s - (pulse.t_ns - START_NS) / 1e9
        near = (since_s >= 0.0) & (since_s < 0.06)
        share = pulse.current_ma / 30.0
        volts[near] += share * full_v * hermite(since_s[near])
        volts[near] += share * 2.0 * full_v * np.exp(-since_s[near] / 0.001)
    return volts


def volition(seconds: float, rate_hz: float, rng: np.random.Generator) -> Array:
    """Unit r.m.s. noise of surface EMG's spectrum (Stulen and De Luca 1981), fl 60 Hz, fh 120 Hz."""
    count = round(seconds * rate_hz)
    hz = np.fft.rfftfreq(count, 1.0 / rate_hz)
    shape = 120.0**2 * hz / ((hz**2 + 60.0**2) * np.sqrt(hz**2 + 120.0**2))
    volts = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
    return np.asarray(volts / np.std(volts))


def frames(volts: Array, rate_hz: float, sensor: str = "emg", frame_s: float = FRAME_S) -> list[EmgFrame]:
    """Frames of (samples,) or (samples, channels), each arriving when its last sample is taken."""
    table = volts[:, None] if volts.ndim == 1 else volts
    step = max(1, round(frame_s * rate_hz))
    out = []
    for first in range(0, len(table), step):
        rows = tuple(tuple(map(float, row)) for row in table[first : first + step])
        t_ns = START_NS + round(first / rate_hz * 1e9)
        arrival_ns = START_NS + round((first + len(rows)) / rate_hz * 1e9)
        out.append(EmgFrame(sensor, t_ns, arrival_ns, first, rate_hz, rows))
    return out


def run(
    estimator: EmgEstimator, made: Sequence[EmgFrame], pulses: Sequence[PulseGiven] = ()
) -> list[EmgEstimate]:
    """Feed all; the estimate at each frame's arrival."""
    told, out = 0, []
    for frame in made:
        now = [p for p in pulses[told:] if p.t_ns <= frame.arrival_ns]
        told += len(now)
        estimator.take(frame, now)
        out.append(estimator.at(frame.arrival_ns))
    return out
