"""From activation to current and back, for one channel at its full width: the identified recruitment."""

from __future__ import annotations

from typing import NamedTuple

from controller.core.params import CoreParams, MuscleModel, SecondChannel
from models.recruitment import RecruitmentParams, fraction, inverse

THRESHOLD_FRACTION = 0.01  # below this share of the fibres nothing moves: the motor threshold
# As needed, less than this is not asked for: it lifts a foot by one or two degrees, at more than half of the
# current that the whole lift takes.
REST_FRACTION = 0.03
FULL_FRACTION = 0.99  # beyond this the curve is flat and more current only hurts


def curve_of(model: MuscleModel | SecondChannel) -> RecruitmentParams:
    return RecruitmentParams(i50_ma=model.i50_ma, sigma=model.sigma, chronaxie_us=model.chronaxie_us)


class Recruitment(NamedTuple):
    curve: RecruitmentParams
    width_us: float

    @staticmethod
    def first(params: CoreParams) -> Recruitment:
        return Recruitment(curve_of(params.muscle), params.pulse.width_us)

    @staticmethod
    def second(params: CoreParams) -> Recruitment | None:
        """Of the channel that turns the foot, where there is one."""
        return None if params.second is None else Recruitment(curve_of(params.second), params.second.width_us)

    @property
    def threshold_ma(self) -> float:
        return inverse(THRESHOLD_FRACTION, self.width_us, self.curve)

    def for_activation(self, activation: float) -> float:
        """Current in mA for a share of fibres; the threshold current for less than the threshold's share."""
        bounded = min(FULL_FRACTION, max(THRESHOLD_FRACTION, activation))
        return inverse(bounded, self.width_us, self.curve)

    def activation_of(self, current_ma: float) -> float:
        return fraction(current_ma, self.width_us, self.curve) if current_ma > 0 else 0.0
