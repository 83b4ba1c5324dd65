"""Surface EMG of muscles that work and are stimulated, as the amplifier of a sensor gives it.

Each channel is volition + M-wave + artefact + noise + mains + drift, within the amplifier's rail. The samples
are the same whether they are asked for one by one or in blocks; values of unknown source are marked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.recruitment import check

Array = npt.NDArray[np.float64]

LOW_HZ, HIGH_HZ = 60.0, 120.0  # corners of the spectrum of surface EMG (Shwedyk's shape; unverified)
PULSES_KEPT = 512  # of an output; told in order of time
ANSWER_S = 0.08  # after its end neither M-wave nor tail of a pulse is left
WAVE_SPAN = 6.0  # scales of an M-wave after its centre; what is left is 1e-15
RATE_MAX_HZ = 10000.0
DRAWS_KEPT = 1024  # rows of noise drawn at a time
# What a lifted electrode does (assumed): mains grows to this many times, noise and artefact likewise.
LIFTED_MAINS, LIFTED_NOISE, LIFTED_ARTEFACT = 200.0, 10.0, 5.0
MAINS_THIRD = 0.2  # third harmonic of the mains over its fundamental (assumed)
# Columns of a pulse: start, end, current, polarity; then size of the M-wave and tiredness of each muscle.
P_START, P_END, P_CURRENT, P_SIGN, P_MUSCLES = range(5)


@dataclass(frozen=True, slots=True)
class EmgParams:
    """Sizes of what is measured, in volts at the electrodes; seconds.

    From memory and unverified: volition 0.05 to 0.5 mV rms, M-wave 1 to 10 mV peak to peak, its delay 6 to
    9 ms and scale 3 to 4 ms, its loss of half its height and 1.3 times its length in a tired muscle.
    Assumed: artefact, rail, noise, mains, drift.
    """

    volition_v: float = 0.0003  # rms at full effort, over the muscle
    m_wave_v: float = 0.003  # A of A r H1(z) exp(-z^2) at full recruitment; 1.7155 A from peak to peak
    m_wave_centre_s: float = 0.008
    m_wave_scale_s: float = 0.0035
    m_wave_loss: float = 0.5  # share of its height that it loses in a wholly tired muscle
    m_wave_longer: float = 0.3  # share by which it then lasts longer
    m_wave_scatter: float = 0.02  # relative, from pulse to pulse
    m_wave_drift_per_minute: float = 0.0  # relative: skin dries, electrodes creep
    artefact_v_per_ma: float = 0.0004
    artefact_tail_s: float = 0.002
    spike: float = 4.0  # during the pulse, times the tail's start
    rail_v: float = 0.0055
    dead_s: float = 0.001  # after the rail the amplifier gives nothing for this long
    recovery_s: float = 0.001  # then its gain comes back with this time constant
    noise_v: float = 4e-6  # rms, white
    mains_v: float = 3e-6  # amplitude
    mains_hz: float = 50.0
    drift_v: float = 10e-6  # rms
    drift_s: float = 0.5  # correlation time of the drift

    def __post_init__(self) -> None:
        ranges = {"spike": (0.0, 100.0), "mains_hz": (40.0, 70.0), "m_wave_drift_per_minute": (-0.5, 0.5)}
        positive = {"m_wave_scale_s", "artefact_tail_s", "rail_v", "recovery_s", "drift_s"}
        for field in fields(self):
            low, high = ranges.get(field.name, (1e-6 if field.name in positive else 0.0, 1.0))
            check(field.name, getattr(self, field.name), low, high)


@dataclass(frozen=True, slots=True)
class EmgParts:
    """Samples with what they are made of; each (n, channels) in volts.

    ``envelope`` is the true volitional one: the rms that volition alone would have at this effort.
    """

    volts: Array
    volition: Array
    envelope: Array
    m_wave: Array
    artefact: Array


@dataclass(frozen=True, slots=True)
class _Shape:
    """Exact sampling of the shaped noise: x' = transition x + spread w, y = out x has an rms of 1."""

    transition: Array
    spread: Array
    start: Array


def spectrum(hertz: npt.ArrayLike) -> Array:
    """Amplitude density of volitional EMG over its peak: H(f) ~ f / ((f^2 + fl^2) sqrt(f^2 + fh^2))."""
    f = np.asarray(hertz, dtype=np.float64)
    fine = np.linspace(1.0, 300.0, 3000)
    peak = np.max(fine / ((fine**2 + LOW_HZ**2) * np.sqrt(fine**2 + HIGH_HZ**2)))
    shape: Array = f / ((f**2 + LOW_HZ**2) * np.sqrt(f**2 + HIGH_HZ**2)) / peak
    return shape


