"""A comparison of a model with its reference, and the section of a report that holds some of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: ``figure`` must not exceed ``tolerance`` (or must reach it, ``at_least``)."""

    block: str
    reference: str
    figure: float
    tolerance: float
    unit: str
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """A figure that is not a number never passes."""
        return bool(self.figure >= self.tolerance if self.at_least else self.figure <= self.tolerance)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, with a plot."""

    title: str
    rows: tuple[Row, ...]
    image_png: bytes | None = None


def png(draw: Callable[[Figure], None], size: tuple[float, float] = (11.0, 4.0)) -> bytes:
    """A figure that ``draw`` fills, as bytes of a PNG."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=80)
    return out.getvalue()
