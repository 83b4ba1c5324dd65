"""Learning from stride to stride: the command over the swing, moved by what the last swing lacked.

Promises that on the model the error shrinks by at least ``bound`` a stride; each change is bounded. Pure:
arrays in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """What an update weighs against the squared pitch error (rad, summed over the cells)."""

    change: float  # (rad/Nm)^2 per cell, on the change of the command
    bend: float  # on the command's second difference: a zero-phase low-pass over the swing
    step: float  # of the optimal change that is taken, below 1 for robustness


@dataclass(frozen=True, slots=True)
class Law:
    """``u + learn @ e - smooth @ u`` is the next command; ``norm`` (n, n) measures commands."""

    learn: Matrix
    smooth: Matrix
    norm: Matrix


def law(pitch: Matrix, error_weight: Curve, change: Curve, weights: Weights) -> Law:
    """Norm-optimal: of the change du that minimises |W(e - P du)|^2 + change |du|^2 + bend |D2 (u + du)|^2
    it takes ``step``.

    ``change`` (n,) adds to the weight of single cells, which keeps a command where it has no authority.
    """
    cells = pitch.shape[1]
    second = np.diff(np.eye(cells), 2, axis=0)
    bend = weights.bend * second.T @ second
    weighted = pitch.T * error_weight
    norm = weighted @ pitch + np.diag(weights.change + change) + bend
    solved = np.asarray(np.linalg.solve(norm, np.concatenate((weighted, bend), axis=1)), dtype=np.float64)
    rows = pitch.shape[0]
    return Law(weights.step * solved[:, :rows], weights.step * solved[:, rows:], norm)


def closed(plant: Matrix, feedback: Matrix) -> Matrix:
    """The plant as a command beside ``feedback`` (n, n; Nm from rad of error) sees it: within a swing
    feedback answers a part of what the command does."""
    return np.asarray(np.linalg.solve(np.eye(len(plant)) + plant @ feedback, plant), dtype=np.float64)


def feedback_matrix(
    cells: int, cell_s: float, *, free: int, kp_nm_per_rad: float, td_s: float, late_s: float
) -> Matrix:
    """Proportional and rate feedback (n, n), Nm from rad; errors are seen late and before ``free`` none."""
    late, rate = round(late_s / cell_s), td_s / cell_s
    made = kp_nm_per_rad * ((1.0 + rate) * np.eye(cells, k=-late) - rate * np.eye(cells, k=-late - 1))
    made[:, :free] = 0.0
    return made


def bound(plant: Matrix, update: Law) -> float:
    """Largest factor by which a command's distance from its limit can grow in a stride on ``plant``.

    The command obeys u' = (I - learn P - smooth) u + learn (r - y0), P with its feedback closed: below 1 it
    converges, and never away from the limit, in the norm that the update itself minimises.
    """
    step = np.eye(plant.shape[1]) - update.learn @ plant - update.smooth
    root = np.linalg.cholesky(update.norm)
    return float(np.linalg.norm(np.linalg.solve(root, step.T @ root), 2))


def limited(change: Curve, most: float) -> Curve:
    """A change of the command, scaled down as a whole where its largest cell exceeds ``most``."""
    largest = float(np.max(np.abs(change), initial=0.0))
    return change if largest <= most else change * (most / largest)
