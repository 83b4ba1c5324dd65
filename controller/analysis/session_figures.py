"""A session in a few numbers, from the summaries of its arms: for home page, progress and catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.analysis.summary import ArmSummary, Spread


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
    toes_lifted_deg: float | None = None  # largest dorsiflexion in swing, median over strides
    unlifted_swings: int | None = None  # of all arms; None where one is blinded


def session_figures(summaries: Sequence[ArmSummary]) -> SessionFigures | None:
    """None where there is nothing to tell: not summed up, not a walk, or never armed."""
    arms = [arm for arm in summaries if arm.armed and arm.strides]
    if not arms:
        return None
    walked = stimulated(summaries)
    unlifted = [arm.unlifted_swings for arm in walked]
    return SessionFigures(
        minutes=sum(arm.seconds for arm in arms) / 60.0,
        strides=float(sum(arm.strides for arm in arms)),
        toes_up_deg=_mean(walked, [median(arm.foot_pitch_at_initial_contact_deg) for arm in walked]),
        off_target_deg=_mean(walked, [median(arm.swing_pitch_rmse_deg) for arm in walked]),
        current_ma=_mean(walked, [median(arm.current_ma) for arm in walked]),
        cadence_spm=_mean(walked, [median(arm.cadence_spm) for arm in walked]),
        charge_uc=_mean(walked, [arm.charge_per_stride_uc for arm in walked]),
        toes_lifted_deg=_mean(walked, [median(arm.peak_swing_dorsiflexion_deg) for arm in walked]),
        unlifted_swings=None if None in unlifted else sum(each or 0 for each in unlifted),
    )


def stimulated(summaries: Sequence[ArmSummary]) -> list[ArmSummary]:
    """The arms that a session\'s figures are of: the stimulated ones, or without any all that were walked."""
    arms = [arm for arm in summaries if arm.armed and arm.strides]
    return [arm for arm in arms if arm.mode != "off"] or arms


def median(value: Spread | None) -> float | None:
    return None if value is None else value.median


def weight(arm: ArmSummary) -> int:
    """Strides that count; older summaries do not tell which ones do."""
    return arm.counted_strides or arm.strides


def _mean(arms: Sequence[ArmSummary], values: Sequence[float | None]) -> float | None:
    """Weighted by the strides that count."""
    told = [(value, weight(arm)) for arm, value in zip(arms, values, strict=True) if value is not None]
    strides = sum(each for _, each in told)
    return sum(value * each for value, each in told) / strides if strides else None
