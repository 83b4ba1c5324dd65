"""What is left of the person's own EMG under stimulation: the acceptance table of ``controller.core.emg``.

Recordings: arm EMG during stimulation (no log, no truth), walking EMG of shin and calf. Synthesised muscles
(``emg_stimulated.py``) have a truth. Each method beside the others in the same run. ``--only NAME`` runs one
part; parts that need recordings are left out where there are none.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
from emg_loop import loop
from emg_stimulated import METHODS, START_NS, Array, changing, frames, make, proportional, run, trigger
from scipy import signal

from controller.core.emg import estimator as estimator_room
from controller.core.emg.artefact import SATURATED, AmplifierCheck
from controller.core.emg.channel import MuscleChannel
from controller.core.emg.estimator import EmgEstimator
from controller.core.emg.m_wave import Cleaned
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.pulse_finder import PulseFinder

DATA = Path(os.environ.get("DORSI_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))
BEHIND_S = 0.06  # half the envelope's window


# --- recordings


class Listening(MuscleChannel):
    """A channel that keeps every clean sample that is known: time and volts."""

    def __init__(self, electrode: EmgElectrode, params: EmgParams) -> None:
        self.heard: list[tuple[int, float]] = []
        super().__init__(electrode, params)

    def _emit(self, samples: list[Cleaned]) -> None:
        self.heard += [(t_ns, volts) for t_ns, volts, known in samples if known]
        super()._emit(samples)


def handcycle() -> None:
    """Arm EMG during stimulation without a log: rails, pulses, and what is left of M-waves."""
    with np.load(DATA / "emg_fes_handcycle" / "fes_emg_16ch_0-3s.npz") as file:
        rate_hz, names, volts = (
            float(file["fs"]),
            [str(name) for name in file["names"]],
            file["emg_V"].astype(float).T,
        )
    clipped = total = wrong = 0
    for column in volts.T:
        check, truth = AmplifierCheck(rate_hz, None), np.abs(column) > 5.3e-3
        said = np.array([check.step(float(x)) == SATURATED for x in column])
        total, clipped, wrong = (
            total + truth.sum(),
            clipped + (said & truth).sum(),
            wrong + (said & ~truth).sum(),
        )
    print(f"arm recording: {clipped} of {total} samples on the rail found, {wrong} others")
    finder = PulseFinder(rate_hz, len(names))
    found = [one for n, row in enumerate(volts) if (one := finder.step(round(n * 1e9 / rate_hz), row))]
    print(f"  {len(found)} pulses found; at the side stimulated, burst by burst (pulses, median interval):")
    for side, electrodes in (("right", ("bic_d", "tric_d")), ("left", ("bic_g", "tri_g"))):
        given = reference_pulses(volts[:, [names.index(name) for name in electrodes]], rate_hz)
        bursts = np.split(given, np.flatnonzero(np.diff(given) > 0.045) + 1)
        times = np.array([one.t_ns / 1e9 for one in found])
        met = [int(np.sum([np.min(np.abs(times - one)) <= 0.0025 for one in burst])) for burst in bursts]
        steps = [1e3 * np.median(np.diff(burst)) for burst in bursts if len(burst) > 2]
        print(
            f"    {side:5s} {sum(met)} of {len(given)}: "
            + ", ".join(f"{m}/{len(b)}" for m, b in zip(met, bursts, strict=True))
            + f"; {np.median(steps):.1f} ms"
        )
    print(
        "  r.m.s. to 16 ms after a pulse over that from 16 ms on, each channel, pulses at least 20 ms apart:"
    )
    times_ns = np.array([one.t_ns for one in found]) + START_NS
    long = np.append(np.diff(times_ns) > 20e6, False)
    for method in METHODS:
        params = EmgParams(
            tuple(EmgElectrode("emg", n, name) for n, name in enumerate(names)), method=method, pulses="found"
        )
        with patch.object(estimator_room, "MuscleChannel", Listening):
            estimator = EmgEstimator(params)
        run(estimator, frames(volts, rate_hz), ())
        cells = []
        for channel in estimator._channels:
            heard = np.array(channel.heard)
            if len(heard) == 0:
                continue
            at = np.searchsorted(times_ns, heard[:, 0], side="right") - 1
            use = (at >= 0) & long[at]
            since_s = (heard[:, 0] - times_ns[at]) / 1e9
            early, late = (
                heard[use & (since_s < 0.016), 1],
                heard[use & (since_s >= 0.016) & (since_s < 0.03), 1],
            )
            if len(early) > 50 and len(late) > 50:
                cells.append(
                    f"{channel.electrode.muscle} {np.sqrt(np.mean(early**2) / np.mean(late**2)):.2f}"
                )
        print(f"    {method}: " + ", ".join(cells))


def reference_pulses(volts: Array, rate_hz: float) -> Array:
    """Pulse times at the stimulated muscles' own electrodes: onsets of the artefact, in seconds."""
    curve = np.max(np.abs(np.diff(volts, 2, axis=0)), axis=1)
    quiet = np.median(curve)
    window = round(0.02 * rate_hz)
    out: list[float] = []
    for n in range(4, len(curve)):
        before = np.max(curve[max(0, n - 8) : n - 1])
        if curve[n] > 3.0 * before and curve[n] > 4.0 * quiet and (not out or n - out[-1] > window):
            out.append(n)
    return (np.array(out) + 2) / rate_hz


