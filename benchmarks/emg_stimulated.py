"""EMG of a synthesised muscle under stimulation, its truth, and what ``controller.core.emg`` makes of it.

Of use to ``benchmarks/emg.py``; prints nothing by itself. ``models.emg`` gives volition, M-waves and
artefacts apart. What is fixed here: efforts with rests between, a current of another height in every stride.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from controller.core.emg.estimator import EmgEstimate, EmgEstimator
from controller.core.emg.params import EmgElectrode, EmgParams, MWaveMethod
from controller.core.emg.proportional import Proportional, ProportionalParams
from controller.core.signals import PulseGiven
from drivers.interface import EmgFrame
from models.emg import EmgParams as MuscleParams
from models.emg import SurfaceEmg

Array = NDArray[np.float64]
START_NS = 10**12
METHODS: tuple[MWaveMethod, ...] = get_args(MWaveMethod)
STRIDE_S = 1.2
SETTLED_S = 6.0  # of a run; the first five strides teach
FULL_MA, WIDTH_US = 30.0, 300.0
FRAME_S = 0.010
TICK_S = 0.005
DELAYED_S = np.arange(0.0, 0.125, 0.005)  # by which an envelope may lag the truth, found in each run
ONSET_SHARE = 0.1  # of the largest effort: from here on it counts as begun
RATES = ((1000.0, 25.0), (1000.0, 33.0), (1000.0, 40.0), (2000.0, 33.0), (500.0, 33.0), (200.0, 25.0))


def frames(volts: Array, rate_hz: float, sensor: str = "emg", frame_s: float = FRAME_S) -> list[EmgFrame]:
    """Frames of (n, channels) that arrive as their last sample is taken."""
    step = max(1, round(frame_s * rate_hz))
    made = []
    for first in range(0, len(volts), step):
        rows = tuple(tuple(row) for row in volts[first : first + step].tolist())
        t_ns = START_NS + round(first / rate_hz * 1e9)
        arrival_ns = START_NS + round((first + len(rows)) / rate_hz * 1e9)
        made.append(EmgFrame(sensor, t_ns, arrival_ns, first, rate_hz, rows))
    return made


def run(estimator: EmgEstimator, made: Sequence[EmgFrame], pulses: Sequence[PulseGiven]) -> list[EmgEstimate]:
    """The estimate at each frame's arrival; pulses are told with the frame of their time."""
    told, seen = 0, []
    for frame in made:
        first = told
        while told < len(pulses) and pulses[told].t_ns <= frame.arrival_ns:
            told += 1
        estimator.take(frame, pulses[first:told])
        seen.append(estimator.at(frame.arrival_ns))
    return seen


# --- a synthesised muscle


@dataclass(frozen=True, slots=True)
class Made:
    """A stimulated muscle's EMG (n, 1) with its truth: own activity, its rms at this effort, M-waves."""

    rate_hz: float
    volts: Array
    own: Array
    envelope: Array
    m_wave: Array
    pulses: tuple[PulseGiven, ...]


def efforts(seconds: float, rate_hz: float, rng: np.random.Generator) -> Array:
    """Efforts of 0.5 to 1.5 s at 40 to 100 %, with rests alike; rising and falling within 0.15 s."""
    t_s, at_s = np.arange(round(seconds * rate_hz)) / rate_hz, 0.5
    wanted = np.zeros_like(t_s)
    while at_s < seconds:
        long_s = rng.uniform(0.5, 1.5)
        wanted[(t_s >= at_s) & (t_s < at_s + long_s)] = rng.uniform(0.4, 1.0)
        at_s += long_s + rng.uniform(0.5, 1.5)
    edge = np.hanning(round(0.15 * rate_hz) + 2)
    return np.convolve(wanted, edge / np.sum(edge), "same")


def stride_share(t_s: float, rng_levels: Array) -> float:
    """Of the current in a stride: a trapezoid in the swing, each stride's height its own, 0 to 100 %."""
    phase = t_s % STRIDE_S / STRIDE_S
    height = rng_levels[int(t_s / STRIDE_S) % len(rng_levels)]
    return float(height * np.clip(min((phase - 0.5) / 0.1, (1.0 - phase) / 0.1), 0.0, 1.0))


