"""Fatigue as one fitness number after Riener and Veltink, with its closed form for constant activation.

Promises fitness between its floor and 1; refuses activations and time constants that are not physical.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.jit import compiled
from models.recruitment import check


@dataclass(frozen=True, slots=True)
class FatigueParams:
    """Defaults as in cocofest; Riener 1996 quadriceps: 18 to 30 s, 30 to 50 s, 0.1 to 0.3 (unverified).

    ``beta`` is how much of the fatigue rate depends on frequency up to 100 Hz; 0 switches that off.
    """

    floor: float = 0.2
    fatigue_s: float = 30.0
    recovery_s: float = 50.0
    beta: float = 0.6

    def __post_init__(self) -> None:
        check("floor", self.floor, 0.0, 1.0)
        check("fatigue_s", self.fatigue_s, 0.1, 1e5)
        check("recovery_s", self.recovery_s, 0.1, 1e5)
        check("beta", self.beta, 0.0, 1.0)


@compiled
def frequency_factor(rate_hz: float, beta: float) -> float:
    """Share of the fatigue rate at a pulse rate; 1 at 100 Hz and above."""
    share = min(1.0, rate_hz / 100.0)
    return 1.0 - beta + beta * share * share


@compiled
def fitness_rate(fitness: float, load: float, floor: float, fatigue_s: float, recovery_s: float) -> float:
    """Time derivative of fitness, 1/s; ``load`` is activation times the frequency factor."""
    return (floor - fitness) * load / fatigue_s + (1.0 - fitness) * (1.0 - load) / recovery_s


@compiled
def fitness_after(
    fitness: float, load: float, span_s: float, floor: float, fatigue_s: float, recovery_s: float
) -> float:
    """Fitness after ``span_s`` seconds of constant load: exact, whatever the span."""
    wear, heal = load / fatigue_s, (1.0 - load) / recovery_s
    settled = (floor * wear + heal) / (wear + heal)
    return settled + (fitness - settled) * math.exp(-(wear + heal) * span_s)


def settled_fitness(activation: float, rate_hz: float, params: FatigueParams) -> tuple[float, float]:
    """Fitness that constant activation ends at, and the time constant in seconds of getting there."""
    check("activation", activation, 0.0, 1.0)
    check("rate_hz", rate_hz, 0.0, 1000.0)
    load = activation * frequency_factor(rate_hz, params.beta)
    wear, heal = load / params.fatigue_s, (1.0 - load) / params.recovery_s
    return (params.floor * wear + heal) / (wear + heal), 1.0 / (wear + heal)


def fitness_under(
    activation: float, rate_hz: float, span_s: float, params: FatigueParams, start: float = 1.0
) -> float:
    """Fitness after constant activation for ``span_s`` seconds from ``start``."""
    check("activation", activation, 0.0, 1.0)
    check("rate_hz", rate_hz, 0.0, 1000.0)
    check("span_s", span_s, 0.0, 1e6)
    check("start", start, 0.0, 1.0)
    load = activation * float(frequency_factor(rate_hz, params.beta))
    return float(fitness_after(start, load, span_s, params.floor, params.fatigue_s, params.recovery_s))