def _process() -> tuple[Array, Array]:
    """Continuous s / ((s + wl)^2 (s + wh)) driven by white noise, scaled to an output rms of 1: A and the
    stationary covariance of its states; the output is the third state."""
    from scipy.linalg import solve_continuous_lyapunov  # heavy, and for a muscle whose EMG is read alone

    low, high = 2.0 * math.pi * LOW_HZ, 2.0 * math.pi * HIGH_HZ
    # x0: white through 1/(s + wh); x1: x0 through 1/(s + wl); x2: x1 through s/(s + wl)
    a = np.array([[-high, 0.0, 0.0], [1.0, -low, 0.0], [1.0, -low, -low]])
    drive = np.array([[1.0], [0.0], [0.0]])
    covariance = solve_continuous_lyapunov(a, -drive @ drive.T)
    covariance /= covariance[2, 2]
    return a, np.asarray((covariance + covariance.T) / 2.0, dtype=np.float64)


def _root(matrix: Array) -> Array:
    """A square root of a covariance, small negative eigenvalues taken as rounding."""
    values, vectors = np.linalg.eigh(matrix)
    root: Array = vectors * np.sqrt(np.maximum(0.0, values))
    return root


@cache
def _shape(rate_hz: float) -> _Shape:
    from scipy.linalg import expm  # as in _process

    a, covariance = _process()
    scale = np.sqrt(np.diag(covariance))  # states of like size keep the roots exact
    a = a * scale[None, :] / scale[:, None]
    covariance = covariance / np.outer(scale, scale)
    transition = np.asarray(expm(a / rate_hz), dtype=np.float64)
    spread = _root(covariance - transition @ covariance @ transition.T)
    return _Shape(transition, spread, _root(covariance))


@compiled
def m_wave(age_s: float, centre_s: float, scale_s: float) -> float:
    """H1(z) exp(-z^2) = 2 z exp(-z^2), z = (age - centre) / scale."""
    z = (age_s - centre_s) / scale_s
    return 2.0 * z * math.exp(-z * z)