def make(
    seconds: float, rate_hz: float, pulse_hz: float, *, seed: int, ratio_db: float | None = -20.0,
    muscle: MuscleParams | None = None, share: Callable[[float, Array], float] = stride_share,
) -> Made:  # fmt: skip
    """``ratio_db``: volition at full effort over the M-wave at full recruitment, both r.m.s.; None: none."""
    rng = np.random.default_rng(seed)
    base = muscle or MuscleParams(m_wave_v=0.0015)
    # r.m.s. of 2 z exp(-z^2) over a pulse's interval
    z = np.arange(-8.0, 8.0, 0.01)
    wave_v = base.m_wave_v * np.sqrt(
        np.sum((2.0 * z * np.exp(-z * z)) ** 2) * 0.01 * base.m_wave_scale_s * pulse_hz
    )
    volition_v = 0.0 if ratio_db is None else wave_v * 10.0 ** (ratio_db / 20.0)
    emg = SurfaceEmg(replace(base, volition_v=float(volition_v)), np.ones((1, 1)), np.ones((1, 1)), seed)
    levels = rng.uniform(0.0, 1.0, 97)
    wanted = efforts(seconds, rate_hz, rng) if ratio_db is not None else np.zeros(round(seconds * rate_hz))
    pulses, blocks, at_s = [], [], 0.1
    block = round(0.05 * rate_hz)
    for first in range(0, len(wanted), block):
        end_s = (first + block) / rate_hz
        while at_s < end_s:
            given = share(at_s, levels)
            tired = min(0.6, at_s / 300.0)
            if given * FULL_MA >= 1.0:
                recruited = 1.0 / (1.0 + np.exp(-(given - 0.5) / 0.12))
                emg.pulse(at_s, 0, given * FULL_MA, 2e-6 * WIDTH_US, [recruited], [tired])
                pulses.append(PulseGiven(0, START_NS + round(at_s * 1e9), given * FULL_MA, WIDTH_US))
            at_s += 1.0 / pulse_hz
        blocks.append(emg.read_parts(first / rate_hz, rate_hz, wanted[first : first + block, None]))
    parts = [
        np.concatenate([getattr(one, name) for one in blocks])[:, 0]
        for name in ("volition", "envelope", "m_wave")
    ]
    return Made(rate_hz, np.concatenate([one.volts for one in blocks]), *parts, tuple(pulses))


def rest_of(rate_hz: float, seed: int, muscle: MuscleParams | None = None) -> tuple[float, float]:
    """Mean and SD of the envelope of the same electrodes at rest, without stimulation."""
    made = make(20.0, rate_hz, 40.0, seed=seed + 1000, ratio_db=None, muscle=muscle, share=lambda *_: 0.0)
    estimator = EmgEstimator(EmgParams((EmgElectrode("emg", 0, "muscle"),)))
    run(estimator, frames(made.volts[: round(3.0 * rate_hz)], rate_hz), ())
    seen = run(estimator, frames(made.volts, rate_hz)[round(3.0 / FRAME_S) :], ())
    values = [e.muscles[0].envelope_v for e in seen if e.muscles[0].envelope_v is not None]
    return float(np.mean(values)), float(np.std(values))


@dataclass(frozen=True, slots=True)
class Score:
    """``follows``: correlation with volition's own r.m.s.; ``effort``: with the effort that made it."""

    follows: float
    effort: float
    lag_s: float
    known: float
    rest_ratio: float
    rest_worst: float
    onsets: int


def score(made: Made, silent: Made, method: MWaveMethod, rest: tuple[float, float]) -> Score:
    electrode = EmgElectrode("emg", 0, "muscle", rest_v=rest[0], rest_sd_v=rest[1])
    params = EmgParams((electrode,), method=method)
    seen = run(EmgEstimator(params), frames(made.volts, made.rate_hz), made.pulses)
    t_s, value_v, known = told(seen)
    window = round(0.125 * made.rate_hz)
    power = np.convolve(made.own**2, np.ones(window) / window)[: len(made.own)]
    grid_s = np.arange(len(made.own)) / made.rate_hz
    use = known & (t_s > SETTLED_S)

    def follow(truth: Array) -> tuple[float, float]:
        r = [np.corrcoef(value_v[use], np.interp(t_s[use] - lag, grid_s, truth))[0, 1] for lag in DELAYED_S]
        return float(np.max(r)), float(DELAYED_S[int(np.argmax(r))])

    follows, lag_s = follow(np.sqrt(power))
    effort, _ = follow(made.envelope)
    quiet = run(EmgEstimator(params), frames(silent.volts, silent.rate_hz), silent.pulses)
    t0_s, v0, known0 = told(quiet)
    after = known0 & (t0_s > SETTLED_S)
    return Score(
        follows, effort, lag_s, float(np.mean(known[t_s > SETTLED_S])),
        float(np.sqrt(np.mean(v0[after] ** 2)) / rest[0]), float(np.max(v0[after]) / rest[0]),
        quiet[-1].muscles[0].onsets,
    )  # fmt: skip


