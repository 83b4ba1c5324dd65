"""Curves over the stride as a drawing that needs no script: two walks and a reference band.

Promises readable axes for any finite values; refuses nothing. Whoever cannot see it has the table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 18, 10, 30
STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
LINES_MAX = 6  # horizontal ones


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, evenly spaced over the stride; ``look`` is its class in the style sheet."""

    values: Sequence[float]
    look: str


def chart(title: str, lines: Sequence[Line], x_words: str, *, from_zero: bool = False) -> str:
    """The curves over 0 to 100 % of the stride, as SVG."""
    low = min(min(line.values) for line in lines)
    high = max(max(line.values) for line in lines)
    low = min(low, 0.0) if from_zero else low
    step = next((s for s in STEPS if (high - low) / s <= LINES_MAX), STEPS[-1])
    low, high = step * math.floor(low / step), step * max(math.ceil(high / step), math.floor(low / step) + 1)

    def x(percent: float) -> float:
        return LEFT + percent / 100.0 * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts: list[str] = []
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        parts.append(f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for percent in range(0, 101, 20):
        parts.append(f'<text x="{x(percent):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{percent}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 1}" text-anchor="middle">{escape(x_words)}</text>')
    for line in lines:
        last = max(1, len(line.values) - 1)
        points = " ".join(f"{x(100.0 * i / last):.1f},{y(v):.1f}" for i, v in enumerate(line.values))
        parts.append(f'<polyline class="{line.look}" points="{points}"/>')
    return (
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
