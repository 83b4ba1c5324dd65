"""The identified muscle and foot as matrices over one swing: command cells in, torque and foot pitch out.

Everything the learning law, its bound and `dorsi tune` say about the plant comes from here. Refuses nothing:
its caller gives positive numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.core.control.ilc import closed
from controller.core.params import FootModel, MuscleModel

Matrix = NDArray[np.float64]
Curve = NDArray[np.float64]

SUBSTEP_S = 0.004  # the foot's fastest mode is about 10 ms


@dataclass(frozen=True, slots=True)
class Lifted:
    """``torque[k, i]``: mean Nm in cell k from 1 Nm commanded in cell i; ``pitch[k, i]``: rad at the end of
    cell k from the same; ``from_torque[k, i]``: rad from 1 Nm of torque in cell i."""

    torque: Matrix
    pitch: Matrix
    from_torque: Matrix


def lift(
    muscle: MuscleModel,
    foot: FootModel,
    stiffness_nm_per_rad: Curve,
    *,
    free: int,
    cell_s: float,
    hold_s: float,
    torque: Matrix | None = None,
    reflex: Matrix | None = None,
) -> Lifted:
    """Matrices (n, n) for n cells of ``cell_s`` seconds.

    ``stiffness_nm_per_rad`` (n,) is that of ankle and gravity; the foot stands before cell ``free``;
    ``hold_s`` is the mean time a pulse train needs to follow the command; ``torque`` is that of an earlier
    result with the same muscle and cells, if there is one; ``reflex`` (n, n) is the torque in Nm by which the
    calf resists each rad, if it does.
    """
    if torque is None:
        torque = muscle_matrix(muscle, len(stiffness_nm_per_rad), cell_s, hold_s)
    from_torque = _foot(foot, stiffness_nm_per_rad, free, cell_s)
    if reflex is not None:
        from_torque = closed(from_torque, reflex)
    return Lifted(torque, from_torque @ torque, from_torque)


def muscle_matrix(muscle: MuscleModel, cells: int, cell_s: float, hold_s: float) -> Matrix:
    """Mean torque (cells, cells) in each cell from 1 Nm commanded in each."""
    response = muscle_response(muscle, cells, cell_s, hold_s)
    late = np.arange(cells)[:, None] - np.arange(cells)[None, :]
    return np.where(late >= 0, response[np.abs(late)], 0.0)


def muscle_response(muscle: MuscleModel, cells: int, cell_s: float, hold_s: float) -> Curve:
    """Mean torque (n,) in each cell from 1 Nm commanded during the first."""
    rounds = max(1, round(cell_s / SUBSTEP_S))
    dt = cell_s / rounds
    late = round((muscle.delay_s + hold_s) / dt)
    decay = math.exp(-muscle.bandwidth_rps * dt)
    drag = muscle.bandwidth_rps * dt * decay
    first = second = 0.0
    response = []
    for k in range(cells):
        total = 0.0
        for j in range(rounds):
            command = 1.0 if late <= k * rounds + j < late + rounds else 0.0
            before = second
            second = decay * second + drag * first + (1.0 - decay - drag) * command
            first = decay * first + (1.0 - decay) * command
            total += (before + second) / 2.0
        response.append(total / rounds)
    return np.array(response)


def _foot(foot: FootModel, stiffness_nm_per_rad: Curve, free: int, cell_s: float) -> Matrix:
    """Foot angle at the end of each cell from a torque in each: implicit Euler, cell by cell."""
    cells = len(stiffness_nm_per_rad)
    rounds = max(1, round(cell_s / SUBSTEP_S))
    dt = cell_s / rounds
    inertia, damping, stiff = foot.inertia_kgm2, foot.damping_nms_per_rad, stiffness_nm_per_rad
    divisor = inertia + dt * damping + dt * dt * stiff
    once = np.empty((cells, 2, 2))
    once[:, 0, 0], once[:, 0, 1] = 1.0 - dt * dt * stiff / divisor, dt * inertia / divisor
    once[:, 1, 0], once[:, 1, 1] = -dt * stiff / divisor, inertia / divisor
    push = np.stack((dt * dt / divisor, dt / divisor), axis=1)[:, :, None]
    whole, pushed = once, push
    for _ in range(rounds - 1):
        whole, pushed = once @ whole, once @ pushed + push
    state = np.zeros((2, cells))
    out = np.zeros((cells, cells))
    for k in range(free, cells):
        state = whole[k] @ state
        state[:, k] += pushed[k, :, 0]
        out[k] = state[0]
    return out
