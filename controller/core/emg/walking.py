"""Shin and calf in walking: what the person does of the lift, and whether the muscles see the same phase.

Tibialis anterior works in swing, gastrocnemius in stance (Perry 1992). Both are a second witness of the phase
and a measure of volition, shown and recorded; they steer nothing.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field

from controller.core.emg.estimator import EmgEstimate, EmgEstimator
from controller.core.emg.params import EmgParams
from controller.core.emg.placement import SwapCheck
from controller.core.signals import PulseGiven
from drivers.interface import EmgFrame

SHIN, CALF = "dorsiflexors", "calf"
KNOWN_SHARE = 0.5  # of a swing in which the signal was to be relied on; below, the swing tells nothing
MEAN_S = 5.0  # time constant of each muscle's usual size: some strides
FORGETS_S = 8.0  # of the agreement
SETTLED_S = 3.0  # of known walking before the muscles are asked
GAP_MAX_S = 0.1  # between two ticks; longer is a new start


@dataclass(slots=True)
class WalkingEmg:
    """Feed every tick. ``volition``: mean activation of the shin over the last swing, 0 to 1 of the person's
    maximum; ``agreement``: share of the walking time in which muscles and gait see the same phase.
    """

    params: EmgParams
    volition: float | None = None
    agreement: float | None = None
    finding: str = ""
    _estimator: EmgEstimator = field(init=False)
    _swaps: SwapCheck = field(default_factory=SwapCheck)
    _seen: EmgEstimate | None = None
    _last_ns: int | None = None
    _swing_s: float = 0.0
    _known_s: float = 0.0
    _effort_s: float = 0.0
    _walked_s: float = 0.0
    _usual_v: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._estimator = EmgEstimator(self.params)

    def step(
        self,
        now_ns: int,
        frames: tuple[EmgFrame, ...],
        pulses: tuple[PulseGiven, ...],
        *,
        swinging: bool,
        walking: bool,
    ) -> EmgEstimate:
        """One tick: what has arrived, and what the gait says."""
        self._estimator.told(pulses)
        for frame in frames:
            self._estimator.take(frame)
        seen = self._seen = self._estimator.at(now_ns)
        elapsed_s = 0.0 if self._last_ns is None else (now_ns - self._last_ns) / 1e9
        self._last_ns = now_ns
        if 0.0 < elapsed_s < GAP_MAX_S:
            self._follow_swing(elapsed_s, seen, swinging=swinging and walking)
            if walking:
                self._compare(elapsed_s, seen, swinging=swinging)
        return seen

    @property
    def mark(self) -> int:
        """A checksum over what it believes."""
        return zlib.crc32(repr((self.volition, self.agreement, self._usual_v, self._swing_s)).encode())

    def _follow_swing(self, elapsed_s: float, seen: EmgEstimate, *, swinging: bool) -> None:
        shin = next((one for one in seen.muscles if one.muscle == SHIN), None)
        if swinging:
            self._swing_s += elapsed_s
            if shin is not None and not shin.quality:
                self._known_s += elapsed_s
                self._effort_s += elapsed_s * shin.activation
        elif self._swing_s > 0.0:
            known = self._known_s >= KNOWN_SHARE * self._swing_s
            self.volition = self._effort_s / self._known_s if known and self._known_s > 0.0 else None
            self._swing_s = self._known_s = self._effort_s = 0.0

    def _compare(self, elapsed_s: float, seen: EmgEstimate, *, swinging: bool) -> None:
        """Each muscle over its own usual size: the one that is further above it names the phase."""
        sizes = {
            one.muscle: one.envelope_v
            for one in seen.muscles
            if not one.quality and one.envelope_v is not None and one.muscle in (SHIN, CALF)
        }
        if len(sizes) < 2:
            return
        step = 1.0 - math.exp(-elapsed_s / MEAN_S)
        for muscle, size_v in sizes.items():
            usual_v = self._usual_v.get(muscle, size_v)
            self._usual_v[muscle] = usual_v + step * (size_v - usual_v)
        self._swaps.take(swinging=swinging, tibialis_v=sizes[SHIN], gastrocnemius_v=sizes[CALF])
        self.finding = self._swaps.finding
        self._walked_s += elapsed_s
        if self._walked_s < SETTLED_S or min(self._usual_v.values()) <= 0.0:
            return
        says_swing = sizes[SHIN] / self._usual_v[SHIN] > sizes[CALF] / self._usual_v[CALF]
        agrees = float(says_swing == swinging)
        before = agrees if self.agreement is None else self.agreement
        self.agreement = before + (1.0 - math.exp(-elapsed_s / FORGETS_S)) * (agrees - before)
