"""What a segment of EMG after a pulse would be without the person's own activity: four ways to predict it.

Each takes references (answers to earlier pulses, newest first) with the noise each carries, and the samples
of the segment that were seen; each returns what to take off and how much of the residual is the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.core.emg.params import MWaveMethod

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
ABOVE_NOISE = 1.2  # a direction of pure noise is rarely so much above the largest expected
ANSWERS_MAX = 6  # directions; M-waves of one muscle differ in size, delay and width
SHARE_MAX = 0.25  # of the samples seen, that directions may take from them
KEPT_MIN = 0.1  # of the residual's power, where nearly all of it is noise of the references
ORDER = 6  # of the Gram-Schmidt filter (Yeom 2005)
NO_POWER_V2 = 1e-30


@dataclass(frozen=True, slots=True)
class Prediction:
    """``volts`` (frame,) to take off; the residual times ``gain`` has the power of the person's activity."""

    volts: Array
    gain: float


@dataclass(frozen=True, slots=True)
class References:
    """Answers to earlier pulses, newest first, on the grid of the segment to be predicted.

    ``rows`` (n, frame) with the power ``noise_v2`` (n,) of the noise in each; ``changes`` (m, frame) is what
    a usual change of delay or width would add, of use where it is above the power ``activity_v2`` of the
    person's own activity.
    """

    rows: Array
    noise_v2: Array
    changes: Array
    activity_v2: float


def predict(method: MWaveMethod, known: References, y: Array, good: Flags) -> Prediction:
    """What to take off the samples ``y`` of which ``good`` were seen, and off those that follow."""
    rows, noise_v2 = known.rows, known.noise_v2
    if method == "blanking":
        return Prediction(np.zeros(rows.shape[1]), 1.0)
    if method == "comb":
        return Prediction(rows[0], math.sqrt(0.5))
    if method == "gram-schmidt":
        directions, strength = orthogonalised(rows[:ORDER, : len(y)][:, good], noise_v2[:ORDER])
        basis = directions @ rows[:ORDER]
        kept = np.array([len(basis)])
        return _fit(basis[None], strength[None], kept, y[None], good[None])[0]
    return predict_together([known], [y], [good])[0]


def predict_together(
    known: Sequence[References], y: Sequence[Array], good: Sequence[Flags]
) -> list[Prediction]:
    """The prediction of several channels at once, as of each alone; all of the same shapes."""
    rows = np.array([one.rows for one in known])
    scale = np.sqrt([one.noise_v2 for one in known])
    changes = np.array([one.changes for one in known])
    activity_v2 = np.array([one.activity_v2 for one in known])
    whitened = np.concatenate(
        (rows / scale[:, :, None], changes / np.sqrt(activity_v2)[:, None, None]), axis=1
    )
    seen = np.array(good)
    samples = len(y[0])
    directions, kept = principal(whitened[:, :, :samples] * seen[:, None, :], np.count_nonzero(seen, axis=1))
    # the noise of references alone: a change carries nearly none
    carried = np.sum(directions[:, :, : rows.shape[1]] ** 2, axis=2)
    strength = 1.0 / np.maximum(carried, NO_POWER_V2)
    return _fit(directions @ whitened, strength, kept, np.array(y), seen)


def _fit(basis: Array, strength: Array, kept: Array, y: Array, good: Flags) -> list[Prediction]:
    """Least squares of each channel on ``kept`` orthonormal directions, those after them zero.

    ``strength`` is each direction's power over its noise per sample.
    """
    length = y.shape[1]
    samples = np.count_nonzero(good, axis=1)
    share = (basis[:, :, :length] @ (y * good)[:, :, None])[:, :, 0]
    volts = (share[:, None, :] @ basis)[:, 0, :]
    left = (y - volts[:, :length]) * good
    free = np.maximum(1, samples - kept)
    residual_v2 = np.sum(left * left, axis=1) / free
    added_v2 = np.sum(share**2 / strength, axis=1)  # noise that came with the references
    power = np.maximum(KEPT_MIN, 1.0 - added_v2 / np.maximum(residual_v2, NO_POWER_V2))
    gain = np.sqrt(power * samples / free).tolist()
    return [Prediction(one, its) for one, its in zip(volts, gain, strict=True)]


def _floor(samples: Array | int, references: int) -> Array | float:
    """Squared singular values of pure unit noise stay below this."""
    floor: Array | float = (ABOVE_NOISE * (np.sqrt(samples) + math.sqrt(references))) ** 2
    return floor


def principal(whitened: Array, samples: Array) -> tuple[Array, Array]:
    """What references of unit noise have in common beyond noise, as principal directions, strongest first.

    ``whitened`` (channels, references, frame) is zero where it was not seen, ``samples`` how many were seen.
    Returns (channels, p, references) and how many of the p each channel has; the others are zero. Times
    ``whitened`` they are orthonormal rows.
    """
    count = whitened.shape[1]
    strength, vectors = np.linalg.eigh(whitened @ whitened.transpose(0, 2, 1))
    strength, vectors = strength[:, : -ANSWERS_MAX - 1 : -1], vectors[:, :, : -ANSWERS_MAX - 1 : -1]
    most = np.maximum(1, np.minimum(ANSWERS_MAX, (SHARE_MAX * samples).astype(int)))
    used = strength > np.asarray(_floor(samples, count))[:, None]
    used &= np.arange(strength.shape[1]) < most[:, None]
    weight = np.where(used, 1.0 / np.sqrt(np.where(used, strength, 1.0)), 0.0)
    return (vectors * weight[:, None, :]).transpose(0, 2, 1), np.count_nonzero(used, axis=1)


def orthogonalised(rows: Array, noise_v2: Array) -> tuple[Array, Array]:
    """The references made orthogonal one after the other (modified Gram-Schmidt), newest first.

    One of which no more than noise is left after the others adds nothing but noise and is left out.
    """
    count, samples = rows.shape
    most = max(1, min(count, int(SHARE_MAX * samples)))
    floor = float(_floor(samples, 1))
    left, mix = rows.copy(), np.eye(count)
    directions: list[Array] = []
    strength: list[float] = []
    for k in range(count):
        power = float(left[k] @ left[k])
        noise = float(np.sum(mix[k] ** 2 * noise_v2))
        if power <= floor * noise or len(directions) >= most:
            continue
        unit = left[k] / math.sqrt(power)
        directions.append(mix[k] / math.sqrt(power))
        strength.append(power / noise)
        for later in range(k + 1, count):
            share = float(left[later] @ unit)
            left[later] -= share * unit
            mix[later] -= share * directions[-1]
    return np.array(directions).reshape(-1, count), np.array(strength)