def told(seen: Sequence[EmgEstimate]) -> tuple[Array, Array, NDArray[np.bool_]]:
    t_s = np.array([(e.now_ns - START_NS) / 1e9 for e in seen])
    value = np.array([np.nan if e.muscles[0].envelope_v is None else e.muscles[0].envelope_v for e in seen])
    known = np.array([e.muscles[0].quality == "" for e in seen]) & np.isfinite(value)
    return t_s, value, known


def changing(seconds: float) -> None:
    """Amplitude 0 to 100 % every stride, volition 20 dB below the M-wave; and no volition at all."""
    print(
        f"M-waves of 0 to 100 % each stride, volition -20 dB, {seconds:g} s: correlation with its own r.m.s."
    )
    print("(with the effort that made it), share known; without volition r.m.s. over rest (worst), onsets")
    for rate_hz, pulse_hz in (
        (1000.0, 25.0),
        (1000.0, 33.0),
        (1000.0, 40.0),
        (2000.0, 33.0),
        (500.0, 33.0),
        (200.0, 25.0),
    ):
        rest = rest_of(rate_hz, 1)
        made = make(seconds, rate_hz, pulse_hz, seed=1)
        silent = make(seconds, rate_hz, pulse_hz, seed=2, ratio_db=None)
        for method in METHODS:
            s = score(made, silent, method, rest)
            print(
                f"  {rate_hz:5.0f} Hz, pulses {pulse_hz:g} Hz, {method:13s} {s.follows:5.3f} "
                f"({s.effort:5.3f}, lag {1e3 * s.lag_s:3.0f} ms)"
                f" {100 * s.known:3.0f} %; {s.rest_ratio:5.2f} ({s.rest_worst:5.2f}), {s.onsets}", flush=True,
            )  # fmt: skip


# --- trigger


def trigger(minutes: float) -> None:
    """Onsets without volition while stimulation runs, and how late true ones are told."""
    print(f"trigger, 1 kHz: false onsets in {minutes:g} min of stimulated rest; latency after 10 % of effort")
    with ProcessPoolExecutor(2) as pool:
        for line in pool.map(_triggered, ((hz, minutes) for hz in (25.0, 33.0, 40.0))):
            print(line, flush=True)


def _triggered(asked: tuple[float, float]) -> str:
    pulse_hz, minutes = asked
    rate_hz, rest = 1000.0, rest_of(1000.0, 1)
    params = EmgParams((EmgElectrode("emg", 0, "muscle", rest_v=rest[0], rest_sd_v=rest[1]),))
    silent = make(60.0 * minutes, rate_hz, pulse_hz, seed=11, ratio_db=None)
    false = run(EmgEstimator(params), frames(silent.volts, rate_hz), silent.pulses)[-1].muscles[0].onsets
    made = make(120.0, rate_hz, pulse_hz, seed=12)
    seen = run(EmgEstimator(params), frames(made.volts, rate_hz), made.pulses)
    on = np.array([e.muscles[0].triggered for e in seen])
    told_s = np.array([(e.now_ns - START_NS) / 1e9 for e in seen])[1:][on[1:] & ~on[:-1]]
    over = made.envelope > ONSET_SHARE * np.max(made.envelope)
    begun_s = np.flatnonzero(over[1:] & ~over[:-1]) / rate_hz
    late_s = [
        float(np.min(after))
        for one in begun_s
        if len(after := told_s[(told_s > one - 0.03) & (told_s < one + 1.0)] - one)
    ]
    return (
        f"  pulses {pulse_hz:g} Hz: {false} false; of {len(begun_s)} efforts {len(late_s)} told, "
        f"median {1e3 * np.median(late_s):.0f} ms, nine of ten within {1e3 * np.quantile(late_s, 0.9):.0f} ms"
    )


# --- proportional control, closed over the EMG


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in a closed loop: the artefact's size, the contact from ``from_s`` on."""

    name: str
    artefact: float = 1.0
    contact: float = 1.0
    from_s: float = 0.0


TROUBLES = (
    Trouble("nothing wrong"),
    Trouble("artefact x 5", artefact=5.0),
    Trouble("electrode half lifted from the start", contact=0.5),
    Trouble("electrode half lifts at 7 s", contact=0.5, from_s=7.0),
    Trouble("artefact x 5 and it lifts", artefact=5.0, contact=0.5, from_s=7.0),
)
LOOP_S, EFFORT_S = 14.0, 2.0
FALL_S = 0.02  # time constant with which an effort ends; over below a hundredth


