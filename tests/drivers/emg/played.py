"""A recorded EMG through the live path: an emulated armband in a process of its own, real GATT, its driver.

The last column of what is played is a foot switch, so that phases need no clock but the sensor's.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.walking import CALF, SHIN, WalkingEmg
from drivers.catalogue import SENSORS
from drivers.devices import Body
from drivers.emulated.radio import RadioConditions, VirtualRadio
from drivers.interface import EmgFrame
from drivers.links.bumble_backend import bumble_backend
from tests.data import DATA

Floats = npt.NDArray[np.float64]
ADDRESS = "EMG of a walk"
STANCE_V = 100e-6  # of the foot switch; 0 in swing
TICK_NS = 5_000_000
BEHIND_S = 0.06  # half of the envelope's window
LATE_S = 3.0  # that the sensor may take to begin and to be heard to its end
PARTS = {  # of a stride, shares from touchdown
    "loading": (0.0, 0.1),
    "mid stance": (0.2, 0.3),
    "late stance": (0.3, 0.5),
    "swing": (0.7, 0.95),
}
STILL = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))


def walk_of(volts: Floats, rate_hz: float, touchdown_s: Floats, lift_off_s: Floats, to_hz: float) -> Floats:
    """Columns at a device's rate, and the foot switch: on from each touchdown to the lift-off after it."""
    at_rate = resample_poly(volts, round(to_hz), round(rate_hz), axis=0)
    t_s = np.arange(len(at_rate)) / to_hz
    stance = np.zeros(len(at_rate))
    for begin_s, end_s in zip(touchdown_s, lift_off_s, strict=True):
        stance[(t_s >= begin_s) & (t_s < end_s)] = STANCE_V
    return np.column_stack([at_rate, stance])


def played(device: str, columns: Floats, loss: float = 0.0) -> list[EmgFrame]:
    """The driver's frames of ``columns`` (V, at the device's rate), played once in real time.

    ``loss`` is the share of notifications that never arrive. A Ganglion's values are off by a constant from
    one to the next whole packet, which muscles bear and a foot switch does not: none for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "columns.npy"
        np.save(file, columns)
        command = [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.drivers.emg.played",
            device,
            str(file),
            str(loss),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            frames = asyncio.run(_heard(device, address, len(columns) / SENSORS[device].rate_hz))
            process.communicate(timeout=20.0)
    return frames


async def _heard(device: str, hci_address: str, seconds: float) -> list[EmgFrame]:
    backend = bumble_backend(hci_address)
    frames: list[EmgFrame] = []
    async with SENSORS[device].open("emg", ADDRESS, backend) as sensor:
        try:
            async with asyncio.timeout(seconds + 2.0 * LATE_S):
                async for sample in sensor:
                    if isinstance(sample, EmgFrame):
                        frames.append(sample)
                    if frames and sample.arrival_ns - frames[0].arrival_ns > (seconds - 0.1) * 1e9:
                        break
        except TimeoutError:
            pass  # the last of it was lost
    await backend.aclose()
    return frames


@dataclass(frozen=True, slots=True)
class Seen:
    """A tick of the core: when its newest sample was measured, envelopes in V, whether the foot swings."""

    at_s: float
    shin_v: float | None
    calf_v: float | None
    swinging: bool


def treadmill(to_hz: float) -> Floats:
    """Shin, calf and foot switch of emg_walk_TA_GM (Santuz 2019, doi 10.1016/j.isci.2019.100796)."""
    folder = DATA / "emg_walk_TA_GM"
    with (folder / "emg_uV.csv").open(newline="") as file:
        names = next(csv.reader(file))
    table = np.loadtxt(folder / "emg_uV.csv", delimiter=",", skiprows=1)
    cycles = np.loadtxt(folder / "cycles.csv", delimiter=",", skiprows=1) - table[0, 0]
    volts = 1e-6 * table[:, [names.index("TA"), names.index("GM")]]
    return walk_of(volts, 1000.0, cycles[:, 0], cycles[:, 1], to_hz)


def walked(frames: list[EmgFrame]) -> tuple[list[Seen], WalkingEmg]:
    """The core's EMG in gait over the frames, tick by tick as they arrived; column 0 shin, 1 calf."""
    electrodes = (EmgElectrode("emg", 0, SHIN), EmgElectrode("emg", 1, CALF))
    core, seen, waiting = WalkingEmg(EmgParams(electrodes)), list[Seen](), list(frames)
    newest: EmgFrame | None = None
    for now_ns in range(frames[0].arrival_ns, frames[-1].arrival_ns, TICK_NS):
        arrived = tuple(frame for frame in waiting if frame.arrival_ns <= now_ns)
        del waiting[: len(arrived)]
        newest = next((one for one in reversed(arrived) if one.valid and one.volts), newest)
        swinging = newest is not None and newest.volts[-1][2] < STANCE_V / 2.0
        estimate = core.step(now_ns, arrived, (), swinging=swinging, walking=True)
        if newest is not None:
            shin, calf = estimate.of(SHIN), estimate.of(CALF)
            at_s = newest.t_ns / 1e9 + (len(newest.volts) - 1) / newest.rate_hz
            seen.append(Seen(at_s, shin.envelope_v, calf.envelope_v, swinging))
    return seen, core


def by_phase(seen: list[Seen]) -> dict[str, tuple[float, float]]:
    """Shin's and calf's envelope in each part of the stride, each over its own mean."""
    touchdowns_s = [two.at_s for one, two in pairwise(seen) if one.swinging and not two.swinging]
    phases, values = list[float](), list[tuple[float, float]]()
    for begin_s, end_s in pairwise(touchdowns_s):
        for one in seen:
            share = (one.at_s - BEHIND_S - begin_s) / (end_s - begin_s)
            if 0.0 <= share < 1.0 and one.shin_v is not None and one.calf_v is not None:
                phases.append(share)
                values.append((one.shin_v, one.calf_v))
    at, table = np.array(phases), np.array(values)
    table = table / table.mean(axis=0)
    found = {name: table[(at >= low) & (at < high)].mean(axis=0) for name, (low, high) in PARTS.items()}
    return {name: (float(shin), float(calf)) for name, (shin, calf) in found.items()}


async def _serve(device: str, columns: Floats, loss: float) -> None:
    rate_hz, began_ns = SENSORS[device].rate_hz, list[int]()
    channels = max(8, columns.shape[1])

    def emg(t_ns: int) -> list[float] | None:
        began_ns[:] = began_ns or [t_ns]
        index = round((t_ns - began_ns[0]) / 1e9 * rate_hz)
        if not 0 <= index < len(columns):
            return None
        return [*columns[index].tolist(), *(0.0,) * (channels - columns.shape[1])]

    async with VirtualRadio(RadioConditions(jitter_ms=4.0, burst=0.02, loss=loss, seed=7)) as radio:
        await radio.add(SENSORS[device].emulate(ADDRESS, 1, Body(lambda _t_ns: STILL, emg)))
        print(radio.hci_address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("columns", type=Path)
    parser.add_argument("loss", type=float)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.device, np.load(arguments.columns), arguments.loss))


if __name__ == "__main__":
    main()
