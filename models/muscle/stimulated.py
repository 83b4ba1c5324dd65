"""One muscle under stimulation: pulses that wait for their instant, force, and the fatigue it costs.

A row holds the states of the force model, then fitness, the pulse rate, and the pulses taken and sent so far.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.jit import compiled
from models.muscle.ding import FORCE, LAST, STATES, Constants, advance, pulse, rest
from models.muscle.fatigue import fitness_rate, frequency_factor

Array = npt.NDArray[np.float64]

QUEUE = 256
FITNESS, RATE, TAKEN, SENT = STATES, STATES + 1, STATES + 2, STATES + 3
MUSCLE_WIDTH = STATES + 4
FATIGUE_BETA = 0.6  # share of the fatigue rate that depends on frequency (unverified)


class Tiring(NamedTuple):
    """Full force in newtons, floor of fitness, time constants of fatigue and recovery in seconds."""

    force_ref_n: float
    fatigue_min: float
    fatigue_s: float
    recovery_s: float


def rested(muscles: int, constants: Constants) -> tuple[Array, Array]:
    """Rows of rested muscles, and their empty queues (muscles, QUEUE, 4)."""
    rows = np.zeros((muscles, MUSCLE_WIDTH))
    for row in rows:
        rest(row[:STATES], constants)
    rows[:, FITNESS] = 1.0
    return rows, np.zeros((muscles, QUEUE, 4))


def send(row: Array, queue: Array, now_s: float, delay_s: float, recruited: float, current_ma: float) -> None:
    """Have a pulse of ``now_s`` reach the muscle ``delay_s`` later, never before an earlier pulse."""
    index = int(row[SENT])
    if index - int(row[TAKEN]) >= QUEUE - 8:
        raise ValueError(f"t_s: found {QUEUE} pulses ahead of the model's time, allowed: fewer")
    arrival = max(now_s + delay_s, float(queue[(index - 1) % QUEUE, 0]) if index else 0.0)
    queue[index % QUEUE] = arrival, recruited, now_s, current_ma
    row[SENT] += 1


@compiled
def contract(m: Array, queue: Array, now: float, t1: float, tiring: Tiring, c: Constants) -> None:
    """One muscle from ``now`` to ``t1``, every pulse at its own instant; then fatigue."""
    at = now
    while m[SENT] > m[TAKEN] and queue[int(m[TAKEN]) % QUEUE, 0] < t1:
        entry = queue[int(m[TAKEN]) % QUEUE]
        arrival = max(at, entry[0])
        if arrival > at:
            advance(m, arrival - at, c)
        m[RATE] = 1.0 / max(arrival - m[LAST], 0.005)
        pulse(m, arrival, 1.0, entry[1], c)
        at = arrival
        m[TAKEN] += 1.0
    if t1 > at:
        advance(m, t1 - at, c)
    rate_hz = m[RATE] if now - m[LAST] < 0.2 else 0.0
    load = min(1.0, m[FORCE] / tiring.force_ref_n) * frequency_factor(rate_hz, FATIGUE_BETA)
    m[FITNESS] += (t1 - now) * fitness_rate(
        m[FITNESS], load, tiring.fatigue_min, tiring.fatigue_s, tiring.recovery_s
    )
