"""How long a muscle rests between two contractions so that neither its time with current nor its dose trips.

The guard holds both over any window of time. What is told here holds however contractions follow each other:
a rest that a person cuts short, a pause, an arming anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.config.limits import PulseOutput
from controller.safety.judgement.limits import DOSE_WINDOW_S, Limits, burst_uc

PAUSE_S = 0.15  # the guard takes one shorter than 0.1 s for none; a tick each way, and as much again
LATE_S = 0.5  # more than what late ticks, and the electrodes' test of an arming between, add
HALVINGS = 40  # to far below a tick


@dataclass(frozen=True, slots=True)
class Repeated:
    """A contraction given again and again: ``lasts_s`` with its ramps; ``full_s`` at full current would give
    the same charge, ``charge_rate_uc`` in each second, at the highest current that may be set.
    """

    lasts_s: float
    full_s: float
    charge_rate_uc: float

    def on_share(self, window_s: float, rest_s: float) -> float:
        """The largest share of any such window that is with current."""
        return most_s(window_s, self.lasts_s, self.lasts_s + rest_s) / window_s

    def dose_uc(self, rest_s: float) -> float:
        """The most it gives in any window of the dose limit."""
        return self.charge_rate_uc * most_s(DOSE_WINDOW_S, self.full_s, self.lasts_s + rest_s)

    def rest_least_s(self, limits: Limits, on_window_s: float) -> float:
        """The shortest rest that keeps share and dose; a whole window where none does."""
        longest_s = max(on_window_s, DOSE_WINDOW_S)
        low_s, high_s = 0.0, longest_s
        for _ in range(HALVINGS):  # a longer rest never gives more
            rest_s = 0.5 * (low_s + high_s)
            share, dose_uc = self.on_share(on_window_s, rest_s), self.dose_uc(rest_s)
            if share > limits.on_share_max or dose_uc > limits.dose_max_uc:
                low_s = rest_s
            else:
                high_s = rest_s
        return max(PAUSE_S, high_s + LATE_S)


def repeated(
    ramp_up_s: float, hold_s: float, ramp_down_s: float, output: PulseOutput, most_ma: float
) -> Repeated:
    """A contraction of these times through this output."""
    ramps_s = ramp_up_s + ramp_down_s
    charge_uc = burst_uc(most_ma, output.width_us, output.cycles)
    return Repeated(ramps_s + hold_s, hold_s + 0.5 * ramps_s, charge_uc * output.rate_hz)


def most_s(window_s: float, on_s: float, period_s: float) -> float:
    """The longest that something on for ``on_s`` of each period is on within any window."""
    whole = math.floor(window_s / period_s)
    return whole * on_s + min(window_s - whole * period_s, on_s)