# --- walking


def phases() -> None:
    """Envelopes of shin and calf over the stride, each over its own mean, in walking without stimulation."""
    print(
        "walking: envelope over its mean (loading 0 to 10 % of a stride, mid stance 20 to 30, late 30 to 50,"
    )
    print("swing 70 to 95 %); half the window taken off the time")
    walks: dict[str, list[tuple[Array, Array]]] = {"treadmill TA": [], "treadmill GM": []}
    table = np.loadtxt(DATA / "emg_walk_TA_GM" / "emg_uV.csv", delimiter=",", skiprows=1)
    with (DATA / "emg_walk_TA_GM" / "emg_uV.csv").open() as file:
        names = next(csv.reader(file))
    cycles = np.loadtxt(DATA / "emg_walk_TA_GM" / "cycles.csv", delimiter=",", skiprows=1)
    seen = _walked(1e-6 * table[:, [names.index("TA"), names.index("GM")]], 1000.0)
    for begin, end in zip(cycles[:-1, 0], cycles[1:, 0], strict=True):
        at = (seen[0] - BEHIND_S - (begin - table[0, 0])) / (end - begin)
        for k, name in enumerate(("treadmill TA", "treadmill GM")):
            walks[name].append((at, seen[1 + k]))
    for path in sorted((DATA / "emg_gait_lencioni").glob("*.npz")):
        with np.load(path) as file:
            rows = [str(name) for name in file["muscles"]]
            both = [
                next(n for n, name in enumerate(rows) if name.lower().startswith(want))
                for want in ("ti", "ga")
            ]
            for key in (name for name in file if name.startswith("emg_mV_")):
                stride = 1e-3 * file[key][both].T
                seen = _walked(np.tile(stride, (3, 1)), 1000.0)  # one stride alone has no past
                at = (seen[0] - BEHIND_S) / (len(stride) / 1000.0) - 2.0
                for k, name in enumerate(("TA", "GM")):
                    walks.setdefault(f"{path.stem} {name}", []).append((at, seen[1 + k]))
    for name, strides in walks.items():
        at, value = (np.concatenate(part) for part in zip(*strides, strict=True))
        inside = (at >= 0.0) & (at < 1.0) & np.isfinite(value)
        mean = np.mean(value[inside])
        cells = [
            np.mean(value[inside & (at >= low) & (at < high)]) / mean
            for low, high in ((0, 0.1), (0.2, 0.3), (0.3, 0.5), (0.7, 0.95))
        ]
        print(
            f"  {name:14s} loading {cells[0]:.2f}, mid stance {cells[1]:.2f}, "
            f"late stance {cells[2]:.2f}, swing {cells[3]:.2f}"
        )


