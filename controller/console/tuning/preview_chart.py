"""Curves over the stride as a drawing that needs no script: two walks and a reference band.

Promises readable axes for any finite values; refuses nothing. Whoever cannot see it has the table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from controller.console.render import TEMPLATES

WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 18, 10, 30
STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
LINES_MAX = 6  # horizontal ones


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, evenly spaced over the stride; ``look`` is its class in the style sheet."""

    values: Sequence[float]
    look: str


def chart(title: str, lines: Sequence[Line], x_words: str, *, from_zero: bool = False) -> Markup:
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

    levels = [low + number * step for number in range(round((high - low) / step) + 1)]
    return TEMPLATES.render(
        "tuning/curves.html",
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        rows=[(y(value), value) for value in levels],
        columns=[(x(percent), percent) for percent in range(0, 101, 20)],
        x_words=x_words,
        lines=[
            (
                line.look,
                [(x(100.0 * i / max(1, len(line.values) - 1)), y(v)) for i, v in enumerate(line.values)],
            )
            for line in lines
        ],
    )
