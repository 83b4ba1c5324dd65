"""A session in a few numbers: the same ones after the walk, on the person's card and over the weeks."""

from __future__ import annotations

from collections.abc import Sequence

from controller.analysis.session_figures import SessionFigures
from controller.analysis.session_figures import session_figures as figures_of
from controller.console.recordings.recorded import Recorded

FIVE = ("minutes", "strides", "toes_up_deg", "off_target_deg", "current_ma")  # what every session is told by
UNITS = {
    "minutes": "min",
    "strides": "",
    "toes_up_deg": "°",
    "off_target_deg": "°",
    "current_ma": "mA",
    "cadence_spm": "unit.cadence",
    "charge_uc": "µC",
}


def session_figures(item: Recorded) -> SessionFigures | None:
    """None where there is nothing to tell: not summed up, not a walk, or never armed."""
    return figures_of(item.arms)


def last_walk(sessions: Sequence[Recorded]) -> tuple[Recorded | None, SessionFigures | None]:
    """The newest session that has figures; without any, the newest there is."""
    for item in sessions:
        if (figures := session_figures(item)) is not None:
            return item, figures
    return (sessions[0], None) if sessions else (None, None)
