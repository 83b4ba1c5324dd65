"""Speed of the models on one core: the patient against real time, ``simulate`` against a general solver.

Promises to measure both sides of each ratio in the same run; fails when a budget is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from models.exercise_patient import ExercisePatient
from models.muscle import DING2003, simulate
from models.patient import VirtualPatient

REAL_TIME_NEEDED = 500.0
SOLVER_RATIO_NEEDED = 100.0
EMG_SHARE_ALLOWED = 10.0  # % of a core
LINEAR_WITHIN = 1.5  # cost of four times the work over four times the cost


def patient_seconds(seconds: int, seed: int = 1) -> float:
    """Processor time of one patient: two channels at 40 Hz, two IMUs at 120 Hz, 8-channel EMG at 200 Hz."""
    patient = VirtualPatient(seed=seed)
    begin = time.process_time()
    for second in range(seconds):
        for k in range(40):
            patient.pulse(second + k / 40, 0, 28.0, 300.0)
            patient.pulse(second + k / 40, 1, 24.0, 300.0)
        patient.imu_block("foot", float(second), 120, 120.0)
        patient.imu_block("shank", float(second), 120, 120.0)
        patient.emg(float(second), 200, 200.0)
    return time.process_time() - begin


def emg_share_percent(seconds: int = 10) -> float:
    """Share of a core for 8 channels at 1 kHz, asked sample by sample, with the body and its pulses."""
    patient = ExercisePatient()
    begin = time.process_time()
    for sample in range(1000 * seconds):
        if sample % 25 == 0:
            patient.pulse(sample / 1000.0, 0, 16.0, 300.0)
        patient.emg(sample / 1000.0, 1, 1000.0)
    return 100.0 * (time.process_time() - begin) / seconds


def best(work: Callable[[], object], times: int) -> float:
    """Shortest processor time of several runs: what one core needs when nobody disturbs it."""
    shortest = float("inf")
    for _ in range(times):
        begin = time.process_time()
        work()
        shortest = min(shortest, time.process_time() - begin)
    return shortest


def general_solver() -> float:
    """Peak force of a 1 s train at 40 Hz by solve_ivp, RK45, rtol 1e-8, on the same equations."""
    p = DING2003
    pulses = np.arange(40) / 40
    ratio = np.concatenate(([1.0], 1.0 + (p.km_rest + p.r0_offset - 1.0) * np.exp(-np.diff(pulses) / p.tc_s)))

    def rhs(t: float, y: np.ndarray) -> list[float]:
        past = pulses <= t
        drive = float(np.sum(ratio[past] * np.exp(-(t - pulses[past]) / p.tc_s)))
        bound = y[0] / (p.km_rest + y[0])
        return [
            (drive - y[0]) / p.tc_s,
            p.a_rest_n_per_s * bound - y[1] / (p.tau1_rest_s + p.tau2_s * bound),
        ]

    y, peak = np.zeros(2), 0.0
    for start, end in zip(pulses, [*pulses[1:], 1.0], strict=True):
        part = solve_ivp(rhs, (start, end), y, method="RK45", rtol=1e-8, atol=1e-10)
        y, peak = part.y[:, -1], max(peak, float(part.y[1].max()))
    return peak


def main() -> int:
    """Print the figures; 0 when every budget is kept."""
    VirtualPatient.compile()
    ExercisePatient.compile()
    patient_seconds(2)
    emg_share = min(emg_share_percent() for _ in range(3))
    short, long = (min(patient_seconds(n) for _ in range(3)) for n in (30, 120))
    real_time = 120.0 / long
    pulses = np.arange(40) / 40
    simulate("ding2003", pulses, t_s=1.0)
    ours = best(lambda: simulate("ding2003", pulses, t_s=1.0), 200)
    theirs = best(general_solver, 3)
    apart = abs(simulate("ding2003", pulses, t_s=1.0).force_n.max() - general_solver())
    in_time = long / (4 * short)
    in_patients = best(lambda: [patient_seconds(10, seed) for seed in range(8)], 2) / (
        4 * best(lambda: [patient_seconds(10, seed) for seed in range(2)], 3)
    )
    rows = [
        ("patient, times real time", real_time, real_time >= REAL_TIME_NEEDED, f">= {REAL_TIME_NEEDED:.0f}"),
        (
            "EMG at 1 kHz, % of a core",
            emg_share,
            emg_share <= EMG_SHARE_ALLOWED,
            f"<= {EMG_SHARE_ALLOWED:.0f}",
        ),
        ("simulate, times faster than RK45", theirs / ours, theirs / ours >= SOLVER_RATIO_NEEDED, ">= 100"),
        ("cost of 4 x the time over 4 x the cost", in_time, in_time <= LINEAR_WITHIN, f"<= {LINEAR_WITHIN}"),
        (
            "cost of 4 x the patients over 4 x",
            in_patients,
            in_patients <= LINEAR_WITHIN,
            f"<= {LINEAR_WITHIN}",
        ),
        ("peak against RK45, N", apart, apart < 0.01, "< 0.01"),
    ]
    for name, value, kept, budget in rows:
        print(f"{name:42s} {value:10.3g}   {budget:8s} {'ok' if kept else 'MISSED'}")
    return 0 if all(kept for _, _, kept, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
