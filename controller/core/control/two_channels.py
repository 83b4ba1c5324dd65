"""Two channels that lift and turn the foot: who gets how much, and what the next stride should ask.

Promises dorsiflexion first: eversion gives way where both cannot be had. Refuses a map by which the second
channel cannot turn the foot. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from controller.core.params import ResponseMap, SecondChannel
from models.recruitment import RecruitmentParams, fraction

LANDING_NS = (
    60_000_000  # the inversion that counts is that of the swing's end, with which the foot is set down
)
WIDENS_NS = 200_000_000  # before the landing, within which the band grows to its width in mid-swing
SWING_NS = 1_000_000_000  # no swing lasts longer
FLAT_SHARE = (0.15, 0.35)  # of a stride since contact: the sole is on the ground, its roll there is the zero
KEPT_NS = 300_000_000  # what was given: a landing and the muscles' lag behind it
SEEN_LEAST = 3  # samples; fewer say nothing
LOST_NM = 0.02  # below this nothing was lost: 0.3 deg on a subtalar joint of 4 Nm/rad
EVERTED_DEG, EVERTED_STRIDES = 3.0, 3  # in a row beyond the target: this is no chance, the electrode is
AUTHORITY_NM = 0.5  # of eversion at full recruitment: a second channel with less steers nothing


HALF_POINTS = np.linspace(0.7, 1.5, 81)  # of the first channel's half-point: tried for the second one


@dataclass(frozen=True, slots=True)
class Shares:
    """Activations of both channels, 0 to 1; what was asked and cannot be had, in Nm."""

    first: float
    second: float
    lost_dorsiflexion_nm: float
    lost_eversion_nm: float


def identify_map(
    activations: Sequence[tuple[float, float]], torques_nm: Sequence[tuple[float, float]]
) -> ResponseMap:
    """Least squares from holds on a torque plate: activations of both channels, torques (dorsiflexion,
    eversion). Each test's offset of the plate is the same and is found beside the map.

    Raises ValueError for fewer than four holds, holds that do not tell the channels apart, or a second
    channel without authority.
    """
    if len(activations) != len(torques_nm) or len(activations) < 4:
        raise ValueError(f"holds: found {len(activations)}, allowed: 4 or more, each with its torques")
    design = np.column_stack((np.array(activations), np.ones(len(activations))))
    if np.linalg.matrix_rank(design, tol=1e-3) < 3:
        raise ValueError("holds: found no difference between the channels, allowed: each alone, two levels")
    solved, *_ = np.linalg.lstsq(design, np.array(torques_nm), rcond=None)
    (first_df, first_ev), (second_df, second_ev) = solved[:2].tolist()
    if second_ev < AUTHORITY_NM:
        raise ValueError(f"second channel: found {second_ev:.2f} Nm eversion, allowed: {AUTHORITY_NM:g} up")
    return ResponseMap((first_df, second_df), (first_ev, second_ev))


def identify_second(
    first: RecruitmentParams,
    currents_ma: Sequence[tuple[float, float]],
    torques_nm: Sequence[tuple[float, float]],
    width_us: float,
) -> tuple[RecruitmentParams, ResponseMap]:
    """The second channel's recruitment and the map, from the currents and torques of holds.

    Its half-point is the one that explains the holds best; spread and chronaxie are taken from the first
    channel, whose pads lie on the same leg. Raises ValueError as :func:`identify_map`.
    """
    torques = np.array(torques_nm)

    def tried(share: float) -> tuple[float, RecruitmentParams, ResponseMap]:
        second = replace(first, i50_ma=share * first.i50_ma)
        active = [
            (fraction(a, width_us, first) if a else 0.0, fraction(b, width_us, second) if b else 0.0)
            for a, b in currents_ma
        ]
        response = identify_map(active, torques_nm)
        left = torques - np.array(active) @ np.array([response.dorsiflexion_nm, response.eversion_nm]).T
        return float(((left - left.mean(axis=0)) ** 2).sum()), second, response

    _, second, response = min((tried(float(share)) for share in HALF_POINTS), key=lambda found: found[0])
    return second, response


def share_out(response: ResponseMap, first: float, eversion_nm: float, second_max: float) -> Shares:
    """Activations that dorsiflex as ``first`` alone would, and evert by ``eversion_nm`` (Nm).

    Where an activation ends at its bound, dorsiflexion is kept and eversion lost.
    """
    (lift, lift_by_second), (turn, turn_by_second) = response.dorsiflexion_nm, response.eversion_nm
    ratio = lift_by_second / lift
    second = (eversion_nm - turn * first) / (turn_by_second - turn * ratio)
    second = min(second_max, max(0.0, second))
    if first - ratio * second > 1.0 and ratio < 0.0:
        second = max(0.0, (first - 1.0) / ratio)
    if first - ratio * second < 0.0 and ratio > 0.0:
        second = first / ratio
    own = min(1.0, max(0.0, first - ratio * second))
    return Shares(
        own,
        second,
        lift * first - (lift * own + lift_by_second * second),
        eversion_nm - (turn * own + turn_by_second * second),
    )


@dataclass(slots=True)
class Steering:
    """Eversion from stride to stride: one demand for a swing, moved by the inversion the last one had."""

    model: SecondChannel
    demand_nm: float = 0.0
    inversion_deg: float | None = None  # of the last landing, against the foot flat on the ground
    everted: int = 0  # strides in a row in which the first channel alone turned the foot out too far
    _zero_deg: float | None = None
    _swing: list[tuple[int, float]] = field(default_factory=list)  # time ns, roll deg
    _flat: list[float] = field(default_factory=list)
    _lost: list[tuple[int, float]] = field(default_factory=list)  # time ns, eversion Nm

    @property
    def advice(self) -> str:
        """What only a person can mend; empty where there is nothing."""
        if self.everted < EVERTED_STRIDES:
            return ""
        return "; the first channel alone turns the foot out: move its electrode"

    def in_swing(self, t_ns: int, roll_deg: float) -> None:
        """One sample of the swinging foot's roll, inversion +."""
        self._swing = [*_since(self._swing, t_ns - SWING_NS), (t_ns, roll_deg)]

    def in_stance(self, roll_deg: float, share: float) -> None:
        """One sample of the standing foot's roll, ``share`` of a stride after its contact."""
        if FLAT_SHARE[0] <= share <= FLAT_SHARE[1]:
            self._flat.append(roll_deg)

    def given(self, acts_ns: int, shares: Shares) -> None:
        """What left in this tick and when the muscles will have followed it: the demand is not to run away
        from what can be had.
        """
        self._lost = [*_since(self._lost, acts_ns - KEPT_NS), (acts_ns, shares.lost_eversion_nm)]

    def close(self, *, ordinary: bool) -> None:
        """A stride has ended: move the demand by its error, beyond the band, within the bound of a stride.

        A swing that was not stimulated says nothing of the demand.
        """
        if len(self._flat) >= SEEN_LEAST:
            self._zero_deg = float(np.mean(self._flat))
        landing = _since(self._swing, self._swing[-1][0] - LANDING_NS) if self._swing else []
        if len(landing) >= SEEN_LEAST and self._zero_deg is not None:
            self.inversion_deg = float(np.mean([roll_deg for _, roll_deg in landing])) - self._zero_deg
            lost = [nm for t_ns, nm in _since(self._lost, landing[0][0]) if t_ns <= landing[-1][0]]
            if ordinary and lost:
                self._move(self.inversion_deg, self._inverted_deg(landing[0][0]), float(np.mean(lost)))
        self._swing, self._flat, self._lost = [], [], []

    def _inverted_deg(self, landing_ns: int) -> float:
        """Mean inversion beyond the band before the landing, deg; eversion there does no harm."""
        assert self._zero_deg is not None
        before = np.array([one for one in self._swing if one[0] < landing_ns])
        if len(before) < SEEN_LEAST:
            return 0.0
        model, left = self.model, np.minimum(1.0, (self._swing[-1][0] - before[:, 0]) / WIDENS_NS)
        band_deg = model.band_deg + left * max(0.0, model.swing_band_deg - model.band_deg)
        beyond = before[:, 1] - self._zero_deg - model.target_deg - band_deg
        return float(np.mean(np.maximum(0.0, beyond)))

    def _move(self, inversion_deg: float, before_deg: float, lost_nm: float) -> None:
        """``before_deg`` counts where the landing itself is within its band."""
        model = self.model
        error_deg = inversion_deg - model.target_deg
        beyond_deg = max(0.0, abs(error_deg) - model.band_deg) * (1.0 if error_deg > 0.0 else -1.0)
        beyond_deg = beyond_deg or before_deg
        wish_nm = model.step * beyond_deg / model.compliance_deg_per_nm
        change_nm = min(model.change_max_nm, max(-model.change_max_nm, wish_nm))
        self.everted = self.everted + 1 if error_deg < -EVERTED_DEG and lost_nm < -LOST_NM else 0
        if abs(lost_nm) <= LOST_NM or lost_nm * change_nm < 0.0:
            given_nm = self.demand_nm - (lost_nm if lost_nm * change_nm < 0.0 else 0.0)
            self.demand_nm = given_nm + change_nm


def _since(timed: list[tuple[int, float]], first_ns: int) -> list[tuple[int, float]]:
    return [one for one in timed if one[0] >= first_ns]