def proportional(patients: int) -> None:
    """Efforts of 2 s between rests, the current following the EMG from a cold start, in five troubles."""
    print(
        f"proportional control, {patients} muscles, cold start: time to no current after an effort, worst and"
    )
    print("median; share of the rest with current; largest loop gain; share of the efforts with current")
    with ProcessPoolExecutor(2) as pool:
        for trouble in TROUBLES:
            runs = list(pool.map(_closed, ((seed, trouble) for seed in range(patients))))
            off_s = [one for r in runs for one in r[0]]
            rest, gain, used = (np.array([r[k] for r in runs]) for k in (1, 2, 3))
            print(
                f"  {trouble.name:37s} {1e3 * max(off_s):4.0f} ms ({1e3 * np.median(off_s):3.0f}), "
                f"{100 * np.max(rest):.1f} %, "
                f"{np.max(gain):.2f}, {100 * np.mean(used):3.0f} %", flush=True,
            )  # fmt: skip


def _closed(asked: tuple[int, Trouble]) -> tuple[list[float], float, float, float]:
    seed, trouble = asked
    rng, rate_hz = np.random.default_rng(seed), 1000.0
    muscle = MuscleParams(
        volition_v=rng.uniform(5e-5, 3e-4), m_wave_v=float(np.exp(rng.uniform(np.log(5e-4), np.log(4e-3)))),
        m_wave_scale_s=rng.uniform(0.003, 0.004), m_wave_centre_s=rng.uniform(0.006, 0.009),
        artefact_v_per_ma=4e-4 * trouble.artefact * rng.uniform(0.5, 1.5),
        artefact_tail_s=rng.uniform(0.001, 0.003),
        noise_v=rng.uniform(2e-6, 6e-6),
    )  # fmt: skip
    emg, rest_v = SurfaceEmg(muscle, np.ones((1, 1)), np.ones((1, 1)), seed), 1.2 * muscle.noise_v
    electrode = EmgElectrode(
        "emg", 0, "muscle", rest_v=rest_v, rest_sd_v=0.1 * rest_v, maximum_v=muscle.volition_v
    )
    estimator, law = EmgEstimator(EmgParams((electrode,))), Proportional(ProportionalParams())
    efforts_at = [(2.0 + 4.0 * k, 4.0 + 4.0 * k, rng.uniform(0.3, 1.0)) for k in range(3)]
    count, share, next_s, effort, largest = round(TICK_S * rate_hz), 0.0, 0.0, 0.0, 0.0
    rows: list[tuple[float, float, float]] = []
    for tick in range(round(LOOP_S / TICK_S)):
        at_s = tick * TICK_S
        if at_s >= trouble.from_s:
            emg.set_contact(0, trouble.contact)
        wanted = next((size for begin, end, size in efforts_at if begin <= at_s < end), 0.0)
        effort += (wanted - effort) * TICK_S / FALL_S
        effort = 0.0 if wanted == 0.0 and effort < 0.01 else effort
        given = []
        if share > 0.0 and at_s >= next_s:
            recruited = 1.0 / (1.0 + np.exp(-(share - 0.5) / 0.12))
            emg.pulse(at_s, 0, share * FULL_MA, 2e-6 * WIDTH_US, [recruited], [0.0])
            given, next_s = (
                [PulseGiven(0, START_NS + round(at_s * 1e9), share * FULL_MA, WIDTH_US)],
                at_s + 0.025,
            )
        volts = emg.read(at_s, rate_hz, np.full((count, 1), effort)).tolist()
        now_ns = START_NS + round((at_s + TICK_S) * 1e9)
        frame = EmgFrame(
            "emg", START_NS + round(at_s * 1e9), now_ns, tick * count, rate_hz, tuple(map(tuple, volts))
        )
        estimator.take(frame, given)
        seen = estimator.at(now_ns).muscles[0]
        out = law.step(TICK_S, seen.activation, seen.leak, seen.quality, seen.floor)
        share, largest = out.share, max(largest, out.loop_gain or 0.0)
        rows.append((at_s + TICK_S, effort, share))
    t_s, made, given_share = np.array(rows).T
    off_s = []
    for _, end, _ in efforts_at:
        over_s = t_s[(t_s > end) & (made == 0.0)][0]
        still = t_s[(t_s > over_s) & (t_s < end + 1.9) & (given_share > 0.0)]
        off_s.append(float(still[-1] - over_s) if len(still) else 0.0)
    resting = (made == 0.0) & np.array(
        [all(not begin <= t < end + 0.4 for begin, end, _ in efforts_at) for t in t_s]
    )
    return (
        off_s,
        float(np.mean(given_share[resting] > 0.0)),
        largest,
        float(np.mean(given_share[made > 0.1] > 0.0)),
    )