@compiled
def _sample(
    start_s: float, step_s: float, effort: Array, pulses: Array, told: npt.NDArray[np.int64], pickup: Array,
    artefact: Array, contact: Array, sizes: Array, phases: Array, draws: Array, transition: Array,
    spread: Array, states: Array, drift: Array, out: Array, parts: Array,
) -> None:  # fmt: skip
    """Fill ``out`` (n, channels) and, where it has rows, ``parts`` (n, 4, channels)."""
    (volition_v, m_v, m_centre, m_scale, m_longer, a_v, a_tail, spike, rail, dead, recovery,
     noise_v, mains_v, mains_hz, drift_v, drift_s) = sizes  # fmt: skip
    n, muscles = effort.shape
    channels = out.shape[1]
    keep = math.exp(-step_s / drift_s)
    kick = math.sqrt(1.0 - keep * keep)
    wakes = math.exp((dead + 12.0 * recovery) / a_tail)  # the tail times this: is the amplifier awake again
    waves = np.empty(muscles)
    tails = np.empty(channels)
    gains = np.empty(channels)
    for i in range(n):
        t = start_s + i * step_s
        for k in range(muscles):
            x = states[k]
            a, b, c = draws[i, 3 * k], draws[i, 3 * k + 1], draws[i, 3 * k + 2]
            x0 = transition[0, 0] * x[0] + transition[0, 1] * x[1] + transition[0, 2] * x[2]
            x1 = transition[1, 0] * x[0] + transition[1, 1] * x[1] + transition[1, 2] * x[2]
            x2 = transition[2, 0] * x[0] + transition[2, 1] * x[1] + transition[2, 2] * x[2]
            x[0] = x0 + spread[0, 0] * a + spread[0, 1] * b + spread[0, 2] * c
            x[1] = x1 + spread[1, 0] * a + spread[1, 1] * b + spread[1, 2] * c
            x[2] = x2 + spread[2, 0] * a + spread[2, 1] * b + spread[2, 2] * c
            waves[k] = 0.0
        tails[:] = 0.0
        gains[:] = 1.0
        for o in range(pulses.shape[0]):
            for back in range(min(told[o], PULSES_KEPT)):
                slot = (told[o] - 1 - back) % PULSES_KEPT
                age, after = t - pulses[o, slot, P_START], t - pulses[o, slot, P_END]
                if after > ANSWER_S:
                    break
                if age < 0.0:
                    continue
                for k in range(muscles):
                    size = pulses[o, slot, P_MUSCLES + 2 * k]
                    scale = m_scale * (1.0 + m_longer * pulses[o, slot, P_MUSCLES + 2 * k + 1])
                    if size > 0.0 and age < m_centre + WAVE_SPAN * scale:
                        waves[k] += m_v * size * m_wave(age, m_centre, scale)
                tail = spike if after < 0.0 else math.exp(-after / a_tail)
                volts_now = a_v * pulses[o, slot, P_CURRENT]
                for j in range(channels):
                    height = artefact[o, j] * (1.0 + LIFTED_ARTEFACT * (1.0 - contact[j])) * volts_now
                    tails[j] += pulses[o, slot, P_SIGN] * height * tail
                    if height > rail and height * tail * wakes > rail:  # on the rail not long ago
                        awake = after - a_tail * math.log(height / rail) - dead
                        gains[j] = min(gains[j], 0.0 if awake < 0.0 else 1.0 - math.exp(-awake / recovery))
        hum = 2.0 * math.pi * mains_hz * t
        hum1, hum2, hum3, hum4 = math.sin(hum), math.cos(hum), math.sin(3.0 * hum), math.cos(3.0 * hum)
        for j in range(channels):
            loose = 1.0 - contact[j]
            volition, envelope, wave = 0.0, 0.0, 0.0
            for k in range(muscles):
                size = contact[j] * pickup[k, j]
                volition += size * volition_v * effort[i, k] * states[k, 2]
                envelope += (size * volition_v * effort[i, k]) ** 2
                wave += size * waves[k]
            place = 3 * muscles + j
            noise = (1.0 + LIFTED_NOISE * loose) * noise_v * draws[i, place]
            drift[j] = keep * drift[j] + kick * draws[i, place + channels]
            mains = hum1 * phases[0, j] + hum2 * phases[1, j] + hum3 * phases[2, j] + hum4 * phases[3, j]
            mains *= mains_v * (1.0 + LIFTED_MAINS * loose)
            wanted = volition + wave + noise + mains + drift_v * (1.0 + LIFTED_NOISE * loose) * drift[j]
            volts = tails[j] if abs(tails[j]) > rail else gains[j] * (wanted + tails[j])
            out[i, j] = max(-rail, min(rail, volts))
            if parts.shape[0] > 0:
                parts[i, 0, j], parts[i, 1, j] = volition, math.sqrt(envelope)
                parts[i, 2, j], parts[i, 3, j] = wave, tails[j]


@compiled
def _excite(
    row: Array, recruited: tuple[float, ...], tired: tuple[float, ...], size: float, loss: float,
    scatter: float, draws: Array,
) -> None:  # fmt: skip
    """Size of each muscle's M-wave and how tired it is, into the row of a pulse."""
    for k in range(draws.size):
        sure = size * recruited[k] * (1.0 - loss * tired[k])
        row[P_MUSCLES + 2 * k] = sure * max(0.0, 1.0 + scatter * draws[k])
        row[P_MUSCLES + 2 * k + 1] = tired[k]


