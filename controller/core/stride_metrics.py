"""What a therapist reads of walking, stride by stride: times, symmetry, angles, variability.

Promises figures only of whole strides with every event they need; refuses to guess a missing event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from controller.core.signals import GaitEvent

STRIDE_MIN_S, STRIDE_MAX_S = 0.5, 4.0  # outside, two contacts are not one stride


@dataclass(frozen=True, slots=True)
class StrideMetrics:
    """One stride from contact to contact; angles in degrees, ``None`` where no sensor showed them.

    ``contact_pitch_deg`` is foot pitch (toe-up +) at the contact that ends the stride,
    ``contact_ankle_deg`` the
    ankle then (dorsiflexion +), ``peak_swing_ankle_deg`` and ``peak_swing_pitch_deg`` the largest in swing.
    """

    start_ns: int
    stride_s: float
    stance_s: float
    swing_s: float
    contact_pitch_deg: float | None
    contact_ankle_deg: float | None
    peak_swing_pitch_deg: float | None
    peak_swing_ankle_deg: float | None

    @property
    def cadence_spm(self) -> float:
        """Steps a minute, two to the stride."""
        return 120.0 / self.stride_s


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and coefficient of variation (standard deviation over mean, n - 1) of at least two values."""

    mean: float
    cv: float


class StrideMeter:
    """Collects one limb's strides from its events and, tick by tick, its angles."""

    def __init__(self) -> None:
        self._contact_ns: int | None = None
        self._toe_off_ns: int | None = None
        self._pitch_deg: float | None = None
        self._ankle_deg: float | None = None
        self._peak_pitch_deg: float | None = None
        self._peak_ankle_deg: float | None = None

    def angles(self, pitch_deg: float | None, ankle_deg: float | None) -> None:
        """The angles at this tick, before the events of the tick."""
        self._pitch_deg, self._ankle_deg = pitch_deg, ankle_deg
        if self._toe_off_ns is not None:
            self._peak_pitch_deg = larger(self._peak_pitch_deg, pitch_deg)
            self._peak_ankle_deg = larger(self._peak_ankle_deg, ankle_deg)

    def note(self, event: GaitEvent) -> StrideMetrics | None:
        """Take one event in the order of emission; the stride it completed, if any."""
        if event.kind == "toe_off" and self._contact_ns is not None:
            self._toe_off_ns = event.t_ns
            self._peak_pitch_deg = self._peak_ankle_deg = None
        if event.kind != "initial_contact":
            return None
        start_ns, toe_off_ns = self._contact_ns, self._toe_off_ns
        self._contact_ns, self._toe_off_ns = event.t_ns, None
        if start_ns is None or toe_off_ns is None:
            return None
        stride_s, stance_s = (event.t_ns - start_ns) * 1e-9, (toe_off_ns - start_ns) * 1e-9
        if not STRIDE_MIN_S <= stride_s <= STRIDE_MAX_S or not 0.0 < stance_s < stride_s:
            return None
        return StrideMetrics(
            start_ns, stride_s, stance_s, stride_s - stance_s,
            self._pitch_deg, self._ankle_deg, self._peak_pitch_deg, self._peak_ankle_deg,
        )  # fmt: skip


def larger(one: float | None, other: float | None) -> float | None:
    """The larger of two values, an absent one aside."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and variability; ``None`` for fewer than two values or a mean of zero."""
    if len(values) < 2:
        return None
    mean = fmean(values)
    if mean == 0.0:
        return None
    return Spread(mean, sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)) / abs(mean))


def symmetry_index_percent(left: float, right: float) -> float | None:
    """Robinson's index, 100 (left - right) / mean of both: 0 is symmetric; ``None`` where both are zero.

    Robinson, Herzog, Nigg: J Manipulative Physiol Ther 1987 10:172 (citation from memory, unverified).
    """
    total = left + right
    return 200.0 * (left - right) / total if total != 0.0 else None
