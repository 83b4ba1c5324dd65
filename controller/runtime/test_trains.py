"""Test trains as the controller process takes them: asked for by a person, one small step at a time.

Promises a train only at most one step above the last one given, a smaller one once the person feels them.
Refuses a current above the session's, a train while one runs, and a jump.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.core.output.test_train import Probe
from controller.core.params import CoreParams
from controller.core.signals import ProbeRequest

HOLD_MAX_S = 1.8  # 2.5 s with its ramps, below the guard's longest train
FIRST_MAX_MA = 6.0  # what a search may begin with: below what most people feel at 300 us
UNFELT_STEP_MAX_MA, FELT_STEP_MAX_MA = 2.0, 1.0


@dataclass(frozen=True, slots=True)
class ProbeWish:
    """A person asks for one train; 0 mA ends the one that runs.

    ``felt``: an earlier one was felt. ``accepted_ma``: the most this person has accepted; up to it no search
    is needed. ``hold_s``: between the ramps.
    """

    current_ma: float
    felt: bool = False
    accepted_ma: float = 0.0
    hold_s: float = 1.0


END = ProbeWish(0.0)


@dataclass(frozen=True, slots=True)
class FootTurn:
    """How the foot had turned at its highest in a train, degrees from where it began; toes up, inversion +.

    As the walking angles are found: a quick lift is told too large, and a foot that is held up sinks.
    """

    up_deg: float
    inward_deg: float


@dataclass(frozen=True, slots=True)
class ProbeTold:
    """What the console is told: the last request, whether it runs, how it ended, the most allowed next, and
    once it has ended how the foot turned; None where no sensor of the foot saw it.
    """

    number: int
    current_ma: float
    running: bool
    ended: str
    next_max_ma: float
    refused: str = ""
    turned: FootTurn | None = None


class Probing:
    """Numbers the requests and holds the search to small steps."""

    def __init__(self) -> None:
        self._number = 0
        self._given_ma = 0.0  # the largest that was given whole, or accepted before
        self._felt = False
        self._request: ProbeRequest | None = None
        self._refused = ""
        self._from_rad: tuple[float, float] | None = None  # pitch and roll of the foot as the train began
        self._turned: FootTurn | None = None
        self._running = False

    def ask(self, wish: ProbeWish, params: CoreParams, probe: Probe) -> None:
        """Take a wish for the next tick, or keep why not."""
        self._felt = self._felt or wish.felt
        if math.isfinite(wish.accepted_ma):
            self._given_ma = max(self._given_ma, wish.accepted_ma)
        self._refused = self._why_not(wish, params, probe)
        if not self._refused:
            self._number += 1
            self._request = ProbeRequest(self._number, wish.current_ma, wish.hold_s)

    def _why_not(self, wish: ProbeWish, params: CoreParams, probe: Probe) -> str:
        if wish.current_ma == 0.0:
            return ""
        most_ma = self._next_max_ma(params)
        if not (math.isfinite(wish.current_ma) and 0.0 < wish.current_ma <= most_ma):
            return f"current_ma: found {wish.current_ma:g}, allowed: above 0, to {most_ma:g}"
        if not 0.0 < wish.hold_s <= HOLD_MAX_S:
            return f"hold_s: found {wish.hold_s:g}, allowed: above 0, to {HOLD_MAX_S:g}"
        if self._request is not None or probe.since_ns is not None:
            return "a train is running"
        return ""

    def _next_max_ma(self, params: CoreParams) -> float:
        step_ma = FELT_STEP_MAX_MA if self._felt else UNFELT_STEP_MAX_MA
        return min(params.pulse.current_max_ma, max(FIRST_MAX_MA, self._given_ma + step_ma))

    def take(self) -> ProbeRequest | None:
        """The request for this tick."""
        request, self._request = self._request, None
        return request

    def note(self, probe: Probe, foot_rad: tuple[float, float] | None, *, guard_gave: bool) -> None:
        """After a tick: a train that ended whole, and that the guard let out, allows the next step.

        ``foot_rad``: pitch and roll of the foot now, toes up and inversion +.
        """
        if probe.ended == "given" and guard_gave:
            self._given_ma = max(self._given_ma, probe.current_ma)
        began, self._running = not self._running, probe.since_ns is not None
        if not self._running:
            return
        if began:
            self._from_rad, self._turned = foot_rad, None
        if foot_rad is not None and self._from_rad is not None:
            up_deg, inward_deg = (math.degrees(n - f) for n, f in zip(foot_rad, self._from_rad, strict=True))
            if self._turned is None or up_deg > self._turned.up_deg:
                self._turned = FootTurn(round(up_deg, 1), round(inward_deg, 1))

    def told(self, params: CoreParams, probe: Probe) -> ProbeTold:
        running = self._request is not None or probe.since_ns is not None
        next_max_ma, turned = self._next_max_ma(params), None if running else self._turned
        return ProbeTold(
            self._number, probe.current_ma, running, probe.ended, next_max_ma, self._refused, turned
        )
