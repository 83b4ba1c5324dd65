"""What the judge finds: one promise each, with the worst figure and how often it was put to the test."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

SIGNIFICANT = 1 + 1e-9  # sums of doubles


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: how often it was put to the test, the worst figure, the limit, and whether it was kept.

    ``id`` is a fault of the fault table or the name of a limit. ``worst`` is ``None`` where nothing was seen.
    """

    id: str
    promise: str
    kept: bool
    seen: int
    worst: float | None
    limit: float | None
    unit: str
    detail: str = ""

    @property
    def word(self) -> str:
        return "broken" if not self.kept else "kept" if self.seen else "not put to the test"


def worst_of(
    id_: str, promise: str, unit: str, limit: float, values: Iterable[float], *, least: bool = False
) -> Finding:
    """A ceiling, or with ``least`` a floor, over all ``values``."""
    found = values if isinstance(values, array) else list(values)
    if not found:
        return Finding(id_, promise, True, 0, None, limit, unit)
    worst = min(found) if least else max(found)
    kept = worst * SIGNIFICANT >= limit if least else worst <= limit * SIGNIFICANT
    return Finding(id_, promise, kept, len(found), worst, limit, unit)


def none_broken(id_: str, promise: str, seen: int, broken: list[str]) -> Finding:
    """A promise that may not be broken once."""
    return Finding(
        id_,
        promise,
        not broken,
        seen,
        float(len(broken)) if seen else None,
        0.0,
        "times",
        "; ".join(broken[:3]),
    )


def as_table(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    """Rows for people: word, id, promise, worst figure, times seen, detail."""
    return [
        (
            finding.word,
            finding.id,
            finding.promise,
            "-" if finding.worst is None else f"{finding.worst:.4g} {finding.unit}",
            str(finding.seen),
            finding.detail,
        )
        for finding in findings
    ]
