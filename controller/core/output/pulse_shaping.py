"""From wanted activation to a pulse the stimulator can give: inverse recruitment, rise limits, steps, width.

The rise limits are the guard's own, kept here so that the guard has nothing to reduce and the integral knows.
Currents are those at the full width; :meth:`Intensity.shaped` says what is sent in their place.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from controller.core.control.recruitment import Recruitment, curve_of
from controller.core.params import MuscleModel, Pulse
from models.recruitment import equivalent_ma

RISE_WINDOW_NS = 250_000_000  # sending faster must not beat the rise limit (safety F8)
RISE_TICK_NS = 5_000_000  # the rise of a tick is for this time; a step that comes sooner may rise by less
RISE_SAVED_NS = 6_000_000  # a tick that is late by 1 ms leaves that to the next; the guard keeps 10 ms
COMFORTABLE = 0.75  # of the highest current: up to here a shorter, stronger pulse takes a longer one's place


@dataclass(slots=True)
class Intensity:
    """The current of one channel from tick to tick, in mA at the full width."""

    muscle: MuscleModel
    pulse: Pulse
    current_ma: float = 0.0
    recruitment: Recruitment = field(init=False)
    threshold_ma: float = field(init=False)  # asked for at every tick
    _recent: deque[tuple[int, float, float]] = field(default_factory=deque)  # sent: time ns, mA, nC
    _risen_ns: int = -RISE_SAVED_NS  # the rise of all time up to here is used
    _share: float = 0.0  # of a tick's rise, what this step may use

    def __post_init__(self) -> None:
        self.reconfigure(self.pulse)

    def reconfigure(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.recruitment = Recruitment(curve_of(self.muscle), pulse.width_us)
        self.threshold_ma = self.recruitment.threshold_ma

    def for_activation(self, activation: float) -> float:
        return self.recruitment.for_activation(activation)

    def activation_of(self, current_ma: float) -> float:
        return self.recruitment.activation_of(current_ma)

    def move(self, now_ns: int, wanted_ma: float) -> float:
        """The current to command now: bounded, rising no faster than allowed, in the device's steps."""
        pulse = self.pulse
        if not self._recent:
            self._recent.append((now_ns, self.current_ma, self.current_ma * pulse.width_us))
        self._spend(now_ns)
        while len(self._recent) > 1 and now_ns - self._recent[1][0] > RISE_WINDOW_NS:
            self._recent.popleft()  # the first that stays was in force when the window began
        ceiling_ma = min(pulse.current_max_ma, self.current_ma + self._share * pulse.rise_ma_per_tick)
        if ceiling_ma > pulse.rise_ma_per_250ms:  # below it even a rise from nothing is slow enough
            ceiling_ma = min(ceiling_ma, min([sent[1] for sent in self._recent]) + pulse.rise_ma_per_250ms)
        nearest_ma = wanted_ma + 0.5 * pulse.current_step_ma if wanted_ma > 0.0 else 0.0  # and not for NaN
        self.current_ma = self._stepped(min(nearest_ma, ceiling_ma))
        self._recent.append((now_ns, self.current_ma, self.current_ma * pulse.width_us))
        return self.current_ma

    def shaped(self) -> tuple[float, float]:
        """The current just moved to as a pulse (mA, us) of the same effect and of less charge.

        By Weiss a pulse needs a charge of width + chronaxie, so the shorter one is the cheaper one. Its
        current stays comfortable where the effect allows, and rises in current and charge like any other.
        """
        pulse, chronaxie_us, ma = self.pulse, self.muscle.chronaxie_us, self.current_ma
        full_us = pulse.width_us
        if pulse.width_min_us is None or ma == 0.0:
            return ma, full_us
        _, last_ma, last_nc = self._recent[-2]
        of_endless = 1.0 + chronaxie_us / full_us  # threshold at full width over that of an endless pulse
        shortest_ma = ma * (1.0 + chronaxie_us / pulse.width_min_us) / of_endless
        rise_ma = self._share * pulse.rise_ma_per_tick
        most_ma = min(shortest_ma, last_ma + rise_ma)
        if most_ma > pulse.rise_ma_per_250ms:
            most_ma = min(most_ma, min([sent[1] for sent in self._recent]) + pulse.rise_ma_per_250ms)
        most_nc = last_nc + full_us * rise_ma
        if most_nc > full_us * pulse.rise_ma_per_250ms:
            least_nc = min([sent[2] for sent in self._recent])
            most_nc = min(most_nc, least_nc + full_us * pulse.rise_ma_per_250ms)
        spare = most_nc * of_endless - chronaxie_us * ma
        cheap_ma = most_nc * ma / spare if spare > 0.0 else most_ma  # from here the charge is allowed
        comfortable_ma = max(cheap_ma, COMFORTABLE * pulse.current_max_ma)
        sent_ma = max(ma, self._stepped(min(most_ma, pulse.current_max_ma, comfortable_ma)))
        same_us = chronaxie_us / (of_endless * sent_ma / ma - 1.0)
        width_us = float(int(max(pulse.width_min_us, min(full_us, same_us, most_nc / sent_ma))))
        self._recent[-1] = (self._recent[-1][0], sent_ma, sent_ma * width_us)
        if width_us < same_us - 1.0:  # the charge may not rise so fast
            self.current_ma = sent_ma * of_endless / (1.0 + chronaxie_us / width_us)
        return sent_ma, width_us

    def correct(self, applied_ma: float, width_us: float) -> None:
        """Take over what the guard really let through, where it was less."""
        if self._recent:
            at_ns, sent_ma, sent_nc = self._recent[-1]
            self._recent[-1] = at_ns, min(sent_ma, applied_ma), min(sent_nc, applied_ma * width_us)
        if applied_ma <= 0.0:
            self.current_ma = 0.0
            return
        scale = equivalent_ma(1.0, width_us, self.muscle.chronaxie_us)
        scale /= equivalent_ma(1.0, self.pulse.width_us, self.muscle.chronaxie_us)
        self.current_ma = min(self.current_ma, scale * applied_ma)

    def _spend(self, now_ns: int) -> None:
        """Take the time that the last rise used, by current or charge; the rest is for this step."""
        if len(self._recent) > 1:
            (_, before_ma, before_nc), (at_ns, sent_ma, sent_nc) = self._recent[-2], self._recent[-1]
            full_us, rise_ma = self.pulse.width_us, self.pulse.rise_ma_per_tick
            ticks = max(0.0, sent_ma - before_ma, (sent_nc - before_nc) / full_us) / rise_ma
            since_ns = max(self._risen_ns, at_ns - RISE_SAVED_NS)
            self._risen_ns = min(at_ns, since_ns + math.ceil(ticks * RISE_TICK_NS))
        self._share = min(1.0, (now_ns - max(self._risen_ns, now_ns - RISE_SAVED_NS)) / RISE_TICK_NS)

    def _stepped(self, current_ma: float) -> float:
        return int(current_ma / self.pulse.current_step_ma) * self.pulse.current_step_ma
