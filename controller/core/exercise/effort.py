"""The person's own effort in an exercise: a try, a proportion, and the support that it leaves needed.

A share of the person's largest signal, with hysteresis and a refractory time. A try begins from a muscle that
was seen at rest. Where the signal is not to be relied on there is no effort, no try, no proportional current.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core.emg.assist import AssistAsNeeded, AssistParams
from controller.core.emg.estimator import EmgEstimate, EmgEstimator, MuscleEmg
from controller.core.emg.params import EmgParams
from controller.core.emg.proportional import Proportional, ProportionalOutput, ProportionalParams
from controller.core.signals import EmgView, PulseGiven
from drivers.interface import EmgFrame

IDLE = "no contraction is asked for"


@dataclass(frozen=True, slots=True)
class EffortParams:
    """Each electrode of ``emg`` counts; shares of the person's largest signal. ``try_s``: how long a try is
    waited for; None: without end. ``assist`` withdraws support as the effort nears ``goal``; None: it stays.
    """

    emg: EmgParams
    threshold: float
    release: float
    refractory_s: float
    try_s: float | None = None
    proportional: ProportionalParams | None = None
    assist: AssistParams | None = None
    goal: float = 0.6


@dataclass(slots=True)
class Effort:
    """Follows the signal; ``tried`` is true at the tick at which a try begins."""

    params: EffortParams
    tried: bool = False
    trying: bool = False
    _estimator: EmgEstimator = field(init=False)
    _proportional: dict[str, Proportional] = field(init=False)
    _shares: dict[str, ProportionalOutput] = field(default_factory=dict)
    _assist: AssistAsNeeded | None = field(init=False)
    _seen: EmgEstimate | None = None
    _ready_ns: int | None = None  # before it no try counts
    _relaxed: bool = False  # seen below the release since the last effort, contraction or lost signal
    _effort_s: float = 0.0  # of the present contraction, activation times time
    _known_s: float = 0.0

    def __post_init__(self) -> None:
        params = self.params
        self._estimator = EmgEstimator(params.emg)
        given = params.proportional
        electrodes = () if given is None else params.emg.electrodes
        self._proportional = {one.muscle: Proportional(given) for one in electrodes if given is not None}
        self._assist = None if params.assist is None else AssistAsNeeded(params.assist)

    @property
    def activation(self) -> float | None:
        """The strongest muscle's share of its largest signal; None where no signal is to be relied on."""
        known = [one.activation for one in self._muscles if not self._why_not(one)]
        return max(known, default=None)

    @property
    def support(self) -> float:
        """Share of the current that the person still needs."""
        return 1.0 if self._assist is None else self._assist.support

    @property
    def own_share(self) -> float | None:
        """The person's part of the last movement."""
        return None if self._assist is None else self._assist.own_share

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

    def contracts(self, elapsed_s: float, *, on: bool) -> None:
        """One tick of a contraction, or of none."""
        for one in self._muscles:
            if (proportional := self._proportional.get(one.muscle)) is not None:
                quality = (one.quality or one.slow) if on else IDLE
                self._shares[one.muscle] = proportional.step(
                    elapsed_s, one.activation, one.leak, quality, one.floor
                )
        if on and self.activation is not None:
            self._effort_s += elapsed_s * self.activation
            self._known_s += elapsed_s

    def share(self, muscle: str) -> float:
        """Of this muscle's current, what its own signal asks for, or the first one's where it has none."""
        output = self._shares.get(muscle) or next(iter(self._shares.values()), None)
        return 0.0 if output is None else output.share

    def rested(self, now_ns: int) -> None:
        """A contraction is over: what did the person do, and from when does the next try count?"""
        self._ready_ns = now_ns + round(self.params.refractory_s * 1e9)
        self.trying = self._relaxed = False
        if self._assist is not None and self._known_s > 0.0:
            own = self._effort_s / self._known_s
            self._assist.movement(own / self.params.goal, own)
        self._effort_s = self._known_s = 0.0

    @property
    def marks(self) -> tuple[float | None, tuple[EmgView, ...], bool]:
        """What the next judgement depends on, for a checksum."""
        return self.activation, self.view(), self._relaxed

    @staticmethod
    def _why_not(one: MuscleEmg) -> str:
        """Why this muscle's signal is not to be relied on; '' where it is."""
        return one.quality or (one.slow if one.stimulated else "")

    def view(self) -> tuple[EmgView, ...]:
        return tuple(
            EmgView(
                muscle=one.muscle,
                activation=None if self._why_not(one) else one.activation,
                threshold=self.params.threshold,
                quality=self._why_not(one) or (one.slow if self._proportional else ""),
                triggered=self.trying,
                own_share=self.own_share,
                support=None if self._assist is None else self.support,
                loop_gain=output.loop_gain if (output := self._shares.get(one.muscle)) else None,
                m_wave_v=one.m_wave_v,
            )
            for one in self._muscles
        )

    def _judge(self, now_ns: int) -> None:
        share = self.activation
        self.tried = False
        if share is None or share < self.params.release:
            self.trying, self._relaxed = False, share is not None
        elif share >= self.params.threshold and self._relaxed:
            self._relaxed = False
            self.trying = self.tried = self._ready_ns is None or now_ns >= self._ready_ns