def _walked(volts: Array, rate_hz: float) -> tuple[Array, Array, Array]:
    params = EmgParams(tuple(EmgElectrode("emg", n, name) for n, name in enumerate(("TA", "GM"))))
    seen = run(EmgEstimator(params), frames(volts, rate_hz), ())
    value = np.array([[np.nan if m.envelope_v is None else m.envelope_v for m in e.muscles] for e in seen])
    return np.array([(e.now_ns - START_NS) / 1e9 for e in seen]), value[:, 0], value[:, 1]


# --- cost


def cost(seconds: float) -> None:
    """Processor time of 8 channels at 1 kHz, all stimulated at 40 Hz, beside offline tools."""
    made = make(seconds, 1000.0, 40.0, seed=3, share=lambda *_: 0.6)
    volts = np.repeat(made.volts, 8, axis=1)
    params = EmgParams(tuple(EmgElectrode("emg", n, str(n), rest_v=5e-6, rest_sd_v=5e-7) for n in range(8)))
    estimator, given = EmgEstimator(params), frames(volts, 1000.0)

    def spent() -> float:
        return 100.0 * (time.process_time() - begun) / seconds

    begun = time.process_time()
    run(estimator, given, made.pulses)
    print(f"cost of 8 channels at 1 kHz, pulses 40 Hz: {spent():.1f} % of a core, causal")
    begun = time.process_time()
    band = signal.sosfiltfilt(
        signal.butter(2, (20.0, 400.0), "bandpass", fs=1000.0, output="sos"), volts, axis=0
    )
    for mains_hz in (50.0, 150.0):
        band = signal.filtfilt(*signal.iirnotch(mains_hz, 30.0, 1000.0), band, axis=0)
    for (
        pulse
    ) in made.pulses:  # a template of the 25 samples after each pulse, taken off: whole recording in view
        first = round((pulse.t_ns - START_NS) / 1e6)
        band[first : first + 5] = 0.0
    firsts = [round((p.t_ns - START_NS) / 1e6) for p in made.pulses]
    cut = np.array([band[first : first + 25] for first in firsts if first + 25 <= len(band)])
    for first, one in zip(firsts, cut - np.mean(cut, axis=0), strict=False):
        band[first : first + 25] = one
    signal.sosfiltfilt(signal.butter(2, 5.0, fs=1000.0, output="sos"), np.abs(band), axis=0)
    print(f"  scipy.signal offline (band-pass, notches, mean answer taken off, envelope): {spent():.2f} %")
    if find_spec("neurokit2") is None:
        print("  neurokit2 is not installed (pip install neurokit2): left out")
        return
    import neurokit2

    neurokit2.emg_process(volts[:3000, 0], sampling_rate=1000)  # what the first call loads is not counted
    begun = time.process_time()
    for column in volts.T:
        neurokit2.emg_process(column, sampling_rate=1000)
    print(f"  neurokit2 {neurokit2.__version__} offline (no M-waves taken off): {spent():.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", help="one part: changing, trigger, proportional, loop, cost, handcycle, phases"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run of changing")
    parser.add_argument("--minutes", type=float, default=10.0, help="of rest with stimulation")
    parser.add_argument("--patients", type=int, default=20, help="in proportional control")
    args = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "changing": lambda: changing(args.seconds),
        "trigger": lambda: trigger(args.minutes),
        "proportional": lambda: proportional(args.patients),
        "loop": lambda: loop(args.patients),
        "cost": lambda: cost(20.0),
    }
    if DATA.is_dir():
        parts |= {"handcycle": handcycle, "phases": phases}
    for name, part in parts.items():
        if args.only in (None, name):
            part()


if __name__ == "__main__":
    main()
