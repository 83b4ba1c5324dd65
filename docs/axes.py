"""The picture of signs in docs/concepts.md: ``python docs/axes.py`` draws docs/axes.png."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

Point = tuple[float, float]
KNEE: Point = (0.0, 1.0)
SHANK_PITCH_DEG, FOOT_PITCH_DEG = 22.0, 15.0  # both drawn positive
LIMB = {"color": "#1b3a57", "linewidth": 9, "solid_capstyle": "round"}
HELP = {"color": "#8a94a0", "linewidth": 1.2, "linestyle": "--"}
SIGN = {"color": "#b3261e", "linewidth": 1.8}


def turned(start: Point, length: float, deg: float) -> Point:
    """``length`` from ``start``; 0 deg points forward, positive turns upwards."""
    return start[0] + length * math.cos(math.radians(deg)), start[1] + length * math.sin(math.radians(deg))


def line(ax: Axes, *points: Point, **style: object) -> None:
    ax.plot(*zip(*points, strict=True), **style)  # type: ignore[arg-type]


def angle(
    ax: Axes, centre: Point, radius: float, first_deg: float, last_deg: float, *, text: str = ""
) -> None:
    """An arc with an arrow at its positive end, and its words there."""
    steps = [first_deg + (last_deg - first_deg) * k / 30 for k in range(31)]
    line(ax, *(turned(centre, radius, deg) for deg in steps), **SIGN)
    tip, before = turned(centre, radius, last_deg), turned(centre, radius, steps[-3])
    ax.annotate("", tip, before, arrowprops={"arrowstyle": "-|>", "color": SIGN["color"], "lw": 1.8})
    ax.annotate(
        text,
        turned(centre, radius + 0.05, (first_deg + last_deg) / 2),
        fontsize=11,
        color="#b3261e",
        va="center",
    )


def draw(file: Path) -> None:
    ankle = turned(KNEE, 0.75, -90.0 + SHANK_PITCH_DEG)
    heel, toes = (
        turned(ankle, 0.16, 180.0 + FOOT_PITCH_DEG + 35.0),
        turned(ankle, 0.42, FOOT_PITCH_DEG - 12.0),
    )
    figure, ax = plt.subplots(figsize=(7.2, 5.2), layout="constrained")
    line(ax, turned(KNEE, 0.35, 125.0), KNEE, ankle, **LIMB)
    line(ax, heel, ankle, toes, heel, **LIMB)
    line(ax, KNEE, turned(KNEE, 0.62, -90.0), **HELP)
    line(ax, heel, turned(heel, 0.85, 0.0), **HELP)
    sole_deg = math.degrees(math.atan2(toes[1] - heel[1], toes[0] - heel[0]))
    line(ax, heel, turned(heel, 0.85, sole_deg), **HELP)
    angle(ax, KNEE, 0.5, -90.0, -90.0 + SHANK_PITCH_DEG)
    ax.annotate("shank pitch +\nankle forward of the knee", (0.24, 0.62), fontsize=11, color="#b3261e")
    angle(ax, heel, 0.78, 0.0, sole_deg, text=" foot pitch +\n toes up")
    ax.annotate(
        "ankle = foot pitch − shank pitch\ndorsiflexion +", (ankle[0] + 0.08, ankle[1] + 0.12), fontsize=11
    )
    for place, point in (("knee", KNEE), ("heel", heel)):
        ax.annotate(place, (point[0] - 0.06, point[1]), fontsize=11, ha="right", va="center")
    ax.annotate(
        "walking", (0.95, 1.28), (0.6, 1.28), fontsize=11, va="center", arrowprops={"arrowstyle": "-|>"}
    )
    ax.set_aspect("equal")
    ax.set_xlim(-0.35, 1.45)
    ax.axis("off")
    figure.savefig(file, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    draw(Path(__file__).with_name("axes.png"))
