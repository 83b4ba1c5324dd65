"""Recorded walks through emulated armbands on the virtual radio, in real time: shin and calf by phase.

``python benchmarks/emg_live.py`` (five minutes): the treadmill walk by Myo and Ganglion, eight people of
Lencioni 2019 (doi 10.1038/s41597-019-0323-z) by Myo. Each value is the core's envelope over its own mean.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drivers.catalogue import SENSORS
from tests.data import DATA
from tests.drivers.emg.played import PARTS, Floats, by_phase, played, treadmill, walk_of, walked

STANCE_SHARE = 0.62  # of a stride; these recordings tell contacts alone
RATE_HZ = 1000.0


def lencioni(path: Path, to_hz: float) -> Floats:
    """One person's strides, one after the other: each goes from contact to contact."""
    with np.load(path) as file:
        rows = [str(name).lower() for name in file["muscles"]]
        both = [next(n for n, name in enumerate(rows) if name.startswith(want)) for want in ("ti", "ga")]
        strides = [1e-3 * file[key][both].T for key in sorted(file) if key.startswith("emg_mV_")]
    lengths_s = np.array([len(stride) / RATE_HZ for stride in strides])
    begins_s = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    volts = np.concatenate(strides)
    return walk_of(volts, RATE_HZ, begins_s, begins_s + STANCE_SHARE * lengths_s, to_hz)


def main() -> None:
    print(f"{'':24s}" + "".join(f"{part:>16s}" for part in PARTS) + "   agreement")
    walks = [
        (f"treadmill, {name}", name, treadmill(SENSORS[name].rate_hz)) for name in ("myo", "openbci-ganglion")
    ]
    for path in sorted((DATA / "emg_gait_lencioni").glob("*.npz")):
        walks.append((f"{path.stem}, myo", "myo", lencioni(path, SENSORS["myo"].rate_hz)))
    for title, device, columns in walks:
        seen, core = walked(played(device, columns, loss=0.01 if device == "myo" else 0.0))
        cells = [f"{shin:.2f} {calf:.2f}" for shin, calf in by_phase(seen).values()]
        agreement = "-" if core.agreement is None else f"{core.agreement:.2f}"
        print(
            f"{title:24s}" + "".join(f"{cell:>16s}" for cell in cells) + f"   {agreement} {core.finding}",
            flush=True,
        )


if __name__ == "__main__":
    main()
