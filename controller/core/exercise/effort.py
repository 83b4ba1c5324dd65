"""The person's own effort in an exercise: what a muscle's signal says, and whether it is a try.

A share of the person's largest signal, with hysteresis and a refractory time. Where the signal is not to be
relied on there is no effort and no try.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core.emg.estimator import EmgEstimate, EmgEstimator, MuscleEmg
from controller.core.emg.params import EmgParams
from controller.core.signals import EmgView, PulseGiven
from drivers.interface import EmgFrame


@dataclass(frozen=True, slots=True)
class EffortParams:
    """``muscles`` are those whose signal counts, each an electrode of ``emg``; shares of the person's largest
    signal. ``try_s``: how long a try is waited for; None: without end.
    """

    emg: EmgParams
    threshold: float
    release: float
    refractory_s: float
    try_s: float | None = None
    gain: float = 1.0  # proportional: share of the current for the whole signal
    floor: float = 0.0
    ceiling: float = 1.0


@dataclass(slots=True)
class Effort:
    """Follows the signal; ``tried`` is true at the tick at which a try begins."""

    params: EffortParams
    tried: bool = False
    trying: bool = False
    _estimator: EmgEstimator = field(init=False)
    _seen: EmgEstimate | None = None
    _ready_ns: int | None = None  # before it no try counts

    def __post_init__(self) -> None:
        self._estimator = EmgEstimator(self.params.emg)

    @property
    def activation(self) -> float | None:
        """The strongest muscle's share of its largest signal; None where no signal is to be relied on."""
        known = [one.activation for one in self._muscles if not one.quality]
        return max(known, default=None)

    @property
    def _muscles(self) -> tuple[MuscleEmg, ...]:
        return () if self._seen is None else self._seen.muscles

    def take(
        self, now_ns: int, frames: tuple[EmgFrame, ...], pulses: tuple[PulseGiven, ...], *, resting: bool
    ) -> None:
        """What has arrived since the last tick; ``resting``: the person is told to rest."""
        self._estimator.resting(now_ns, resting)
        self._estimator.told(pulses)
        for frame in frames:
            self._estimator.take(frame)
        self._seen = self._estimator.at(now_ns)
        self._judge(now_ns)

    def rested(self, now_ns: int) -> None:
        """A contraction is over: the next try counts after the refractory time."""
        self._ready_ns = now_ns + round(self.params.refractory_s * 1e9)
        self.trying = False

    def view(self) -> tuple[EmgView, ...]:
        return tuple(
            EmgView(
                muscle=one.muscle,
                activation=None if one.quality else one.activation,
                threshold=self.params.threshold,
                quality=one.quality,
                triggered=self.trying,
            )
            for one in self._muscles
        )

    def _judge(self, now_ns: int) -> None:
        share = self.activation
        self.tried = False
        if share is None or share < self.params.release:
            self.trying = False
        elif share >= self.params.threshold and not self.trying:
            self.trying = self.tried = self._ready_ns is None or now_ns >= self._ready_ns
