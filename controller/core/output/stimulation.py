"""What pulse: both channels' currents and widths from what a law asks for, within window and rise limits.

A test train on a leg that stands takes the place of a law; what is not given is off, which is not zero.
"""

from __future__ import annotations

import dataclasses

from controller.core.control.laws import LawOutput, WindowNow
from controller.core.control.recruitment import THRESHOLD_FRACTION
from controller.core.gait.estimator import GaitEstimate
from controller.core.output.pulse_shaping import Intensity
from controller.core.output.stimulation_window import Window
from controller.core.output.test_train import Probe
from controller.core.output.unlifted import UnliftedSwings
from controller.core.params import CoreParams
from controller.core.signals import Applied
from drivers.interface import ChannelCommand, Command

PRIME_EARLY_S = 0.04  # heel-off comes that much earlier in some strides


class Stimulation:
    """The pulses of one limb; ``on_since_ns`` is since when the first channel has been on without a break."""

    def __init__(self, params: CoreParams) -> None:
        self._params = params
        self.window = Window(params.envelope)
        self.first = Intensity(params.muscle, params.pulse)
        self.second = _second(params)
        self.test_train = Probe()
        self.unlifted = UnliftedSwings()
        self.on_since_ns: int | None = None

    @property
    def at_boundary(self) -> bool:
        """No window is open and no test train runs: what comes next rises from nothing."""
        return self.window.state == "closed" and self.test_train.since_ns is None

    def reconfigure(self, params: CoreParams) -> None:
        self._params = params
        self.window.envelope = params.envelope
        self.first.reconfigure(params.pulse)
        made = _second(params)
        if self.second is not None and made is not None:
            self.second.reconfigure(made.pulse)

    def correct(self, applied: Applied) -> None:
        """Take over what the guard let through of an earlier frame, where it was less than asked."""
        for intensity in (self.first, self.second):
            if intensity is not None:
                number = intensity.pulse.channel
                through = applied.channels[number] if number < len(applied.channels) else None
                intensity.correct(*((through.current_ma, through.width_us) if through else (0.0, 0.0)))

    # --- when

    def now(self, now_ns: int) -> WindowNow:
        return WindowNow(self.window.state, self.window.opened_ns, self.window.share(now_ns))

    def prime(self, gait: GaitEstimate, *, ahead: bool, sure: bool) -> None:
        """Be at the motor threshold when the heel comes off: the way there takes a tenth of a second."""
        due_ns, now_ns = gait.heel_off_due_ns, gait.now_ns
        rise_s = self.first.threshold_ma / self._params.pulse.rise_ma_per_tick * self._params.tick_s
        self.window.lead_s = rise_s + PRIME_EARLY_S if ahead else 0.0
        if due_ns is None or not sure or not ahead:
            return
        if 0 <= now_ns - due_ns + int(1e9 * (rise_s + PRIME_EARLY_S)) < int(1e9 * rise_s):
            self.window.prime(now_ns)

    def why_not(self, now_ns: int) -> str:
        """Why nothing flows now; empty where pulses do."""
        window = self.window
        if window.state == "closed":
            return window.why
        if (now_ns - window.train_ns) / 1e9 > self._params.pulse.train_max_s:
            return "longest train reached"
        return window.why if window.state == "falling" and self.first.current_ma == 0.0 else ""

    # --- how strong

    def off(self, now_ns: int) -> Command:
        self.first.move(now_ns, 0.0)
        if self.second is not None:
            self.second.move(now_ns, 0.0)
        self.on_since_ns = None
        pulse = self._params.pulse
        return Command((None,) * pulse.channels, pulse.lifetime_ms)

    def test(self, now_ns: int, hindered: str) -> Command | None:
        """The test train that a person asked for; ``None`` without one."""
        wanted_ma = self.test_train.wanted_ma(now_ns, hindered=hindered)
        if wanted_ma is None:
            return None
        return self._command((self.first.move(now_ns, wanted_ma), self._params.pulse.width_us))

    def give(self, now_ns: int, out: LawOutput, *, usual: bool) -> Command:
        """What a law asks for; ``usual``: as the usual trapezoid of a trial, of one width."""
        if self.window.state == "primed":  # below the threshold after rounding, too
            below_ma = self.first.threshold_ma - 0.5 * self._params.pulse.current_step_ma
            self.first.move(now_ns, below_ma)
        else:
            self.first.move(now_ns, self._allowed_ma(out.wanted_ma, self.first, blends=out.blends))
        pulse = _shaped(self.first, usual=usual)
        self.on_since_ns = self.on_since_ns or now_ns
        return self._command(pulse, self._turning(now_ns, out, usual=usual))

    def _turning(self, now_ns: int, out: LawOutput, *, usual: bool) -> ChannelCommand | None:
        """The second channel's command; off where that is nearer to the wish than its threshold is."""
        second = self.second
        if second is None:
            return None
        wanted_ma = second.for_activation(out.second) if out.second > THRESHOLD_FRACTION / 2 else 0.0
        second.move(now_ns, self._allowed_ma(wanted_ma, second, blends=out.blends))
        current_ma, width_us = _shaped(second, usual=usual)
        return ChannelCommand(current_ma, width_us, second.pulse.rate_hz) if current_ma > 0.0 else None

    def _allowed_ma(self, wanted_ma: float, intensity: Intensity, *, blends: bool) -> float:
        """In a ramp down a law's own curve may rise; what is sent may not, even by the device's rounding."""
        present_ma, step_ma = intensity.current_ma, intensity.pulse.rise_ma_per_tick
        if self.window.state == "falling":
            wanted_ma = min(wanted_ma, present_ma - 0.5 * intensity.pulse.current_step_ma)
        if not blends:
            return wanted_ma
        return min(present_ma + step_ma, max(present_ma - step_ma, wanted_ma))

    def _command(self, sent: tuple[float, float], second: ChannelCommand | None = None) -> Command:
        pulse, turning = self._params.pulse, self._params.second
        given: dict[int, ChannelCommand | None] = {pulse.channel: ChannelCommand(*sent, pulse.rate_hz)}
        if turning is not None:
            given[turning.channel] = second
        return Command(tuple(given.get(index) for index in range(pulse.channels)), pulse.lifetime_ms)


def _shaped(intensity: Intensity, *, usual: bool) -> tuple[float, float]:
    """The pulse to send, mA and us."""
    return (intensity.current_ma, intensity.pulse.width_us) if usual else intensity.shaped()


def _second(params: CoreParams) -> Intensity | None:
    """The second channel's current from nothing, within the limits that both channels share."""
    model = params.second
    if model is None:
        return None
    muscle = dataclasses.replace(
        params.muscle, i50_ma=model.i50_ma, sigma=model.sigma, chronaxie_us=model.chronaxie_us
    )
    pulse = dataclasses.replace(
        params.pulse, channel=model.channel, width_us=model.width_us, current_max_ma=model.current_max_ma
    )
    return Intensity(muscle, pulse)
