"""What a segment of EMG after a pulse would be without the person's own activity: four ways to predict it.

Each takes references (answers to earlier pulses, newest first) with the noise each carries, and the samples
of the segment that were seen; each returns what to take off and how much of the residual is the person's own.
"""

from __future__ import annotations

import math
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
        return _fit(directions @ rows[:ORDER], strength, y, good)
    whitened = rows / np.sqrt(noise_v2)[:, None]
    whitened = np.concatenate((whitened, known.changes / math.sqrt(known.activity_v2)))
    directions = principal(whitened[:, : len(y)][:, good])
    carried = np.sum(directions[:, : len(rows)] ** 2, axis=1)  # a change carries nearly no noise
    return _fit(directions @ whitened, 1.0 / np.maximum(carried, NO_POWER_V2), y, good)


def _fit(basis: Array, strength: Array, y: Array, good: Flags) -> Prediction:
    """Least squares on orthonormal directions; ``strength`` is each one's power over its noise per sample."""
    samples = int(np.count_nonzero(good))
    share = basis[:, : len(y)][:, good] @ y[good]
    volts = share @ basis
    left = (y - volts[: len(y)])[good]
    free = max(1, samples - len(share))
    residual_v2 = float(left @ left) / free
    added_v2 = float(np.sum(share**2 / strength))  # noise that came with the references
    kept = max(KEPT_MIN, 1.0 - added_v2 / max(residual_v2, NO_POWER_V2))
    return Prediction(volts, math.sqrt(kept * samples / free))


def _floor(samples: int, references: int) -> float:
    """Squared singular values of pure unit noise stay below this."""
    return (ABOVE_NOISE * (math.sqrt(samples) + math.sqrt(references))) ** 2


def principal(whitened: Array) -> Array:
    """What references of unit noise have in common beyond noise, as principal directions.

    Returns (p, references); times ``whitened`` these are orthonormal rows.
    """
    count, samples = whitened.shape
    strength, vectors = np.linalg.eigh(whitened @ whitened.T)
    most = max(1, min(ANSWERS_MAX, int(SHARE_MAX * samples)))
    floor = _floor(samples, count)
    kept = [i for i in range(count - 1, -1, -1) if strength[i] > floor][:most]
    directions: Array = vectors[:, kept].T / np.sqrt(strength[kept])[:, None]
    return directions


def orthogonalised(rows: Array, noise_v2: Array) -> tuple[Array, Array]:
    """The references made orthogonal one after the other (modified Gram-Schmidt), newest first.

    One of which no more than noise is left after the others adds nothing but noise and is left out.
    """
    count, samples = rows.shape
    most = max(1, min(count, int(SHARE_MAX * samples)))
    floor = _floor(samples, 1)
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