class SurfaceEmg:
    """Electrodes over ``muscles`` muscles, stimulated through ``outputs`` outputs.

    ``pickup`` (muscles, channels): how much of each muscle reaches each channel, 1 right over it.
    ``artefact`` (outputs, channels): the same of each output's artefact. The same seed, pulses, efforts and
    sample times give the same samples, however they are cut into blocks.
    """

    def __init__(self, params: EmgParams, pickup: Array, artefact: Array, seed: int) -> None:
        self.params = params
        self._pickup = np.ascontiguousarray(pickup, dtype=np.float64)
        self._artefact = np.ascontiguousarray(artefact, dtype=np.float64)
        self.muscles = int(self._pickup.shape[0])
        self.channels = int(self._pickup.shape[1])
        if self._artefact.shape[1:] != (self.channels,):
            raise ValueError(
                f"artefact: found shape {self._artefact.shape}, allowed: (outputs, {self.channels})"
            )
        self._contact = np.ones(self.channels)
        self._noise = np.random.default_rng([0xE3, seed, 0])
        self._chance = np.random.default_rng([0xE3, seed, 1])
        self._scatter, self._scattered = np.empty((0, self.muscles)), 0
        self._pulses = np.zeros((len(self._artefact), PULSES_KEPT, P_MUSCLES + 2 * self.muscles))
        self._told = np.zeros(len(self._artefact), dtype=np.int64)
        phase = self._noise.uniform(0.0, 2.0 * math.pi, self.channels)
        third = MAINS_THIRD * np.cos(3.0 * phase), MAINS_THIRD * np.sin(3.0 * phase)
        self._phases = np.array([np.cos(phase), np.sin(phase), *third])
        self._states = self._noise.standard_normal((self.muscles, 3)) @ _shape(1000.0).start.T
        self._drift = self._noise.standard_normal(self.channels)
        self._width = 3 * self.muscles + 2 * self.channels
        self._draws, self._used = np.empty((0, self._width)), 0
        self._rate_hz = 0.0
        self._law = _shape(1000.0)
        p = params
        self._sizes = np.array(
            [p.volition_v, p.m_wave_v, p.m_wave_centre_s, p.m_wave_scale_s, p.m_wave_longer,
             p.artefact_v_per_ma, p.artefact_tail_s, p.spike, p.rail_v, p.dead_s,
             p.recovery_s, p.noise_v, p.mains_v, p.mains_hz, p.drift_v, p.drift_s]
        )  # fmt: skip

    def set_contact(self, channel: int, contact: float) -> None:
        """From the next sample on: 1 a good electrode, 0.5 half lifted, 0 off (mains, noise, artefact)."""
        if channel not in range(self.channels):
            raise ValueError(f"channel: found {channel!r}, allowed: 0 to {self.channels - 1}")
        self._contact[channel] = check("contact", contact, 0.0, 1.0)

    def pulse(
        self, t_s: float, output: int, current_ma: float, lasts_s: float, recruited: tuple[float, ...],
        tired: tuple[float, ...],
    ) -> None:  # fmt: skip
        """A pulse or burst of ``lasts_s`` that excites this fraction of each muscle's motor units, 0 to 1.

        ``tired`` is 1 - fitness of each muscle now, 0 to 1. The artefact's sign is that of ``current_ma``.
        """
        if output not in range(len(self._artefact)):
            raise ValueError(f"output: found {output!r}, allowed: 0 to {len(self._artefact) - 1}")
        check("current_ma", current_ma, -1000.0, 1000.0)
        check("lasts_s", lasts_s, 0.0, 1.0)
        p = self.params
        row = self._pulses[output, self._told[output] % PULSES_KEPT]
        row[:P_MUSCLES] = t_s, t_s + lasts_s, abs(current_ma), math.copysign(1.0, current_ma)
        size = max(0.0, 1.0 + p.m_wave_drift_per_minute * t_s / 60.0)
        if self._scattered == len(self._scatter):
            self._scatter, self._scattered = self._chance.standard_normal((DRAWS_KEPT, self.muscles)), 0
        _excite(row, recruited, tired, size, p.m_wave_loss, p.m_wave_scatter, self._scatter[self._scattered])
        self._scattered += 1
        self._told[output] += 1

    def read(self, t_s: float, rate_hz: float, effort: Array) -> Array:
        """``len(effort)`` samples from ``t_s`` on, (n, channels) volts; ``effort`` (n, muscles), 0 to 1."""
        return self._read(t_s, rate_hz, effort, np.empty((0, 4, self.channels)))

    def read_parts(self, t_s: float, rate_hz: float, effort: Array) -> EmgParts:
        """The same samples with what they are made of."""
        parts = np.empty((len(effort), 4, self.channels))
        volts = self._read(t_s, rate_hz, effort, parts)
        return EmgParts(volts, *np.moveaxis(parts, 1, 0))

    def _read(self, t_s: float, rate_hz: float, effort: Array, parts: Array) -> Array:
        if rate_hz != self._rate_hz:
            self._rate_hz, self._law = check("rate_hz", rate_hz, 1.0, RATE_MAX_HZ), _shape(rate_hz)
        n = len(effort)
        out = np.empty((n, self.channels))
        done = 0
        while done < n:
            if self._used == len(self._draws):
                self._draws, self._used = self._noise.standard_normal((DRAWS_KEPT, self._width)), 0
            take = min(n - done, len(self._draws) - self._used)
            _sample(
                t_s + done / rate_hz, 1.0 / rate_hz, effort[done : done + take], self._pulses, self._told,
                self._pickup, self._artefact, self._contact, self._sizes, self._phases,
                self._draws[self._used : self._used + take], self._law.transition, self._law.spread,
                self._states, self._drift, out[done : done + take], parts[done : done + take],
            )  # fmt: skip
            done += take
            self._used += take
        return out
