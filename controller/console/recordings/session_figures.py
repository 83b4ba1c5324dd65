"""A session in a few numbers: the same ones after the walk, on the person's card and over the weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.analysis.summary import ArmSummary, Spread
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


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Over the arms with stimulation in which the guard was armed, weighted by the strides that count.

    ``strides`` are steps of the treated leg; ``toes_up_deg`` is the foot's pitch at initial contact and
    ``off_target_deg`` its r.m.s. error in swing, medians over strides; ``current_ma`` the median over
    strides of the largest current. None where it is not known, or a trial is blinded.
    """

    minutes: float
    strides: float
    toes_up_deg: float | None
    off_target_deg: float | None
    current_ma: float | None
    cadence_spm: float | None
    charge_uc: float | None


def session_figures(item: Recorded) -> SessionFigures | None:
    """None where there is nothing to tell: not summed up, not a walk, or never armed."""
    arms = [arm for arm in item.arms if arm.armed and arm.strides]
    if not arms:
        return None
    walked = [arm for arm in arms if arm.mode != "off"] or arms
    return SessionFigures(
        minutes=sum(arm.seconds for arm in arms) / 60.0,
        strides=float(sum(arm.strides for arm in arms)),
        toes_up_deg=_mean(walked, [_median(arm.foot_pitch_at_initial_contact_deg) for arm in walked]),
        off_target_deg=_mean(walked, [_median(arm.swing_pitch_rmse_deg) for arm in walked]),
        current_ma=_mean(walked, [_median(arm.current_ma) for arm in walked]),
        cadence_spm=_mean(walked, [_median(arm.cadence_spm) for arm in walked]),
        charge_uc=_mean(walked, [arm.charge_per_stride_uc for arm in walked]),
    )


def last_walk(sessions: Sequence[Recorded]) -> tuple[Recorded | None, SessionFigures | None]:
    """The newest session that has figures; without any, the newest there is."""
    for item in sessions:
        if (figures := session_figures(item)) is not None:
            return item, figures
    return (sessions[0], None) if sessions else (None, None)


def _median(value: Spread | None) -> float | None:
    return None if value is None else value.median


def _mean(arms: Sequence[ArmSummary], values: Sequence[float | None]) -> float | None:
    """Weighted by the strides that count; older summaries do not tell which ones do."""
    told = [
        (value, arm.counted_strides or arm.strides)
        for arm, value in zip(arms, values, strict=True)
        if value is not None
    ]
    weight = sum(strides for _, strides in told)
    return sum(value * strides for value, strides in told) / weight if weight else None
