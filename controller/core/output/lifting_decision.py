"""The decision to lift: a swing that the events begin is lifted, unless something speaks against it now.

A swing that is not lifted can be a fall, pulses without a swing are a nuisance. So nothing has to be proven
before a lift; what ends or withholds one is seen in the limb itself, now, and is forgotten with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.gait.detector import GaitDetector
from controller.core.params import Readiness

STILL_S = 0.2  # at rest for so long the limb stands, whatever its last event was


@dataclass(frozen=True, slots=True)
class Verdict:
    """``against`` names what speaks against a lift, empty where nothing does; ``doubt`` why angle and phase
    are not relied on in a lift: it is then open loop and teaches nothing."""

    against: str
    doubt: str

    @property
    def lifts(self) -> bool:
        return not self.against


def judge(now_ns: int, detector: GaitDetector, readiness: Readiness, *, level: bool) -> Verdict:
    """Whether a swing that begins or goes on now is lifted.

    ``level``: the shank's last swing lay over the reference's, it was on no stairs; the height of one step,
    integrated from acceleration, errs.
    """
    doubt = detector.doubt(now_ns)
    if doubt and (detector.setting_off or (detector.stepping and level)) and not detector.silent(now_ns):
        doubt = ""
    against = ""
    if detector.silent(now_ns):
        against = "no samples"
    elif detector.upside_down:
        against = "sensor upside down"
    elif detector.cycles:
        against = "cycling"
    elif detector.moves_backward:
        against = "moving backward"
    elif readiness == "eager":
        against = ""
    elif detector.still_s > STILL_S:
        against = "standing still"
    elif detector.faltered:
        against = "no swing after toe-off"
    elif readiness == "cautious":
        against = doubt
    return Verdict(against, doubt)
